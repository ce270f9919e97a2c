// The close: a game ends at one moment and for one reason, and one public event, which nobody knows then, decides it
// (record-format.md, "How a game ends").

import { networkOf, roundAfter } from "./beacon.js";
import { JSON_OF, S, TAG, U32, U64, U8, sha256 } from "./encoding.js";
import { different, need } from "./report.js";
import { BLOCK, DIRECT, MIXED, NONE, entropyMode } from "./rules.js";

const SECOND = 1000n;
const REST_MS = 30n * 24n * 3600n * SECOND;
const VOIDS = new Map([["few", "too few players"], ["lonely", "one player only"], ["too_long", "open too long"], ["expired", "expired"]]);

/** @typedef {{by: string, at: bigint}} End what ends the bets, and when (unix ms) */

/** Everything that was fixed when the game ended, in one value. @param {string} log @param {any} close */
export function closeHash(log, close) {
  const counted = U32(close.items) + U64(close.tickets) + U64(close.close_ms) + U8(close.mode);
  const bound = JSON_OF({ stock: close.stock, inviters: close.inviters, rests: close.rests });
  return sha256(TAG("lot2.close"), log, counted, S(close.source), U64(close.source_round), bound);
}

/** @param {any} record @param {import("./report.js").Report} report @throws {Lie} */
export function check(record, report) {
  const { close, outcome, pot } = record;
  report.same("deadline", outcome.deadline, deadline(record));
  report.rule("reason of the close", () => reason(record));
  report.same("items at the close", close.items, BigInt(pot.rows.length));
  report.same("stock at the close", close.stock, record.stock, "as promised");
  report.rule("inviters and rests at the close", () => broughtAlong(record));
  report.rule("source of entropy", () => namedSource(record));
  report.same("close hash", close.hash, closeHash(record.log.end, close));
}

/** The clock runs from the start, or from the bet that brought the last missing player; it is never reset. @param {any} record @returns {bigint|null} */
function deadline({ rules, time_start, pot }) {
  if (!rules.time_enable || time_start === null) return null;
  if (rules.player_limit === null) return time_start + rules.time_limit * SECOND;
  const users = new Set();
  for (const row of pot.rows) {
    users.add(row.user);
    if (BigInt(users.size) >= rules.player_limit) return row.time + rules.time_limit * SECOND;
  }
  return null;
}

/** Everything that ends a game if no bet does; of equal moments the clock comes first, then lonely, then too_long. @param {any} record @returns {End[]} */
function clocks({ rules, pot, outcome }) {
  const found = [];
  const first = pot.rows.length ? pot.rows[0].time : null;
  if (outcome.deadline !== null) found.push({ by: "time", at: outcome.deadline });
  if (first !== null && rules.lonely_void_s !== null && pot.ticketsOf.size === 1) {
    found.push({ by: "lonely", at: first + rules.lonely_void_s * SECOND });
  }
  if (first !== null && rules.open_max_s !== null) found.push({ by: "too_long", at: first + rules.open_max_s * SECOND });
  return found.sort((one, other) => (one.at < other.at ? -1 : one.at > other.at ? 1 : 0));
}

/** No bet came at or after a moment that had ended the game. @param {any} record */
function inTime(record) {
  const { rules, pot } = record;
  const rows = /** @type {import("./pot.js").Row[]} */ (pot.rows);
  if (rows.length === 0) return;
  need(clocks(record).every((each) => rows[rows.length - 1].time < each.at), "a bet at or after the end of the game");
  const second = rows.find((row) => row.user !== rows[0].user);
  const late = second !== undefined && rules.lonely_void_s !== null && second.time >= rows[0].time + rules.lonely_void_s * SECOND;
  need(!late, "a second player after the first one had been alone for too long");
}

/** The limit that the last bet reached. @param {any} record @returns {string|null} @throws {Lie} if one was reached before it */
function full({ rules, pot }) {
  const count = pot.rows.length;
  if (count === 0) return null;
  if (rules.raffle !== null) return pot.tickets === rules.raffle.tickets ? "sold_out" : null;
  const before = pot.bank - pot.valueOfBet.get(pot.rows[count - 1].bet);
  need(rules.global_pot_limit === null || before < rules.global_pot_limit, "a bet after the bank was full");
  if (BigInt(count) === rules.item_limit_max) return "items";
  return rules.global_pot_limit !== null && pot.bank >= rules.global_pot_limit ? "bank" : null;
}

/** How this round had to end, and when, if nobody ended it by hand. @param {any} record @returns {End|null} */
function dueEnd(record) {
  const { rules, pot } = record;
  inTime(record);
  const by = full(record);
  const stop = by !== null ? { by, at: pot.rows[pot.rows.length - 1].time } : (clocks(record)[0] ?? null);
  if (stop === null || VOIDS.has(stop.by)) return stop;
  if (rules.raffle !== null && stop.by === "time") return { by: "expired", at: stop.at };
  const playable = BigInt(pot.ticketsOf.size) >= rules.min_players && pot.tickets > 0n;
  if (!playable) return { by: "few", at: stop.at };
  return entropyMode(rules.entropy).mode === MIXED ? typedEnd(record, stop) : stop;
}

