// Keeps the page of a room or a round as it is now. Without this script the page works too: it reloads itself.

import { grouped, left } from "./format.js";
import { live } from "./live.js";
import { choose } from "./picker.js";
import { part, RoundPage } from "./round.js";
import { calm, say, sound, soundSwitch } from "./say.js";
import { words } from "./words.js";

const DRAW_MS = 2500, STAY_MS = 6000, SPREAD_MS = 700, DOCKED_MS = 4000;
const REGIONS = ["section.pot", "#round > .left", "#proof"];

/** @type {RoundPage} */
let page;
/** @type {ReturnType<typeof setTimeout>|undefined} */
let loading;
let anew = false;

const root = () => /** @type {HTMLElement} */ (document.getElementById("round"));
const lane = () => root().dataset.lane ?? "";

/** @param {string} address */
async function fetched(address) {
  const answer = await fetch(address, { headers: { Accept: "text/html" } });
  if (!answer.ok) throw new Error(String(answer.status));
  const found = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("round");
  if (!found) throw new Error("no round");
  return found;
}

/** Takes over what the server made. @param {HTMLElement} made @param {string[]} regions */
function take(made, regions) {
  for (const name of regions) {
    const [there, fresh] = [document.querySelector(name), made.ownerDocument.querySelector(name)];
    if (!there || !fresh) continue;
    for (const each of fresh.attributes) if (each.value !== there.getAttribute(each.name)) there.setAttribute(each.name, each.value);
    const kept = name === "section.pot" ? there.querySelector(".next-rules") : null;
    there.replaceChildren(...fresh.childNodes);
    if (kept && !there.querySelector(".next-rules")) there.querySelector("header")?.append(kept);
  }
  const { seq, phase, takesBets } = made.dataset;
  Object.assign(root().dataset, { seq, phase, items: made.dataset.items ?? "0" });
  root().toggleAttribute("data-takes-bets", takesBets !== undefined);
  page = new RoundPage(root());
  const go = /** @type {HTMLButtonElement|null} */ (part("go"));
  if (go) go.disabled = takesBets === undefined;
}

/** Loads the round anew, soon: many pages ask for it at the same moment. */
function refresh() {
  loading ??= setTimeout(load, Math.random() * SPREAD_MS);
}

async function load() {
  loading = undefined;
  const { room, round } = root().dataset;
  try {
    const made = await fetched(`/rooms/${room}/${lane()}/${round}`);
    const said = part("status")?.textContent, drew = part("drawn")?.hidden; // as it is now: more may have been said meanwhile
    take(made, REGIONS);
    if (said && root().dataset.phase !== "game") say(said);
    if (drew && !part("drawn")?.hidden) draw();
    if (anew) watch();
    anew = false;
  } catch {
    loading = setTimeout(load, 2000 + Math.random() * 2000);
  }
}

/** To the round that takes bets, when this one has been looked at. */
async function next() {
  try {
    const made = await fetched(`/rooms/${root().dataset.room}`), old = lane();
    root().replaceWith(made);
    page = new RoundPage(root());
    if (lane() !== old) live.unwatch(`lane:${old}`);
    watch();
    choose();
  } catch {
    setTimeout(next, 3000 + Math.random() * 2000);
  }
}

/** Watches the lane from where the page is. */
function watch() {
  live.watch(`lane:${lane()}`, page.seq, told, () => {
    anew = true;
    refresh();
  });
}

/** The ruler zooms into the drawn ticket: where it ends is known when it begins. Who has scrolled away from it sees it all the same. */
function draw() {
  const svg = /** @type {SVGElement|null} */ (document.querySelector("#round svg.ruler"));
  if (!svg?.querySelector(".hit.first")) return;
  const docked = inView(svg) ? null : dock(svg);
  if (calm()) return;
  sound("draw");
  zoomInto(docked ?? svg);
}

/** @param {Element} element */
function inView(element) {
  const { top, bottom } = element.getBoundingClientRect();
  return top >= 0 && bottom <= innerHeight;
}

