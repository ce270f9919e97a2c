// How long a record takes: node bench.js RECORD TURNS. Prints one object, all in milliseconds: `first` (a page checks once, before
// anything is compiled), `ours` (the median after that), `baseline` (as many bare SHA-256 of a log item's length, and one bare
// pairing), and the number of items.

import { readFileSync } from "node:fs";
import { check } from "../../static/site/verify/check.js";
import { KNOWN } from "../../static/site/verify/beacon.js";
import { bls12_381 as bls, hexToBytes, sha256 } from "../../static/site/verify/vendor/noble.js";

const bytes = new Uint8Array(readFileSync(process.argv[2]));
const turns = Number(process.argv[3]);
const record = JSON.parse(new TextDecoder().decode(bytes));
const message = new Uint8Array(130);

function ours() {
  const { verdict } = check(bytes);
  if (verdict !== "good") throw new Error(`the record is ${verdict}`);
}

function bare() {
  for (const _ of record.items) sha256(message);
  const { G1, G2, shortSignatures } = bls;
  const signature = G1.Point.fromHex(record.proof.signature);
  const round = hexToBytes(BigInt(record.close.source_round).toString(16).padStart(16, "0"));
  const tag = new TextEncoder().encode("BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_NUL_");
  const hash = shortSignatures.hash(sha256(round), tag);
  if (!shortSignatures.verify(signature, hash, G2.Point.fromHex(KNOWN.quicknet.key))) throw new Error("not a signature");
}

function timed(what) {
  const began = performance.now();
  what();
  return performance.now() - began;
}

const median = (values) => values.sort((one, other) => one - other)[values.length >> 1];
const first = timed(ours);
const found = { ours: [], baseline: [] };
for (let turn = 0; turn < turns; turn++) {
  found.ours.push(timed(ours));
  found.baseline.push(timed(bare));
}
console.log(JSON.stringify({ items: record.items.length, first, ours: median(found.ours), baseline: median(found.baseline) }));
