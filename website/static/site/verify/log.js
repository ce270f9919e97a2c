// The game: each bet in the chained log, a ticket for each cent, and the limits of the room.

import { S, TAG, U32, U64, U8, sha256 } from "./encoding.js";
import { Pot } from "./pot.js";
import { different, greatest, need, rising, totals } from "./report.js";

const TICKETS_MAX = 10n ** 18n - 1n;

/** The log's value after one more item. @param {string} before @param {import("./pot.js").Row} row */
export const itemLog = (before, row) =>
  sha256(
    TAG("lot2.item"), before, U32(row.place + 1), U64(row.bet), U64(row.user), U64(row.item), U64(row.deposit), U64(row.price),
    U64(row.first), U64(row.tickets), U8(row.team), U64(row.time), S(row.seed),
  );

/** The log's value after these typed numbers. @param {string} value @param {any[]} typed */
export function typedLog(value, typed) {
  typed.forEach((entry, place) => {
    const who = U64(entry.time_ms) + U64(entry.operator1) + U64(entry.operator2);
    value = sha256(TAG("lot2.manual"), value, U32(place + 1), S(entry.digits), who, S(entry.evidence));
  });
  return value;
}

/** @param {any} record @param {import("./report.js").Report} report @throws {Lie} */
export function check(record, report) {
  report.rule("tickets: rule", () => paidInFull(record));
  record.pot = new Pot(record);
  tickets(record, report);
  players(record, report);
  report.rule("order of bets", () => orderly(record));
  report.rule("limits of the room", () => withinLimits(record));
  report.rule("typed numbers", () => wellTyped(record));
  let value = record.pot.rows.reduce(itemLog, record.log.start);
  if (record.rules.entropy !== "manual:direct") value = typedLog(value, record.manual);
  report.same(`log over ${record.items.length} items`, record.log.end, value);
}

/** In a raffle each purchase pays for whole tickets. @param {any} record */
function paidInFull({ rules, items }) {
  if (rules.raffle === null) return `one per ${rules.tickets}`;
  const full = /** @type {bigint} */ (rules.raffle.ticket_price);
  need(items.every((/** @type {any} */ each) => BigInt(each.price) % full === 0n), `a purchase of a fraction of a ticket at ${full}`);
  return "as many as were bought";
}

/** Ranges from 0 without gap or overlap, as many tickets as the room gives for the item, and their sums. @param {any} record @param {any} report */
function tickets(record, report) {
  const pot = record.pot;
  for (const row of pot.rows) {
    const { tickets_start, tickets_end } = record.items[row.place];
    const due = row.tickets ? [row.first, row.first + row.tickets - 1n] : [null, null];
    const right = tickets_start === due[0] && tickets_end === due[1];
    // Only what is special is worth a line: a range that is wrong, and an item without a ticket.
    if (!right || !row.tickets) report.same(`tickets of item ${row.place}`, [tickets_start, tickets_end], due, "none");
  }
  report.same("tickets", [record.close.tickets, record.outcome.tickets], [pot.tickets, pot.tickets], String(pot.tickets));
  report.same("bank", record.bank, pot.bank);
  const countable = pot.bank <= TICKETS_MAX && pot.tickets <= TICKETS_MAX;
  report.holds("bank: countable", countable, "yes", "more than the decimal number can tell apart");
}

/** Everybody who bet, in the order of first bets, with the chance and whether they won. @param {any} record @param {any} report */
function players({ pot, players, outcome }, report) {
  const winners = outcome.winners.map((/** @type {any} */ each) => each.user_id);
  const found = [...pot.ticketsOf].map(([user, own]) => ({
    user_id: user, chance: `${own}/${pot.tickets}`, is_winner: winners.includes(user),
  }));
  report.same("players and their chances", players, found, `${found.length} players`);
}

