// Buying tickets without leaving the page: the chance follows the number, the form is sent and answered here. Without this script the
// number is sent to the page, which shows the chance, and a purchase has a page of its own.

import { cents, exactly, perCent } from "./format.js";
import { language } from "./words.js";

/** @param {string} name @returns {HTMLElement|null} */
const part = (name) => document.querySelector(`#bet [data-part="${name}"]`);

const ask = /** @type {HTMLFormElement|null} */ (part("how-many"));
const form = /** @type {HTMLFormElement|null} */ (part("buy"));

/** @param {string} name */
const input = (name) => /** @type {HTMLInputElement} */ (form?.elements.namedItem(name));
const asked = () => /** @type {HTMLInputElement} */ (ask?.elements.namedItem("quantity"));

/** What the number would cost and bring, from what the server last told. */
function show() {
  const pot = /** @type {HTMLElement} */ (document.querySelector("section.pot")).dataset;
  const quantity = Number(asked().value), total = Number(pot.total), own = Number(pot.own), may = Number(pot.may);
  const sensible = Number.isInteger(quantity) && quantity >= 1 && quantity <= may;
  asked().max = pot.may ?? "";
  input("quantity").value = sensible ? String(quantity) : "";
  /** @type {HTMLButtonElement} */ (part("go")).disabled = !sensible || document.getElementById("round")?.dataset.phase !== "game";
  const [cost, chance] = [part("cost"), part("chance")];
  if (!sensible || !cost || !chance) return;
  cost.textContent = cents(quantity * Number(pot.price), language);
  chance.textContent = perCent(BigInt(own + quantity), BigInt(total), language);
  chance.title = exactly(BigInt(own + quantity), BigInt(total));
}

/** @param {string} name @param {string} text */
function tell(name, text) {
  for (const each of ["alert", "bought"]) {
    const shown = part(each);
    if (!shown) continue;
    shown.textContent = each === name ? text : "";
    shown.hidden = each !== name;
  }
}

/** @param {SubmitEvent} event */
async function buy(event) {
  event.preventDefault();
  if (!form || !input("quantity").value) return;
  const button = /** @type {HTMLButtonElement} */ (part("go"));
  button.disabled = true;
  try {
    const answer = await fetch(form.action, { method: "POST", body: new FormData(form), headers: { Accept: "application/json" } });
    const said = await answer.json();
    if (said.next_token) input("token").value = said.next_token;
    for (const each of document.querySelectorAll('[data-part="balance"]'))
      if (said.balance !== undefined) each.textContent = cents(said.balance, language);
    if (said.state === "new") location.assign(said.address);
    else if (answer.ok) tell("bought", said.title);
    else tell("alert", said.detail ?? said.title ?? String(answer.status));
  } catch {
    form.submit();
  }
  show();
}

if (ask && form) {
  ask.querySelector("button")?.setAttribute("hidden", "");
  ask.addEventListener("input", show);
  ask.addEventListener("submit", (event) => (event.preventDefault(), form.requestSubmit()));
  form.addEventListener("submit", buy);
  const pot = document.querySelector("section.pot");
  if (pot) new MutationObserver(show).observe(pot, { attributes: true });
  show();
}
