"""Records for the proof in the browser, each with what `lottery verify` says: true ones of every room, and spoiled ones.

Usage: python website/tests/proof_corpus.py FILE [--random N] [--spoiled N] [--rules N] [--seed WORD]

A line is an object: `name`, `record` (base64 of its bytes), `trusted` (what the reader vouches for), and the report as
`lottery verify --json` prints it, whose `verdict` may also be `unreadable`; then come the lines of `rules_and_pools`.
"""

from __future__ import annotations

import argparse
import base64
import itertools
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

CORE = Path(__file__).resolve().parents[2] / "lottery_core"
sys.path[:0] = [str(CORE), str(CORE / "tests"), str(CORE / "tests" / "verify")]

import own_chain  # noqa: E402
import plays  # noqa: E402
import records  # noqa: E402
import test_agreement  # noqa: E402
import test_mutations  # noqa: E402
from lottery import cli, rooms, verify  # noqa: E402
from lottery.encoding import canonical_json  # noqa: E402
from lottery.state import Phase  # noqa: E402

LARGEST_SPOILED = 40_000
"""Bytes. A lie is the same in a small record, and is found sooner."""
HASHES: dict[str, records.Place] = {
    "salt": ("salt",),
    "chain: value before": ("chain", "value"),
    "commitment": ("hash",),
    "log start": ("log", "start"),
    "log over": ("log", "end"),
    "close hash": ("close", "hash"),
    "final": ("final",),
    "winning number": ("winning_number",),
    "seal": ("seal",),
}
"""Checks whose lie tells what the record would have to say, and where it would say it."""
NO_CLOCK: dict[str, Any] = {"time_limit": None, "time_enable": False, "player_limit": None}
OWN_ROOMS = ("classic-unlimited", "classic-limited", "sit-n-go", "5v5")


def judged(name: str, text: bytes, trusted: frozenset[str]) -> dict[str, Any]:
    """A line: the record, and what the verifier says."""
    line = {"name": name, "record": base64.b64encode(text).decode(), "trusted": sorted(trusted)}
    try:
        return {**line, **cli.as_json(verify.verify(text, trusted))}
    except verify.Unreadable:
        return {**line, "verdict": "unreadable"}


def on_a_chain_of_its_own(seed: str, name: str) -> tuple[bytes, frozenset[str]] | None:
    """A round of a room that names a beacon by its hash and its terms, as the sandbox does; None where it was not drawn."""
    terms = own_chain.terms()
    room = rooms.load(name, entropy=f"drand:{terms.chain_hash}", beacon=terms)
    known = plays.beacon
    plays.beacon = lambda network, number: {"signature": own_chain.signature(number).hex()}
    try:
        play = plays.Play(seed, room)
        play.bet_until_closed()
        if play.state.close is None or play.state.phase is Phase.VOID:
            return None
        play.draw()
        return canonical_json(play.settle()), frozenset([terms.chain_hash])
    finally:
        plays.beacon = known


