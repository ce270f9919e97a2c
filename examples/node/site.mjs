// The same in JavaScript, with nothing but Node 18: fetch against the HTTP API. README.md says how to run it.
import { createHmac, randomUUID, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";

const { FLEET, FLEET_KEY, WEBHOOK_SECRET, PORT = "8081", SITE = `http://127.0.0.1:${PORT}`, OPENID = "{}" } = process.env;

class Problem extends Error {
  constructor(status, document) {
    super(`${status} ${document.code}: ${document.detail}`);
    Object.assign(this, { status, ...document });
  }
}

// One call. What moves items has a key and is sent again with it until there is an answer: it is done once.
export async function call(method, path, body, key) {
  const headers = { Authorization: `Bearer ${FLEET_KEY}`, "Content-Type": "application/json" };
  if (key) headers["Idempotency-Key"] = key;
  for (let tries = 1; ; tries++) {
    const again = method === "GET" || key;
    const answer = await fetch(FLEET + path, {
      method, headers, redirect: "error", body: body && JSON.stringify(body), signal: AbortSignal.timeout(65_000),
    }).catch((error) => error);
    if (answer instanceof Error && !(again && tries < 5)) throw answer;
    if (!(answer instanceof Error)) {
      const document = await answer.json();
      if (answer.ok) return document;
      if (!(document.retryable && again && tries < 5)) throw new Problem(answer.status, document);
    }
    const seconds = (answer.headers && Number(answer.headers.get("retry-after"))) || 2 ** tries * 0.2 * Math.random();
    await new Promise((done) => setTimeout(done, Math.min(seconds, 20) * 1000));
  }
}

// A player's day: the items with their values, a deposit, the check of its offer, its end, and the item back again.
export async function day(steam_id, trade_url) {
  const player = { user_id: `player-${steam_id}`, steam_id, trade_url };
  const { items } = await call("POST", "/inventory", { steam_id, trade_url });
  const wanted = items.filter((item) => item.acceptable).slice(0, 1);
  for (const item of wanted) console.log(`item ${item.market_hash_name} ${item.value_cents}`);
  const asset_ids = wanted.map((item) => item.asset_id);
  const deposit = await call("POST", "/deposit?wait=25", { ...player, asset_ids }, randomUUID());
  const checked = await call("POST", "/verify", { token: deposit.trades[0].token, steam_id });
  console.log(`verify ${checked.ok || checked.reason}`);
  await follow(deposit.trades[0].trade_id, ["settled"]);
  const deposit_ids = deposit.trades[0].items.map((item) => item.deposit_id);
  const withdrawal = await call("POST", "/withdraw?wait=25", { ...player, deposit_ids }, randomUUID());
  await follow(withdrawal.trades[0].trade_id, ["accepted", "settled"]);
}

// The feed is read on from the last number; store it, and nothing is missed.
async function follow(trade_id, ends) {
  for (let after = 0; ; ) {
    const page = await call("GET", `/events?after=${after}&wait=25`);
    after = page.next;
    if (page.events.every((event) => event.trade_id !== trade_id)) continue;
    const trade = await call("GET", `/trade/${trade_id}`);
    console.log(`${trade.direction} ${trade.status}`);
    if (ends.includes(trade.status)) return trade;
    if (trade.failure || ["declined", "countered", "expired", "canceled", "reversed"].includes(trade.status)) throw new Error(trade.status);
  }
}

// Webhooks: the raw body, the time and the id are signed; the comparison takes the same time whatever is wrong.
export function genuine(headers, body, now = Date.now() / 1000) {
  const { "webhook-id": id, "webhook-timestamp": sent, "webhook-signature": signatures } = headers;
  if (!id || !signatures || !(Math.abs(now - Number(sent)) <= 300)) return false;
  const key = Buffer.from(WEBHOOK_SECRET.replace(/^whsec_/, ""), "base64");
  const right = createHmac("sha256", key).update(`${id}.${sent}.`).update(body).digest();
  return signatures.split(" ").some((one) => {
    const given = Buffer.from(one.replace(/^v1,/, ""), "base64");
    return one.startsWith("v1,") && given.length === right.length && timingSafeEqual(given, right);
  });
}

// Signing in through Steam. Nothing of the answer is believed before Steam itself has said that it signed it just now.
const STEAM = { endpoint: "https://steamcommunity.com/openid/login", identity_prefix: "https://steamcommunity.com/openid/id/", ...JSON.parse(OPENID) };
const NS = "http://specs.openid.net/auth/2.0", SELECT = `${NS}/identifier_select`;
const SIGNED = "signed,op_endpoint,claimed_id,identity,return_to,response_nonce,assoc_handle";
const FIELDS = ["ns", "mode", "op_endpoint", "claimed_id", "identity", "return_to", "response_nonce", "assoc_handle", "signed", "sig"];
const nonces = new Map(); // of one process; several keep them in a table with a unique column
const returnTo = (state) => `${SITE}/signed-in?state=${state}`;

export function signInUrl(state) {
  const asked = { ns: NS, mode: "checkid_setup", return_to: returnTo(state), realm: SITE, identity: SELECT, claimed_id: SELECT };
  return `${STEAM.endpoint}?${new URLSearchParams(Object.entries(asked).map(([name, value]) => [`openid.${name}`, value]))}`;
}

// The player's SteamID64. `state` is that of this browser's cookie.
export async function signedIn(query, state, now = Date.now()) {
  const pairs = [...new URLSearchParams(query)];
  const names = pairs.map(([name]) => name);
  const found = Object.fromEntries(pairs.filter(([name]) => name.startsWith("openid.")).map(([name, value]) => [name.slice(7), value]));
  const id = found.claimed_id?.startsWith(STEAM.identity_prefix) && /^(7656[0-9]{13})\/?$/.exec(found.claimed_id.slice(STEAM.identity_prefix.length));
  const made = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)[!-~]{0,200}$/.exec(found.response_nonce ?? "");
  const age = made ? now - Date.parse(made[1]) : NaN;
  const good = new Set(names).size === names.length && !decodeURIComponent(query).includes("\0")
    && FIELDS.every((name) => name in found) && Object.keys(found).length === FIELDS.length && names.length === FIELDS.length + 1
    && found.mode === "id_res" && found.ns === NS && found.op_endpoint === STEAM.endpoint && found.claimed_id === found.identity && id
    && found.signed === SIGNED && state && found.return_to === returnTo(state) && new URLSearchParams(query).get("state") === state
    && age >= -60_000 && age <= 300_000 && !nonces.has(found.response_nonce);
  if (!good) throw new Error("Steam's answer does not prove who this is.");
  for (const [nonce, at] of nonces) if (now - at > 400_000) nonces.delete(nonce);
  nonces.set(found.response_nonce, now);
  const asked = FIELDS.map((name) => [`openid.${name}`, name === "mode" ? "check_authentication" : found[name]]);
  const said = await fetch(STEAM.endpoint, { method: "POST", body: new URLSearchParams(asked), redirect: "error", signal: AbortSignal.timeout(10_000) });
  const lines = (await said.text()).split("\n");
  if (said.status !== 200 || !lines.includes(`ns:${NS}`) || !lines.includes("is_valid:true") || lines.includes("is_valid:false")) throw new Error("Steam says no.");
  return id[1];
}

