"""The custody audit on real tables: what the bots read against their rows, and what follows from a difference."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from balancer_core.core_world import SITE, World, bot_account, make_world, player
from balancer_core.test_waiting import withdraw as withdraw_with
from sqlalchemy import insert, select, update

from balancer.custody import gifts
from balancer.custody.audit import ask, freeze, readings, rows, show
from balancer.custody.views import BotAudit
from balancer.db import tables
from balancer.journal.by import By
from balancer.trades.cancel import cancel
from balancer.trades.requests import DepositWish
from balancer.upkeep import release, settle, sweep
from shared.domain.health import May
from shared.domain.ids import TradeUrl
from shared.errors import Conflict, NotFound
from shared.orders import InventoryOrder, Order, SettleOrder

Make = Callable[..., Awaitable[World]]
Asset = dict[str, Any]


async def later(world: World, seconds: float) -> None:
    world.later(seconds)
    await world.online("red-1", "red-2")


def lying(world: World, bot: str = "red-1") -> dict[str, Asset]:
    """An inventory that is as the rows say, by asset id."""
    color, _, bot_id = bot.rpartition("-")
    table = tables.deposits
    query = select(table, tables.items.c.market_hash_name).join(tables.items)
    query = query.where(table.c.color == color, table.c.bot_id == int(bot_id))
    query = query.where(table.c.status.in_(["active", "withdraw_pending"]))
    return {
        str(row.asset_id): asset(row.asset_id, row.market_hash_name, row.fingerprint, row.context_id)
        for row in world.rows(query)
    }


def asset(asset_id: int, name: str = "Case", fingerprint: str | None = None, context_id: str = "2") -> Asset:
    return {
        "asset_id": str(asset_id),
        "context_id": context_id,
        "class_id": "1",
        "instance_id": "0",
        "name": name,
        "fingerprint": fingerprint,
    }


async def start(world: World, *bots: str) -> str:
    """Somebody wants these bots audited; the audit's id."""
    audit_id = world.ctx.new_id("audit")
    await world.ctx.db.run(ask.want, list(bots) or None, audit_id, By("client:test", world.ctx.clock.now()))
    return audit_id


async def asked(world: World, bot: str = "red-1") -> Order:
    """The order to read that this bot has now."""
    await ask.round_of(world.ctx)
    (order,) = [each for each in world.taken(bot) if each.kind == "inventory"]
    return order


async def tell(world: World, order: Order, kind: str = "custody_read", **data: Any) -> bool:
    if kind == "custody_read":
        data = {"steam_id": str(int(bot_account(order.bot))), **data}
    report = replace(world.report(None, kind, bot=order.bot, **data), order_id=order.order_id)
    return await world.ctx.db.run(readings.apply, report, world.ctx.clock.now(), world.ctx.settings.trades)


async def look(world: World, assets: dict[str, Asset], bot: str = "red-1") -> BotAudit:
    """One whole look at this inventory; where the bot's audit stands then."""
    order = await asked(world, bot)
    assert await tell(world, order, assets=list(assets.values()))
    return view(world, bot)


async def two_looks(world: World, assets: dict[str, Asset], bot: str = "red-1") -> BotAudit:
    await start(world, bot)
    first = await look(world, assets, bot)
    assert first.running, first
    await later(world, world.ctx.settings.trades.audit_again_s)
    return await look(world, assets, bot)


def view(world: World, bot: str = "red-1") -> BotAudit:
    with world.ctx.db.transaction() as connection:
        return show.show(connection, [bot])[0]


def found(shown: BotAudit) -> list[tuple[str, str]]:
    return [(each.kind, each.asset_id) for each in shown.differences]


async def held(world: World, bot: str, n: int = 1, who: int = 1) -> list[str]:
    """Settled deposits with this bot."""
    other = "red-2" if bot == "red-1" else "red-1"
    await world.ctx.fleet.set_mode("red", int(other[-1]), "paused", "test")
    ids = await world.held(n, who)
    await world.ctx.fleet.set_mode("red", int(other[-1]), "active", "test")
    return ids


# --- asking -----------------------------------------------------------------------------------------------


