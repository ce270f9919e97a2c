// The page of one file (verify.html, built by `python -m website.proof`): a record is dropped or chosen, and checked without any
// network. It can be kept, and run on a machine that has never seen the site.

import { check } from "./check.js";
import { show, state } from "./show.js";

const root = document.documentElement;
const section = /** @type {HTMLElement} */ (document.querySelector("[data-record]"));
const chosen = /** @type {HTMLInputElement} */ (document.querySelector("#record"));
const trusted = /** @type {HTMLTextAreaElement} */ (document.querySelector("#trusted"));
const place = /** @type {HTMLElement} */ (document.querySelector("#drop"));
/** @type {File|null} */
let file = null;

/** Read the file anew each time: it may have changed, and so may what the reader trusts. */
async function prove() {
  if (!file) return;
  section.hidden = false;
  section.dataset.record = file.name;
  state(section, "checking");
  try {
    const bytes = new Uint8Array(await file.arrayBuffer());
    await new Promise((done) => setTimeout(done));
    show(section, check(bytes, trusted.value.split(/\s+/).filter(Boolean)));
  } catch {
    state(section, "away");
  }
}

/** @param {FileList|null|undefined} files */
function take(files) {
  file = files?.[0] ?? null;
  prove();
}

/** @param {string} language */
function speak(language) {
  root.lang = language;
  prove();
}

chosen.addEventListener("change", () => take(chosen.files));
trusted.addEventListener("change", prove);
for (const button of /** @type {NodeListOf<HTMLButtonElement>} */ (document.querySelectorAll("[data-language]"))) {
  button.addEventListener("click", () => speak(button.dataset.language ?? "en"));
}
for (const kind of ["dragover", "dragleave", "drop"]) {
  document.addEventListener(kind, (event) => {
    event.preventDefault(); // a file that misses the frame must not be opened in the place of this page
    place.toggleAttribute("data-over", kind === "dragover");
  });
}
document.addEventListener("drop", (event) => take(event.dataTransfer?.files));
speak(navigator.language.startsWith("ru") ? "ru" : "en");
