"""Every vector of the recipe, byte by byte: those pinned here by a script without our code, and, where they are at hand, the
published ones of format 1, whose parts that have not changed must still come out.
"""

import json
from collections import Counter
from decimal import ROUND_FLOOR, Decimal
from pathlib import Path
from typing import Any

import lottery_factories as make
import make_vectors
import pytest

from lottery import commitments, draw, encoding, shares, sources
from lottery.commitments import Bound, Close, Link, Piece
from lottery.encoding import LP, TAG
from lottery.pot import Entry

PINNED: dict[str, Any] = json.loads(Path(__file__).with_name("vectors.json").read_text(encoding="utf-8"))
PUBLISHED = make.vectors()


def unhex(text: str) -> bytes:
    return bytes.fromhex(text)


def test_pinned_vectors_are_what_plain_hashlib_computes() -> None:
    assert json.loads(json.dumps(make_vectors.make())) == PINNED


def test_v01_chain() -> None:
    v = PINNED["V01_chain"]
    values = commitments.chain(v["room"], unhex(v["s3"]), 3)
    assert [value.hex() for value in values] == [v["anchor_s0"], v["s1"], v["s2"], v["s3"]]


def test_v02_salt_and_commitment() -> None:
    v, anchor = PINNED["V02_commit"], unhex(PINNED["V01_chain"]["anchor_s0"])
    salted = commitments.salt(v["room"], v["round"], anchor)
    assert salted.hex() == v["salt"]
    assert commitments.commit(v["room"], v["round"], salted, unhex(v["secret"])).hex() == v["hash"]
    assert commitments.promise(v["room"], v["round"], unhex(v["secret"])).hex() == v["hash"]


def pieces(listed: list[dict[str, int]]) -> tuple[Piece, ...]:
    return tuple(Piece(**each) for each in listed)


def log_of(more_for_the_last: int = 0) -> tuple[list[bytes], int]:
    v = PINNED["V03_log"]
    values, first = [unhex(v["log"][0])], 0
    for number, ((bet, user, item, deposit, price, team, seed), moment) in enumerate(
        zip(v["items"], v["times"], strict=True), 1
    ):
        cents = price + (more_for_the_last if number == len(v["items"]) else 0)
        entry = (bet, user, item, deposit, cents, first, cents)
        values += commitments.log_items(values[-1], number, [entry], team, moment, seed.encode())
        first += cents
    return values, first


def test_v03_rules_house_and_log() -> None:
    v, commitment, anchor = PINNED["V03_log"], PINNED["V02_commit"], unhex(PINNED["V01_chain"]["anchor_s0"])
    rules = encoding.canonical_json(json.loads(v["rules_json"]))
    assert rules.decode() == v["rules_json"]
    rules_hash = encoding.sha256(TAG("lot2.rules"), LP(rules))
    assert rules_hash.hex() == v["rules_hash"]
    house = commitments.house_hash(pieces(v["guarantees"]), pieces(v["stock"]))
    assert house.hex() == v["house_hash"]
    bound = (unhex(commitment["hash"]), rules_hash, unhex(v["prev_seal"]), Link(anchor, v["chain_last"]), house)
    assert commitments.log_start(commitment["room"], 1, *bound, v["time_start"]).hex() == v["log"][0]
    assert commitments.log_start(commitment["room"], 1, *bound, None).hex() == v["start_of_a_game_that_never_began"]
    values, tickets = log_of()
    assert [value.hex() for value in values] == v["log"]
    assert tickets == v["tickets"]


def close_of(more: int = 0) -> Close:
    values, tickets = log_of(more)
    v, quicknet = PINNED["V04_close"], sources.NETWORKS["quicknet"]
    source = sources.source_of(sources.entropy_mode("drand:quicknet"), quicknet, v["close_ms"], v["margin_s"])
    inviters = tuple((each["user_id"], tuple(each["inviters"])) for each in v["inviters"])
    bound = Bound(pieces(PINNED["V03_log"]["stock"]), inviters)
    return commitments.close_record(values[-1], len(values) - 1, tickets, v["close_ms"], source, bound)


