"""Limits of what goes out pause withdrawals by themselves, and a pause holds what no bot has begun."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from balancer_core.core_world import SITE, World, player
from balancer_core.test_at_once import assert_counters_add_up
from balancer_core.test_line import offers, waits
from sqlalchemy import update

from balancer.db import tables
from balancer.fleet import switches
from balancer.journal import story
from balancer.trades import approvals, holding
from balancer.trades.cancel import cancel
from balancer.trades.requests import Caller, WithdrawWish
from balancer.upkeep import release, sweep
from shared import wire
from shared.domain.ids import TradeUrl
from shared.errors import FleetPaused, NotFound

Make = Callable[..., Awaitable[World]]

OTHER = Caller("cli_other", "other-site", frozenset({"trade"}))


async def withdraw(world: World, who: int, deposit_ids: list[str], caller: Caller = SITE, **more: Any) -> str:
    wish = WithdrawWish(f"user-{who}", TradeUrl(player(who), "abcdefgh"), deposit_ids, "", **more)
    key = more.pop("key", None) or f"key-{next(world.keys)}"
    [trade_id] = await world.give(caller, key, "body", wish)
    return trade_id


async def paused_by(world: World, asked: Awaitable[Any]) -> str | None:
    """That it was refused as paused, and nothing of it was written; the reason."""
    before = {table: world.count(table) for table in ("trades", "idempotency", "tokens")}
    with pytest.raises(FleetPaused) as refused:
        await asked
    assert {table: world.count(table) for table in before} == before
    await assert_counters_add_up(world)
    return refused.value.reason


def know_clients(world: World) -> None:
    for caller in (SITE, OTHER):
        row = {"client_id": caller.client_id, "name": caller.name, "scopes": "trade", "created_at": world.ctx.clock.now()}
        world.change(tables.clients.insert().values(row))


def alarms(world: World) -> list[dict[str, Any]]:
    return [data for row in world.events("alarm") if (data := json.loads(row.data))["alarm"] == "withdrawals_limit"]


# --- limits ---------------------------------------------------------------------------------------------------------------


@pytest.mark.both_databases
@pytest.mark.parametrize(
    ("limits", "name"),
    [
        ({"client_withdrawals_max": 2}, "client_withdrawals_max"),
        ({"client_withdrawals_cents_max": 500}, "client_withdrawals_cents_max"),
        ({"fleet_withdrawals_max": 2}, "fleet_withdrawals_max"),
        ({"fleet_withdrawals_cents_max": 500}, "fleet_withdrawals_cents_max"),
    ],
)
async def test_the_withdrawal_over_a_limit_pauses_with_an_alarm_until_an_operator_resumes(
    make: Make, limits: dict[str, int], name: str
) -> None:
    world = await make(limits=limits)
    know_clients(world)
    ids = await world.held(5)
    for deposit_id in ids[:2]:
        await withdraw(world, 1, [deposit_id])
    assert await paused_by(world, withdraw(world, 1, ids[2:3])) == name
    [alarm] = alarms(world)
    of_client = name.startswith("client")
    assert (alarm["limit"], alarm["client"], alarm["at_most"]) == (
        name,
        "site" if of_client else None,
        next(iter(limits.values())),
    )
    assert "fleet switches resume withdrawals" in alarm["action"]
    [pause] = await world.ctx.db.read(switches.read)
    assert (pause.switch, pause.client, pause.who) == ("withdrawals", alarm["client"], "limits")
    # The second refusal is by the pause, and no second alarm.
    assert await paused_by(world, withdraw(world, 1, ids[2:3]))
    assert len(alarms(world)) == 1
    theirs = await world.held(1, who=2)
    if of_client:
        assert waits(world, await withdraw(world, 2, theirs, OTHER)) == [None]
    else:
        assert await paused_by(world, withdraw(world, 2, theirs, OTHER))
    client = "site" if of_client else None
    await world.ctx.switches.turn(switches.WITHDRAWALS, "cli:me", "looked", paused=False, client=client)
    for deposit_id in ids[2:4]:  # the window counts anew
        assert await withdraw(world, 1, [deposit_id])
    assert await paused_by(world, withdraw(world, 1, ids[4:])) == name
    assert len(alarms(world)) == 2


async def test_the_window_forgets(make: Make) -> None:
    world = await make(limits={"client_withdrawals_max": 1, "withdrawals_window_s": 600.0})
    ids = await world.held(2)
    await withdraw(world, 1, ids[:1])
    world.later(601)
    await world.online("red-1", "red-2")
    assert await withdraw(world, 1, ids[1:])


async def test_many_at_once_do_not_slip_through_together(make: Make) -> None:
    world = await make(limits={"fleet_withdrawals_max": 3}, database={"units_of_work_max": 8})
    held = [await world.held(1, who=who) for who in range(10)]
    asked = [withdraw(world, who, ids) for who, ids in enumerate(held)]
    results = await asyncio.gather(*asked, return_exceptions=True)
    assert sum(isinstance(result, str) for result in results) == 3
    assert all(isinstance(result, str | FleetPaused) for result in results)
    assert len(alarms(world)) == 1
    await assert_counters_add_up(world)


@pytest.mark.both_databases
async def test_a_player_who_asks_and_declines_uses_nothing_up(make: Make) -> None:
    """Else anybody with one item could pause the fleet."""
    world = await make(limits={"fleet_withdrawals_max": 2, "fleet_withdrawals_cents_max": 600})
    [deposit_id] = await world.held(1)
    for _ in range(6):
        trade_id = await withdraw(world, 1, [deposit_id])
        await world.tell(trade_id, "offer_declined", offer_id="77", state=7)
        await world.tell(trade_id, "items_seen", assets=world.seen(trade_id, 0))
    assert alarms(world) == []


async def test_a_request_that_is_over_a_limit_by_itself_asks_for_an_approval_and_pauses_nobody(make: Make) -> None:
    """Else its owner could stop everybody, again after each resumption."""
    world = await make(limits={"client_withdrawals_cents_max": 600})
    ids = await world.held(4)
    dear = await withdraw(world, 1, ids[:3])
    assert (waits(world, dear), alarms(world)) == (["approval"], [])
    await approvals.decide(world.ctx, dear, "cli_boss", "client:boss", approve=True)
    assert await release.release(world.ctx) == 1
    assert waits(world, dear) == [None]
    assert waits(world, await withdraw(world, 1, ids[3:])) == [None]  # what was approved does not count
    assert alarms(world) == []


@pytest.mark.both_databases
async def test_what_waited_counts_when_it_goes_out(make: Make) -> None:
    world = await make(limits={"client_withdrawals_max": 1})
    deposits = []
    for who in (1, 2):
        [deposit] = await world.deposit(1, who=who)
        await world.accept(deposit)
        deposits.append(deposit)
    asked = [
        await withdraw(world, who, [world.deposits_of(deposit)[0].deposit_id], when_settled=True)
        for who, deposit in zip((1, 2), deposits, strict=True)
    ]
    for deposit in deposits:
        await world.settle(deposit)
    world.later(8 * 86400)
    await world.online("red-1", "red-2")
    assert await release.release(world.ctx) == 1
    assert sorted(map(str, waits(world, *asked))) == ["None", "offer"]
    assert len(alarms(world)) == 1
    assert await release.release(world.ctx) == 0
    await world.ctx.switches.turn(switches.WITHDRAWALS, "cli:me", "", paused=False, client=None)
    world.change(tables.switches.delete())
    await world.ctx.switches.refresh()
    world.later(4000)
    await world.online("red-1", "red-2")
    assert await release.release(world.ctx) == 1
    await assert_counters_add_up(world)


@pytest.mark.both_databases
async def test_a_limit_that_came_later_asks_for_an_approval_too(make: Make) -> None:
    world = await make(limits={"client_withdrawals_cents_max": 200, "offers_per_player_max": 1})
    ids = await world.held(1)
    trade_id = await withdraw(world, 1, ids)
    world.change(update(tables.trades).where(tables.trades.c.trade_id == trade_id).values(waits_for="offer"))
    world.change(update(tables.trades).where(tables.trades.c.trade_id == trade_id).values(next_try_at=world.ctx.clock.now()))
    assert await release.release(world.ctx) == 0
    assert (waits(world, trade_id), alarms(world)) == (["approval"], [])


async def test_a_repeated_request_over_the_limit_shows_what_the_first_one_made(make: Make) -> None:
    world = await make(limits={"client_withdrawals_max": 1})
    ids = await world.held(1)
    wish = WithdrawWish("user-1", TradeUrl(player(1), "abcdefgh"), ids, "")
    made = await world.give(SITE, "same", "body", wish)
    assert await world.give(SITE, "same", "body", wish) == made
    assert alarms(world) == []


# --- what a pause holds ----------------------------------------------------------------------------------------------


async def pause(world: World, client: str | None = None) -> None:
    await world.ctx.switches.turn(switches.WITHDRAWALS, "cli:me", "a key was stolen", paused=True, client=client)


async def resume(world: World, client: str | None = None) -> None:
    await world.ctx.switches.turn(switches.WITHDRAWALS, "cli:me", "", paused=False, client=client)


def recalled(world: World, trade_id: str) -> bool:
    trade = world.trade(trade_id)
    return bool(world.ctx.redis.get(wire.recall_key(f"{trade.color}-{trade.bot_id}", trade_id)) == str(trade.attempt).encode())


@pytest.mark.both_databases
async def test_a_pause_holds_what_is_queued_and_it_goes_out_after_it(make: Make) -> None:
    world = await make(bots=("red-1",))
    ids = await world.held(2)
    begun, queued = await withdraw(world, 1, ids[:1]), await withdraw(world, 1, ids[1:])
    await world.ctx.outbox.drain()
    await world.tell(begun, "picked_up")
    await pause(world)
    assert await holding.hold(world.ctx) == 1
    assert (recalled(world, queued), recalled(world, begun)) == (True, False)
    assert await holding.hold(world.ctx) == 0  # said again, told once
    assert len(world.events("withdrawal_held")) == 1
    await world.tell(queued, "order_dropped", reason="recalled")
    assert (world.trade(queued).status, waits(world, queued), offers(world)) == ("queued", ["offer"], 1)
    assert (await sweep.give_orders(world.ctx), await release.release(world.ctx)) == (0, 0)
    await assert_counters_add_up(world)
    world.clear_queues()
    await resume(world)
    assert await release.release(world.ctx) == 1
    assert await sweep.give_orders(world.ctx) == 1
    [order] = [order for order in world.orders() if order.kind == "send"]
    assert (order.trade_id, order.attempt) == (queued, 2)
    with world.ctx.db.transaction() as connection:
        assert any("paused" in step.text for step in story.of_trade(connection, queued))


async def test_pauses_use_up_no_attempts(world: World) -> None:
    [trade_id] = [await withdraw(world, 1, await world.held(1))]
    for attempt in range(1, 2 * world.ctx.settings.trades.attempts_max):
        await world.ctx.outbox.drain()
        assert world.trade(trade_id).attempt == attempt
        await pause(world)
        await holding.hold(world.ctx)
        await world.tell(trade_id, "order_dropped", reason="recalled")
        await resume(world)
        assert await release.release(world.ctx) == 1
        assert await sweep.give_orders(world.ctx) == 1
    for _ in range(world.ctx.settings.trades.attempts_max):  # its own still count
        assert world.trade(trade_id).status == "queued"
        await world.tell(trade_id, "order_dropped", reason="expired")
    assert world.trade(trade_id).status == "failed"
    await assert_counters_add_up(world)


@pytest.mark.both_databases
async def test_what_waits_for_its_next_try_is_back_in_line_at_once(world: World) -> None:
    trade_id = await withdraw(world, 1, await world.held(1))
    await world.tell(trade_id, "try_later", code="steam_throttled", reason="slow")
    await pause(world)
    assert await holding.hold(world.ctx) == 1
    assert waits(world, trade_id) == ["offer"]
    await assert_counters_add_up(world)
    world.later(3600)
    await world.online("red-1", "red-2")
    assert await sweep.give_orders(world.ctx) == 0
    await resume(world)
    assert await release.release(world.ctx) == 1


@pytest.mark.both_databases
async def test_an_order_that_nobody_noted_is_not_given_during_a_pause(world: World) -> None:
    trade_id = await withdraw(world, 1, await world.held(1))
    await world.ctx.outbox.drain()
    world.change(update(tables.trades).values(order_issued_at=None, order_expires_at=None))
    world.clear_queues()
    await pause(world)
    await holding.hold(world.ctx)
    world.later(60)
    await world.online("red-1", "red-2")
    assert await sweep.give_orders(world.ctx) == 0
    await resume(world)
    assert await sweep.give_orders(world.ctx) == 1
    assert recalled(world, trade_id)  # its bot drops that one, and the next attempt goes out


@pytest.mark.both_databases
async def test_a_held_withdrawal_can_be_canceled_and_one_to_be_canceled_is_not_held(world: World) -> None:
    ids = await world.held(2)
    first, second = await withdraw(world, 1, ids[:1]), await withdraw(world, 1, ids[1:])
    await world.ctx.outbox.drain()
    await cancel(world.ctx, SITE, second)
    await pause(world)
    assert await holding.hold(world.ctx) == 1
    await cancel(world.ctx, SITE, first)
    for trade_id in (first, second):
        await world.tell(trade_id, "order_dropped", reason="recalled")
        assert world.trade(trade_id).status == "canceled"
    await assert_counters_add_up(world)


async def test_deposits_go_on_while_withdrawals_are_paused(world: World) -> None:
    [trade_id] = await world.deposit(1)
    await pause(world)
    assert await holding.hold(world.ctx) == 0
    assert not recalled(world, trade_id)
    assert await world.deposit(1)


async def test_one_clients_pause_holds_that_client_only(make: Make) -> None:
    limits = {"offers_per_bot_max": 3, "offers_kept_for_withdrawals": 0}
    world = await make(bots=("red-1",), limits=limits)
    know_clients(world)
    mine, theirs = await world.held(2, who=1), await world.held(2, who=2)
    queued = [await withdraw(world, 1, mine[:1]), await withdraw(world, 2, theirs[:1], OTHER)]
    await pause(world, "site")
    assert await holding.hold(world.ctx) == 1
    assert [recalled(world, trade_id) for trade_id in queued] == [True, False]
    await world.tell(queued[0], "order_dropped", reason="recalled")
    assert waits(world, *queued) == ["offer", None]
    assert await paused_by(world, withdraw(world, 1, mine[1:])) == "a key was stolen"
    assert waits(world, await withdraw(world, 2, theirs[1:], OTHER)) == [None]  # and is not behind what is paused
    assert await release.release(world.ctx) == 0
    await resume(world, "site")
    assert await release.release(world.ctx) == 1
    with pytest.raises(NotFound):
        await pause(world, "nobody")
    with pytest.raises(NotFound):
        await world.ctx.switches.turn(switches.DEPOSITS, "cli:me", "", paused=True, client="site")
    await assert_counters_add_up(world)


async def test_more_than_a_batch_is_held(world: World) -> None:
    one = await withdraw(world, 1, await world.held(1, who=1))
    await world.ctx.outbox.drain()
    ids = [one, *(f"{one}-{number}" for number in range(holding.BATCH_MAX))]
    world.clone(tables.trades, world.trade(one), holding.BATCH_MAX, trade_id=lambda number: f"{one}-{number}")
    await pause(world)
    assert await holding.hold(world.ctx) == len(ids)
    assert all(recalled(world, trade_id) for trade_id in ids)
