"""Each check is there for a lie that only it can find: here is that lie, and the check that names it."""

import hashlib
from collections.abc import Callable
from typing import Any

import beacons
import pytest
import records

from lottery import drand, verify
from lottery.encoding import TAG, S, canonical_json
from lottery.verify import bets, payouts, promise, rake
from lottery.verify.pot import DEPOSIT, PRICE, Pot, Row
from lottery.verify.reading.shape import read

Record = dict[str, Any]


def put(*where: str | int) -> Callable[[Record, Any], None]:
    """A change that writes its value at this place."""

    def change(record: Record, value: Any) -> None:
        records.get(record, where[:-1])[where[-1]] = value

    return change


def add(*where: str | int) -> Callable[[Record, Any], None]:
    """A change that adds its value to the number at this place."""

    def change(record: Record, value: Any) -> None:
        records.get(record, where[:-1])[where[-1]] += value

    return change


def change_of_prize(record: Record, _: Any) -> None:
    """Two rows of a payout change places."""
    rows = record["outcome"]["payouts"][0]["rows"]
    rows[0], rows[1] = rows[1], rows[0]


REST = {"user_id": 1, "room": "a lane", "round": 1, "seal": "00" * 32, "close_ms": 5, "cents": 1}


def abort(record: Record, _: Any) -> None:
    """The result displeases: the operator says that there was none, as if he had voided the game at its very end."""
    record["outcome"]["void"], record["outcome"]["closed_by"] = "technical error", "operator"
    record["close"]["source"], record["outcome"]["winners"] = "void", []
    for player in record["players"]:
        player["is_winner"] = False


