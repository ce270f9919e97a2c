"use strict";
// The page is whole without scripts. With them it asks for itself every few seconds, and says how many are chosen.
// While nobody looks, or something is being filled in, it does not ask: what was typed would be lost.
const filledIn = (live) => live.querySelector("details[data-hold][open]") || live.contains(document.activeElement?.closest("input:not([type=checkbox]), select, textarea"));

document.addEventListener("htmx:beforeRequest", (event) => {
  const live = event.detail.elt;
  if (live.hasAttribute("data-live") && (document.hidden || filledIn(live))) event.preventDefault();
});

const formOf = (box) => box.form;
const picks = (form) => [...form.elements].filter((each) => each.type === "checkbox" && !("every" in each.dataset));

function count(form) {
  const shown = form.querySelector("[data-chosen]");
  if (!shown) return;
  const chosen = picks(form).filter((each) => each.checked).length;
  shown.textContent = chosen ? `${chosen} chosen` : "";
}

document.addEventListener("change", (event) => {
  const box = event.target, form = box.type === "checkbox" && formOf(box);
  if (!form) return;
  if ("every" in box.dataset) for (const each of picks(form)) each.checked = box.checked;
  else if (!box.checked) for (const each of form.querySelectorAll("[data-every]")) each.checked = false;
  count(form);
});

document.addEventListener("htmx:afterSettle", () => document.querySelectorAll("form.acts").forEach(count));
window.addEventListener("pageshow", () => document.querySelectorAll("form.acts").forEach(count));
