"""An engine that is killed at each named point, and another one that goes on: every round ends as if nothing had been.

The first engine is a process of its own and dies by SIGKILL, with nothing flushed or rolled back. What it leaves is what stands
in the database and in the balancer.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sqlite3
import time

import pytest
from custody import Custody
from django.db import DatabaseError, connection, transaction
from engines import EngineProcess, Nursery
from play import Play, check_books, new_player, open_room, playing, quick_room, run

from website.accounts.models import Player
from website.engine import crash
from website.rooms.models import Bet, Lane, LaneEvent, Round

DURING_A_ROUND = [point for point in crash.POINTS if point != "stock.locked" and not point.startswith("raffle.")]
ON_BOTH = [pytest.param("lane.before_commit", marks=pytest.mark.both_databases), "lane.after_commit:3"]


@pytest.mark.parametrize("point", [*ON_BOTH, *(p for p in DURING_A_ROUND if not p.startswith("lane."))])
async def test_an_engine_killed_anywhere_loses_no_item(
    custody: Custody, nursery: Nursery, environment_of_engine: dict[str, str], point: str
) -> None:
    """W1, W5, W8, W11, and S1 to S4: two bets that are placed, one that is refused after its items were bound."""
    room = quick_room()
    await run(open_room, room)
    players = [await run(new_player, custody) for _ in range(3)]
    items = {player.id: await run(custody.tickets, player.user_id, 2) for player in players}
    engine = nursery.start({**environment_of_engine, "SITE_CRASH_AT": point})
    bets = await bet_until_dead(engine, room.name, players, items)
    assert engine.status == -signal.SIGKILL, engine.said()
    async with playing(custody) as play:
        if not bets:
            bets = await bet_all(play, await play.open_round(room.name), players, items)
        decided = [await play.answered(bet) for bet in bets]
        rounds = {(bet.lane, bet.round) for bet in decided if bet.state != Bet.REFUSED}
        for lane, number in rounds:
            await play.sealed(Round(lane=lane, round=number))
        await play.quiet()
    await run(check_books, custody)
    assert decided[2].state == Bet.REFUSED, decided[2].code
    assert not set(items[players[2].id]) & set(await run(custody.locked))


async def bet_all(play: Play, at: Round, players: list[Player], items: dict[int, list[str]]) -> list[Bet]:
    """The last one has seen another price: it is bound, refused and freed."""
    cents = [200, 200, 150]
    return [await play.bet(each, at, items[each.id], seen) for each, seen in zip(players, cents, strict=True)]


async def bet_until_dead(engine: EngineProcess, room: str, players: list[Player], items: dict[int, list[str]]) -> list[Bet]:
    """Bets as soon as a round takes some; back when the engine is dead."""
    play = Play(None, None)  # type: ignore[arg-type]  # its hands only
    bets: list[Bet] = []
    while await run(engine.ended) is None:
        at = await run(lambda: Round.objects.filter(room=room, phase="game").first())
        if at is not None and not bets:
            bets = await bet_all(play, at, players, items)
        await asyncio.sleep(0.02)
    return bets


async def test_an_engine_that_was_stopped_for_a_while_catches_up(
    custody: Custody, nursery: Nursery, environment_of_engine: dict[str, str]
) -> None:
    """S14: what it remembers of a lane is old, so it reads what others have added before it adds anything."""
    room = quick_room()
    await run(open_room, room)
    players = [await run(new_player, custody) for _ in range(2)]
    engine = await run(nursery.start, environment_of_engine)
    hands = Play(custody, None)  # type: ignore[arg-type]
    first = await hands.open_round(room.name)
    await run(stop_between_transactions, engine, first.lane)
    async with playing(custody) as play:
        for player in players:
            bet = await play.bet(player, first, await run(custody.tickets, player.user_id, 1), 100)
            assert (await play.answered(bet)).state == Bet.PLACED
        await play.sealed(first)
    engine.signal(signal.SIGCONT)
    at = await hands.open_round(room.name)
    for player in players:
        bet = await hands.bet(player, at, await run(custody.tickets, player.user_id, 1), 100)
        assert (await hands.answered(bet)).state in (Bet.PLACED, Bet.OVER)
    await hands.sealed(at)
    await hands.quiet()
    assert await run(engine.ended) is None, engine.said()
    engine.signal(signal.SIGTERM)
    assert await run(engine.wait) == 0
    await run(check_books, custody)


def stop_between_transactions(engine: EngineProcess, lane: str) -> None:
    """One that is stopped inside a transaction holds its locks, and everybody else waits, as they must."""
    while True:
        engine.signal(signal.SIGSTOP)
        engine.stopped()
        try:
            if connection.vendor == "sqlite":
                with contextlib.closing(sqlite3.connect(connection.settings_dict["NAME"], timeout=0.2)) as file:
                    file.execute("BEGIN IMMEDIATE")
            else:
                with transaction.atomic():
                    Lane.objects.select_for_update(nowait=True).get(name=lane)
            return
        except (DatabaseError, sqlite3.OperationalError):
            engine.signal(signal.SIGCONT)
            time.sleep(0.3)  # it has to come to the end of its transaction


async def test_an_engine_that_is_told_to_end_ends(
    custody: Custody, nursery: Nursery, environment_of_engine: dict[str, str]
) -> None:
    await run(open_room, quick_room())
    engine = await run(nursery.start, environment_of_engine)
    await Play(custody, None).until(LaneEvent.objects.exists, "it works")  # type: ignore[arg-type]
    engine.signal(signal.SIGTERM)
    assert await run(engine.wait) == 0, engine.said()


def test_a_point_that_there_is_not_is_refused() -> None:
    with pytest.raises(ValueError, match="no crash point"):
        crash.arm("bet.before_lok")
