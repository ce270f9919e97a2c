"""A bot's word counts for that bot only, and what an item is, the bot says that received it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from balancer_core.core_world import MASTER, World
from narrowed import payload
from sqlalchemy import select

from balancer.custody.audit import ask, readings
from balancer.db import tables
from balancer.journal import alarms
from balancer.journal.by import By
from balancer.journal.rules import Rules
from balancer.orders import sights
from balancer.reports import apply
from balancer.reports.stream import Reader
from balancer.trades.requests import Wanted
from shared import wire
from shared.orders import InventoryOrder
from shared.reports import REPORT_KINDS

CHEAP, DEAR = "P250 | Sand Dune (Field-Tested)", "AWP | Gungnir (Factory New)"
CENTS = {CHEAP: 6, DEAR: 318_416}
STATE = (tables.trades, tables.deposits, tables.trade_items, tables.users, tables.audits)


def state(world: World) -> list[Any]:
    rows = [[tuple(row) for row in world.rows(table.select().order_by(*table.primary_key.columns))] for table in STATE]
    bots = tables.bots.c
    query = select(bots.color, bots.bot_id, bots.mode, bots.slots_held, bots.slots_reserved, bots.open_offers, bots.frozen_by)
    return [*rows, [tuple(row) for row in world.rows(query.order_by(bots.bot_id))]]


def everything(world: World, trade_id: str) -> dict[str, Any]:
    """Data of every kind of report, all of it about this trade."""
    items = world.items_of(trade_id)
    return {
        "offer_id": "77",
        "state": 3,
        "exchange_id": "x1",
        "settles_at": 2_000_000_000,
        "moved": [
            {"asset_id": str(row.asset_id), "context_id": "2", "new_asset_id": str(row.asset_id + 1), "new_context_id": "16"}
            for row in items
        ],
        "assets": world.seen(trade_id),
        "deposit_ids": [row.deposit_id for row in items],
        "code": "partner_unavailable",
        "reason": "offer_unclear",
        "kind": "find",
        "steam_id": "1",
    }


@pytest.mark.both_databases
@pytest.mark.parametrize("status", ["in_doubt", "accepted"])
async def test_what_another_bot_says_of_a_trade_changes_nothing_and_is_written_down(world: World, status: str) -> None:
    [trade_id] = await world.deposit(1)
    if status == "accepted":
        await world.accept(trade_id)
    else:
        await world.tell(trade_id, "answer_lost", reason="no_answer")
    await world.ctx.outbox.drain()
    trade = world.trade(trade_id)
    other = "red-2" if trade.bot_id == 1 else "red-1"
    before = state(world)
    nobody_waits = {"inventory_read", "inventory_failed", "steam_call"} | sights.REPORTS
    kinds = sorted(REPORT_KINDS - nobody_waits)
    for count, kind in enumerate(kinds, 1):
        report = replace(world.report(trade_id, kind, bot=other), data=everything(world, trade_id))
        wire.append_reports(world.ctx.redis, [report], MASTER.bot(other))
        reader = Reader(world.ctx, "one")  # which has written down no failure of this bot yet
        assert await reader.round() == 1
        await reader.close()
        assert len(world.events("report_ignored")) == count, kind
        assert state(world) == before, kind
    ignored = world.events("report_ignored")
    assert {(row.bot, row.trade_id) for row in ignored} == {(other, None)}
    assert [json.loads(row.data)["report"] for row in ignored] == kinds
    assert [row for row in world.events() if row.bot == other] == ignored


@pytest.mark.both_databases
async def test_a_bot_that_had_the_trade_before_and_has_an_offer_after_all_is_an_alarm(world: World) -> None:
    [trade_id] = await world.deposit(1)
    trade = world.trade(trade_id)
    await world.tell(trade_id, "bot_refused", code="bot_restricted", reason="bot_locked")
    world.change(tables.trades.update().values(bot_id=3 - trade.bot_id))
    await world.tell(trade_id, "offer_active", bot=f"red-{trade.bot_id}", attempt=1, offer_id="77", state=2)
    assert [json.loads(row.data)["alarm"] for row in world.events("alarm")] == [alarms.FORMER_BOT]


# --- what an item is ------------------------------------------------------------------------------------------


def rules(world: World) -> Rules:
    return replace(Rules.of(world.ctx.settings), value_of=CENTS.get)


async def told(world: World, trade_id: str, kind: str, **data: Any) -> None:
    report = world.report(trade_id, kind, **data)
    await world.ctx.db.run(apply.apply, report, world.ctx.clock.now(), rules(world))


async def deposited_as_dear(world: World) -> str:
    """A cheap item that a lying bot has called a dear one when it read the player's inventory."""
    [wanted] = world.assets(1, DEAR)
    [trade_id] = await world.deposit(wish=world.wish(wanted=[Wanted(wanted.held, CENTS[DEAR])]))
    return trade_id


