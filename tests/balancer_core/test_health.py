"""May it look, may it take, may it give: from rows and heartbeats, in the feed, and as alarms."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any, cast

import pytest
from balancer_core.core_world import World
from sqlalchemy import Connection, update

from balancer.custody import gifts
from balancer.db import tables
from balancer.db.engine import Database
from balancer.fleet import health_events
from balancer.fleet.snapshot import Fleet
from balancer.upkeep import search, settle
from shared.domain.health import NOTHING, RESTRICTIONS, TRADES, May
from shared.errors import NoBotAvailable

LOOK = frozenset({May.LOOK})


async def restrict(world: World, *reasons: str, bot: str = "red-1", since_ms: int = 1_700_000_000_000) -> None:
    told = [{"reason": reason, "since_ms": since_ms} for reason in reasons]
    await world.online(bot, state="restricted" if reasons else "online", restrictions=told)


def told(world: World, kind: str = "bot_health") -> list[dict[str, Any]]:
    return [json.loads(row.data) for row in world.events(kind) if row.bot == "red-1"]


@pytest.mark.parametrize("reason", [*RESTRICTIONS, "of_another_release"])
async def test_a_restriction_forbids_what_it_says_and_leaves_the_looking(world: World, reason: str) -> None:
    await restrict(world, reason)
    view = world.ctx.fleet.get("red-1")
    assert view is not None
    forbids = RESTRICTIONS[reason].forbids if reason in RESTRICTIONS else TRADES
    assert view.may == NOTHING - forbids and May.LOOK in view.may
    [why] = view.why_not
    assert (why.reason, why.forbids, why.since) == (reason, forbids, 1_700_000_000)
    assert why.action


async def test_modes_and_a_freeze_are_reasons_too(world: World) -> None:
    fleet = world.ctx.fleet
    assert (await fleet.set_mode("red", 1, "draining", "test")).may == {May.LOOK, May.GIVE}
    assert (await fleet.set_mode("red", 1, "paused", "test")).may == LOOK
    await fleet.set_mode("red", 1, "active", "test")
    world.change(update(tables.bots).where(tables.bots.c.bot_id == 1).values(frozen_by="audit"))
    view = await fleet.read_again("red", 1)
    assert view.may == LOOK and [each.reason for each in view.why_not] == ["frozen"]


class Paused:
    """A database whose readers get their rows when they are let go on."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self.were_read, self.go_on = asyncio.Event(), asyncio.Event()

    async def read(self, action: Callable[[Connection], Any]) -> Any:
        rows = await self.db.read(action)
        self.were_read.set()
        await self.go_on.wait()
        return rows

    run = property(lambda self: self.db.run)


async def test_a_refresh_under_way_does_not_bring_an_earlier_mode_back(world: World) -> None:
    ctx = world.ctx
    db = Paused(ctx.db)
    fleet = Fleet(ctx.settings, ctx.clock, ctx.server_clock, ctx.master, ctx.redis, cast(Database, db))
    refreshing = asyncio.create_task(fleet.refresh())
    await db.were_read.wait()
    await fleet.set_mode("red", 1, "paused", "test")
    db.go_on.set()
    await refreshing
    view = fleet.get("red-1")
    assert view is not None and view.mode == "paused"


async def test_a_bot_that_is_away_may_nothing(world: World) -> None:
    world.later(60)
    await world.ctx.fleet.refresh()
    view = world.ctx.fleet.get("red-1")
    assert view is not None
    assert view.may == frozenset() and [each.reason for each in view.why_not] == ["offline"]
    await world.online("red-1", state="unhealthy", reason="wrong_password", action="check the password")
    view = world.ctx.fleet.get("red-1")
    assert view is not None
    assert view.may == frozenset() and [each.reason for each in view.why_not] == ["wrong_password"]


async def test_restricted_bots_get_no_deposits_and_go_on_looking(make: Any) -> None:
    world: World = await make(bots=("red-1",))
    [accepted], [doubtful] = await world.deposit(1), await world.deposit(1, who=2)
    await world.accept(accepted)
    await world.tell(doubtful, "answer_lost", reason="no_answer")
    world.clear_queues()
    world.later(world.ctx.settings.trades.protection_look_s + 1)
    await restrict(world, "bot_banned")
    await world.online("red-2")
    for _ in range(4):
        [trade_id] = await world.deposit(1, who=3)
        assert world.trade(trade_id).bot_id == 2
    assert await gifts.decline_offers(world.ctx) == 2
    assert await settle.settle(world.ctx) == 1
    assert await search.find_offers(world.ctx) == 1
    assert {order.kind for order in world.orders("red-1")} == {"decline", "settle", "find"}
    assert [lane.bots for lane in world.ctx.fleet.lanes] == [("red-2",)]


