"""Whatever decides who gets what is bound before the first bet, or follows from what is bound.

Thirteen ways in which a house that writes the record could still choose, or in which somebody could be told a lie: each is
tried here, with everything resealed that the house could reseal.
"""

import copy
import hashlib
import json
from itertools import combinations
from random import Random
from typing import Any

import lottery_factories as make
import own_chain
import pytest

from lottery import commitments, drand, drawing, proofs, record, replay, rooms, rounds, sources, verify
from lottery.commitments import Link, Piece, Rest
from lottery.encoding import canonical_json
from lottery.errors import LotteryError, Refused, RoomError
from lottery.events import Buy, Create, Entropy, Fail, Finalize, Open, Renew, Settled, Start, Tick, Void
from lottery.snapshots import snapshot
from lottery.state import Phase, Round

Json = dict[str, Any]


def published(state: Round) -> Json:
    """The record as it is read by others."""
    return json.loads(canonical_json(record.sealed(state)))  # type: ignore[no-any-return]


def forged(honest: Json, **changes: Any) -> Json:
    """A record in which the house has changed fields ("outcome__closed_by"), with a close hash and a seal that fit again."""
    found = copy.deepcopy(honest)
    for where, value in changes.items():
        *path, last = where.split("__")
        holder = found
        for key in path:
            holder = holder[key]
        holder[last] = value
    return resealed(reclosed(found))


def reclosed(found: Json) -> Json:
    close = found["close"]
    bound = commitments.Bound(
        tuple(Piece(**each) for each in close["stock"]),
        tuple((each["user_id"], tuple(each["inviters"])) for each in close["inviters"]),
        tuple((each["user_id"], rest_of(each)) for each in close["rests"]),
    )
    source = sources.Source(close["mode"], close["source"], close["source_round"], None)
    log = bytes.fromhex(found["log"]["end"])
    close["hash"] = commitments.close_record(log, close["items"], close["tickets"], close["close_ms"], source, bound).hash.hex()
    return found


def rest_of(each: Json) -> Rest:
    return Rest(each["room"], each["round"], bytes.fromhex(each["seal"]), each["close_ms"], each["cents"])


def resealed(found: Json) -> Json:
    before, closed = bytes.fromhex(found["prev_seal"]), bytes.fromhex(found["close"]["hash"])
    secret, salt, entropy = (bytes.fromhex(found[name]) for name in ("secret", "salt", "entropy"))
    found["seal"] = commitments.seal(before, closed, secret, salt, entropy, found["outcome"]).hex()
    return found


def lie(found: Json) -> str:
    """The check that names the lie; "" for a record without one."""
    report = verify.verify_record(found)
    return report.lie[0] if report.lie else ""


def refusal(state: Round, event: Any, check: Any = make.issued) -> str:
    """The code of a refusal, which must leave the state byte-identical."""
    before = snapshot(state)
    with pytest.raises(Refused) as refused:
        rounds.apply(state, event, check)
    assert snapshot(state) == before
    return refused.value.code


def two_players(lane: make.Lane, **changes: Any) -> Round:
    state = lane.started(**changes)
    make.place(state, 1, [300])
    make.place(state, 2, [200])
    return state


# ---- 1: one reason and one moment


def full_pot(**changes: Any) -> Json:
    lane = make.Lane(rooms.load("classic-unlimited", entropy="none", item_limit_max=10, **changes), "full")
    state = lane.started()
    for user in (1, 2):
        make.place(state, user, [100] * 5, state.now + 500)
    assert (state.phase, state.closed_by) == (Phase.CLOSED, "items")
    return published(make.finish(lane, state))


def test_p01_a_full_pot_did_not_end_by_its_clock() -> None:
    """Two closes to choose from would be two beacons to choose from."""
    honest = full_pot()
    assert lie(honest) == ""
    late = forged(honest, outcome__closed_by="time", close__close_ms=honest["outcome"]["deadline"])
    assert lie(late) == "reason of the close"
    assert lie(forged(honest, outcome__closed_by="bank")) == "reason of the close"


def test_p01_a_full_bank_did_not_end_by_its_clock() -> None:
    room = rooms.load("global-pot", entropy="none", global_pot_limit=900, time_enable=True, time_limit=60, shares=(1,))
    lane = make.Lane(room, "bank")
    honest = published(make.finish(lane, two_players_of(lane, [500, 500])))
    assert (lie(honest), honest["outcome"]["closed_by"]) == ("", "bank")
    late = forged(honest, outcome__closed_by="time", close__close_ms=honest["outcome"]["deadline"])
    assert lie(late) == "reason of the close"


