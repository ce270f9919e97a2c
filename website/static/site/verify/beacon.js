// Public entropy: a beacon of drand, or a block of Bitcoin. Which one decides follows from the moment of the close alone.
//
// A beacon is a BLS signature over the number of its round, with the key behind the chain's hash. The two networks below are
// known to everybody; any other is named in the rules by its hash and by all that the hash is made of (the sandbox has one of its
// own). Its signatures are checked just the same, but who runs it no record can tell, so the draw then counts as unchecked.

import { U64, integer, reversed, sha256, utf8 } from "./encoding.js";
import { Lie } from "./report.js";
import { entropyMode } from "./rules.js";
import { bls12_381 as bls, hexToBytes } from "./vendor/noble.js";

/** @typedef {{name: string, hash: string, key: string, period: bigint, genesis: bigint, chained: boolean}} Network times in unix seconds */

/** drand's own, from their /info pages. @type {Record<string, Network>} */
export const KNOWN = {
  quicknet: {
    name: "quicknet",
    hash: "52db9ba70e0cc0f6eaf7803dd07447a1f5477735fd3f661792ba94600c84e971",
    key: "83cf0f2896adee7eb8b5f01fcad3912212c437e0073e911fb90022d3e760183c8c4b450b6a0a6c3ac6a5776a2d106451" +
      "0d1fec758c921cc22b0e17e63aaf4bcb5ed66304de9cf809bd274ca73bab4af5a6e9c76a4bc09e76eae8991ef5ece45a",
    period: 3n, genesis: 1692803367n, chained: false,
  },
  default: {
    name: "default",
    hash: "8990e7a9aaed2ffed73dbd7092123d6f289930540d7651336225dc172e51b2ce",
    key: "868f005eb8e6e4ca0a47c8a77ceaa5309a47978a7c71bc5cce96366b5d7a569937c529eeda66c7293784a9402801af31",
    period: 30n, genesis: 1595431050n, chained: true,
  },
};

const TAG_G1 = utf8("BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_NUL_");
const TAG_G2 = utf8("BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_NUL_");
const FIELD = 0x1a0111ea397fe69a4b1ba7b6434bacd764774b84f38512bf6730d2a0f6b0f6241eabfffeb153ffffb9feffffffffaaabn;
const EASIEST_TARGET = 0xffffn << 208n;

/** The network that rules name, by a word or by its terms. @param {any} rules @returns {Network} */
export function networkOf(rules) {
  const name = /** @type {string} */ (entropyMode(rules.entropy).network);
  const terms = rules.beacon;
  if (terms === null) return KNOWN[name];
  const chained = terms.scheme === "pedersen-bls-chained";
  return { name: terms.beacon_id, hash: name, key: terms.public_key, period: terms.period, genesis: terms.genesis, chained };
}

/** The first round that becomes public after a unix second. @param {Network} network @param {bigint} second @throws {Lie} before the network began */
export function roundAfter(network, second) {
  if (second < network.genesis) throw new Lie(`${second} is before the genesis of ${network.name}`);
  return (second - network.genesis) / network.period + 2n;
}

/** The unix second at which a round becomes public. @param {Network} network @param {bigint} round */
export const timeOf = (network, round) => network.genesis + (round - 1n) * network.period;

/** The 32 bytes that a beacon gives. @param {string} signature */
export const randomness = (signature) => sha256(signature);

/** The proof of a beacon: the network signed this round. @param {any} record @param {import("./report.js").Report} report */
export function checkBeacon(record, report) {
  const network = networkOf(record.rules);
  const round = record.close.source_round;
  const why = refused(network, round, record.proof.signature, record.proof.previous ?? "");
  if (why !== null) report.lied("beacon", why);
  report.holds("beacon", true, `${network.name} round ${round}, signature verified here`, "");
  const known = Object.values(KNOWN).some((each) => each.hash === network.hash) || report.trusted.has(network.hash);
  if (!known) report.unchecked.push(`drand chain ${network.hash} is not known here: say that you trust it, if you know who runs it`);
}

