// A receipt against a record: the bet that was taken stands there, and nothing else is taken for it.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { itemLog } from "../../static/site/verify/log.js";
import { parse } from "../../static/site/verify/numbers.js";
import { Pot } from "../../static/site/verify/pot.js";
import { misfit } from "../../static/site/verify/receipt.js";

const EXAMPLES = new URL("../../../lottery_core/examples/", import.meta.url);
const bytes = readFileSync(new URL("classic-unlimited.json", EXAMPLES));

/** The receipt of a bet of that record, as the core gives it out. @param {bigint} bet */
function receiptOf(bet) {
  const record = parse(bytes), { rows } = new Pot(record), own = rows.filter((row) => row.bet === bet);
  let log = record.log.start;
  const logs = rows.map((row) => (log = itemLog(log, row)));
  const items = own.map(({ item, deposit, price, first, tickets }) => (
    { deposit_id: Number(deposit), first_ticket: Number(first), item_id: Number(item), price: Number(price), tickets: Number(tickets) }
  ));
  const number = own[0].place + 1;
  return {
    bet: Number(bet), format: "lot2.receipt", hash: record.hash, items, log_start: record.log.start,
    logs: logs.slice(number - 1, number - 1 + own.length), number, room: record.room, round: Number(record.id), user_id: Number(own[0].user),
  };
}

const said = (/** @type {object} */ receipt, record = bytes) => misfit(JSON.stringify(receipt), record);

test("every bet of a record fits its own receipt", () => {
  const bets = new Set(new Pot(parse(bytes)).rows.map((row) => row.bet));
  for (const bet of bets) assert.equal(said(receiptOf(bet)), "");
});

test("a bet that was changed, moved, left out or is of another round does not fit", () => {
  const good = receiptOf(2n), [first, ...rest] = good.items;
  const spoiled = [
    { ...good, items: [{ ...first, price: first.price + 1 }, ...rest] }, { ...good, items: rest }, { ...good, number: good.number + 1 },
    { ...good, user_id: good.user_id + 1 }, { ...good, logs: good.logs.map(() => "00".repeat(32)) }, { ...good, bet: 999 },
    { ...good, round: good.round + 1 }, { ...good, hash: "00".repeat(32) }, { ...good, log_start: "00".repeat(32) },
  ];
  for (const each of spoiled) assert.notEqual(said(each), "");
  assert.match(said(good, readFileSync(new URL("classic-limited.json", EXAMPLES))), /another round/);
  assert.match(said(good, new Uint8Array([1, 2])), /cannot be read/);
  assert.match(misfit("no receipt", bytes), /cannot be read/);
});
