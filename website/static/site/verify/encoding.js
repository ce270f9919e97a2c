// Bytes that every hash is made of (record-format.md, "Bytes"). Bytes are lower-case hex throughout, as the record has them, so
// that they are glued together, compared and shown as they stand; only `sha256` and `hmac` turn them into real bytes.

import { hmac as nobleHmac, sha256 as nobleSha256, bytesToHex, hexToBytes } from "./vendor/noble.js";
import { canonical } from "./numbers.js";

/** @param {bigint|number} value @param {number} bytes @returns {string} */
function wide(value, bytes) {
  const hex = BigInt(value).toString(16);
  if (hex.startsWith("-") || hex.length > 2 * bytes) throw new RangeError(`${value} does not fit ${bytes} bytes`);
  return hex.padStart(2 * bytes, "0");
}

/** @param {bigint|number} value */
export const U8 = (value) => wide(value, 1);
/** @param {bigint|number} value */
export const U32 = (value) => wide(value, 4);
/** @param {bigint|number} value */
export const U64 = (value) => wide(value, 8);

/** Bytes behind their length. @param {string} hex */
export const LP = (hex) => U32(hex.length / 2) + hex;

/** @param {string} text */
export const utf8 = (text) => bytesToHex(new TextEncoder().encode(text));

/** A text behind its length. @param {string} text */
export const S = (text) => LP(utf8(text));

/** A word that says what a hash is for. @param {string} word */
export const TAG = (word) => U8(word.length) + utf8(word);

/** A value as canonical JSON, behind its length. @param {any} value */
export const JSON_OF = (value) => S(canonical(value));

/** @param {...string} parts */
export const sha256 = (...parts) => bytesToHex(nobleSha256(hexToBytes(parts.join(""))));

/** @param {string} key @param {...string} parts */
export const hmac = (key, ...parts) => bytesToHex(nobleHmac(nobleSha256, hexToBytes(key), hexToBytes(parts.join(""))));

/** @param {string} hex */
export const integer = (hex) => BigInt(`0x${hex || "0"}`);

/** The same bytes from the last to the first. @param {string} hex */
export const reversed = (hex) => (hex.match(/../g) ?? []).reverse().join("");

export const ZERO_HASH = "0".repeat(64);
