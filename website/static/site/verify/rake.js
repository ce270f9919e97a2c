// The rake: the due by table, and the one choice of items that the rule allows (record-format.md, "rake").
//
// A set of sums is a table: for each sum the number of the first row with which the rows before it can make it. So "the first k
// rows can make v" is `first[v] <= k`, and no set has to be kept for each k.

import { drawn } from "./pot.js";
import { greater, lesser, sum } from "./report.js";
import { partsOf } from "./shares.js";

/** @typedef {{deposit: bigint, price: bigint}} Piece */
/** @typedef {{rows: Piece[], back: Piece[]}} Take rows that the house takes, and pieces of its stock that it hands back */

const SPINE_TRIES = 7;
const BASE_REST = 65_536n;
const ROWS_MAX = 256;
const SUMS_MAX = 1n << 24n;
const CHANGE_MAX = 65_535n;
const NEVER = 0xffff;

/** Exactly the rows were taken that the rule picks. @param {any} record @param {import("./report.js").Report} report @throws {Lie} */
export function check(record, report) {
  const rake = record.outcome.rake;
  if (record.rules.rake === null || !drawn(record)) return report.same("rake", rake, null, "none in this round");
  report.holds("rake", rake !== null, "by table", "missing");
  const dues = /** @type {{percent: bigint, base: bigint, due: bigint}[]} */ (dueList(record));
  report.same("rake: dues by table", rake.dues, dues, dues.map((each) => `${each.percent} % of ${each.base}`).join(", "));
  report.same("rake: due", rake.due, sum(dues.map((each) => each.due)));
  report.same("rake: carry of earlier rests", rake.carry, carry(record));
  if (record.rules.mode === "classic") checkChoice(record, report);
  else checkTaken(record, report);
  const carried = carriedOf(record);
  report.same("rake: collected of rests", rake.carried, carried, carried.map((each) => `${each.cents} of ${each.seal}`).join(", ") || "none");
  report.same("rake: shortfall", rake.shortfall, greater(0n, /** @type {bigint} */ (rake.due) - rake.net));
}

// ---- what is due

/** What each winner owes: the rate for that chance; in team games one due for all, at most what the losers staked. @param {any} record */
function dueList(record) {
  const { rules, outcome, pot, bank } = record;
  const users = outcome.winners.map((/** @type {any} */ each) => each.user_id);
  if (rules.mode === "teams") {
    const side = pot.rows.find((/** @type {any} */ row) => row.user === users[0]).team;
    const own = sum(pot.rows.filter((/** @type {any} */ row) => row.team === side).map((/** @type {any} */ row) => row.tickets));
    const staked = sum(users.map((/** @type {bigint} */ user) => pot.ticketsOf.get(user)));
    const one = oneDue(record, null, own, bank);
    return [{ ...one, due: lesser(one.due, bank - staked) }];
  }
  const bases = rules.mode === "pot" ? partsOf(record) : [bank];
  return users.map((/** @type {bigint} */ user, /** @type {number} */ place) => oneDue(record, user, pot.ticketsOf.get(user), bases[place]));
}

/** The first row of the table whose upper border the chance does not reach; a chance of 100 % is in the last row. @param {any} record @param {bigint|null} user @param {bigint} own @param {bigint} base */
function oneDue(record, user, own, base) {
  const table = record.rules.rake;
  const row = table.find((/** @type {bigint[]} */ [upper]) => 100n * own < upper * record.pot.tickets) ?? table[table.length - 1];
  return { user_id: user, tickets: own, percent: row[1], base, due: (base * row[1]) / 100n };
}

/** What the winner of a classic room still owed, as the close bound it. @param {any} record @returns {any[]} */
export function restsOf(record) {
  if (record.rules.mode !== "classic") return [];
  const winner = record.outcome.winners[0].user_id;
  return record.close.rests.filter((/** @type {any} */ each) => each.user_id === winner);
}

/** Rests that are asked for: not more than the due, and with it not more than a quarter of what the others staked. @param {any} record */
function carry(record) {
  const owed = sum(restsOf(record).map((each) => each.cents));
  const due = record.outcome.rake.due;
  if (owed === 0n) return 0n;
  const others = /** @type {bigint} */ (record.bank) - record.pot.valueOf.get(record.outcome.winners[0].user_id);
  return greater(0n, lesser(lesser(owed, due), others / 4n - due));
}

/** What came in above the due pays the rests, in the order in which they were bound. @param {any} record */
function carriedOf(record) {
  const rake = record.outcome.rake;
  let over = greater(0n, /** @type {bigint} */ (rake.net) - rake.due);
  const found = [];
  for (const { seal, cents } of restsOf(record)) {
    const part = lesser(over, cents);
    over -= part;
    if (part) found.push({ seal, cents: part });
  }
  return found;
}

