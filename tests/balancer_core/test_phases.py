"""A Doppler is worth what its phase is worth, once a bot has read the phase of that very copy; the holder's word counts."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from balancer_core import test_audits as audits
from balancer_core.core_world import World
from balancer_core.games import Games, said
from balancer_core.test_own_word import told
from sqlalchemy import select, update

from balancer.custody import stock
from balancer.db import tables
from balancer.items import catalogue, policy
from balancer.items.prices import Prices
from balancer.trades import dear
from balancer.trades.requests import Wanted
from shared.domain.items import HeldAsset

NAME = "★ Karambit | Doppler (Factory New)"
CENTS = {NAME: 63_150, f"{NAME} - Phase 1": 63_150, f"{NAME} - Ruby": 310_000}


def copies(world: World, *phases: str | None) -> list[HeldAsset]:
    return [replace(one.held, phase=phase) for one, phase in zip(world.assets(len(phases), NAME), phases, strict=True)]


async def deposited(world: World, *phases: str | None) -> str:
    """One trade with copies of which the reader of the player's inventory has said these phases."""
    games = Games(world)
    await games.ready(1, 2)
    await world.ctx.db.run(catalogue.upsert, CENTS, "file", world.ctx.clock.now())
    wanted = [Wanted(held, CENTS.get(held.priced_name, CENTS[NAME])) for held in copies(world, *phases)]
    [trade_id] = await world.deposit(wish=world.wish(wanted=wanted))
    await world.accept(trade_id)
    return trade_id


async def settled(world: World, trade_id: str, *phases: str | None) -> None:
    """The bot that holds them says what they are."""
    seen = [
        {**row, "name": NAME, "class_id": "7", "phase": phase} for row, phase in zip(world.seen(trade_id), phases, strict=True)
    ]
    await told(world, trade_id, "settled", assets=seen)


def rows(world: World) -> list[tuple[str | None, int, str | None]]:
    """Phase, value and why it is frozen, in the order in which they came."""
    table = tables.deposits.c
    query = select(table.phase, table.value_cents, table.frozen_by).order_by(table.asset_id)
    return [tuple(row) for row in world.rows(query)]


def ids(world: World) -> list[str]:
    return [row.deposit_id for row in world.rows(tables.deposits.select().order_by(tables.deposits.c.asset_id))]


@pytest.mark.both_databases
async def test_each_row_is_locked_at_the_value_of_its_phase_or_at_the_lowest(world: World) -> None:
    trade_id = await deposited(world, "Ruby", None, "Phase 1", "Sapphire")
    assert [cents for _, cents, _ in rows(world)] == [310_000, 63_150, 63_150, 63_150]
    await settled(world, trade_id, "Ruby", None, "Phase 1", "Sapphire")
    games, own = Games(world), ids(world)
    lock = said(await games.lock("l1", own))
    cents = {row["deposit_id"]: row["value_cents"] for row in lock["rows"]}
    assert [cents[each] for each in own] == [310_000, 63_150, 63_150, 63_150]  # nobody sells Sapphires
    assert {row["market_hash_name"] for row in lock["rows"]} == {NAME}
    await games.release("l1")
    await world.ctx.db.run(catalogue.upsert, {f"{NAME} - Ruby": 290_000}, "file", world.ctx.clock.now())
    assert said(await games.lock("l2", own[:1]))["rows"][0]["value_cents"] == 290_000


async def test_the_house_gives_and_takes_a_phase_at_its_own_value(world: World) -> None:
    trade_id = await deposited(world, "Ruby", None)
    await settled(world, trade_id, "Ruby", None)
    ruby, unknown = ids(world)
    games = Games(world)
    games.houses(ruby)
    free = await world.ctx.db.read(stock.free, None, 10)
    assert [(row.deposit_id, row.value_cents) for row in free] == [(ruby, 310_000)]
    assert await world.ctx.db.read(stock.free, 300_000, 10) == []
    await games.issue("i1", 1, "Big Ticket", 100)
    games.rules["fee_bp"] = 0
    answer = said(await games.exchange("e1", [unknown], tickets=1, ticket="Big Ticket"))
    assert (answer["value_in_cents"], answer["rest_cents"]) == (63_150, 63_050)


