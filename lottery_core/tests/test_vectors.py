"""Every vector of the recipe, byte by byte: the published ones where they are at hand, else those pinned here."""

import json
from collections import Counter
from decimal import ROUND_FLOOR, Decimal
from pathlib import Path
from typing import Any

import lottery_factories as make
import make_vectors
import pytest

from lottery import commitments, draw, encoding, shares
from lottery.encoding import LP, TAG
from lottery.state import Entry

PINNED = json.loads(Path(__file__).with_name("vectors.json").read_text(encoding="utf-8"))


@pytest.fixture(params=["at hand", "pinned"])
def vectors(request: pytest.FixtureRequest) -> dict[str, Any]:
    return make.vectors() if request.param == "at hand" else PINNED


def unhex(text: str) -> bytes:
    return bytes.fromhex(text)


def test_pinned_vectors_are_what_plain_hashlib_computes() -> None:
    assert make_vectors.make() == PINNED


def test_v01_chain(vectors: dict[str, Any]) -> None:
    v = vectors["V01_chain"]
    values = commitments.chain(v["room"], unhex(v["s3"]), 3)
    assert [value.hex() for value in values] == [v["anchor_s0"], v["s1"], v["s2"], v["s3"]]
    assert commitments.chain_links(v["room"], unhex(v["anchor_s0"]), unhex(v["s3"]), 3)


def test_v02_commitment(vectors: dict[str, Any]) -> None:
    v = vectors["V02_commit"]
    assert commitments.commit(v["room"], v["round"], unhex(v["salt"]), unhex(v["secret"])).hex() == v["hash"]


def log_of(vectors: dict[str, Any], more_for_the_last: int = 0) -> tuple[list[bytes], int]:
    v, close_ms = vectors["V03_log"], vectors["V04_close"]["close_ms"]
    values, first = [unhex(v["log"][0])], 0
    for number, (bet, user, item, deposit, price, team, seed) in enumerate(v["items"], 1):
        cents = price + (more_for_the_last if number == len(v["items"]) else 0)
        moment = close_ms - 55_000 + 1000 * bet
        entry = (bet, user, item, deposit, cents, first, cents)
        values += commitments.log_items(values[-1], number, [entry], team, moment, seed.encode())
        first += cents
    return values, first


def test_v03_rules_and_log(vectors: dict[str, Any]) -> None:
    v, commitment = vectors["V03_log"], vectors["V02_commit"]
    rules = encoding.canonical_json(json.loads(v["rules_json"]))
    assert rules.decode() == v["rules_json"]
    rules_hash = encoding.sha256(TAG("lot1.rules"), LP(rules))
    assert rules_hash.hex() == v["rules_hash"]
    start = commitments.log_start(commitment["room"], 1, unhex(commitment["hash"]), rules_hash, unhex(v["prev_seal"]))
    assert start.hex() == v["log"][0]
    values, tickets = log_of(vectors)
    assert [value.hex() for value in values] == v["log"]
    assert tickets == v["tickets"]


def close_of(vectors: dict[str, Any], more: int = 0) -> commitments.Close:
    values, tickets = log_of(vectors, more)
    v = vectors["V04_close"]
    return commitments.close_record(values[-1], len(values) - 1, tickets, v["close_ms"], "drand:quicknet", v["margin_s"])


def test_v04_close_and_computed_beacon(vectors: dict[str, Any]) -> None:
    v, close = vectors["V04_close"], close_of(vectors)
    assert (close.hash.hex(), close.source_round) == (v["close_hash"], v["drand_round"])
    assert commitments.source_time_ms("drand:quicknet", close.source_round) == v["drand_time"] * 1000
    assert v["drand_time"] * 1000 > v["close_ms"] + v["margin_s"] * 1000


def final_of(vectors: dict[str, Any], close: commitments.Close) -> bytes:
    v = vectors["V02_commit"]
    return commitments.final(unhex(v["secret"]), close.hash, unhex(v["salt"]), unhex(vectors["V05_result"]["entropy"]))