def two_players_of(lane: make.Lane, prices: list[int]) -> Round:
    state = lane.started()
    for user, price in enumerate(prices, 1):
        make.place(state, user, [price], state.now + 500)
    return state


def test_p01_what_ended_by_its_clock_was_not_full() -> None:
    lane = make.Lane(rooms.load("classic-unlimited", entropy="none"), "clock")
    honest = published(make.finish(lane, two_players(lane)))
    last = honest["items"][-1]["time_ms"]
    for by in ("items", "bank", "sold_out", "manual"):
        assert lie(forged(honest, outcome__closed_by=by, close__close_ms=last)) == "reason of the close"


# ---- 2: guarantees, prizes and the start are in the log's start


def test_p02_the_prize_of_a_giveaway_cannot_be_replaced() -> None:
    lane, state = make.giveaway()
    honest = published(state)
    cheap = [{**honest["guarantees"][0], "price": 3}]
    assert lie(forged(honest, guarantees=cheap)).startswith("log start")
    assert lie(forged(honest, guarantees=[{**honest["guarantees"][0], "deposit_id": 5}])) != ""
    other = make.Lane(lane.room, lane.seed).started(guarantees=(Piece(make.HOUSE, 99, 3),))
    assert other.log_start != state.log_start


def test_p02_the_start_of_the_game_is_bound() -> None:
    lane = make.Lane(rooms.load("giveaway", entropy="none"), "start")
    state = lane.started()
    make.place(state, 1, [5], item=2)
    honest = published(make.finish(lane, state))
    earlier = forged(
        honest,
        time_start=honest["time_start"] - 1000,
        outcome__deadline=honest["outcome"]["deadline"] - 1000,
        close__close_ms=honest["close"]["close_ms"] - 1000,
    )
    assert lie(earlier).startswith("log start")


def test_p02_the_start_of_the_log_is_shown_before_the_first_bet() -> None:
    state = make.Lane(rooms.load("classic-unlimited")).create()
    (started,) = rounds.apply(state, Start(state.now, "start"))
    assert started == make.effects.Started(state.now, state.log_start)
    assert len(state.log_start) == 32


# ---- 3: the stock for change and the inviters are bound, rests have a past


def change_room(**changes: Any) -> rooms.Room:
    return rooms.load("classic-unlimited", entropy="none", rake=((100, 10),), **changes)


def with_change() -> tuple[make.Lane, Round]:
    lane = make.Lane(change_room(), "change")
    state = lane.started(stock=make.stock([1, 2, 3, 5, 8, 13, 21, 34, 55, 89]))
    for user in (1, 2):
        make.place(state, user, [500, 400], inviters=(7, 8))
    return lane, make.finish(lane, state)


def test_p03_the_house_cannot_choose_its_stock_after_the_draw() -> None:
    """Ten pieces in stock would have been hundreds of outcomes to choose from: all but one are lies."""
    _, state = with_change()
    honest = published(state)
    assert honest["outcome"]["rake"]["change"]
    assert lie(honest) == ""
    for left_out in range(1, 3):
        for pieces in combinations(honest["stock"], len(honest["stock"]) - left_out):
            assert lie(forged(honest, stock=list(pieces), close__stock=list(pieces))).startswith("log start")
            assert lie(forged(honest, close__stock=list(pieces))) == "stock at the close"


def test_p03_settling_brings_nothing_along() -> None:
    assert set(Finalize.__dataclass_fields__) == {"now", "token"}
    assert {"stock", "guarantees"} < set(Create.__dataclass_fields__)
    lane, state = make.Lane(change_room(), "nothing"), None
    state = two_players(lane)
    make.close_by_time(state)
    closed = state.close
    assert closed is not None
    make.draw(lane, state)
    make.settle(state)
    assert record.sealed(state)["close"] == closed.plain()


