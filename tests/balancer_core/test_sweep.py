"""The sweep with a moved clock: the lost is asked for again, the silent is doubted, and nothing is freed on a guess."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import redis
from balancer_core.core_world import SITE, World, between
from narrowed import known, payload
from redis.backoff import NoBackoff
from redis.retry import Retry
from sqlalchemy import update

from balancer.db import tables
from balancer.trades.cancel import cancel
from balancer.upkeep import purge, settle, sweep
from balancer.upkeep.watch import LATE_ROUNDS, Watcher
from shared import wire
from shared.errors import NotFound, TooLate
from shared.orders import InventoryOrder, OfferOrder, SettleOrder, WatchOrder

Make = Callable[..., Awaitable[World]]


def bot_of(world: World, trade_id: str) -> str:
    trade = world.trade(trade_id)
    return f"{trade.color}-{trade.bot_id}"


async def without_redis(world: World, work: Callable[[], Awaitable[Any]]) -> Any:
    """What ``work`` gives while Redis takes nothing."""
    client = world.ctx.redis  # the one that all parts share
    there = client.connection_pool
    once = Retry(NoBackoff(), 0)
    client.connection_pool = redis.Redis(unix_socket_path="/nowhere/redis.sock", retry=once).connection_pool
    try:
        return await work()
    finally:
        client.connection_pool = there


async def deposit_without_redis(world: World) -> str:
    made = await without_redis(world, lambda: world.deposit(1))
    return str(made[0])


# --- orders ---------------------------------------------------------------------------------------------------


@pytest.mark.both_databases
async def test_an_order_that_may_have_gone_out_keeps_the_time_at_which_it_may_have(world: World) -> None:
    [trade_id] = await world.deposit(1)
    begun = world.trade(trade_id).touched
    await world.ctx.outbox.drain()
    world.change(update(tables.trades).values(order_issued_at=None))
    world.clear_queues()
    world.later(20)
    assert await sweep.give_orders(world.ctx) == 1
    [order] = world.orders(bot_of(world, trade_id))
    assert abs(order.issued_at_ms - known(world.ctx.server_clock.offset_ms) - begun.timestamp() * 1000) < 1000
    assert order.expires_at_ms > world.ctx.server_clock.now_ms()


async def test_order_that_never_went_out_is_given(world: World) -> None:
    trade_id = await deposit_without_redis(world)
    bot = bot_of(world, trade_id)
    assert world.trade(trade_id).order_issued_at is None
    assert await sweep.give_orders(world.ctx) == 0
    world.later(sweep.GIVING_S + 1)
    assert await sweep.give_orders(world.ctx) == 1
    await world.ctx.outbox.drain()
    [order] = world.orders(bot)
    assert (order.kind, order.trade_id, order.attempt) == ("send", trade_id, 1)
    assert payload(order, InventoryOrder).trade_token == "abcdefgh"
    assert world.trade(trade_id).order_issued_at is not None
    world.later(sweep.GIVING_S + 1)
    assert await sweep.give_orders(world.ctx) == 0


async def test_sweep_without_redis_tries_again(world: World) -> None:
    trade_id = await deposit_without_redis(world)
    world.later(sweep.GIVING_S + 1)
    assert await without_redis(world, lambda: sweep.give_orders(world.ctx)) == 0
    world.later(sweep.GIVING_S + 1)
    assert await sweep.give_orders(world.ctx) == 1
    assert world.orders(bot_of(world, trade_id))


async def test_order_given_twice_is_one_order(world: World) -> None:
    [trade_id] = await world.deposit(1)
    await world.ctx.outbox.drain()
    world.change(update(tables.trades).values(order_issued_at=None))
    world.later(sweep.GIVING_S + 1)
    assert await sweep.give_orders(world.ctx) == 1
    assert len({order.order_id for order in world.orders(bot_of(world, trade_id))}) == 1


async def test_try_later_is_asked_again_in_time_with_the_next_attempt(world: World) -> None:
    [trade_id] = await world.deposit(1)
    bot = bot_of(world, trade_id)
    await world.ctx.outbox.drain()
    world.taken(bot)
    await world.tell(trade_id, "try_later", code="steam_throttled", reason="slow", retry_after_s=30)
    world.later(29)
    assert await sweep.give_orders(world.ctx) == 0
    world.later(2)
    assert await sweep.give_orders(world.ctx) == 1
    [order] = world.orders(bot)
    assert order.attempt == 2
    assert await sweep.give_orders(world.ctx) == 0


async def test_only_the_first_order_of_an_attempt_names_the_run_that_it_is_for(world: World) -> None:
    [trade_id] = await world.deposit(1)
    bot = bot_of(world, trade_id)
    assert [order.run for order in world.taken(bot)] == ["run"]
    await world.ctx.outbox.drain()
    world.change(update(tables.trades).values(order_issued_at=None))  # nobody knows whether it went out
    world.later(sweep.GIVING_S + 1)
    assert await sweep.give_orders(world.ctx) == 1
    await world.ctx.outbox.drain()
    assert [(order.attempt, order.run) for order in world.taken(bot)] == [(1, None)]
    await world.tell(trade_id, "try_later", code="steam_throttled", reason="slow", retry_after_s=1)
    world.later(2)
    assert await without_redis(world, lambda: sweep.give_orders(world.ctx)) == 0
    world.later(sweep.GIVING_S + 1)
    assert await sweep.give_orders(world.ctx) == 1
    assert [(order.attempt, order.run) for order in world.taken(bot)] == [(2, None)]
    await world.ctx.outbox.drain()
    await world.tell(trade_id, "try_later", attempt=2, code="steam_throttled", reason="slow", retry_after_s=1)
    world.later(2)
    assert await sweep.give_orders(world.ctx) == 1
    assert [(order.attempt, order.run) for order in world.taken(bot)] == [(3, "run")]


async def test_silence_past_the_expiry_leads_to_doubt_and_not_to_freedom(world: World) -> None:
    [trade_id] = await world.deposit(1)
    bot = bot_of(world, trade_id)
    await world.ctx.outbox.drain()
    times = world.ctx.settings.trades
    world.later(times.order_expiry_s + times.order_in_hand_s - 5)
    assert await sweep.doubt_silent(world.ctx) == 0
    world.later(10)
    assert await sweep.doubt_silent(world.ctx) == 1
    assert world.statuses(trade_id) == ("in_doubt", {"deposit_pending"})
    assert world.counters(bot) == (0, 1, 1)
    assert world.events("answer_lost")[0].who == "sweep"
    world.taken(bot)
    assert await sweep.give_orders(world.ctx) == 0
    assert await sweep.doubt_silent(world.ctx) == 0


async def test_a_worker_that_died_in_mid_send_leads_to_doubt(world: World) -> None:
    [trade_id] = await world.deposit(1)
    await world.ctx.outbox.drain()
    await world.tell(trade_id, "picked_up")
    world.change(update(tables.trades).values(order_issued_at=None, order_expires_at=None))
    times = world.ctx.settings.trades
    world.later(times.order_expiry_s + times.order_in_hand_s + 5)
    assert await sweep.doubt_silent(world.ctx) == 1
    assert world.trade(trade_id).status == "in_doubt"


async def test_absent_offer_is_sent_again(world: World) -> None:
    [trade_id] = await world.deposit(1)
    await world.tell(trade_id, "answer_lost", reason="timeout")
    world.clear_queues()
    await world.tell(trade_id, "offer_absent", reason="not found twice")
    assert await sweep.give_orders(world.ctx) == 1
    assert [order.attempt for order in world.orders(bot_of(world, trade_id))] == [2]


# --- offers that must end -----------------------------------------------------------------------------------------


@pytest.mark.both_databases
async def test_unanswered_offer_is_canceled_at_steam_before_anything_is_freed(world: World) -> None:
    [trade_id] = await world.deposit(1)
    bot = bot_of(world, trade_id)
    await world.tell(trade_id, "offer_active", offer_id="77", state=2)
    world.clear_queues()
    world.later(world.ctx.settings.trades.offer_timeout_s - 5)
    assert await sweep.time_out_offers(world.ctx) == 0
    world.later(10)
    assert await sweep.time_out_offers(world.ctx) == 1
    assert await sweep.ask_cancels(world.ctx) == 1
    [order] = world.orders(bot)
    assert (order.kind, payload(order, OfferOrder).offer_id) == ("cancel", "77")
    assert world.statuses(trade_id) == ("sent", {"deposit_pending"})
    assert await sweep.ask_cancels(world.ctx) == 0
    world.later(sweep.CANCEL_AGAIN_S + 1)
    assert await sweep.ask_cancels(world.ctx) == 1
    await world.tell(trade_id, "offer_canceled", offer_id="77", state=6)
    assert world.statuses(trade_id) == ("canceled", {"deposit_failure"})
    assert await sweep.ask_cancels(world.ctx) == 0


async def test_held_offer_does_not_time_out(world: World) -> None:
    [trade_id] = await world.deposit(1)
    await world.tell(trade_id, "offer_held", offer_id="77", state=11)
    world.later(86400)
    assert await sweep.time_out_offers(world.ctx) == 0


async def test_what_steam_holds_is_canceled_by_an_operator_only(world: World) -> None:
    """Steam locks an account that calls a hold off for a week: a site's mistake would cost a bot."""
    [trade_id] = await world.deposit(1)
    await world.tell(trade_id, "offer_held", offer_id="77", state=11)
    with pytest.raises(TooLate) as refused:
        await cancel(world.ctx, SITE, trade_id)
    assert refused.value.error_code == "trade_held"
    assert await sweep.ask_cancels(world.ctx) == 0
    boss = replace(SITE, scopes=SITE.scopes | {"operate"})
    assert (await cancel(world.ctx, boss, trade_id)).cancel_requested
    assert [order.kind for order in world.orders(bot_of(world, trade_id))][-1] == "cancel"