def test_v04_close_and_computed_beacon() -> None:
    v, close = PINNED["V04_close"], close_of()
    assert (close.hash.hex(), close.source_round) == (v["close_hash"], v["drand_round"])
    assert sources.round_time_ms(sources.NETWORKS["quicknet"], close.source_round) == v["drand_time"] * 1000
    assert v["drand_time"] * 1000 > v["close_ms"] + v["margin_s"] * 1000


def final_of(close: Close) -> bytes:
    v = PINNED["V02_commit"]
    return commitments.final(unhex(v["secret"]), close.hash, unhex(v["salt"]), unhex(PINNED["V05_result"]["entropy"]))


def test_v05_result_and_seals() -> None:
    v, commitment, close = PINNED["V05_result"], PINNED["V02_commit"], close_of()
    final, salted, secret = final_of(close), unhex(commitment["salt"]), unhex(commitment["secret"])
    assert final.hex() == v["final"]
    assert commitments.final_without_entropy(secret, commitment["room"], 1, salted).hex() == v["final_without_entropy"]
    drawn = draw.uniform(v["tickets"], "winner", 0, draw.words(final))
    assert (f"{drawn.word:064x}", drawn.value, drawn.attempt) == (v["N"], v["winning_ticket"], v["attempt"])
    assert commitments.winning_number(drawn.word) == v["winning_number"]
    before, outcome = unhex(PINNED["V03_log"]["prev_seal"]), json.loads(v["outcome_json"])
    assert commitments.seal(before, close.hash, secret, salted, unhex(v["entropy"]), outcome).hex() == v["seal"]
    assert commitments.failure_seal(before, close.hash, salted, b"", outcome).hex() == v["failure_seal"]


@pytest.mark.parametrize("vectors", [PINNED, PUBLISHED], ids=["pinned", "at hand"])
def test_v05_winner_and_chance(vectors: dict[str, Any]) -> None:
    items, v = vectors["V03_log"]["items"], vectors["V05_result"]
    firsts, total = [], 0
    for item in items:
        firsts.append(total)
        total += item[4]
    assert items[draw.owner(firsts, v["winning_ticket"])][1] == v["winner"]
    assert sum(item[4] for item in items if item[1] == v["winner"]) == v["chance_numerator"]
    assert commitments.winning_number(int(v["N"], 16)) == v["winning_number"]
    assert int(v["N"], 16) * v["tickets"] >> 256 == v["winning_ticket"]


@pytest.mark.parametrize("vectors", [PINNED, PUBLISHED], ids=["pinned", "at hand"])
def test_v06_the_seeds_example_in_exact_and_in_double_arithmetic(vectors: dict[str, Any]) -> None:
    v = vectors["V06_seed_example"]

    def exact(number: str) -> int:
        return int((Decimal(number) * v["tickets"]).to_integral_value(ROUND_FLOOR))

    assert exact(v["winning_number"]) == v["winning_ticket"]
    assert exact(v["trap"]) == v["trap_ticket_exact"]
    assert int(float(v["trap"]) * v["tickets"]) == v["trap_ticket_double"] == v["tickets"]


def test_v07_stream_of_narrow_words() -> None:
    words = draw.words(unhex(PINNED["V05_result"]["final"]))
    drawn = [draw.uniform(200, "t8", index, words, 8) for index in range(12)]
    assert [[each.value, each.attempt] for each in drawn] == PINNED["V07_reject8"]["stream_n200"]