CLASSIC, LIMITED, TEAMS, POT, DIRECT, BLOCK = (
    "classic-unlimited",
    "classic-limited",
    "5v5-complement",
    "global-pot-mixed",
    "global-pot-direct",
    "classic-block",
)
OTHER_HASH = "00" * 32
OWN_CHAIN = {
    "scheme": "bls-unchained-g1-rfc9380",
    "public_key": drand.QUICKNET.public_key.hex(),
    "period": 3,
    "genesis": drand.QUICKNET.genesis_s,
    "group_hash": drand.QUICKNET.group_hash.hex(),
    "beacon_id": "another",
}
# example, change, value, the check that must fail
LIES: list[tuple[str, Callable[[Record, Any], None], Any, str]] = [
    (CLASSIC, put("id"), 0, "chain: place"),
    (CLASSIC, put("id"), 2**63, "chain: place"),
    (CLASSIC, put("chain", "last"), 0, "chain: place"),
    (CLASSIC, put("room"), "", "chain: lane"),
    (CLASSIC, put("room"), "other", "salt"),
    (CLASSIC, put("chain", "value"), OTHER_HASH, "salt"),
    (CLASSIC, put("salt"), OTHER_HASH, "salt"),
    (CLASSIC, put("secret"), OTHER_HASH, "chain: value before"),
    (CLASSIC, put("secret"), None, "secret there"),
    (CLASSIC, put("hash"), OTHER_HASH, "commitment"),
    (CLASSIC, put("mode"), 2, "rules: mode"),
    (CLASSIC, put("rules", "entropy"), "drand", "rules: sense"),
    (CLASSIC, put("rules", "entropy"), "drand:" + "0" * 64, "rules: sense"),
    (CLASSIC, put("rules", "entropy"), "manual:direct", "rules: sense"),
    (CLASSIC, put("rules", "beacon"), OWN_CHAIN, "rules: sense"),
    (CLASSIC, put("rules", "entropy_margin_s"), 2, "rules: sense"),
    (CLASSIC, put("rules", "bet_value_max"), 99, "rules: sense"),
    (CLASSIC, put("rules", "rake"), [[50, 10], [50, 8], [100, 0]], "rules: sense"),
    (CLASSIC, put("rules", "rake"), [[50, 10]], "rules: sense"),
    (CLASSIC, put("rules", "rake_change_max"), 2**40, "rules: sense"),
    (CLASSIC, put("rules", "rake_change_max_bp"), 10_001, "rules: sense"),
    (CLASSIC, put("rules", "referral_percent"), 41, "rules: sense"),
    (CLASSIC, put("rules", "time_limit"), None, "rules: sense"),
    (CLASSIC, put("rules", "lonely_void_s"), 0, "rules: sense"),
    (CLASSIC, put("rules", "open_max_s"), 3599, "rules: sense"),
    (LIMITED, put("rules", "player_limit"), 2, "rules: sense"),
    (LIMITED, put("rules", "rake_carry"), True, "log start"),
    (CLASSIC, put("rules", "ranges"), "inverse", "rules: sense"),
    (CLASSIC, put("rules", "tickets"), "bought", "rules: sense"),
    (TEAMS, put("rules", "player_limit"), 9, "rules: sense"),
    (TEAMS, put("rules", "tickets"), "item", "rules: sense"),
    (POT, put("rules", "shares"), [50, 0], "rules: sense"),
    (POT, put("rules", "shares"), None, "rules: sense"),
    (POT, put("rules", "global_pot_limit"), None, "rules: sense"),
    ("raffle", put("rules", "bet_value_min"), 1, "rules: sense"),
    ("raffle", put("rules", "min_players"), 2, "rules: sense"),
    ("giveaway", put("rules", "rake"), [[100, 10]], "rules: sense"),
    ("giveaway", put("guarantees"), [], "pieces of the house"),
    ("raffle", put("guarantees"), [{"deposit_id": row, "item_id": 1, "price": 1} for row in (1, 2, 3)], "pieces of the house"),
    ("giveaway", put("stock"), [{"deposit_id": 1, "item_id": 1, "price": 1}], "pieces of the house"),
    (CLASSIC, put("guarantees"), [{"deposit_id": 1, "item_id": 1, "price": 1}] * 2, "pieces of the house"),
    ("sit-n-go", put("prev_seal"), "11" * 32, "previous seal"),
    (CLASSIC, put("rules", "name"), "other", "log start"),
    (CLASSIC, put("rules", "referral_percent"), 40, "log start"),
    (CLASSIC, add("chain", "last"), 1, "log start"),
    (CLASSIC, add("time_start"), -1, "log start"),
    (CLASSIC, put("time_start"), None, "log start"),
    ("classic-guarantee", add("guarantees", 0, "price"), -1, "log start"),
    ("giveaway", put("guarantees", 0, "price"), 3, "log start"),
    ("raffle", put("guarantees", 0, "item_id"), 3, "log start"),
    (CLASSIC, add("stock", 0, "price"), 1, "log start"),
    (CLASSIC, put("log", "start"), OTHER_HASH, "log start"),
    ("raffle", add("items", 0, "price"), 1, "tickets: rule"),
    (CLASSIC, add("items", 0, "price"), 1, "tickets of item 0"),
    (CLASSIC, add("items", 0, "tickets_start"), 1, "tickets of item 0"),
    (CLASSIC, add("outcome", "tickets"), 1, "tickets"),
    (CLASSIC, add("bank"), 1, "bank"),
    (CLASSIC, put("players", 0, "chance"), "1/2", "players"),
    (CLASSIC, put("players", 0, "is_winner"), None, "unreadable"),
    (CLASSIC, add("items", 0, "bet"), 1, "order of bets"),
    (CLASSIC, put("items", -1, "time_ms"), 5, "order of bets"),
    (CLASSIC, put("items", 0, "time_ms"), 5, "order of bets"),
    (CLASSIC, put("items", 0, "client_seed"), "other", "order of bets"),
    (CLASSIC, put("close", "close_ms"), 5, "order of bets"),
    (CLASSIC, put("items", 0, "team"), 1, "order of bets"),
    (LIMITED, put("items", 0, "deposit_id"), 2**60, "log over"),
    (CLASSIC, put("items", 0, "item_id"), 999, "log over"),
    (CLASSIC, put("log", "end"), OTHER_HASH, "log over"),
    (POT, put("manual", 0, "digits"), "1", "log over"),
    (POT, put("manual", 0, "evidence"), "x", "log over"),
    (POT, put("manual", 0, "evidence"), "", "typed numbers"),
    (POT, put("manual", 0, "digits"), "-1", "typed numbers"),
    (POT, put("manual", 0, "digits"), "", "typed numbers"),
    (POT, put("manual", 0, "digits"), "1" * 101, "typed numbers"),
    (POT, put("manual", 0, "operator1"), 4, "typed numbers"),
    (POT, put("manual", 0, "time_ms"), 4, "typed numbers"),
    (POT, put("manual", -1, "time_ms"), 2**50, "typed numbers"),
    (DIRECT, put("manual", 0, "time_ms"), 4, "typed numbers"),
    (CLASSIC, add("outcome", "deadline"), 1, "deadline"),
    (CLASSIC, put("outcome", "deadline"), None, "deadline"),
    (CLASSIC, put("outcome", "closed_by"), "items", "reason of the close"),
    (CLASSIC, put("outcome", "closed_by"), "operator", "reason of the close"),
    (CLASSIC, put("outcome", "closed_by"), "failure", "reason of the close"),
    (CLASSIC, put("outcome", "closed_by"), "manual", "reason of the close"),
    (CLASSIC, put("outcome", "closed_by"), "sold_out", "reason of the close"),
    (CLASSIC, put("outcome", "closed_by"), "bank", "reason of the close"),
    (CLASSIC, add("close", "close_ms"), 1, "reason of the close"),
    (LIMITED, add("close", "close_ms"), 1, "reason of the close"),
    (POT, put("outcome", "closed_by"), "bank", "reason of the close"),
    ("raffle", add("close", "close_ms"), 1, "reason of the close"),
    (CLASSIC, add("close", "items"), 1, "items at the close"),
    (CLASSIC, put("close", "stock"), [], "stock at the close"),
    (CLASSIC, put("close", "inviters", 0, "user_id"), 1, "inviters and rests"),
    (CLASSIC, put("close", "inviters", 0, "inviters"), [], "inviters and rests"),
    (CLASSIC, put("close", "inviters", 0, "inviters"), [5, 5], "inviters and rests"),
    (CLASSIC, put("close", "inviters", 0, "inviters", 0), 5, "close hash"),
    (CLASSIC, put("close", "rests"), [{**REST, "user_id": 7001}], "inviters and rests"),
    ("classic-rests", put("close", "rests", 0, "close_ms"), 5, "inviters and rests"),
    ("classic-rests", put("close", "rests", 0, "cents"), 0, "inviters and rests"),
    ("classic-rests", add("close", "rests", 0, "cents"), 1, "close hash"),
    (CLASSIC, add("close", "source_round"), 1, "source of entropy"),
    (CLASSIC, put("close", "source"), drand.DEFAULT.hash, "source of entropy"),
    (CLASSIC, put("close", "mode"), 0, "source of entropy"),
    (CLASSIC, put("close", "hash"), OTHER_HASH, "close hash"),
    (CLASSIC, put("outcome", "opened_ms"), 0, "secret opened"),
    ("classic-rests", add("outcome", "opened_ms"), -1, "secret opened"),
    (CLASSIC, put("outcome", "opened_ms"), None, "secret there"),
    ("house-failure", put("outcome", "opened_ms"), 2**50, "secret there"),
    (CLASSIC, put("proof"), {}, "proof: parts"),
    (LIMITED, put("proof"), {"signature": "00"}, "proof"),
    ("classic-guarantee", put("proof"), {"signature": "00"}, "proof: parts"),
    (CLASSIC, put("proof", "signature"), "c0" + "00" * 47, "beacon"),
    (CLASSIC, put("proof", "signature"), "00" * 48, "beacon"),
    (CLASSIC, put("proof", "signature"), "80" * 47, "beacon"),
    (CLASSIC, put("proof", "signature"), "80" + "00" * 45 + "0007", "beacon"),
    (CLASSIC, put("entropy"), OTHER_HASH, "entropy"),
    (LIMITED, put("entropy"), "00", "entropy"),
    (BLOCK, put("proof", "header"), "00" * 80, "block time"),
    (BLOCK, put("proof", "header"), "ff" * 80, "block work"),
    (BLOCK, put("proof", "height"), "0125552", "block height"),
    (BLOCK, put("proof", "height"), "²", "block height"),
    (BLOCK, put("entropy"), OTHER_HASH, "entropy"),
    (DIRECT, put("manual", 0, "digits"), "1", "entropy"),
    (CLASSIC, put("final"), OTHER_HASH, "final"),
    (CLASSIC, put("final"), None, "final"),
    ("void-warmup", put("final"), OTHER_HASH, "final"),
    ("house-failure", put("final"), OTHER_HASH, "final"),
    (CLASSIC, put("winning_number"), "0." + "0" * 96, "winning number"),
    (TEAMS, put("winning_number"), "0.5", "winning number"),
    (TEAMS, add("outcome", "eliminations", 0, "value"), 1, "eliminations"),
    (CLASSIC, add("outcome", "winners", 0, "ticket"), 1, "winners"),
    (CLASSIC, put("outcome", "winners", 0, "share"), 2, "winners"),
    (CLASSIC, put("outcome", "winners"), [], "players"),
    (CLASSIC, add("winning_ticket"), 1, "winning ticket"),
    (TEAMS, put("winning_ticket"), 1, "winning ticket"),
    (CLASSIC, put("outcome", "rake"), None, "rake"),
    ("giveaway", put("outcome", "rake"), "copy", "unreadable"),
    (CLASSIC, add("outcome", "rake", "dues", 0, "percent"), -1, "rake: dues"),
    (CLASSIC, add("outcome", "rake", "dues", 0, "due"), 1, "rake: dues"),
    (CLASSIC, add("outcome", "rake", "due"), 1, "rake: due"),
    (CLASSIC, put("outcome", "rake", "carry"), 1, "rake: carry"),
    ("classic-rests", add("outcome", "rake", "carry"), 1, "rake: carry"),
    ("classic-rests", put("outcome", "rake", "carried"), [], "rake: collected of rests"),
    (CLASSIC, put("outcome", "rake", "taken"), [], "rake: rows taken"),
    (TEAMS, put("outcome", "rake", "taken"), [], "rake: rows taken"),
    (CLASSIC, put("outcome", "rake", "change"), [], "rake: change"),
    (TEAMS, put("outcome", "rake", "change"), [], "rake: change"),
    (CLASSIC, add("outcome", "rake", "net"), 1, "rake: net"),
    (TEAMS, add("outcome", "rake", "net"), 1, "rake: net"),
    (CLASSIC, put("outcome", "rake", "shortfall"), 1, "rake: shortfall"),
    (CLASSIC, add("outcome", "payouts", 0, "claim"), 1, "payout 0"),
    (CLASSIC, put("outcome", "payouts", 0, "credit"), 1, "payout 0"),
    (CLASSIC, change_of_prize, None, "payout 0"),
    (CLASSIC, put("outcome", "payouts", 0, "user_id"), 1, "payout 0"),
    ("giveaway", put("outcome", "payouts", 0, "guarantees"), [], "payout 0"),
    (CLASSIC, put("outcome", "payouts"), [], "payouts: number"),
    (CLASSIC, put("outcome", "house"), [], "house keeps"),
    ("giveaway", put("outcome", "house"), [], "house keeps"),
    (CLASSIC, add("outcome", "referral", 0, "base"), 1, "referral"),
    (CLASSIC, add("outcome", "referral", 0, "credits", 0), 1, "referral"),
    (CLASSIC, put("outcome", "referral", 0, "user_id"), 1, "referral"),
    (CLASSIC, put("outcome", "referral", 0, "inviters"), [5, 6], "referral"),
    (CLASSIC, put("outcome", "referral"), [], "referral"),
    (CLASSIC, put("outcome", "renew"), {"value": OTHER_HASH, "last": 1}, "next chain"),
    (CLASSIC, put("outcome", "renew"), {"value": OTHER_HASH, "last": 2**40}, "seal"),
    (CLASSIC, put("seal"), OTHER_HASH, "seal"),
    (CLASSIC, put("outcome", "opened_ms"), 2**50, "seal"),
    ("void-game", put("outcome", "void"), "another reason", "seal"),
    ("void-game", put("outcome", "void"), None, "reason of the close"),
    ("void-lonely", put("outcome", "void"), "another reason", "reason of the close"),
    ("void-lonely", add("close", "close_ms"), 1, "reason of the close"),
    ("void-lonely", put("outcome", "closed_by"), "operator", "reason of the close"),
    ("void-too-few-players", put("outcome", "closed_by"), "bank", "reason of the close"),
    ("void-too-few-players", put("close", "source"), "", "source of entropy"),
    (CLASSIC, put("outcome", "void"), "it displeased", "reason of the close"),
    (LIMITED, put("outcome", "void"), "it displeased", "reason of the close"),
    (CLASSIC, abort, None, "reason of the close"),
    (LIMITED, abort, None, "reason of the close"),
    ("raffle", abort, None, "reason of the close"),
    ("house-failure", put("outcome", "failure"), "another reason", "seal"),
    ("house-failure", put("outcome", "failure"), None, "secret opened"),
]


