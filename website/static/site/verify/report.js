// What was found: checks that held, in the order of a round, the first one that did not, and what no record can prove.

import { canonical } from "./numbers.js";

export const GOOD = "good";
export const LIE = "lie";
export const UNCHECKED = "unchecked";
export const UNREADABLE = "unreadable";

/** The record claims one thing, and what it contains says another. The first one ends the check. */
export class Lie extends Error {}

/** @typedef {{name: string, value: string, holds: boolean}} Check */

export class Report {
  /** @param {ReadonlySet<string>} trusted hashes of drand chains, and blocks ("height:hash"), that the reader vouches for */
  constructor(trusted) {
    this.trusted = trusted;
    /** @type {Check[]} */
    this.checks = [];
    /** @type {string[]} why the draw itself could not be checked here */
    this.unchecked = [];
    /** @type {string[]} what no record can prove */
    this.notProven = [];
  }

  get verdict() {
    if (this.checks.some((each) => !each.holds)) return LIE;
    return this.unchecked.length ? UNCHECKED : GOOD;
  }

  /** The record's claim must be what we found. @param {string} name @param {any} claimed @param {any} found @param {string} [shown] */
  same(name, claimed, found, shown) {
    if (canonical(claimed) !== canonical(found)) this.lied(name, `the record says ${say(claimed)}, recomputed ${say(found)}`);
    this.checks.push({ name, value: shown || say(found), holds: true });
  }

  /** One condition, with words for both cases. @param {string} name @param {boolean} true_ @param {string} shown @param {string} otherwise */
  holds(name, true_, shown, otherwise) {
    if (!true_) this.lied(name, otherwise);
    this.checks.push({ name, value: shown, holds: true });
  }

  /** Several conditions: it answers with words for the report, or throws a Lie. @param {string} name @param {() => string} conditions */
  rule(name, conditions) {
    let shown;
    try {
      shown = conditions();
    } catch (error) {
      if (!(error instanceof Lie)) throw error;
      return this.lied(name, error.message);
    }
    this.checks.push({ name, value: shown, holds: true });
  }

  /** @param {string} name @param {string} why @returns {never} */
  lied(name, why) {
    this.checks.push({ name, value: why, holds: false });
    throw new Lie(`${name}: ${why}`);
  }
}

/** A condition inside a larger check. @param {boolean} holds @param {string} otherwise */
export function need(holds, otherwise) {
  if (!holds) throw new Lie(otherwise);
}

/** A value in words. @param {any} value @returns {string} */
export function say(value) {
  if (value === null) return "none";
  if (value === true || value === false) return value ? "yes" : "no";
  return typeof value === "object" ? canonical(value) : String(value);
}

// ---- small helpers of the checks

/** @param {bigint[]} values */
export const sum = (values) => values.reduce((total, each) => total + each, 0n);
/** @param {bigint} one @param {bigint} other */
export const lesser = (one, other) => (one < other ? one : other);
/** @param {bigint} one @param {bigint} other */
export const greater = (one, other) => (one > other ? one : other);
/** @param {bigint[]} values of at least one @returns {bigint} */
export const greatest = (values) => values.reduce(greater);
/** @param {any[]} values */
export const different = (values) => new Set(values).size === values.length;
/** None is smaller than the one before it. @param {bigint[]} values */
export const rising = (values) => values.every((each, place) => !place || values[place - 1] <= each);

/** Amounts added up by group, in the order in which groups first come. @template T @param {T[]} groups @param {bigint[]} amounts @returns {Map<T, bigint>} */
export function totals(groups, amounts) {
  const found = new Map();
  groups.forEach((group, place) => found.set(group, (found.get(group) ?? 0n) + amounts[place]));
  return found;
}
