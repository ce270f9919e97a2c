// Credits to inviters: each level gets its percent of the level before, out of what the house collected from that winner.

import { canonical } from "./numbers.js";
import { drawn } from "./pot.js";
import { need, sum } from "./report.js";
import { rowCounts } from "./shares.js";

const LEVELS_MAX = 20;

/** @param {any} record @returns {string} in words @throws {Lie} */
export function check(record) {
  const { outcome, rules, close } = record;
  const claimed = outcome.referral;
  const due = [];
  for (const { user, base } of drawn(record) ? bases(record) : []) {
    const above = close.inviters.find((/** @type {any} */ each) => each.user_id === user)?.inviters;
    if (base > 0n && above) due.push({ user_id: user, base, inviters: above, credits: levels(base, rules.referral_percent, above.length) });
  }
  due.slice(0, claimed.length).forEach((found, place) => {
    need(canonical(claimed[place]) === canonical(found), `the credits of user ${found.user_id} are ${canonical(found)}, not ${canonical(claimed[place])}`);
  });
  need(claimed.length === due.length, `${due.length} winners were invited by somebody`);
  return `${sum(due.flatMap((each) => each.credits))} cents to inviters`;
}

/** From the nearest inviter outwards, until nothing is left to give. @param {bigint} base @param {bigint} percent @param {number} inviters */
function levels(base, percent, inviters) {
  const found = [];
  let credit = (base * percent) / 100n;
  while (credit > 0n && found.length < Math.min(inviters, LEVELS_MAX)) {
    found.push(credit);
    credit = (credit * percent) / 100n;
  }
  return found;
}

/** What the house collected from each winner. @param {any} record @returns {{user: bigint, base: bigint}[]} */
function bases({ outcome, rules, pot }) {
  const { winners, rake } = outcome;
  const shares = winners.map((/** @type {any} */ each) => each.share);
  let collected = winners.map(() => 0n);
  if (rules.mode === "sitngo") {
    const house = sum(outcome.house.map((/** @type {bigint} */ each) => pot.priceOf.get(each)));
    const counts = rowCounts(rules.shares, winners.length);
    collected = counts.map((count) => (house * count) / sum(counts));
  } else if (rake && rules.mode === "classic") {
    collected = [rake.net];
  } else if (rake && rules.mode === "pot") {
    collected = rake.dues.map((/** @type {any} */ each) => each.due);
  } else if (rake && rules.mode === "teams") {
    collected = shares.map((/** @type {bigint} */ bet) => (rake.due * bet) / sum(shares));
  }
  return winners.map((/** @type {any} */ each, /** @type {number} */ place) => ({ user: each.user_id, base: collected[place] }));
}
