"""Offers that must end: what the sweep asks for when a time is over or somebody wishes it, and what frees nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest
from balancer_core.core_world import SITE, World
from balancer_core.sweeping import bot_of, without_redis
from narrowed import payload

from balancer.trades.cancel import cancel
from balancer.upkeep import sweep
from shared import wire
from shared.errors import NotFound, TooLate
from shared.orders import OfferOrder


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