@pytest.mark.parametrize(("name", "change", "value", "check"), LIES)
def test_the_lie_is_named(name: str, change: Callable[[Record, Any], None], value: Any, check: str) -> None:
    record = records.load(name)
    change(record, value)
    try:
        found = records.failed_check(record)
    except verify.Unreadable:
        found = "unreadable"
    assert found.startswith(check), found


def resealed(record: Record) -> Record:
    """The same record with the seal that its outcome now has: what a liar would do."""
    parts = [bytes.fromhex(record["prev_seal"]), bytes.fromhex(record["close"]["hash"]), bytes.fromhex(record["secret"])]
    entropy, outcome = bytes.fromhex(record["entropy"]), canonical_json(record["outcome"])
    parts += [bytes.fromhex(record["salt"]), len(entropy).to_bytes(4, "big"), entropy]
    data = b"".join([TAG("lot2.seal"), *parts, len(outcome).to_bytes(4, "big"), outcome])
    record["seal"] = hashlib.sha256(data).hexdigest()
    return record


def counted(name: str, change: Callable[[Record], Any]) -> Record:
    """A record that was changed before it was read, up to the point where its items are counted."""
    value = records.load(name)
    change(value)
    record = read(value)
    return {**record, "pot": Pot(record["items"], record["rules"])}


