"""The feed: a number never appears once a higher one was given out, whoever commits first."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from balancer_core.core_world import World

from balancer.db import engine
from balancer.journal import events
from balancer.journal.by import By

pytestmark = pytest.mark.both_databases

POSTGRES = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


def tell(world: World, connection: Any, kind: str) -> None:
    events.append(connection, events.row(kind, {}, By("test", world.ctx.clock.now())))


async def numbers(world: World, after: int = 0) -> list[int]:
    return [event.number for event in await world.ctx.db.read(events.behind, after, 10_000, True)]


async def test_events_come_in_order_with_what_they_say(world: World) -> None:
    [trade_id] = await world.deposit(2)
    await world.accept(trade_id)
    found = await world.ctx.db.read(events.behind, 0, 100, True)
    assert [event.kind for event in found] == ["trade_created", "offer_accepted"]
    assert found[1].data["to"] == "accepted"
    assert {row["to"] for row in found[1].data["deposits"]} == {"active"}
    assert await world.ctx.db.read(events.behind, found[0].number, 100, True) == found[1:]
    assert await world.ctx.db.read(events.behind, 0, 1, True) == found[:1]


async def test_no_secret_stands_in_an_event(world: World) -> None:
    [trade_id] = await world.deposit(1)
    await world.accept(trade_id)
    token = world.ctx.master.verify_token(trade_id)
    written = " ".join(row.data for row in world.events())
    assert token not in written
    assert "abcdefgh" not in written


@POSTGRES
async def test_event_of_an_open_transaction_holds_back_higher_numbers(world: World) -> None:
    with world.ctx.db.engine.begin() as slow:
        tell(world, slow, "paused")
        with world.ctx.db.transaction() as fast:
            tell(world, fast, "resumed")
        assert await numbers(world) == []
    served = [event.kind for event in await world.ctx.db.read(events.behind, 0, 10, True)]
    assert served == ["paused", "resumed"]


@POSTGRES
async def test_a_transaction_that_is_taken_back_leaves_a_gap_and_holds_nothing_up(world: World) -> None:
    connection = world.ctx.db.engine.connect()
    tell(world, connection, "paused")
    with world.ctx.db.transaction() as other:
        tell(world, other, "resumed")
    connection.rollback()
    connection.close()
    assert [event.kind for event in await world.ctx.db.read(events.behind, 0, 10, True)] == ["resumed"]


@POSTGRES
async def test_the_mark_is_taken_before_the_number_is_drawn(world: World) -> None:
    with world.ctx.db.engine.begin() as slow:
        tell(world, slow, "paused")
        with world.ctx.db.engine.connect() as reader:
            settled = engine.settled_number(reader)
            drawn = reader.exec_driver_sql("SELECT last_value FROM events_number_seq").scalar_one()
    assert settled is not None
    assert settled < drawn


async def test_a_reader_misses_nothing_while_many_write(world: World) -> None:
    done = threading.Event()

    async def write(who: int) -> None:
        for _ in range(8):
            await world.ctx.db.run(_tell_slowly, world, who)

    async def read() -> list[int]:
        seen: list[int] = []
        while not done.is_set():
            seen += await numbers(world, seen[-1] if seen else 0)
        return seen + await numbers(world, seen[-1] if seen else 0)

    reader = asyncio.create_task(read())
    await asyncio.gather(*(write(who) for who in range(8)))
    done.set()
    seen = await reader
    assert seen == sorted(set(seen))
    assert len(seen) == 64


def _tell_slowly(connection: Any, world: World, who: int) -> None:
    tell(world, connection, "paused")
    connection.exec_driver_sql("SELECT count(*) FROM deposits")
