"""The fleet is away, answers get lost, somebody interferes: what a round does then, with a real engine and a real balancer."""

from __future__ import annotations

import asyncio
import json
import resource
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

import pytest
from custody import Custody
from django.db import OperationalError, connection, connections
from django.test import override_settings
from engines import Nursery
from play import Play, check_books, new_player, open_room, playing, quick_room, run

from scripts.lab import write_lock
from scripts.lab.gate import Gate
from website.accounts.models import Player
from website.engine.clock import wall_ms
from website.engine.driver import Engine
from website.engine.models import Alarm, Call
from website.rooms import lanes, services
from website.rooms.models import Bet, Lane, Round

ROOM_BYTES, TRIES_S = 4_096, 1.5


@pytest.fixture
def gate(custody: Custody) -> Iterator[Gate]:
    """Between the engine and the balancer."""
    parts = urlsplit(custody.balancer_url)
    with Gate((parts.hostname or "", parts.port or 0)) as gate:
        yield gate


@pytest.fixture
def short_patience(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits long for SQLite's write lock."""
    monkeypatch.setitem(connections.settings["default"]["OPTIONS"], "timeout", 0.3)
    connections.close_all()


def behind(gate: Gate) -> str:
    return f"http://{gate.host}:{gate.port}"


async def two_with_items(custody: Custody) -> list[tuple[Player, list[str]]]:
    players = [await run(new_player, custody) for _ in range(2)]
    return [(player, await run(custody.tickets, player.user_id, 1)) for player in players]


async def placed(play: Play, at: Round, people: list[tuple[Player, list[str]]]) -> None:
    for player, items in people:
        assert (await play.answered(await play.bet(player, at, items, 100))).state == Bet.PLACED


async def test_s7_bets_are_given_up_while_the_fleet_is_away_and_hold_nothing(custody: Custody, gate: Gate) -> None:
    """S5, S6: nobody knows whether the lock arrived, so it is freed first, and only then the bet is refused."""
    room = quick_room()
    await run(open_room, room)
    people = await two_with_items(custody)
    async with playing(custody, address=behind(gate)) as play:
        at = await play.open_round(room.name)
        lost = gate.hold_answer(b"POST /locks")
        bet = await play.bet(people[0][0], at, people[0][1], 100)
        await run(lost.reached.wait)  # the fleet has locked it, and its answer is on its way
        assert set(await run(custody.locked)) >= set(people[0][1])
        await run(give_up_now, bet)
        await play.until(lambda: Bet.objects.filter(id=bet.id, state=Bet.UNLOCKING).exists(), "it is given up")
        gate.cut()
        lost.drop()
        gate.mend()
        decided = await play.answered(bet)
        assert (decided.state, decided.code) == (Bet.REFUSED, "fleet_away")
        assert not set(await run(custody.locked)) & set(people[0][1])
        await play.quiet()
    await run(check_books, custody)


def give_up_now(bet: Bet) -> None:
    """The time of an unanswered bet is over."""
    Bet.objects.filter(id=bet.id).update(give_up_ms=1)
    Lane.objects.filter(name=bet.lane).update(next_at_ms=0)


async def test_s7_a_round_that_is_drawn_is_paid_when_the_fleet_is_back(custody: Custody, gate: Gate) -> None:
    """S8: it did move everything, the answer got lost; the outcome is shown meanwhile and stays what it was (W16)."""
    room = quick_room()
    await run(open_room, room)
    people = await two_with_items(custody)
    async with playing(custody, address=behind(gate)) as play:
        at = await play.open_round(room.name)
        lost = gate.hold_answer(b"POST /transfers")
        await placed(play, at, people)
        await run(lost.reached.wait)
        gate.cut()
        lost.drop()
        shown = await play.until(lambda: Round.objects.filter(id=at.id, phase="finalized").first())
        gate.mend()
        done = await play.sealed(at)
        assert bytes(done.outcome_hash) == bytes(shown.outcome_hash) and done.outcome == shown.outcome
        await play.quiet()
    await run(check_books, custody)
    assert len(await run(lambda: list(Call.objects.filter(kind=Call.TRANSFER)))) == 1


async def test_s8_an_answer_that_was_lost_is_asked_for_again(custody: Custody, gate: Gate) -> None:
    """S2: the same ref gets the same answer, so the bet is placed once."""
    room = quick_room()
    await run(open_room, room)
    people = await two_with_items(custody)
    async with playing(custody, address=behind(gate)) as play:
        at = await play.open_round(room.name)
        lost = gate.hold_answer(b"POST /locks")
        bet = await play.bet(people[0][0], at, people[0][1], 100)
        await run(lost.reached.wait)
        lost.drop()
        assert (await play.answered(bet)).state == Bet.PLACED
        await placed(play, at, people[1:])
        await play.sealed(at)
        await play.quiet()
    await run(check_books, custody)


async def test_s9_a_lane_whose_lock_somebody_released_by_force_is_paused_and_settles_nothing(
    custody: Custody, gate: Gate
) -> None:
    room = quick_room()
    await run(open_room, room)
    people = await two_with_items(custody)
    async with playing(custody, address=behind(gate)) as play:
        at = await play.open_round(room.name)
        held = gate.hold(b"POST /transfers")
        await placed(play, at, people)
        await run(held.reached.wait)
        ref = (await run(lambda: Bet.objects.filter(state=Bet.PLACED).first())).bet_id  # type: ignore[union-attr]
        await run(custody.fleet, "locks", "release", ref, "--reason", "a mistake", "--unlock-a-running-game")
        held.release()
        lane = await play.until(lambda: Lane.objects.filter(name=at.lane, state=Lane.PAUSED).first(), "it is paused")
        assert lane.paused_why == "transfer_refused"
        assert (await run(lambda: Round.objects.get(id=at.id))).phase == "finalized"
        assert await run(Alarm.objects.filter(kind="transfer_refused", ended_ms=None).exists)
        owners = await run(custody.owners)
        assert {owners[items[0]] for _, items in people} == {player.user_id for player, _ in people}
        # An operator puts it right at the fleet, and lets the lane go on.
        await run(custody.fleet, "locks", "restore", ref, "--reason", "released by mistake")
        await run(lanes.resume, at.lane, wall_ms())
        await play.sealed(at)
        await play.quiet()
        assert not await run(Alarm.objects.filter(kind="transfer_refused", ended_ms=None).exists)
    await run(check_books, custody)


async def test_s24_a_player_who_is_blocked_after_the_lock_is_refused(custody: Custody, gate: Gate) -> None:
    room = quick_room()
    await run(open_room, room)
    people = await two_with_items(custody)
    async with playing(custody, address=behind(gate)) as play:
        at = await play.open_round(room.name)
        held = gate.hold_answer(b"POST /locks")
        bet = await play.bet(people[0][0], at, people[0][1], 100)
        await run(held.reached.wait)
        await run(lambda: Player.objects.filter(id=people[0][0].id).update(blocked_why="looked at"))
        held.release()
        decided = await play.answered(bet)
        assert (decided.state, decided.code) == (Bet.REFUSED, "blocked")
        await play.quiet()
    await run(check_books, custody)


async def test_w14_a_limit_holds_across_rooms_at_the_same_moment(custody: Custody) -> None:
    """Two rooms, one player, a limit for one of two bets: one is placed, the other refused, whatever runs at once."""
    rooms = [quick_room(), quick_room()]
    for room in rooms:
        await run(open_room, room)
    with override_settings(SITE_LIMITS=[("stake", "day", 150)], SITE_LEASE_MS=0):
        ana = await run(new_player, custody)
        items = await run(custody.tickets, ana.user_id, 2)
        async with playing(custody, engines=2) as play:
            at = [await play.open_round(room.name) for room in rooms]
            bets = [await play.bet(ana, where, [item], 100) for where, item in zip(at, items, strict=True)]
            decided = [await play.answered(bet) for bet in bets]
            await play.quiet()
    assert sorted(bet.state for bet in decided) == [Bet.PLACED, Bet.REFUSED]
    (refused,) = [bet for bet in decided if bet.state == Bet.REFUSED]
    assert (refused.code, json.loads(refused.details)["reason"]) == ("gate", "stake_limit")
    await run(check_books, custody)


@pytest.mark.parametrize("database_url", [pytest.param("postgresql", marks=pytest.mark.postgresql)], indirect=True)
async def test_s10_a_database_that_breaks_every_connection_loses_no_bet(custody: Custody) -> None:
    """While nobody can write nothing is said to be placed; then everything goes on."""
    room = quick_room()
    await run(open_room, room)
    people = await two_with_items(custody)
    async with playing(custody) as play:
        at = await play.open_round(room.name)
        await run(break_connections)
        await placed(play, at, people[:1])
        await run(break_connections)
        await placed(play, at, people[1:])
        for _ in range(5):
            await run(break_connections)
        await play.sealed(at)
        await play.quiet()
    await run(check_books, custody)


def break_connections() -> None:
    """As a restart of the server does."""
    others = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    with connection.cursor() as cursor:
        cursor.execute(others)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_s10_a_write_lock_that_another_process_holds_for_longer_than_anybody_waits_loses_no_bet(
    custody: Custody, short_patience: None
) -> None:
    """SQLite: engines try on, nothing is said to be placed, and everything goes on once it is free."""
    room = quick_room()
    await run(open_room, room)
    people = await two_with_items(custody)
    async with playing(custody) as play:
        at = await play.open_round(room.name)
        bets = [await play.bet(player, at, ids, 100) for player, ids in people[:1]]
        lock = await run(write_lock.WriteLock, Path(connection.settings_dict["NAME"]))
        stood = await run(lambda: Bet.objects.get(id=bets[0].id).state)
        try:
            with pytest.raises(OperationalError, match="locked"):
                await run(lambda: place_bet(people[1][0], at, people[1][1]))
            assert not any(task.done() for task in play.tasks)
            assert await run(lambda: Bet.objects.get(id=bets[0].id).state) == stood
            assert await run(lambda: Bet.objects.count()) == 1
        finally:
            await run(lock.free)
        assert (await play.answered(bets[0])).state == Bet.PLACED
        await placed(play, at, people[1:])
        await play.sealed(at)
        await play.quiet()
    await run(check_books, custody)


def place_bet(player: Player, at: Round, ids: list[str]) -> Bet:
    return services.place_bet(player, services.Wanted(at.lane, at.round, ids, 100, "once"), wall_ms())


@pytest.mark.skipif(sys.platform != "linux", reason="no other process's limits can be set elsewhere")
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_s21_an_engine_whose_disk_is_full_places_nothing_and_goes_on_when_there_is_room(
    custody: Custody, nursery: Nursery, environment_of_engine: dict[str, str], tmp_path: Path
) -> None:
    """No file of the engine may grow: the database, its log, marks and witness."""
    room = quick_room()
    await run(open_room, room)
    people = await two_with_items(custody)
    engine = nursery.start({**environment_of_engine, "SITE_MARKS_DIR": str(tmp_path / "marks")})
    play = Play(custody, cast(Engine, None))
    at = await play.open_round(room.name)
    before = resource.prlimit(engine.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(engine.pid, resource.RLIMIT_FSIZE, (ROOM_BYTES, before[1]))
    try:
        player, ids = people[0]
        bet = await play.bet(player, at, ids, 100)
        await asyncio.sleep(TRIES_S)  # many times what it takes with room
        assert (await run(lambda: Bet.objects.get(id=bet.id))).state == Bet.NEW
        assert engine.ended() is None, engine.said()
    finally:
        resource.prlimit(engine.pid, resource.RLIMIT_FSIZE, before)
    assert (await play.answered(bet)).state == Bet.PLACED
    await placed(play, at, people[1:])
    await play.sealed(at)
    await play.quiet()
    engine.signal(signal.SIGTERM)
    assert engine.wait() == 0, engine.said()
    await run(check_books, custody)
