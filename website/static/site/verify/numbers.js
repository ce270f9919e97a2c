// Reads a record as strictly as `lottery verify`: canonical JSON, one spelling of everything, exact integers.
//
// Every number of a record becomes a BigInt. A Number of JavaScript is exact up to 2^53 only, amounts and ids go to 2^64, and one
// kind of number is simpler to read than two. Objects have no prototype, so that a key like `__proto__` is a key like any other.

/** There is no record to check: the text is not one. */
export class Unreadable extends Error {}

const DEPTH_MAX = 10;
const DIGITS_MAX = 1300; // the largest number of a record is below 2^4096
const NUMBER = /-?[0-9]+/y;
const STRING = /"(?:[^"\\]|\\.)*"/y;
const HALF_CHARACTER = /\p{Surrogate}/u;
const WORDS = new Map([["true", true], ["false", false], ["null", null]]);

/**
 * A record's bytes as values: BigInt, string, boolean, null, arrays and objects. One line end after it is allowed.
 * @param {Uint8Array} bytes
 * @returns {any}
 * @throws {Unreadable}
 */
export function parse(bytes) {
  const text = decoded(bytes.length && bytes[bytes.length - 1] === 0x0a ? bytes.subarray(0, -1) : bytes);
  const value = new Reader(text).whole();
  if (canonical(value) !== text) {
    throw new Unreadable("not canonical JSON: sorted keys, no blanks, each character in its one spelling");
  }
  return value;
}

/** @param {Uint8Array} bytes @returns {string} */
function decoded(bytes) {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new Unreadable("not UTF-8");
  }
}

/** JSON without blanks, from left to right. What it takes too generously, `canonical` finds. */
class Reader {
  /** @param {string} text */
  constructor(text) {
    this.text = text;
    this.place = 0;
  }

  whole() {
    const value = this.value(0);
    if (this.place !== this.text.length) this.fail("something follows");
    return value;
  }

  /** @param {number} depth @returns {any} */
  value(depth) {
    if (depth > DEPTH_MAX) this.fail("nested too deep");
    const first = this.text[this.place];
    if (first === "{") return this.object(depth);
    if (first === "[") return this.list(depth);
    if (first === '"') return this.string();
    for (const [word, value] of WORDS) {
      if (this.text.startsWith(word, this.place)) {
        this.place += word.length;
        return value;
      }
    }
    return this.number();
  }

  /** @param {number} depth */
  object(depth) {
    const found = Object.create(null);
    this.place += 1;
    if (this.took("}")) return found;
    do {
      const key = this.string();
      if (key in found) this.fail("a key stands twice");
      if (!this.took(":")) this.fail("a colon is missing");
      found[key] = this.value(depth + 1);
    } while (this.took(","));
    if (!this.took("}")) this.fail("an object has no end");
    return found;
  }

  /** @param {number} depth */
  list(depth) {
    /** @type {any[]} */
    const found = [];
    this.place += 1;
    if (this.took("]")) return found;
    do found.push(this.value(depth + 1));
    while (this.took(","));
    if (!this.took("]")) this.fail("a list has no end");
    return found;
  }

  /** @returns {string} */
  string() {
    const spelled = this.match(STRING);
    try {
      return JSON.parse(spelled);
    } catch {
      return this.fail("a text is spelled wrongly");
    }
  }

  /** @returns {bigint} */
  number() {
    const digits = this.match(NUMBER);
    if (digits.length > DIGITS_MAX) this.fail("a number is too long");
    return BigInt(digits);
  }

  /** @param {string} sign */
  took(sign) {
    if (this.text[this.place] !== sign) return false;
    this.place += 1;
    return true;
  }

  /** @param {RegExp} form */
  match(form) {
    form.lastIndex = this.place;
    const found = form.exec(this.text);
    if (!found) return this.fail("not what can stand here");
    this.place = form.lastIndex;
    return found[0];
  }

  /** @param {string} why @returns {never} */
  fail(why) {
    throw new Unreadable(`not strict JSON: ${why}, at character ${this.place}`);
  }
}

/**
 * The one text of a value: keys sorted, no blanks, integers only, characters as they are.
 * @param {any} value
 * @returns {string}
 */
export function canonical(value) {
  if (value === null || typeof value === "boolean" || typeof value === "bigint") return String(value);
  if (typeof value === "string") return quoted(value);
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  const fields = Object.keys(value).sort(byCharacters).map((key) => `${quoted(key)}:${canonical(value[key])}`);
  return `{${fields.join(",")}}`;
}

/** @param {string} text */
function quoted(text) {
  if (HALF_CHARACTER.test(text)) throw new Unreadable("not strict JSON: half of a character");
  return JSON.stringify(text);
}

/** By Unicode characters; JavaScript's own order is by halves of UTF-16. @param {string} one @param {string} other */
function byCharacters(one, other) {
  const [left, right] = [[...one], [...other]];
  const at = left.findIndex((character, place) => character !== right[place]);
  if (at < 0) return left.length - right.length;
  return at >= right.length ? 1 : /** @type {number} */ (left[at].codePointAt(0)) - /** @type {number} */ (right[at].codePointAt(0));
}
