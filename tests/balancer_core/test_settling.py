"""When the sweep asks whether an exchange has settled, and where the items of trades that ended are."""

from __future__ import annotations

from datetime import timedelta

import pytest
from balancer_core.core_world import World
from balancer_core.sweeping import Make, bot_of
from narrowed import payload
from sqlalchemy import update

from balancer.db import tables
from balancer.upkeep import settle
from shared.orders import SettleOrder


async def test_settlement_is_asked_after_its_time_and_margin_and_again_later(world: World) -> None:
    [trade_id] = await world.deposit(2)
    other = await world.deposit(1, who=2)
    await world.accept(trade_id)
    await world.accept(other[0])
    bot, times = bot_of(world, trade_id), world.ctx.settings.trades
    world.clear_queues()
    assert await settle.settle(world.ctx) == 0
    world.later(7 * 86400 + times.settle_margin_s + 5)
    await world.ctx.fleet.refresh()
    assert await settle.settle(world.ctx) == 0  # nobody is online to ask
    await world.online("red-1", "red-2")
    assert await settle.settle(world.ctx) == 2
    assert await settle.settle(world.ctx) == 0
    orders = [order for name in ("red-1", "red-2") for order in world.orders(name)]
    [check] = [check for order in orders for check in payload(order, SettleOrder).checks if check.trade_id == trade_id]
    assert check.exchange_id == f"x-{trade_id}"
    rows = world.deposits_of(trade_id)
    assert [(one.deposit_id, one.asset.asset_id) for one in check.assets] == [
        (row.deposit_id, str(row.asset_id)) for row in rows
    ]
    known = next(payload(order, SettleOrder).known for order in orders if order.bot == bot)
    assert not set(known) & {str(row.asset_id) for row in rows}
    world.later(times.settle_again_s + 1)
    await world.online("red-1", "red-2")
    assert await settle.settle(world.ctx) == 2


@pytest.mark.both_databases
async def test_settlement_time_told_later_moves_the_question(world: World) -> None:
    [trade_id] = await world.deposit(1)
    await world.accept(trade_id)
    late = int(world.trade(trade_id).settles_at.timestamp()) + 86400
    await world.tell(trade_id, "not_settled", settles_at=late, reason="still_protected")
    assert int(world.trade(trade_id).settles_at.timestamp()) == late


async def test_one_inventory_read_serves_all_trades_of_a_bot(make: Make) -> None:
    world = await make(bots=("red-1",))
    for who in range(5):
        [trade_id] = await world.deposit(1, who=who)
        await world.accept(trade_id)
    world.clear_queues()
    world.later(8 * 86400)
    await world.online("red-1")
    assert await settle.settle(world.ctx) == 5
    [order] = world.orders("red-1")
    assert len(payload(order, SettleOrder).checks) == 5


async def test_what_has_ended_waits_for_others_of_its_bot_and_one_look_serves_all(make: Make) -> None:
    world = await make(bots=("red-1",))
    times = world.ctx.settings.trades
    apart_s = times.settle_gather_s / 2
    for who in range(2):
        world.later(apart_s * who)
        [trade_id] = await world.deposit(1, who=who)
        await world.accept(trade_id)
    world.clear_queues()
    over = world.trade(trade_id).settles_at + timedelta(seconds=times.settle_margin_s + 1)
    world.later((over - world.ctx.clock.now()).total_seconds())
    # No look because of the protection is due meanwhile.
    world.change(update(tables.trades).values(touched=world.ctx.clock.now()))
    await world.online("red-1")
    assert await settle.settle(world.ctx) == 0, "both have ended, and none long ago"
    world.later(apart_s)
    await world.online("red-1")
    assert await settle.settle(world.ctx) == 2
    [order] = [each for each in world.orders("red-1") if each.kind == "settle"]
    assert len(payload(order, SettleOrder).checks) == 2


@pytest.mark.both_databases
async def test_withdrawal_settles_by_its_exchange_alone(world: World) -> None:
    [trade_id] = await world.withdraw(await world.held(1))
    await world.accept(trade_id)
    world.clear_queues()
    times = world.ctx.settings.trades
    settles_at = int(world.trade(trade_id).settles_at.timestamp())
    for wait_s, waited_until in ((times.protection_look_s + 1, None), (8 * 86400, settles_at)):
        world.later(wait_s)
        await world.online("red-1", "red-2")
        await settle.settle(world.ctx)
        [order] = world.taken(bot_of(world, trade_id))
        assert [(check.assets, check.waited_until) for check in payload(order, SettleOrder).checks] == [([], waited_until)]


async def test_a_balancer_whose_clock_is_ahead_settles_nothing_early(world: World) -> None:
    [trade_id] = await world.withdraw(await world.held(1))
    await world.accept(trade_id)
    world.clear_queues()
    world.later(8 * 86400)
    world.ctx.server_clock.offset_ms = -8 * 86_400_000  # Redis' time has stayed
    await world.online("red-1", "red-2")
    assert await settle.settle(world.ctx) == 1
    [order] = world.orders(bot_of(world, trade_id))
    assert [check.waited_until for check in payload(order, SettleOrder).checks] == [None]


async def test_items_of_an_ended_withdrawal_are_looked_for_until_seen(world: World) -> None:
    [trade_id] = await world.withdraw(await world.held(1))
    await world.tell(trade_id, "offer_declined", offer_id="77", state=7)
    bot = bot_of(world, trade_id)
    world.clear_queues()
    assert await settle.settle(world.ctx) == 0
    for _ in range(2):
        world.later(world.ctx.settings.trades.items_look_s + 1)
        await world.online("red-1", "red-2")
        assert await settle.settle(world.ctx) == 1
        [order] = world.taken(bot)
        assert [check.exchange_id for check in payload(order, SettleOrder).checks] == [None]
    await world.tell(trade_id, "items_seen", assets=world.seen(trade_id))
    world.later(world.ctx.settings.trades.items_look_s + 1)
    await world.online("red-1", "red-2")
    assert await settle.settle(world.ctx) == 0


async def test_reversed_deposit_is_looked_for(world: World) -> None:
    [trade_id] = await world.deposit(1)
    await world.accept(trade_id)
    await world.tell(trade_id, "exchange_reversed", exchange_id="x")
    assert await settle.settle(world.ctx) == 1
    assert await settle.settle(world.ctx) == 0
