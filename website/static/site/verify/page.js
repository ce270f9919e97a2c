// The proof on a page. THE CONTRACT between a page and this module:
//
//   <section id="proof" data-record="/rooms/classic-unlimited/classic-unlimited-a/812/record.json">
//     <p class="verdict" role="status">…</p>         made here when the page has none: one sentence
//     <ol class="checks"></ol>                        made here when the page has none: one <li> per check
//     <ul class="unchecked"></ul>                     optional: why the draw itself could not be checked here
//     <ul class="unproven"></ul>                      optional: what no record can prove
//     <ul class="program-only"></ul>                  optional: checks that only `lottery verify` makes
//     <button type="button" data-check-again hidden>…</button>    optional: shown once there is something to check again
//   </section>
//   <script type="module" src="{% static 'site/verify/page.js' %}"></script>
//
// * Every element with `data-record` is looked after, from the start, when the attribute is set or changed, and when such an element
//   comes into the page: a live page names the record when the round is sealed, and the check runs by itself. Without the attribute (or
//   with an empty one) nothing is done. Parts that a live page puts in the place of others are filled again.
// * The section gets `data-state`: waiting, checking, then good | lie | unchecked | unreadable (the words of `lottery verify`), or
//   away (the record could not be fetched) or large. The verdict is a whole sentence in the page's language (<html lang>).
// * <li data-name="seal" data-step="paid" data-state="good|lie"><span class="tick">✓</span> <span class="name">…</span>
//   <span class="value">…</span></li>. The value is text as it stands in the record: hashes are long, let them break or shorten by CSS.
// * Any element with `data-check="NAME"` in the section (in the whole page, if it has one section only) is filled in the same way; NAME is the
//   name of `lottery verify` ("winners", "rake: net"), with "log", "payout" and "tickets" for those that carry a number.
// * Any element with `data-step="commitment|closed|secret|beacon|drawn|paid"` outside the list gets `data-state` good | lie | unchecked |
//   open (not reached, because there is a lie before it). Only the attribute: its text and picture are the page's own.
// * Any element with `data-proved="LANE/ROUND"` (a row of a list) gets `data-state` good | lie | unchecked when this browser has checked that
//   round before. What was checked is kept in localStorage, where there is one.
// * When a check ends, the section gets an event `proof` that bubbles; `event.detail` is the Result of check.js.
//
// No inline script, no eval, no style: it works under `default-src 'none'; script-src 'self'; connect-src 'self'`. The modules import
// each other by relative names, so they have to be served beside each other, under their own names.

import { check } from "./check.js";
import { mark, refill, show, state } from "./show.js";

export { mark } from "./show.js";

const BYTES_MAX = 64 << 20;
/** @type {WeakMap<HTMLElement, number>} which check of a section is the newest */
const runs = new WeakMap();

/** Fetch the section's record, check it, show what came out. A newer call for the same section takes the place of an older one. @param {HTMLElement} section */
export async function prove(section) {
  const run = (runs.get(section) ?? 0) + 1;
  runs.set(section, run);
  const address = section.dataset.record;
  if (!address) return;
  state(section, "checking");
  const bytes = await fetched(address);
  await new Promise((done) => setTimeout(done)); // let the page draw what it has
  if (runs.get(section) !== run) return;
  if (typeof bytes === "string") return state(section, bytes);
  show(section, check(bytes));
}

/** The record's bytes, or why there are none. @param {string} address @returns {Promise<Uint8Array|"waiting"|"away"|"large">} */
async function fetched(address) {
  try {
    const answer = await fetch(address, { headers: { Accept: "application/json" }, credentials: "same-origin" });
    if (answer.status === 404 || answer.status === 409) return "waiting";
    if (!answer.ok) return "away";
    if (Number(answer.headers.get("Content-Length")) > BYTES_MAX) return "large";
    const bytes = new Uint8Array(await answer.arrayBuffer());
    return bytes.length > BYTES_MAX ? "large" : bytes;
  } catch {
    return "away";
  }
}

/** What has come into the page. @param {Element[]} elements */
function lookAfter(elements) {
  const found = (/** @type {string} */ selector) =>
    elements.flatMap((each) => [...(each.matches(selector) ? [each] : []), ...each.querySelectorAll(selector)]);
  for (const section of found("[data-record]")) prove(/** @type {HTMLElement} */ (section));
  if (found("[data-check], [data-step]:not(li[data-name])").length) refill();
  if (found("[data-proved]").length) mark();
}

function start() {
  mark();
  for (const section of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-record]"))) prove(section);
  const watch = new MutationObserver((changes) => {
    for (const change of changes) {
      if (change.type === "attributes") prove(/** @type {HTMLElement} */ (change.target));
      else lookAfter([...change.addedNodes].filter((each) => each instanceof Element));
    }
  });
  watch.observe(document.documentElement, { subtree: true, childList: true, attributes: true, attributeFilter: ["data-record"] });
  document.addEventListener("click", (event) => {
    const button = /** @type {Element} */ (event.target).closest("[data-check-again]");
    const section = /** @type {HTMLElement|null|undefined} */ (button?.closest("[data-record]"));
    if (section) prove(section);
  });
}

start();
