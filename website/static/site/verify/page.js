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
// * Every element with `data-record` is looked after, from the start or as soon as the attribute is set or changed: a live page sets
//   it when the round is sealed, and the check runs by itself. Without the attribute (or with an empty one) nothing is done.
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
// No inline script, no eval, no style: it works under `default-src 'none'; script-src 'self'; connect-src 'self'`. All that is shown is
// set as text. The modules import each other by relative names, so they have to be served beside each other, under their own names.

import { check } from "./check.js";
import { FAILURE } from "./seal.js";
import { ALL_STEPS, keyOf, nameInWords, stepOf, words } from "./words.js";

const BYTES_MAX = 64 << 20;
const KEPT_UNDER = "proof";
const KEPT_MAX = 200;
/** @type {WeakMap<HTMLElement, number>} which check of a section is the newest */
const runs = new WeakMap();

const language = () => document.documentElement.lang || "en";

/** Fetch the section's record, check it, show what came out. A newer call for the same section takes the place of an older one. @param {HTMLElement} section */
export async function prove(section) {
  const address = section.dataset.record;
  if (!address) return state(section, "waiting");
  const run = (runs.get(section) ?? 0) + 1;
  runs.set(section, run);
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

/** @param {HTMLElement} section @param {string} name */
function state(section, name) {
  if (section.dataset.state !== name) section.dataset.state = name;
  part(section, "p", "verdict").textContent = words(name, language());
  const again = /** @type {HTMLButtonElement|null} */ (section.querySelector("[data-check-again]"));
  if (again) again.hidden = ["waiting", "checking"].includes(name);
}

/** Put what was found into the page. @param {HTMLElement} section @param {import("./check.js").Result} result */
export function show(section, result) {
  state(section, result.verdict);
  const last = result.checks[result.checks.length - 1];
  if (last?.name === FAILURE) part(section, "p", "verdict").textContent = words("failed", language());
  part(section, "ol", "checks").replaceChildren(...result.checks.map(line));
  lines(section, "ul.unchecked", result.unchecked);
  lines(section, "ul.unproven", result.notProven);
  lines(section, "ul.program-only", result.byTheProgramOnly);
  const scope = document.querySelectorAll("[data-record]").length === 1 ? document : section;
  fillChecks(scope, result);
  fillSteps(scope, result);
  keep(result);
  section.dispatchEvent(new CustomEvent("proof", { bubbles: true, detail: result }));
}

/** The part of a section with this class; made at its end when the page has none. @param {HTMLElement} section @param {string} tag @param {string} name @returns {HTMLElement} */
function part(section, tag, name) {
  const there = /** @type {HTMLElement|null} */ (section.querySelector(`.${name}`));
  if (there) return there;
  const made = document.createElement(tag);
  made.className = name;
  if (name === "verdict") made.setAttribute("role", "status");
  section.append(made);
  return made;
}

/** @param {import("./report.js").Check} one */
function line(one) {
  const item = document.createElement("li");
  item.dataset.name = one.name;
  item.dataset.step = stepOf(one.name);
  fill(item, [one]);
  return item;
}

/** A tick, the name in words, the value. @param {HTMLElement} element @param {import("./report.js").Check[]} checks of one name */
function fill(element, checks) {
  const good = checks.every((each) => each.holds);
  const tick = span("tick", good ? "✓" : "✗");
  tick.setAttribute("role", "img");
  tick.setAttribute("aria-label", words(good ? "holds" : "does not hold", language()));
  const value = checks.map((each) => words(each.value, language())).join("; ");
  element.dataset.state = good ? "good" : "lie";
  element.replaceChildren(tick, " ", span("name", nameInWords(checks[0].name, language())), " ", span("value", value));
}

/** @param {string} name @param {string} text */
function span(name, text) {
  const made = document.createElement("span");
  made.className = name;
  made.textContent = text;
  return made;
}

/** @param {HTMLElement} section @param {string} place @param {string[]} sentences */
function lines(section, place, sentences) {
  const list = section.querySelector(place);
  if (!list) return;
  list.replaceChildren(
    ...sentences.map((sentence) => {
      const item = document.createElement("li");
      item.textContent = words(sentence, language());
      return item;
    }),
  );
}

/** @param {ParentNode} scope @param {import("./check.js").Result} result */
function fillChecks(scope, result) {
  for (const element of /** @type {NodeListOf<HTMLElement>} */ (scope.querySelectorAll("[data-check]"))) {
    const own = result.checks.filter((each) => keyOf(each.name) === element.dataset.check);
    if (own.length) fill(element, own);
    else delete element.dataset.state;
  }
}

/** @param {ParentNode} scope @param {import("./check.js").Result} result */
function fillSteps(scope, result) {
  for (const step of ALL_STEPS) {
    for (const element of /** @type {NodeListOf<HTMLElement>} */ (scope.querySelectorAll(`[data-step="${step}"]:not(li[data-name])`))) {
      element.dataset.state = stateOfStep(step, result);
    }
  }
}

/** A step with a lie in it lies, those after it were not reached; a beacon that nobody knows leaves its step unchecked. @param {string} step @param {import("./check.js").Result} result */
export function stateOfStep(step, result) {
  const own = result.checks.filter((each) => stepOf(each.name) === step);
  const failed = result.checks.find((each) => !each.holds);
  if (own.some((each) => !each.holds)) return "lie";
  if (failed && ALL_STEPS.indexOf(step) > ALL_STEPS.indexOf(stepOf(failed.name))) return "open";
  if (own.length === 0) return "open";
  return step === "beacon" && result.unchecked.length ? "unchecked" : "good";
}

// ---- what this browser has checked

/** @returns {[string, string][]} "LANE/ROUND" and verdict, oldest first */
function kept() {
  try {
    const found = JSON.parse(localStorage.getItem(KEPT_UNDER) ?? "[]");
    return Array.isArray(found) ? found.filter((each) => Array.isArray(each) && each.length === 2) : [];
  } catch {
    return [];
  }
}

/** @param {import("./check.js").Result} result */
function keep(result) {
  if (!result.room) return;
  const name = `${result.room}/${result.round}`;
  const rest = kept().filter(([other]) => other !== name);
  try {
    localStorage.setItem(KEPT_UNDER, JSON.stringify([...rest, [name, result.verdict]].slice(-KEPT_MAX)));
  } catch {
    // no room, or no storage: the page shows what it found all the same
  }
  mark();
}

/** Rows of rounds that this browser has checked. Call it again after rows were added. */
export function mark() {
  const known = new Map(kept());
  for (const element of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-proved]"))) {
    const verdict = known.get(element.dataset.proved ?? "");
    if (verdict) element.dataset.state = verdict;
  }
}

// ---- start

function start() {
  mark();
  for (const section of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-record]"))) prove(section);
  const watch = new MutationObserver((changes) => {
    for (const change of changes) prove(/** @type {HTMLElement} */ (change.target));
  });
  watch.observe(document.documentElement, { subtree: true, attributes: true, attributeFilter: ["data-record"] });
  document.addEventListener("click", (event) => {
    const button = /** @type {Element} */ (event.target).closest("[data-check-again]");
    const section = /** @type {HTMLElement|null|undefined} */ (button?.closest("[data-record]"));
    if (section) prove(section);
  });
}

if (typeof document !== "undefined" && document.documentElement.dataset.proof !== "by hand") start();