def twice(record: Record) -> None:
    record["items"][1]["deposit_id"] = record["items"][0]["deposit_id"]


TWICE: list[tuple[str, Callable[[Record], Any], Callable[[Record], str], str]] = [
    (CLASSIC, twice, bets.orderly, "twice"),
    (CLASSIC, lambda record: record["items"][1].update(deposit_id=record["stock"][0]["deposit_id"]), bets.orderly, "house"),
    (
        "classic-guarantee",
        lambda record: record["items"][1].update(deposit_id=record["guarantees"][0]["deposit_id"]),
        bets.orderly,
        "house",
    ),
    ("classic-guarantee", lambda record: record["guarantees"].append(record["guarantees"][0]), promise.pieces, "twice"),
    (CLASSIC, lambda record: record["stock"].append(record["stock"][0]), promise.pieces, "twice"),
    (TEAMS, lambda record: record["outcome"]["payouts"][0].update(change=[1]), payouts.conserve_rows, "not of the stock"),
    (
        TEAMS,
        lambda record: record["outcome"]["payouts"][0].update(change=[record["stock"][0]["deposit_id"]] * 2),
        payouts.conserve_rows,
        "two places",
    ),
]


@pytest.mark.parametrize(("name", "change", "rule", "lie"), TWICE)
def test_a_row_stands_in_one_place_only(
    name: str, change: Callable[[Record], Any], rule: Callable[[Record], str], lie: str
) -> None:
    """Each rule by itself: in a whole record the hashes would be wrong as well."""
    assert rule(counted(name, lambda record: None))
    with pytest.raises(verify.Lie, match=lie):
        rule(counted(name, change))