/** A copy of the ruler with what was drawn, at the head of the window for some seconds; nothing on the page moves for it. @param {SVGElement} svg */
function dock(svg) {
  document.getElementById("docked")?.remove();
  const made = document.createElement("aside"), copy = /** @type {SVGElement} */ (svg.cloneNode(true)), text = part("drawn")?.cloneNode(true);
  made.id = "docked";
  made.setAttribute("aria-hidden", "true"); // the same stands on the page, and was said
  made.append(copy, ...(text ? [text] : []));
  document.body.append(made);
  setTimeout(() => made.remove(), DRAW_MS + DOCKED_MS);
  return copy;
}

/** @param {SVGElement} svg */
function zoomInto(svg) {
  const hit = /** @type {Element} */ (svg.querySelector(".hit.first"));
  svg.style.transformOrigin = `${hit.getAttribute("x1")} 50%`;
  svg.classList.add("zooming");
  const frames = [{ transform: "scaleX(1)" }, { transform: "scaleX(6)" }];
  const zoom = svg.animate(frames, { duration: DRAW_MS, easing: "cubic-bezier(.08,.8,.2,1)", fill: "forwards" });
  zoom.finished.then(() => setTimeout(() => (zoom.cancel(), svg.classList.remove("zooming")), 1200), () => {});
}

/** @param {any} said */
function told(said) {
  const { kind, body } = said;
  const shown = said.seq <= page.seq; // the region was loaded since: it is there, but has not been said
  page.seq = Math.max(page.seq, said.seq);
  root().dataset.seq = String(page.seq);
  if (body.round !== page.round) {
    if (kind === "opened_round" && !("fixed" in root().dataset)) next();
    return;
  }
  if (kind === "bet") {
    if (!shown && !page.bet(said)) refresh();
    sound("bet");
    root().dispatchEvent(new Event("changed"));
  } else if (kind === "timer") {
    page.timer(body.deadline_ms);
    if (page.seats.length === 2) say(words("second"));
  } else {
    once(kind, body);
    if (!shown) refresh();
  }
}

/** What happens once in a round: text first. @param {string} kind @param {any} body */
function once(kind, body) {
  if (kind === "closed") say(words("closed"));
  if (kind === "drawn" && body.winners.length) {
    const { user_id: user, ticket } = body.winners[0], seat = page.seats.find((each) => each.user === String(user));
    const who = String(user) === root().dataset.you ? words("you_won") : words("winner", { name: seat?.name ?? user });
    const all = part("ruler")?.dataset.tickets ?? "";
    say(`${ticket === null ? "" : `${words("drawn", { ticket: grouped(ticket), all: grouped(Number(all)) })} `}${who}`);
  }
  if (kind === "void") say(words("void"));
  if (kind !== "sealed") return;
  say(words("paid"));
  if (!("fixed" in root().dataset)) setTimeout(next, STAY_MS + Math.random() * SPREAD_MS);
}

/** Another lane of the room takes bets while this one is drawn: a way there, and nobody is torn away. @param {any} said */
function roomTold(said) {
  document.getElementById("next-open")?.remove();
  if (!said.lane || said.lane === lane() || "fixed" in root().dataset || root().dataset.phase === "game") return;
  if (root().dataset.phase === "warmup") return void next();
  const way = document.createElement("a");
  Object.assign(way, { id: "next-open", className: "chip", href: `/rooms/${root().dataset.room}`, textContent: words("next_open") });
  document.querySelector("#round .right")?.prepend(way);
}

let lastLeft = -1;
function tick() {
  const clock = part("clock"), deadline = Number(clock?.dataset.deadlineMs);
  if (!clock || !deadline || root().dataset.phase !== "game") return;
  const ms = deadline - (Date.now() + live.ahead), seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds === lastLeft) return;
  lastLeft = seconds;
  clock.textContent = left(ms);
  if ([30, 10, 5].includes(seconds)) say(words("left", { n: seconds }));
  if (seconds === 10) sound("soon");
}

function start() {
  page = new RoundPage(root());
  live.ahead = Number(root().dataset.nowMs) - Date.now();
  live.say = (text, bad) => {
    document.documentElement.toggleAttribute("data-lost", bad);
    say(text);
  };
  if (root().dataset.phase !== "sealed" || !("fixed" in root().dataset)) {
    watch();
    live.watch(`room:${root().dataset.room}`, null, roomTold, () => {});
  }
  setInterval(tick, 250);
  soundSwitch();
  choose();
}

if (root()) start();
