// Keeps the list of raffles as it is now: when one of those on the page sells a ticket or ends, the list is loaded anew, soon.

import { live } from "./live.js";

const SPREAD_MS = 700, CHANNELS_MAX = 24;
/** @type {ReturnType<typeof setTimeout>|undefined} */
let loading;

const list = () => /** @type {HTMLElement} */ (document.getElementById("raffles"));
const lanes = () => [.../** @type {NodeListOf<HTMLElement>} */ (list().querySelectorAll("[data-lane]"))].map((each) => each.dataset.lane ?? "");

function refresh() {
  loading ??= setTimeout(load, Math.random() * SPREAD_MS);
}

async function load() {
  loading = undefined;
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    const made = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("raffles");
    if (!answer.ok || !made) throw new Error(String(answer.status));
    const focused = /** @type {HTMLAnchorElement|null} */ (document.activeElement?.closest("#raffles a"))?.getAttribute("href");
    list().replaceChildren(...made.childNodes);
    if (focused) /** @type {HTMLElement|null} */ (list().querySelector(`h2 a[href="${CSS.escape(focused)}"]`))?.focus();
    watch();
  } catch {
    loading = setTimeout(load, 3000 + Math.random() * 3000);
  }
}

/** @type {Set<string>} */
const watched = new Set();

function watch() {
  const now = new Set(lanes().slice(0, CHANNELS_MAX));
  for (const lane of watched) if (!now.has(lane)) live.unwatch(`lane:${lane}`), watched.delete(lane);
  for (const lane of now) {
    if (watched.has(lane)) continue;
    watched.add(lane);
    live.watch(`lane:${lane}`, Number(seq(lane)), refresh, refresh);
  }
}

/** @param {string} lane */
const seq = (lane) => /** @type {HTMLElement} */ (list().querySelector(`[data-lane="${lane}"]`)).dataset.seq;

if (list()) watch();