async def test_every_bot_is_asked_once_in_a_while_and_none_all_at_once(make: Make) -> None:
    names = tuple(f"red-{number}" for number in range(1, 41))
    world = await make(bots=names)
    every_s = world.ctx.settings.trades.audit_every_s
    assert await ask.round_of(world.ctx) == 0
    given: list[Order] = []
    for _ in range(10):
        world.later(every_s / 10)
        await world.online(*names)
        assert await ask.round_of(world.ctx) <= rows.AT_ONCE / 2
        new = [order for bot in names if world.orders(bot) for order in world.taken(bot)]
        for order in new:
            assert await tell(world, order, assets=[])
        given += new
    assert sorted(order.bot for order in given) == sorted(names)
    order = next(order for order in given if order.bot == "red-1")
    assert (order.kind, order.trade_id) == ("inventory", None)
    assert order.payload == InventoryOrder(str(int(bot_account("red-1"))), None, 0)


@pytest.mark.both_databases
async def test_a_bot_that_is_away_is_asked_when_it_is_back(make: Make) -> None:
    world = await make(bots=("red-1",))
    await ask.round_of(world.ctx)
    world.later(world.ctx.settings.trades.audit_every_s)
    await world.ctx.fleet.refresh()
    assert await ask.round_of(world.ctx) == 0
    assert view(world).verdict is None
    world.later(world.ctx.settings.trades.audit_again_s)
    await world.online("red-1")
    assert await ask.round_of(world.ctx) == 1


async def test_who_asks_for_an_audit_is_told_of_a_bot_that_is_away(world: World) -> None:
    world.beat("red-2", state="signing_in")
    await world.ctx.fleet.refresh()
    audit_id = await start(world)
    await look(world, {})
    first, second = view(world, "red-1"), view(world, "red-2")
    assert (first.verdict, first.audit_id, first.running) == ("clean", audit_id, False)
    assert (second.verdict, second.reason, second.audit_id, second.running) == ("inconclusive", "bot_offline", audit_id, False)


async def test_maintenance_makes_an_audit_inconclusive(world: World) -> None:
    await world.online("red-1", "red-2", reason="steam_maintenance")
    await start(world)
    assert await ask.round_of(world.ctx) == 0
    assert (view(world).verdict, view(world).reason) == ("inconclusive", "steam_maintenance")


async def test_unknown_bots_are_refused_and_nothing_is_asked(world: World) -> None:
    with pytest.raises(NotFound):
        await start(world, "red-1", "red-9")
    assert await ask.round_of(world.ctx) == 0


@pytest.mark.both_databases
async def test_a_look_that_began_before_the_wish_is_begun_anew(world: World) -> None:
    await start(world, "red-1")
    before = await asked(world)
    audit_id = await start(world, "red-1")
    order = await asked(world)
    assert not await tell(world, before, assets=[asset(1)])
    assert await tell(world, order, assets=[])
    assert (view(world).verdict, view(world).audit_id) == ("clean", audit_id)
    assert not await tell(world, order, assets=[asset(1)])


async def test_a_wish_between_two_looks_keeps_what_the_first_showed(world: World) -> None:
    await start(world, "red-1")
    await look(world, {"1": asset(1)})
    await start(world, "red-1")
    assert await ask.round_of(world.ctx) == 0
    await later(world, world.ctx.settings.trades.audit_again_s)
    assert found(await look(world, {"1": asset(1)})) == [("extra", "1")]


async def test_two_balancers_ask_once(make: Make, database_url: str, redis_url: str) -> None:
    world, other = await make(), await make_world(database_url, redis_url)
    await start(world)
    given = await asyncio.gather(ask.round_of(world.ctx), ask.round_of(other.ctx))
    assert sum(given) == 2
    assert [len(world.orders(bot)) for bot in ("red-1", "red-2")] == [1, 1]
    await other.close()


# --- what is found ----------------------------------------------------------------------------------------------


async def test_what_adds_up_is_clean_and_changes_nothing(world: World) -> None:
    await held(world, "red-1", 2)
    before = len(world.events())
    await start(world, "red-1")
    shown = await look(world, lying(world))
    assert (shown.verdict, shown.rows, shown.assets, shown.differences, shown.frozen_by) == ("clean", 2, 2, [], None)
    assert len(world.events()) == before


