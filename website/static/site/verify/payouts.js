// Who gets which rows: each room's rule applied again, and then that no row and no cent appeared or vanished.

import { dearer, drawn } from "./pot.js";
import { ascending, changeMax, deposits, nearest, stockOf, worth } from "./rake.js";
import * as referral from "./referral.js";
import { different, greatest, need, sum } from "./report.js";
import { byShares, partsOf, rowCounts } from "./shares.js";

/** @typedef {{user_id: bigint, claim: bigint, rows: bigint[], guarantees: bigint[], change: bigint[], credit: bigint}} Payout */
/** @typedef {{payouts: Payout[], house: bigint[]}} Division */

/** @param {any} record @param {import("./report.js").Report} report @throws {Lie} */
export function check(record, report) {
  const { outcome } = record;
  const { payouts, house } = drawn(record) ? RULES[record.rules.mode](record) : refunds(record);
  if (drawn(record) && payouts.length) payouts[0].guarantees = record.guarantees.map((/** @type {any} */ each) => each.deposit_id);
  payouts.slice(0, outcome.payouts.length).forEach((found, place) => {
    report.same(`payout ${place}, to user ${found.user_id}`, outcome.payouts[place], found, said(found));
  });
  report.same("payouts: number", BigInt(outcome.payouts.length), BigInt(payouts.length));
  report.same("house keeps", outcome.house, house, `${house.length} rows`);
  report.rule("rows in = rows out", () => conserveRows(record));
  report.rule("value in = value out", () => conserveValue(record));
  report.rule("referral", () => referral.check(record));
}

/** What one winner gets, without guarantees and change. @param {bigint} user @param {bigint} claim @param {bigint[]} rows @returns {Payout} */
const payout = (user, claim, rows, credit = 0n) => ({ user_id: user, claim, rows, guarantees: [], change: [], credit });

/** @param {Payout} found */
function said(found) {
  const parts = [`${found.rows.length} rows`, `claim ${found.claim}`];
  if (found.credit) parts.push(`credit ${found.credit}`);
  if (found.guarantees.length) parts.push(`${found.guarantees.length} of guarantees`);
  if (found.change.length) parts.push(`${found.change.length} of change`);
  return parts.join(", ");
}

/** Void: everybody gets back what they bet; raffle tickets are paid back as credit. @param {any} record @returns {Division} */
function refunds({ pot, rules }) {
  const payouts = [...pot.valueOf].map(([user, staked]) => {
    const own = pot.rows.filter((/** @type {any} */ row) => row.user === user);
    return rules.mode === "raffle" ? payout(user, staked, [], staked) : payout(user, staked, deposits(own));
  });
  return { payouts, house: [] };
}

/** The winner takes all but the rake: own rows, the others', and the change. @param {any} record @returns {Division} */
function classic({ outcome, pot, bank }) {
  const winner = outcome.winners[0].user_id;
  const rake = outcome.rake ?? { taken: [], change: [], net: 0n };
  const left = pot.dearestFirst.filter((/** @type {any} */ row) => !rake.taken.includes(row.deposit));
  const own = left.filter((/** @type {any} */ row) => row.user === winner);
  const others = left.filter((/** @type {any} */ row) => row.user !== winner);
  const claim = /** @type {bigint} */ (bank) - rake.net;
  const found = payout(winner, claim, deposits([...own, ...others]));
  return { payouts: [{ ...found, change: rake.change }], house: rake.taken };
}

/** Shares are numbers of rows: first every winner's own rows, then the rest, in the order of the log. @param {any} record @returns {Division} */
function sitngo({ outcome, pot, rules }) {
  const winners = outcome.winners.map((/** @type {any} */ each) => each.user_id);
  const wanted = rowCounts(rules.shares, winners.length).map(Number);
  let left = /** @type {import("./pot.js").Row[]} */ (pot.rows);
  const taken = winners.map((/** @type {bigint} */ user, /** @type {number} */ place) => left.filter((row) => row.user === user).slice(0, wanted[place]));
  left = left.filter((row) => !taken.flat().includes(row));
  const payouts = winners.map((/** @type {bigint} */ user, /** @type {number} */ place) => {
    const more = left.slice(0, wanted[place] - taken[place].length);
    left = left.slice(more.length);
    const rows = [...taken[place], ...more];
    return payout(user, worth(rows), deposits(rows));
  });
  return { payouts, house: deposits(left) };
}

/** The winner gets the prize and nothing else; in a raffle there are no rows at all. @param {any} record @returns {Division} */
function giveaway({ outcome, pot, rules }) {
  const house = rules.mode === "raffle" ? [] : deposits(pot.rows);
  return { payouts: [payout(outcome.winners[0].user_id, 0n, [])], house };
}