def test_p03_inviters_are_fixed_by_the_close() -> None:
    _, state = with_change()
    honest = published(state)
    winner = honest["outcome"]["winners"][0]["user_id"]
    paid = honest["outcome"]["referral"][0]
    other = [{**paid, "inviters": [66, 67]}]
    assert lie(forged(honest, outcome__referral=other)) == "referral"
    friends = [{**each, "inviters": [66, 67]} if each["user_id"] == winner else each for each in honest["close"]["inviters"]]
    spoiled = copy.deepcopy(honest)
    spoiled["close"]["inviters"], spoiled["outcome"]["referral"] = friends, other
    assert lie(resealed(spoiled)) == "close hash"


def test_p03_a_later_bet_does_not_bring_other_inviters() -> None:
    state = make.Lane(change_room()).started()
    make.place(state, 1, [300], inviters=(7, 8))
    make.place(state, 1, [300], inviters=(9,))
    assert state.players[1].inviters == (7, 8)


def rest(state: Round, cents: int, number: int = 3, age_ms: int = 1000) -> Rest:
    return Rest(state.room, number, make.digest(f"seal {number}"), state.now - age_ms, cents)


def drawn_with_rests(cents: int, **changes: Any) -> Round:
    lane = make.Lane(change_room(rake_carry=True, **changes), "carry")
    state = lane.started()
    for user in (1, 2):
        make.place(state, user, [500, 100, 50, 43, 30, 20, 7], rests=(rest(state, cents),))
    make.finish(lane, state)
    return state


def test_p03_rests_are_asked_for_within_the_due_and_a_quarter_of_the_opponents_stake() -> None:
    for cents, carry in ((30, 30), (100, 37), (10_000, 37)):
        rake = published(drawn_with_rests(cents))["outcome"]["rake"]
        assert (rake["due"], rake["carry"]) == (150, carry)
        assert rake["due"] + rake["carry"] <= 750 // 4
        assert rake["net"] <= rake["due"] + rake["carry"]


def test_p03_a_rest_names_where_it_arose_and_is_listed_as_not_proven() -> None:
    honest = published(drawn_with_rests(50))
    assert lie(honest) == ""
    (line,) = honest["outcome"]["rake"]["carried"]
    assert line == {"seal": make.digest("seal 3").hex(), "cents": 37}
    assert honest["outcome"]["rake"]["net"] == 187
    assert any("owed 50 from round 3" in each for each in verify.verify_record(honest).not_proven)
    more = [{**each, "cents": 5000} for each in honest["close"]["rests"]]
    spoiled = copy.deepcopy(honest)
    spoiled["close"]["rests"] = more
    assert lie(resealed(spoiled)) == "close hash"


@pytest.mark.parametrize(
    ("room", "change"),
    [
        ({"rake_carry": False}, {}),
        ({"rake_carry": True}, {"cents": 0}),
        ({"rake_carry": True}, {"close_ms": make.T0 + 1}),
        ({"rake_carry": True}, {"close_ms": make.T0 - 31 * 24 * 3600 * 1000}),
    ],
)
def test_p03_rests_that_cannot_be_asked_for(room: Json, change: Json) -> None:
    state = make.Lane(change_room(**room)).started()
    wrong = rest(state, 50)._replace(**change)
    assert refusal(state, make.bet(state, 1, [300], rests=(wrong,))) == "rests"
    if room["rake_carry"]:
        twice = (rest(state, 50), rest(state, 60))
        assert refusal(state, make.bet(state, 1, [300], rests=twice)) == "rests"


# ---- 4: the salt is nobody's choice


def test_p04_the_salt_follows_from_the_chain() -> None:
    assert "salt" not in Create.__dataclass_fields__
    lane = make.Lane(rooms.load("classic-unlimited", entropy="none"), "salt")
    state = two_players(lane)
    assert state.salt == commitments.salt(lane.name, 1, lane.seeds.anchor)
    honest = published(make.finish(lane, state))
    for number in range(10):
        other = make.digest(f"salt {number}")
        secret = bytes.fromhex(honest["secret"])
        spoiled = forged(honest, salt=other.hex(), hash=commitments.commit(lane.name, 1, other, secret).hex())
        assert lie(spoiled) == "salt"


def test_p04_a_number_without_beacon_follows_from_the_anchor_alone() -> None:
    """Neither rules nor bets, neither seals nor times move it: there is nothing left to try."""
    numbers = set()
    for seed, price in (("a", 100), ("b", 999)):
        lane = make.Lane(rooms.load("classic-unlimited", entropy="none", time_limit=5 + price), "the same chain")
        state = lane.started()
        make.place(state, 1, [300, price], client_seed=seed)
        make.place(state, 2, [200])
        make.finish(lane, state)
        numbers.add(state.final)
    assert len(numbers) == 1


