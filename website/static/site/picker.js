// Choosing items and betting without leaving the page. The odds are the server's own (exactly those of the page without scripts); the form
// is the one that works without scripts, and its token makes a second click the same bet.

import { cents, perCent } from "./format.js";
import { keep } from "./receipts.js";
import { part } from "./round.js";
import { say, sound } from "./say.js";
import { language, words } from "./words.js";

const PAUSE_MS = 200;

/** A fraction in cents as money; a loss is never rounded to nothing. @param {string} text */
function money(text) {
  const [n, d = 1n] = text.split("/").map(BigInt);
  const whole = n < 0n ? -((-n + d - 1n) / d) : n / d;
  return cents(whole, language);
}

/** @param {HTMLFormElement} form @returns {HTMLInputElement[]} */
const boxes = (form) => [...form.querySelectorAll('input[name="item"]')].map((each) => /** @type {HTMLInputElement} */ (each));

/** How many of a pile of items that are alike. @param {HTMLFormElement} form @returns {HTMLInputElement[]} */
const piles = (form) => [...form.querySelectorAll('input[name="many"]')].map((each) => /** @type {HTMLInputElement} */ (each));

/** A whole number within what the pile holds. @param {HTMLInputElement} pile */
const many = (pile) => Math.min(Math.max(0, Math.floor(Number(pile.value)) || 0), Number(pile.max));

/** 12.34 or 12,34 in cents; null when it is no amount. @param {string} text */
export function amount(text) {
  const found = /^(\d{1,9})(?:[.,](\d{1,2}))?$/.exec(text.trim());
  return found ? Number(found[1]) * 100 + Number((found[2] ?? "").padEnd(2, "0")) : null;
}

/** Which of these are ticked for "up to a value": the dearest that still fit, one after the other. @param {number[]} values @param {number} most
 *  @param {number} count */
export function upTo(values, most, count) {
  const order = values.map((_, index) => index).sort((a, b) => values[b] - values[a] || a - b);
  const taken = new Set();
  let sum = 0;
  for (const index of order) {
    if (taken.size < count && sum + values[index] <= most) {
      taken.add(index);
      sum += values[index];
    }
  }
  return taken;
}

/** Looks after the form of a bet, if the page has one. */
export function choose() {
  const form = /** @type {HTMLFormElement|null} */ (part("bet"));
  if (!form) return;
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  let waiting;
  const later = () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => odds(form), PAUSE_MS);
  };
  const changed = () => {
    sums(form);
    later();
  };
  form.addEventListener("change", changed);
  form.addEventListener("input", (event) => {
    if (/** @type {HTMLElement} */ (event.target).matches('input[name="many"]')) changed();
  });
  form.addEventListener("click", (event) => {
    const button = /** @type {HTMLElement} */ (event.target).closest("button[name=choose]");
    if (!button) return;
    event.preventDefault();
    tick(form, button.getAttribute("value") ?? "");
    changed();
  });
  form.addEventListener("submit", (event) => {
    if (event.submitter?.getAttribute("name") === "choose") return;
    event.preventDefault();
    bet(form);
  });
  document.getElementById("round")?.addEventListener("changed", later);
}

/** @param {HTMLFormElement} form @param {string} how */
function tick(form, how) {
  // One entry for each item: a pile stands there as often as it holds some.
  const all = [...boxes(form), ...piles(form).flatMap((pile) => Array(Number(pile.max)).fill(pile))];
  const values = all.map((box) => Number(box.dataset.cents)), most = Number(form.dataset.most);
  const value = amount(/** @type {HTMLInputElement} */ (form.elements.namedItem("up_to")).value);
  if (how === "these" || (how === "value" && value === null)) return;
  const taken = how === "none" ? new Set() : upTo(values, how === "all" ? Infinity : (value ?? 0), most);
  for (const pile of piles(form)) pile.value = String(all.filter((each, index) => each === pile && taken.has(index)).length);
  all.forEach((box, index) => {
    if (box.type === "checkbox") box.checked = taken.has(index);
  });
}

/** @param {HTMLFormElement} form */
function chosen(form) {
  const ticked = boxes(form).filter((box) => box.checked).map((box) => [1, Number(box.dataset.cents)]);
  const counted = [...ticked, ...piles(form).map((pile) => [many(pile), Number(pile.dataset.cents)])];
  return { items: counted.reduce((sum, [count]) => sum + count, 0), sum: counted.reduce((sum, [count, worth]) => sum + count * worth, 0) };
}

