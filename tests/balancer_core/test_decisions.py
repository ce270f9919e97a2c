"""Rows that stay frozen have a way out: two people decide, and the bot's next reading carries it out or contradicts it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from balancer_core.core_world import World
from balancer_core.test_audits import asked, held, later, look, lying, start, tell, two_looks, unfreeze
from sqlalchemy import update

from balancer.custody import decide
from balancer.custody.decisions import STUCK
from balancer.db import tables
from balancer.journal.by import By
from shared.domain.status import Decision
from shared.errors import Conflict, NotFound

pytestmark = pytest.mark.both_databases

ANNA, BERT = "cli:anna", "client:bert"
RELEASE, WRITE_OFF = Decision.RELEASE, Decision.WRITE_OFF


def row_of(world: World, deposit_id: str) -> Any:
    return world.rows(tables.deposits.select().where(tables.deposits.c.deposit_id == deposit_id))[0]


def freeze(world: World, deposit_id: str, why: str = "unmatched", **more: Any) -> None:
    here = tables.deposits.c.deposit_id == deposit_id
    world.change(update(tables.deposits).where(here).values(frozen_by=why, **more))


async def say(world: World, deposit_id: str, decision: Decision, who: str, asset_id: int | None = None) -> decide.Decided:
    now, audit_id = world.ctx.clock.now(), world.ctx.new_id("audit")
    return await world.ctx.db.run(decide.decide, deposit_id, decision, asset_id, "I looked", By(who, now), audit_id)


async def both_say(world: World, deposit_id: str, decision: Decision, asset_id: int | None = None) -> None:
    assert (await say(world, deposit_id, decision, ANNA, asset_id)).agreed_by is None
    assert (await say(world, deposit_id, decision, BERT, asset_id)).agreed_by == BERT


async def refused(world: World, deposit_id: str, decision: Decision = RELEASE) -> tuple[str, dict[str, Any]]:
    with pytest.raises(Conflict) as error:
        await say(world, deposit_id, decision, ANNA)
    return error.value.error_code, error.value.data


def dropped(world: World) -> list[str]:
    return [json.loads(event.data)["why"] for event in world.events("deposit_decision_dropped")]


def slots(world: World) -> int:
    [bot] = world.rows(tables.bots.select().where(tables.bots.c.color == "red", tables.bots.c.bot_id == 1))
    return int(bot.slots_held)


@pytest.mark.parametrize("why", sorted(STUCK))
async def test_what_lies_in_the_bots_inventory_is_released_by_its_next_reading(world: World, why: str) -> None:
    [deposit_id] = await held(world, "red-1", 1)
    status = "withdraw_pending" if why == "items_gone" else "active"
    freeze(world, deposit_id, why, status=status)
    await both_say(world, deposit_id, RELEASE)
    assert row_of(world, deposit_id).frozen_by == why, "nobody has looked yet"
    await look(world, lying(world))
    row = row_of(world, deposit_id)
    assert (row.status, row.frozen_by) == ("active", None)
    assert world.rows(tables.decisions.select()) == []
    [told] = world.events("deposit_released")
    assert (told.who, told.user_id, told.bot) == (BERT, row.user_id, "red-1")
    assert await world.withdraw([deposit_id])


async def test_the_asset_that_two_people_name_becomes_the_rows(world: World) -> None:
    [deposit_id] = await held(world, "red-1", 1)
    freeze(world, deposit_id)
    [item] = lying(world).values()
    await both_say(world, deposit_id, RELEASE, 4711)
    await look(world, {"4711": {**item, "asset_id": "4711"}})
    assert (row_of(world, deposit_id).asset_id, row_of(world, deposit_id).frozen_by) == (4711, None)


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"asset_id": "99"}, "item_not_here"),
        ({"name": "Another", "class_id": "2"}, "another_item"),
        ({"context_id": "16"}, "item_protected"),
    ],
)
async def test_a_reading_that_does_not_show_it_releases_nothing(world: World, changed: dict[str, str], why: str) -> None:
    [deposit_id] = await held(world, "red-1", 1)
    freeze(world, deposit_id)
    [(asset_id, item)] = lying(world).items()
    await both_say(world, deposit_id, RELEASE)
    await look(world, {changed.get("asset_id", asset_id): {**item, **changed}})
    assert (row_of(world, deposit_id).frozen_by, dropped(world)) == ("unmatched", [why])
    assert world.rows(tables.decisions.select()) == []


async def test_an_item_of_another_row_is_nobody_elses(world: World) -> None:
    first, second = await held(world, "red-1", 2)
    freeze(world, first)
    await both_say(world, first, RELEASE, row_of(world, second).asset_id)
    await look(world, lying(world))
    assert (row_of(world, first).frozen_by, dropped(world)) == ("unmatched", ["item_of_another_row"])


async def test_what_is_missing_twice_is_written_off_and_frees_its_slot(world: World) -> None:
    gone, stays = await held(world, "red-1", 2)
    inventory = lying(world)
    del inventory[str(row_of(world, gone).asset_id)]
    await two_looks(world, inventory)
    assert row_of(world, gone).frozen_by == "missing"
    await unfreeze(world)
    await both_say(world, gone, WRITE_OFF)
    before = slots(world)
    await look(world, inventory)
    row = row_of(world, gone)
    assert (row.status, row.frozen_by, slots(world)) == ("reversed", "written_off", before - 1)
    [told] = world.events("deposit_written_off")
    assert json.loads(told.data)["deposits"] == [
        {"deposit_id": gone, "from": "active", "to": "reversed", "frozen_by": "written_off"}
    ]
    await start(world, "red-1")
    assert (await look(world, inventory)).verdict == "clean"
    assert row_of(world, stays).frozen_by is None


async def test_one_reading_without_it_does_not_write_it_off(world: World) -> None:
    [deposit_id] = await held(world, "red-1", 1)
    freeze(world, deposit_id, "items_left")
    await both_say(world, deposit_id, WRITE_OFF)
    assert (await look(world, {})).running
    assert row_of(world, deposit_id).status == "active"
    await later(world, world.ctx.settings.trades.audit_again_s)
    await look(world, {})
    assert row_of(world, deposit_id).status == "reversed"


async def test_what_is_there_is_not_written_off(world: World) -> None:
    [deposit_id] = await held(world, "red-1", 1)
    freeze(world, deposit_id, "items_left")
    [item] = lying(world).values()
    await both_say(world, deposit_id, WRITE_OFF)
    await look(world, lying(world))
    assert (row_of(world, deposit_id).status, dropped(world)) == ("active", ["item_may_be_here"])
    # A copy that may be it, under another id, is there too.
    freeze(world, deposit_id, "receipt_missing", fingerprint=None)
    await both_say(world, deposit_id, WRITE_OFF)
    await look(world, {"99": {**item, "asset_id": "99"}})
    assert (row_of(world, deposit_id).status, dropped(world)) == ("active", ["item_may_be_here"] * 2)


async def test_nobody_decides_alone_or_on_yesterdays_word(world: World) -> None:
    [deposit_id] = await held(world, "red-1", 1)
    freeze(world, deposit_id)
    for _ in range(2):
        assert (await say(world, deposit_id, RELEASE, ANNA)).agreed_by is None
    assert (await say(world, deposit_id, WRITE_OFF, BERT)).agreed_by is None, "that is another decision"
    assert (await say(world, deposit_id, RELEASE, ANNA)).agreed_by is None
    await later(world, 86400 + 1)
    assert (await say(world, deposit_id, RELEASE, BERT)).agreed_by is None, "too long ago"
    assert (await say(world, deposit_id, RELEASE, ANNA)).agreed_by == ANNA
    assert (await say(world, deposit_id, RELEASE, BERT)).agreed_by == ANNA, "it is decided"
    assert len(world.events("deposit_decision_agreed")) == 1


async def test_a_reading_that_was_asked_for_before_carries_nothing_out(world: World) -> None:
    [deposit_id] = await held(world, "red-1", 1)
    freeze(world, deposit_id)
    await start(world, "red-1")
    order = await asked(world)
    await later(world, 1)
    await both_say(world, deposit_id, RELEASE)
    world.change(update(tables.audits).where(tables.audits.c.bot_id == 1).values(order_id=order.order_id))
    assert await tell(world, order, assets=list(lying(world).values()))
    assert row_of(world, deposit_id).frozen_by == "unmatched"


async def test_what_is_not_to_be_decided_is_refused(world: World) -> None:
    [deposit_id] = await held(world, "red-1", 1)
    assert (await refused(world, deposit_id))[0] == "not_frozen"
    for why in ("reversal", "swapped", "exchange_failed", "gift"):
        freeze(world, deposit_id, why)
        assert await refused(world, deposit_id) == ("item_frozen", {"frozen_by": why})
    freeze(world, deposit_id, "unmatched", locked_by="cli_a:bet")
    assert (await refused(world, deposit_id, WRITE_OFF))[0] == "item_locked"
    freeze(world, deposit_id, "unmatched", locked_by=None)
    world.change(update(tables.trades).values(items_awaited=1))
    assert (await refused(world, deposit_id))[0] == "asset_in_trade"
    with pytest.raises(NotFound):
        await say(world, "dep_none", RELEASE, ANNA)
