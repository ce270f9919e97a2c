// The browser's checks agree with `lottery verify`, check by check and verdict by verdict. PROOF_CORPUS names the file that
// proof_corpus.py wrote.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { check } from "../../static/site/verify/check.js";
import { parse, Unreadable } from "../../static/site/verify/numbers.js";
import { choose, deposits } from "../../static/site/verify/rake.js";
import { Lie } from "../../static/site/verify/report.js";
import { sense } from "../../static/site/verify/rules.js";
import { checkRules } from "../../static/site/verify/shape.js";
import { keyOf, words } from "../../static/site/verify/words.js";

const told = readFileSync(process.env.PROOF_CORPUS, "utf8").trim().split("\n").map((line) => JSON.parse(line));
const lines = told.filter((each) => each.record !== undefined);
const read = (text) => parse(new TextEncoder().encode(text));
/** Their words differ: which program verified the signature; a list that Python prints in its own way. */
const OTHER_WORDS = new Set(["beacon", "rake: collected of rests"]);

/** Python's words for a value in ours. */
function inOurs(value) {
  return { None: "none", True: "yes", False: "no", "(-1, -1)": "none" }[value] ?? value.replaceAll(" with ticket None", "");
}

function differences(line, found) {
  if (found.verdict !== line.verdict) return `verdict ${found.verdict}, the program says ${line.verdict}`;
  if (line.verdict === "unreadable") return "";
  const theirs = line.checks.map((each) => `${each.check} ${each.holds}`);
  const ours = found.checks.map((each) => `${each.name} ${each.holds}`);
  const place = theirs.findIndex((each, at) => each !== ours[at]);
  if (place >= 0 || ours.length !== theirs.length) return `check ${place}: ${ours[place]}, the program says ${theirs[place]}`;
  for (const [at, { check: name, value, holds }] of line.checks.entries()) {
    if (holds && !OTHER_WORDS.has(name) && inOurs(value) !== found.checks[at].value) {
      return `value of ${name}: ${found.checks[at].value}, the program says ${value}`;
    }
  }
  if (line.verdict === "lie") return "";
  if (found.unchecked.length !== line.unchecked.length) return `unchecked: ${found.unchecked}, the program says ${line.unchecked}`;
  return found.notProven.length === line.not_proven.length ? "" : `not proven: ${found.notProven}, the program says ${line.not_proven}`;
}

test("W22 every record gets the verdict of the program, by the same checks", () => {
  const wrong = [];
  for (const line of lines) {
    const found = check(new Uint8Array(Buffer.from(line.record, "base64")), line.trusted);
    const difference = differences(line, found);
    if (difference) wrong.push(`${line.name}: ${difference}`);
  }
  assert.deepEqual(wrong.slice(0, 10), [], `${wrong.length} of ${lines.length} records`);
});

test("W22 the house's failure is never good, and neither is a spoiled record", () => {
  for (const line of lines.filter((each) => each.name.includes("house-failure"))) {
    const found = check(new Uint8Array(Buffer.from(line.record, "base64")));
    assert.ok(["lie", "unreadable"].includes(found.verdict), line.name);
  }
  const spoiled = lines.filter((each) => each.name.includes("spoiled"));
  assert.ok(spoiled.length > 0);
  assert.deepEqual(spoiled.filter((each) => each.verdict === "good"), []);
});

test("the records are of all verdicts, and reach all checks", () => {
  assert.deepEqual(new Set(lines.map((each) => each.verdict)), new Set(["good", "lie", "unchecked", "unreadable"]));
  const names = new Set(lines.flatMap((each) => each.checks ?? []).map((each) => keyOf(each.check)));
  for (const name of names) assert.notEqual(words(name, "en"), undefined);
  assert.deepEqual([...names].filter((name) => words(name, "en") === name), [], "names without words");
});

function accepts(rules) {
  try {
    checkRules(rules);
    sense(rules);
    return true;
  } catch (error) {
    if (error instanceof Lie || error instanceof Unreadable) return false;
    throw error;
  }
}

test("W22 the same rules of rooms make sense", () => {
  const rules = told.filter((each) => each.rules !== undefined);
  const wrong = rules.filter((each) => accepts(read(each.rules)) !== each.accepted);
  assert.deepEqual(wrong.slice(0, 5), []);
  const accepted = rules.filter((each) => each.accepted).length;
  assert.ok(accepted > rules.length / 10 && accepted < rules.length, `${accepted} of ${rules.length}`);
});

test("W22 the rake takes the same items of any pot, and gives back the same change", () => {
  const pools = told.filter((each) => each.pool !== undefined).map((each) => read(each.pool));
  assert.ok(pools.some((each) => each.back.length));
  for (const pool of pools) {
    const rows = pool.rows.map(([deposit, price, user, item]) => ({ deposit, price, user, item }));
    const stock = pool.stock.map(([deposit_id, price]) => ({ deposit_id, price }));
    const record = { ...pool, stock, outcome: { winners: [{ user_id: 1n }] }, pot: { dearestFirst: rows } };
    const found = choose(record, pool.target);
    assert.deepEqual([deposits(found.rows), deposits(found.back)], [pool.taken, pool.back], `target ${pool.target} of ${rows.length} rows`);
  }
});
