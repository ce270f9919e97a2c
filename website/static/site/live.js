// The socket of a page: one for all its channels, opened again when it is cut, with the number of the last message that is known, so
// nothing is missing and nothing comes twice. Where sockets are cut again and again, lanes are asked for by plain requests.

import { words } from "./words.js";

const FIRST_MS = 500, MOST_MS = 15_000, CUTS_MAX = 4, PING_MS = 20_000, SILENT_MS = 45_000;
const OVER = new Set([4001, 4003, 1008]);

/** @typedef {{after: number|null, told: (said: any) => void, again: () => void}} Watched */

export class Live {
  constructor() {
    /** @type {Map<string, Watched>} */
    this.channels = new Map();
    /** @type {WebSocket|null} */
    this.socket = null;
    this.cuts = 0;
    this.lost = false;
    this.heard = 0;
    /** By how much the server's clock is ahead of this one. */
    this.ahead = 0;
    /** @type {(text: string, bad: boolean) => void} */
    this.say = () => {};
    setInterval(() => this.ping(), PING_MS);
  }

  /** Watch a channel from a number on. `again` is called when the page's region is to be loaded anew.
   *  @param {string} name @param {number|null} after @param {(said: any) => void} told @param {() => void} again */
  watch(name, after, told, again) {
    this.channels.set(name, { after, told, again });
    if (!this.socket) this.open();
    else if (this.socket.readyState === WebSocket.OPEN) this.sub(name);
  }

  /** @param {string} name */
  unwatch(name) {
    if (this.channels.delete(name)) this.send({ op: "unsub", ch: name });
  }

  /** @param {object} said */
  send(said) {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(said));
  }

  /** @param {string} name */
  sub(name) {
    const after = this.channels.get(name)?.after;
    this.send({ op: "sub", ch: name, ...(after === null || after === undefined ? {} : { after }) });
  }

  open() {
    const opened = new WebSocket(new URL("/live", location.href.replace(/^http/, "ws")), "site.v1");
    this.socket = opened;
    opened.onopen = () => {
      this.heard = Date.now();
      this.ping();
      for (const name of this.channels.keys()) this.sub(name);
    };
    opened.onmessage = (event) => this.message(JSON.parse(event.data));
    opened.onclose = (event) => this.closed(event.code);
  }

  ping() {
    if (this.socket?.readyState === WebSocket.OPEN && Date.now() - this.heard > SILENT_MS) this.socket.close();
    this.send({ op: "ping", t: Date.now() });
  }

  /** @param {any} said */
  message(said) {
    this.heard = Date.now();
    if (said.is === "pong") {
      this.ahead = said.server_ms - (said.t + Date.now()) / 2;
      return;
    }
    const watched = this.channels.get(said.ch);
    if (!watched) return;
    if (said.is === "sub" || said.is === "state") this.connected();
    if (said.is === "later") setTimeout(() => this.sub(said.ch), 1000 + Math.random() * 2000);
    else if (said.is === "resync") watched.again();
    else if (said.is === "state") watched.told(said);
    else if (said.is === "sub" && watched.after === null) watched.after = said.seq;
    else if (said.kind) this.told(watched, said);
  }

  /** A message that is known already changes nothing; after one that does not follow, the rest is asked for again.
   *  @param {Watched} watched @param {any} said */
  told(watched, said) {
    if (watched.after !== null && said.seq <= watched.after) return;
    if (watched.after !== null && said.seq !== watched.after + 1) return this.sub(said.ch);
    watched.after = said.seq;
    watched.told(said);
  }

  connected() {
    this.cuts = 0;
    if (this.lost) this.say(words("back"), false);
    this.lost = false;
  }

  /** @param {number} code */
  closed(code) {
    this.socket = null;
    if (OVER.has(code)) return;
    this.cuts += 1;
    if (this.cuts > 1 && !this.lost) {
      this.lost = true;
      this.say(words("lost"), true);
    }
    const most = code === 1012 ? 3000 : Math.min(MOST_MS, FIRST_MS * 2 ** this.cuts);
    setTimeout(() => (this.cuts > CUTS_MAX ? this.poll() : this.open()), Math.random() * most);
  }

  /** Plain requests, for a while; then a socket is tried again. */
  async poll() {
    const until = Date.now() + 60_000;
    const lanes = [...this.channels].filter(([name]) => name.startsWith("lane:"));
    while (Date.now() < until && lanes.some(([name]) => this.channels.has(name))) {
      if (!(await Promise.all(lanes.map(([name, watched]) => this.polled(name, watched)))).every(Boolean)) break;
    }
    this.open();
  }

  /** @param {string} name @param {Watched} watched */
  async polled(name, watched) {
    try {
      const answer = await fetch(`/api/v1/lanes/${name.slice(5)}/messages?after=${watched.after ?? 0}&wait=25`);
      if (!answer.ok) return false;
      const said = await answer.json();
      this.connected();
      if (said.resync) watched.again();
      else for (const each of said.messages) this.told(watched, each);
      return !said.resync;
    } catch {
      return false;
    }
  }
}

export const live = new Live();
