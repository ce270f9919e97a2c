// A receipt against the sealed record: the bet stands there as it was taken, with the same values of the log after each item. The receipt
// is the one that this browser kept when it bet; the house cannot give another one later. As `lottery verify --receipt`.

import { itemLog } from "./log.js";
import { parse } from "./numbers.js";
import { Pot } from "./pot.js";
import { Lie, need } from "./report.js";

/** What is said of a bet in a record. @param {string} receipt as JSON @param {any} record parsed @returns {string} @throws {Lie} */
export function receipted(receipt, record) {
  const told = JSON.parse(receipt, (_, value) => (typeof value === "number" ? BigInt(value) : value));
  need(told.room === record.room && told.round === record.id, "the receipt is of another round");
  need(told.hash === record.hash, "the receipt is of a round with another commitment");
  need(told.log_start === record.log.start, "the receipt is of a round that began otherwise");
  const { rows } = new Pot(record), first = Number(told.number) - 1, own = rows.filter((row) => row.bet === told.bet);
  const there = own.length === told.items.length && own.every((row, index) => row.place === first + index);
  need(there, "the bet is not in the record, or not at its place");
  own.forEach((row, index) => need(same(told, told.items[index], row), "the bet was changed"));
  let log = record.log.start;
  const logs = rows.slice(0, first + own.length).map((row) => (log = itemLog(log, row)));
  need(JSON.stringify(logs.slice(first)) === JSON.stringify(told.logs), "the log does not go through the values of the receipt");
  return `${own.length}`;
}

/** @param {any} told @param {any} item @param {import("./pot.js").Row} row */
function same(told, item, row) {
  const { user, item: kind, deposit, price, first, tickets } = row;
  const due = { item_id: kind, deposit_id: deposit, price, first_ticket: first, tickets };
  return told.user_id === user && Object.entries(due).every(([name, value]) => item[name] === value);
}

/** Why a receipt does not fit, or "" when it does. @param {string} receipt @param {Uint8Array} bytes of the record */
export function misfit(receipt, bytes) {
  try {
    receipted(receipt, parse(bytes));
    return "";
  } catch (error) {
    if (error instanceof Lie) return error.message;
    return "the receipt or the record cannot be read";
  }
}
