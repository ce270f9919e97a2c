// The number: public entropy, mixed with the secret; how a fair number below n comes out of it, and whom it picks.

import { checkBeacon, checkBlock, networkOf, randomness, timeOf } from "./beacon.js";
import { LP, S, TAG, U32, U64, hmac, integer, sha256 } from "./encoding.js";
import { typedLog } from "./log.js";
import { drawn } from "./pot.js";
import { Lie, need } from "./report.js";
import { BLOCK, DIRECT, DRAND, MIXED, NONE, entropyMode } from "./rules.js";
import { survivors } from "./teams.js";

const OPEN_AFTER_MS = 1000n;
const ATTEMPTS_MAX = 1000;

/** @param {any} record @returns {bigint} how the room gets its entropy */
const modeOf = (record) => /** @type {bigint} */ (entropyMode(record.rules.entropy).mode);

/** Secret opened in time, entropy and its proof, final value, winning number; then winners. @param {any} record @param {import("./report.js").Report} report @throws {Lie} */
export function check(record, report) {
  opening(record, report);
  entropy(record, report);
  const final = finalOf(record);
  report.same("final", record.final, final, final ?? "none, nothing is drawn");
  const number = winningNumber(record);
  report.same("winning number", record.winning_number, number, number ?? "none in this room");
  winners(record, report);
}

/** The secret is opened a second after the close or later; if that was not before the beacon, the reader is told. @param {any} record @param {any} report */
function opening(record, report) {
  const { outcome, close, secret } = record;
  const opened = outcome.opened_ms;
  report.same("secret there", secret !== null, opened !== null);
  if (opened === null) return report.holds("secret opened", outcome.failure !== null, "never, the house has lost it", "never");
  const from = close.close_ms + (outcome.void !== null ? 0n : OPEN_AFTER_MS);
  report.holds("secret opened", opened >= from, `${opened - close.close_ms} ms after the close`, "before the close could be seen");
  const awaited = drawn(record) && [DRAND, MIXED].includes(modeOf(record));
  if (awaited && opened >= timeOf(networkOf(record.rules), close.source_round) * 1000n) {
    report.notProven.push("that the house did not know the result when it opened the secret: it opened after the beacon");
  }
}

/** The entropy is what the proof gives, and the proof is of the round that the close named. @param {any} record @param {any} report */
function entropy(record, report) {
  const { proof, manual, close } = record;
  const mode = modeOf(record);
  let due = "";
  if (mode === DIRECT) {
    report.same("proof", proof, {}, "the typed numbers");
    if (manual.length) due = typedLog(close.hash, manual);
    if (drawn(record)) report.unchecked.push("the numbers were typed by hand: watch the recording, its address stands in the record");
  } else if (!drawn(record) || mode === NONE) {
    report.same("proof", proof, {}, "none is due");
  } else if (mode === BLOCK) {
    report.same("proof: parts", Object.keys(proof).sort(), ["header", "height"], "header, height");
    checkBlock(record, report);
    due = sha256(sha256(proof.header));
  } else {
    const parts = networkOf(record.rules).chained ? ["previous", "signature"] : ["signature"];
    report.same("proof: parts", Object.keys(proof).sort(), parts, parts.join(", "));
    checkBeacon(record, report);
    due = randomness(proof.signature);
  }
  report.same("entropy", record.entropy, due, due || "none");
}

/** The key of all draws; null where nothing can be drawn. Without a beacon it does not depend on the bets. @param {any} record @returns {string|null} */
function finalOf({ secret, salt, outcome, rules, room, id, close, entropy }) {
  if (outcome.failure !== null) return null;
  if (entropyMode(rules.entropy).mode === NONE) return finalWithoutEntropy(secret, room, id, salt);
  return outcome.void !== null ? null : finalValue(secret, close.hash, salt, entropy);
}

/** @param {string} secret @param {string} close @param {string} salt @param {string} entropy */
export const finalValue = (secret, close, salt, entropy) => hmac(secret, TAG("lot2.final"), close, salt, LP(entropy));

/** @param {string} secret @param {string} lane @param {bigint} round @param {string} salt */
export const finalWithoutEntropy = (secret, lane, round, salt) => hmac(secret, TAG("lot2.final0"), S(lane), U64(round), salt);

// ---- a fair number below n

/** 256 bits of the stream that `label` and `index` name. @param {string} key @param {string} label @param {number} index @param {number} attempt @param {number} block */
export const word = (key, label, index, attempt, block) =>
  hmac(key, TAG("lot2.draw"), S(label), U32(index), U32(attempt), U32(block));

/** value·below / 2^bits, floored; null for the few values that would make low results more likely. @param {bigint} below @param {bigint} bits @param {bigint} value */
export function accepted(below, bits, value) {
  const product = value * below;
  const whole = 1n << bits;
  return product % whole < whole % below ? null : product >> bits;
}

/** A number below `below`, each equally likely, and the word that it came from. @param {string} key @param {bigint} below @param {string} label @param {number} index @returns {{result: bigint, word: bigint}} */
export function draw(key, below, label, index) {
  const blocks = Math.ceil((below.toString(2).length + 64) / 256);
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    let bits = "";
    for (let block = 0; block < blocks; block++) bits += word(key, label, index, attempt, block);
    const result = accepted(below, 256n * BigInt(blocks), integer(bits));
    if (result !== null) return { result, word: integer(bits) };
  }
  throw new Lie(`no word below ${below} was accepted`);
}