async def accepted(world: World, trade_id: str, name: str | None, class_id: str = "") -> None:
    moved = [{**row, "name": name, "class_id": class_id} for row in everything(world, trade_id)["moved"]]
    await told(world, trade_id, "offer_accepted", offer_id="77", state=3, exchange_id="x", settles_at=None, moved=moved)


def row_of(world: World) -> tuple[str, int, str | None]:
    query = select(tables.items.c.market_hash_name, tables.deposits.c.value_cents, tables.deposits.c.frozen_by)
    [row] = world.rows(query.join(tables.deposits, tables.deposits.c.item_id == tables.items.c.item_id))
    return tuple(row)


async def test_the_receipt_of_the_bot_that_received_it_says_what_it_is(world: World) -> None:
    trade_id = await deposited_as_dear(world)
    await accepted(world, trade_id, CHEAP)
    assert row_of(world) == (CHEAP, 6, "swapped")
    assert world.statuses(trade_id) == ("accepted", {"active"})
    [alarm] = [json.loads(row.data) for row in world.events("alarm")]
    assert (alarm["alarm"], alarm["said"], alarm["is"]) == ("item_swapped", DEAR, CHEAP)
    assert (alarm["value_cents_said"], alarm["value_cents"]) == (318_416, 6) and alarm["action"]
    await accepted(world, trade_id, CHEAP)
    assert len(world.events("alarm")) == 1


@pytest.mark.both_databases
async def test_an_item_that_nobody_knows_is_worth_nothing(world: World) -> None:
    trade_id = await deposited_as_dear(world)
    await accepted(world, trade_id, "Something else")
    assert row_of(world) == ("Something else", 0, "swapped")


async def test_what_is_what_it_was_said_to_be_stays_as_it_is(world: World) -> None:
    trade_id = await deposited_as_dear(world)
    await accepted(world, trade_id, DEAR)
    assert row_of(world) == (DEAR, 318_416, None)


async def test_what_the_receipt_did_not_name_is_named_when_it_settles(world: World) -> None:
    trade_id = await deposited_as_dear(world)
    await accepted(world, trade_id, None)
    assert row_of(world) == (DEAR, 318_416, None)
    await told(world, trade_id, "settled", assets=[{**row, "name": CHEAP} for row in world.seen(trade_id, 1)])
    assert row_of(world) == (CHEAP, 6, "swapped")


