// What a sealed record looks like: every field with its type and range, and nothing else (record-format.md, section 2).
// The bounds come before any work: no list is so long, no number so large that checking a small record takes long.

import { Unreadable } from "./numbers.js";

/** @typedef {(value: any, where: string) => void} Kind throws Unreadable when a value is of another kind */

const LONGEST = 2_000_000;

/** @param {string} where @param {string} due @returns {never} */
const wrong = (where, due) => {
  throw new Unreadable(`${where} ${due}`);
};

/** @param {bigint} largest @returns {Kind} */
const number = (largest) => (value, where) => {
  if (typeof value !== "bigint" || value < 0n || value > largest) wrong(where, `must be an integer from 0 to ${largest}`);
};

/** @param {number} longest in bytes @returns {Kind} */
const text = (longest) => (value, where) => {
  if (typeof value !== "string" || new TextEncoder().encode(value).length > longest) wrong(where, `must be text of at most ${longest} bytes`);
};

/** @param {number} [bytes] @returns {Kind} */
const hex = (bytes) => (value, where) => {
  const spelled = typeof value === "string" && /^(?:[0-9a-f]{2})*$/.test(value);
  if (!spelled || (bytes !== undefined && value.length !== 2 * bytes)) wrong(where, `must be ${bytes ?? "some"} bytes in lower-case hex`);
};

/** @type {Kind} */
const flag = (value, where) => {
  if (typeof value !== "boolean") wrong(where, "must be true or false");
};

/** @param {...any} allowed @returns {Kind} */
const one = (...allowed) => (value, where) => {
  if (!allowed.includes(value)) wrong(where, `must be one of ${allowed.join(", ")}`);
};

/** @param {Kind} kind @returns {Kind} */
const orNull = (kind) => (value, where) => {
  if (value !== null) kind(value, where);
};

/** @param {Kind} kind @param {number} [longest] @returns {Kind} */
const list = (kind, longest = LONGEST) => (value, where) => {
  if (!Array.isArray(value) || value.length > longest) wrong(where, `must be a list of at most ${longest}`);
  value.forEach((/** @type {any} */ each, /** @type {number} */ place) => kind(each, `${where}[${place}]`));
};

/** @param {Kind} kind @returns {Kind} */
const pair = (kind) => (value, where) => {
  if (!Array.isArray(value) || value.length !== 2) wrong(where, "must be a list of two");
  value.forEach((/** @type {any} */ each) => kind(each, where));
};

/** An object with exactly these fields. @param {Record<string, Kind>} kinds @returns {Kind} */
const fields = (kinds) => (value, where) => {
  if (typeof value !== "object" || value === null || Array.isArray(value)) wrong(where, "must be an object");
  for (const name of Object.keys(value)) if (!Object.hasOwn(kinds, name)) wrong(where, `has the unknown field ${name}`);
  for (const name of Object.keys(kinds)) if (!Object.hasOwn(value, name)) wrong(where, `lacks ${name}`);
  for (const [name, kind] of Object.entries(kinds)) kind(value[name], `${where}.${name}`);
};

const u8 = number(2n ** 8n - 1n);
const u32 = number(2n ** 32n - 1n);
const u64 = number(2n ** 64n - 1n);
const hash = hex(32);
const name = text(200);
const short = text(200);
const said = text(2_000);
const ids = list(u64);
const piece = fields({ deposit_id: u64, item_id: u64, price: u64 });
const stock = list(piece, 256);

const item = fields({
  item_id: u64, deposit_id: u64, user_id: u64, price: u64, tickets_start: orNull(u64), tickets_end: orNull(u64),
  bet: u64, team: number(2n), time_ms: u64, client_seed: text(64),
});