// ---- what is taken

/** Classic: choose again, by the rule; the record must have chosen the same rows, and the same change. @param {any} record @param {any} report */
function checkChoice(record, report) {
  const rake = record.outcome.rake;
  const target = rake.due + rake.carry;
  const take = choose(record, target);
  const net = worth(take.rows) - worth(take.back);
  report.same("rake: rows taken", rake.taken, deposits(take.rows), listed(take.rows));
  report.same("rake: change from the house", rake.change, ascending(deposits(take.back)), listed(take.back));
  report.same("rake: net", rake.net, net);
  report.holds("rake: not above the due", 0n <= net && net <= target, `${net} of ${target}`, `${net} is above ${target}`);
}

/** Teams and pots: rows of those who did not win, at most the due; claims and change make up the rest to the cent. @param {any} record @param {any} report */
function checkTaken(record, report) {
  const rake = record.outcome.rake;
  const take = nearest(pools(record).others, rake.due);
  report.same("rake: rows taken", rake.taken, deposits(take), listed(take));
  const change = ascending(record.outcome.payouts.flatMap((/** @type {any} */ each) => each.change));
  report.same("rake: change from the house", rake.change, change, `${change.length} rows`);
  report.same("rake: net", rake.net, rake.due);
}

/** Rows of value in preference order: priority items first, then dearest first; those of others, and all. @param {any} record */
function pools(record) {
  const winners = new Set(record.outcome.winners.map((/** @type {any} */ each) => each.user_id));
  const first = new Set(record.rules.priority_items);
  const valued = record.pot.dearestFirst.filter((/** @type {any} */ row) => row.price > 0n);
  const all = [...valued.filter((/** @type {any} */ row) => first.has(row.item)), ...valued.filter((/** @type {any} */ row) => !first.has(row.item))];
  return { others: all.filter((row) => !winners.has(row.user)), all };
}

/** Rows of others first; the whole pot only if those do not make the target; else the best below it. @param {any} record @param {bigint} target @returns {Take} */
export function choose(record, target) {
  const { others, all } = pools(record);
  const stock = stockOf(record).sort((one, other) => (one.deposit < other.deposit ? -1 : 1));
  for (const pool of [others, all]) {
    const rows = exactly(pool, target);
    const take = rows ? { rows, back: [] } : withChange(pool, target, stock, changeMax(record));
    if (take) return take;
  }
  const [below, belowWhole] = [atMost(others, target), atMost(all, target)];
  return { rows: worth(belowWhole) > worth(below) ? belowWhole : below, back: [] };
}

/** Rows that make the target to the cent, or else as near below it as they come. @param {Piece[]} pool @param {bigint} target */
export const nearest = (pool, target) => exactly(pool, target) ?? atMost(pool, target);

/** The house's stock for change. @param {any} record @returns {Piece[]} */
export const stockOf = (record) => record.stock.map((/** @type {any} */ each) => ({ deposit: each.deposit_id, price: each.price }));

/** How much may be handed back for one row that is too dear: a sum, or a part of the pot if that is more. @param {any} record */
export const changeMax = ({ rules, bank }) =>
  lesser(CHANGE_MAX, greater(rules.rake_change_max, (/** @type {bigint} */ (bank) * (rules.rake_change_max_bp ?? 0n)) / 10_000n));

/** The beginnings of the greedy spine that are kept, longest first; the base is among them, and the last one. @param {Piece[]} pool @param {bigint} target @returns {Piece[][]} */
function tries(pool, target) {
  /** @type {Piece[]} */
  const spine = [];
  let rest = target;
  let base = 0;
  for (const row of pool) {
    if (row.price > rest) continue;
    if (rest >= BASE_REST) base += 1;
    rest -= row.price;
    spine.push(row);
  }
  const lengths = [];
  for (let length = spine.length; length >= base && lengths.length < SPINE_TRIES; length--) lengths.push(length);
  if (!lengths.includes(base)) lengths.push(base);
  return lengths.map((length) => spine.slice(0, length));
}

/** Keep some of the spine, and make up the rest to the cent. @param {Piece[]} pool @param {bigint} target @returns {Piece[]|null} */
function exactly(pool, target) {
  for (const kept of tries(pool, target)) {
    const rest = target - worth(kept);
    if (rest >= BASE_REST) continue; // no row fits it, and nobody could list its sums
    const sums = new Sums(fitting(pool, kept, rest), rest);
    if (sums.has(rest)) return [...kept, ...sums.rowsOf(rest)];
  }
  return null;
}