async def test_a_row_that_an_audit_finds_swapped_is_frozen_itself(world: World) -> None:
    [deposit_id] = await world.held(1, wish=world.wish(wanted=[Wanted(world.assets(1, DEAR)[0].held, CENTS[DEAR])]))
    row = world.rows(tables.deposits.select())[0]
    bot = f"{row.color}-{row.bot_id}"
    await world.ctx.db.run(ask.want, [bot], "audit_1", By("test", world.ctx.clock.now()))
    for _ in range(2):
        world.later(world.ctx.settings.trades.audit_again_s + 1)
        await world.online("red-1", "red-2")
        await ask.round_of(world.ctx)
        [order] = [order for order in world.taken(bot) if order.kind == "inventory"]
        asset = {"asset_id": str(row.asset_id), "context_id": "2", "class_id": "1", "instance_id": "0", "name": CHEAP}
        data: dict[str, Any] = {"steam_id": payload(order, InventoryOrder).steam_id, "assets": [{**asset, "fingerprint": None}]}
        report = replace(world.report(None, "custody_read", bot=bot, **data), order_id=order.order_id)
        times = world.ctx.settings.trades
        await world.ctx.db.run(readings.apply, report, world.ctx.clock.now(), times, CENTS.get)
    assert row_of(world) == (CHEAP, 6, "swapped")
    assert world.rows(tables.deposits.select())[0].deposit_id == deposit_id
    assert world.bot(bot).frozen_by == "audit"


# --- what Valve calls otherwise ------------------------------------------------------------------------------------

NEW = "AWP | Gungnir, the Spear (Factory New)"


async def taken_in(world: World, who: int = 1, name: str = DEAR, class_id: str = "77") -> str:
    """A deposit of which Steam's receipt says what it is; the trade's id."""
    [wanted] = world.assets(1, DEAR)
    trade_ids = await world.deposit(who=who, wish=world.wish(who=who, wanted=[Wanted(wanted.held, CENTS[DEAR])]))
    await accepted(world, trade_ids[0], name, class_id)
    return trade_ids[0]


def all_rows(world: World) -> list[tuple[str, int, str | None]]:
    columns = (tables.items.c.market_hash_name, tables.deposits.c.value_cents, tables.deposits.c.frozen_by)
    query = select(*columns).join(tables.deposits, tables.deposits.c.item_id == tables.items.c.item_id)
    return [tuple(row) for row in world.rows(query.order_by(tables.deposits.c.deposit_id))]


def told_alarms(world: World) -> list[str]:
    return [json.loads(row.data)["alarm"] for row in world.events("alarm")]


async def test_what_valve_renames_before_it_settles_is_the_same_item(world: World) -> None:
    trade_id = await taken_in(world)
    before = world.rows(tables.deposits.select())[0].fingerprint
    seen = [{**row, "name": NEW, "class_id": "77"} for row in world.seen(trade_id, 1)]
    await told(world, trade_id, "settled", assets=seen)
    assert all_rows(world) == [(NEW, CENTS[DEAR], None)], "worth what it was taken in at"
    assert told_alarms(world) == ["item_renamed"]
    assert world.rows(tables.deposits.select())[0].fingerprint == before.replace(DEAR, NEW)


async def test_what_valve_renames_while_its_offer_is_out_is_the_same_item_to_a_bot_that_knew_it(world: World) -> None:
    await taken_in(world, who=1)
    await taken_in(world, who=2, name=NEW)
    assert [row[1:] for row in all_rows(world)] == [(CENTS[DEAR], None)] * 2
    assert told_alarms(world) == ["item_renamed"]


async def test_a_name_made_up_for_the_true_class_is_no_rename(world: World) -> None:
    """A reader that lies of the name only: the class that it tells is the cheap item's own, and proves nothing."""
    [wanted] = world.assets(1, DEAR)
    trade_ids = await world.deposit(wish=world.wish(wanted=[Wanted(replace(wanted.held, class_id="5"), CENTS[DEAR])]))
    await accepted(world, trade_ids[0], CHEAP, "5")
    assert all_rows(world) == [(CHEAP, 6, "swapped")]


