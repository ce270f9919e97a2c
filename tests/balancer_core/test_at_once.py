"""Many requests at the same time: one trade per key, no bot over its limits, nobody refused without reason."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from balancer_core.core_world import World
from sqlalchemy import text

from balancer.db import tables
from shared.errors import NoBotAvailable, PlayerMustAct

pytestmark = pytest.mark.both_databases

Make = Callable[..., Awaitable[World]]


async def test_fifty_requests_with_one_key_make_one_trade(world: World) -> None:
    wish = world.wish(3)
    made = await asyncio.gather(*(world.deposit(key="same", wish=wish) for _ in range(50)))
    assert {tuple(ids) for ids in made} == {tuple(made[0])}
    assert world.count("trades") == 1
    assert world.count("deposits") == 3
    bot = world.trade(made[0][0])
    assert world.counters(f"{bot.color}-{bot.bot_id}") == (0, 3, 1)


async def test_fifty_withdrawals_with_one_key_make_one_trade(world: World) -> None:
    deposit_ids = await world.held(2)
    made = await asyncio.gather(*(world.withdraw(deposit_ids, key="same") for _ in range(50)))
    assert {tuple(ids) for ids in made} == {tuple(made[0])}
    assert len(made[0]) == 1
    assert world.count("trades") == 2


@pytest.mark.slow
async def test_bots_are_filled_to_the_last_slot_and_never_over(make: Make) -> None:
    names = tuple(f"red-{number}" for number in range(1, 11))
    limits = {"bot_items_max": 20, "offers_per_bot_max": 1000, "inventory_limit": 1000}
    world = await make(bots=names, limits=limits, database={"units_of_work_max": 8})
    results = await asyncio.gather(*(world.deposit(1, who=number) for number in range(260)), return_exceptions=True)
    accepted = [result for result in results if isinstance(result, list)]
    refused = [result for result in results if not isinstance(result, list)]
    assert {type(error) for error in refused} == {NoBotAvailable}
    assert len(accepted) == 200
    assert [world.counters(name) for name in names] == [(0, 20, 20)] * 10


@pytest.mark.slow
async def test_open_offers_are_never_over_the_limit(make: Make) -> None:
    names = ("red-1", "red-2", "red-3")
    limits = {"offers_per_bot_max": 7, "offers_kept_for_withdrawals": 2}
    world = await make(bots=names, limits=limits, database={"units_of_work_max": 8})
    results = await asyncio.gather(*(world.deposit(2, who=number) for number in range(40)), return_exceptions=True)
    assert sum(isinstance(result, list) for result in results) == 15
    assert [world.counters(name) for name in names] == [(0, 10, 5)] * 3


async def test_one_players_requests_at_once_keep_his_limit(make: Make) -> None:
    world = await make(bots=("red-1",))
    results = await asyncio.gather(*(world.deposit(1) for _ in range(12)), return_exceptions=True)
    refused = [result for result in results if not isinstance(result, list)]
    assert len(results) - len(refused) == world.ctx.settings.limits.pending_deposits_per_player_max
    assert {type(error) for error in refused} == {PlayerMustAct}


async def test_split_requests_at_once_neither_deadlock_nor_overfill(make: Make) -> None:
    names = ("red-1", "red-2", "red-3")
    world = await make(
        bots=names, limits={"bot_items_max": 10, "offers_per_partner_max": 50}, database={"units_of_work_max": 8}
    )
    results = await asyncio.gather(*(world.deposit(7, who=number) for number in range(8)), return_exceptions=True)
    accepted = [result for result in results if isinstance(result, list)]
    assert len(accepted) == 4
    assert {type(error) for error in results if not isinstance(error, list)} == {NoBotAvailable}
    reserved = [world.bot(name).slots_reserved for name in names]
    assert sum(reserved) == 28
    assert max(reserved) <= 10
    await assert_counters_add_up(world)


async def test_reports_and_requests_at_once_keep_the_counters_true(world: World) -> None:
    ids = [trade_id for number in range(10) for trade_id in await world.deposit(2, who=number)]

    async def fate(number: int, trade_id: str) -> None:
        await world.tell(trade_id, "picked_up")
        if number % 3 == 0:
            await world.accept(trade_id)
        elif number % 3 == 1:
            await world.tell(trade_id, "offer_declined", offer_id="1", state=7)
        else:
            await world.deposit(1, who=100 + number)

    await asyncio.gather(*(fate(number, trade_id) for number, trade_id in enumerate(ids)))
    assert world.count("trades") == 13
    await assert_counters_add_up(world)


async def assert_counters_add_up(world: World) -> None:
    """Every counter of every bot is what the rows say."""
    live = "('queued', 'sending', 'in_doubt', 'confirming', 'sent') AND waits_for IS NULL"
    for bot in world.rows(tables.bots.select()):
        mine = f"color = '{bot.color}' AND bot_id = {bot.bot_id}"
        [(pending,)] = world.rows(text(f"SELECT count(*) FROM deposits WHERE {mine} AND status = 'deposit_pending'"))
        held_rows = f"SELECT count(*) FROM deposits WHERE {mine} AND status IN ('active', 'withdraw_pending')"
        [(held,)] = world.rows(text(held_rows))
        [(offers,)] = world.rows(text(f"SELECT count(*) FROM trades WHERE {mine} AND status IN {live}"))
        assert (bot.slots_held, bot.slots_reserved, bot.open_offers) == (held, pending, offers)