async def test_a_theft_freezes_its_bot_only_until_an_operator_lets_it_go_on(world: World) -> None:
    [gone, left] = await held(world, "red-1", 2)
    [elsewhere] = await held(world, "red-2", 1)
    inventory = lying(world)
    (stolen,) = [row.asset_id for row in world.rows(select(tables.deposits)) if row.deposit_id == gone]
    del inventory[str(stolen)]
    shown = await two_looks(world, inventory)
    assert (shown.verdict, shown.frozen_by, found(shown)) == ("differences", "audit", [("missing", str(stolen))])
    (event,) = world.events("audit_difference")
    told = json.loads(event.data)
    assert (event.bot, event.who, told["count"], told["differences"][0]["deposit_id"]) == ("red-1", "audit", 1, gone)
    await world.ctx.fleet.refresh()
    assert [May.TAKE in bot.may for bot in world.ctx.fleet.bots()] == [False, True]
    with pytest.raises(Conflict) as refused:
        await world.withdraw([left])
    assert (refused.value.error_code, refused.value.data["bot"]) == ("bot_frozen", "red-1")
    assert len(await world.withdraw([elsewhere])) == 1
    [deposit] = await world.deposit(3)
    assert world.trade(deposit).bot_id == 2
    # The same again is not told again, and a clean audit unfreezes nothing.
    assert (await two_looks(world, inventory)).frozen_by == "audit"
    assert len(world.events("audit_difference")) == 1
    await start(world, "red-1")
    assert (await look(world, lying(world))).frozen_by == "audit"
    assert await unfreeze(world) and not await unfreeze(world)
    assert [event.who for event in world.events("bot_unfrozen")] == ["operator"]
    assert len(await world.withdraw([left])) == 1


async def unfreeze(world: World) -> bool:
    return await world.ctx.db.run(freeze.unfreeze, "red", 1, By("operator", world.ctx.clock.now()))


@pytest.mark.both_databases
async def test_what_an_operator_has_seen_is_shown_and_freezes_no_more_but_another_does(world: World) -> None:
    ids = await held(world, "red-1", 3)
    inventory = lying(world)
    first, second = sorted(inventory)[:2]
    del inventory[first]
    await two_looks(world, inventory)
    await unfreeze(world)
    await start(world, "red-1")
    shown = await look(world, inventory)
    assert (shown.verdict, shown.frozen_by, [each.known for each in shown.differences]) == ("differences", None, [True])
    del inventory[second]
    shown = await two_looks(world, inventory)
    assert (shown.frozen_by, [each.known for each in shown.differences]) == ("audit", [True, False])
    assert [json.loads(event.data)["count"] for event in world.events("audit_difference")] == [1, 1]
    assert len(ids) == 3
    # Once it is over it is no longer known: should it come back, it freezes again.
    await unfreeze(world)
    await start(world, "red-1")
    assert (await look(world, lying(world))).verdict == "clean"
    assert (await two_looks(world, inventory)).frozen_by == "audit"


async def test_a_difference_that_a_second_look_does_not_show_is_none(world: World) -> None:
    await held(world, "red-1", 1)
    await start(world, "red-1")
    assert (await look(world, {})).running
    assert await ask.round_of(world.ctx) == 0
    await later(world, world.ctx.settings.trades.audit_again_s)
    shown = await look(world, lying(world))
    assert (shown.verdict, shown.frozen_by) == ("clean", None)
    assert not world.events("audit_difference")


async def test_what_is_first_seen_in_the_second_look_has_one_of_its_own(world: World) -> None:
    await start(world, "red-1")
    await look(world, {"1": asset(1)})
    await later(world, world.ctx.settings.trades.audit_again_s)
    assert found(await look(world, {"1": asset(1), "2": asset(2)})) == [("extra", "1")]
    for _ in range(2):
        await later(world, world.ctx.settings.trades.audit_again_s)
        shown = await look(world, {"1": asset(1), "2": asset(2)})
    assert found(shown) == [("extra", "1"), ("extra", "2")]