async def test_a_taken_over_hosts_own_rows_are_no_evidence_for_another_groups_bot(make: Any) -> None:
    """It calls the cheap class by the dear name at its own bot first, then has the same come in at another host's."""
    world = await make(bots=("red-1", "red-11"))
    await world.online("red-1")
    await taken_in(world, who=1, name=DEAR, class_id="5")
    await world.ctx.fleet.set_mode("red", 1, "paused", "test")
    await world.online("red-11")
    trade_id = await taken_in(world, who=2, name=CHEAP, class_id="5")
    assert world.trade(trade_id).bot_id == 11
    assert sorted(all_rows(world)) == sorted([(DEAR, CENTS[DEAR], None), (CHEAP, 6, "swapped")])


async def test_another_class_under_another_name_is_another_item_whatever_was_said_before(world: World) -> None:
    trade_id = await taken_in(world)
    await told(world, trade_id, "settled", assets=[{**row, "name": CHEAP, "class_id": "5"} for row in world.seen(trade_id, 1)])
    assert all_rows(world) == [(CHEAP, 6, "swapped")]


async def test_rows_follow_a_name_that_an_audit_sees(world: World) -> None:
    trade_id = await taken_in(world)
    await told(world, trade_id, "settled", assets=[{**row, "name": DEAR, "class_id": "77"} for row in world.seen(trade_id, 1)])
    row = world.rows(tables.deposits.select())[0]
    bot = f"{row.color}-{row.bot_id}"
    await world.ctx.db.run(ask.want, [bot], "audit_1", By("test", world.ctx.clock.now()))
    await ask.round_of(world.ctx)
    [order] = [order for order in world.taken(bot) if order.kind == "inventory"]
    asset = {"asset_id": str(row.asset_id), "context_id": "2", "class_id": "77", "instance_id": "0", "name": NEW}
    data: dict[str, Any] = {"steam_id": payload(order, InventoryOrder).steam_id, "assets": [{**asset, "fingerprint": None}]}
    report = replace(world.report(None, "custody_read", bot=bot, **data), order_id=order.order_id)
    await world.ctx.db.run(readings.apply, report, world.ctx.clock.now(), world.ctx.settings.trades, CENTS.get)
    assert all_rows(world) == [(NEW, CENTS[DEAR], None)]
    assert told_alarms(world) == ["item_renamed"]
    assert world.bot(bot).frozen_by is None


# --- what a host says of the world ---------------------------------------------------------------------------------


async def test_one_host_cannot_say_that_steam_is_in_maintenance(make: Any) -> None:
    world: World = await make(bots=("red-1", "red-2", "red-3", "red-11"))
    await world.online("red-1", "red-2", "red-3", reason="steam_maintenance")
    assert not world.ctx.fleet.maintenance
    await world.online("red-11", reason="steam_maintenance")
    assert world.ctx.fleet.maintenance


async def test_a_reversal_from_the_bots_own_account_blocks_the_bot_and_not_the_player(world: World) -> None:
    [trade_id] = await world.deposit(1)
    await world.accept(trade_id)
    await world.tell(trade_id, "exchange_reversed", exchange_id="x", exchange_status=12, rollback=None, reversed_by="bot")
    assert world.trade(trade_id).status == "reversed"
    assert [row.blocked_by for row in world.rows(tables.users.select()) if row.steam_id] == [None]
    assert world.bot(f"red-{world.trade(trade_id).bot_id}").frozen_by == "own_reversal"
    assert [json.loads(row.data)["alarm"] for row in world.events("alarm")] == ["bot_reversed"]


@pytest.mark.parametrize("whose", ["partner", None])
async def test_a_players_reversal_blocks_the_player(world: World, whose: str | None) -> None:
    [trade_id] = await world.deposit(1)
    await world.accept(trade_id)
    await world.tell(trade_id, "exchange_reversed", exchange_id="x", exchange_status=12, rollback=None, reversed_by=whose)
    assert [row.blocked_by for row in world.rows(tables.users.select()) if row.steam_id] == [trade_id]
    assert world.bot(f"red-{world.trade(trade_id).bot_id}").frozen_by is None
