// The recipe's own vectors (lottery_core/tests/vectors.json), which were made with hashlib alone.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { roundAfter, timeOf, KNOWN } from "../../static/site/verify/beacon.js";
import { chainStep, commitment, houseHash, logStart, rulesHash, saltOf } from "../../static/site/verify/chain.js";
import { closeHash } from "../../static/site/verify/close.js";
import { accepted, decimal, draw, finalValue, finalWithoutEntropy, uniform, word } from "../../static/site/verify/draw.js";
import { integer } from "../../static/site/verify/encoding.js";
import { itemLog } from "../../static/site/verify/log.js";
import { canonical, parse } from "../../static/site/verify/numbers.js";
import { sealOf } from "../../static/site/verify/seal.js";

const FOLDER = new URL("../../../lottery_core/tests/", import.meta.url);
const bytes = (text) => new TextEncoder().encode(text);
const exact = (value) => JSON.parse(JSON.stringify(value), (_, each) => (typeof each === "number" ? BigInt(each) : each));
const V = exact(JSON.parse(readFileSync(new URL("vectors.json", FOLDER), "utf8")));
const { V01_chain: chain, V02_commit: commit, V03_log: log, V04_close: close, V05_result: result } = V;
const QUICKNET = KNOWN.quicknet;

/** The log's values after each item, and the tickets. */
function logOf(items) {
  const values = [log.log[0]];
  let first = 0n;
  items.forEach(([bet, user, item, deposit, price, team, seed], place) => {
    const row = { place, bet, user, item, deposit, price, first, tickets: price, team, time: log.times[place], seed };
    values.push(itemLog(values[place], row));
    first += price;
  });
  return { values, tickets: first };
}

const closed = (tickets) => ({
  items: BigInt(log.items.length), tickets, close_ms: close.close_ms, mode: 1n, source: QUICKNET.hash,
  source_round: close.drand_round, stock: log.stock, inviters: close.inviters, rests: [],
});

test("V01, V02 chain, salt and commitment", () => {
  assert.deepEqual([chainStep(chain.room, chain.s3), chainStep(chain.room, chain.s2), chainStep(chain.room, chain.s1)], [chain.s2, chain.s1, chain.anchor_s0]);
  assert.equal(saltOf(commit.room, commit.round, chain.anchor_s0), commit.salt);
  assert.equal(commitment(commit.room, commit.round, commit.salt, commit.secret), commit.hash);
});

test("V03 rules, pieces of the house, start of the log and every value of it", () => {
  const rules = parse(bytes(log.rules_json));
  assert.equal(rulesHash(rules), log.rules_hash);
  assert.equal(houseHash(log.guarantees, log.stock), log.house_hash);
  const record = {
    room: commit.room, id: 1n, hash: commit.hash, rules, prev_seal: log.prev_seal, chain: { value: chain.anchor_s0, last: log.chain_last },
    guarantees: log.guarantees, stock: log.stock, time_start: log.time_start,
  };
  assert.equal(logStart(record), log.log[0]);
  assert.equal(logStart({ ...record, time_start: null }), log.start_of_a_game_that_never_began);
  assert.deepEqual(logOf(log.items), { values: log.log, tickets: log.tickets });
});

test("V04 which beacon decides, and the hash of the close", () => {
  const round = roundAfter(QUICKNET, close.close_ms / 1000n + close.margin_s);
  assert.deepEqual([round, timeOf(QUICKNET, round)], [close.drand_round, close.drand_time]);
  assert.equal(closeHash(log.log.at(-1), closed(log.tickets)), close.close_hash);
});

test("V05 final value, number, ticket and seal", () => {
  assert.equal(finalValue(chain.s1, close.close_hash, commit.salt, result.entropy), result.final);
  assert.equal(finalWithoutEntropy(chain.s1, chain.room, 1n, commit.salt), result.final_without_entropy);
  const drawn = draw(result.final, result.tickets, "winner", 0);
  assert.equal(drawn.word, integer(result.N));
  assert.equal(drawn.result, result.winning_ticket);
  assert.equal(decimal(drawn.word), result.winning_number);
  const outcome = { ...parse(bytes(result.outcome_json)), failure: null };
  const told = { prev_seal: log.prev_seal, close: { hash: close.close_hash }, secret: chain.s1, salt: commit.salt, entropy: result.entropy };
  assert.notEqual(sealOf({ ...told, outcome }), result.seal, "the vector's outcome has no field `failure`");
  delete outcome.failure;
  assert.equal(canonical(outcome), result.outcome_json);
  const plain = Object.assign(Object.create({ failure: null }), outcome);
  assert.equal(sealOf({ ...told, outcome: plain }), result.seal);
  const failed = Object.assign(Object.create({ failure: "gone" }), outcome);
  assert.equal(sealOf({ ...told, entropy: "", outcome: failed }), result.failure_seal);
});

test("V06 the decimal number gives the ticket at every border", () => {
  const tickets = V.V06_seed_example.tickets;
  const ticketOf = (text) => (BigInt(text.slice(2).padEnd(96, "0")) * tickets) / 10n ** 96n;
  assert.equal(ticketOf(V.V06_seed_example.winning_number), V.V06_seed_example.winning_ticket);
  assert.equal(ticketOf(V.V06_seed_example.trap), V.V06_seed_example.trap_ticket_exact);
  for (let ticket = 0n; ticket < 200n; ticket++) {
    const first = ((ticket << 256n) + 199n) / 200n;
    const last = (((ticket + 1n) << 256n) - 1n) / 200n;
    const own = (number) => (BigInt(decimal(number).slice(2)) * 200n) / 10n ** 96n;
    assert.deepEqual([own(first), own(last)], [ticket, ticket]);
  }
});

test("V07 words that would make low results likelier are rejected", () => {
  for (const [name, [results, rejected]] of Object.entries(V.V07_reject8).filter(([each]) => each !== "stream_n200")) {
    const below = BigInt(name.slice(1));
    const all = Array.from({ length: 256 }, (_, value) => accepted(below, 8n, BigInt(value)));
    assert.equal(BigInt(all.filter((each) => each === null).length), rejected);
    const counts = new Set(Array.from({ length: Number(below) }, (_, each) => BigInt(all.filter((one) => one === BigInt(each)).length)));
    assert.deepEqual(counts, new Set(results));
  }
  const stream = V.V07_reject8.stream_n200.map((_, index) => {
    for (let attempt = 0; ; attempt++) {
      const found = accepted(200n, 8n, integer(word(result.final, "t8", index, attempt, 0).slice(0, 2)));
      if (found !== null) return [found, BigInt(attempt)];
    }
  });
  assert.deepEqual(stream, V.V07_reject8.stream_n200);
});

test("V08 three winners of ten tickets", () => {
  const left = Array.from({ length: 10 }, (_, ticket) => BigInt(ticket));
  for (const [index, winner] of V.V08_sng.winners.entries()) {
    const place = uniform(V.V08_sng.final, BigInt(left.length), "winner", index);
    assert.deepEqual(left.splice(Number(place), 1), [winner.ticket]);
  }
});

test("V13 one cent more, and everything is another", () => {
  const dearer = log.items.map((item, place) => (place === log.items.length - 1 ? item.with(4, item[4] + 1n) : item));
  const { values, tickets } = logOf(dearer);
  const hash = closeHash(values.at(-1), closed(tickets));
  assert.equal(hash, V.V13_tamper.close);
  assert.equal(finalValue(chain.s1, hash, commit.salt, result.entropy), V.V13_tamper.final);
});
