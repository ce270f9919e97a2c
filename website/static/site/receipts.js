// Receipts of bets: kept in this browser when a bet is taken, and held against the record once the round is sealed. What the house shows
// later is compared with what it said then.

import { misfit } from "./verify/receipt.js";
import { words } from "./words.js";

const KEPT_UNDER = "receipts";
const KEPT_MAX = 60;

/** @returns {string[]} as JSON, the oldest first */
function kept() {
  try {
    const found = JSON.parse(localStorage.getItem(KEPT_UNDER) ?? "[]");
    return Array.isArray(found) ? found.filter((each) => typeof each === "string") : [];
  } catch {
    return [];
  }
}

/** A receipt as the site gave it just now. @param {object|null|undefined} receipt */
export function keep(receipt) {
  if (!receipt) return;
  try {
    localStorage.setItem(KEPT_UNDER, JSON.stringify([...kept(), JSON.stringify(receipt)].slice(-KEPT_MAX)));
  } catch {
    // no room, or no storage: the receipt can still be downloaded
  }
}

/** Which bet of which round, and of whom. @param {string} receipt */
function named(receipt) {
  try {
    const { room, round, bet, user_id: user } = JSON.parse(receipt);
    return { round: `${room}/${round}`, bet: String(bet), user: String(user) };
  } catch {
    return { round: "", bet: "", user: "" };
  }
}

/** Own receipts of a round: those that this browser kept, and of the others what the page says. @param {string} round @param {string} you @param {string[]} told */
function own(round, you, told) {
  const found = new Map();
  for (const each of [...told, ...kept()]) {
    const { round: of, bet, user } = named(each);
    if (of === round && user === you) found.set(bet, each); // what was kept here comes last, and counts
  }
  return [...found];
}

/** @param {HTMLElement} section with `data-record` and a list `.receipts` */
async function compare(section) {
  const list = /** @type {HTMLElement|null} */ (section.querySelector(".receipts")), root = document.getElementById("round");
  const { lane, round, you } = root?.dataset ?? {}, address = section.dataset.record;
  if (!list || !address || !you) return;
  const bets = own(`${lane}/${round}`, you, JSON.parse(list.dataset.receipts || "[]"));
  if (!bets.length) return;
  const answer = await fetch(address).catch(() => null);
  if (!answer?.ok) return;
  const bytes = new Uint8Array(await answer.arrayBuffer());
  list.replaceChildren(...bets.map(([bet, receipt]) => line(bet, misfit(receipt, bytes))));
}

/** @param {string} bet @param {string} why */
function line(bet, why) {
  const item = document.createElement("li");
  item.dataset.state = why ? "lie" : "good";
  item.textContent = why ? words("receipt_lie", { bet, why }) : words("receipt_good", { bet });
  return item;
}

if (globalThis.document) document.addEventListener("proof", (event) => compare(/** @type {HTMLElement} */ (event.target)));
