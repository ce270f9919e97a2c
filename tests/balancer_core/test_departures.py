"""Items that leave a bot without an order of ours freeze it and raise an alarm at once; its own trades' items do not."""

from __future__ import annotations

import json
from typing import Any

import pytest
from balancer_core.core_world import SITE, World, player
from balancer_core.test_finding import apply
from narrowed import payload
from sqlalchemy import select

from balancer.custody import gifts
from balancer.db import tables
from balancer.trades.cancel import cancel
from balancer.upkeep import settle
from shared.orders import DeclineOrder, SettleOrder

pytestmark = pytest.mark.both_databases


def left(offer_id: str, *asset_ids: int, partner: int = 77, sent: bool = True) -> dict[str, Any]:
    told = {"offer_id": offer_id, "sent": sent, "partner": str(int(player(partner)))}
    return {"offers": [{**told, "asset_ids": [str(each) for each in asset_ids]}]}


def row_of(world: World, deposit_id: str) -> Any:
    [row] = world.rows(select(tables.deposits).where(tables.deposits.c.deposit_id == deposit_id))
    return row


def frozen(world: World) -> str | None:
    [bot] = world.rows(select(tables.bots).where(tables.bots.c.color == "red", tables.bots.c.bot_id == 1))
    found: str | None = bot.frozen_by
    return found


@pytest.mark.parametrize("sent", [True, False])
async def test_items_that_left_by_no_order_freeze_the_bot_and_raise_one_alarm(world: World, sent: bool) -> None:
    [deposit_id, other] = await world.held(2)
    asset_id = row_of(world, deposit_id).asset_id
    for _ in range(2):
        await apply(world, "items_left", left("999", asset_id, sent=sent))
    assert frozen(world) == "items_left"
    assert row_of(world, deposit_id).frozen_by == "items_left"
    assert row_of(world, other).frozen_by is None
    [alarm] = [row for row in world.events("alarm") if json.loads(row.data)["alarm"] == "items_left"]
    assert json.loads(alarm.data)["deposits"] == [deposit_id] and alarm.bot == "red-1"


async def test_an_offer_of_a_trade_is_ours_by_its_id_and_by_partner_and_items(world: World) -> None:
    [deposit_id] = await world.held(1)
    asset_id = row_of(world, deposit_id).asset_id
    [trade_id] = await world.withdraw([deposit_id])
    await apply(world, "items_left", left("12345", asset_id, partner=1))  # the answer was lost: no id is known yet
    assert frozen(world) is None
    await apply(world, "items_left", left("12345", asset_id, partner=2))
    assert frozen(world) == "items_left", f"{trade_id} goes to somebody else"


async def test_the_other_items_of_a_deposit_settle_when_one_was_given_away(world: World) -> None:
    [trade_id] = await world.deposit(2)
    await world.accept(trade_id)
    gone, stays = world.deposits_of(trade_id)
    await apply(world, "items_left", left("999", gone.asset_id))
    world.clear_queues()
    world.later(8 * 86400)
    await world.online("red-1")
    assert await settle.settle(world.ctx) == 1
    [check] = [check for order in world.orders() if order.kind == "settle" for check in payload(order, SettleOrder).checks]
    assert [each.deposit_id for each in check.assets] == [stays.deposit_id]
    seen = [row for row in world.seen(trade_id) if row["deposit_id"] == stays.deposit_id]
    await world.tell(trade_id, "settled", assets=seen)
    assert world.trade(trade_id).status == "settled"
    assert [row.frozen_by for row in world.deposits_of(trade_id)] == ["items_left", None]


@pytest.mark.parametrize("known", [True, False])
async def test_an_offer_that_somebody_else_canceled_at_the_bots_account_raises_one_alarm(world: World, known: bool) -> None:
    """Nobody wished it, and the bot did not say that it gave the offer up itself."""
    [trade_id] = await world.deposit(1)
    if known:
        await world.tell(trade_id, "offer_active", offer_id="77", state=2)
    await world.tell(trade_id, "offer_canceled", offer_id="77", state=6)
    assert world.statuses(trade_id) == ("canceled", {"deposit_failure"})
    [alarm] = world.events("alarm")
    data = json.loads(alarm.data)
    assert (data["alarm"], data["offer_id"], alarm.trade_id, alarm.bot) == ("canceled_elsewhere", "77", trade_id, "red-1")
    assert frozen(world) is None


async def test_what_the_site_the_time_or_the_bot_itself_canceled_raises_no_alarm(world: World) -> None:
    wished, given_up, held_by_steam = [(await world.deposit(1, who))[0] for who in (1, 2, 3)]
    for number, trade_id in enumerate((wished, given_up, held_by_steam)):
        kind, state = ("offer_held", 11) if trade_id == held_by_steam else ("offer_active", 2)
        await world.tell(trade_id, kind, offer_id=str(70 + number), state=state)
    await cancel(world.ctx, SITE, wished)
    await world.tell(wished, "offer_canceled", offer_id="70", state=6)
    await world.tell(given_up, "offer_canceled", offer_id="71", state=6, reason="not_confirmed")
    await world.tell(held_by_steam, "offer_canceled", offer_id="72", state=10)
    assert [world.trade(each).status for each in (wished, given_up, held_by_steam)] == ["canceled"] * 3
    assert world.events("alarm") == []


async def test_idle_bots_are_asked_to_look_at_both_sides_and_busy_ones_are_watched(world: World) -> None:
    await world.online("red-1", "red-2")
    await world.deposit(1)
    world.clear_queues()
    await gifts.decline_offers(world.ctx)
    asked = [
        [payload(order, DeclineOrder).idle for order in world.orders(bot) if order.kind == "decline"]
        for bot in ("red-1", "red-2")
    ]
    assert sorted(asked) == [[False], [True]]


async def test_a_report_of_another_shape_freezes_nothing(world: World) -> None:
    for data in ({"offers": 7}, {"offers": [None]}, left("x", 5), {"offers": [{"offer_id": "5", "asset_ids": [None]}]}):
        with pytest.raises(ValueError):
            await apply(world, "items_left", data)
    assert frozen(world) is None