const players = new Map(); // session → SteamID64
const cookie = (request, name) => Object.fromEntries((request.headers.cookie ?? "").split("; ").map((one) => one.split("=")))[name];
const kept = (name, value) => ({ "Set-Cookie": `${name}=${value}; Path=/; HttpOnly; SameSite=Lax${SITE.startsWith("https:") ? "; Secure" : ""}` });

async function answer(request, body) {
  const { pathname, search } = new URL(request.url, SITE);
  if (pathname === "/" || pathname === "/sign-in") {
    const state = randomUUID();
    return [302, { Location: signInUrl(state), ...kept("state", state) }];
  }
  if (pathname === "/signed-in") {
    const session = randomUUID(), steam_id = await signedIn(search.slice(1), cookie(request, "state"));
    players.set(session, steam_id);
    return [302, { Location: "/inventory", ...kept("session", session) }];
  }
  if (pathname === "/inventory" && players.has(cookie(request, "session"))) {
    const { items } = await call("POST", "/inventory", { steam_id: players.get(cookie(request, "session")) });
    return [200, {}, JSON.stringify(items.filter((item) => item.acceptable).map((item) => [item.asset_id, item.market_hash_name, item.value_cents]))];
  }
  if (pathname === "/webhooks" && request.method === "POST" && genuine(request.headers, body)) {
    console.log(`webhook ${JSON.parse(body).kind}`); // once per number: a delivery may come again
    return [204, {}];
  }
  return [403, {}];
}

export function serve() {
  return createServer(async (request, response) => {
    const pieces = [];
    for await (const piece of request) pieces.push(piece);
    const [status, headers, text] = await answer(request, Buffer.concat(pieces)).catch(() => [403, {}]);
    response.writeHead(status, headers).end(text);
  }).listen(Number(PORT), "127.0.0.1");
}

if (process.argv[2] === "day") await day(process.argv[3], process.argv[4]);
else serve().on("listening", () => console.log(`open ${SITE}/`));