/** Each winner gets a part less that winner's due. @param {any} record @returns {Division} */
function globalPot(record) {
  const dues = record.outcome.rake?.dues ?? [];
  return handOut(record, partsOf(record).map((part, place) => part - (dues[place]?.due ?? 0n)));
}

/** The survivors share the bank less the due in proportion to their bets; odd cents go to the largest bet. @param {any} record @returns {Division} */
function teams(record) {
  const bets = record.outcome.winners.map((/** @type {any} */ each) => each.share);
  const bank = /** @type {bigint} */ (record.bank) - (record.outcome.rake?.due ?? 0n);
  return handOut(record, byShares(bank, bets, bets.indexOf(greatest(bets))));
}

/** Own rows first, then the dearest row to the largest open claim; what fits nobody is the house's, the rest is credit. @param {any} record @param {bigint[]} claims @returns {Division} */
function handOut(record, claims) {
  const users = record.outcome.winners.map((/** @type {any} */ each) => each.user_id);
  const taken = record.outcome.rake?.taken ?? [];
  const open = [...claims];
  /** @type {import("./pot.js").Row[][]} */
  const given = users.map(() => []);
  const give = (/** @type {import("./pot.js").Row} */ row, /** @type {number} */ place) => {
    if (row.price > open[place]) return false;
    given[place].push(row);
    open[place] -= row.price;
    return true;
  };
  const left = record.pot.dearestFirst.filter((/** @type {any} */ row) => !taken.includes(row.deposit));
  users.forEach((/** @type {bigint} */ user, /** @type {number} */ place) => {
    for (const row of left) if (row.user === user) give(row, place);
  });
  const own = new Set(given.flat());
  const house = [...taken];
  for (const row of left) {
    if (!own.has(row) && !give(row, open.indexOf(greatest(open)))) house.push(row.deposit);
  }
  const payouts = users.map((/** @type {bigint} */ user, /** @type {number} */ place) => payout(user, claims[place], deposits(given[place])));
  handBack(record, payouts, open);
  return { payouts, house };
}

/** What is open is met out of the house's stock, for one winner after the other, as near as it comes; the rest is credit. @param {any} record @param {Payout[]} payouts @param {bigint[]} open */
function handBack(record, payouts, open) {
  const most = changeMax(record);
  let free = stockOf(record).filter((each) => each.price > 0n && each.price <= most).sort(dearer);
  payouts.forEach((each, place) => {
    const given = nearest(free, open[place]);
    free = free.filter((piece) => !given.includes(piece));
    each.change = ascending(deposits(given));
    each.credit = open[place] - worth(given);
  });
}

/** @type {Record<string, (record: any) => Division>} */
const RULES = { classic, sitngo, teams, pot: globalPot, giveaway, raffle: giveaway };

// ---- nothing appears, nothing vanishes

/** Every deposit of the pot goes to exactly one place, change comes from the stock. @param {any} record */
function conserveRows({ outcome, pot, rules, stock }) {
  const came = rules.mode === "raffle" ? [] : deposits(pot.rows);
  const went = [...outcome.payouts.flatMap((/** @type {any} */ each) => each.rows), ...outcome.house];
  need(came.length === went.length && ascending(came).join() === ascending(went).join(), "some rows of the pot went nowhere, or to two places");
  const change = outcome.payouts.flatMap((/** @type {any} */ each) => each.change);
  need(different(change), "a piece of change goes to two places");
  const pieces = stock.map((/** @type {any} */ each) => each.deposit_id);
  need(change.every((/** @type {bigint} */ each) => pieces.includes(each)), "change that is not of the stock");
  return `${came.length} rows`;
}

/** Claims are met to the cent, and what came in goes to winners and house. @param {any} record */
function conserveValue(record) {
  const { outcome, pot, rules, bank, stock } = record;
  const piece = new Map(stock.map((/** @type {any} */ each) => [each.deposit_id, each.price]));
  const prices = (/** @type {bigint[]} */ ids, /** @type {Map<bigint, bigint>} */ of) => sum(ids.map((each) => of.get(each) ?? 0n));
  for (const each of outcome.payouts) {
    const met = prices(each.rows, pot.priceOf) + prices(each.change, piece) + each.credit;
    need(met === each.claim, `user ${each.user_id} is owed ${each.claim} and gets ${met}`);
  }
  const claims = sum(outcome.payouts.map((/** @type {any} */ each) => each.claim));
  const given = sum(outcome.payouts.map((/** @type {any} */ each) => each.credit + prices(each.change, piece)));
  const credits = sum(outcome.payouts.map((/** @type {any} */ each) => each.credit));
  const kept = rules.mode === "raffle" ? bank - credits : prices(outcome.house, pot.priceOf) - given;
  need(claims + kept === bank, `${bank} came in, ${claims} and ${kept} went out`);
  return `${bank} = ${claims} to players + ${kept} to the house`;
}
