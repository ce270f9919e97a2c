"""Parts of the engine by themselves: its clock, its chains, the parts of a settlement, the feed, the order of its locks."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from custody import Custody
from django.db import OperationalError, connection, connections
from hypothesis import given
from hypothesis import strategies as st
from lottery import commitments
from play import CHAIN_KEY, OwnBeacons, beacon_room, new_engine, new_player, open_room, playing, quick_room, run

from fleet_client import AsyncClient, errors
from fleet_client.answers import Event
from website.accounts.models import Player
from website.care.models import PlayLog
from website.engine import calls, feed, program, settlement
from website.engine.chains import ChainKey, ChainKeyError, Chains
from website.engine.clock import Clock, wall_ms
from website.engine.models import Alarm, Call, Chain, Feed
from website.engine.settlement import Credit, Move
from website.engine.steps import Given
from website.engine.writer import Writer
from website.rooms import rebuild
from website.rooms.models import Bet, Lane, LaneEvent, LaneMessage, Round, RoundItem, RoundPlayer

# ---- the clock


def test_w18_a_beacon_from_the_future_shows_that_the_clock_is_late() -> None:
    now = 1_000_000_000_000
    clock = Clock(wall=lambda: now, steady=lambda: 0)
    clock.saw(now + 500)
    assert not clock.wrong and clock.now_ms() == now + 500
    clock.saw(now + 9_000)
    assert clock.wrong and clock.now_ms() == now + 9_000


def test_s15_a_clock_that_was_set_is_noticed_and_one_that_is_right_again_is_believed() -> None:
    wall, steady = [10_000_000], [0]
    clock = Clock(wall=lambda: wall[0], steady=lambda: steady[0])
    wall[0] += 1_000
    steady[0] += 1_000
    assert not clock.stepped()
    wall[0] -= 5_000
    assert clock.stepped() and not clock.stepped()
    clock.saw(10_001_000)
    assert clock.wrong
    wall[0] += 5_000
    clock.compared()
    assert not clock.wrong


async def test_w18_an_engine_with_a_late_clock_begins_no_round(custody: Custody) -> None:
    """Its clock is ten seconds late: a round that it closed now would wait for a beacon that is public already."""
    room = beacon_room()
    (lane, *_) = await run(open_room, room)
    source = OwnBeacons()
    async with AsyncClient(custody.balancer_url, custody.api_key) as fleet:
        late, right = new_engine(fleet, source, skew_ms=-10_000), new_engine(fleet, source)
        for engine, wrong in ((late, True), (right, False)):
            await engine._compare()
            assert engine.clock.wrong is wrong
            given = Given(stock=[], clock_wrong=engine.clock.wrong)
            worked = await run(engine.writer.work, lane, given)
            assert worked.phase is not None and worked.phase.value == ("warmup" if wrong else "game")
        ana = await run(new_player, custody)
        at = await run(lambda: Round.objects.get(lane=lane))
        bet = await run(lambda: Bet.objects.create(
            bet_id="bet_x", lane=lane, round=at.round, player=ana, token="t", deposit_ids='["dep_1"]', seen_cents=100,
            created_ms=1, touched_ms=1,
        ))  # fmt: skip
        await run(late.writer.work, lane, Given(clock_wrong=True))
        refused = await run(lambda: Bet.objects.get(id=bet.id))
        assert (refused.state, refused.code, refused.details) == (Bet.REFUSED, "paused", '{"because": "clock"}')
        for engine in (late, right):
            await asyncio.to_thread(engine._close_threads)


# ---- chains


def test_w17_a_secret_is_nowhere_in_the_clear_before_it_is_opened(database_url: str) -> None:
    """Every byte of the database is looked through, in every spelling."""
    (lane, *_) = open_room(quick_room())
    chains = Chains(ChainKey(CHAIN_KEY), 2000)
    writer = Writer(chains, Clock(), "engine")
    writer.work(lane, Given(stock=[]))
    secrets = [chains.secret(lane, number) for number in (1, 2, 1500)]
    assert Round.objects.get(lane=lane).phase == "game"
    everything = dump()
    for secret in secrets:
        assert secret not in everything and secret.hex().encode() not in everything
    assert bytes(Chain.objects.get(lane=lane).anchor) in everything


def dump() -> bytes:
    found = b""
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT * FROM "{table}"')
            for row in cursor.fetchall():
                for value in row:
                    found += bytes(value) if isinstance(value, (bytes, memoryview)) else str(value).encode()
    return found


def test_chains_give_each_round_its_secret_and_another_key_opens_nothing(database_url: str) -> None:
    chains = Chains(ChainKey(CHAIN_KEY), 2500)
    chains.make("lane-a", 11, 1)
    fresh = Chains(ChainKey(CHAIN_KEY), 1)
    for number in (11, 12, 1034, 1035, 1036, 2058, 2059, 2510):
        secret, link = fresh.secret("lane-a", number), fresh.link("lane-a", number)
        assert commitments.chain_step("lane-a", secret) == link.value and link.last == 2510
    for number in (10, 2511):
        with pytest.raises(Chain.DoesNotExist):
            fresh.secret("lane-a", number)
    with pytest.raises(ChainKeyError):
        Chains(ChainKey(bytes(32)), 1).secret("lane-a", 11)


# ---- settlement


rows = st.lists(st.tuples(st.integers(1, 9), st.integers(0, 4)), max_size=60)


@given(rows, st.integers(1, 12))
def test_w15_the_parts_of_a_settlement_are_its_moves_each_once(taken: list[tuple[int, int]], most: int) -> None:
    moved = [Move(number, str(giver), f"user-{taker}") for number, (giver, taker) in enumerate(taken)]
    lock_of = {move.number: f"bet-{move.giver}" for move in moved}
    owed = [Credit("user-1", 5, "rest")]
    before, settlement.MOVES_MAX = settlement.MOVES_MAX, most
    try:
        parts = settlement.parts(moved, lock_of, owed, ["stock"])
    finally:
        settlement.MOVES_MAX = before
    assert sorted(move for part in parts for move in part.moves) == sorted(moved)
    assert all(len(part.moves) <= most for part in parts)
    assert [part.release for part in parts] == ["none"] * (len(parts) - 1) + ["rest"]
    assert [part.credits for part in parts] == [()] * (len(parts) - 1) + [tuple(owed)]
    assert set(parts[-1].locks) == {*(lock_of[move.number] for move in parts[-1].moves), "stock"}
    for part in parts:
        assert {lock_of[move.number] for move in part.moves} <= set(part.locks)
    for taker in {move.taker for move in moved}:
        mine = [part for part in parts if any(move.taker == taker for move in part.moves)]
        assert len(mine) == 1 or sum(move.taker == taker for move in moved) > most


# ---- the feed


def event(number: int, kind: str, user_id: str | None = None, **data: Any) -> Event:
    at = datetime.fromtimestamp(1_700_000_000, UTC)
    return Event(number=number, at=at, kind=kind, trade_id=None, user_id=user_id, bot=None, who="bot", data=data)


@pytest.mark.both_databases
def test_w10_an_event_has_its_effect_once_however_often_it_is_read(database_url: str) -> None:
    Feed.objects.create(reader="site", after=10)
    ana = Player.objects.create(steam_id=1, name="ana", registered_ms=1)
    moves = [{"deposit_id": "dep_1", "from": "deposit_pending", "to": "active"}]
    brought = [event(11, "offer_accepted", ana.user_id, deposits=moves)]
    assert feed.brought_in(brought) == ["dep_1"]
    assert feed.take(brought, {"dep_1": 410}, 10, 11, 5) == 11
    assert feed.take(brought, {"dep_1": 410}, 10, 11, 5) == 11  # another engine had read it too
    ana.refresh_from_db()
    assert ana.first_deposit_ms == 1_700_000_000_000
    assert list(PlayLog.objects.values_list("kind", "cents", "ref")) == [("deposit", 410, "deposit:dep_1")]


def test_whom_the_fleet_blocks_bets_no_more_and_an_unknown_ref_of_ours_is_an_alarm(database_url: str) -> None:
    Feed.objects.create(reader="site")
    ana = Player.objects.create(steam_id=1, name="ana", registered_ms=1)
    told = [
        event(1, "partner_blocked", ana.user_id, reason="reversed", steam_id="1"),
        event(2, "items_transferred", ref="round:room-a:7:1"),
        event(3, "items_locked", ref="somebody-elses"),
        event(4, "partner_blocked", "player-of-another-site", reason="x"),
    ]
    feed.take(told, {}, 0, 4, 5)
    ana.refresh_from_db()
    assert ana.blocked_why == "reversed"
    assert sorted(Alarm.objects.values_list("kind", "about")) == [
        ("player_blocked", ana.user_id),
        ("unknown_ref", "round:room-a:7:1"),
    ]


# ---- what readers see


async def test_w7_what_readers_see_may_be_thrown_away_and_comes_back_equal(custody: Custody) -> None:
    room = quick_room()
    await run(open_room, room)
    players = [await run(new_player, custody) for _ in range(2)]
    async with playing(custody) as play:
        at = await play.open_round(room.name)
        for player in players:
            await play.bet(player, at, await run(custody.tickets, player.user_id, 2), 200)
        await play.sealed(at)
        await play.quiet()
    await run(thrown_away_and_put_back, at.lane)


def thrown_away_and_put_back(name: str) -> None:
    kinds = (Round, RoundItem, RoundPlayer, LaneMessage)
    before = [readable(kind, name) for kind in kinds]
    log = sorted(PlayLog.objects.values_list("ref", "kind", "cents", "time_ms", "cycle", "player_id"))
    assert all(before) and log and rebuild.differences(Lane.objects.get(name=name)) == []
    LaneMessage.objects.filter(lane=name, seq=2).update(body="{}")
    RoundItem.objects.filter(lane=name).delete()
    PlayLog.objects.all().delete()
    assert len(rebuild.differences(Lane.objects.get(name=name))) >= 3
    rebuild.restore(name)
    assert [readable(kind, name) for kind in kinds] == before
    assert sorted(PlayLog.objects.values_list("ref", "kind", "cents", "time_ms", "cycle", "player_id")) == log
    assert rebuild.differences(Lane.objects.get(name=name)) == []


def readable(kind: Any, lane: str) -> list[tuple[Any, ...]]:
    names = [field.name for field in kind._meta.concrete_fields if field.name != "id"]
    rows = kind.objects.filter(lane=lane).values_list(*names)
    return sorted((tuple(bytes(value) if isinstance(value, memoryview) else value for value in row) for row in rows), key=str)


# ---- locks


@pytest.mark.both_databases
async def test_w6_locks_are_taken_in_one_order_lane_then_profiles(custody: Custody) -> None:
    """What a lane's transaction locks, in its order: the lane, then all profiles of the batch in one statement, by id."""
    room = quick_room()
    (lane, *_) = await run(open_room, room)
    players = [await run(new_player, custody) for _ in range(3)]
    locked: list[str] = []

    def watch(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if "FOR UPDATE" in sql:
            locked.append(f"{sql.split('FROM')[1].split()[0]} {'player_id' if 'ORDER BY' in sql else ''}".strip())
        return execute(sql, params, many, context)

    def work() -> None:
        writer = Writer(Chains(ChainKey(CHAIN_KEY), 100), Clock(), "engine")
        writer.work(lane, Given(stock=[]))
        for number, player in enumerate(reversed(players)):
            Bet.objects.create(
                bet_id=f"bet_{number}", lane=lane, round=1, player=player, token="t", deposit_ids='["dep_1"]', seen_cents=100,
                created_ms=wall_ms(), touched_ms=wall_ms(),
            )  # fmt: skip
        with connections["default"].execute_wrapper(watch):
            writer.work(lane)
        assert set(Bet.objects.values_list("state", flat=True)) == {Bet.LOCKING}
        assert LaneEvent.objects.filter(lane=lane).count() == 2

    await run(work)
    if await run(lambda: connection.vendor) == "postgresql":  # SQLite has one lock, which the transaction begins with
        assert locked == ['"rooms_lane"', '"care_profile" player_id']


# ---- its key


@pytest.mark.parametrize("problem", [errors.BadKey, errors.WrongMode, errors.ScopeMissing])
async def test_s7_a_key_that_is_not_taken_refuses_no_call(database_url: str, problem: type[errors.Problem]) -> None:
    """A lock may have been bound before the key was changed: the call waits for a good key, and somebody is told."""

    class Fleet:
        async def release(self, _ref: str) -> None:
            raise problem({"code": problem.code}, 401)

    call = Call(kind=Call.UNLOCK, ref="bet_1", body="{}", lane="", round=1, made_ms=1)
    await run(call.save)
    outcome = await calls.send(cast(AsyncClient, Fleet()), call)
    await run(calls.answered, {call.id: outcome}, 1_000)
    await run(call.refresh_from_db)
    assert (call.state, call.code, call.next_try_ms > 1_000) == (Call.DUE, problem.code, True)
    assert await run(Alarm.objects.filter(kind="fleet_key", about=problem.code).count) == 1


# ---- its start


@pytest.mark.both_databases
async def test_s10_an_engine_that_starts_while_its_database_is_away_waits_for_it(database_url: str) -> None:
    away = [OperationalError("the connection is lost"), OperationalError("the database system is starting up")]
    there = Chains(ChainKey(CHAIN_KEY), 8)

    def chains() -> Chains:
        if away:
            raise away.pop()
        return there

    if database_url.startswith("sqlite"):  # a file is not away: what it lacks, it lacks for good
        with pytest.raises(OperationalError):
            await program.once_there(chains, 0.0)
    else:
        assert await program.once_there(chains, 0.0) is there
