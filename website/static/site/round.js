// One round as it stands on a page: read from what the server made, changed by messages, by the same functions (W20). What is worked out
// here is what happens many times in a round, a bet; what happens once (the close, the draw, the end) is loaded from the server anew.

import { cents, edge, exactly, grouped, perCent, short, stretches, ticks } from "./format.js";
import { language, words } from "./words.js";

const SHOWN = 100;
const LOOKS = 8;
const SVG = "http://www.w3.org/2000/svg";

/** @param {string} name @returns {HTMLElement|null} */
export const part = (name) => document.querySelector(`#round [data-part="${name}"]`);
/** @param {number} amount */
const money = (amount) => cents(amount, language);

/** How many tickets an item on the page has. @param {DOMStringMap} dataset */
const count = ({ first, last }) => (last ? Number(last) - Number(first) + 1 : 0);

/** @param {string} name @param {Record<string, string|number>} attributes @param {string} [text] */
function drawn(name, attributes, text) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  if (text !== undefined) made.textContent = text;
  return made;
}

/** Changes the text of an element, and leaves what stands behind it ("of 80"). @param {HTMLElement|null} element @param {string} text */
function write(element, text) {
  if (!element) return;
  const more = element.querySelector("small");
  element.textContent = more ? `${text} ` : text;
  if (more) element.append(more);
}

export class RoundPage {
  /** @param {HTMLElement} root */
  constructor(root) {
    this.root = root;
    this.seq = Number(root.dataset.seq);
    this.round = Number(root.dataset.round);
    this.pot = 0;
    /** @type {{user: string, name: string, look: number, cents: number, tickets: number, row: HTMLElement}[]} */
    this.seats = [];
    /** @type {{user: string, first: number, tickets: number}[]} */
    this.held = [];
    this.read();
  }

  /** From the page. */
  read() {
    for (const row of /** @type {NodeListOf<HTMLElement>} */ (this.root.querySelectorAll('[data-part="players"] > li'))) {
      const { user = "", look, cents: amount, tickets } = row.dataset;
      const name = row.querySelector("b")?.textContent ?? "";
      this.seats.push({ user, name, look: Number(look), cents: Number(amount), tickets: Number(tickets), row });
    }
    const items = /** @type {NodeListOf<HTMLElement>} */ (this.root.querySelectorAll('[data-part="items"] > li'));
    for (const { dataset } of [...items].reverse())
      this.held.push({ user: dataset.user ?? "", first: Number(dataset.first), tickets: count(dataset) });
    this.pot = this.seats.reduce((sum, seat) => sum + seat.cents, 0);
  }

  /** Whether a bet can be worked out here: one table of rates, one pot, all items on the page. */
  get simple() {
    const { mode, playerLimit } = this.root.dataset;
    return mode === "classic" && !playerLimit && this.held.length < SHOWN && this.held.length === this.items;
  }

  get items() {
    return this.seats.length ? Number(this.root.dataset.items) : 0;
  }

  /** From a message. False: it has to be loaded. @param {any} said */
  bet(said) {
    const { body } = said;
    if (!this.simple || this.held.length + body.items.length > SHOWN) return false;
    const user = String(body.user_id), seat = this.seat(user, said.who?.[user]?.name ?? user, said.who?.[user]?.picture);
    for (const [index, item] of body.items.entries()) {
      seat.cents += item.price;
      seat.tickets += item.tickets;
      this.held.push({ user, first: item.first_ticket, tickets: item.tickets });
      this.item(seat, body.number + index, item, said.what?.[item.item_id]);
    }
    this.pot = body.pot;
    this.root.dataset.items = String(this.held.length);
    this.numbers(body.tickets);
    this.players(body.tickets);
    this.ruler(body.tickets);
    this.status(seat, body.items.at(-1), said.what?.[body.items.at(-1).item_id]?.name ?? "");
    this.log(body.logs.at(-1));
    return true;
  }

  /** The seat of a user, a new one if need be. @param {string} user @param {string} name @param {string} [picture] */
  seat(user, name, picture) {
    const there = this.seats.find((each) => each.user === user);
    if (there) return there;
    const you = user === this.root.dataset.you, look = you ? 0 : (this.seats.length % LOOKS) + 1;
    const template = /** @type {HTMLTemplateElement} */ (document.getElementById("player-row"));
    const row = /** @type {HTMLElement} */ (template.content.firstElementChild?.cloneNode(true));
    row.dataset.user = user;
    row.dataset.look = String(look);
    if (you) row.className = "you";
    row.querySelector("use")?.setAttribute("href", `#face-${look}`);
    const image = row.querySelector("img");
    if (image && picture) {
      image.src = picture;
      image.hidden = false;
    } else row.querySelector(".who-is")?.replaceWith(/** @type {Element} */ (row.querySelector("svg")));
    part("players")?.append(row);
    const made = { user, name: you ? words("you") : name, look, cents: 0, tickets: 0, row };
    this.seats.push(made);
    this.root.querySelector(".nobody")?.setAttribute("hidden", "");
    return made;
  }