# ---- 5: after the close nothing is void


@pytest.mark.parametrize("entropy", ["none", "drand:quicknet", "block:bitcoin"])
def test_p05_nothing_voids_a_closed_round(entropy: str) -> None:
    lane = make.Lane(rooms.load("classic-unlimited", entropy=entropy))
    state = two_players(lane)
    make.close_by_time(state)
    week = 7 * 24 * 3600 * 1000
    for now in (state.now, state.now + 1, state.now + week):
        assert refusal(state, Void(now, make.token(), "regret")) == "phase"
    rounds.apply(state, Open(state.now + 1000, make.token(), lane.secret(state)))
    assert refusal(state, Void(state.now + week, make.token(), "no beacon")) == "phase"


def test_p05_a_late_beacon_is_waited_for() -> None:
    lane = make.Lane(rooms.load("classic-unlimited"))
    state = two_players(lane)
    make.close_by_time(state)
    rounds.apply(state, Open(state.now + 1000, make.token(), lane.secret(state)))
    rounds.apply(state, Tick(state.now + 30 * 24 * 3600 * 1000, make.token()))
    opened = state.phase
    make.apply(state, make.entropy_event(state))
    assert (opened, state.phase) == (Phase.OPENED, Phase.DRAWN)


def test_p05_a_void_that_was_said_after_the_close_is_a_lie() -> None:
    lane = make.Lane(rooms.load("classic-unlimited", entropy="none"))
    honest = published(make.finish(lane, two_players(lane)))
    for later in (0, 1, 10**9):
        spoiled = forged(
            honest,
            outcome__void="no beacon for 24 hours",
            outcome__closed_by="operator",
            close__close_ms=honest["close"]["close_ms"] + later,
            close__source="void",
        )
        assert lie(spoiled) == "reason of the close"
    assert lie(forged(honest, outcome__void="no beacon for 24 hours")) == "reason of the close"


def failed(state: Round, reason: str = "the disk is gone") -> Json:
    ended = rounds.apply(state, Fail(state.now, make.token(), reason))
    assert isinstance(ended[-1], make.effects.LaneEnded)
    return published(state)


@pytest.mark.parametrize("moment", ["warmup", "game", "closed", "void"])
def test_p05_a_lost_secret_ends_the_lane_by_a_record_that_is_never_good(moment: str) -> None:
    lane = make.Lane(rooms.load("classic-unlimited"))
    state = lane.create()
    if moment != "warmup":
        rounds.apply(state, Start(state.now, make.token()))
        make.place(state, 1, [300])
        make.place(state, 2, [200])
    if moment == "closed":
        make.close_by_time(state)
    if moment == "void":
        rounds.apply(state, Void(state.now, make.token(), "power cut"))
    found = failed(state)
    report = verify.verify_record(found)
    assert (report.lie or ("",))[0] == verify.FAILURE
    assert not report.good
    assert found["secret"] is None
    assert [payout["rows"] for payout in found["outcome"]["payouts"]] == ([] if moment == "warmup" else [[1], [2]])
    with pytest.raises(Refused) as refused:
        rounds.create(lane.create_event(round=2, prev_seal=state.seal or b""), state)
    assert refused.value.code == "lane_ended"


def test_p05_a_failure_is_no_way_out_once_the_secret_is_open() -> None:
    lane = make.Lane(rooms.load("classic-unlimited"))
    state = two_players(lane)
    make.close_by_time(state)
    rounds.apply(state, Open(state.now + 1000, make.token(), lane.secret(state)))
    assert refusal(state, Fail(state.now, make.token(), "the beacon displeases")) == "beacon_awaited"
    make.apply(state, make.entropy_event(state))
    assert refusal(state, Fail(state.now, make.token(), "the winner displeases")) == "phase"


def test_p05_direct_typing_has_the_same_way_out_and_no_other() -> None:
    lane = make.Lane(rooms.load("global-pot", global_pot_limit=500, shares=(2, 1), entropy="manual:direct"))
    state = two_players(lane)
    rounds.apply(state, Open(state.now + 1000, make.token(), lane.secret(state)))
    rounds.apply(state, make.typed(state, "7"))
    assert refusal(state, Void(state.now, make.token(), "the camera broke")) == "phase"
    found = failed(state, "the camera broke")
    assert lie(found) == verify.FAILURE
    assert (found["outcome"]["winners"], found["winning_ticket"]) == ([], None)
    found["manual"][0]["digits"] = "8"
    assert lie(found) == "entropy"


