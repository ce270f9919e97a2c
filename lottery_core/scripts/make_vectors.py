#!/usr/bin/env python3
"""Writes tests/vectors.json: the recipe of docs/record-format.md worked out on inputs of our own, with hashlib and json alone.

Run by hand when the recipe changes. It shares no code with the package, so it pins the bytes and not merely the code. Each
function takes the prefix of the tags, so that vectors of an earlier format check the parts that have not changed since.
"""

import hashlib
import hmac
import json
import struct
from pathlib import Path

FORMAT = "lot2"
LANE = "pinned-room"
QUICKNET = "52db9ba70e0cc0f6eaf7803dd07447a1f5477735fd3f661792ba94600c84e971"
GENESIS, PERIOD = 1692803367, 3
PRICES = [
    (1, 801, 21, 601, 777, 0, ""),
    (2, 802, 22, 602, 1, 1, "blue"),
    (2, 802, 23, 603, 0, 1, "blue"),
    (3, 801, 24, 604, 9222, 2, ""),
]
GUARANTEES = [{"deposit_id": 901, "item_id": 31, "price": 5000}]
STOCK = [{"deposit_id": 902, "item_id": 32, "price": 7}, {"deposit_id": 903, "item_id": 33, "price": 25}]
INVITERS = [{"user_id": 802, "inviters": [12, 3]}]
LAST, TIME_START = 40, 1_700_000_060_000

Item = tuple[int, int, int, int, int, int, str]
"""Bet, user, item, deposit, price, team, client seed."""


