"""Alarms to people: real messages by apprise to a receiver that takes them, is away, or is told by two balancers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from balancer_core.core_world import MASTER, World
from sqlalchemy.event import listen, remove

from balancer.db import tables
from balancer.journal import events
from balancer.journal.by import By
from balancer.notices import people, telling, wording
from balancer.notices.telling import Send, Teller
from shared.sections import AlarmSettings

pytestmark = pytest.mark.both_databases
PASSWORD = "hunter2-is-secret"


class People:
    """Somebody who reads alarms: a server that apprise posts JSON to."""

    def __init__(self) -> None:
        self.read: list[dict[str, Any]] = []
        self.status = 200
        self.address = ""

    async def handle(self, request: web.Request) -> web.Response:
        if self.status == 200:
            self.read.append(await request.json())
        return web.Response(status=self.status)


@pytest.fixture
async def reader() -> AsyncIterator[People]:
    someone, app = People(), web.Application()
    app.router.add_post("/{path:.*}", someone.handle)
    async with TestServer(app) as server:
        someone.address = f"json://operator:{PASSWORD}@127.0.0.1:{server.port}/"
        yield someone


def teller(world: World, *addresses: str, send: Send = people.send) -> Teller:
    told = AlarmSettings(notify=list(addresses), ops_url="https://fleet.example/ops/")
    return Teller(world.ctx.db, world.ctx.clock, MASTER, world.ctx.settings.model_copy(update={"alarms": told}), send)


def alarm(world: World, bot: str, count: int = 1) -> None:
    data = {"alarm": "bot_restricted", "reason": "bot_locked", "forbids": ["give"], "action": "ask Steam why"}
    rows = [events.row("alarm", data, By("health", world.ctx.clock.now()), None, None, bot) for _ in range(count)]
    with world.ctx.db.transaction() as connection:
        events.append(
            connection, events.row("resumed", {"switch": "deposits", "reason": ""}, By("x", world.ctx.clock.now())), *rows
        )


async def test_people_are_told_once_of_what_comes_and_never_of_what_was(world: World, reader: People) -> None:
    alarm(world, "red-1")  # before anybody was to be told
    one, two = (teller(world, reader.address) for _ in range(2))
    await one.round()
    alarm(world, "red-2")
    await asyncio.gather(one.round(), two.round())
    await asyncio.gather(one.round(), two.round())
    [message] = reader.read
    assert message["title"] == "trade fleet: bot_restricted, red-2"
    for part in (
        "reason: bot_locked",
        "what to do: ask Steam why",
        "docs/cards.md#a-bot-is-banned",
        "https://fleet.example/ops/alarms#",
    ):
        assert part in message["message"]


async def test_who_was_away_is_told_later_and_another_one_is_told_so(
    world: World, reader: People, capfd: pytest.CaptureFixture[str]
) -> None:
    nobody = f"json://operator:{PASSWORD}@127.0.0.1:9/"  # a port at which nothing listens
    both = teller(world, nobody, reader.address)
    await both.round()
    alarm(world, "red-1", count=wording.SHOWN_MAX + 2)
    await both.round()
    assert [message["title"] for message in reader.read] == [f"trade fleet: {wording.SHOWN_MAX + 2} alarms"]
    assert "and 2 more" in reader.read[0]["message"]
    for _ in range(3):
        world.later(telling.RETRY_MAX_S + 1)
        await both.round()
    assert "notices_not_taken" in reader.read[-1]["message"] and len(reader.read) == 2, "it is told once"
    said = capfd.readouterr()
    assert PASSWORD not in said.out + said.err + str([tuple(row) for row in world.events()])
    assert PASSWORD not in str([tuple(row) for row in world.rows(tables.notice_targets.select())])

    reader.status, reader.read = 500, []
    alarm(world, "red-2")
    await both.round()
    reader.status = 200
    await both.round()
    assert reader.read == [], "its next time has not come"
    world.later(telling.RETRY_MIN_S + 1)
    await both.round()
    assert [message["title"] for message in reader.read] == ["trade fleet: bot_restricted, red-2"]


async def test_a_balancer_that_died_while_it_told_is_followed_by_another(world: World, reader: People) -> None:
    class Died(BaseException):
        pass

    async def dies(*_: str) -> bool:
        raise Died

    dead = teller(world, reader.address, send=dies)
    await dead.round()
    alarm(world, "red-1")
    with pytest.raises(Died):
        await dead.round()
    other = teller(world, reader.address)
    await other.round()
    assert reader.read == [], "whoever held it may still be at it"
    world.later(telling.LEASE_S + 1)
    await other.round()
    assert len(reader.read) == 1


async def test_after_a_restored_database_the_next_alarm_is_told(world: World, reader: People) -> None:
    await teller(world, reader.address).round()
    world.change(tables.notice_targets.update().values(told_to=10_000))
    again = teller(world, reader.address)
    await again.round()
    alarm(world, "red-1")
    await again.round()
    assert len(reader.read) == 1
    await teller(world).round()
    assert world.count("notice_targets") == 0, "an address that is written no more is forgotten"


def test_addresses_are_checked_by_their_place() -> None:
    assert people.check(["json://127.0.0.1:9/", "nosuch://x", "mailto://"]) == [2, 3]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_look_for_alarms_reads_no_other_events(world: World, reader: People) -> None:
    """Every few seconds, at a fleet that has had no alarm for a million events."""
    one = teller(world, reader.address)
    await one.round()
    asked: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, _many: bool) -> None:
        if "FROM events" in statement and "ORDER BY" in statement:
            asked.append((statement, parameters))

    engine = world.ctx.db.engine
    listen(engine, "before_cursor_execute", note)
    await one.round()
    remove(engine, "before_cursor_execute", note)
    [(statement, parameters)] = asked
    with engine.connect() as connection:
        plan = str(connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all())
    assert "ix_events_alarms" in plan, plan
