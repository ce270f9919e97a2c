// Rules that make sense: nothing in them contradicts itself, is ignored by a game, or leaves its outcome open
// (record-format.md, section 4). The rules were bound before the first bet; what is refused here no honest house plays.

import { U32, U64, sha256, utf8 } from "./encoding.js";
import { need, rising, sum, different } from "./report.js";

export const NONE = 0n;
export const DRAND = 1n;
export const BLOCK = 2n;
export const MIXED = 3n;
export const DIRECT = 4n;
const KEY_BYTES = new Map([["pedersen-bls-chained", 48], ["pedersen-bls-unchained", 48], ["bls-unchained-g1-rfc9380", 96]]);
const TICKETS_MAX = 10n ** 18n - 1n;
const CHANGE_MAX = 65_535n;

/** @param {any} rules @returns {string} in words @throws {Lie} */
export function sense(rules) {
  limits(rules);
  clock(rules);
  entropy(rules);
  rake(rules);
  shares(rules);
  if (rules.mode === "teams") teams(rules);
  else need(rules.ranges === null && rules.team_limit === null, "teams belong to team games only");
  if (rules.mode === "raffle") raffle(rules);
  else need(rules.raffle === null && rules.tickets !== "bought", "tickets are bought in raffles only");
  const ends = [rules.item_limit_max, rules.global_pot_limit, rules.time_limit, rules.raffle];
  need(ends.some((each) => each !== null), "nothing would ever end a round");
  return `${rules.name}: ${rules.mode}, entropy ${rules.entropy}`;
}

/** @param {any} rules */
function limits(rules) {
  for (const name of ["item_limit_max", "bet_item_limit_max", "global_pot_limit", "team_limit", "player_limit", "min_players"]) {
    need(rules[name] !== 0n, `${name} is 0`);
  }
  const pairs = [["bet_value_min", "bet_value_max"], ["bet_item_limit_max", "item_limit_max"], ["min_players", "item_limit_max"]];
  for (const [low, high] of pairs) {
    need(rules[low] === null || rules[high] === null || rules[low] <= rules[high], `${low} is above ${high}`);
  }
  need(rules.name !== "", "the room has no name");
  need(rules.allowed_items === null || rules.allowed_items.length > 0, "no item is allowed");
  need(rules.referral_percent <= 40n, "inviters could get more than the rake");
}

/** @param {any} rules */
function clock(rules) {
  need(rules.time_enable === (rules.time_limit !== null && rules.time_limit > 0n), "a clock without a limit, or a limit without a clock");
  need(rules.time_limit === null || rules.time_enable, "a limit without a clock");
  need(rules.player_limit === null || rules.time_enable, "players that start no clock");
  need(rules.lonely_void_s === null || (rules.lonely_void_s >= 1n && rules.min_players > 1n), "one player is enough, yet may not stay alone");
  need(rules.open_max_s === null || rules.open_max_s >= 3_600n, "a round may not be open long enough to be played");
}

/** @param {any} rules */
function entropy(rules) {
  const { mode, network } = entropyMode(rules.entropy);
  need(mode !== null, `${rules.entropy} is no mode of entropy`);
  need((mode !== MIXED && mode !== DIRECT) || rules.mode === "pot", "numbers are typed for the Global Pot only");
  need(mode === NONE || mode === DIRECT || rules.entropy_margin_s >= 3n, "the beacon may be known before the close is public");
  const byHash = network !== null && network !== "quicknet" && network !== "default";
  const terms = rules.beacon;
  need(byHash === (terms !== null), "a chain is named by its hash and its terms together, or by neither");
  if (terms === null) return;
  need(terms.public_key.length === 2 * (KEY_BYTES.get(terms.scheme) ?? 0), "the key does not fit the scheme");
  need(terms.period >= 1n && terms.beacon_id !== "", "the chain has no period, or no id");
  need(chainHash(terms) === network, "key, period and genesis do not give the hash of the chain");
}

/** The number of a mode, and the network that it waits for. @param {string} name @returns {{mode: bigint|null, network: string|null}} */
export function entropyMode(name) {
  if (name === "none") return { mode: NONE, network: null };
  if (name === "block:bitcoin") return { mode: BLOCK, network: null };
  if (name === "manual:direct") return { mode: DIRECT, network: null };
  const found = /^(drand|manual:mixed):(quicknet|default|[0-9a-f]{64})$/.exec(name);
  if (!found) return { mode: null, network: null };
  return { mode: found[1] === "drand" ? DRAND : MIXED, network: found[2] };
}

/** What drand calls a chain: the hash of period, genesis, key, group and, unless it is "default", id. @param {any} terms */
export function chainHash(terms) {
  const id = terms.beacon_id === "default" ? "" : utf8(terms.beacon_id);
  return sha256(U32(terms.period), U64(terms.genesis), terms.public_key, terms.group_hash, id);
}

/** @param {any} rules */
function rake(rules) {
  if (rules.rake !== null) {
    need(["classic", "teams", "pot"].includes(rules.mode), "a rake table in a room that pays no rake");
    const uppers = [0n, ...rules.rake.map((/** @type {bigint[]} */ row) => row[0])];
    need(rising(uppers) && different(uppers) && uppers[uppers.length - 1] === 100n, "the rake table does not rise to 100");
  }
  need(!rules.rake_carry || (rules.mode === "classic" && rules.rake !== null), "rests of a rake that is not collected");
  need(rules.rake_change_max <= CHANGE_MAX, "the house may hand back more than anybody can check");
  need((rules.rake_change_max_bp ?? 0n) <= 10_000n, "the house may hand back more than the pot");
}

/** @param {any} rules */
function shares(rules) {
  const several = rules.mode === "sitngo" || rules.mode === "pot";
  need((rules.shares !== null) === several, "shares belong to rooms with several winners, and only there");
  if (several) need(rules.shares.length > 0 && rules.shares.every((/** @type {bigint} */ each) => each > 0n), "a share of nothing");
  if (rules.mode === "sitngo") {
    need(rules.tickets === "item", "a Sit-n-Go shares items, and gives a ticket for each");
    need(sum(rules.shares) <= (rules.item_limit_max ?? 0n), "more is shared than the pot can hold");
  }
}

/** @param {any} rules */
function teams(rules) {
  need(rules.ranges !== null && rules.team_limit !== null, "a team game without teams");
  const both = 2n * rules.team_limit;
  need(rules.player_limit === both && rules.min_players === both, "the players are not two teams");
  need(rules.time_enable && rules.tickets === "cent", "a team game has a clock, and a ticket for each cent");
}

/** @param {any} rules */
function raffle(rules) {
  const terms = rules.raffle;
  need(terms !== null && rules.tickets === "bought", "a raffle without its terms");
  need(terms.prize !== "" && terms.tickets > 0n && terms.ticket_price > 0n, "a raffle of nothing");
  const full = terms.price + terms.commission;
  need(terms.ticket_price === (full + terms.tickets - 1n) / terms.tickets, "the ticket price does not follow from the template");
  need(terms.tickets * terms.ticket_price <= TICKETS_MAX, "the tickets bring more than can be counted");
  for (const name of ["item_limit_max", "bet_item_limit_max", "bet_value_min", "bet_value_max", "allowed_items", "player_limit"]) {
    need(rules[name] === null, `${name} limits bets, and a raffle sells tickets`);
  }
  need(rules.global_pot_limit === null && rules.min_players === 1n, "a raffle ends when its tickets are sold");
}