/** Why this is not the network's signature of that round, or null. @param {Network} network @param {bigint} round @param {string} signature @param {string} previous @returns {string|null} */
export function refused(network, round, signature, previous) {
  if (round < 1n) return "rounds are numbered from 1";
  // Round 1 of a chained network follows the group hash, each later one the signature before it.
  const due = !network.chained ? 0 : round === 1n ? 32 : 96;
  if (previous.length !== 2 * due) return `the previous signature has ${previous.length / 2} bytes, ${due} are due`;
  const form = wrongForm(signature, network.key.length === 2 * 96 ? 48 : 96);
  if (form !== null) return form;
  const message = sha256(previous, U64(round));
  try {
    return signed(network.key, message, signature) ? null : `not the signature of ${network.name} for round ${round}`;
  } catch (error) {
    return `signature or key is not a point of the group: ${/** @type {Error} */ (error).message}`;
  }
}

/** Only the one compressed spelling of a point counts, and never the point at infinity. @param {string} point @param {number} bytes */
function wrongForm(point, bytes) {
  if (point.length !== 2 * bytes) return `the signature has ${point.length / 2} bytes, ${bytes} are due`;
  const flags = Number(integer(point.slice(0, 2)));
  if (!(flags & 0x80)) return "the signature is not in compressed form";
  if (flags & 0x40) return "the signature is the point at infinity";
  const plain = (flags & 0x1f).toString(16).padStart(2, "0") + point.slice(2);
  const coordinates = plain.match(/.{96}/g) ?? [];
  return coordinates.some((each) => integer(each) >= FIELD) ? "a coordinate of the signature is not canonical" : null;
}

/** e(signature, generator) = e(hash, key), whichever of the two groups the key is of. @param {string} key @param {string} message @param {string} signature @returns {boolean} @throws {Error} for what is no point of the group */
function signed(key, message, signature) {
  const onG1 = key.length === 2 * 96;
  const way = onG1 ? bls.shortSignatures : bls.longSignatures;
  const [signing, keys] = onG1 ? [bls.G1, bls.G2] : [bls.G2, bls.G1];
  const point = signing.Point.fromHex(signature);
  const publicKey = keys.Point.fromHex(key);
  point.assertValidity(); // on the curve, and in the group of the right order
  publicKey.assertValidity();
  return way.verify(point, way.hash(hexToBytes(message), hexToBytes(onG1 ? TAG_G1 : TAG_G2)), publicKey);
}

// ---- a block of Bitcoin

/** The block says that it came after the named moment, and somebody worked for it; which chain it is of, it cannot say. @param {any} record @param {import("./report.js").Report} report */
export function checkBlock(record, report) {
  const { header, height } = record.proof;
  const after = record.close.source_round;
  const time = integer(reversed(header.slice(136, 144)));
  report.holds("block time", time > after, `${time}, after ${after}`, `${time} is not after ${after}`);
  report.holds("block height", /^(0|[1-9][0-9]*)$/.test(height), height, "the height is no number");
  const name = reversed(sha256(sha256(header)));
  const limit = target(header);
  const work = integer(name) <= limit && limit <= EASIEST_TARGET;
  report.holds("block work", work, `${name} is under its target`, "the hash is not under the header's target");
  if (!report.trusted.has(`${height}:${name}`)) {
    report.unchecked.push(`whether block ${name} is the one of height ${height}, and the first one later than ${after}: look it up`);
  }
}

/** What the hash of a block must not exceed, out of the four bytes that its header has for it. @param {string} header */
function target(header) {
  const size = integer(header.slice(150, 152));
  const mantissa = integer(reversed(header.slice(144, 150)));
  if (mantissa >= 1n << 23n) return 0n;
  return size >= 3n ? mantissa << (8n * (size - 3n)) : mantissa >> (8n * (3n - size));
}