# ---- 6: the engine pays on nothing that was not checked


def waiting(**changes: Any) -> tuple[make.Lane, Round]:
    lane = make.Lane(rooms.load("classic-unlimited", **changes))
    state = two_players(lane)
    make.close_by_time(state)
    rounds.apply(state, Open(state.now + 1000, make.token(), lane.secret(state)))
    return lane, state


def test_p06_without_a_checking_function_no_entropy_is_taken() -> None:
    _, state = waiting()
    assert refusal(state, make.entropy_event(state), None) == "entropy_unchecked"


def test_p06_a_made_up_signature_is_no_beacon() -> None:
    """Ground until its hash pleases, of the right form and with the right hash: the pairing says no."""
    _, state = waiting()
    assert refusal(state, make.entropy_event(state), proofs.check) == "entropy_proof"


@pytest.mark.parametrize("answer", [False, None, 1, "yes"])
def test_p06_only_true_is_a_yes(answer: Any) -> None:
    _, state = waiting()
    assert refusal(state, make.entropy_event(state), lambda claim: answer) == "entropy_proof"


def test_p06_a_replay_checks_again() -> None:
    lane = make.Lane(rooms.load("classic-unlimited"))
    told: list[Any] = [lane.create_event()]
    state = rounds.create(told[0])
    for event in (Start(state.now, "s"), make.bet(state, 1, [300]), make.bet(state, 2, [200], first=2)):
        rounds.apply(state, event)
        told.append(event)
    for later in (Tick(state.deadline or 0, "t"), Open((state.deadline or 0) + 1000, "o", lane.secret(state))):
        rounds.apply(state, later)
        told.append(later)
    told.append(make.entropy_event(state))
    assert rounds.fold(told, check=make.issued).phase is Phase.DRAWN
    for check in (None, proofs.check, lambda claim: False):
        with pytest.raises(Refused):
            rounds.fold(told, check=check)
    listed = [make.event_json.to_json(event) for event in told]
    with pytest.raises(Refused):
        replay.replay(listed)


def test_p06_opening_and_entropy_do_not_come_before_their_time() -> None:
    lane = make.Lane(rooms.load("classic-unlimited"))
    state = two_players(lane)
    make.close_by_time(state)
    assert state.close is not None
    for early in (0, 999):
        opening = Open(state.close.close_ms + early, make.token(), lane.secret(state))
        assert refusal(state, opening) == "too_early"
    rounds.apply(state, Open(state.close.close_ms + 1000, make.token(), lane.secret(state)))
    beacon = drawing.beacon_ms(state) or 0
    assert refusal(state, make.entropy_event(state, now=beacon - 1)) == "too_early"
    make.apply(state, make.entropy_event(state, now=beacon))


def test_p06_a_record_that_was_opened_too_early_is_a_lie() -> None:
    lane = make.Lane(rooms.load("classic-unlimited", entropy="none"))
    honest = published(make.finish(lane, two_players(lane)))
    assert lie(forged(honest, outcome__opened_ms=honest["close"]["close_ms"] + 999)) == "secret opened"


def on_own_chain(prefix: str = "drand:") -> tuple[rooms.Room, str]:
    terms = own_chain.terms()
    return rooms.load("classic-unlimited", entropy=prefix + terms.chain_hash, beacon=terms), terms.chain_hash


def own_beacon(state: Round) -> Entropy:
    assert state.close is not None
    signature = own_chain.signature(state.close.source_round)
    when = max(state.now, drawing.beacon_ms(state) or 0)
    return Entropy(when, "beacon", state.close.source_round, drand.randomness(signature), {"signature": signature.hex()})


