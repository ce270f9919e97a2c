// What follows from the items of a record alone. Nothing in here believes what the record says about tickets.

import { sum, totals } from "./report.js";

/** @typedef {{place: number, bet: bigint, user: bigint, item: bigint, deposit: bigint, price: bigint, first: bigint, tickets: bigint,
 *   team: bigint, time: bigint, seed: string}} Row one item of the pot; `first` is the number of tickets before it */

export class Pot {
  /** @param {any} record */
  constructor(record) {
    let sold = 0n;
    /** @type {Row[]} */
    this.rows = record.items.map((/** @type {any} */ each, /** @type {number} */ place) => {
      const tickets = ticketsFor(each.price, record.rules);
      const row = {
        place, bet: each.bet, user: each.user_id, item: each.item_id, deposit: each.deposit_id, price: each.price,
        first: sold, tickets, team: each.team, time: each.time_ms, seed: each.client_seed,
      };
      sold += tickets;
      return row;
    });
    const users = this.rows.map((row) => row.user);
    const prices = this.rows.map((row) => row.price);
    this.tickets = sold;
    this.bank = sum(prices);
    /** By user, in the order of first bets. */
    this.ticketsOf = totals(users, this.rows.map((row) => row.tickets));
    this.valueOf = totals(users, prices);
    /** Cents by number of the bet. */
    this.valueOfBet = totals(this.rows.map((row) => row.bet), prices);
    /** Cents by deposit. @type {Map<bigint, bigint>} */
    this.priceOf = new Map(this.rows.map((row) => [row.deposit, row.price]));
    this.dearestFirst = [...this.rows].sort(dearer);
  }
}

/** Dearest first, then the lower deposit. @param {{price: bigint, deposit: bigint}} one @param {{price: bigint, deposit: bigint}} other */
export function dearer(one, other) {
  if (one.price !== other.price) return one.price > other.price ? -1 : 1;
  if (one.deposit === other.deposit) return 0;
  return one.deposit < other.deposit ? -1 : 1;
}

/** One per cent, one per item, or as many as were paid for. @param {bigint} price @param {any} rules @returns {bigint} */
function ticketsFor(price, rules) {
  if (rules.tickets === "cent") return price;
  if (rules.tickets === "item") return 1n;
  return price / rules.raffle.ticket_price;
}

/** The round has winners: it is not void, and the house did not fail. @param {any} record */
export const drawn = (record) => record.outcome.void === null && record.outcome.failure === null;