/** Take a little more than the rest, and hand the difference back from the house's stock, to the cent. @param {Piece[]} pool @param {bigint} target @param {Piece[]} stock @param {bigint} most @returns {Take|null} */
function withChange(pool, target, stock, most) {
  const small = stock.filter((each) => each.price > 0n && each.price <= most);
  if (small.length === 0) return null;
  const house = new Sums(small, most);
  for (const kept of tries(pool, target)) {
    const rest = target - worth(kept);
    const found = rest >= BASE_REST ? oneDearRow(without(pool, kept), rest, house) : someRows(fitting(pool, kept, rest + most), rest, most, house);
    if (found) return { rows: [...kept, ...found.rows], back: found.back };
  }
  return null;
}

/** The least sum not below the rest for whose excess there is change. @param {Piece[]} rows @param {bigint} rest @param {bigint} most @param {Sums} house @returns {Take|null} */
function someRows(rows, rest, most, house) {
  const sums = new Sums(rows, rest + most);
  for (let back = 0n; back <= most; back++) {
    if (sums.has(rest + back) && house.has(back)) return { rows: sums.rowsOf(rest + back), back: house.rowsOf(back) };
  }
  return null;
}

/** A rest too large for a set of sums, which no row fits: the cheapest row above it for which there is change. @param {Piece[]} rows @param {bigint} rest @param {Sums} house @returns {Take|null} */
function oneDearRow(rows, rest, house) {
  const able = rows.filter((row) => row.price > rest && house.has(row.price - rest));
  if (able.length === 0) return null;
  const cheapest = able.reduce((found, row) => (row.price < found.price ? row : found));
  return { rows: [cheapest], back: house.rowsOf(cheapest.price - rest) };
}

/** The greatest sum that does not pass the target and that the base try finds, or the whole spine where that is more. @param {Piece[]} pool @param {bigint} target */
function atMost(pool, target) {
  const beginnings = tries(pool, target);
  const spine = beginnings[0];
  const kept = beginnings[beginnings.length - 1];
  const rest = target - worth(kept);
  if (rest >= BASE_REST) return worth(spine) > worth(kept) ? spine : kept;
  const sums = new Sums(fitting(pool, kept, rest), rest);
  let best = rest;
  while (!sums.has(best)) best -= 1n;
  return worth(spine) > worth(kept) + best ? spine : [...kept, ...sums.rowsOf(best)];
}

/** @param {Piece[]} pool @param {Piece[]} kept */
function without(pool, kept) {
  const gone = new Set(deposits(kept));
  return pool.filter((row) => !gone.has(row.deposit));
}

/** The other rows of the pool that are not too dear; so many that nobody waits for them. @param {Piece[]} pool @param {Piece[]} kept @param {bigint} most */
function fitting(pool, kept, most) {
  const longest = Math.min(ROWS_MAX, Number(SUMS_MAX / (most + 1n)));
  return without(pool, kept).filter((row) => row.price <= most).slice(0, longest);
}

/** All sums up to a limit that some of the rows can make. */
class Sums {
  /** @param {Piece[]} rows @param {bigint} most below 2^18 */
  constructor(rows, most) {
    this.rows = rows;
    this.first = new Uint16Array(Number(most) + 1).fill(NEVER);
    this.first[0] = 0;
    let all = 0;
    rows.forEach((row, place) => {
      const price = Number(row.price);
      all = Math.min(all + price, Number(most));
      for (let total = all; total >= price; total--) {
        if (this.first[total] === NEVER && this.first[total - price] <= place) this.first[total] = place + 1;
      }
    });
  }

  /** @param {bigint} total */
  has(total) {
    return total >= 0n && total < BigInt(this.first.length) && this.first[Number(total)] !== NEVER;
  }

  /** Walk back from the last row: leave each one without which the sum can be made as well. @param {bigint} total @returns {Piece[]} */
  rowsOf(total) {
    const taken = [];
    let left = Number(total);
    for (let count = this.rows.length; count > 0; count--) {
      if (this.first[left] <= count - 1) continue;
      taken.unshift(this.rows[count - 1]);
      left -= Number(this.rows[count - 1].price);
    }
    return taken;
  }
}

/** @param {Piece[]} rows */
export const worth = (rows) => sum(rows.map((row) => row.price));
/** @param {Piece[]} rows */
export const deposits = (rows) => rows.map((row) => row.deposit);
/** @param {bigint[]} values */
export const ascending = (values) => [...values].sort((one, other) => (one < other ? -1 : one > other ? 1 : 0));
/** @param {Piece[]} rows */
const listed = (rows) => (rows.length ? `${rows.length} rows worth ${worth(rows)}` : "none");