def test_p06_a_room_may_name_any_chain_by_its_hash_and_the_verifier_says_that_it_does_not_know_it() -> None:
    room, chain = on_own_chain()
    lane = make.Lane(room, "own chain")
    state = two_players(lane)
    make.close_by_time(state)
    rounds.apply(state, Open(state.now + 1000, make.token(), lane.secret(state)))
    rounds.apply(state, own_beacon(state), proofs.check)
    make.settle(state)
    found = published(state)
    report = verify.verify_record(found)
    assert (report.verdict, report.good) == (verify.UNCHECKED, False)
    assert chain in report.unchecked[0]
    assert verify.verify_record(found, frozenset([chain])).good
    assert not verify.verify_record(found, frozenset(["00" * 32])).good
    spoiled = copy.deepcopy(found)
    spoiled["proof"]["signature"] = own_chain.signature(1).hex()
    assert verify.verify_record(spoiled, frozenset([chain])).lie is not None
    assert rooms.parse(found["rules"]) == room


@pytest.mark.parametrize(
    "change",
    [
        {"period": 4},
        {"genesis": own_chain.GENESIS + 1},
        {"public_key": drand.QUICKNET.public_key.hex()},
        {"group_hash": "00" * 32},
        {"beacon_id": "other"},
        {"scheme": "pedersen-bls-chained"},
        {"scheme": "bls-unchained-on-g1"},
    ],
)
def test_p06_the_terms_of_a_chain_are_those_of_its_hash(change: Json) -> None:
    named = own_chain.terms().chain_hash
    with pytest.raises(RoomError):
        rooms.load("classic-unlimited", entropy=f"drand:{named}", beacon=own_chain.terms(**change))
    with pytest.raises(RoomError):
        rooms.load("classic-unlimited", entropy=f"drand:{named}")
    with pytest.raises(RoomError):
        rooms.load("classic-unlimited", beacon=own_chain.terms())


def test_p06_the_hash_of_a_known_chain_needs_its_terms_too_and_is_known() -> None:
    quicknet = sources.BeaconTerms(
        "bls-unchained-g1-rfc9380",
        drand.QUICKNET.public_key.hex(),
        drand.QUICKNET.period_s,
        drand.QUICKNET.genesis_s,
        drand.QUICKNET.group_hash.hex(),
        "quicknet",
    )
    room = rooms.load("classic-unlimited", entropy=f"drand:{drand.QUICKNET.hash}", beacon=quicknet)
    assert room.network == sources.NETWORKS["quicknet"]


def test_p06_a_block_needs_the_work_that_it_names() -> None:
    header = bytes.fromhex(
        "0100000081cd02ab7e569e8bcd9317e2fe99f2de44d49ab2b8851ba4a308000000000000"
        "e320b6c2fffc8d750423db8b1eb942ae710e951ed797f7affc8892b0f1fc122bc7f5d74df2b9441a42a14695"
    )
    assert proofs.under_target(header)
    assert not proofs.under_target(header[:-1] + b"\x96")
    assert not proofs.under_target(header[:72] + b"\xff\xff\x7f\x20" + header[76:])
    assert not proofs.under_target(header[:72] + b"\x00\x00\x80\x1a" + header[76:])
    for spoiled in (header[:76] + bytes(4), header[:72] + bytes(4) + header[76:]):
        digest = hashlib.sha256(hashlib.sha256(spoiled).digest()).digest()
        claim = sources.Claim("bitcoin", 1, digest, {"header": spoiled.hex(), "height": "1"}, None)
        assert not proofs.check(claim)


# ---- 7: rules that make no sense are refused, on all others engine and verifier agree


def test_p07_typed_numbers_with_a_clock() -> None:
    room = rooms.load("global-pot", time_enable=True, time_limit=60, shares=(1,), entropy="manual:mixed:quicknet")
    lane = make.Lane(room)
    state = two_players(lane)
    make.close_by_time(state)
    assert state.phase is Phase.TYPING
    make.draw(lane, state)
    make.settle(state)
    found = published(state)
    assert lie(found) == "beacon"
    assert [
        each.name for each in verify.verify_record(found).checks if each.name in ("reason of the close", "items at the close")
    ] == ["reason of the close", "items at the close"]
    early = forged(found, manual=[{**found["manual"][0], "time_ms": found["outcome"]["deadline"] - 1}])
    assert lie(early) in ("log over 2 items", "reason of the close")


