// 5v5: somebody leaves per draw until one team is empty.

/** @typedef {{user: bigint, side: bigint, bet: bigint}} Seat */

/**
 * Who stayed, and who left with which value.
 * @param {any} record
 * @param {(key: string, below: bigint, label: string, index: number) => bigint} uniform
 */
export function survivors(record, uniform) {
  let living = seats(record.pot);
  const everyone = living.reduce((found, each) => leastCommonMultiple(found, each.bet), 1n);
  const gone = [];
  while (new Set(living.map((each) => each.side)).size === 2) {
    const weights = leavingWeights(record.rules.ranges, living, everyone);
    const value = uniform(record.final, weights.reduce((total, each) => total + each, 0n), "elim", gone.length);
    const leaver = ownerOf(living, weights, value);
    living = living.filter((each) => each !== leaver);
    gone.push({ user_id: leaver.user, value });
  }
  return { stayed: living.map((each) => ({ user_id: each.user, ticket: null, share: each.bet })), gone };
}

/** CT in the order of first bets, and then T. @param {import("./pot.js").Pot} pot @returns {Seat[]} */
function seats(pot) {
  const sideOf = new Map(pot.rows.map((row) => [row.user, row.team]));
  const all = [...pot.ticketsOf].map(([user, bet]) => ({ user, side: /** @type {bigint} */ (sideOf.get(user)), bet }));
  return [...all.filter((each) => each.side === 1n), ...all.filter((each) => each.side === 2n)];
}

/** How likely each of the living is to leave: `complement` makes the game fair, `inverse` is one over the bet. @param {string} ranges @param {Seat[]} living @param {bigint} everyone a multiple of all bets */
function leavingWeights(ranges, living, everyone) {
  if (ranges === "inverse") return living.map((each) => everyone / each.bet);
  const total = living.reduce((found, each) => found + each.bet, 0n);
  return living.map((each) => total - each.bet);
}

/** Walk over the ranges in the order of seats to the one that holds a place. @param {Seat[]} living @param {bigint[]} weights @param {bigint} place @returns {Seat} */
function ownerOf(living, weights, place) {
  for (const [index, seat] of living.entries()) {
    if (place < weights[index]) return seat;
    place -= weights[index];
  }
  throw new Error("a draw beyond the last weight");
}

/** @param {bigint} one @param {bigint} other @returns {bigint} */
function leastCommonMultiple(one, other) {
  let [large, small] = [one, other];
  while (small) [large, small] = [small, large % small];
  return (one / large) * other;
}
