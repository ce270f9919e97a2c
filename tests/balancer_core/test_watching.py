"""When the sweep lets a bot look at its sent offers."""

from __future__ import annotations

from balancer_core.sweeping import Make
from narrowed import payload

from balancer.upkeep.watch import LATE_ROUNDS, Watcher
from shared.orders import WatchOrder


async def test_one_watch_for_all_live_trades_of_a_bot_and_none_for_others(make: Make) -> None:
    world = await make(bots=("red-1",))
    watcher = Watcher(world.ctx)
    assert await watcher.round() == 0
    ids = [trade_id for who in range(3) for trade_id in await world.deposit(1, who=who)]
    world.clear_queues()
    assert await watcher.round() == 0  # queued: the worker has not begun
    await world.tell(ids[0], "offer_active", offer_id="77", state=2)
    await world.tell(ids[1], "answer_lost", reason="timeout")
    assert await watcher.round() == 1
    [order] = world.orders("red-1")
    assert sorted(trade.trade_id for trade in payload(order, WatchOrder).trades) == sorted(ids[:2])
    assert payload(order, WatchOrder).since <= world.trade(ids[0]).created_at.timestamp()
    assert {trade.status for trade in payload(order, WatchOrder).trades} == {"sent", "in_doubt"}


async def test_no_second_watch_while_the_first_is_unanswered(make: Make) -> None:
    world = await make(bots=("red-1",))
    watcher = Watcher(world.ctx)
    [trade_id] = await world.deposit(1)
    await world.tell(trade_id, "offer_active", offer_id="77", state=2)
    world.clear_queues()
    assert await watcher.round() == 1
    assert await watcher.round() == 0
    world.taken("red-1")
    assert await watcher.round() == 1


async def test_the_longer_nothing_happens_the_more_seldom_a_bot_looks(make: Make) -> None:
    world = await make(bots=("red-1",))
    watcher = Watcher(world.ctx)

    async def looks_after(*waits_s: float) -> list[int]:
        looks = []
        for wait_s in waits_s:
            world.later(wait_s)
            looks.append(await watcher.round())
            world.taken("red-1")
        return looks

    [old] = await world.deposit(1)
    await world.tell(old, "offer_active", offer_id="77", state=2)
    assert await looks_after(0, 5, 5, 5) == [1, 1, 1, 1]
    assert await looks_after(1800, 5, 5, 25, 5) == [1, 0, 0, 1, 0]  # half an hour: every thirty seconds
    await world.tell(old, "offer_held", offer_id="77", state=11, until=0)
    assert await looks_after(5, 5) == [1, 1]
    most_s = LATE_ROUNDS * world.ctx.settings.trades.watch_s
    assert await looks_after(9 * 86400, most_s - 5, 6) == [1, 0, 1]  # in hold
    [young] = await world.deposit(1, who=1)
    await world.tell(young, "offer_active", offer_id="78", state=2)
    assert await looks_after(0, 5, 5) == [1, 1, 1]


async def test_sending_trade_is_watched_after_a_moment(make: Make) -> None:
    world = await make(bots=("red-1",))
    watcher = Watcher(world.ctx)
    [trade_id] = await world.deposit(1)
    await world.tell(trade_id, "picked_up")
    assert await watcher.round() == 0
    world.later(11)
    assert await watcher.round() == 1