async def test_a_request_to_cancel_that_comes_too_late_for_a_hold_lapses(world: World) -> None:
    [trade_id] = await world.deposit(1)
    await world.tell(trade_id, "offer_active", offer_id="77", state=2)
    await cancel(world.ctx, SITE, trade_id)
    await world.tell(trade_id, "offer_held", offer_id="77", state=11)
    assert not world.trade(trade_id).cancel_requested_at
    world.later(sweep.CANCEL_AGAIN_S + 1)
    assert await sweep.ask_cancels(world.ctx) == 0


async def test_cancel_recalls_the_order_and_asks_the_bot(world: World) -> None:
    [trade_id] = await world.deposit(1)
    bot = bot_of(world, trade_id)
    view = await cancel(world.ctx, SITE, trade_id)
    assert (view.status, view.cancel_requested) == ("queued", True)
    assert world.ctx.redis.get(wire.recall_key("red-1", trade_id)) == b"1"
    assert [order.kind for order in world.orders(bot)] == ["send"]
    await world.tell(trade_id, "order_dropped", reason="recalled")
    assert (await world.ctx.views.of([trade_id]))[0].status == "canceled"
    events = len(world.events())
    assert (await cancel(world.ctx, SITE, trade_id)).status == "canceled"
    assert len(world.events()) == events


