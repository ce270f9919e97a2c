// How amounts are written, as the server writes them (`templatetags/site.py`, `rooms/ruler.py`). Pure; BigInt where it has to be exact.

const THIN = "\u202f";
const MINUS = "\u2212";

/** 1234 as 12.34. @param {number|bigint} amount @param {string} language */
export function cents(amount, language) {
  const value = BigInt(amount), size = value < 0n ? -value : value;
  const [group, point] = language === "ru" ? ["\u00a0", ","] : [",", "."];
  const whole = String(size / 100n).replace(/\B(?=(\d{3})+$)/g, group);
  return `${value < 0n ? MINUS : ""}${whole}${point}${String(size % 100n).padStart(2, "0")}`;
}

/** 12 345. @param {number} number */
export function grouped(number) {
  return String(number).replace(/\B(?=(\d{3})+$)/g, THIN);
}

/** Rounds n/d to a whole number, half to even. @param {bigint} n @param {bigint} d */
export function rounded(n, d) {
  const whole = n / d, twice = (n % d) * 2n;
  return twice > d || (twice === d && whole % 2n === 1n) ? whole + 1n : whole;
}

/** A share of one, as 10.96 %. @param {bigint} n @param {bigint} d @param {string} language */
export function perCent(n, d, language) {
  const hundredths = rounded(n * 10000n, d);
  const point = language === "ru" ? "," : ".";
  return `${hundredths / 100n}${point}${String(hundredths % 100n).padStart(2, "0")}${THIN}%`;
}

/** The fraction itself, in lowest terms. @param {bigint} n @param {bigint} d */
export function exactly(n, d) {
  let [a, b] = [n, d];
  while (b) [a, b] = [b, a % b];
  const text = `${n / (a || 1n)}/${d / (a || 1n)}`;
  return text.length <= 60 ? text : "";
}

/** The middle of a hash left out. @param {string} text */
export function short(text) {
  return text.length <= 12 ? text : `${text.slice(0, 4)}…${text.slice(-4)}`;
}

/** Time until then: 0:17, 1:02:03. @param {number} ms */
export function left(ms) {
  const all = Math.max(0, Math.floor(ms / 1000)), hours = Math.floor(all / 3600);
  const minutes = Math.floor(all / 60) % 60, seconds = String(all % 60).padStart(2, "0");
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${seconds}` : `${minutes}:${seconds}`;
}

/** The part of the pot that the house takes on average. @param {{tickets: number}[]} seats @param {number} pot @param {number[][]} rates
 *  @returns {[bigint, bigint] | null} */
export function edge(seats, pot, rates) {
  const all = seats.reduce((sum, seat) => sum + seat.tickets, 0);
  if (!all || !pot) return null;
  let sum = 0n;
  for (const seat of seats) {
    const row = rates.find(([upper]) => 100 * seat.tickets < upper * all) ?? rates.at(-1);
    sum += BigInt(seat.tickets) * ((BigInt(pot) * BigInt(row?.[1] ?? 0)) / 100n);
  }
  return [sum, BigInt(all) * BigInt(pot)];
}

/** Neighbouring tickets of one user, as the ruler shows them. @param {{user: string, first: number, tickets: number}[]} held */
export function stretches(held) {
  /** @type {{user: string, first: number, tickets: number}[]} */
  const merged = [];
  for (const each of held) {
    const last = merged.at(-1);
    if (last && last.user === each.user && last.first + last.tickets === each.first) last.tickets += each.tickets;
    else if (each.tickets) merged.push({ ...each });
  }
  return merged;
}

/** Round numbers along the ruler. @param {number} total */
export function ticks(total) {
  let size = 1, step = 0;
  while (!step) {
    step = [1, 2, 5].map((each) => each * size).find((each) => total <= each * 12) ?? 0;
    size *= 10;
  }
  const found = [];
  for (let ticket = 0, number = 0; ticket < total; ticket += step, number += 1)
    found.push({ ticket, long: number % 2 === 0 && 100 * ticket < 88 * total, anchor: ticket ? "middle" : "start" });
  return found;
}
