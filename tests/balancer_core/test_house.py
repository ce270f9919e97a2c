"""What strangers gave to bots leaves again: seen by an audit, given by an operator, approved by a second person."""

from __future__ import annotations

import json
from typing import Any

import pytest
from balancer_core.core_world import SITE, World, player
from balancer_core.test_audits import asset, held, look, lying, start
from narrowed import payload

from balancer.custody import deposits, gifts
from balancer.db import tables
from balancer.fleet import switches
from balancer.journal import swaps
from balancer.journal.by import By
from balancer.trades import approvals, house
from balancer.trades.requests import HouseWish, Request
from balancer.upkeep import release, sweep
from shared.domain.ids import TradeUrl
from shared.errors import Conflict, FleetPaused, Forbidden
from shared.orders import SendOrder

KNIFE = "Knife"


async def gift(world: World, asset_id: int = 55) -> str:
    moved = [{"new_asset_id": str(asset_id), "new_context_id": "16"}]
    data = {"exchange_id": "9", "offer_id": "8", "partner": "7", "moved": moved}
    with world.ctx.db.transaction() as connection:
        gifts.book(connection, "red-1", data, By("bot:red-1", world.ctx.clock.now()))
    [row] = [row for row in world.rows(tables.deposits.select()) if row.user_id == "house"]
    return str(row.deposit_id)


def row_of(world: World, deposit_id: str) -> Any:
    return world.rows(tables.deposits.select().where(tables.deposits.c.deposit_id == deposit_id))[0]


async def audited(world: World, *more: dict[str, Any]) -> None:
    inventory = {each: row for each, row in lying(world).items() if each != "55"}
    await start(world, "red-1")
    shown = await look(world, inventory | {row["asset_id"]: row for row in more})
    assert shown.verdict == "clean"


async def give(world: World, *ids: str, who: int = 5) -> str:
    wish = HouseWish(TradeUrl(player(who), "abcdefgh"), list(ids), "to the store")
    asked = Request(SITE, f"key-{next(world.keys)}", "body", world.ctx.clock.now())
    [trade_id] = (await house.give(world.ctx, asked, wish)).trade_ids
    return trade_id


@pytest.mark.parametrize("new_id", [55, 77], ids=["same id", "another id"])
async def test_a_gift_goes_out_when_it_was_seen_and_a_second_person_agrees(world: World, new_id: int) -> None:
    await held(world, "red-1", 1)
    deposit_id = await gift(world)
    with pytest.raises(Conflict) as early:
        await give(world, deposit_id)
    assert early.value.error_code == "item_frozen"
    await audited(world, asset(55, KNIFE, context_id="16"))
    assert row_of(world, deposit_id).frozen_by == "gift", "Steam protects it still"
    await audited(world, asset(new_id, KNIFE))
    row = row_of(world, deposit_id)
    assert (row.asset_id, row.context_id, row.frozen_by, row.settled_at is None) == (new_id, "2", None, False)

    trade_id = await give(world, deposit_id)
    trade = world.trade(trade_id)
    assert (trade.user_id, trade.partner, trade.waits_for) == ("house", int(player(5)), "approval")
    with pytest.raises(Forbidden):
        await approvals.decide(world.ctx, trade_id, SITE.client_id, "client:site", approve=True)
    await approvals.decide(world.ctx, trade_id, "cli_other", "client:boss", approve=True)
    # Its items have settled: one round lines it up, and it goes out.
    assert await release.release(world.ctx) == 1
    await sweep.Sweep(world.ctx).round()
    [order] = [each for each in world.orders("red-1") if each.kind == "send"]
    assert [each.asset_id for each in payload(order, SendOrder).give] == [str(new_id)]
    await world.accept(trade_id)
    assert row_of(world, deposit_id).status == "withdrawn"
    [told] = [json.loads(event.data) for event in world.events("house_items_given")]
    assert (told["deposits"], told["trades"], told["reason"]) == ([deposit_id], [trade_id], "to the store")


async def test_a_rejected_one_stays_the_houses(world: World) -> None:
    deposit_id = await gift(world)
    await audited(world, asset(55, KNIFE))
    trade_id = await give(world, deposit_id)
    await approvals.decide(world.ctx, trade_id, "cli_other", "client:boss", approve=False)
    assert (world.trade(trade_id).status, row_of(world, deposit_id).status) == ("canceled", "active")
    assert await give(world, deposit_id) != trade_id


async def test_nobody_gives_a_players_item_away_nor_while_withdrawals_are_paused(world: World) -> None:
    [theirs] = await held(world, "red-1", 1)
    with pytest.raises(Forbidden) as refused:
        await give(world, theirs)
    assert refused.value.error_code == "not_owner"
    deposit_id = await gift(world)
    await audited(world, asset(55, KNIFE))
    await world.ctx.switches.turn(switches.WITHDRAWALS, "test", "", paused=True)
    with pytest.raises(FleetPaused):
        await give(world, deposit_id)


async def test_a_gift_is_not_taken_for_another_item_while_something_is_on_its_way(world: World) -> None:
    deposit_id = await gift(world)
    await world.ctx.fleet.set_mode("red", 2, "paused", "test")
    await world.deposit(1)
    await start(world, "red-1")
    await look(world, {"99": asset(99, KNIFE)})
    assert (row_of(world, deposit_id).asset_id, row_of(world, deposit_id).frozen_by) == (55, "gift")


async def test_an_operator_lets_a_swapped_row_go_under_its_real_name(world: World) -> None:
    [deposit_id] = await held(world, "red-1", 1)
    now = world.ctx.clock.now()
    with world.ctx.db.transaction() as connection:
        swaps.compare(connection, {deposit_id: swaps.Named(KNIFE, "1")}, lambda _name: 7, By("test", now))
        assert connection.execute(tables.deposits.select()).one().frozen_by == "swapped"
        deposits.thaw(connection, deposit_id, "looked", By("client:boss", now))
    assert (row_of(world, deposit_id).frozen_by, row_of(world, deposit_id).value_cents) == (None, 7)