const rules = fields({
  name, mode: one("classic", "sitngo", "teams", "pot", "giveaway", "raffle"),
  item_limit_max: orNull(u32), bet_item_limit_max: orNull(u32), bet_value_min: orNull(u64), bet_value_max: orNull(u64),
  player_limit: orNull(u32), time_limit: orNull(u32), time_enable: flag, lonely_void_s: orNull(u32), open_max_s: orNull(u32),
  allowed_items: orNull(list(u64, 10_000)), shares: orNull(list(u64, 100)), team_limit: orNull(number(32n)),
  global_pot_limit: orNull(u64), min_players: u32, tickets: one("cent", "item", "bought"), entropy: said, entropy_margin_s: u32,
  beacon: orNull(fields({ scheme: said, public_key: hex(), period: u32, genesis: u32, group_hash: hash, beacon_id: name })),
  unsettled: flag, ranges: one("complement", "inverse", null), rake: orNull(list(pair(number(100n)), 100)),
  rake_change_max: u64, rake_change_max_bp: orNull(u32), rake_carry: flag, priority_items: list(u64, 10_000), referral_percent: u32,
  raffle: orNull(fields({ template: u64, prize: text(1_000), price: u64, commission: u64, tickets: u64, ticket_price: u64 })),
});

const close = fields({
  items: u32, tickets: u64, close_ms: u64, mode: u8, source: said, source_round: u64, stock,
  inviters: list(fields({ user_id: u64, inviters: list(u64, 20) })),
  rests: list(fields({ user_id: u64, room: name, round: u64, seal: hash, close_ms: u64, cents: u64 })),
  hash,
});

const rake = fields({
  dues: list(fields({ user_id: orNull(u64), tickets: u64, percent: number(100n), base: u64, due: u64 }), 100),
  due: u64, carry: u64, carried: list(fields({ seal: hash, cents: u64 })), taken: ids, change: list(u64, 256), net: u64, shortfall: u64,
});

const outcome = fields({
  deadline: orNull(u64),
  closed_by: one("items", "bank", "time", "manual", "sold_out", "few", "lonely", "too_long", "expired", "operator", "failure"),
  opened_ms: orNull(u64), tickets: u64,
  winners: list(fields({ user_id: u64, ticket: orNull(u64), share: u64 }), 100),
  eliminations: list(fields({ user_id: u64, value: number(2n ** 4096n) }), 64),
  rake: orNull(rake),
  payouts: list(fields({ user_id: u64, claim: u64, rows: ids, guarantees: ids, change: ids, credit: u64 })),
  house: ids,
  referral: list(fields({ user_id: u64, base: u64, inviters: ids, credits: list(u64, 20) }), 100),
  renew: orNull(fields({ value: hash, last: u64 })), void: orNull(said), failure: orNull(said),
});

/** Which proof it is shows by its fields. @type {Record<string, Kind>} */
const PROOFS = {
  "": fields({}),
  signature: fields({ signature: hex() }),
  "previous,signature": fields({ previous: hex(), signature: hex() }),
  "header,height": fields({ header: hex(80), height: text(9) }),
};

/** @type {Kind} */
const proof = (value, where) => {
  const parts = typeof value === "object" && value !== null && !Array.isArray(value) ? Object.keys(value).sort().join() : "no object";
  if (!Object.hasOwn(PROOFS, parts)) wrong(where, "is no proof that we know");
  PROOFS[parts](value, where);
};

const record = fields({
  format: one("lot2"), id: u64, room: name, mode: one(1n, 2n, 3n, 4n, 5n, 6n), time_start: orNull(u64), status: one(5n), bank: u64,
  winning_number: orNull(short), hash, salt: hash, winning_ticket: orNull(u64), items: list(item),
  players: list(fields({ user_id: u64, chance: short, is_winner: flag })), rules,
  chain: fields({ value: hash, last: u64 }), prev_seal: hash, guarantees: list(piece, 100), stock,
  log: fields({ start: hash, end: hash }),
  manual: list(fields({ digits: said, time_ms: u64, operator1: u64, operator2: u64, evidence: said }), 100),
  close, secret: orNull(hash), entropy: hex(), proof, final: orNull(hash), outcome, seal: hash,
});

/**
 * @param {any} value as `parse` gives it
 * @throws {Unreadable} naming the field
 */
export function check(value) {
  record(value, "record");
}

/** For tests: the rules alone. @param {any} value */
export function checkRules(value) {
  rules(value, "rules");
}