/** Numbers are typed after the bets and before the round is open for too long; the last one closes it. @param {any} record @param {End} stop @returns {End|null} */
function typedEnd(record, stop) {
  const typed = record.manual.map((/** @type {any} */ entry) => entry.time_ms);
  const last = typed[typed.length - 1];
  const longest = clocks(record).find((each) => each.by === "too_long") ?? null;
  need(typed.length === 0 || typed[0] >= stop.at, "a number was typed while bets were taken");
  need(longest === null || typed.length === 0 || last < longest.at, "a number was typed after the round was void");
  const wanted = Math.min(record.rules.shares.length, record.pot.ticketsOf.size);
  return typed.length === wanted ? { by: "manual", at: last } : longest;
}

/** The round ended as it had to, or was ended by hand before that. @param {any} record */
function reason(record) {
  const { outcome, close } = record;
  const by = outcome.closed_by;
  const due = dueEnd(record);
  const over = due ? `${due.by} at ${due.at} ms` : "nothing";
  if (by === "operator") {
    need(due === null || close.close_ms < due.at, `ended by hand, but the round was over: ${over}`);
    need(Boolean(outcome.void), "void without a reason");
  } else if (by === "failure") {
    need(outcome.failure !== null, "no failure ended this round");
  } else {
    need(due !== null && by === due.by && close.close_ms === due.at, `the record says ${by} at ${close.close_ms} ms, it was ${over}`);
  }
  const why = VOIDS.get(by) ?? null;
  need(by === "operator" || outcome.void === why, `void for ${outcome.void}, not ${why}`);
  return `${by} at ${close.close_ms} ms`;
}

// ---- what the close binds

/** Inviters and rests are of players, in the order of first bets; rests only where rules collect them. @param {any} record */
function broughtAlong({ close, pot, rules }) {
  const users = /** @type {bigint[]} */ ([...pot.ticketsOf.keys()]);
  const invited = close.inviters.map((/** @type {any} */ each) => each.user_id);
  need(inOrder(invited, users) && different(invited), "inviters of nobody who bet, or out of order");
  for (const { user_id, inviters } of close.inviters) {
    need(inviters.length > 0 && different([user_id, ...inviters]), `the inviters of user ${user_id} form a circle`);
  }
  const rests = close.rests;
  need(rests.length === 0 || rules.rake_carry, "rests of earlier rounds are not collected in this room");
  need(inOrder(rests.map((/** @type {any} */ each) => each.user_id), users), "rests of nobody who bet, or out of order");
  need(different(rests.map((/** @type {any} */ each) => `${each.user_id} ${each.seal}`)), "one rest twice");
  for (const each of rests) {
    const age = pot.rows.find((/** @type {any} */ row) => row.user === each.user_id).time - each.close_ms;
    need(age >= 0n && age <= REST_MS && each.cents > 0n, `a rest of user ${each.user_id} is too old, or of nothing`);
  }
  return `${invited.length} players with inviters, ${rests.length} rests`;
}

/** All of some are of everybody, and in their order. @param {bigint[]} some @param {bigint[]} everybody */
function inOrder(some, everybody) {
  const places = some.map((each) => everybody.indexOf(each));
  return places.every((place, at) => place >= 0 && (at === 0 || places[at - 1] <= place));
}

// ---- what decides

/** The close names the one source that it may. @param {any} record */
function namedSource(record) {
  const { mode, source, source_round } = record.close;
  const [dueMode, name, number] = sourceOf(record);
  const same = mode === dueMode && source === name && source_round === number;
  need(same, `mode, source and round are ${mode}, ${source}, ${source_round}; ${dueMode}, ${name}, ${number} are due`);
  return name ? `${name}, round ${number}` : "none";
}

/** Mode, source and round of the entropy, as they follow from the rules and the moment of the close alone. @param {any} record @returns {[bigint, string, bigint]} */
function sourceOf({ rules, close, outcome }) {
  const mode = /** @type {bigint} */ (entropyMode(rules.entropy).mode);
  if (VOIDS.has(outcome.closed_by) || ["operator", "failure"].includes(outcome.closed_by)) return [mode, "void", 0n];
  if (mode === NONE || mode === DIRECT) return [mode, "", 0n];
  const after = close.close_ms / SECOND + rules.entropy_margin_s;
  if (mode === BLOCK) return [mode, "bitcoin", after];
  const network = networkOf(rules);
  return [mode, network.hash, roundAfter(network, after)];
}
