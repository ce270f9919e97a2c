"""The published test vectors, computed by the verifier's own functions.

The vectors are no part of this repository: LOTTERY_VECTORS names the file, or it lies in `shared/data` beside the checkout.
Without it these tests have nothing to run on; the sealed examples then still pin every hash of the recipe.
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
from lottery.verify import bets, chance, closing, promise
from lottery.verify.pot import Pot

BESIDE = Path(__file__).resolve().parents[4] / "shared" / "data" / "fair-vectors.json"
FILE = Path(os.environ.get("LOTTERY_VECTORS", BESIDE))
VECTORS: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8")) if FILE.is_file() else {}
ROOM = "classic-unlimited"


def unhexed(value: str) -> bytes:
    return bytes.fromhex(value)


def chain() -> None:
    given, value = VECTORS["V01_chain"], unhexed(VECTORS["V01_chain"]["s3"])
    for name in ("s2", "s1", "anchor_s0"):
        value = sha256(TAG("lot1.chain"), S(given["room"]), value)
        assert value.hex() == given[name]


def commitment() -> None:
    given = VECTORS["V02_commit"]
    place = S(given["room"]) + U64(given["round"])
    found = sha256(TAG("lot1.commit"), place, unhexed(given["salt"]), unhexed(given["secret"]))
    assert found.hex() == given["hash"]


def log() -> None:
    given, commit = VECTORS["V03_log"], unhexed(VECTORS["V02_commit"]["hash"])
    rules = given["rules_json"].encode()
    assert canonical_json(json.loads(rules)) == rules
    rules_hash = sha256(TAG("lot1.rules"), LP(rules))
    assert rules_hash.hex() == given["rules_hash"]
    value = sha256(TAG("lot1.open"), S(ROOM), U64(1), commit, rules_hash, unhexed(given["prev_seal"]))
    assert value.hex() == given["log"][0]
    times = times_of_the_log(given, value)
    assert times is not None


def times_of_the_log(given: dict[str, Any], start: bytes) -> list[int] | None:
    """The vectors give no times for their items: each is found by trying the game's milliseconds."""
    close_ms, found = VECTORS["V04_close"]["close_ms"], list[int]()
    moments = sorted(range(close_ms - 60_000, close_ms + 1), key=lambda ms: ms % 1000)
    for index, due in enumerate(given["log"][1:], 1):
        rows = given["items"][:index]
        fitting = (ms for ms in moments if bets.item_log(start, logged(rows, [*found, ms])).hex() == due)
        moment = next(fitting, None)
        if moment is None:
            return None
        found.append(moment)
    assert sum(row[4] for row in given["items"]) == given["tickets"]
    return found


def logged(rows: list[list[Any]], moments: list[int]) -> Pot:
    names = ("bet", "user_id", "item_id", "deposit_id", "price", "team", "client_seed")
    columns = {name: [row[place] for row in rows] for place, name in enumerate(names)}
    return Pot({**columns, "time_ms": moments}, {"tickets": "cent"})


def close() -> None:
    given = VECTORS["V04_close"]
    number = closing.beacon_round(drand.QUICKNET, given["close_ms"] // 1000 + given["margin_s"])
    assert (number, drand.time_of(drand.QUICKNET, number)) == (given["drand_round"], given["drand_time"])
    counted = {"items": 6, "tickets": 45000, "close_ms": given["close_ms"], "mode": 1}
    record = {
        "close": {**counted, "source": drand.QUICKNET.hash, "source_round": number},
        "log": {"end": unhexed(VECTORS["V03_log"]["log"][-1])},
    }
    assert closing.close_hash(record).hex() == given["close_hash"]


def result() -> None:
    given, commit = VECTORS["V05_result"], VECTORS["V02_commit"]
    entropy = drand.randomness(unhexed(beacons.QUICKNET_SIGNATURES[1000]))
    assert entropy.hex() == given["entropy"]
    record = {
        "secret": unhexed(commit["secret"]),
        "salt": unhexed(commit["salt"]),
        "entropy": entropy,
        "rules": {"entropy": "drand:quicknet"},
        "outcome": {"void": None},
        "close": {"hash": unhexed(VECTORS["V04_close"]["close_hash"])},
    }
    key = chance.final(record)
    assert key is not None
    assert key.hex() == given["final"]
    ticket, word = chance.draw(key, given["tickets"], "winner", 0)
    assert (ticket, f"{word:064x}", chance.decimal(word)) == (given["winning_ticket"], given["N"], given["winning_number"])
    seal_of = sha256(
        TAG("lot1.seal"),
        bytes(32),
        record["close"]["hash"],
        record["secret"],
        record["salt"],
        LP(entropy),
        LP(given["outcome_json"].encode()),
    )
    assert seal_of.hex() == given["seal"]


def rejection() -> None:
    for name, given in VECTORS["V07_reject8"].items():
        if name.startswith("n"):
            counts, refused = given
            answers = Counter(chance.accepted(int(name[1:]), 8, word) for word in range(256))
            assert answers.pop(None, 0) == refused
            assert sorted(set(answers.values())) == counts


def without_repetition() -> None:
    given = VECTORS["V08_sng"]
    left, found = list(range(10)), []
    for index in range(3):
        ticket = left.pop(chance.uniform(unhexed(given["final"]), len(left), "winner", index))
        found.append({"ticket": ticket, "user": 9000 + ticket, "share": (5, 3, 1)[index]})
    assert found == given["winners"]


def networks() -> None:
    given = VECTORS["V14_drand"]
    assert tuple(chain.name for chain in (drand.QUICKNET, drand.DEFAULT)) == promise.NETWORKS
    for network, signatures, known in (
        (drand.QUICKNET, beacons.QUICKNET_SIGNATURES, given["randomness"]),
        (drand.DEFAULT, {n: pair[0] for n, pair in beacons.DEFAULT_SIGNATURES.items()}, given["default_randomness"]),
    ):
        assert given[f"{network.name}_chain_hash"] == network.hash == drand.chain_hash(network)
        assert all(drand.randomness(unhexed(sig)).hex() == known[str(number)] for number, sig in signatures.items())


CHECKS = {
    "V01_chain": chain,
    "V02_commit": commitment,
    "V03_log": log,
    "V04_close": close,
    "V05_result": result,
    "V07_reject8": rejection,
    "V08_sng": without_repetition,
    "V14_drand": networks,
}


if VECTORS:  # they lie beside the project, not in it

    @pytest.mark.parametrize("name", sorted(VECTORS.keys() & CHECKS.keys()))
    def test_vector(name: str) -> None:
        CHECKS[name]()
        assert name in VECTORS


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
