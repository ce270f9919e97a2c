// What was found, as a page shows it: see THE CONTRACT at the head of page.js. All that is shown is set as text.

import { FAILURE } from "./seal.js";
import { ALL_STEPS, keyOf, nameInWords, saidInWords, stepOf, words } from "./words.js";

/** @typedef {import("./check.js").Result} Result */
/** @typedef {import("./report.js").Check} Check */

const KEPT_UNDER = "proof";
const KEPT_MAX = 200;

/** @type {WeakMap<HTMLElement, Result>} what was found for a section */
const results = new WeakMap();

const language = () => document.documentElement.lang || "en";

/** The state of a section, and its sentence. @param {HTMLElement} section @param {string} name @param {string} [sentence] */
export function state(section, name, sentence = name) {
  if (section.dataset.state !== name) section.dataset.state = name;
  if (name === "checking") results.delete(section); // what was found before is of another record, or of another moment
  part(section, "p", "verdict").textContent = words(sentence, language());
  const again = /** @type {HTMLButtonElement|null} */ (section.querySelector("[data-check-again]"));
  if (again) again.hidden = ["waiting", "checking"].includes(name);
}

/** Put what was found into the page. @param {HTMLElement} section @param {Result} result */
export function show(section, result) {
  const last = result.checks[result.checks.length - 1];
  state(section, result.verdict, last.name === FAILURE ? "failed" : result.verdict);
  part(section, "ol", "checks").replaceChildren(...result.checks.map(line));
  lines(section, "ul.unchecked", result.unchecked);
  lines(section, "ul.unproven", result.notProven);
  lines(section, "ul.program-only", result.byTheProgramOnly);
  results.set(section, result);
  fillAround(section, result);
  keep(result);
  section.dispatchEvent(new CustomEvent("proof", { bubbles: true, detail: result }));
}

/** What lies outside the list: in the section, or in the whole page if it has one section only. @param {HTMLElement} section @param {Result} result */
function fillAround(section, result) {
  const scope = document.querySelectorAll("[data-record]").length === 1 ? document : section;
  fillChecks(scope, result);
  fillSteps(scope, result);
}

/** Fill what has come into the page after its section was checked. */
export function refill() {
  for (const section of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-record]"))) {
    const result = results.get(section);
    if (result) fillAround(section, result);
  }
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

/** @param {Check} one */
function line(one) {
  const item = document.createElement("li");
  item.dataset.name = one.name;
  item.dataset.step = stepOf(one.name);
  fill(item, [one]);
  return item;
}

/** A tick, the name in words, the value. @param {HTMLElement} element @param {Check[]} checks of one name */
function fill(element, checks) {
  const good = checks.every((each) => each.holds);
  const tick = span("tick", good ? "✓" : "✗");
  tick.setAttribute("role", "img");
  tick.setAttribute("aria-label", words(good ? "holds" : "does not hold", language()));
  const value = checks.map((each) => saidInWords(each.value, language())).join("; ");
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
  const items = sentences.map((sentence) => {
    const item = document.createElement("li");
    item.textContent = saidInWords(sentence, language());
    return item;
  });
  list?.replaceChildren(...items);
}

/** @param {ParentNode} scope @param {Result} result */
function fillChecks(scope, result) {
  for (const element of /** @type {NodeListOf<HTMLElement>} */ (scope.querySelectorAll("[data-check]"))) {
    const own = result.checks.filter((each) => keyOf(each.name) === element.dataset.check);
    if (own.length) fill(element, own);
    else delete element.dataset.state;
  }
}

/** @param {ParentNode} scope @param {Result} result */
function fillSteps(scope, result) {
  for (const element of /** @type {NodeListOf<HTMLElement>} */ (scope.querySelectorAll("[data-step]:not(li[data-name])"))) {
    element.dataset.state = stateOfStep(element.dataset.step ?? "", result);
  }
}

/** A step with a lie in it lies, those after it were not reached; a beacon that nobody knows leaves its step unchecked. @param {string} step @param {Result} result */
export function stateOfStep(step, result) {
  const failed = result.checks.find((each) => !each.holds);
  if (failed && stepOf(failed.name) === step) return "lie";
  if (failed && ALL_STEPS.indexOf(step) > ALL_STEPS.indexOf(stepOf(failed.name))) return "open";
  if (!result.checks.some((each) => stepOf(each.name) === step)) return "open";
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

/** @param {Result} result */
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