def true_ones(seed: str, count: int) -> Iterator[tuple[str, bytes, frozenset[str]]]:
    """The examples, random rounds of random rooms, rounds on a chain that nobody knows, each also with that known."""
    for name in records.NAMES:
        yield name, records.text(name), frozenset()
        if name in records.UNCHECKED:
            yield f"{name}, block known", records.text(name), frozenset([records.BLOCK])
    for number in range(count):
        yield f"random {number}", canonical_json(plays.random_record(f"{seed} {number}")), frozenset()
    for number in range(max(4, count // 50)):
        found = on_a_chain_of_its_own(f"{seed} own {number}", OWN_ROOMS[number % len(OWN_ROOMS)])
        if found is not None:
            yield f"own chain {number}", found[0], frozenset()
            yield f"own chain {number}, known", *found


def of_items(count: int) -> bytes:
    """A round of so many items that waited for a beacon of drand, with a rake and change: what a page has to check in time."""
    room = rooms.load("classic-unlimited", item_limit_max=count, bet_item_limit_max=None, lonely_void_s=None, **NO_CLOCK)
    for number in itertools.count():
        found = plays.play(f"to be timed {number}", room, tries=(10 * count,))
        rake = found["outcome"]["rake"]
        if len(found["items"]) == count and rake is not None and rake["change"]:
            return canonical_json(found)
    raise AssertionError("not reached")


def spoiled(choose: Random, text: bytes) -> bytes:
    """The record with one thing wrong with it: a value, a field, an entry of a list, or a byte."""
    kind = choose.choice(("value", "value", "value", "value", "field", "entry", "byte"))
    if kind == "byte":
        place = choose.randrange(len(text))
        return text[:place] + bytes([text[place] ^ 1 << choose.randrange(8)]) + text[place + 1 :]
    record = json.loads(text)
    if kind == "field":
        where = choose.choice(list(test_mutations.objects(record)))
        fields = records.get(record, where)
        return canonical_json(records.changed([record], (0, *where), other_fields(choose, fields))[0])
    where, value = choose.choice(list(records.leaves(record)))
    lists = [depth for depth, key in enumerate(where) if isinstance(key, int)]
    if kind == "entry" and lists:
        at = where[: choose.choice(lists)]
        entries = records.get(record, at)
        other = choose.choice((entries[1:], [entries[0], *entries], entries[1:] + entries[:1]))
        return canonical_json(records.changed(record, at, other))
    options = list(test_mutations.other_values(value))
    return canonical_json(records.changed(record, where, choose.choice(options)))


def forged(choose: Random, text: bytes) -> bytes:
    """The record with one value changed, and all its hashes made to fit again: what a liar would publish.

    So the rules themselves are what finds it; or nothing does, where the change makes another honest round of it.
    """
    record = json.loads(text)
    part = choose.choice(list(record))
    where, value = choose.choice([each for each in records.leaves(record) if each[0][0] == part])
    alike = [each for each in test_mutations.other_values(value) if type(each) is type(value) and plausible(each, value)]
    if not alike:
        return text
    record = records.changed(record, where, choose.choice(alike))
    for _ in range(len(HASHES)):
        try:
            lie = verify.verify(canonical_json(record)).lie
        except verify.Unreadable:
            break
        place = next((to for name, to in HASHES.items() if lie is not None and lie[0].startswith(name)), None)
        if lie is None or place is None:
            break
        due = lie[1].rpartition("recomputed ")[2]
        record = records.changed(record, place, None if due == "None" else due)
    return canonical_json(record)


def plausible(other: Any, value: Any) -> bool:
    """A number that can stand in a record, or a text as long as the true one."""
    return 0 <= other < 2**64 if isinstance(other, int) else len(other) == len(value)


def other_fields(choose: Random, fields: dict[str, Any]) -> dict[str, Any]:
    """One field less, or one too many."""
    if not fields or choose.random() < 0.5:
        return {**fields, "extra": 0}
    without = choose.choice(list(fields))
    return {name: value for name, value in fields.items() if name != without}


def corpus(seed: str, count: int, spoil: int) -> Iterator[dict[str, Any]]:
    """All lines. Of the records that are not true, half have had their hashes made to fit."""
    small, choose = [], Random(seed)
    for name, text, trusted in true_ones(seed, count):
        yield judged(name, text, trusted)
        if len(text) <= LARGEST_SPOILED:
            small.append((name, text, trusted))
    for number in range(spoil):
        name, text, trusted = choose.choice(small)
        kind, change = (("spoiled", spoiled), ("forged", forged))[number % 2]
        other = change(choose, text)
        if other != text:  # a list of one entry stays the same when it is turned
            yield judged(f"{name}, {kind} {number}", other, trusted)


def rules_and_pools(seed: str, count: int) -> Iterator[dict[str, Any]]:
    """Rules that make sense or do not, with whether the verifier takes them; and large pots, with what the rake takes of them.

    `rules` and `pool` are canonical JSON.
    """
    choose = Random(f"{seed} rules")
    for _ in range(count):
        rules = test_agreement.rules_with_oddities(choose)
        try:
            text = canonical_json(rules).decode()
        except ValueError:
            continue  # a fraction, or half of a character: no text of a record
        yield {"rules": text, "accepted": test_agreement.verifier_accepts(rules)}
    for number in range(count // 10):
        record, rows = test_agreement.random_pool(choose) if number else test_agreement.beyond_the_bound()
        target = choose.choice((1, 50, 999, 65_535, 65_536, 200_001, record["bank"] // 10 or 1, record["bank"] + 5))
        take = verify.rake.choose(record, target if number else 65_535)
        stock = zip(record["stock"]["deposit_id"], record["stock"]["price"], strict=True)
        told = {"rules": record["rules"], "bank": record["bank"], "rows": rows, "stock": list(stock)}
        found = {"taken": verify.rake.deposits(take.rows), "back": verify.rake.deposits(take.back)}
        yield {"pool": canonical_json({**told, "target": target if number else 65_535, **found}).decode()}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--random", type=int, default=120, metavar="N", help="random rounds")
    parser.add_argument("--spoiled", type=int, default=400, metavar="N", help="spoiled records")
    parser.add_argument("--rules", type=int, default=400, metavar="N", help="rules of rooms, and a tenth as many pots")
    parser.add_argument("--seed", default="proof")
    parser.add_argument(
        "--one", type=int, metavar="N", help="write a single record of N items instead, as it would be published"
    )
    given = parser.parse_args()
    if given.one is not None:
        given.file.write_bytes(of_items(given.one))
        return
    with given.file.open("w", encoding="ascii") as file:
        for line in itertools.chain(corpus(given.seed, given.random, given.spoiled), rules_and_pools(given.seed, given.rules)):
            file.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()