@pytest.mark.both_databases
async def test_an_inventory_that_shows_something_else_each_time_says_nothing(world: World) -> None:
    await start(world, "red-1")
    for number in range(readings.LOOKS_MAX):
        shown = await look(world, {str(number): asset(number)})
        await later(world, world.ctx.settings.trades.audit_again_s)
    assert (shown.verdict, shown.reason, shown.running, shown.frozen_by) == ("inconclusive", "keeps_changing", False, None)


@pytest.mark.both_databases
async def test_the_other_items_of_a_deposit_settle_when_an_audit_misses_one(world: World) -> None:
    [trade_id] = await world.deposit(2)
    await world.accept(trade_id)
    bot = f"red-{world.trade(trade_id).bot_id}"
    gone, stays = world.deposits_of(trade_id)
    inventory = lying(world, bot)
    del inventory[str(gone.asset_id)]
    await start(world, bot)
    assert (await look(world, inventory, bot)).running  # Steam may have reversed the exchange: it is looked at first
    await later(world, world.ctx.settings.trades.audit_again_s)
    assert await settle.settle(world.ctx) == 1
    world.clear_queues()
    shown = await look(world, inventory, bot)
    assert (shown.verdict, shown.frozen_by, found(shown)) == ("differences", "audit", [("missing", str(gone.asset_id))])
    assert [row.frozen_by for row in world.deposits_of(trade_id)] == ["missing", None]
    await later(world, 8 * 86400)
    assert await settle.settle(world.ctx) == 1
    payloads = [order.payload for order in world.taken(bot)]
    [check] = [check for payload in payloads if isinstance(payload, SettleOrder) for check in payload.checks]
    assert [each.deposit_id for each in check.assets] == [stays.deposit_id]
    seen = [row for row in world.seen(trade_id) if row["deposit_id"] == stays.deposit_id]
    await world.tell(trade_id, "settled", assets=seen)
    assert world.trade(trade_id).status == "settled"
    assert [(row.frozen_by, row.settled_at is not None) for row in world.deposits_of(trade_id)] == [
        ("missing", True),
        (None, True),
    ]


@pytest.mark.both_databases
async def test_an_item_of_one_bot_with_another(world: World) -> None:
    await held(world, "red-2", 1)
    (moved,) = lying(world, "red-2").values()
    renumbered = {**moved, "asset_id": "99"}
    shown = await two_looks(world, {"99": renumbered})
    assert found(shown) == [("wrong_bot", "99")]
    assert "says red-2" in shown.differences[0].text
    shown = await two_looks(world, {}, "red-2")
    assert found(shown) == [("missing", moved["asset_id"])]


async def test_swapped_and_protected_ones(world: World) -> None:
    await held(world, "red-1", 2)
    first, second = lying(world).values()
    inventory = {"1": {**first, "name": "Another"}, "2": {**second, "context_id": "16"}}
    shown = await two_looks(world, inventory)
    assert sorted(found(shown)) == sorted([("swapped", first["asset_id"]), ("protected", second["asset_id"])])


async def test_gifts_and_house_issued_rows(world: World) -> None:
    """A ticket has neither bot nor asset, and nobody has ever named a gift."""
    await held(world, "red-1", 1)
    [row] = world.rows(tables.deposits.select())
    ticket = {"deposit_id": "dep_ticket", "item_id": row.item_id, "user_id": "house", "status": "active", "value_cents": 1}
    world.change(insert(tables.deposits).values(**ticket, created_at=row.created_at, touched=row.touched))
    moved = [{"new_asset_id": "55", "new_context_id": "16"}]
    gift = {"exchange_id": "9", "offer_id": "8", "partner": "7", "moved": moved}
    with world.ctx.db.transaction() as connection:
        gifts.book(connection, "red-1", gift, By("bot:red-1", world.ctx.clock.now()))
    inventory = lying(world)
    inventory["55"]["name"] = "AWP | Something"
    await start(world, "red-1")
    assert (await look(world, inventory)).verdict == "clean"
    del inventory["55"]
    await start(world, "red-1")
    shown = await look(world, inventory)
    assert found(shown) == [("missing", "55")]
    assert shown.frozen_by is None and not world.events("audit_difference"), "the house's rows are nobody's: told, no more"


# --- what says nothing ----------------------------------------------------------------------------------------------