@pytest.mark.parametrize("row", [None, 5, "row", [], [["item_id", 1]]])
def test_a_row_that_is_no_object_is_named(row: Any) -> None:
    record = records.load(CLASSIC)
    record["items"][1] = row
    with pytest.raises(verify.Unreadable, match=r"record\.items\[1\] must be an object"):
        verify.verify_record(record)


def test_a_new_seal_does_not_make_a_lie_true() -> None:
    record = records.load(CLASSIC)
    assert resealed(records.load(CLASSIC)) == record
    record["outcome"]["rake"]["taken"] = record["outcome"]["rake"]["taken"][::-1]
    assert records.failed_check(resealed(record)) == "rake: rows taken"


def test_a_glued_secret_opens_nothing_else() -> None:
    record = records.load(CLASSIC)
    glued = record["secret"] + record["salt"]
    for cut in range(2, 64, 2):
        other = record | {"secret": glued[cut : cut + 64], "salt": glued[cut + 64 :] + glued[:cut]}
        assert records.failed_check(other) != ""
    assert S("ab") + S("c") != S("a") + S("bc")


def test_what_stays_open_is_said() -> None:
    told = {name: " ".join(verify.verify(records.text(name)).not_proven) for name in records.SOUND}
    assert all("witness" in each and "prices" in each and "--anchor" in each for each in told.values())
    assert "recording" in told[DIRECT]
    assert "without a beacon it knows it" in told[LIMITED]
    assert "invited" in told[CLASSIC]
    assert "owed 75" in told["classic-rests"]
    assert "operator's word" in told["void-game"]
    assert "operator's word" not in told["void-lonely"]


