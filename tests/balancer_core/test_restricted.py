"""What Steam does not let a bot do goes on with another one, or waits; it is never the player's fault."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from balancer_core.core_world import MASTER, SITE, World
from balancer_core.test_at_once import assert_counters_add_up
from balancer_core.test_health import restrict
from sqlalchemy import update

from balancer.db import tables
from balancer.reports.stream import Reader
from balancer.trades import restricted
from balancer.trades.cancel import cancel
from balancer.upkeep import sweep
from shared import wire

pytestmark = pytest.mark.both_databases

LOCKED: dict[str, Any] = {"code": "bot_restricted", "reason": "bot_locked", "result": 24}
UNCLEAR: dict[str, Any] = {
    "code": "partner_unavailable",
    "reason": "why",
    "result": 15,
    "player_message": "Check your trade URL.",
    "unclear": True,
}

Make = Callable[..., Any]


@pytest.fixture
async def reader(world: World) -> AsyncIterator[Reader]:
    made = Reader(world.ctx, "one")
    yield made
    await made.close()


def bot_of(world: World, trade_id: str) -> str:
    trade = world.trade(trade_id)
    return f"{trade.color}-{trade.bot_id}"


async def swept(world: World) -> None:
    await sweep.Sweep(world.ctx).round()
    await world.ctx.outbox.drain()


# --- a deposit ------------------------------------------------------------------------------------------------


async def test_a_deposit_goes_on_with_another_bot_at_once(world: World, reader: Reader) -> None:
    [trade_id] = await world.deposit(2)
    first = bot_of(world, trade_id)
    second = "red-2" if first == "red-1" else "red-1"
    world.clear_queues()
    told = [world.report(trade_id, "picked_up"), world.report(trade_id, "bot_refused", **LOCKED)]
    for report in told:
        wire.append_reports(world.ctx.redis, [report], MASTER.bot(report.bot))
    assert await reader.round() == 2
    await world.ctx.outbox.drain()
    trade = world.trade(trade_id)
    assert (bot_of(world, trade_id), trade.status, trade.attempt, trade.waits_for) == (second, "queued", 2, None)
    assert {f"{row.color}-{row.bot_id}" for row in world.deposits_of(trade_id)} == {second}
    [order] = world.orders(second)
    assert (order.kind, order.trade_id, order.attempt) == ("send", trade_id, 2)
    assert world.orders(first) == []
    assert (world.counters(first), world.counters(second)) == ((0, 0, 0), (0, 2, 1))
    changed = world.events("bot_changed")[0]
    assert (changed.bot, json.loads(changed.data)["bot_before"]) == (second, first)
    assert await world.tell(trade_id, "offer_active", offer_id="77", state=2)
    assert await world.accept(trade_id)
    await assert_counters_add_up(world)


async def test_late_words_of_the_bot_before_change_nothing(world: World) -> None:
    [trade_id] = await world.deposit(1)
    first = bot_of(world, trade_id)
    await world.tell(trade_id, "bot_refused", **LOCKED)
    await restricted.go_on(world.ctx)
    await world.ctx.outbox.drain()
    before = tuple(world.trade(trade_id))
    await world.tell(trade_id, "bot_refused", bot=first, attempt=1, **LOCKED)
    assert len(world.events("report_ignored")) == 1
    assert tuple(world.trade(trade_id)) == before


async def test_one_after_the_other_until_none_is_left_and_then_it_fails_for_the_operator(make: Make) -> None:
    world: World = await make(bots=("red-1", "red-2", "red-3", "red-4", "red-5"))
    [trade_id] = await world.deposit(1)
    tried = set()
    for number in range(5):
        tried.add(bot_of(world, trade_id))
        await world.tell(trade_id, "bot_refused", **LOCKED)
        assert await restricted.go_on(world.ctx) == (number < 4)
    assert tried == {f"red-{number}" for number in range(1, 6)}
    assert (world.trade(trade_id).status, world.trade(trade_id).waits_for) == ("queued", "bot")
    for name in tried:
        await restrict(world, "bot_locked", bot=name)
    times = world.ctx.settings.trades
    for _ in range(30):
        world.later(times.restricted_wait_s / 20)
        for name in tried:
            world.beat(name, state="restricted", restrictions=[{"reason": "bot_locked", "since_ms": 1}])
        await world.ctx.fleet.refresh()
        await restricted.go_on(world.ctx)
    [view] = await world.ctx.views.of([trade_id])
    assert view.failure is not None
    assert (view.status, view.failure.code, view.failure.reason) == ("failed", "bot_restricted", "bot_locked")
    assert view.failure.player_message is None and view.failure.retryable
    assert world.statuses(trade_id) == ("failed", {"deposit_failure"})
    await assert_counters_add_up(world)


async def test_it_waits_for_a_bot_that_may_again(make: Make) -> None:
    world: World = await make(bots=("red-1",))
    [trade_id] = await world.deposit(1)
    world.clear_queues()
    await world.tell(trade_id, "bot_refused", **LOCKED)
    assert world.counters("red-1") == (0, 1, 0)  # no open offer is kept from others
    await restrict(world, "bot_locked")
    await swept(world)
    assert [order for order in world.orders("red-1") if order.kind == "send"] == []
    world.later(world.ctx.settings.trades.retry_after_s + 1)
    await restrict(world)
    await swept(world)
    assert [(order.kind, order.attempt) for order in world.orders("red-1") if order.kind == "send"] == [("send", 2)]
    assert world.counters("red-1") == (0, 1, 1)
    await assert_counters_add_up(world)


async def test_a_bot_whose_word_is_old_is_not_asked_again_at_once(make: Make) -> None:
    """Its heartbeat of before the refusal says that it may."""
    world: World = await make(bots=("red-1",))
    [trade_id] = await world.deposit(1)
    await world.tell(trade_id, "bot_refused", **LOCKED)
    assert await restricted.go_on(world.ctx) == 0
    assert world.trade(trade_id).waits_for == "bot"


async def test_attempts_that_ended_because_of_bots_do_not_count(make: Make) -> None:
    world: World = await make(bots=tuple(f"red-{number}" for number in range(1, 8)))
    [trade_id] = await world.deposit(1)
    for _ in range(5):
        await world.tell(trade_id, "bot_refused", **LOCKED)
        assert await restricted.go_on(world.ctx) == 1
    assert world.trade(trade_id).attempt == 6 > world.ctx.settings.trades.attempts_max
    await world.tell(trade_id, "try_later", code="steam_throttled", reason="slow")
    assert world.trade(trade_id).status == "queued"
    await world.tell(trade_id, "order_dropped", reason="expired")
    assert world.trade(trade_id).status == "queued"


async def test_the_color_that_was_asked_for_is_kept(make: Make) -> None:
    world: World = await make(bots=("red-1", "blue-1"))
    [asked], [free] = await world.deposit(1, color="red"), await world.deposit(1, who=2)
    await world.tell(asked, "bot_refused", **LOCKED)
    await restricted.go_on(world.ctx)
    assert (bot_of(world, asked), world.trade(asked).waits_for) == ("red-1", "bot")
    other = "blue-1" if bot_of(world, free) == "red-1" else "red-1"
    await world.tell(free, "bot_refused", **LOCKED)
    await restricted.go_on(world.ctx)
    assert bot_of(world, free) == other


async def test_a_site_may_cancel_what_waits_for_a_bot(make: Make) -> None:
    world: World = await make(bots=("red-1",))
    [trade_id] = await world.deposit(1)
    await world.tell(trade_id, "bot_refused", **LOCKED)
    view = await cancel(world.ctx, SITE, trade_id)
    assert view.status == "canceled"
    assert await restricted.go_on(world.ctx) == 0
    await assert_counters_add_up(world)


async def test_what_is_due_and_not_out_goes_on_elsewhere_when_its_bot_is_restricted(world: World) -> None:
    """A bot was told "later" by Steam, and is banned before it is time."""
    [trade_id] = await world.deposit(1)
    first = bot_of(world, trade_id)
    await world.tell(trade_id, "try_later", code="steam_throttled", reason="slow", retry_after_s=1)
    world.clear_queues()
    world.later(2)
    await world.online("red-1", "red-2")
    await restrict(world, "bot_banned", bot=first)
    await swept(world)
    assert bot_of(world, trade_id) != first
    assert [order.kind for order in world.orders(bot_of(world, trade_id)) if order.kind == "send"] == ["send"]
    assert [order.kind for order in world.orders(first) if order.kind == "send"] == []
    await assert_counters_add_up(world)


async def test_what_may_be_out_stays_with_its_bot(world: World) -> None:
    """Nothing is freed on a guess: in doubt, being sent, or with an order that may have reached Redis."""
    doubtful, sending, queued = [trade for who in (1, 2, 3) for trade in await world.deposit(1, who=who)]
    await world.tell(doubtful, "answer_lost", reason="no_answer")
    await world.tell(sending, "picked_up")
    bots = {trade_id: bot_of(world, trade_id) for trade_id in (doubtful, sending, queued)}
    await restrict(world, "bot_banned")
    await restrict(world, "bot_banned", bot="red-2")
    await world.online("red-3")
    await swept(world)
    assert {trade_id: bot_of(world, trade_id) for trade_id in bots} == bots


# --- whose fault it is --------------------------------------------------------------------------------------------


async def test_a_refusal_that_may_be_either_sides_takes_two_bots(world: World) -> None:
    [trade_id] = await world.deposit(1)
    first = bot_of(world, trade_id)
    await world.tell(trade_id, "refused", **UNCLEAR)
    await restricted.go_on(world.ctx)
    assert bot_of(world, trade_id) != first and world.trade(trade_id).status == "queued"
    await world.tell(trade_id, "refused", **UNCLEAR)
    [view] = await world.ctx.views.of([trade_id])
    assert view.failure is not None
    assert (view.status, view.failure.code) == ("failed", "partner_unavailable")
    assert view.failure.player_message == "Check your trade URL."
    await assert_counters_add_up(world)


async def test_where_there_is_one_bot_only_its_word_counts(make: Make) -> None:
    world: World = await make(bots=("red-1",))
    [trade_id] = await world.deposit(1)
    await world.tell(trade_id, "refused", **UNCLEAR)
    await restricted.go_on(world.ctx)
    [view] = await world.ctx.views.of([trade_id])
    assert view.failure is not None
    assert (view.status, view.failure.code) == ("failed", "partner_unavailable")


async def test_what_is_the_partners_for_sure_ends_it_at_once(world: World) -> None:
    [trade_id] = await world.deposit(1)
    await world.tell(trade_id, "refused", **{**UNCLEAR, "code": "partner_banned", "unclear": False})
    assert world.trade(trade_id).status == "failed"


# --- a withdrawal ----------------------------------------------------------------------------------------------


async def test_a_withdrawal_waits_for_its_bot_and_goes_out_when_it_may(make: Make) -> None:
    world: World = await make(bots=("red-1", "red-2"))
    [trade_id] = await world.withdraw(await world.held(1))
    bot = bot_of(world, trade_id)
    world.clear_queues()
    await world.tell(trade_id, "bot_refused", **LOCKED)
    await restrict(world, "bot_locked", bot=bot)
    assert (world.trade(trade_id).waits_for, world.counters(bot)) == ("bot", (1, 0, 0))
    for _ in range(3):
        world.later(world.ctx.settings.trades.retry_after_s + 1)
        await restrict(world, "bot_locked", bot=bot)
        await swept(world)
    assert bot_of(world, trade_id) == bot
    assert world.statuses(trade_id) == ("queued", {"withdraw_pending"})
    world.later(world.ctx.settings.trades.retry_after_s + 1)
    await restrict(world, bot=bot)
    await swept(world)
    assert [order.attempt for order in world.orders(bot) if order.kind == "send"] == [2]
    assert world.counters(bot) == (1, 0, 1)
    kinds = [row.kind for row in world.events() if row.trade_id == trade_id]
    assert kinds[-2:] == ["bot_able", "withdrawal_released"]


async def test_or_fails_for_the_operator_with_its_rows_free_at_once(make: Make) -> None:
    world: World = await make(bots=("red-1",))
    [deposit_id] = await world.held(1)
    [trade_id] = await world.withdraw([deposit_id])
    await world.tell(trade_id, "bot_refused", **LOCKED)
    world.later(world.ctx.settings.trades.restricted_wait_s + 1)
    await restrict(world, "bot_locked")
    await swept(world)
    [view] = await world.ctx.views.of([trade_id])
    assert view.failure is not None
    assert (view.status, view.failure.code, view.failure.player_message) == ("failed", "bot_restricted", None)
    assert world.statuses(trade_id) == ("failed", {"active"})
    await assert_counters_add_up(world)


async def test_an_offer_that_the_bots_own_phone_did_not_confirm_is_no_players_fault(world: World) -> None:
    [trade_id] = await world.withdraw(await world.held(1))
    await world.tell(trade_id, "confirmation_needed", offer_id="77", state=9)
    await world.tell(trade_id, "offer_canceled", offer_id="77", state=6, reason="not_confirmed")
    [view] = await world.ctx.views.of([trade_id])
    assert view.failure is not None
    assert (view.status, view.failure.code, view.failure.reason) == ("canceled", "bot_restricted", "not_confirmed")


async def test_a_frozen_bot_gives_no_waiting_withdrawal(world: World) -> None:
    [trade_id] = await world.withdraw(await world.held(1))
    await world.tell(trade_id, "bot_refused", **LOCKED)
    world.change(update(tables.bots).values(frozen_by="audit"))
    world.later(world.ctx.settings.trades.retry_after_s + 1)
    await world.online("red-1", "red-2")
    assert await restricted.go_on(world.ctx) == 0
    assert world.trade(trade_id).waits_for == "bot"
