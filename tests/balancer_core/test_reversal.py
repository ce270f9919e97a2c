"""Reversals are booked from what a bot sees, the partner is blocked, and what hangs on the items is taken back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from balancer_core.core_world import World, player
from balancer_core.test_at_once import assert_counters_add_up
from narrowed import payload
from sqlalchemy import update

from balancer.custody import deposits
from balancer.db import tables
from balancer.journal.by import By
from balancer.trades import reversal
from balancer.upkeep import settle, sweep
from shared import wire
from shared.errors import Conflict, FleetError
from shared.orders import SettleOrder


async def online_later(world: World, seconds: float) -> None:
    world.later(seconds)
    await world.online("red-1", "red-2")


def checks(world: World) -> list[Any]:
    """Every settle check that waits in a queue, taken out."""
    return [
        check
        for bot in ("red-1", "red-2")
        for order in world.taken(bot)
        if order.kind == "settle"
        for check in payload(order, SettleOrder).checks
    ]


@pytest.mark.both_databases
async def test_protected_exchanges_are_looked_at_now_and_then_all_of_a_bot_together(world: World) -> None:
    [first] = await world.deposit(1)
    await world.accept(first)
    look_s = world.ctx.settings.trades.protection_look_s
    await online_later(world, look_s * 0.6)
    [second] = await world.deposit(1)
    await world.accept(second)
    world.clear_queues()
    assert world.trade(first).bot_id == world.trade(second).bot_id
    assert await settle.settle(world.ctx) == 0
    await online_later(world, look_s * 0.55)
    assert await settle.settle(world.ctx) == 2
    looked = checks(world)
    assert {check.trade_id for check in looked} == {first, second}
    assert [(check.exchange_id, check.reversal) for check in looked] == [(f"x-{check.trade_id}", False) for check in looked]
    assert await settle.settle(world.ctx) == 0
    await world.tell(first, "not_settled", settles_at=None, reason="still_protected")
    await online_later(world, look_s + 1)
    assert await settle.settle(world.ctx) == 2


async def test_a_reversed_deposit_is_frozen_at_once_and_reversed_when_seen_gone(world: World) -> None:
    [trade_id] = await world.deposit(2)
    await world.accept(trade_id)
    world.clear_queues()
    await world.tell(trade_id, "exchange_reversed", exchange_id="x", exchange_status=12)
    assert world.statuses(trade_id) == ("reversed", {"active"})
    assert {row.frozen_by for row in world.deposits_of(trade_id)} == {"reversal"}
    assert await settle.settle(world.ctx) == 1
    [check] = checks(world)
    assert (check.reversal, check.exchange_id, len(check.assets)) == (True, f"x-{trade_id}", 2) or check.exchange_id == "x"
    first, second = (row.deposit_id for row in world.deposits_of(trade_id))
    await world.tell(trade_id, "items_gone", deposit_ids=[first])
    await world.tell(trade_id, "items_gone", deposit_ids=[first])
    told = [json.loads(row.data) for row in world.events("reversal")]
    assert [one["complete"] for one in told] == [False]
    assert {item["deposit_id"]: item["with"] for item in told[0]["items"]} == {first: "player", second: "unknown"}
    await world.tell(trade_id, "items_gone", deposit_ids=[first, second])
    assert world.statuses(trade_id) == ("reversed", {"reversed"})
    assert json.loads(world.events("reversal")[-1].data)["complete"] is True
    await online_later(world, 86400)
    assert await settle.settle(world.ctx) == 0
    await assert_counters_add_up(world)


async def test_a_reversed_withdrawal_comes_back_frozen_under_its_new_id(world: World) -> None:
    [trade_id] = await world.withdraw(await world.held(1))
    await world.accept(trade_id)
    await world.settle(trade_id)
    await world.tell(trade_id, "exchange_reversed", exchange_id="x", exchange_status=12)
    assert world.statuses(trade_id) == ("reversed", {"withdrawn"})
    await world.tell(trade_id, "items_gone", deposit_ids=[row.deposit_id for row in world.deposits_of(trade_id)])
    assert world.statuses(trade_id) == ("reversed", {"withdrawn"})
    seen = world.seen(trade_id, add=5_000_000)
    await world.tell(trade_id, "items_seen", assets=seen)
    [row] = world.deposits_of(trade_id)
    assert (row.status, row.frozen_by, str(row.asset_id)) == ("active", "reversal", seen[0]["asset_id"])
    assert json.loads(world.events("reversal")[-1].data)["items"][0]["with"] == "bot"
    await assert_counters_add_up(world)


def thaw(world: World, deposit_id: str) -> str | None:
    """The code of the refusal, which writes nothing; ``None``: it may be used again."""
    before = len(world.events())
    try:
        with world.ctx.db.transaction() as connection:
            deposits.thaw(connection, deposit_id, "it lies there", By("cli:me", world.ctx.clock.now()))
    except FleetError as error:
        assert len(world.events()) == before
        return error.error_code
    return None


@pytest.mark.both_databases
async def test_an_item_that_came_back_is_used_again_by_an_operators_word(world: World) -> None:
    [trade_id] = await world.withdraw(ids := await world.held(1))
    assert thaw(world, ids[0]) == "not_frozen"
    await world.accept(trade_id)
    await world.tell(trade_id, "exchange_reversed", exchange_id="x", exchange_status=12)
    assert thaw(world, ids[0]) == "not_frozen"  # it is the player's still, as far as anybody has seen
    await world.tell(trade_id, "items_seen", assets=world.seen(trade_id, add=5))
    assert thaw(world, ids[0]) is None
    assert thaw(world, ids[0]) == "not_frozen"
    [row] = world.deposits_of(trade_id)
    assert (row.status, row.frozen_by) == ("active", None)
    [event] = world.events("deposit_thawed")
    assert (event.who, json.loads(event.data)["frozen_by"], event.user_id) == ("cli:me", "reversal", "user-1")
    world.change(update(tables.users).values(blocked_by=None))
    again = await world.withdraw(ids)
    await world.accept(again[0])
    # What was seen after the reversal is told once more: the item is out again all the same.
    assert not await world.tell(trade_id, "items_seen", assets=world.seen(trade_id, add=5))
    assert world.statuses(again[0]) == ("accepted", {"withdrawn"})
    await assert_counters_add_up(world)


async def test_an_item_that_may_be_going_back_or_that_nobody_has_seen_stays_frozen(world: World) -> None:
    [taken_back] = await world.deposit(1)
    await world.accept(taken_back)
    await world.tell(taken_back, "exchange_reversed", exchange_id="x", exchange_status=12)
    [row] = world.deposits_of(taken_back)
    assert thaw(world, row.deposit_id) == "asset_in_trade"
    world.change(update(tables.users).values(blocked_by=None))
    [gone] = await world.withdraw(ids := await world.held(1, who=2), who=2)
    await world.tell(gone, "items_missing", offer_id="77", state=8)
    await world.tell(gone, "items_gone", deposit_ids=ids)
    assert thaw(world, ids[0]) == "item_not_here"
    assert thaw(world, "dep_none") == "not_found"


async def test_a_withdrawal_of_an_item_that_goes_back_is_recalled(world: World) -> None:
    deposit_ids = await world.held(1)
    [deposit] = [row.trade_id for row in world.rows(tables.trades.select())]
    [withdrawal] = await world.withdraw(deposit_ids)
    await world.tell(withdrawal, "offer_active", offer_id="78", state=2)
    world.clear_queues()
    await world.tell(deposit, "exchange_reversed", exchange_id="x", exchange_status=12)
    assert world.trade(withdrawal).cancel_requested_at is not None
    assert await sweep.ask_cancels(world.ctx) == 1
    assert world.ctx.redis.get(wire.recall_key("red-1", withdrawal)) == b"1"
    bot = f"{world.trade(withdrawal).color}-{world.trade(withdrawal).bot_id}"
    assert [order.kind for order in world.orders(bot)] == ["cancel"]
    await world.tell(withdrawal, "offer_canceled", offer_id="78", state=6)
    [row] = world.deposits_of(withdrawal)
    assert (row.status, row.frozen_by) == ("active", "reversal")
    assert world.trade(withdrawal).items_awaited == 0
    await world.tell(deposit, "items_gone", deposit_ids=deposit_ids)
    assert world.statuses(deposit) == ("reversed", {"reversed"})
    await assert_counters_add_up(world)


async def test_a_withdrawal_that_was_accepted_first_keeps_what_it_gave(world: World) -> None:
    deposit_ids = await world.held(1)
    [deposit] = [row.trade_id for row in world.rows(tables.trades.select())]
    [withdrawal] = await world.withdraw(deposit_ids)
    await world.tell(deposit, "exchange_reversed", exchange_id="x", exchange_status=12)
    await world.accept(withdrawal)
    assert world.statuses(withdrawal) == ("accepted", {"withdrawn"})
    for _ in range(2):
        await world.tell(deposit, "items_gone", deposit_ids=deposit_ids)
    assert world.statuses(deposit) == ("reversed", {"withdrawn"})
    assert world.trade(deposit).items_awaited == 0
    assert [json.loads(row.data)["complete"] for row in world.events("reversal")] == [True]
    await assert_counters_add_up(world)


@pytest.mark.both_databases
async def test_a_blocked_partner_trades_again_only_after_an_operators_word(world: World) -> None:
    held = await world.held(1)
    [trade_id] = await world.deposit(1)
    await world.accept(trade_id)
    await world.tell(trade_id, "exchange_reversed", exchange_id="x", exchange_status=12)
    before = {table: world.count(table) for table in ("trades", "deposits", "tokens", "idempotency", "events")}
    for work in (world.deposit(1), world.withdraw(held)):
        with pytest.raises(Conflict) as refused:
            await work
        assert refused.value.error_code == "partner_blocked"
        assert refused.value.data["trade_id"] == trade_id
    assert {table: world.count(table) for table in before} == before
    await world.deposit(1, who=2)
    now = world.ctx.clock.now()
    with world.ctx.db.transaction() as connection:
        assert reversal.unblock(connection, None, int(player(1)), By("cli:me", now)) == "user-1"
        assert reversal.unblock(connection, "user-1", None, By("cli:me", now)) is None
    assert await world.deposit(1)
    assert [row.kind for row in world.events() if row.kind.startswith("partner_")] == ["partner_blocked", "partner_unblocked"]


@pytest.mark.both_databases
async def test_a_reversal_without_rows_left_is_told_all_the_same(world: World) -> None:
    [trade_id] = await world.withdraw(await world.held(1))
    await world.accept(trade_id)
    world.change(tables.deposits.delete().where(tables.deposits.c.status == "withdrawn"))
    await world.tell(trade_id, "exchange_reversed", exchange_id="x", exchange_status=12)
    [told] = world.events("reversal")
    assert json.loads(told.data)["items"][0]["with"] == "unknown"
    world.change(update(tables.users).values(blocked_by=None))
    assert world.trade(trade_id).items_awaited == 0
