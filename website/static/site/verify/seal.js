// The end: one value over all of it, on which the next round builds. Where the house failed it is of another kind, that nothing
// builds on.

import { JSON_OF, LP, TAG, sha256 } from "./encoding.js";

export const FAILURE = "house's failure";

/** @param {any} record */
export function sealOf({ prev_seal, close, secret, salt, entropy, outcome }) {
  const bound = salt + LP(entropy) + JSON_OF(outcome);
  if (outcome.failure !== null) return sha256(TAG("lot2.failure"), prev_seal, close.hash, bound);
  return sha256(TAG("lot2.seal"), prev_seal, close.hash, secret, bound);
}

/** @param {any} record @param {import("./report.js").Report} report @throws {Lie} */
export function check(record, report) {
  const { outcome } = record;
  if (outcome.renew !== null) {
    report.holds("next chain", outcome.renew.last > record.id, `up to round ${outcome.renew.last}`, "it ends with this round");
  }
  report.same("seal", record.seal, sealOf(record));
  if (outcome.failure !== null) {
    report.lied(FAILURE, `the house says ${outcome.failure}: nothing was drawn, all goes back, the lane ends here`);
  }
}