@pytest.mark.parametrize("vectors", [PINNED, PUBLISHED], ids=["pinned", "at hand"])
@pytest.mark.parametrize("n", [200, 100, 3, 255])
def test_v07_narrow_words_reject_as_counted(vectors: dict[str, Any], n: int) -> None:
    counts, rejected = vectors["V07_reject8"][f"n{n}"]
    results: Counter[int] = Counter()
    refused = 0
    for first in range(256):

        def blocks(label: str, i: int, attempt: int, block: int, first: int = first) -> bytes:
            return bytes([first if not attempt else 255] * 32)

        drawn = draw.uniform(n, "x", 0, blocks, 8)
        if drawn.attempt:
            refused += 1
        else:
            results[drawn.value] += 1
    assert sorted(set(results.values())) == counts
    assert len(results) == n
    assert refused == rejected


def test_v08_sit_n_go() -> None:
    v = PINNED["V08_sng"]
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


def test_v13_one_cent_more_changes_close_and_result() -> None:
    v, close = PINNED["V13_tamper"], close_of(more=1)
    assert close.hash.hex() == v["close"] != PINNED["V04_close"]["close_hash"]
    assert final_of(close).hex() == v["final"] != PINNED["V05_result"]["final"]


def test_v14_networks_are_pinned_by_their_chain_hash() -> None:
    expected = PUBLISHED.get("V14_drand") or {
        "quicknet_chain_hash": make_vectors.QUICKNET,
        "default_chain_hash": sources.NETWORKS["default"].chain_hash,
    }
    assert sources.NETWORKS["quicknet"].chain_hash == expected["quicknet_chain_hash"]
    assert sources.NETWORKS["default"].chain_hash == expected["default_chain_hash"]


# ---- the vectors of format 1, where they are at hand: what has not changed but for its tag, by the script that makes our own


def test_the_script_computes_the_published_vectors_of_format_1() -> None:
    v1, v2, v3, v4, v5 = (PUBLISHED[name] for name in ("V01_chain", "V02_commit", "V03_log", "V04_close", "V05_result"))
    prefix = "lot1" if "times" not in v3 else make_vectors.FORMAT
    value = unhex(v1["s3"])
    for name in ("s2", "s1", "anchor_s0"):
        value = make_vectors.chain_step(v1["room"], value, prefix)
        assert value.hex() == v1[name]
    salt, secret = unhex(v2["salt"]), unhex(v2["secret"])
    assert make_vectors.commit(v2["room"], v2["round"], salt, secret, prefix).hex() == v2["hash"]
    assert make_vectors.rules_hash(v3["rules_json"].encode(), prefix).hex() == v3["rules_hash"]
    items = [tuple(item) for item in v3["items"]]
    times = v3.get("times") or [v4["close_ms"] - 55_000 + 1000 * item[0] for item in items]
    log, tickets = make_vectors.log_values(unhex(v3["log"][0]), items, times, prefix)
    assert ([each.hex() for each in log], tickets) == (v3["log"], v3["tickets"])
    assert make_vectors.beacon_after(v4["close_ms"], v4["margin_s"]) == (v4["drand_round"], v4["drand_time"])
    close, entropy = unhex(v4["close_hash"]), unhex(v5["entropy"])
    final = make_vectors.final_value(secret, close, salt, entropy, prefix)
    assert final.hex() == v5["final"]
    assert f"{make_vectors.word(final, 'winner', 0, prefix=prefix):064x}" == v5["N"]
    assert make_vectors.decimal(int(v5["N"], 16)) == v5["winning_number"]
    sealed = make_vectors.seal_value(unhex(v3["prev_seal"]), close, secret, salt, entropy, v5["outcome_json"].encode(), prefix)
    assert sealed.hex() == v5["seal"]
    assert make_vectors.narrow_stream(final, prefix) == PUBLISHED["V07_reject8"]["stream_n200"]
    assert make_vectors.sitngo(unhex(PUBLISHED["V08_sng"]["final"]), prefix) == PUBLISHED["V08_sng"]["winners"]
    assert (
        make_vectors.final_value(secret, unhex(PUBLISHED["V13_tamper"]["close"]), salt, entropy, prefix).hex()
        == (PUBLISHED["V13_tamper"]["final"])
    )
