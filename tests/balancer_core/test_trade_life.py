"""One trade from the request to its end, in both directions, as its rows tell it."""

from __future__ import annotations

from balancer_core.core_world import World
from narrowed import payload

from shared.orders import SendOrder


async def test_deposit_writes_rows_reserves_slots_and_orders_the_bot(world: World) -> None:
    [trade_id] = await world.deposit(3)
    await world.ctx.outbox.drain()
    trade = world.trade(trade_id)
    bot = f"{trade.color}-{trade.bot_id}"
    assert (trade.status, trade.attempt, trade.direction) == ("queued", 1, "deposit")
    assert world.counters(bot) == (0, 3, 1)
    assert {row.status for row in world.deposits_of(trade_id)} == {"deposit_pending"}
    [order] = world.orders(bot)
    assert (order.kind, order.trade_id, order.attempt) == ("send", trade_id, 1)
    assert len(payload(order, SendOrder).take) == 3
    assert not payload(order, SendOrder).give
    assert payload(order, SendOrder).message == world.ctx.settings.balancer.verify_url(payload(order, SendOrder).token)
    assert trade.order_issued_at is not None
    [event] = world.events("trade_created")
    assert event.trade_id == trade_id


async def test_accepted_and_settled_deposit_is_active_with_its_new_ids(world: World) -> None:
    [trade_id] = await world.deposit(2)
    await world.tell(trade_id, "picked_up")
    await world.tell(trade_id, "offer_active", offer_id="77", state=2)
    assert world.trade(trade_id).offer_id == "77"
    before = [row.asset_id for row in world.deposits_of(trade_id)]
    await world.accept(trade_id)
    bot = f"{world.trade(trade_id).color}-{world.trade(trade_id).bot_id}"
    assert world.statuses(trade_id) == ("accepted", {"active"})
    assert [row.asset_id for row in world.deposits_of(trade_id)] == [old + 1_000_000 for old in before]
    assert all(row.settled_at is None and row.settles_at is not None for row in world.deposits_of(trade_id))
    assert {row.matched for row in world.items_of(trade_id)} == {"receipt"}
    assert world.counters(bot) == (2, 0, 0)
    await world.settle(trade_id)
    assert world.statuses(trade_id) == ("settled", {"active"})
    assert all(row.settled_at is not None and row.context_id == "2" for row in world.deposits_of(trade_id))
    assert [row.asset_id for row in world.deposits_of(trade_id)] == [old + 2_000_000 for old in before]


async def test_accepted_withdrawal_is_withdrawn_and_its_slot_free(world: World) -> None:
    deposit_ids = await world.held(2)
    [trade_id] = await world.withdraw(deposit_ids)
    trade = world.trade(trade_id)
    bot = f"{trade.color}-{trade.bot_id}"
    assert world.statuses(trade_id) == ("queued", {"withdraw_pending"})
    assert world.counters(bot) == (2, 0, 1)
    [order] = world.orders(bot)
    assert len(payload(order, SendOrder).give) == 2
    await world.accept(trade_id)
    assert world.statuses(trade_id) == ("accepted", {"withdrawn"})
    assert world.counters(bot) == (0, 0, 0)
    await world.tell(trade_id, "settled", assets=[])
    assert world.statuses(trade_id) == ("settled", {"withdrawn"})


async def test_declined_withdrawal_waits_until_its_items_are_seen(world: World) -> None:
    deposit_ids = await world.held(2)
    [trade_id] = await world.withdraw(deposit_ids)
    bot = f"{world.trade(trade_id).color}-{world.trade(trade_id).bot_id}"
    await world.tell(trade_id, "offer_declined", offer_id="77", state=7)
    assert world.statuses(trade_id) == ("declined", {"withdraw_pending"})
    assert world.trade(trade_id).items_awaited == 2
    seen = world.seen(trade_id, add=5)
    await world.tell(trade_id, "items_seen", assets=seen[:1])
    assert sorted(row.status for row in world.deposits_of(trade_id)) == ["active", "withdraw_pending"]
    await world.tell(trade_id, "items_seen", assets=seen)
    assert world.statuses(trade_id) == ("declined", {"active"})
    assert world.trade(trade_id).items_awaited == 0
    assert world.counters(bot) == (2, 0, 0)
    assert [str(row.asset_id) for row in world.deposits_of(trade_id)] == [row["asset_id"] for row in seen]