async def test_cancel_of_a_sent_offer_is_an_order(world: World) -> None:
    [trade_id] = await world.deposit(1)
    await world.tell(trade_id, "offer_active", offer_id="77", state=2)
    world.clear_queues()
    await cancel(world.ctx, SITE, trade_id)
    assert [order.kind for order in world.orders(bot_of(world, trade_id))] == ["cancel"]
    for _ in range(3):  # a site that repeats itself does not fill the bot's queue
        await cancel(world.ctx, SITE, trade_id)
    assert [order.kind for order in world.orders(bot_of(world, trade_id))] == ["cancel"]
    assert len(world.events("cancel_requested")) == 1
    world.later(sweep.CANCEL_AGAIN_S + 1)
    assert await sweep.ask_cancels(world.ctx) == 1


async def test_a_recall_that_came_too_late_is_followed_by_a_cancel_at_once(world: World) -> None:
    [trade_id] = await world.deposit(1)
    await cancel(world.ctx, SITE, trade_id)
    assert await sweep.ask_cancels(world.ctx) == 0  # still queued: recalled, nothing to cancel yet
    world.clear_queues()
    await world.tell(trade_id, "offer_active", offer_id="77", state=2)
    assert await sweep.ask_cancels(world.ctx) == 1
    assert [order.kind for order in world.orders(bot_of(world, trade_id))] == ["cancel"]
    assert await sweep.ask_cancels(world.ctx) == 0


async def test_cancel_while_redis_is_away_is_asked_by_the_sweep(world: World) -> None:
    [trade_id] = await world.deposit(1)
    await world.tell(trade_id, "offer_active", offer_id="77", state=2)
    world.clear_queues()
    await without_redis(world, lambda: cancel(world.ctx, SITE, trade_id))
    world.later(sweep.CANCEL_AGAIN_S + 1)
    assert await sweep.ask_cancels(world.ctx) == 1
    assert world.ctx.redis.get(wire.recall_key("red-1", trade_id)) == b"1"