def test_a_draw_that_no_record_can_show_has_a_verdict_of_its_own() -> None:
    for name, why in ((DIRECT, "recording"), (BLOCK, "look it up")):
        report = verify.verify(records.text(name))
        assert (report.verdict, report.good, report.lie) == (verify.UNCHECKED, False, None)
        assert any(why in each for each in report.unchecked)
    assert verify.verify(records.text(BLOCK), frozenset([records.BLOCK])).good
    for other in (beacons.BLOCK_HASH, f"125553:{beacons.BLOCK_HASH}", "125552:" + "00" * 32):
        assert not verify.verify(records.text(BLOCK), frozenset([other])).good


def test_a_secret_opened_after_the_beacon_is_told() -> None:
    record = records.load(CLASSIC)
    record["outcome"]["opened_ms"] += 60_000
    report = verify.verify_record(resealed(record))
    assert report.good
    assert any("after the beacon" in each for each in report.not_proven)


# ---- the rake by hand: lottery.md 2.1, "worked example"


def rows(*prices: int, first: int = 1) -> list[Row]:
    return [(first + n, price, 2, n + 1) for n, price in enumerate(prices)]


def by_price(*given: Row) -> list[Row]:
    """In the order of a pot's rows: dearest first, then the lower deposit."""
    return sorted(given, key=lambda row: (-row[PRICE], row[DEPOSIT]))


WORKED = by_price(*rows(310, 240, 195, 80, 55, 249, 1200))


def test_the_worked_example_without_change_takes_the_best_below() -> None:
    pool = rake.preferred(WORKED, [6])
    assert rake.exactly(pool, 282) is None
    take = rake.at_most(pool, 282)
    assert (rake.worth(take.rows), sorted(rake.deposits(take.rows))) == (275, [3, 4])


def test_the_worked_example_with_change_makes_the_due() -> None:
    take = rake.with_change(rake.preferred(WORKED, [6]), 282, [(101, 25), (102, 3), (103, 1)], 5000)
    assert take is not None
    assert rake.worth(take.rows) - rake.worth(take.back) == 282
    assert rake.worth(take.back) in (1, 3, 4, 25, 26, 28, 29)


def test_priority_decides_between_equally_exact_sets_only() -> None:
    pool = rows(100, 100)
    assert rake.exactly(rake.preferred(pool, []), 100) == rake.Take([pool[0]], [])
    assert rake.exactly(rake.preferred(pool, [2]), 100) == rake.Take([pool[1]], [])
    cheap, dear = rows(60, 100)
    assert rake.exactly(rake.preferred([dear, cheap], [1]), 100) == rake.Take([dear], [])


def test_rows_worth_nothing_are_never_taken() -> None:
    assert rake.preferred(rows(5, 0, 3), []) == rake.preferred(rows(5, 0, 3), [2]) == [rows(5)[0], rows(5, 0, 3)[2]]


def test_a_rest_beyond_all_sums_takes_one_dear_row_with_change() -> None:
    pool = rows(100_030, 100_020, 100_010)
    take = rake.with_change(pool, 100_000, [(50, 20)], 5000)
    assert take is not None
    assert (rake.deposits(take.rows), rake.deposits(take.back)) == ([2], [50])
    assert rake.with_change(pool, 100_000, [(50, 7)], 5000) is None
    assert rake.at_most(pool, 100_000).rows == []


@pytest.mark.parametrize(
    ("own", "percent"),
    [(0, 10), (4999, 10), (5000, 8), (5999, 8), (6000, 7), (7000, 6), (8000, 5), (9000, 3), (9499, 3), (9500, 0), (10000, 0)],
)
def test_the_table_is_half_open(own: int, percent: int) -> None:
    table = [[50, 10], [60, 8], [70, 7], [80, 6], [90, 5], [95, 3], [100, 0]]
    due = rake.one_due(table, 1, own, 10000, 999)
    assert (due["percent"], due["due"]) == (percent, 999 * percent // 100)