/** @param {HTMLFormElement} form */
function sums(form) {
  const { items, sum } = chosen(form), shown = part("chosen"), go = part("go");
  if (shown) shown.textContent = items ? words("chosen", { n: items, cents: cents(sum, language) }) : "";
  if (go) go.textContent = items ? words("bet", { cents: cents(sum, language) }) : words("bet_chosen");
}

/** The odds before the bet. @param {HTMLFormElement} form */
async function odds(form) {
  const { items, sum } = chosen(form), team = new FormData(form).get("team");
  const query = new URLSearchParams({ cents: String(sum), items: String(items), ...(team ? { team: String(team) } : {}) });
  const answer = await fetch(`${form.dataset.odds}?${query}`).catch(() => null);
  const told = answer?.ok ? await answer.json() : null, of = (/** @type {string} */ name) => /** @type {any} */ (form.elements.namedItem(name))?.value;
  // The server tells of the round that is open now; while this page still shows the one before, its numbers would be another round's.
  const found = told && told.lane === of("lane") && String(told.round) === of("round") ? told.odds : null;
  const { items: now, sum: then } = chosen(form);
  if (now !== items || then !== sum) return; // something else was chosen meanwhile
  const show = (/** @type {string} */ name, /** @type {(text: string) => string} */ as) => {
    const element = form.querySelector(`[data-odds="${name}"]`);
    if (element) element.textContent = found?.[name] ? as(found[name]) : "–";
  };
  show("chance", (text) => perCent(BigInt(text.split("/")[0]), BigInt(text.split("/")[1] ?? 1), language));
  show("win", money);
  show("due", (text) => `${money(text)} ${words("in_items")}`);
  show("expected", money);
  form.querySelector('[data-part="hint"]')?.toggleAttribute("hidden", Boolean(found));
  form.querySelector(".look")?.toggleAttribute("hidden", true); // they show by themselves
  form.querySelector('[data-odds="expected"]')?.toggleAttribute("data-loss", Boolean(found?.expected?.startsWith("-")));
}

/** Sends the form. The answer stands at the form. @param {HTMLFormElement} form */
async function bet(form) {
  const go = /** @type {HTMLButtonElement} */ (part("go")), alert = /** @type {HTMLElement} */ (part("alert"));
  const data = new FormData(form);
  const seen = form.elements.namedItem("seen_cents");
  if (!seen) data.set("seen_cents", String(chosen(form).sum));
  go.disabled = true;
  alert.hidden = true;
  const headers = { Accept: "application/json" };
  const body = new URLSearchParams([...data].map(([name, value]) => [name, String(value)]));
  const answer = await fetch(form.action, { method: "POST", headers, body }).catch(() => null);
  const said = await answer?.json().catch(() => null);
  go.disabled = false;
  const token = /** @type {HTMLInputElement} */ (form.elements.namedItem("token"));
  if (said?.next_token) token.value = said.next_token;
  if (answer?.ok) return taken(form, said);
  const sentence = said?.detail ?? words(answer ? "bet_refused" : "no_answer");
  alert.textContent = [sentence, said?.accepted].filter(Boolean).join(" ");
  alert.hidden = false;
}

/** What was bet cannot be bet again. @param {HTMLFormElement} form @param {any} said */
function taken(form, said) {
  say(words(said.answered ? "bet_taken" : "bet_waits"));
  sound("bet");
  keep(said.receipt);
  for (const box of boxes(form)) if (box.checked) box.closest("label")?.remove();
  for (const pile of piles(form)) shrink(pile, many(pile));
  sums(form);
  odds(form);
  document.querySelector(".guide")?.remove(); // the last of its steps is done
}

/** A pile without the first so many of it. @param {HTMLInputElement} pile @param {number} count */
function shrink(pile, count) {
  const tile = /** @type {HTMLElement} */ (pile.closest('[data-part="pile"]')), kept = /** @type {HTMLInputElement} */ (tile.querySelector('[name="pile"]'));
  const [worth, listed = ""] = kept.value.split(":"), left = listed.split(",").slice(count);
  if (!left.length) return tile.remove();
  kept.value = `${worth}:${left.join(",")}`;
  pile.max = String(left.length);
  pile.value = "0";
  const times = tile.querySelector(".times");
  if (times) times.textContent = `×${left.length}`;
}