@pytest.mark.parametrize(
    "limit",
    [
        {"item_limit_max": 5},
        {"bet_item_limit_max": 5},
        {"bet_value_min": 0},
        {"bet_value_max": 10},
        {"allowed_items": (1,)},
        {"player_limit": 2, "time_enable": True, "time_limit": 5},
        {"global_pot_limit": 5},
        {"min_players": 2},
    ],
)
def test_p07_a_raffle_has_no_limits_that_nobody_looks_at(limit: Json) -> None:
    terms = rooms.RaffleTerms(1, "a knife", 100, 0, 10, 10)
    good: Json = {"name": "raffle", "mode": "raffle", "tickets": "bought", "min_players": 1, "raffle": terms}
    assert rooms.Room(**good).raffle == terms
    with pytest.raises(RoomError) as wrong:
        rooms.Room(**{**good, **limit})
    assert wrong.value.field in limit


def test_p07_fewer_users_than_shares_in_a_sit_n_go() -> None:
    room = rooms.load("sit-n-go", entropy="none", min_players=2, bet_item_limit_max=5)
    lane = make.Lane(room)
    state = lane.started()
    for user in (1, 2):
        make.place(state, user, [50, 60, 70, 80, 90], item=1, inviters=(5,))
    found = published(make.finish(lane, state))
    assert lie(found) == ""
    assert len(found["outcome"]["winners"]) == 2 < len(room.shares or ())
    assert sum(len(each["rows"]) for each in found["outcome"]["payouts"]) == 9
    assert [each["base"] for each in found["outcome"]["referral"]]


# ---- 8: no bet is taken on a round that could not be opened


def test_p08_a_round_without_a_secret_is_not_created() -> None:
    lane = make.Lane(rooms.load("classic-unlimited", entropy="none"), length=2)
    for _ in range(2):
        make.finish(lane, two_players(lane))
    assert lane.previous is not None
    assert lane.previous.left == 0
    with pytest.raises(Refused) as refused:
        lane.seeds.hash(3)
    assert refused.value.code == "chain_end"
    made_up = make.digest("made up")
    event = lane_event(lane, 3, made_up, Link(lane.seeds.secret(2), 2))
    with pytest.raises(Refused) as refused:
        rounds.create(event, lane.previous)
    assert refused.value.code == "chain_end"
    longer = lane_event(lane, 3, made_up, Link(lane.seeds.secret(2), 3))
    with pytest.raises(Refused) as refused:
        rounds.create(longer, lane.previous)
    assert refused.value.code == "chain"


def lane_event(lane: make.Lane, number: int, secret: bytes, link: Link) -> Create:
    before = lane.previous
    assert before is not None
    commitment = commitments.promise(lane.name, number, secret)
    return Create(before.now, f"c{number}", lane.room, lane.name, number, commitment, link, before.seal or b"")


def test_p08_whoever_runs_the_lane_shows_the_secret_to_the_engine_first() -> None:
    lane = make.Lane(rooms.load("classic-unlimited"))
    event = lane.create_event()
    assert rounds.create(event, secret=lane.seeds.secret(1)).number == 1
    for wrong in (lane.seeds.secret(2), bytes(32), b""):
        with pytest.raises(Refused):
            rounds.create(event, secret=wrong)
    assert lane.seeds.secret(1).hex().encode() not in snapshot(rounds.create(event, secret=lane.seeds.secret(1)))


def test_p08_a_new_chain_is_bound_while_the_old_one_still_lives() -> None:
    lane = make.Lane(rooms.load("classic-unlimited", entropy="none"), length=1)
    state = two_players(lane)
    fresh = commitments.SeedChain(lane.name, commitments.chain(lane.name, make.digest("fresh"), 5), first=2)
    assert refusal(state, Renew(state.now, make.token(), fresh.anchor, 1)) == "chain_end"
    (renewed,) = rounds.apply(state, Renew(state.now, make.token(), fresh.anchor, fresh.last))
    assert renewed == make.effects.Renewed(Link(fresh.anchor, fresh.last))
    assert refusal(state, Renew(state.now, make.token(), make.digest("another"), 9)) == "renewed"
    make.finish(lane, state)
    assert state.left == fresh.last - 1 == 5
    old = lane_event(lane, 2, make.digest("x"), Link(lane.seeds.secret(1), 1))
    with pytest.raises(Refused):
        rounds.create(old, state)
    lane.seeds = fresh
    second = two_players(lane)
    make.finish(lane, second)
    first_record, second_record = published(state), published(second)
    assert (lie(first_record), lie(second_record)) == ("", "")
    assert first_record["outcome"]["renew"]["value"] == second_record["chain"]["value"] == fresh.anchor.hex()