/** Bets are numbered from 1; all rows of one are of one user, one team and one moment; time does not run back. @param {any} record */
function orderly(record) {
  const { pot, rules, time_start, close } = record;
  const rows = /** @type {import("./pot.js").Row[]} */ (pot.rows);
  need(rows.length === 0 || time_start !== null, "there are bets, but the game never began");
  rows.forEach((row, place) => {
    const before = rows[place - 1];
    const next = before ? before.bet + 1n : 1n;
    need(row.bet === next || (before !== undefined && row.bet === before.bet), "bets are out of order");
    const whole = before?.bet !== row.bet || (before.user === row.user && before.time === row.time && before.team === row.team && before.seed === row.seed);
    need(whole, "a bet has more than one user, moment, team or client seed");
  });
  need(rising([time_start ?? 0n, ...rows.map((row) => row.time), close.close_ms]), "time runs back between the start, the bets and the close");
  need(different(rows.map((row) => row.deposit)), "a deposit was bet twice");
  const house = [...record.guarantees, ...record.stock].map((each) => each.deposit_id);
  need(rules.raffle !== null || !house.some((each) => pot.priceOf.has(each)), "a piece of the house was bet");
  return `${pot.valueOfBet.size} bets, ${rows.length} items`;
}

/** Nothing stands in the pot that the room's limits had to refuse. @param {any} record */
function withinLimits(record) {
  const { pot, rules } = record;
  const rows = /** @type {import("./pot.js").Row[]} */ (pot.rows);
  const ones = rows.map(() => 1n);
  const most = (/** @type {Map<any, bigint>} */ map) => greatest([0n, ...map.values()]);
  need(rules.item_limit_max === null || BigInt(rows.length) <= rules.item_limit_max, "more items than the pot holds");
  const itemsOf = totals(rows.map((row) => row.user), ones);
  need(rules.bet_item_limit_max === null || most(itemsOf) <= rules.bet_item_limit_max, "more items of one player than allowed");
  need(rules.bet_value_max === null || most(pot.valueOf) <= rules.bet_value_max, "one player bet more than allowed");
  need([...pot.valueOfBet.values()].every((each) => each >= (rules.bet_value_min ?? 0n)), "a bet is below the least bet");
  const ticketsOfBet = totals(rows.map((row) => row.bet), rows.map((row) => row.tickets));
  need([...ticketsOfBet.values()].every((each) => each > 0n), "a bet has no ticket");
  need(rules.allowed_items === null || rows.every((row) => rules.allowed_items.includes(row.item)), "an item that the room does not allow");
  sides(rows, rules);
  purchases(rows, rules, pot);
  return "kept";
}

/** In team games each player is in one of two teams, and no team is over its limit. @param {import("./pot.js").Row[]} rows @param {any} rules */
function sides(rows, rules) {
  if (rules.mode !== "teams") return need(rows.every((row) => row.team === 0n), "a team in a room without teams");
  const sideOf = new Map(rows.map((row) => [row.user, row.team]));
  need(rows.every((row) => row.team > 0n && sideOf.get(row.user) === row.team), "a player without a team, or in two");
  for (const side of [1n, 2n]) {
    need([...sideOf.values()].filter((each) => each === side).length <= Number(rules.team_limit), `team ${side} is too large`);
  }
}

/** Raffle purchases are numbered from 1, are all of the template, and no more than it has tickets. @param {import("./pot.js").Row[]} rows @param {any} rules @param {Pot} pot */
function purchases(rows, rules, pot) {
  if (rules.raffle === null) return;
  need(rows.every((row) => row.deposit === BigInt(row.place + 1)), "purchases are not numbered from 1");
  need(rows.every((row) => row.item === rules.raffle.template), "a purchase of another template");
  need(pot.tickets <= rules.raffle.tickets, "more tickets were sold than there are");
}

/** Typed numbers are digits, by two different operators, in the order of time, on their side of the close. @param {any} record */
function wellTyped(record) {
  const { manual, rules, pot, close, outcome } = record;
  need(manual.length === 0 || rules.entropy.startsWith("manual:"), "typed numbers in a room that draws by itself");
  const afterClose = rules.entropy === "manual:direct";
  need(manual.length === 0 || !afterClose || outcome.opened_ms !== null, "numbers were typed before the secret was opened");
  let moment = afterClose ? (outcome.opened_ms ?? 0n) : greatest([0n, ...pot.rows.map((/** @type {any} */ row) => row.time)]);
  for (const entry of manual) {
    need(/^[0-9]{1,100}$/.test(entry.digits), "a typed number is not a number in digits");
    need(entry.operator1 !== entry.operator2, "one operator typed and confirmed a number");
    need(entry.time_ms >= moment, "a typed number is older than what it follows");
    need(entry.evidence !== "", "a typed number cannot be seen anywhere");
    moment = entry.time_ms;
  }
  need(afterClose || manual.length === 0 || moment <= close.close_ms, "a number was typed after the close");
  return manual.length ? `${manual.length} numbers` : "none";
}
