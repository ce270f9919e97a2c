"""Reports that come late, twice, or about an older trade or offer: they change nothing that has gone on since."""

from __future__ import annotations

import json
from typing import Any

import pytest
from balancer_core.core_world import World
from balancer_core.test_at_once import assert_counters_add_up
from sqlalchemy import select

from balancer.db import tables


async def declined_and_seen(world: World, n: int = 1) -> tuple[str, list[str]]:
    """A withdrawal that moved nothing and whose items are free again."""
    deposit_ids = await world.held(n)
    [trade_id] = await world.withdraw(deposit_ids)
    await world.tell(trade_id, "offer_declined", offer_id="77", state=7)
    await world.tell(trade_id, "items_seen", assets=world.seen(trade_id, add=5))
    assert world.statuses(trade_id) == ("declined", {"active"})
    return trade_id, deposit_ids


async def test_a_late_sight_frees_nothing_that_another_withdrawal_has_taken_since(world: World) -> None:
    first, deposit_ids = await declined_and_seen(world)
    [second] = await world.withdraw(deposit_ids)
    await world.tell(second, "offer_active", offer_id="78", state=2)
    assert not await world.tell(first, "items_seen", assets=world.seen(first, add=5))
    assert not await world.tell(first, "items_gone", deposit_ids=deposit_ids)
    [row] = world.deposits_of(second)
    assert (world.trade(second).status, row.status, row.frozen_by) == ("sent", "withdraw_pending", None)
    await world.accept(second)
    assert world.statuses(second) == ("accepted", {"withdrawn"})
    await assert_counters_add_up(world)


async def test_a_late_sight_brings_back_nothing_that_another_withdrawal_has_given_out(world: World) -> None:
    first, deposit_ids = await declined_and_seen(world)
    [second] = await world.withdraw(deposit_ids)
    await world.accept(second)
    assert not await world.tell(first, "items_seen", assets=world.seen(first, add=5))
    assert world.statuses(second) == ("accepted", {"withdrawn"})
    await assert_counters_add_up(world)


async def test_of_two_items_only_the_one_that_is_still_awaited_is_taken_from_a_late_sight(world: World) -> None:
    deposit_ids = await world.held(2)
    [first] = await world.withdraw(deposit_ids)
    await world.tell(first, "offer_declined", offer_id="77", state=7)
    seen = world.seen(first, add=5)
    await world.tell(first, "items_seen", assets=seen[:1])
    [second] = await world.withdraw([seen[0]["deposit_id"]])
    await world.tell(second, "offer_declined", offer_id="78", state=7)
    assert await world.tell(first, "items_seen", assets=seen)
    assert {row.deposit_id: row.status for row in world.deposits_of(first)} == {
        seen[0]["deposit_id"]: "withdraw_pending",
        seen[1]["deposit_id"]: "active",
    }
    assert (world.trade(first).items_awaited, world.trade(second).items_awaited) == (0, 1)
    await world.tell(second, "items_seen", assets=world.seen(second, add=9))
    assert world.statuses(second) == ("declined", {"active"})
    await assert_counters_add_up(world)


@pytest.mark.parametrize("end", ["offer_canceled", "offer_declined", "offer_expired", "offer_countered", "items_missing"])
async def test_the_end_of_another_offer_of_a_trade_does_not_end_it(world: World, end: str) -> None:
    """The first attempt's offer came late and was adopted; the second attempt's, sent meanwhile, has ended."""
    [trade_id] = await world.withdraw(await world.held(1))
    await world.tell(trade_id, "answer_lost", reason="timeout")
    await world.tell(trade_id, "offer_absent", reason="not found twice")
    await world.tell(trade_id, "offer_active", attempt=1, offer_id="77", state=2)
    assert (world.trade(trade_id).status, world.trade(trade_id).attempt) == ("sent", 2)
    assert not await world.tell(trade_id, end, offer_id="78", state=6)
    assert world.statuses(trade_id) == ("sent", {"withdraw_pending"})
    assert world.trade(trade_id).find_at is not None  # a bot looks what there is
    assert await world.tell(trade_id, end, offer_id="77", state=6)
    assert world.trade(trade_id).status not in ("sent", "queued")
    await assert_counters_add_up(world)


@pytest.mark.both_databases
async def test_a_deposit_of_which_another_offer_ended_is_credited_all_the_same(world: World) -> None:
    [trade_id] = await world.deposit(1)
    await world.tell(trade_id, "answer_lost", reason="timeout")
    await world.tell(trade_id, "offer_absent", reason="not found twice")
    await world.tell(trade_id, "offer_active", offer_id="78", state=2)
    await world.tell(trade_id, "offer_canceled", offer_id="77", state=6)
    await world.accept(trade_id)
    assert world.statuses(trade_id) == ("accepted", {"active"})
    rows = world.rows(select(tables.deposits.c.asset_id))
    assert len(rows) == len(set(rows)) == 1


# --- a decline that no person can have made ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("times", "later_s", "after_s"),
    [
        ({"made_at": 1000, "changed_at": 1002}, 60, 2),  # Steam's own times are exact, however late a bot sees it
        ({"made_at": 1000, "changed_at": 1011}, 60, None),
        ({"made_at": 1000, "changed_at": 1040}, 3, 3),  # it had to be confirmed before the player saw it
        ({}, 4, 4),
        ({"made_at": None, "changed_at": "1"}, 4, 4),
        ({}, 11, None),
        ({"made_at": 1000, "changed_at": 990}, 60, None),
    ],
)
async def test_a_decline_within_seconds_is_told(
    world: World, times: dict[str, Any], later_s: float, after_s: int | None
) -> None:
    [trade_id] = await world.deposit(1)
    await world.tell(trade_id, "offer_active", offer_id="77", state=2)
    world.later(later_s)
    await world.tell(trade_id, "offer_declined", offer_id="77", state=7, **times)
    told = [json.loads(event.data) for event in world.events("declined_at_once")]
    assert told == ([] if after_s is None else [{"offer_id": "77", "after_s": after_s}])
    await world.tell(trade_id, "offer_declined", offer_id="77", state=7, **times)
    assert len(world.events("declined_at_once")) == len(told)


async def test_other_ends_within_seconds_are_no_such_thing(world: World) -> None:
    for kind in ("offer_canceled", "offer_expired"):
        [trade_id] = await world.deposit(1)
        await world.tell(trade_id, "offer_active", offer_id="77", state=2)
        await world.tell(trade_id, kind, offer_id="77", state=6)
    assert world.events("declined_at_once") == []
