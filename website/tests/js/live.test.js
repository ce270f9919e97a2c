// Pure parts of the scripts that keep a page up to date: amounts as the server writes them, the ruler, the picker, both languages.

import assert from "node:assert/strict";
import test from "node:test";

import { cents, edge, exactly, grouped, left, perCent, short, stretches, ticks } from "../../static/site/format.js";
import { amount, upTo } from "../../static/site/picker.js";
import { all } from "../../static/site/words.js";

test("both languages have the same sentences with the same places", () => {
  assert.deepEqual(Object.keys(all.ru), Object.keys(all.en));
  for (const [name, text] of Object.entries(all.en))
    assert.deepEqual(all.ru[name].match(/\{\w+\}/g)?.sort(), text.match(/\{\w+\}/g)?.sort(), name);
});

test("amounts, shares and times are written as the server writes them", () => {
  assert.deepEqual([cents(123456789, "en"), cents(-5, "en"), cents(123456, "ru")], ["1,234,567.89", "\u22120.05", "1\u00a0234,56"]);
  assert.equal(perCent(137n, 1250n, "en"), "10.96\u202f%");
  assert.equal(perCent(1n, 20000n, "en"), "0.00\u202f%"); // half to even
  assert.equal(perCent(3n, 20000n, "ru"), "0,02\u202f%");
  assert.deepEqual([exactly(4n, 6n), exactly(0n, 5n), grouped(1234567)], ["2/3", "0/1", "1\u202f234\u202f567"]);
  assert.deepEqual([left(17_999), left(3_723_000), left(-5)], ["0:17", "1:02:03", "0:00"]);
  assert.deepEqual([short("5f3c" + "0".repeat(56) + "a1d0"), short("short")], ["5f3c…a1d0", "short"]);
});

test("the house's part, the stretches and the ticks of the ruler", () => {
  assert.deepEqual(edge([{ tickets: 50 }, { tickets: 50 }], 101, [[50, 10], [100, 5]]), [500n, 10100n]);
  assert.equal(edge([], 0, [[100, 5]]), null);
  const held = [[1, 0, 5], [1, 5, 5], [2, 10, 3], [1, 13, 0], [1, 13, 1]].map(([user, first, tickets]) => ({ user: `${user}`, first, tickets }));
  assert.deepEqual(stretches(held).map((each) => [each.user, each.first, each.tickets]), [["1", 0, 10], ["2", 10, 3], ["1", 13, 1]]);
  assert.deepEqual(ticks(11260).map((each) => each.ticket), Array.from({ length: 12 }, (_, number) => number * 1000));
  assert.equal(ticks(1).length, 1);
});

test("choosing up to a value takes the dearest that fit", () => {
  assert.deepEqual([...upTo([500, 300, 200, 100], 650, 10)].sort(), [0, 3]);
  assert.deepEqual([...upTo([500, 300, 200], Infinity, 2)].sort(), [0, 1]);
  assert.deepEqual([amount("12.34"), amount(" 12,3 "), amount("7"), amount("1.234"), amount("x")], [1234, 1230, 700, null, null]);
});
