"""The vectors of the recipe, computed by the verifier's own functions.

They are pinned by a script that shares no code with the package. The published ones of format 1 are no part of this repository:
LOTTERY_VECTORS names the file, or it lies in `shared/data` beside the checkout; what has not changed since must come out.
"""

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import beacons
import pytest

from lottery import drand
from lottery.encoding import LP, TAG, U32, U64, S, canonical_json, sha256
from lottery.verify import bets, chance, closing, promise, rules
from lottery.verify.pot import Pot
from lottery.verify.reading.shape import GUARANTEES, STOCK

TESTS = Path(__file__).resolve().parent.parent
BESIDE = TESTS.parents[2] / "shared" / "data" / "fair-vectors.json"
FILE = Path(os.environ.get("LOTTERY_VECTORS", BESIDE))
PINNED: dict[str, Any] = json.loads((TESTS / "vectors.json").read_text(encoding="utf-8"))
PUBLISHED: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8")) if FILE.is_file() else {}
BOTH = [PINNED, PUBLISHED] if PUBLISHED else [PINNED]


def unhexed(value: str) -> bytes:
    return bytes.fromhex(value)


class Held:
    """A report that only remembers what was claimed and found."""

    def __init__(self) -> None:
        self.found: dict[str, Any] = {}

    def same(self, name: str, claimed: Any, found: Any, shown: str | None = None) -> None:
        assert claimed == found, name
        self.found[name] = found

    def holds(self, name: str, true: bool, shown: str, otherwise: str) -> None:
        assert true, otherwise


def promised() -> dict[str, Any]:
    """The vectors as the fields of a record that the promise is made of."""
    chain, commit, log = PINNED["V01_chain"], PINNED["V02_commit"], PINNED["V03_log"]
    return {
        "id": 1,
        "room": commit["room"],
        "chain": {"value": unhexed(chain["anchor_s0"]), "last": log["chain_last"]},
        "secret": unhexed(commit["secret"]),
        "salt": unhexed(commit["salt"]),
        "hash": unhexed(commit["hash"]),
        "rules": json.loads(log["rules_json"]),
        "guarantees": GUARANTEES(log["guarantees"]),
        "stock": STOCK(log["stock"]),
        "prev_seal": unhexed(log["prev_seal"]),
        "time_start": log["time_start"],
    }


def test_chain_salt_and_commitment() -> None:
    held = Held()
    promise.check_chain(promised(), held)  # type: ignore[arg-type]
    assert {"salt", "commitment", "chain: value before the secret"} <= held.found.keys()
    value = unhexed(PINNED["V01_chain"]["s3"])
    for name in ("s2", "s1", "anchor_s0"):
        value = sha256(TAG("lot2.chain"), S(PINNED["V01_chain"]["room"]), value)
        assert value.hex() == PINNED["V01_chain"][name]


def test_log() -> None:
    given = PINNED["V03_log"]
    rules = given["rules_json"].encode()
    assert canonical_json(json.loads(rules)) == rules
    assert sha256(TAG("lot2.rules"), LP(rules)).hex() == given["rules_hash"]
    assert promise.log_start(promised()).hex() == given["log"][0]
    assert promise.log_start({**promised(), "time_start": None}).hex() == given["start_of_a_game_that_never_began"]
    logs = bets.item_logs(unhexed(given["log"][0]), logged(given["items"], given["times"]))
    assert [value.hex() for value in logs] == given["log"][1:]


def logged(rows: list[list[Any]], moments: list[int]) -> Pot:
    names = ("bet", "user_id", "item_id", "deposit_id", "price", "team", "client_seed")
    columns = {name: [row[place] for row in rows] for place, name in enumerate(names)}
    return Pot({**columns, "time_ms": moments}, {"tickets": "cent"})