async def test_items_gone_after_a_failed_withdrawal_are_frozen(world: World) -> None:
    deposit_ids = await world.held(1)
    [trade_id] = await world.withdraw(deposit_ids)
    await world.tell(trade_id, "items_missing", offer_id="77", state=8)
    assert await world.tell(trade_id, "items_gone", deposit_ids=deposit_ids)
    [row] = world.deposits_of(trade_id)
    assert (row.status, row.frozen_by) == ("withdraw_pending", "items_gone")
    assert world.trade(trade_id).items_awaited == 0
    assert not await world.tell(trade_id, "items_gone", deposit_ids=deposit_ids)


async def test_reversed_deposit_is_frozen_until_its_item_is_seen_gone(world: World) -> None:
    [trade_id] = await world.deposit(1)
    await world.accept(trade_id)
    bot = f"{world.trade(trade_id).color}-{world.trade(trade_id).bot_id}"
    await world.tell(trade_id, "exchange_reversed", exchange_id="x", state=12)
    [row] = world.deposits_of(trade_id)
    assert (world.trade(trade_id).status, row.status, row.frozen_by) == ("reversed", "active", "reversal")
    assert world.counters(bot) == (1, 0, 0)
    await world.tell(trade_id, "items_gone", deposit_ids=[row.deposit_id])
    assert world.statuses(trade_id) == ("reversed", {"reversed"})
    assert world.counters(bot) == (0, 0, 0)
    assert world.trade(trade_id).items_awaited == 0


async def test_reversal_heard_of_before_the_acceptance_frees_the_reserved_slot(world: World) -> None:
    [trade_id] = await world.deposit(1)
    bot = f"{world.trade(trade_id).color}-{world.trade(trade_id).bot_id}"
    await world.tell(trade_id, "exchange_reversed", offer_id="77", state=12)
    assert world.counters(bot) == (0, 1, 0)
    [row] = world.deposits_of(trade_id)
    await world.tell(trade_id, "items_gone", deposit_ids=[row.deposit_id])
    assert world.statuses(trade_id) == ("reversed", {"reversed"})
    assert world.counters(bot) == (0, 0, 0)


async def test_reversed_withdrawal_comes_back_active_and_frozen(world: World) -> None:
    deposit_ids = await world.held(1)
    [trade_id] = await world.withdraw(deposit_ids)
    await world.accept(trade_id)
    bot = f"{world.trade(trade_id).color}-{world.trade(trade_id).bot_id}"
    await world.tell(trade_id, "exchange_reversed", exchange_id="x")
    assert world.statuses(trade_id) == ("reversed", {"withdrawn"})
    await world.tell(trade_id, "items_gone", deposit_ids=deposit_ids)
    assert world.trade(trade_id).items_awaited == 1
    await world.tell(trade_id, "items_seen", assets=world.seen(trade_id, add=9))
    [row] = world.deposits_of(trade_id)
    assert (row.status, row.frozen_by) == ("active", "reversal")
    assert world.counters(bot) == (1, 0, 0)


async def test_copies_that_swapped_ids_are_settled_all_the_same(world: World) -> None:
    [trade_id] = await world.deposit(2)
    await world.accept(trade_id)
    first, second = world.deposits_of(trade_id)
    swapped = [
        {"deposit_id": one.deposit_id, "asset_id": str(other.asset_id), "context_id": "2", "matched": "name"}
        for one, other in ((first, second), (second, first))
    ]
    await world.tell(trade_id, "settled", assets=swapped)
    assert [row.asset_id for row in world.deposits_of(trade_id)] == [second.asset_id, first.asset_id]


async def test_what_cannot_be_matched_at_settlement_is_frozen(world: World) -> None:
    [trade_id] = await world.deposit(2)
    await world.accept(trade_id)
    await world.tell(trade_id, "settled", assets=world.seen(trade_id)[:1])
    assert [row.frozen_by for row in world.deposits_of(trade_id)] == [None, "unmatched"]


async def test_countered_deposit_becomes_counter_and_frees_its_slots(world: World) -> None:
    [trade_id] = await world.deposit(2)
    bot = f"{world.trade(trade_id).color}-{world.trade(trade_id).bot_id}"
    await world.tell(trade_id, "offer_countered", offer_id="77", state=4)
    assert world.statuses(trade_id) == ("countered", {"counter"})
    assert world.counters(bot) == (0, 0, 0)
