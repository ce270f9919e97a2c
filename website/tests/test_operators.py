"""Rules of rooms at the command line: one proposes, another approves, each with a key; a round keeps those it began with."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import pytest
from custody import Custody
from django.core.management import CommandError, call_command
from django.db.models import Sum
from django.test import override_settings
from lottery import verify
from lottery.verify.report import GOOD, UNCHECKED
from paper import Paper, record_of
from play import CHAIN_KEY, quick_room

from website.care.models import PlayLog
from website.engine.chains import ChainKey, ChainKeyError, Chains
from website.engine.clock import Clock
from website.engine.driver import due_lanes
from website.engine.models import Alarm, Call
from website.engine.steps import Given
from website.engine.unit import alarm
from website.engine.writer import Writer
from website.live.models import UserMessage
from website.rooms import orders, services
from website.rooms.models import Bet, Lane, LaneEvent, Order, RoomVersion, Round
from website.rooms.services import TwoPeopleError


def said(*arguments: str) -> str:
    out = StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


@pytest.fixture
def keys(database_url: str, tmp_path: Path) -> dict[str, tuple[str, str, str, str]]:
    found = {}
    for name in ("ana", "bo"):
        path = str(tmp_path / f"{name}.key")
        assert path in said("operators", "add", name, "--key-file", path)
        assert Path(path).stat().st_mode & 0o077 == 0
        found[name] = ("--by", name, "--key-file", path)
    return found


def test_w25_nobody_approves_what_they_proposed(keys: dict[str, tuple[str, str, str, str]]) -> None:
    assert "version 1 is draft" in said("rooms", "load", "classic-unlimited", "--why", "first", *keys["ana"])
    with pytest.raises(CommandError, match="a second person"):
        said("rooms", "approve", "classic-unlimited", "1", *keys["ana"])
    assert not Lane.objects.exists()
    assert "is approved" in said("rooms", "approve", "classic-unlimited", "1", *keys["bo"])
    assert list(Lane.objects.order_by("name").values_list("name", flat=True)) == ["classic-unlimited-a", "classic-unlimited-b"]
    with pytest.raises(CommandError, match="no draft"):
        said("rooms", "approve", "classic-unlimited", "1", *keys["bo"])
    assert "approved" in said("rooms", "list")


def test_a_key_is_its_owners_and_a_wrong_rule_is_named(keys: dict[str, tuple[str, str, str, str]], tmp_path: Path) -> None:
    stolen = ("--by", "bo", "--key-file", keys["ana"][3])
    with pytest.raises(CommandError, match="no operator bo with this key"):
        said("rooms", "load", "classic-unlimited", "--why", "mine", *stolen)
    with pytest.raises(CommandError, match="already"):
        said("operators", "add", "ana", "--key-file", str(tmp_path / "other.key"))
    rules = tmp_path / "room.toml"
    rules.write_text('name = "x"\nmode = "classic"\nbet_value_min = 5\nbet_value_max = 1\n')
    with pytest.raises(CommandError, match="bet_value_min: 5 is above bet_value_max 1"):
        said("rooms", "load", str(rules), "--why", "typing", *keys["ana"])


def test_w23_a_running_round_keeps_its_rules_and_the_next_one_takes_the_new_ones(
    keys: dict[str, tuple[str, str, str, str]],
) -> None:
    from website.office.models import Staff

    ana, bo = Staff.objects.get(username="ana"), Staff.objects.get(username="bo")
    first = quick_room(name="room")
    services.draft(first, ana, "first", 1)
    services.approve("room", 1, bo)
    writer = Writer(Chains(ChainKey(CHAIN_KEY), 100), Clock(), "engine")
    writer.work("room-a", Given(stock=[]))
    second = quick_room(name="room", bet_value_min=777)
    services.draft(second, bo, "dearer", 2)
    services.approve("room", 2, ana)
    writer.work("room-a")
    running = Round.objects.get(lane="room-a")
    assert (running.version, bytes(running.rules_hash)) == (1, first.rules_hash)
    writer.work("room-b", Given(stock=[]))
    assert bytes(Round.objects.get(lane="room-b").rules_hash) == second.rules_hash
    states = dict(RoomVersion.objects.values_list("version", "state"))
    assert states == {1: RoomVersion.RETIRED, 2: RoomVersion.IN_USE}
    assert LaneEvent.objects.filter(lane="room-a", token="create:1").exists()


def test_a_lane_that_is_paused_begins_no_round_until_it_is_resumed(keys: dict[str, tuple[str, str, str, str]]) -> None:
    said("rooms", "load", "classic-unlimited", "--why", "first", *keys["ana"])
    said("rooms", "approve", "classic-unlimited", "1", *keys["bo"])
    lane = "classic-unlimited-a"
    assert f"{lane}  paused ana: a look at it" in said("lanes", "pause", lane, "--why", "a look at it", *keys["ana"])
    writer = Writer(Chains(ChainKey(CHAIN_KEY), 100), Clock(), "engine")
    assert writer.work(lane, Given(stock=[])).phase is None
    assert f"{lane}  open   round 0: none yet" in said("lanes", "resume", lane, "--why", "it is well", *keys["ana"])
    worked = writer.work(lane, Given(stock=[]))
    assert worked.phase is not None and worked.phase.value == "game"
    assert f"{lane}  open   round 1: game, 0 items, 0 cents" in said("lanes", "list")
    with pytest.raises(CommandError, match="there is no lane x"):
        said("lanes", "pause", "x", "--why", "y", *keys["ana"])


def test_the_house_is_shown_what_is_bound_for_a_round(custody: Custody) -> None:
    row = {"deposit_id": "dep_1", "item_id": "itm_1", "market_hash_name": "P250 | Sand Dune", "value_cents": 7, "settled": True}
    answer = json.dumps({"rows": [row]})
    for number, lane in ((1, "room-a"), (1, "room-b")):
        ref = f"stk_{lane}_{number}"
        Call.objects.create(kind="lock", ref=ref, body="{}", state="done", answer=answer, lane=lane, round=number, made_ms=1)
    Lane.objects.create(name="room-a", room="room")
    Lane.objects.create(name="room-b", room="room", round=1)  # its round is over
    with override_settings(SITE_FLEET_URLS=[custody.balancer_url], SITE_FLEET_KEY=custody.api_key):
        assert said("stock", "change") == "bound         7  dep_1  P250 | Sand Dune  room-a/1\n"
    with override_settings(SITE_FLEET_URLS=[custody.balancer_url], SITE_FLEET_KEY="wrong"), pytest.raises(CommandError):
        said("stock", "change")


# ---- orders


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_w25_a_round_is_void_by_two_people_before_its_close_and_everything_goes_back(database_url: str) -> None:
    """Also a round of numbers that nobody types: nothing stays bound."""
    paper = Paper()
    paper.open("global-pot", global_pot_limit=400)
    ana, bo = paper.operator("proposer"), paper.operator("approver")
    players = [paper.player() for _ in range(2)]
    at = paper.game("global-pot")
    for player in players:
        assert paper.bet(player, at, paper.items(player, 200)).state == Bet.PLACED
    assert paper.round(at).phase == "typing"
    order = orders.propose_void(at.lane, at.round, ana, "the stream broke off", paper.now_ms)
    paper.settle()
    assert paper.round(at).sealed_ms is None
    with pytest.raises(TwoPeopleError):
        orders.agree(order.id, ana)
    orders.agree(order.id, bo)
    with pytest.raises(orders.OrderError):
        orders.agree(order.id, bo)
    paper.settle()
    assert (paper.round(at).void_reason, Order.objects.get().state) == ("the stream broke off", Order.DONE)
    assert record_of(paper.round(at))["outcome"]["void"] and not any(row.lock for row in paper.fleet.deposits.values())
    with pytest.raises(orders.OrderError):
        orders.propose_void(at.lane, at.round, ana, "again", paper.now_ms)
    paper.check()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_w25_an_order_that_nobody_agreed_to_before_the_close_is_refused(database_url: str) -> None:
    """After the close nothing is void any more: that would be a veto of who lost."""
    paper = Paper()
    paper.open("classic-unlimited", time_limit=5)
    at = paper.game("classic-unlimited")
    order = orders.propose_void(at.lane, at.round, paper.operator("proposer"), "why not", paper.now_ms)
    for player in [paper.player() for _ in range(2)]:
        assert paper.bet(player, at, paper.items(player, 200)).state == Bet.PLACED
    assert paper.until_sealed(at).void_reason == ""
    order.refresh_from_db()
    assert (order.state, order.code) == (Order.REFUSED, "closed")
    with pytest.raises(orders.OrderError):
        orders.agree(order.id, paper.operator("approver"))
    paper.check()


def test_a_pot_whose_numbers_nobody_types_gives_everything_back(database_url: str) -> None:
    paper = Paper()
    paper.open("global-pot", global_pot_limit=400, open_max_s=3600)
    at = paper.game("global-pot")
    for player in [paper.player() for _ in range(2)]:
        paper.bet(player, at, paper.items(player, 200))
    paper.run(3601, 1200)
    paper.run(2)
    assert paper.round(at).void_reason and not any(row.lock for row in paper.fleet.deposits.values())
    paper.check()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_s18_what_was_lost_on_the_way_is_made_good_by_two_people_once(database_url: str) -> None:
    """The alarm stands until then. What it was worth says the record, and nobody else."""
    paper = Paper()
    paper.open("classic-unlimited", time_limit=5)
    at = paper.game("classic-unlimited")
    players = [paper.player() for _ in range(2)]
    items = {player.id: paper.items(player, 200) for player in players}
    for player in players:
        paper.bet(player, at, items[player.id])
    paper.fleet.loses = True  # the first answer of every call is lost, also of the credit
    record = record_of(paper.until_sealed(at))
    (winner,) = record["outcome"]["payouts"]
    assert not Alarm.objects.filter(kind="lost").exists()
    ana, bo = paper.operator("proposer"), paper.operator("approver")
    (won, *_) = items[winner["user_id"]]
    with pytest.raises(orders.OrderError, match="has not said"):
        orders.propose_make_good(at.lane, at.round, won, ana, "it is gone", paper.now_ms)
    call = Call.objects.get(kind=Call.TRANSFER, lane=at.lane, round=at.round)
    call.answer = json.dumps({**json.loads(call.answer), "lost": [{"deposit_id": won, "status": "reversed", "reason": "x"}]})
    call.save()
    alarm("lost", call.ref, "somebody has to look", paper.now_ms)
    order = orders.propose_make_good(at.lane, at.round, won, ana, "it was reversed", paper.now_ms)
    assert (order.cents, order.player_id) == (200, winner["user_id"])
    with pytest.raises(orders.OrderError, match="is being made good"):
        orders.propose_make_good(at.lane, at.round, won, bo, "it was reversed", paper.now_ms)
    with pytest.raises(TwoPeopleError):
        orders.agree(order.id, ana)
    orders.agree(order.id, bo)
    for _ in range(3):
        paper.run(1)
    order.refresh_from_db()
    assert order.state == Order.DONE
    credited = [line for line in paper.fleet.credited if line.kind == "make_good"]
    assert [(line.user_id, line.cents) for line in credited] == [(str(winner["user_id"]), 200)]
    assert not Alarm.objects.filter(kind="lost", ended_ms=None).exists()
    told = UserMessage.objects.get(kind="made_good")
    assert told.player_id == winner["user_id"] and json.loads(told.body)["cents"] == 200
    with pytest.raises(orders.OrderError, match="is being made good"):
        orders.propose_make_good(at.lane, at.round, won, ana, "once more", paper.now_ms)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("closed", [False, True])
def test_s25_a_lost_chain_key_ends_the_lane_as_the_houses_failure_and_gives_all_back(database_url: str, closed: bool) -> None:
    """While the key opens the secret nobody can end a round like that: after the close it would be a veto of who lost."""
    paper = Paper()
    paper.open("classic-unlimited", time_limit=5)
    at = paper.game("classic-unlimited")
    first, second = paper.operator("proposer"), paper.operator("approver")
    players = [paper.player() for _ in range(2)]
    ids = [paper.items(player, 200) for player in players]
    before = {each: paper.fleet.deposits[each].owner for row in ids for each in row}
    for player, mine in zip(players, ids, strict=True):
        assert paper.bet(player, at, mine).state == Bet.PLACED
    refused = orders.propose_fail(at.lane, at.round, first, "let us see", paper.now_ms)
    orders.agree(refused.id, second)
    paper.settle()
    refused.refresh_from_db()
    assert (refused.state, refused.code) == (Order.REFUSED, "secret_is_here")

    chains = paper.writer.chains
    chains.key, chains._parts = ChainKey(bytes(32)), {}
    if closed:
        with pytest.raises(ChainKeyError):
            paper.until_sealed(at)
        assert paper.round(at).phase == "closed"
    order = orders.propose_fail(at.lane, at.round, first, "the key is lost", paper.now_ms)
    orders.agree(order.id, second)
    paper.writer.work(at.lane)
    paper._send()
    done = paper.round(at)
    order.refresh_from_db()
    assert (done.phase, done.void_reason, order.state) == ("failed", "the key is lost", Order.DONE)
    assert not any(row.lock.startswith("bet_") for row in paper.fleet.deposits.values())
    assert {each: paper.fleet.deposits[each].owner for each in before} == before
    assert Lane.objects.get(name=at.lane).state == Lane.RETIRED
    assert set(Bet.objects.filter(lane=at.lane, round=at.round).values_list("state", flat=True)) == {Bet.OVER}
    late = services.place_bet(paper.player(), services.Wanted(at.lane, at.round, ["dep_late"], 1, "a late form"), paper.now_ms)
    assert at.lane in due_lanes(paper.now_ms, "paper"), "nobody waits for an answer on a lane that has ended"
    paper.writer.work(at.lane)
    late.refresh_from_db()
    assert late.state == Bet.REFUSED
    assert verify.verify(bytes(done.record), frozenset()).verdict not in (GOOD, UNCHECKED)
    staked, back = (PlayLog.objects.filter(kind=kind).aggregate(sum=Sum("cents"))["sum"] for kind in ("stake", "return"))
    assert staked == back == 400


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("what", [("void",), ("fail",), ("make-good", "dep_x")])
def test_an_order_about_a_round_that_is_not_there_says_so(
    keys: dict[str, tuple[str, str, str, str]], what: tuple[str, ...]
) -> None:
    name, *more = what
    with pytest.raises(CommandError, match="classic-unlimited-a"):
        said("rooms", name, "classic-unlimited-a", "7", *more, "--why", "a test", *keys["ana"])
