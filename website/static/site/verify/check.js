// Everything that a sealed record claims, worked out again from the record itself: the same checks under the same names as
// `lottery verify`, in the same order, written a second time from record-format.md. Read the modules in the order of STORY.

import * as chain from "./chain.js";
import * as close from "./close.js";
import * as draw from "./draw.js";
import * as log from "./log.js";
import { Unreadable, parse } from "./numbers.js";
import * as payouts from "./payouts.js";
import * as rake from "./rake.js";
import { Lie, LIE, Report, UNREADABLE } from "./report.js";
import * as seal from "./seal.js";
import * as shape from "./shape.js";

const STORY = [chain.check, log.check, close.check, draw.check, rake.check, payouts.check, seal.check];

/** Checks of `lottery verify` that this page cannot make. */
export const BY_THE_PROGRAM_ONLY = ["follows the round before", "anchor", "receipt of a bet"];

/**
 * @typedef {object} Result
 * @property {"good"|"lie"|"unchecked"|"unreadable"} verdict
 * @property {import("./report.js").Check[]} checks in the order of the round; only the last one can have failed
 * @property {string[]} unchecked why the draw itself could not be checked here
 * @property {string[]} notProven what no record can prove
 * @property {string[]} byTheProgramOnly what only `lottery verify` checks
 * @property {string} room name of the lane, "" when there is no record
 * @property {string} round its number, "" when there is no record
 * @property {string} seal its seal, "" when there is no record
 */

/**
 * Check a record as it was published, byte for byte. It ends at the first lie.
 * @param {Uint8Array} bytes
 * @param {Iterable<string>} [trusted] hashes of drand chains, and blocks ("height:hash"), that the reader vouches for
 * @returns {Result}
 */
export function check(bytes, trusted = []) {
  let record;
  try {
    record = parse(bytes);
    shape.check(record);
  } catch (error) {
    if (error instanceof Unreadable) return nothing(error.message);
    throw error;
  }
  const report = new Report(new Set(trusted));
  walk(record, report);
  const { checks, unchecked, verdict } = report;
  const notProven = verdict === LIE ? [] : [...report.notProven, ...unproven(record)];
  const told = { room: record.room, round: String(record.id), seal: record.seal };
  return { verdict, checks, unchecked: verdict === LIE ? [] : unchecked, notProven, byTheProgramOnly: BY_THE_PROGRAM_ONLY, ...told };
}

/** @param {any} record @param {Report} report */
function walk(record, report) {
  try {
    for (const step of STORY) step(record, report);
  } catch (error) {
    if (!(error instanceof Lie)) throw error;
    if (report.verdict !== LIE) report.checks.push({ name: "record", value: error.message, holds: false });
  }
}

/** @param {string} why @returns {Result} */
function nothing(why) {
  const checks = [{ name: "record", value: why, holds: false }];
  return { verdict: UNREADABLE, checks, unchecked: [], notProven: [], byTheProgramOnly: [], room: "", round: "", seal: "" };
}

/** What stays open in this record, in words. @param {any} record @returns {string[]} */
function unproven(record) {
  const { outcome, rules, manual } = record;
  const found = [
    "that the close was public before its beacon: ask a witness who stored it",
    "that the items exist, are held for the players, and were worth their prices",
    "who stands behind a user: the house may bet too, and may refuse bets before the close",
    "that the chain hangs on the anchor that was published",
    "that the seal of the round before is the one that was published",
    "that no bet was left out: whoever bet has a receipt",
  ];
  if (rules.entropy === "none") found.push("that the house did not use the number: without a beacon it knows it from the start");
  if (manual.length) found.push("that the typed numbers are those of the recording: watch it");
  if (outcome.closed_by === "operator") found.push("that the round had to be void, and was before its end: that is the operator's word");
  const paid = (outcome.rake?.carried ?? []).map((/** @type {any} */ each) => each.seal);
  for (const each of paid.length ? rake.restsOf(record) : []) {
    if (paid.includes(each.seal)) found.push(`that user ${each.user_id} owed ${each.cents} from round ${each.round} of ${each.room}`);
  }
  if (outcome.referral.length) found.push("who invited whom, but that it was said before the draw");
  return found;
}