def test_v05_result_and_seal(vectors: dict[str, Any]) -> None:
    v, commitment, close = vectors["V05_result"], vectors["V02_commit"], close_of(vectors)
    final = final_of(vectors, close)
    assert final.hex() == v["final"]
    drawn = draw.uniform(v["tickets"], "winner", 0, draw.words(final))
    assert (f"{drawn.word:064x}", drawn.value, drawn.attempt) == (v["N"], v["winning_ticket"], v["attempt"])
    assert commitments.winning_number(drawn.word) == v["winning_number"]
    values = (close.hash, unhex(commitment["secret"]), unhex(commitment["salt"]), unhex(v["entropy"]))
    sealed = commitments.seal(unhex(vectors["V03_log"]["prev_seal"]), *values, v["outcome_json"].encode())
    assert sealed.hex() == v["seal"]


def test_v05_winner_and_chance(vectors: dict[str, Any]) -> None:
    items, v = vectors["V03_log"]["items"], vectors["V05_result"]
    firsts, total = [], 0
    for item in items:
        firsts.append(total)
        total += item[4]
    assert items[draw.owner(firsts, v["winning_ticket"])][1] == v["winner"]
    assert sum(item[4] for item in items if item[1] == v["winner"]) == v["chance_numerator"]


def test_v06_the_seeds_example_in_exact_and_in_double_arithmetic(vectors: dict[str, Any]) -> None:
    v = vectors["V06_seed_example"]

    def exact(number: str) -> int:
        return int((Decimal(number) * v["tickets"]).to_integral_value(ROUND_FLOOR))

    assert exact(v["winning_number"]) == v["winning_ticket"]
    assert exact(v["trap"]) == v["trap_ticket_exact"]
    assert int(float(v["trap"]) * v["tickets"]) == v["trap_ticket_double"] == v["tickets"]


def test_v07_stream_of_narrow_words(vectors: dict[str, Any]) -> None:
    words = draw.words(unhex(vectors["V05_result"]["final"]))
    drawn = [draw.uniform(200, "t8", index, words, 8) for index in range(12)]
    assert [[each.value, each.attempt] for each in drawn] == vectors["V07_reject8"]["stream_n200"]


@pytest.mark.parametrize("n", [200, 100, 3, 255])
def test_v07_narrow_words_reject_as_counted(vectors: dict[str, Any], n: int) -> None:
    counts, rejected = vectors["V07_reject8"][f"n{n}"]
    results: Counter[int] = Counter()
    refused = 0
    for first in range(256):
        drawn = draw.uniform(
            n, "x", 0, lambda label, i, attempt, block, first=first: bytes([first if not attempt else 255] * 32), 8
        )
        if drawn.attempt:
            refused += 1
        else:
            results[drawn.value] += 1
    assert sorted(set(results.values())) == counts
    assert len(results) == n
    assert refused == rejected


def test_v08_sit_n_go(vectors: dict[str, Any]) -> None:
    v = vectors["V08_sng"]
    words = draw.words(unhex(v["final"]))

    def pick(n: int, index: int) -> tuple[int, draw.Draw]:
        drawn = draw.uniform(n, "winner", index, words)
        return drawn.value, drawn

    ones = {9000 + ticket: [(ticket, ticket + 1)] for ticket in range(10)}
    winners = draw.distinct_winners(10, 3, lambda ticket: 9000 + ticket, lambda user: ones[user], pick)
    counts = shares.item_shares((5, 3, 1), len(winners))
    found = [{"ticket": each.ticket, "user": each.user_id, "share": share} for each, share in zip(winners, counts, strict=True)]
    assert found == v["winners"]
    entries = [Entry(1, 9000 + ticket, 1, ticket, 100, ticket, 1) for ticket in range(10)]
    _, house = shares.serve_items(entries, [each.user_id for each in winners], counts)
    assert len(house) == v["house"]


def test_v13_one_cent_more_changes_close_and_result(vectors: dict[str, Any]) -> None:
    v, close = vectors["V13_tamper"], close_of(vectors, more=1)
    assert close.hash.hex() == v["close"] != vectors["V04_close"]["close_hash"]
    assert final_of(vectors, close).hex() == v["final"] != vectors["V05_result"]["final"]


def test_v14_networks_are_pinned_by_their_chain_hash() -> None:
    published = make.vectors().get("V14_drand")
    expected = published or {
        "quicknet_chain_hash": make_vectors.QUICKNET,
        "default_chain_hash": commitments.NETWORKS["default"].chain_hash,
    }
    assert commitments.NETWORKS["quicknet"].chain_hash == expected["quicknet_chain_hash"]
    assert commitments.NETWORKS["default"].chain_hash == expected["default_chain_hash"]
