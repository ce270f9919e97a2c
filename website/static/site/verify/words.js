// Checks, verdicts and what stays open in words, by language. The names are those of `lottery verify`; a number in a name (which
// payout, how many items) is left out of its key. English sentences are their own keys, so what has no translation stays English.

/** @param {string} name of a check @returns {string} its key: the same for each item and each payout */
export function keyOf(name) {
  if (name.startsWith("log over ")) return "log";
  if (name.startsWith("payout ")) return "payout";
  if (name.startsWith("tickets of item ")) return "tickets";
  return name;
}

/** The steps of a round, each with the checks that belong to it. @type {[string, string[]][]} */
const STEPS = [
  ["commitment", [
    "chain: place", "chain: lane", "salt", "chain: value before the secret", "commitment", "rules: mode", "rules: sense",
    "pieces of the house", "previous seal of the first round", "log start: rules, pieces, chain and beginning",
  ]],
  ["closed", [
    "tickets: rule", "tickets", "bank", "bank: countable", "players and their chances", "order of bets", "limits of the room",
    "typed numbers", "log", "deadline", "reason of the close", "items at the close", "stock at the close",
    "inviters and rests at the close", "source of entropy", "close hash",
  ]],
  ["secret", ["secret there", "secret opened"]],
  ["beacon", ["proof", "proof: parts", "beacon", "block time", "block height", "block work", "entropy"]],
  ["drawn", ["final", "winning number", "typed numbers used", "eliminations", "winners", "winning ticket"]],
];

/** The step that a check belongs to: commitment, closed, secret, beacon, drawn or paid. @param {string} name */
export const stepOf = (name) => STEPS.find(([, keys]) => keys.includes(keyOf(name)))?.[0] ?? "paid";

export const ALL_STEPS = [...STEPS.map(([step]) => step), "paid"];

/** @type {Record<string, string>} */
const ENGLISH = {
  "chain: place": "The round has its place on the chain of secrets",
  "chain: lane": "The lane",
  salt: "The salt follows from the chain",
  "chain: value before the secret": "The secret is the next one of its chain",
  commitment: "The commitment is that of the secret",
  "rules: mode": "The kind of room",
  "rules: sense": "The rules make sense",
  "pieces of the house": "Prizes and pieces for change",
  "previous seal of the first round": "The first round follows no other",
  "log start: rules, pieces, chain and beginning": "The log begins with the rules and all that was bound before the first bet",
  "tickets: rule": "How many tickets an item brings",
  tickets: "Tickets",
  bank: "Bank, in cents",
  "bank: countable": "The bank can be counted",
  "players and their chances": "Players and their chances",
  "order of bets": "The order of bets",
  "limits of the room": "The limits of the room",
  "typed numbers": "Typed numbers",
  log: "Every bet is in the log",
  deadline: "The clock, in milliseconds",
  "reason of the close": "Why the bets ended",
  "items at the close": "Items at the close",
  "stock at the close": "Pieces for change at the close",
  "inviters and rests at the close": "Inviters and earlier rests",
  "source of entropy": "What decides, named before it was known",
  "close hash": "The hash of the close",
  "secret there": "The secret was opened",
  "secret opened": "When the secret was opened",
  proof: "The proof of the public number",
  "proof: parts": "The parts of the proof",
  beacon: "The signature of the beacon",
  "block time": "The time of the block",
  "block height": "The height of the block",
  "block work": "The work in the block",
  entropy: "The public number",
  final: "Secret and public number together",
  "winning number": "The winning number",
  "typed numbers used": "Typed numbers used",
  eliminations: "Who left",
  winners: "Who won",
  "winning ticket": "The winning ticket",
  rake: "The rake",
  "rake: dues by table": "What is due by the table",
  "rake: due": "What is due together, in cents",
  "rake: carry of earlier rests": "Asked for on top, for earlier rests",
  "rake: rows taken": "Items that the house took",
  "rake: change from the house": "Change that the house gave back",
  "rake: net": "What the house kept, in cents",
  "rake: not above the due": "The house took no more than its due",
  "rake: collected of rests": "Paid of earlier rests",
  "rake: shortfall": "What the house did not get, in cents",
  payout: "What a player gets",
  "payouts: number": "How many players get something",
  "house keeps": "What stays with the house",
  "rows in = rows out": "No item appeared, none vanished",
  "value in = value out": "No cent appeared, none vanished",
  referral: "Credits to inviters",
  "next chain": "The next chain of secrets",
  seal: "The seal over all of it",
  record: "The record",
  "house's failure": "The house did not finish this round",
  good: "Everything that this record can prove holds.",
  lie: "This record lies. Nothing after the lie was checked.",
  failed: "The house did not finish this round. Everything else in the record holds, but it is no record of a fair draw.",
  unchecked: "Nothing is wrong, but the draw itself could not be checked here.",
  unreadable: "This is no record of a round.",
  waiting: "The round is not sealed yet.",
  checking: "This browser is checking the record.",
  away: "The record could not be fetched. Nothing is known about it.",
  large: "This record is too large for a page: check it with the program.",
  holds: "holds",
  "does not hold": "does not hold",
};

/** @type {Record<string, Record<string, string>>} */
const LANGUAGES = { en: ENGLISH };

/** @param {string} key @param {string} language such as "en" or "ru-RU" */
export function words(key, language) {
  const own = LANGUAGES[language.slice(0, 2)] ?? ENGLISH;
  return own[key] ?? ENGLISH[key] ?? key;
}

/** A check's name in words. @param {string} name @param {string} language */
export const nameInWords = (name, language) => words(keyOf(name), language);