@pytest.mark.parametrize("vectors", BOTH)
def test_the_beacon_that_decides(vectors: dict[str, Any]) -> None:
    given = vectors["V04_close"]
    number = closing.beacon_round(drand.QUICKNET, given["close_ms"] // 1000 + given["margin_s"])
    assert (number, drand.time_of(drand.QUICKNET, number)) == (given["drand_round"], given["drand_time"])


def test_close() -> None:
    given, log = PINNED["V04_close"], PINNED["V03_log"]
    counted = {"items": 4, "tickets": log["tickets"], "close_ms": given["close_ms"], "mode": 1}
    named = {"source": drand.QUICKNET.hash, "source_round": given["drand_round"]}
    bound = {"stock": log["stock"], "inviters": given["inviters"], "rests": []}
    record: dict[str, Any] = {"close": {**counted, **named, **bound}, "log": {"end": unhexed(log["log"][-1])}}
    record["stock_text"] = promise.pieces_text(STOCK(log["stock"]))
    assert closing.close_hash(record).hex() == given["close_hash"]


def test_result() -> None:
    given, commit = PINNED["V05_result"], PINNED["V02_commit"]
    record = {
        "id": 1,
        "room": commit["room"],
        "secret": unhexed(commit["secret"]),
        "salt": unhexed(commit["salt"]),
        "entropy": unhexed(given["entropy"]),
        "rules": {"entropy": "drand:quicknet"},
        "outcome": {"void": None, "failure": None},
        "close": {"hash": unhexed(PINNED["V04_close"]["close_hash"])},
    }
    key = chance.final(record)
    assert key is not None
    assert key.hex() == given["final"]
    alone = chance.final({**record, "rules": {"entropy": "none"}})
    assert alone is not None
    assert alone.hex() == given["final_without_entropy"]
    ticket, word = chance.draw(key, given["tickets"], "winner", 0)
    assert (ticket, f"{word:064x}", chance.decimal(word)) == (given["winning_ticket"], given["N"], given["winning_number"])


@pytest.mark.parametrize("vectors", BOTH)
def test_rejection(vectors: dict[str, Any]) -> None:
    for name, given in vectors["V07_reject8"].items():
        if name.startswith("n"):
            counts, refused = given
            answers = Counter(chance.accepted(int(name[1:]), 8, word) for word in range(256))
            assert answers.pop(None, 0) == refused
            assert sorted(set(answers.values())) == counts


def test_without_repetition() -> None:
    given = PINNED["V08_sng"]
    left, found = list(range(10)), []
    for index in range(3):
        ticket = left.pop(chance.uniform(unhexed(given["final"]), len(left), "winner", index))
        found.append({"ticket": ticket, "user": 9000 + ticket, "share": (5, 3, 1)[index]})
    assert found == given["winners"]


def test_the_networks_are_those_that_are_known() -> None:
    assert tuple(chain.name for chain in (drand.QUICKNET, drand.DEFAULT)) == rules.KNOWN_NETWORKS
    given = PUBLISHED.get("V14_drand")
    for network, signatures, known in (
        (drand.QUICKNET, beacons.QUICKNET_SIGNATURES, "randomness"),
        (drand.DEFAULT, {n: pair[0] for n, pair in beacons.DEFAULT_SIGNATURES.items()}, "default_randomness"),
    ):
        assert network.hash == drand.chain_hash(network) == (given or {}).get(f"{network.name}_chain_hash", network.hash)
        for number, signature in signatures.items():
            randomness = drand.randomness(unhexed(signature)).hex()
            assert randomness == (given[known][str(number)] if given else randomness)


def test_every_result_has_equally_many_words_and_the_rest_is_rejected() -> None:
    for below in range(1, 257):
        answers = Counter(chance.accepted(below, 8, word) for word in range(256))
        refused = answers.pop(None, 0)
        assert set(answers) == set(range(below))
        assert set(answers.values()) == {256 // below}
        assert refused == 256 % below


def test_after_a_rejected_word_the_next_attempt_decides() -> None:
    # Of 8-bit words below 200, only those with a remainder of at least 56 count: 0 does not, 255 does.
    words = [0, 0, 255]
    assert chance.first_accepted(200, 8, words.__getitem__) == (199, 255)
    with pytest.raises(ValueError, match="accepted"):
        chance.first_accepted(200, 8, lambda attempt: 0)


def test_long_weights_use_more_than_one_word() -> None:
    key, below = bytes(32), 1 << 300
    value, word = chance.draw(key, below, "elim", 0)
    blocks = chance.word(key, "elim", 0, 0, 0) + chance.word(key, "elim", 0, 0, 1)
    assert word == int.from_bytes(blocks, "big")
    assert value == word * below >> 512
    assert chance.word(key, "elim", 0, 0, 1) == chance.word(key, "elim", 0, 0, 1) != chance.word(key, "elim", 0, 1, 0)
    assert U32(1) in U64(1)


def test_the_decimal_finds_the_ticket_at_every_border() -> None:
    for tickets in (1, 3, 7, 45_000, 10**17):
        for ticket in {0, 1, tickets // 2, tickets - 1} & set(range(min(tickets, 10**5))) | {tickets - 1}:
            first_word = -(-(ticket << 256) // tickets)
            digits = chance.decimal(first_word).removeprefix("0.")
            assert len(digits) == 96
            assert int(digits) * tickets // 10**96 == ticket
