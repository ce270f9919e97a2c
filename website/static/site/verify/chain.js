// Before the game: the secret is the next one of its chain, and everything that decides the round was bound with it.

import { JSON_OF, S, TAG, U64, U8, ZERO_HASH, sha256 } from "./encoding.js";
import { different, need } from "./report.js";
import { sense } from "./rules.js";

const MODES = new Map([["classic", 1n], ["sitngo", 2n], ["teams", 3n], ["pot", 4n], ["giveaway", 5n], ["raffle", 6n]]);
const PRICE_MAX = 10n ** 18n - 1n;

/** The value before a secret on its chain. @param {string} lane @param {string} secret */
export const chainStep = (lane, secret) => sha256(TAG("lot2.chain"), S(lane), secret);

/** @param {string} lane @param {bigint} round @param {string} before */
export const saltOf = (lane, round, before) => sha256(TAG("lot2.salt"), S(lane), U64(round), before);

/** @param {string} lane @param {bigint} round @param {string} salt @param {string} secret */
export const commitment = (lane, round, salt, secret) => sha256(TAG("lot2.commit"), S(lane), U64(round), salt, secret);

/** @param {any} rules */
export const rulesHash = (rules) => sha256(TAG("lot2.rules"), JSON_OF(rules));

/** @param {any[]} guarantees @param {any[]} stock */
export const houseHash = (guarantees, stock) => sha256(TAG("lot2.house"), JSON_OF({ guarantees, stock }));

/** The first value of the log: whatever decides who gets what, and is fixed before the first bet. @param {any} record */
export function logStart(record) {
  const start = record.time_start;
  const began = start === null ? U8(0) : U8(1) + U64(start);
  const chain = record.chain.value + U64(record.chain.last);
  const bound = record.hash + rulesHash(record.rules) + record.prev_seal + chain + houseHash(record.guarantees, record.stock);
  return sha256(TAG("lot2.open"), S(record.room), U64(record.id), bound, began);
}

/** @param {any} record @param {import("./report.js").Report} report @throws {Lie} */
export function check(record, report) {
  const { room, id, secret, chain, rules } = record;
  report.holds("chain: place", 1n <= id && id <= chain.last, `up to ${chain.last}`, "no round of this chain");
  report.holds("chain: lane", room !== "", room, "the lane has no name");
  report.same("salt", record.salt, saltOf(room, id, chain.value));
  if (secret !== null) {
    report.same("chain: value before the secret", chain.value, chainStep(room, secret));
    report.same("commitment", record.hash, commitment(room, id, record.salt, secret));
  }
  report.same("rules: mode", record.mode, MODES.get(rules.mode), rules.mode);
  report.rule("rules: sense", () => sense(rules));
  report.rule("pieces of the house", () => pieces(record));
  if (id === 1n) report.same("previous seal of the first round", record.prev_seal, ZERO_HASH);
  report.same("log start: rules, pieces, chain and beginning", record.log.start, logStart(record));
}

/** A giveaway or a raffle has the one prize that it is about; change is for rooms with a rake. @param {any} record @throws {Lie} */
function pieces({ rules, guarantees, stock }) {
  need(!["giveaway", "raffle"].includes(rules.mode) || guarantees.length === 1, `${guarantees.length} prizes in a ${rules.mode}`);
  need(stock.length === 0 || rules.rake !== null, "a stock for change in a room without a rake");
  const all = [...guarantees, ...stock];
  need(different(all.map((each) => each.deposit_id)), "a piece of the house stands twice");
  need(all.every((each) => each.price <= PRICE_MAX), "a piece of the house beyond all prices");
  return `${guarantees.length} guarantees, ${stock.length} for change`;
}
