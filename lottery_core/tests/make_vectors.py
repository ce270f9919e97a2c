"""Writes vectors.json: the recipe of docs/record-format.md worked out on inputs of our own, with nothing but hashlib and json.

Run by hand when the recipe changes. It shares no code with the package, so it pins the bytes and not merely the code.
"""

import hashlib
import hmac
import json
import struct
from pathlib import Path

ROOM = "pinned-room"
QUICKNET = "52db9ba70e0cc0f6eaf7803dd07447a1f5477735fd3f661792ba94600c84e971"
PRICES = [
    (1, 801, 21, 601, 777, 0, ""),
    (2, 802, 22, 602, 1, 1, "blue"),
    (2, 802, 23, 603, 0, 1, "blue"),
    (3, 801, 24, 604, 9222, 2, ""),
]


def h(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def tag(text: str) -> bytes:
    return bytes([len(text)]) + text.encode()


def lp(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


def u64(value: int) -> bytes:
    return struct.pack(">Q", value)


def word(final: bytes, label: str, index: int, attempt: int = 0, block: int = 0) -> int:
    message = tag("lot1.draw") + lp(label.encode()) + struct.pack(">III", index, attempt, block)
    return int.from_bytes(hmac.new(final, message, hashlib.sha256).digest(), "big")


def log_values(start: bytes, items: list[tuple[int, int, int, int, int, int, str]], close_ms: int) -> tuple[list[bytes], int]:
    log, first = [start], 0
    for number, (bet, user, item, deposit, price, team, seed) in enumerate(items, 1):
        numbers = (u64(value) for value in (bet, user, item, deposit, price, first, price))
        moment = u64(close_ms - 55_000 + 1000 * bet)
        log.append(h(tag("lot1.item"), log[-1], struct.pack(">I", number), *numbers, bytes([team]), moment, lp(seed.encode())))
        first += price
    return log, first


def close(log: bytes, count: int, tickets: int, close_ms: int, source_round: int) -> bytes:
    parts = (struct.pack(">I", count), u64(tickets), u64(close_ms), b"\x01", lp(QUICKNET.encode()), u64(source_round))
    return h(tag("lot1.close"), log, *parts)


def make() -> dict[str, object]:
    values = [hashlib.sha256(b"pinned").digest()]
    for _ in range(3):
        values.append(h(tag("lot1.chain"), lp(ROOM.encode()), values[-1]))
    s3, s2, s1, s0 = values
    salt = hashlib.sha256(b"pinned salt").digest()
    commitment = h(tag("lot1.commit"), lp(ROOM.encode()), u64(1), salt, s1)
    rules = '{"entropy":"drand:quicknet","entropy_margin_s":6,"mode":"classic"}'
    rules_hash = h(tag("lot1.rules"), lp(rules.encode()))
    close_ms, margin = 1_700_000_123_456, 6
    source_round = (close_ms // 1000 + margin - 1692803367) // 3 + 2
    start = h(tag("lot1.open"), lp(ROOM.encode()), u64(1), commitment, rules_hash, bytes(32))
    log, tickets = log_values(start, PRICES, close_ms)
    close_hash = close(log[-1], len(PRICES), tickets, close_ms, source_round)
    entropy = hashlib.sha256(b"pinned beacon").digest()
    final = hmac.new(s1, tag("lot1.final") + close_hash + salt + lp(entropy), hashlib.sha256).digest()
    number = word(final, "winner", 0)
    ticket = number * tickets >> 256
    outcome = json.dumps({"tickets": tickets, "winners": [{"ticket": ticket}]}, sort_keys=True, separators=(",", ":"))
    tampered, more = log_values(start, [*PRICES[:-1], (*PRICES[-1][:4], PRICES[-1][4] + 1, *PRICES[-1][5:])], close_ms)
    tampered_close = close(tampered[-1], len(PRICES), more, close_ms, source_round)
    digits = -(-number * 10**96 >> 256)
    return {
        "V01_chain": {"room": ROOM, "s3": s3.hex(), "s2": s2.hex(), "s1": s1.hex(), "anchor_s0": s0.hex()},
        "V02_commit": {"room": ROOM, "round": 1, "salt": salt.hex(), "secret": s1.hex(), "hash": commitment.hex()},
        "V03_log": {
            "rules_json": rules,
            "rules_hash": rules_hash.hex(),
            "prev_seal": bytes(32).hex(),
            "items": [list(item) for item in PRICES],
            "log": [value.hex() for value in log],
            "tickets": tickets,
        },
        "V04_close": {
            "close_ms": close_ms,
            "margin_s": margin,
            "drand_round": source_round,
            "drand_time": 1692803367 + 3 * (source_round - 1),
            "close_hash": close_hash.hex(),
        },
        "V05_result": {
            "entropy": entropy.hex(),
            "final": final.hex(),
            "N": f"{number:064x}",
            "winning_number": f"0.{digits:096d}",
            "attempt": 0,
            "tickets": tickets,
            "winning_ticket": ticket,
            "winner": 801 if ticket < 777 or ticket > 777 else 802,
            "chance_numerator": 777 + 9222,
            "outcome_json": outcome,
            "seal": h(tag("lot1.seal"), bytes(32), close_hash, s1, salt, lp(entropy), lp(outcome.encode())).hex(),
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
        "V13_tamper": {
            "close": tampered_close.hex(),
            "final": hmac.new(s1, tag("lot1.final") + tampered_close + salt + lp(entropy), hashlib.sha256).digest().hex(),
        },
    }


def narrow_stream(final: bytes) -> list[list[int]]:
    """Twelve results of 200 from the first bytes of the words labelled t8, each with the number of rejected ones."""
    stream = []
    for index in range(12):
        attempt = 0
        while (word(final, "t8", index, attempt) >> 248) * 200 % 256 < 56:
            attempt += 1
        stream.append([(word(final, "t8", index, attempt) >> 248) * 200 >> 8, attempt])
    return stream


def sitngo(final: bytes) -> list[dict[str, int]]:
    """Three draws among ten one-ticket users 9000 … 9009, each out when he has won."""
    left, winners = list(range(10)), []
    for index, share in enumerate((5, 3, 1)):
        ticket = left.pop(word(final, "winner", index) * len(left) >> 256)
        winners.append({"ticket": ticket, "user": 9000 + ticket, "share": share})
    return winners


if __name__ == "__main__":
    Path(__file__).with_name("vectors.json").write_text(json.dumps(make(), indent=1) + "\n", encoding="utf-8")