async def test_what_could_not_be_read_is_no_difference(world: World) -> None:
    await held(world, "red-1", 1)
    await start(world, "red-1")
    for _ in range(rows.TRIES_MAX):
        assert view(world).running
        await tell(world, await asked(world), "custody_unread", reason="inventory_not_believed")
        await later(world, world.ctx.settings.trades.audit_again_s)
    shown = view(world)
    assert (shown.verdict, shown.reason, shown.frozen_by) == ("inconclusive", "inventory_not_believed", None)
    (event,) = world.events("audit_inconclusive")
    assert (event.bot, json.loads(event.data)["reason"]) == ("red-1", "inventory_not_believed")


@pytest.mark.both_databases
async def test_a_bot_that_never_answers_is_asked_again_and_then_given_up(world: World) -> None:
    times = world.ctx.settings.trades
    await start(world, "red-1")
    for _ in range(rows.TRIES_MAX):
        await asked(world)
        await later(world, times.order_expiry_s + times.order_in_hand_s)
        await ask.round_of(world.ctx)
        await later(world, times.audit_again_s)
    assert (view(world).verdict, view(world).reason) == ("inconclusive", "no_answer")


async def test_another_account_or_another_bot_says_nothing(world: World) -> None:
    await start(world, "red-1")
    order = await asked(world)
    assert not await tell(world, replace(order, bot="red-2"), assets=[])
    assert await tell(world, order, assets=[asset(1)], steam_id="76561198000000001")
    assert (view(world).running, view(world).reason) == (True, "other_account")


async def test_a_report_that_makes_no_sense_changes_nothing(world: World) -> None:
    await start(world, "red-1")
    order = await asked(world)
    for bad in ({"asset_id": 5}, {"asset_id": "-5"}, {"name": None}, {"fingerprint": 5}, {"context_id": 2}):
        with pytest.raises(TypeError):
            await tell(world, order, assets=[asset(1) | bad])
    with pytest.raises(KeyError):
        await tell(world, order, assets=[{}])
    assert (view(world).running, view(world).looks) == (True, 0)


# --- a frozen bot gives nothing ----------------------------------------------------------------------------------------


@pytest.mark.both_databases
async def test_a_frozen_bots_withdrawals_wait_and_can_be_canceled(world: World) -> None:
    ids = await held(world, "red-1", 2)
    [first] = await world.withdraw(ids[:1])
    [second] = await world.withdraw(ids[1:])
    for trade_id in (first, second):
        await world.tell(trade_id, "try_later", code="steam_throttled", reason="slow")
    world.clear_queues()
    world.change(update(tables.bots).where(tables.bots.c.bot_id == 1).values(frozen_by="audit"))
    await later(world, world.ctx.settings.trades.retry_after_s + 1)
    assert await sweep.give_orders(world.ctx) == 0
    await cancel(world.ctx, SITE, second)
    assert world.trade(second).status == "canceled"
    await unfreeze(world)
    assert await sweep.give_orders(world.ctx) == 1
    assert [order.trade_id for order in world.orders() if order.kind == "send"] == [first]


async def test_a_frozen_bot_lets_no_waiting_withdrawal_go(world: World) -> None:
    [trade_id] = await world.deposit(1)
    await world.accept(trade_id)
    [deposit] = world.deposits_of(trade_id)
    await withdraw_with(world, [deposit.deposit_id], when_settled=True)
    await world.settle(trade_id)
    world.change(update(tables.bots).values(frozen_by="audit"))
    await later(world, 8 * 86400)
    assert await release.release(world.ctx) == 0
    world.change(update(tables.bots).values(frozen_by=None))
    await later(world, 60)
    assert await release.release(world.ctx) == 1


async def test_no_deposit_goes_to_a_frozen_bot_even_by_an_old_snapshot(make: Make) -> None:
    world = await make(bots=("red-1", "red-2"))
    world.change(update(tables.bots).where(tables.bots.c.bot_id == 1).values(frozen_by="audit"))
    for who in range(1, 6):
        wish = DepositWish(f"user-{who}", TradeUrl(player(who), "abcdefgh"), world.assets(1))
        [trade_id] = await world.bring(SITE, f"key-{who}", "body", wish)
        assert world.trade(trade_id).bot_id == 2
