// How winners share a pot: rows in a Sit-n-Go, value in a Global Pot.

import { sum } from "./report.js";

/** Global Pot: the bank by the shares of those drawn; cents that do not divide go to the first. @param {any} record @returns {bigint[]} */
export const partsOf = ({ bank, outcome }) => byShares(bank, outcome.winners.map((/** @type {any} */ each) => each.share), 0);

/** Sit-n-Go: shares that nobody won go to the winners in proportion to their own, what does not divide to the first. @param {bigint[]} shares @param {number} winners @returns {bigint[]} */
export function rowCounts(shares, winners) {
  const won = shares.slice(0, winners);
  const extra = byShares(sum(shares.slice(winners)), won, 0);
  return won.map((share, place) => share + extra[place]);
}

/** An amount in proportion to shares, floored; what does not divide goes to the one at `odd`. @param {bigint} amount @param {bigint[]} shares @param {number} odd @returns {bigint[]} */
export function byShares(amount, shares, odd) {
  const all = sum(shares);
  const parts = shares.map((share) => (amount * share) / all);
  parts[odd] += amount - sum(parts);
  return parts;
}
