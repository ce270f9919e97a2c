"""The sweep with a moved clock: the lost is asked for again, the silent is doubted, and nothing is freed on a guess."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from balancer_core.core_world import World, between
from balancer_core.sweeping import bot_of, deposit_without_redis, without_redis
from narrowed import known, payload
from sqlalchemy import update

from balancer.db import tables
from balancer.upkeep import purge, sweep
from shared.orders import SendOrder

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
    assert payload(order, SendOrder).trade_token == "abcdefgh"
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