async def test_cancel_of_a_trade_between_two_attempts_ends_it_at_once(world: World) -> None:
    [trade_id] = await world.deposit(1)
    await world.tell(trade_id, "try_later", code="steam_throttled", reason="slow")
    view = await cancel(world.ctx, SITE, trade_id)
    assert view.status == "canceled"
    assert world.statuses(trade_id) == ("canceled", {"deposit_failure"})
    world.later(3600)
    assert await sweep.give_orders(world.ctx) == 0


async def test_cancel_of_an_unknown_or_accepted_trade(world: World) -> None:
    with pytest.raises(NotFound):
        await cancel(world.ctx, SITE, "trd_unknown")
    for end in ("offer_accepted", "offer_declined", "offer_expired"):
        [trade_id] = await world.deposit(1)
        await (world.accept(trade_id) if end == "offer_accepted" else world.tell(trade_id, end, offer_id="77", state=7))
        with pytest.raises(TooLate):
            await cancel(world.ctx, SITE, trade_id)


# --- settling -----------------------------------------------------------------------------------------------------


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


# --- watching -------------------------------------------------------------------------------------------------------


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


# --- purge ----------------------------------------------------------------------------------------------------------


async def test_final_deposits_go_a_week_after_the_last_change(world: World) -> None:
    [failed] = await world.deposit(1)
    await world.tell(failed, "offer_declined", offer_id="77", state=7)
    active = await world.held(1, who=2)
    world.later(world.ctx.settings.trades.purge_after_s - 5)
    assert await purge.purge(world.ctx) == 0
    world.later(10)
    assert await purge.purge(world.ctx) == 1
    assert [row.deposit_id for row in world.rows(tables.deposits.select())] == active
    assert len(world.events("deposits_purged")) == 1
    [view] = await world.ctx.views.of([failed])
    assert [item.deposit_status for item in view.items] == [None]


async def test_withdrawn_deposit_stays_until_its_trade_has_settled_for_a_week(world: World) -> None:
    [trade_id] = await world.withdraw(await world.held(1))
    await world.accept(trade_id)
    week = world.ctx.settings.trades.purge_after_s
    world.later(week + 10)
    assert await purge.purge(world.ctx) == 0
    await world.tell(trade_id, "settled", assets=[])
    world.later(week - 5)
    assert await purge.purge(world.ctx) == 0
    world.later(10)
    assert await purge.purge(world.ctx) == 1


async def test_old_pending_row_is_an_alarm_told_once_and_never_removed(world: World) -> None:
    [trade_id] = await world.deposit(2)
    world.later(world.ctx.settings.trades.purge_after_s + 10)
    assert await purge.purge(world.ctx) == 0
    assert await purge.raise_alarms(world.ctx) == 2
    assert await purge.raise_alarms(world.ctx) == 0
    assert len(world.events("pending_too_long")) == 2
    assert len(world.deposits_of(trade_id)) == 2


@pytest.mark.both_databases
async def test_old_keys_tokens_sessions_and_nonces_go(world: World) -> None:
    await world.deposit(1)
    now = world.ctx.clock.now()
    world.change(tables.nonces.insert().values(nonce="n", seen_at=now))
    session = {"id_hash": "s", "steam_id": 1, "expires_at": now, "created_at": now}
    world.change(tables.sessions.insert().values(session))
    world.change(tables.operator_sessions.insert().values(**session, seen_at=now))
    world.later(world.ctx.settings.trades.purge_after_s + world.ctx.settings.trades.token_lifetime_s + 10)
    await purge.purge(world.ctx)
    assert [world.count(table) for table in ("idempotency", "tokens", "sessions", "operator_sessions", "nonces")] == [0] * 5


async def test_one_failing_kind_of_work_does_not_keep_the_rest_from_its_turn(world: World) -> None:
    asked = 0

    async def broken_at_first(do: Any, work: Any, *args: Any) -> Any:
        nonlocal asked
        asked += 1
        if asked == 1:
            raise RuntimeError("broken")
        return await do(work, *args)

    [trade_id] = await world.deposit(1)
    await world.ctx.outbox.drain()
    world.later(86400)
    with pytest.raises(ExceptionGroup) as failed:
        await sweep.Sweep(replace(world.ctx, db=between(world.ctx.db, broken_at_first))).round()
    assert [str(error) for error in failed.value.exceptions] == ["broken"]
    assert world.trade(trade_id).status == "in_doubt"