async def test_reading_is_left_to_others_but_not_refused(world: World) -> None:
    await restrict(world, "bot_locked")
    await restrict(world, "bot_locked", bot="red-2")
    assert [lane.bots for lane in world.ctx.fleet.lanes] == [("red-1", "red-2")]


async def test_when_nobody_may_take_the_site_is_told_why(world: World) -> None:
    await restrict(world, "bot_locked")
    await restrict(world, "bot_locked", bot="red-2")
    with pytest.raises(NoBotAvailable) as caught:
        await world.deposit(1)
    assert (caught.value.error_code, caught.value.reason) == ("bot_restricted", "bot_locked")


async def test_a_withdrawal_of_a_restricted_bot_is_refused_as_the_operators(world: World) -> None:
    [deposit_id] = await world.held(1)
    bot = f"red-{world.rows(tables.deposits.select())[0].bot_id}"
    await restrict(world, "bot_banned", bot=bot)
    with pytest.raises(NoBotAvailable) as caught:
        await world.withdraw([deposit_id])
    assert (caught.value.error_code, caught.value.reason) == ("bot_restricted", "bot_banned")
    assert world.rows(tables.deposits.select())[0].status == "active"


async def round_of(world: World) -> int:
    return await health_events.round_of(world.ctx.fleet, world.ctx.db, world.ctx.clock)


# --- telling ------------------------------------------------------------------------------------------------------


@pytest.mark.both_databases
async def test_every_change_is_told_once_with_reason_time_and_what_to_do(world: World) -> None:
    assert await round_of(world) == 0
    await restrict(world, "bot_locked")
    assert await round_of(world) == 1
    await world.ctx.fleet.refresh()
    assert await round_of(world) == 0
    [event] = told(world)
    assert event["may"] == {"look": True, "take": False, "give": False}
    [why] = event["why_not"]
    assert why["reason"] == "bot_locked" and why["since"] == 1_700_000_000 and why["forbids"] == ["give", "take"]
    assert why["action"] == RESTRICTIONS["bot_locked"].action
    await restrict(world)
    assert await round_of(world) == 1
    assert told(world)[-1] == {"may": {"look": True, "take": True, "give": True}, "why_not": [], "over": ["bot_locked"]}


async def test_a_restriction_is_an_alarm_each_time_it_begins(world: World) -> None:
    for _ in range(2):
        await restrict(world, "bot_banned", "offers_full")
        await round_of(world)
        await restrict(world, "bot_banned")
        await round_of(world)
        await restrict(world)
        await round_of(world)
    alarms = told(world, "alarm")
    assert [(each["alarm"], each["reason"]) for each in alarms] == [("bot_restricted", "bot_banned")] * 2
    assert alarms[0]["action"]


async def test_two_balancers_tell_it_once(world: World) -> None:
    await restrict(world, "bot_banned")
    view = world.ctx.fleet.get("red-1")
    assert view is not None
    told_by = [await world.ctx.db.run(health_events.tell, view, world.ctx.clock.now()) for _ in range(2)]
    assert told_by == [True, False]
    assert len(told(world)) == 1 == len(told(world, "alarm"))


async def test_since_when_outlives_the_worker_that_forgets_it(world: World) -> None:
    await restrict(world, "own_hold", since_ms=1_700_000_000_000)
    await round_of(world)
    await restrict(world, "own_hold", since_ms=1_700_000_900_000)
    view = world.ctx.fleet.get("red-1")
    assert view is not None and [each.since for each in view.why_not] == [1_700_000_000]


async def test_without_redis_nobody_is_told_to_be_offline(world: World) -> None:
    world.later(60)
    world.ctx.fleet._heard_s = world.ctx.clock.monotonic() - 60
    assert await round_of(world) == 0
    await world.ctx.fleet.refresh()
    assert await round_of(world) == 2
    assert [each["reason"] for each in told(world)[-1]["why_not"]] == ["offline"]


@pytest.mark.both_databases
async def test_a_strange_confirmation_freezes_the_bot_until_an_operator_has_looked(world: World) -> None:
    await restrict(world, "strange_confirmation")
    await round_of(world)
    await restrict(world)
    view = world.ctx.fleet.get("red-1")
    assert view is not None
    assert (view.frozen_by, view.may) == ("strange_confirmation", LOOK)
