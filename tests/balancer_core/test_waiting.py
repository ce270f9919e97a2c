"""Withdrawals that wait: no order before their time, rows free at once when they end, no way around the second operator."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from balancer_core.core_world import MASTER, SITE, World, player
from balancer_core.test_at_once import assert_counters_add_up
from sqlalchemy import select, update

from balancer.db import tables as models
from balancer.fleet import switches
from balancer.journal import story
from balancer.journal.by import By
from balancer.journal.rules import Rules
from balancer.reports import apply
from balancer.trades import approvals, verify
from balancer.trades.cancel import cancel
from balancer.trades.requests import WithdrawWish
from balancer.upkeep import purge, release, settle, sweep
from shared.domain.ids import TradeUrl
from shared.errors import Conflict, FleetPaused, Forbidden, NotFound, SteamUnavailable, TooLate

Make = Callable[..., Awaitable[World]]


async def online_later(world: World, seconds: float) -> None:
    world.later(seconds)
    await world.online("red-1", "red-2")


async def unsettled(world: World, n: int = 1) -> tuple[str, list[str]]:
    """A deposit that was accepted and may still be reversed; its trade and its rows."""
    [trade_id] = await world.deposit(n)
    await world.accept(trade_id)
    world.clear_queues()
    return trade_id, [row.deposit_id for row in world.deposits_of(trade_id)]


async def withdraw(world: World, deposit_ids: list[str], **more: Any) -> str:
    wish = WithdrawWish("user-1", TradeUrl(player(1), "abcdefgh"), deposit_ids, "", **more)
    [trade_id] = await world.give(SITE, f"key-{next(world.keys)}", "body", wish)
    return trade_id


def sends(world: World) -> list[Any]:
    return [order for bot in ("red-1", "red-2") for order in world.orders(bot) if order.kind == "send"]


# --- until its items have settled -----------------------------------------------------------------------------------


async def test_an_unsettled_item_is_refused_with_the_time(world: World) -> None:
    deposit, ids = await unsettled(world)
    before = {table: world.count(table) for table in ("trades", "tokens", "events", "idempotency")}
    with pytest.raises(Conflict) as refused:
        await withdraw(world, ids)
    margin_s = world.ctx.settings.trades.settle_margin_s
    assert refused.value.error_code == "item_unsettled"
    assert refused.value.data["settles_at"] == int(world.trade(deposit).settles_at.timestamp() + margin_s)
    assert {table: world.count(table) for table in before} == before


async def test_a_withdrawal_waits_for_the_settlement_and_goes_out_with_the_new_ids(world: World) -> None:
    deposit, ids = await unsettled(world, 2)
    withdrawal = await withdraw(world, ids, when_settled=True)
    await world.ctx.outbox.drain()
    trade = world.trade(withdrawal)
    due_s = (trade.next_try_at - world.ctx.clock.now()).total_seconds()
    assert world.statuses(withdrawal) == ("queued", {"withdraw_pending"})
    assert trade.waits_for == "settlement"
    assert 7 * 86400 < due_s <= 7 * 86400 + world.ctx.settings.trades.settle_margin_s
    await online_later(world, 86400)
    await sweep.Sweep(world.ctx).round()
    assert sends(world) == [] and world.statuses(withdrawal) == ("queued", {"withdraw_pending"})
    world.clear_queues()
    await online_later(world, due_s)
    assert await release.release(world.ctx) == 0  # its time has come, but nobody has seen the items settled
    assert await settle.settle(world.ctx) == 1
    [check] = [
        check for bot in ("red-1", "red-2") for order in world.taken(bot) for check in getattr(order.payload, "checks", ())
    ]
    assert {asset.deposit_id for asset in check.assets} == set(ids)
    await world.settle(deposit)
    await online_later(world, world.ctx.settings.trades.items_look_s + 1)
    assert await release.release(world.ctx) == 1
    assert await sweep.give_orders(world.ctx) == 1
    [order] = sends(world)
    assert [asset.asset_id for asset in order.payload.give] == [str(row.asset_id) for row in world.deposits_of(withdrawal)]
    assert {asset.context_id for asset in order.payload.give} == {"2"}
    [view] = await world.ctx.views.of([withdrawal])
    assert (view.waits_for, view.token is not None) == (None, True)
    await assert_counters_add_up(world)


async def test_the_token_of_a_withdrawal_that_waits_for_long_is_kept(world: World) -> None:
    """It begins to live when the offer is made: a purge in the meantime would leave a player unable to check a good offer."""
    deposit, ids = await unsettled(world)
    withdrawal = await withdraw(world, ids, when_settled=True)
    token = MASTER.verify_token(withdrawal)
    await online_later(world, world.ctx.settings.trades.purge_after_s + world.ctx.settings.trades.token_lifetime_s + 60)
    found = await verify.find(world.ctx, token, player(1))
    assert found is not None
    assert (await verify.answer(world.ctx, found, token, "test")).verdict is verify.Verdict.NOT_YET
    await purge.purge(world.ctx)
    await world.settle(deposit)
    await online_later(world, world.ctx.settings.trades.settle_margin_s)
    assert await release.release(world.ctx) == 1
    found = await verify.find(world.ctx, token, player(1))
    assert found is not None and found.expires_at > world.ctx.clock.now()


async def test_a_waiting_withdrawal_is_canceled_at_once_and_its_rows_are_free(world: World) -> None:
    _, ids = await unsettled(world)
    withdrawal = await withdraw(world, ids, when_settled=True)
    view = await cancel(world.ctx, SITE, withdrawal)
    assert view.status == "canceled"
    assert world.statuses(withdrawal) == ("canceled", {"active"})
    assert world.trade(withdrawal).items_awaited == 0
    await online_later(world, 30 * 86400)
    assert await release.release(world.ctx) == 0
    assert await withdraw(world, ids, when_settled=True)
    await assert_counters_add_up(world)


async def test_a_waiting_withdrawal_neither_times_out_nor_is_an_alarm(world: World) -> None:
    _, ids = await unsettled(world)
    withdrawal = await withdraw(world, ids, when_settled=True)
    world.later(world.ctx.settings.trades.purge_after_s + 100)
    assert await sweep.time_out_offers(world.ctx) == 0
    assert await sweep.doubt_silent(world.ctx) == 0
    await purge.raise_alarms(world.ctx)
    assert not world.events("pending_too_long")
    assert world.trade(withdrawal).cancel_requested_at is None


async def test_a_reversal_ends_the_withdrawal_that_waited_for_it(world: World) -> None:
    deposit, ids = await unsettled(world)
    withdrawal = await withdraw(world, ids, when_settled=True)
    await world.tell(deposit, "exchange_reversed", exchange_id="x", exchange_status=12)
    assert world.trade(withdrawal).status == "canceled"
    await world.tell(deposit, "items_gone", deposit_ids=ids)
    assert world.statuses(deposit) == ("reversed", {"reversed"})
    assert sends(world) == []
    await assert_counters_add_up(world)


@pytest.mark.both_databases
async def test_a_frozen_item_ends_the_withdrawal_when_its_time_has_come(world: World) -> None:
    deposit, ids = await unsettled(world)
    withdrawal = await withdraw(world, ids, when_settled=True)
    await world.tell(deposit, "settled", assets=[])  # nobody could say which item it is
    await online_later(world, 8 * 86400)
    assert await release.release(world.ctx) == 1
    assert world.statuses(withdrawal) == ("canceled", {"active"})
    assert [row.frozen_by for row in world.deposits_of(withdrawal)] == ["unmatched"]


async def test_settled_rows_with_when_settled_go_out_at_once(world: World) -> None:
    withdrawal = await withdraw(world, await world.held(1), when_settled=True)
    await world.ctx.outbox.drain()
    assert world.trade(withdrawal).waits_for is None
    assert [order.trade_id for order in sends(world)] == [withdrawal]


# --- for a second operator ------------------------------------------------------------------------------------------


async def test_a_dear_withdrawal_waits_for_another_client(make: Make) -> None:
    world = await make(limits={"approval_above_cents": 400})
    one, two = await world.held(1), await world.held(2)
    cheap, dear = await withdraw(world, one), await withdraw(world, two)
    await world.ctx.outbox.drain()
    assert [order.trade_id for order in sends(world)] == [cheap]
    assert (world.trade(dear).status, world.trade(dear).waits_for) == ("queued", "approval")
    assert await approvals.list_approvals(world.ctx, "", 10) == [dear]
    await online_later(world, 30 * 86400)
    await sweep.give_orders(world.ctx)
    assert not [order for order in sends(world) if order.trade_id == dear]
    with pytest.raises(Forbidden):
        await approvals.decide(world.ctx, dear, SITE.client_id, "client:site", approve=True)
    await approvals.decide(world.ctx, dear, "cli_other", "client:boss", approve=True)
    with pytest.raises(TooLate):
        await approvals.decide(world.ctx, dear, "cli_other", "client:boss", approve=True)
    assert await release.release(world.ctx) == 1
    await sweep.give_orders(world.ctx)
    assert [order.trade_id for order in sends(world)][-1] == dear
    assert world.events("withdrawal_approved")[0].who == "client:boss"
    await assert_counters_add_up(world)


async def test_many_small_withdrawals_of_a_day_are_a_dear_one(make: Make) -> None:
    world = await make(limits={"approval_above_cents": 500})
    ids, others = await world.held(6), await world.held(1, who=2)
    assert {row.value_cents for row in world.rows(select(models.deposits))} == {250}
    first, refused = await withdraw(world, ids[:1]), await withdraw(world, ids[1:2])
    await world.tell(refused, "refused", code="partner_hold", reason="15")
    assert world.trade(refused).status == "failed"  # nothing has moved: it does not count
    second, third = await withdraw(world, ids[2:3]), await withdraw(world, ids[3:4])
    [others_own] = await world.withdraw(others, who=2)
    waits = {trade_id: world.trade(trade_id).waits_for for trade_id in (first, second, third, others_own)}
    assert waits == {first: None, second: None, third: "approval", others_own: None}
    # Also while the first ones wait or are out, by however many requests; a day later they are forgotten.
    assert world.trade(await withdraw(world, ids[4:5])).waits_for == "approval"
    await online_later(world, 86400 + 1)
    assert world.trade(await withdraw(world, ids[5:6])).waits_for is None
    await assert_counters_add_up(world)


async def test_each_withdrawal_counts_alone_where_that_is_wished(make: Make) -> None:
    world = await make(limits={"approval_above_cents": 250, "approval_window_s": 0})
    ids = await world.held(2)
    assert [world.trade(await withdraw(world, [one])).waits_for for one in ids] == [None, None]


async def test_every_withdrawal_that_waits_for_an_approval_is_reached_page_by_page(make: Make) -> None:
    """Whoever fills the list hides nothing behind its first page."""
    world = await make(limits={"approval_above_cents": 1})
    made = [await withdraw(world, [deposit_id]) for deposit_id in await world.held(5)]
    seen: list[str] = []
    while page := await approvals.list_approvals(world.ctx, seen[-1] if seen else "", 2):
        seen += page
    assert seen == sorted(made)


async def test_a_rejected_withdrawal_is_canceled_and_its_rows_are_free(make: Make) -> None:
    world = await make(limits={"approval_above_cents": 1})
    ids = await world.held(1)
    trade_id = await withdraw(world, ids)
    await approvals.decide(world.ctx, trade_id, "cli_other", "client:boss", approve=False)
    assert world.statuses(trade_id) == ("canceled", {"active"})
    assert await approvals.list_approvals(world.ctx, "", 10) == []
    assert await withdraw(world, ids)
    with pytest.raises(NotFound):
        await approvals.decide(world.ctx, "trd_none", "cli_other", "client:boss", approve=False)
    await assert_counters_add_up(world)


async def test_an_approved_withdrawal_of_an_unsettled_item_still_waits_for_it(make: Make) -> None:
    world = await make(limits={"approval_above_cents": 1})
    deposit, ids = await unsettled(world)
    trade_id = await withdraw(world, ids, when_settled=True)
    await approvals.decide(world.ctx, trade_id, None, "cli:boss", approve=True)
    assert await release.release(world.ctx) == 0
    assert world.trade(trade_id).waits_for == "settlement"
    await world.settle(deposit)
    await online_later(world, 8 * 86400)
    assert await release.release(world.ctx) == 1


# --- kill switches and Steam's maintenance ----------------------------------------------------------------------------


async def test_paused_kinds_are_refused_and_nothing_is_written(world: World) -> None:
    held = await world.held(1)
    await world.ctx.switches.turn(switches.DEPOSITS, "cli:me", "steam update", paused=True)
    before = {table: world.count(table) for table in ("trades", "deposits", "tokens", "events", "idempotency", "users")}
    with pytest.raises(FleetPaused) as refused:
        await world.deposit(1)
    assert (refused.value.reason, refused.value.error_code) == ("steam update", "fleet_paused")
    assert {table: world.count(table) for table in before} == before
    assert await world.withdraw(held)
    await world.ctx.switches.turn(switches.DEPOSITS, "cli:me", "", paused=False)
    await world.ctx.switches.turn(switches.DEPOSITS, "cli:me", "", paused=False)
    assert await world.deposit(1)
    assert [row.kind for row in world.events() if row.kind in ("paused", "resumed")] == ["paused", "resumed"]


async def test_the_switch_of_another_balancer_is_seen_with_the_next_look(world: World) -> None:
    with world.ctx.db.transaction() as connection:
        switches.write(connection, switches.WITHDRAWALS, By("cli:me", world.ctx.clock.now()), "", True)
    assert world.ctx.switches.paused(switches.WITHDRAWALS) is None
    await world.ctx.switches.refresh()
    assert world.ctx.switches.paused(switches.WITHDRAWALS) is not None


async def test_a_repeated_request_is_answered_although_its_kind_is_paused(world: World) -> None:
    wish = world.wish(1)
    made = await world.deposit(key="same", wish=wish)
    await world.ctx.switches.turn(switches.DEPOSITS, "cli:me", "", paused=True)
    assert await world.deposit(key="same", wish=wish) == made


async def test_paused_withdrawals_are_not_released(world: World) -> None:
    deposit, ids = await unsettled(world)
    await withdraw(world, ids, when_settled=True)
    await world.settle(deposit)
    await online_later(world, 8 * 86400)
    await world.ctx.switches.turn(switches.WITHDRAWALS, "cli:me", "", paused=True)
    assert await release.release(world.ctx) == 0
    await world.ctx.switches.turn(switches.WITHDRAWALS, "cli:me", "", paused=False)
    assert await release.release(world.ctx) == 1


async def test_steams_maintenance_refuses_new_trades_with_a_time(world: World) -> None:
    await world.online("red-1", reason="steam_maintenance")
    assert not world.ctx.fleet.maintenance  # one of two is not most
    await world.online("red-1", "red-2", reason="steam_maintenance")
    with pytest.raises(SteamUnavailable) as refused:
        await world.deposit(1)
    assert (refused.value.error_code, refused.value.retry_after_s) == ("steam_maintenance", 120.0)
    assert world.count("trades") == 0
    await world.online("red-1", "red-2")
    assert await world.deposit(1)


# --- the story, and what is readable at rest --------------------------------------------------------------------------


async def test_a_story_tells_the_choice_the_orders_and_what_came_of_them(world: World) -> None:
    [trade_id] = await world.deposit(2)
    await world.tell(trade_id, "picked_up")
    await world.tell(trade_id, "try_later", code="steam_throttled", reason="slow", result=84)
    await world.tell(trade_id, "offer_active", offer_id="77", state=2)
    await world.accept(trade_id)
    with world.ctx.db.transaction() as connection:
        steps = story.of_trade(connection, trade_id)
    assert [step.kind for step in steps] == ["trade_created", "picked_up", "try_later", "offer_active", "offer_accepted"]
    assert "fewest open offers" in steps[0].text and steps[0].data["choice"]["why"] == "most_room"
    assert "Order to send, attempt 2" in steps[2].text and "result 84" in steps[2].text
    assert "sent → accepted" in steps[4].text
    [later] = await world.deposit(1)
    with world.ctx.db.transaction() as connection:
        assert "already holds most" in story.of_trade(connection, later)[0].text
    assert all(step.text for step in steps)


async def test_a_story_tells_each_call_to_steam_with_its_answers_code(world: World) -> None:
    [trade_id] = await world.deposit(1)
    for kind, calls in (("answer_lost", "send no answer"), ("offer_active", "GetTradeOffers 200 (1); " * 1000)):
        report = replace(world.report(trade_id, kind, offer_id="77", state=2), calls=calls)
        rules = Rules.of(world.ctx.settings)
        assert await world.ctx.db.run(apply.apply, report, world.ctx.clock.now(), rules)
    with world.ctx.db.transaction() as connection:
        steps = story.of_trade(connection, trade_id)
    assert "calls send no answer" in steps[1].text
    assert "calls GetTradeOffers 200 (1)" in steps[2].text and len(steps[2].data["calls"]) == 500


@pytest.mark.both_databases
async def test_no_trade_token_is_readable_in_any_table(world: World) -> None:
    secret = "ZxYwVuTs"
    wish = world.wish(1)
    wish = type(wish)(wish.user_id, TradeUrl(player(1), secret), wish.wanted)
    [trade_id] = await world.deposit(wish=wish)
    await world.tell(trade_id, "answer_lost", reason="timeout")
    tables = models.metadata.sorted_tables
    everything = " ".join(str(tuple(row)) for table in tables for row in world.rows(table.select()))
    assert trade_id in everything and secret not in everything
    world.change(update(models.trades).values(touched=world.ctx.clock.now()))