  /** @param {number} tickets */
  players(tickets) {
    for (const { row, name, cents: amount, tickets: own } of this.seats) {
      row.dataset.cents = String(amount);
      row.dataset.tickets = String(own);
      /** @type {HTMLElement} */ (row.querySelector("b")).textContent = name;
      /** @type {HTMLElement} */ (row.querySelector(".cents")).textContent = money(amount);
      const chance = /** @type {HTMLElement} */ (row.querySelector(".chance"));
      const [n, d] = tickets ? [BigInt(own), BigInt(tickets)] : [0n, 1n];
      chance.textContent = perCent(n, d, language);
      chance.title = exactly(n, d);
    }
  }

  /** @param {{user: string, name: string, look: number}} seat @param {number} place @param {any} item @param {any} [kind] */
  item(seat, place, item, kind) {
    const template = /** @type {HTMLTemplateElement} */ (document.getElementById("item-row"));
    const row = /** @type {HTMLElement} */ (template.content.firstElementChild?.cloneNode(true));
    row.classList.add(kind?.rarity ?? "rarity-none");
    const first = item.first_ticket, end = item.tickets ? String(first + item.tickets - 1) : "";
    Object.assign(row.dataset, { place: String(place), user: seat.user, first: String(first), last: end });
    const image = row.querySelector("img"), [weapon = "", ...finish] = (kind?.name ?? "").split(" | ");
    if (image && kind?.picture) {
      image.src = kind.picture;
      image.hidden = false;
      row.querySelector(".plain-item")?.remove();
    } else image?.remove();
    const named = /** @type {HTMLElement} */ (row.querySelector("p")), last = item.first_ticket + item.tickets - 1;
    named.prepend(weapon);
    /** @type {HTMLElement} */ (named.querySelector("span")).textContent = finish.join(" | ");
    row.querySelector(".price")?.replaceWith(money(item.price));
    const code = /** @type {HTMLElement} */ (row.querySelector("code"));
    code.textContent = item.tickets ? `${grouped(item.first_ticket)}–${grouped(last)}` : "";
    const whose = /** @type {HTMLElement} */ (row.querySelector(".whose"));
    whose.title = seat.name;
    whose.querySelector("use")?.setAttribute("href", `#face-${seat.look}`);
    /** @type {HTMLElement} */ (whose.querySelector(".sr")).textContent = seat.name;
    part("items")?.prepend(row);
  }

  /** @param {number} tickets */
  numbers(tickets) {
    write(part("pot"), money(this.pot));
    write(part("player-count"), String(this.seats.length));
    write(part("item-count"), grouped(this.held.length));
    const share = edge(this.seats, this.pot, JSON.parse(this.root.dataset.rates || "[]"));
    const shown = part("edge");
    if (share && shown) {
      shown.textContent = perCent(...share, language);
      shown.title = exactly(...share);
    }
    write(part("state"), words("open"));
    part("ruler")?.setAttribute("data-tickets", String(tickets));
  }

  /** @param {number} all */
  ruler(all) {
    const svg = this.root.querySelector("svg.ruler");
    if (!svg || !all) return;
    const at = (/** @type {number} */ ticket) => `${((100 * ticket) / all).toFixed(4)}%`;
    const made = [];
    for (const { user, first, tickets } of stretches(this.held)) {
      const seat = this.seat(user, user), width = (100 * tickets) / all, x = at(first);
      const size = { x, y: 30, width: `${width.toFixed(4)}%`, height: 56 };
      const rect = drawn("rect", { class: "stretch", "data-user": user, ...size, fill: `url(#fill-${seat.look})` });
      rect.append(drawn("title", {}, `${seat.name} ${grouped(first)}–${grouped(first + tickets - 1)}`));
      made.push(rect);
      if (!seat.look) made.push(drawn("rect", { class: "you", x, y: 25, width: size.width, height: 66, rx: 6 }));
      const name = seat.name.length > 14 ? `${seat.name.slice(0, 13)}…` : seat.name;
      if (width >= 7) made.push(drawn("text", { class: width < 22 ? "name small-part" : "name", x, dx: 6, y: 18 }, name));
    }
    for (const { ticket, long, anchor } of ticks(all)) {
      made.push(drawn("line", { class: "tick", x1: at(ticket), x2: at(ticket), y1: 93, y2: long ? 101 : 97 }));
      if (long) made.push(drawn("text", { x: at(ticket), y: 117, "text-anchor": anchor }, grouped(ticket)));
    }
    made.push(drawn("text", { x: "100%", y: 117, "text-anchor": "end" }, `${grouped(all)} ${words("tickets")}`));
    svg.replaceChildren(...made);
  }

  /** @param {{name: string}} seat @param {any} item @param {string} name */
  status(seat, item, name) {
    const who = document.createElement("b");
    who.textContent = seat.name;
    part("status")?.replaceChildren(who, ` · ${name} ${money(item.price)}`);
  }

  /** @param {string} hash */
  log(hash) {
    const shown = part("log");
    if (!shown) return;
    shown.textContent = `${words("log")} ${short(hash)}`;
    shown.title = hash;
  }

  /** The clock runs. @param {number} deadline */
  timer(deadline) {
    const clock = part("clock");
    if (!clock) return;
    clock.dataset.deadlineMs = String(deadline);
    const name = clock.parentElement?.querySelector("dt");
    if (name) name.textContent = words("closes_in");
  }
}