/** @param {string} key @param {bigint} below @param {string} label @param {number} index */
export const uniform = (key, below, label, index) => draw(key, below, label, index).result;

/** N/2^256 with 96 digits, rounded up: so tickets·number, floored, is the ticket itself at every border. @param {bigint} number */
export function decimal(number) {
  const whole = 1n << 256n;
  return `0.${((number * 10n ** 96n + whole - 1n) / whole).toString().padStart(96, "0")}`;
}

/** The published decimal is the word of the first draw. Rooms that do not draw "winner" have none. @param {any} record */
function winningNumber(record) {
  const typed = [MIXED, DIRECT].includes(modeOf(record));
  const { final, rules, close } = record;
  if (final === null || typed || rules.mode === "teams" || close.tickets === 0n) return null;
  return decimal(draw(final, close.tickets, "winner", 0).word);
}

// ---- who won

/** @typedef {{user_id: bigint, ticket: bigint|null, share: bigint}} Winner */

/** Winners, their tickets and shares, and in team games who left. @param {any} record @param {any} report */
function winners(record, report) {
  const { outcome, rules } = record;
  report.rule("typed numbers used", () => typedOnce(record));
  /** @type {{stayed: Winner[], gone: {user_id: bigint, value: bigint}[]}} */
  let found = { stayed: [], gone: [] };
  if (drawn(record)) found = rules.mode === "teams" ? survivors(record, uniform) : { stayed: draws(record), gone: [] };
  const { stayed, gone } = found;
  report.same("eliminations", outcome.eliminations, gone, gone.map((each) => each.user_id).join(", ") || "none");
  const said = stayed.map((each) => (each.ticket === null ? `${each.user_id}` : `${each.user_id} with ticket ${each.ticket}`));
  report.same("winners", outcome.winners, stayed, said.join(", ") || "none, the round was not drawn");
  const ticket = stayed.length ? stayed[0].ticket : null;
  report.same("winning ticket", record.winning_ticket, ticket, ticket === null ? "none in this room" : undefined);
}

/** One winner per share, nobody twice, until the shares or the tickets are used up. @param {any} record @returns {Winner[]} */
function draws(record) {
  /** @type {Winner[]} */
  const found = [];
  const won = new Set();
  for (const [index, share] of sharesOf(record.rules).entries()) {
    const left = record.pot.rows.filter((/** @type {any} */ row) => row.tickets && !won.has(row.user));
    if (left.length === 0) break;
    const { ticket, user } = oneDraw(record, left, index);
    won.add(user);
    found.push({ user_id: user, ticket, share });
  }
  return found;
}

/** One entry per winner; rooms without shares have one winner. @param {any} rules @returns {bigint[]} */
const sharesOf = (rules) => (["sitngo", "pot"].includes(rules.mode) ? rules.shares : [1n]);

/** @param {any} record @param {import("./pot.js").Row[]} left rows of those who have not won @param {number} index */
function oneDraw(record, left, index) {
  const mode = modeOf(record);
  const tickets = left.reduce((total, row) => total + row.tickets, 0n);
  if (mode === DIRECT) {
    const ticket = BigInt(record.manual[index].digits);
    return { ticket, user: /** @type {bigint} */ (ownerOf(record, ticket)) };
  }
  if (mode !== MIXED) return atPlace(left, uniform(record.final, tickets, "winner", index));
  return atPlace(left, (uniform(record.final, tickets, "manual", index) + BigInt(record.manual[index].digits)) % tickets);
}

/** Walk over the tickets of these rows, in order, to the one at a place. @param {import("./pot.js").Row[]} rows @param {bigint} place */
function atPlace(rows, place) {
  for (const row of rows) {
    if (place < row.tickets) return { ticket: row.first + place, user: row.user };
    place -= row.tickets;
  }
  throw new Error("a draw beyond the last ticket");
}

/** Whose ticket this is. @param {any} record @param {bigint} ticket @returns {bigint|undefined} */
const ownerOf = (record, ticket) =>
  record.pot.rows.find((/** @type {any} */ row) => row.first <= ticket && ticket < row.first + row.tickets)?.user;

/** There is one typed number for each draw; typed tickets are tickets, of somebody who has not won yet. @param {any} record */
function typedOnce(record) {
  const { manual, pot } = record;
  const mode = modeOf(record);
  if (![MIXED, DIRECT].includes(mode) || !drawn(record)) return "none";
  const due = Math.min(sharesOf(record.rules).length, pot.ticketsOf.size);
  need(manual.length === due, `${manual.length} numbers were typed for ${due} draws`);
  const won = new Set();
  for (const entry of mode === DIRECT ? manual : []) {
    const owner = ownerOf(record, BigInt(entry.digits));
    need(owner !== undefined && !won.has(owner), `${entry.digits} is no ticket of anybody who could win`);
    won.add(owner);
  }
  return `${due} numbers for ${due} draws`;
}