@pytest.mark.both_databases
async def test_a_holder_that_says_another_phase_freezes_the_row_at_the_real_ones_value(world: World) -> None:
    """A host that was taken over calls a Phase 1 a Ruby."""
    trade_id = await deposited(world, "Ruby")
    world.ctx.prices.value = CENTS.get  # type: ignore[method-assign, assignment]
    await settled(world, trade_id, "Phase 1")
    assert [(phase, frozen) for phase, _, frozen in rows(world)] == [("Phase 1", "swapped")]
    [alarm] = [json.loads(row.data) for row in world.events("alarm")]
    assert (alarm["alarm"], alarm["said"], alarm["is"]) == ("item_swapped", f"{NAME} - Ruby", f"{NAME} - Phase 1")


async def test_a_phase_that_only_the_holder_could_read_is_the_rows_from_then_on(world: World) -> None:
    trade_id = await deposited(world, None, "Ruby")
    await settled(world, trade_id, "Ruby", None)  # Steam leaves properties out at times: no word is no contradiction
    assert rows(world) == [("Ruby", 63_150, None), ("Ruby", 310_000, None)]
    await settled(world, trade_id, "Ruby", "Ruby")
    assert rows(world) == [("Ruby", 63_150, None), ("Ruby", 310_000, None)]


async def audit(world: World, *phases: str) -> None:
    there = audits.lying(world)
    for row, phase in zip(there.values(), phases, strict=True):
        row |= {"phase": phase}
    await audits.start(world, "red-1")
    await audits.look(world, there)


async def test_an_audit_tells_the_phase_of_rows_from_before_and_finds_a_wrong_one(world: World) -> None:
    trade_id = await deposited(world, None, "Ruby")
    await settled(world, trade_id, None, None)
    world.change(update(tables.deposits).values(color="red", bot_id=1))
    await audits.later(world, 60)
    await audit(world, "Phase 1", "Phase 1")
    assert [(phase, frozen) for phase, _, frozen in rows(world)] == [("Phase 1", None), ("Phase 1", "swapped")]


@pytest.mark.parametrize("phase", ["Opal", "", 7, ["Ruby"], None, "ruby"])
async def test_another_word_of_a_bot_is_no_phase(world: World, phase: Any) -> None:
    trade_id = await deposited(world, None)
    await settled(world, trade_id, phase)
    assert rows(world) == [(None, 63_150, None)]


def test_two_hosts_that_say_another_phase_contradict_each_other(world: World) -> None:
    [ruby] = copies(world, "Ruby")
    for again, fields in ((replace(ruby, phase="Phase 1"), ["phase"]), (replace(ruby, phase=None), []), (ruby, [])):
        second: Any = SimpleNamespace(assets={ruby.asset: again})
        assert [row["field"] for row in dear.contradictions([Wanted(ruby, 310_000)], second)] == fields


def test_a_phase_without_a_price_has_the_lowest_of_its_name(world: World, tmp_path: Path) -> None:
    file = tmp_path / "prices.json"
    file.write_text(json.dumps({f"{NAME} - Ruby": 310_000, f"{NAME} (Phase 1)": 70_000, NAME: 75_000, "AK": 5}))
    settings = world.ctx.settings.model_copy(
        update={"balancer": world.ctx.settings.balancer.model_copy(update={"prices_file": file})}
    )
    prices = Prices(settings)
    assert prices.file is not None and prices.file.check_now()
    prices.combine(world.ctx.clock.now())
    ruby, first = copies(world, "Ruby", "Phase 1")
    assert (prices.value(ruby.priced_name), prices.value(first.priced_name)) == (310_000, 70_000)
    assert (prices.value(NAME), prices.value("AK"), prices.value("AK - Ruby")) == (70_000, 5, None)
    [sapphire] = copies(world, "Sapphire")
    assert prices.value(sapphire.priced_name) == 70_000
    taken = policy.accept([sapphire.asset], {sapphire.asset: sapphire}, prices.value, policy.Rules(1))
    assert taken == [(sapphire, 70_000)]
