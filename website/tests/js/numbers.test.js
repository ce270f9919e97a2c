// A record has one spelling: what `lottery verify` does not read, no browser reads either.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Unreadable, canonical, parse } from "../../static/site/verify/numbers.js";

const read = (text) => parse(typeof text === "string" ? new TextEncoder().encode(text) : text);

test("integers are exact, however large", () => {
  assert.equal(read("[9007199254740993]")[0], 9007199254740993n);
  assert.equal(read("[18446744073709551615]")[0], 2n ** 64n - 1n);
  assert.equal(canonical([2n ** 300n, 0n, null, true, "a\u2028\n"]), `[${2n ** 300n},0,null,true,"a\u2028\\n"]`);
});

test("keys are sorted by characters, not by halves of them", () => {
  assert.equal(canonical({ "\u{1f600}": 1n, "\uffee": 2n, b: 3n, ab: 4n }), '{"ab":4,"b":3,"\uffee":2,"\u{1f600}":1}');
  assert.deepEqual(Object.keys(read('{"__proto__":1}')), ["__proto__"]);
});

test("one line end may follow, and nothing else", () => {
  assert.deepEqual(read("[1]\n"), [1n]);
  for (const other of ["[1]\n\n", "[1]\r\n", "[1] ", " [1]", "[1]x", "\ufeff[1]"]) assert.throws(() => read(other), Unreadable, other);
});

test("what is no canonical JSON is not read at all", () => {
  const wrong = [
    "", "[1.0]", "[1e3]", "[NaN]", "[-0]", "[01]", "[+1]", "[1,]", "[,1]", "[1 ]", '{"a":1,"a":1}', '{"b":1,"a":1}', '{"a": 1}', '{"a":"\\u0041"}',
    '{"a":"\\ud800"}', '["\t"]', '["a', '{"a"}', "{", "[", "nul", "tru", "'a'", "[1]]", "[".repeat(100_000), '{"a":'.repeat(2_000) + "0" + "}".repeat(2_000),
    `[${"9".repeat(5_000)}]`, '["\\/"]', '["\\u2028"]', '{"a":1"b":2}', "[1;2]", "[1n]", "[0x1]", "[Infinity]",
  ];
  for (const text of wrong) assert.throws(() => read(text), Unreadable, text.slice(0, 40));
  assert.throws(() => read(Uint8Array.of(0x5b, 0xff, 0x5d)), Unreadable);
});

test("many brackets that are not deep are read, and brackets in a text do not count", () => {
  assert.equal(read(`[${"[],".repeat(2_000)}[]]`).length, 2_001);
  assert.equal(read(`["${"[".repeat(5_000)}"]`)[0].length, 5_000);
});