def test_p08_what_is_known_of_the_outcome_does_not_choose_the_next_chain() -> None:
    lane = make.Lane(rooms.load("classic-unlimited", entropy="none"))
    state = two_players(lane)
    make.close_by_time(state)
    make.draw(lane, state)
    rounds.apply(state, Finalize(state.now, make.token()))
    assert refusal(state, Renew(state.now, make.token(), make.digest("late"), 99)) == "phase"


# ---- 9: a survivor keeps what is theirs


def small_five(seed: str, stock: bool = True, **changes: Any) -> Round:
    chance = Random(seed)
    lane = make.Lane(rooms.load("5v5", entropy="none", bet_value_min=None, **changes), seed)
    state = lane.started(stock=make.stock([chance.randint(1, 60) for _ in range(40)]) if stock else ())
    for index in range(10):
        place = [chance.choice((100, 249, 900, chance.randint(5, 4000))) for _ in range(chance.randint(1, 2))]
        make.place(state, 1 + index, place, team=1 + index % 2)
    make.finish(lane, state)
    return state


@pytest.mark.parametrize("changes", [{}, {"rake": ((100, 40),)}, {"ranges": "inverse"}])
def test_p09_no_survivor_loses_an_item_to_the_rake(changes: Json) -> None:
    for number in range(60):
        state = small_five(f"survivor {number}", stock=bool(number % 2), **changes)
        assert state.outcome is not None
        for payout in state.outcome["payouts"]:
            own = {entry.deposit_id for entry in state.entries if entry.user_id == payout["user_id"]}
            assert own <= set(payout["rows"])
            assert payout["claim"] >= state.players[payout["user_id"]].value
        assert lie(published(state)) == ""


def test_p09_change_out_of_the_stock_makes_credit_the_exception() -> None:
    credits = {}
    for stock in (False, True):
        rounds_played = [small_five(f"credit {number}", stock) for number in range(60)]
        owed = [sum(each["credit"] for each in (one.outcome or {})["payouts"]) for one in rounds_played]
        credits[stock] = sum(map(bool, owed))
    assert credits[True] * 3 < credits[False]


def test_p09_a_pot_gives_change_too() -> None:
    lane = make.Lane(rooms.load("global-pot", global_pot_limit=3000, entropy="none", shares=(2, 1)), "pot")
    state = lane.started(stock=make.stock([1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233]))
    for user, prices in ((1, [700, 300]), (2, [650]), (3, [500, 400]), (4, [999])):
        if state.phase is Phase.GAME:
            make.place(state, user, prices)
    make.finish(lane, state)
    found = published(state)
    assert lie(found) == ""
    assert any(each["change"] for each in found["outcome"]["payouts"])
    assert found["outcome"]["rake"]["net"] == found["outcome"]["rake"]["due"]


# ---- 10: one prize


@pytest.mark.parametrize("count", [0, 2, 3])
def test_p10_a_giveaway_or_a_raffle_has_one_prize(count: int) -> None:
    terms = rooms.RaffleTerms(1, "a knife", 100, 0, 10, 10)
    raffle = rooms.Room(name="raffle", mode="raffle", tickets="bought", min_players=1, raffle=terms)
    for room in (rooms.load("giveaway"), raffle):
        with pytest.raises(Refused) as refused:
            make.Lane(room).create(guarantees=tuple(Piece(make.HOUSE + each, 1, 5) for each in range(count)))
        assert (refused.value.code, refused.value.accepts) == ("prize", {"guarantees": 1})
        lane = make.Lane(room)
        state = lane.started()
        if room is raffle:
            rounds.apply(state, Buy(state.now, "b", 1, 10, 10**6))
        else:
            make.place(state, 1, [5], item=2)
        found = published(make.finish(lane, state))
        pieces = [{"deposit_id": 5000 + each, "item_id": 1, "price": 5} for each in range(count)]
        assert lie(forged(found, guarantees=pieces)) == "pieces of the house"


# ---- what can no longer be done to a sealed round either


def test_a_sealed_round_takes_nothing_more() -> None:
    lane, state = make.classic()
    for event in (Fail(state.now, "f", "x"), Renew(state.now, "r", bytes(32), 99), Settled(state.now, "s", ())):
        assert refusal(state, event) == "phase"
    assert lane.previous is state
    with pytest.raises(LotteryError):
        rounds.fold([])