def h(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def tag(text: str) -> bytes:
    return bytes([len(text)]) + text.encode()


def lp(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


def u64(value: int) -> bytes:
    return struct.pack(">Q", value)


def canonical(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


# ---- what has not changed since format 1, but for the tags


def chain_step(lane: str, value: bytes, prefix: str = FORMAT) -> bytes:
    return h(tag(f"{prefix}.chain"), lp(lane.encode()), value)


def commit(lane: str, number: int, salt: bytes, secret: bytes, prefix: str = FORMAT) -> bytes:
    return h(tag(f"{prefix}.commit"), lp(lane.encode()), u64(number), salt, secret)


def rules_hash(rules: bytes, prefix: str = FORMAT) -> bytes:
    return h(tag(f"{prefix}.rules"), lp(rules))


def log_values(start: bytes, items: list[Item], times: list[int], prefix: str = FORMAT) -> tuple[list[bytes], int]:
    """The log after each item, and the number of tickets; `times` are the items' moments."""
    log, first = [start], 0
    for number, ((bet, user, item, deposit, price, team, seed), time_ms) in enumerate(zip(items, times, strict=True), 1):
        numbers = b"".join(u64(value) for value in (bet, user, item, deposit, price, first, price))
        place, rest = struct.pack(">I", number), bytes([team]) + u64(time_ms) + lp(seed.encode())
        log.append(h(tag(f"{prefix}.item"), log[-1], place, numbers, rest))
        first += price
    return log, first


def word(final: bytes, label: str, index: int, attempt: int = 0, block: int = 0, prefix: str = FORMAT) -> int:
    message = tag(f"{prefix}.draw") + lp(label.encode()) + struct.pack(">III", index, attempt, block)
    return int.from_bytes(hmac.new(final, message, hashlib.sha256).digest(), "big")


def final_value(secret: bytes, close: bytes, salt: bytes, entropy: bytes, prefix: str = FORMAT) -> bytes:
    return hmac.new(secret, tag(f"{prefix}.final") + close + salt + lp(entropy), hashlib.sha256).digest()


def seal_value(
    before: bytes, close: bytes, secret: bytes, salt: bytes, entropy: bytes, told: bytes, prefix: str = FORMAT
) -> bytes:
    return h(tag(f"{prefix}.seal"), before, close, secret, salt, lp(entropy), lp(told))


def decimal(number: int) -> str:
    return f"0.{-(-number * 10**96 >> 256):096d}"


def narrow_stream(final: bytes, prefix: str = FORMAT) -> list[list[int]]:
    """Twelve results of 200 from the first bytes of the words labelled t8, each with the number of rejected ones."""
    stream = []
    for index in range(12):
        attempt = 0
        while (word(final, "t8", index, attempt, prefix=prefix) >> 248) * 200 % 256 < 56:
            attempt += 1
        stream.append([(word(final, "t8", index, attempt, prefix=prefix) >> 248) * 200 >> 8, attempt])
    return stream


def sitngo(final: bytes, prefix: str = FORMAT) -> list[dict[str, int]]:
    """Three draws among ten one-ticket users 9000 … 9009, each out after winning."""
    left, winners = list(range(10)), []
    for index, share in enumerate((5, 3, 1)):
        ticket = left.pop(word(final, "winner", index, prefix=prefix) * len(left) >> 256)
        winners.append({"ticket": ticket, "user": 9000 + ticket, "share": share})
    return winners


def beacon_after(close_ms: int, margin_s: int) -> tuple[int, int]:
    """The round of quicknet that decides, and its time in unix seconds."""
    number = (close_ms // 1000 + margin_s - GENESIS) // PERIOD + 2
    return number, GENESIS + PERIOD * (number - 1)


# ---- format 2: the salt follows from the chain, and more is bound


def salt_of(lane: str, number: int, value_before: bytes) -> bytes:
    return h(tag("lot2.salt"), lp(lane.encode()), u64(number), value_before)


def house_hash(guarantees: list[dict[str, int]], stock: list[dict[str, int]]) -> bytes:
    return h(tag("lot2.house"), lp(canonical({"guarantees": guarantees, "stock": stock})))


def log_start(number: int, commitment: bytes, rules: bytes, before: bytes, value: bytes, last: int, start: int | None) -> bytes:
    began = b"\0" if start is None else b"\1" + u64(start)
    bound = commitment + rules + before + value + u64(last) + house_hash(GUARANTEES, STOCK)
    return h(tag("lot2.open"), lp(LANE.encode()), u64(number), bound, began)


def close_hash(log: bytes, count: int, tickets: int, close_ms: int, source_round: int) -> bytes:
    bound = {"inviters": INVITERS, "rests": [], "stock": STOCK}
    parts = (struct.pack(">I", count), u64(tickets), u64(close_ms), b"\x01", lp(QUICKNET.encode()), u64(source_round))
    return h(tag("lot2.close"), log, *parts, lp(canonical(bound)))


def make() -> dict[str, object]:
    """All vectors."""
    values = [hashlib.sha256(b"pinned").digest()]
    for _ in range(3):
        values.append(chain_step(LANE, values[-1]))
    s3, s2, s1, s0 = values
    salt = salt_of(LANE, 1, s0)
    commitment = commit(LANE, 1, salt, s1)
    rules = '{"entropy":"drand:quicknet","entropy_margin_s":6,"mode":"classic"}'
    close_ms, margin = 1_700_000_123_456, 6
    times = [close_ms - 55_000 + 1000 * item[0] for item in PRICES]
    source_round, beacon_s = beacon_after(close_ms, margin)
    start = log_start(1, commitment, rules_hash(rules.encode()), bytes(32), s0, LAST, TIME_START)
    never = log_start(1, commitment, rules_hash(rules.encode()), bytes(32), s0, LAST, None)
    log, tickets = log_values(start, PRICES, times)
    close = close_hash(log[-1], len(PRICES), tickets, close_ms, source_round)
    entropy = hashlib.sha256(b"pinned beacon").digest()
    final = final_value(s1, close, salt, entropy)
    number = word(final, "winner", 0)
    ticket = number * tickets >> 256
    outcome = canonical({"tickets": tickets, "winners": [{"ticket": ticket}]})
    dearer = [*PRICES[:-1], (*PRICES[-1][:4], PRICES[-1][4] + 1, *PRICES[-1][5:])]
    tampered, more = log_values(start, dearer, times)
    tampered_close = close_hash(tampered[-1], len(PRICES), more, close_ms, source_round)
    final0 = hmac.new(s1, tag("lot2.final0") + lp(LANE.encode()) + u64(1) + salt, hashlib.sha256).digest()
    return {
        "V01_chain": {"room": LANE, "s3": s3.hex(), "s2": s2.hex(), "s1": s1.hex(), "anchor_s0": s0.hex()},
        "V02_commit": {"room": LANE, "round": 1, "salt": salt.hex(), "secret": s1.hex(), "hash": commitment.hex()},
        "V03_log": {
            "rules_json": rules,
            "rules_hash": rules_hash(rules.encode()).hex(),
            "prev_seal": bytes(32).hex(),
            "chain_last": LAST,
            "guarantees": GUARANTEES,
            "stock": STOCK,
            "house_hash": house_hash(GUARANTEES, STOCK).hex(),
            "time_start": TIME_START,
            "start_of_a_game_that_never_began": never.hex(),
            "items": [list(item) for item in PRICES],
            "times": times,
            "log": [value.hex() for value in log],
            "tickets": tickets,
        },
        "V04_close": {
            "close_ms": close_ms,
            "margin_s": margin,
            "drand_round": source_round,
            "drand_time": beacon_s,
            "inviters": INVITERS,
            "close_hash": close.hex(),
        },
        "V05_result": {
            "entropy": entropy.hex(),
            "final": final.hex(),
            "final_without_entropy": final0.hex(),
            "N": f"{number:064x}",
            "winning_number": decimal(number),
            "attempt": 0,
            "tickets": tickets,
            "winning_ticket": ticket,
            "winner": 801 if ticket < 777 or ticket > 777 else 802,
            "chance_numerator": 777 + 9222,
            "outcome_json": outcome.decode(),
            "seal": seal_value(bytes(32), close, s1, salt, entropy, outcome).hex(),
            "failure_seal": h(tag("lot2.failure"), bytes(32), close, salt, lp(b""), lp(outcome)).hex(),
        },
        "V06_seed_example": {
            "winning_number": "0.5",
            "tickets": 9,
            "winning_ticket": 4,
            "trap": "0.99999999999999999",
            "trap_ticket_exact": 8,
            "trap_ticket_double": 9,
        },
        "V07_reject8": {
            "n200": [[1], 56],
            "n100": [[2], 56],
            "n3": [[85], 1],
            "n255": [[1], 1],
            "stream_n200": narrow_stream(final),
        },
        "V08_sng": {"final": final.hex(), "winners": sitngo(final), "house": 1},
        "V13_tamper": {"close": tampered_close.hex(), "final": final_value(s1, tampered_close, salt, entropy).hex()},
    }


if __name__ == "__main__":
    target = Path(__file__).resolve().parent.parent / "tests" / "vectors.json"
    target.write_text(json.dumps(make(), indent=1) + "\n", encoding="utf-8")
