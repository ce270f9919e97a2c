"""Searches: trades in doubt until a bot has said what became of them, misfits once each; nothing else sends again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from balancer_core.core_world import World
from narrowed import payload
from sqlalchemy import update

from balancer.custody import gifts
from balancer.db import tables
from balancer.upkeep import purge, search, sweep
from shared.orders import DeclineOrder, WatchOrder

Make = Callable[..., Awaitable[World]]


async def online_later(world: World, seconds: float, **more: Any) -> None:
    world.later(seconds)
    await world.online("red-1", "red-2", **more)


def bot_of(world: World, trade_id: str) -> str:
    trade = world.trade(trade_id)
    return f"{trade.color}-{trade.bot_id}"


async def doubted(world: World) -> tuple[str, str]:
    [trade_id] = await world.deposit(1)
    await world.ctx.outbox.drain()
    await world.tell(trade_id, "answer_lost", reason="timeout")
    world.clear_queues()
    return trade_id, bot_of(world, trade_id)


async def test_a_trade_in_doubt_is_searched_for_at_once_and_again_with_growing_waits(world: World) -> None:
    trade_id, bot = await doubted(world)
    assert await search.find_offers(world.ctx) == 1
    [order] = world.taken(bot)
    [watched] = payload(order, WatchOrder).trades
    assert (order.kind, watched.trade_id, watched.status, watched.trade_token) == ("find", trade_id, "in_doubt", "abcdefgh")
    assert await search.find_offers(world.ctx) == 0
    waits = []
    for _ in range(5):
        waits.append((world.trade(trade_id).find_at - world.ctx.clock.now()).total_seconds())
        await online_later(world, waits[-1] + 0.1)
        assert await search.find_offers(world.ctx) == 1
    assert [round(wait) for wait in waits] == [30, 30, 30, 60, 120]
    assert world.statuses(trade_id) == ("in_doubt", {"deposit_pending"})


@pytest.mark.both_databases
@pytest.mark.parametrize(
    ("matched", "reversed_after", "who", "told"),
    [("receipt", False, 1, True), ("name", False, 1, False), ("receipt", True, 1, False), ("receipt", False, 2, False)],
    ids=["gone", "guessed", "given-back", "another-players"],
)
async def test_a_search_is_told_what_another_bot_has_from_this_player(
    world: World, matched: str, reversed_after: bool, who: int, told: bool
) -> None:
    """Two deposits of one asset: the second was asked for from an inventory of minutes ago."""
    [first] = await world.deposit(1, who)
    await world.accept(first)
    trade_id, bot = await doubted(world)
    if reversed_after:
        await world.tell(first, "exchange_reversed", offer_id="77", exchange_id=f"x-{first}", rollback=None)
        assert world.trade(first).status == "reversed"
    rows = tables.trade_items
    [asset] = [row.asset_id for row in world.items_of(first)]
    with world.ctx.db.transaction() as connection:
        connection.execute(update(rows).where(rows.c.trade_id == first).values(matched=matched))
        connection.execute(update(rows).where(rows.c.trade_id == trade_id).values(asset_id=asset))
    assert await search.find_offers(world.ctx) == 1
    [order] = [order for order in world.taken(bot) if order.kind == "find"]
    [watched] = [one for one in payload(order, WatchOrder).trades if one.trade_id == trade_id]
    assert watched.elsewhere == ([str(asset)] if told else [])


async def test_a_doubt_that_stays_is_told_once_to_an_operator(world: World) -> None:
    trade_id, _bot = await doubted(world)
    seen = []
    for _ in range(search.ALARM_TRIES + 3):
        assert await search.find_offers(world.ctx) == 1
        await online_later(world, (world.trade(trade_id).find_at - world.ctx.clock.now()).total_seconds() + 0.1)
        seen.append(len([event for event in world.events() if event.kind == "alarm"]))
    assert seen == [0] * search.ALARM_TRIES + [1] * 3
    assert world.statuses(trade_id) == ("in_doubt", {"deposit_pending"})


def test_waits_grow_up_to_the_maximum() -> None:
    assert [search.wait_s(tries, 30, 1800) for tries in (0, 2, 3, 4, 9, 500)] == [30, 30, 60, 120, 1800, 1800]


async def test_absent_offers_are_asked_again_until_the_attempts_are_used_up(world: World) -> None:
    trade_id, bot = await doubted(world)
    for attempt in (2, 3):
        await world.tell(trade_id, "offer_absent", reason="not found twice")
        assert world.trade(trade_id).find_at is None
        world.clear_queues()
        assert await sweep.give_orders(world.ctx) == 1
        await world.ctx.outbox.drain()
        assert [(order.kind, order.attempt) for order in world.taken(bot)] == [("send", attempt)]
        await world.tell(trade_id, "answer_lost", reason="timeout")
    await world.tell(trade_id, "offer_absent", reason="not found twice")
    assert world.statuses(trade_id) == ("failed", {"deposit_failure"})
    await online_later(world, 3600)
    assert await sweep.give_orders(world.ctx) == 0
    assert await search.find_offers(world.ctx) == 0


async def test_an_inconclusive_search_frees_nothing_and_sends_nothing(world: World) -> None:
    trade_id, bot = await doubted(world)
    await search.find_offers(world.ctx)
    await world.tell(trade_id, "find_inconclusive", reason="first_look")
    assert world.statuses(trade_id) == ("in_doubt", {"deposit_pending"})
    assert world.events("find_inconclusive")[0].trade_id == trade_id
    world.clear_queues()
    await online_later(world, 86400)
    assert await sweep.give_orders(world.ctx) == 0
    assert await search.find_offers(world.ctx) == 1
    assert [order.kind for order in world.orders(bot)] == ["find"]


@pytest.mark.both_databases
async def test_a_found_offer_ends_the_search(world: World) -> None:
    trade_id, _ = await doubted(world)
    await search.find_offers(world.ctx)
    await world.tell(trade_id, "offer_active", offer_id="77", state=2)
    await online_later(world, 3600)
    assert await search.find_offers(world.ctx) == 0
    assert world.trade(trade_id).find_tries == 0


async def test_a_misfit_leads_to_one_search_each_and_in_the_end_to_an_alarm(world: World) -> None:
    [trade_id] = await world.deposit(1)
    await world.tell(trade_id, "offer_declined", offer_id="77", state=7)
    for number in range(3):
        await world.tell(trade_id, "offer_active", offer_id="78", state=2)
        await world.tell(trade_id, "offer_active", offer_id="78", state=2)
        await online_later(world, 31)
        assert await search.find_offers(world.ctx) == 1, number
        assert await search.find_offers(world.ctx) == 0
    for _ in range(2):
        await world.tell(trade_id, "offer_active", offer_id="78", state=2)
    await online_later(world, 86400)
    assert await search.find_offers(world.ctx) == 0
    [alarm] = world.events("alarm")
    assert "report_keeps_misfitting" in alarm.data
    assert world.statuses(trade_id) == ("declined", {"deposit_failure"})


async def test_an_absent_offer_of_a_trade_that_is_over_and_old_bad_news_are_no_misfits(world: World) -> None:
    [trade_id] = await world.deposit(1)
    await world.tell(trade_id, "try_later", code="steam_throttled", reason="slow")
    await world.tell(trade_id, "order_dropped", attempt=1, reason="expired")
    assert world.trade(trade_id).find_at is None
    await world.tell(trade_id, "offer_declined", offer_id="77", state=7)
    await world.tell(trade_id, "offer_absent", reason="not found twice")
    assert world.trade(trade_id).find_at is None
    assert len(world.events("report_ignored")) == 2


async def test_only_bots_that_are_online_are_asked(world: World) -> None:
    await doubted(world)
    world.later(60)
    await world.ctx.fleet.refresh()
    assert await search.find_offers(world.ctx) == 0


async def test_in_maintenance_nothing_is_searched_for_sent_or_declined(world: World) -> None:
    trade_id, bot = await doubted(world)
    await online_later(world, 60, reason="steam_maintenance")
    assert world.ctx.fleet.maintenance
    assert await search.find_offers(world.ctx) == 0
    await world.tell(trade_id, "offer_absent", reason="not found twice")
    assert await sweep.give_orders(world.ctx) == 0
    assert await gifts.decline_offers(world.ctx) == 0
    assert world.orders(bot) == []
    await world.online("red-1", "red-2")
    assert await sweep.give_orders(world.ctx) == 1


# --- accepted, but under no exchange's name -----------------------------------------------------------------------


@pytest.mark.both_databases
async def test_an_accepted_trade_without_an_exchange_is_an_alarm_and_is_searched_for(world: World) -> None:
    [trade_id] = await world.deposit(1)
    await world.accept(trade_id)
    world.change(update(tables.trades).values(exchange_id=None))
    assert await purge.raise_alarms(world.ctx) == 0
    await online_later(world, world.ctx.settings.trades.protection_look_s + 5)
    assert await purge.raise_alarms(world.ctx) == 1
    assert await purge.raise_alarms(world.ctx) == 0
    assert "accepted_without_exchange" in world.events("alarm")[0].data
    assert await search.find_offers(world.ctx) == 1
    await world.tell(trade_id, "offer_accepted", offer_id="77", state=3, exchange_id="x-9", settles_at=2_000_000_000, moved=[])
    assert world.trade(trade_id).exchange_id == "x-9"
    assert world.events("exchange_known")
    assert world.statuses(trade_id) == ("accepted", {"active"})


async def test_an_exchange_that_failed_after_it_was_good_ends_with_an_operator(world: World) -> None:
    [trade_id] = await world.deposit(2)
    await world.accept(trade_id)
    for _ in range(2):
        await world.tell(trade_id, "exchange_failed", exchange_id="x", exchange_status=4)
    assert world.statuses(trade_id) == ("accepted", {"active"})
    assert {row.frozen_by for row in world.deposits_of(trade_id)} == {"exchange_failed"}
    assert len(world.events("alarm")) == 1


# --- what strangers give ------------------------------------------------------------------------------------------


async def test_every_bot_is_asked_to_decline_now_and_then(world: World) -> None:
    work = sweep.Sweep(world.ctx)
    await work.round()
    assert [order.kind for order in world.taken("red-1")] == ["decline"]
    await work.round()
    assert world.taken("red-1") == []
    assert world.ctx.settings.trades.decline_s > 0


async def kept(world: World, bot: str = "red-1") -> bool:
    world.clear_queues()
    await world.online(bot)
    await gifts.decline_offers(world.ctx)
    [order] = world.taken(bot)
    return bool(payload(order, DeclineOrder).keep_gifts)


async def test_gifts_are_kept_while_there_is_room_and_if_they_are_wished(make: Make) -> None:
    world = await make(bots=("red-1",), limits={"bot_items_max": 3, "inventory_limit": 3}, trades={"keep_gifts": True})
    assert await kept(world)
    await world.deposit(3)
    assert not await kept(world)
    world = await make(bots=("red-1",))  # nobody wished for any
    assert not await kept(world)


GIFT = {
    "offer_id": "9",
    "exchange_id": "x-5",
    "partner": "76561198000000009",
    "moved": [{"asset_id": "5", "context_id": "2", "new_asset_id": "50", "new_context_id": "16"}],
}


@pytest.mark.both_databases
async def test_a_gift_is_booked_once_as_the_houses_own(world: World) -> None:
    before = world.counters("red-1")
    for _ in range(2):
        await apply(world, "gift_accepted", GIFT)
    [row] = world.rows(tables.deposits.select())
    assert (row.user_id, row.status, row.asset_id, row.bot_id) == ("house", "active", 50, 1)
    assert world.counters("red-1") == (before[0] + 1, before[1], before[2])
    assert len(world.events("gift_accepted")) == 1


@pytest.mark.parametrize("kind", ["offer_declined_by_us", "offer_unknown_canceled"])
async def test_what_a_bot_did_with_strangers_offers_stands_in_the_feed(world: World, kind: str) -> None:
    await apply(world, kind, {"offer_id": "9", "partner": "76561198000000009"})
    assert [row.kind for row in world.events()] == [kind]
    assert world.count("trades") == 0


async def apply(world: World, kind: str, data: dict[str, Any]) -> None:
    from balancer.journal.rules import Rules
    from balancer.reports import apply as reports

    report = world.report(None, kind, bot="red-1", **data)
    await world.ctx.db.run(reports.apply, report, world.ctx.clock.now(), Rules.of(world.ctx.settings))
