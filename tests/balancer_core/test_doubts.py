"""An operator's word about a trade that stays in doubt: what it takes to be believed, and what follows."""

from __future__ import annotations

import json
from typing import Any

import pytest
from balancer_core.core_world import World
from balancer_core.test_at_once import assert_counters_add_up

from balancer.journal import story
from balancer.journal.rules import ByRules, Rules
from balancer.trades.cancel import cancel
from balancer.trades.requests import Caller
from balancer.upkeep import doubts, sweep
from balancer.upkeep import search as finding
from shared.errors import Conflict, FleetError, NotFound, TooLate

WHO = "client:boss"


def decide(world: World, trade_id: str, offer_id: str | None = None) -> None:
    rules = Rules.of(world.ctx.settings)
    with world.ctx.db.transaction() as connection:
        doubts.decide(connection, trade_id, offer_id, "I have looked", ByRules(WHO, world.ctx.clock.now(), rules))


def refused(world: World, trade_id: str, offer_id: str | None = None) -> str:
    """The code; nothing was written."""
    before = world.events(), world.trade(trade_id)
    with pytest.raises(FleetError) as error:
        decide(world, trade_id, offer_id)
    assert (world.events(), world.trade(trade_id)) == before
    return error.value.error_code


async def search(world: World, trade_id: str, says: str | None) -> list[Any]:
    """The next search is due, ordered, and says this; its orders."""
    wait_s = (world.trade(trade_id).find_at - world.ctx.clock.now()).total_seconds()
    world.later(max(0.0, wait_s) + 0.1)
    await world.online("red-1", "red-2")
    assert await finding.find_offers(world.ctx) == 1
    found = [order for bot in ("red-1", "red-2") for order in world.taken(bot) if order.kind == "find"]
    if says is not None:
        await world.tell(trade_id, "find_inconclusive", reason=says)
    return found


async def stays_in_doubt(world: World, says: str | None = "items_not_in_place", searches: int = finding.ALARM_TRIES + 1) -> str:
    [trade_id] = await world.deposit(1)
    await world.ctx.outbox.drain()
    await world.tell(trade_id, "answer_lost", reason="timeout")
    world.clear_queues()
    for _ in range(searches):
        await search(world, trade_id, says)
    return trade_id


async def test_nobody_is_believed_before_the_alarm(world: World) -> None:
    trade_id = await stays_in_doubt(world, searches=finding.ALARM_TRIES)
    assert world.events("alarm") == []
    assert refused(world, trade_id) == "doubt_too_young"
    await search(world, trade_id, "items_not_in_place")
    assert len(world.events("alarm")) == 1
    decide(world, trade_id)
    assert world.trade(trade_id).status == "queued"


@pytest.mark.parametrize(
    ("says", "code"),
    [
        (None, "doubt_too_young"),  # no bot has answered
        ("first_look", "doubt_too_young"),
        ("half_filled", "doubt_too_young"),
        ("list_incomplete", "doubt_too_young"),
        ("steam_maintenance", "doubt_too_young"),
        ("items_moved", "offer_seen"),
        ("offer_unclear", "offer_seen"),
        ("exchange_not_done", "offer_seen"),
    ],
)
async def test_nobody_is_believed_against_the_last_search(world: World, says: str | None, code: str) -> None:
    trade_id = await stays_in_doubt(world, says)
    assert refused(world, trade_id) == code
    assert world.statuses(trade_id) == ("in_doubt", {"deposit_pending"})


async def test_without_an_offer_the_trade_is_sent_again_and_the_story_says_by_whose_word(world: World) -> None:
    trade_id = await stays_in_doubt(world)
    decide(world, trade_id)
    world.clear_queues()
    assert await sweep.give_orders(world.ctx) == 1
    bot = f"red-{world.trade(trade_id).bot_id}"
    assert [(order.kind, order.attempt) for order in world.taken(bot)] == [("send", 2)]
    with world.ctx.db.transaction() as connection:
        steps = [step for step in story.of_trade(connection, trade_id) if step.who == WHO]
    assert [step.kind for step in steps] == ["doubt_decided", "offer_absent"]
    assert steps[0].data == {
        "reason": "I have looked",
        "searches": finding.ALARM_TRIES + 1,
        "last_search": "items_not_in_place",
    }
    assert "A bot has read all offers twice" not in steps[1].text
    assert refused(world, trade_id) == "too_late"
    # Should the operator have been wrong, the offer is found and adopted.
    assert await world.tell(trade_id, "offer_active", attempt=1, offer_id="77", state=2)
    assert (world.trade(trade_id).status, world.trade(trade_id).offer_id) == ("sent", "77")
    await assert_counters_add_up(world)


async def test_a_new_doubt_needs_searches_of_its_own(world: World) -> None:
    trade_id = await stays_in_doubt(world)
    decide(world, trade_id)
    await sweep.give_orders(world.ctx)
    await world.ctx.outbox.drain()
    await world.tell(trade_id, "answer_lost", reason="timeout")
    assert refused(world, trade_id) == "doubt_too_young"


async def test_without_an_offer_a_trade_that_is_to_be_canceled_ends(world: World) -> None:
    [trade_id] = await world.withdraw(await world.held(1))
    await world.ctx.outbox.drain()
    await world.tell(trade_id, "answer_lost", reason="timeout")
    world.clear_queues()
    for _ in range(finding.ALARM_TRIES + 1):
        await search(world, trade_id, "items_not_in_place")
    await cancel(world.ctx, Caller("cli_test", "site", frozenset({"trade"})), trade_id)
    assert world.trade(trade_id).status == "in_doubt"
    decide(world, trade_id)
    # What the withdrawal was to give is free when a bot has seen it, and frozen when it is gone: not by anybody's word.
    assert world.statuses(trade_id) == ("canceled", {"withdraw_pending"})
    assert world.trade(trade_id).items_awaited == 1
    await assert_counters_add_up(world)


async def test_an_offer_that_is_named_is_looked_up_by_every_search_and_believed_only_from_the_bot(world: World) -> None:
    trade_id = await stays_in_doubt(world, searches=1)
    decide(world, trade_id, "4711")
    decide(world, trade_id, "4712")
    assert world.trade(trade_id).offer_id is None
    for _ in range(2):
        [order] = await search(world, trade_id, "items_not_in_place")
        assert [one.offer_id for one in order.payload.trades] == ["4712"]
    assert world.statuses(trade_id) == ("in_doubt", {"deposit_pending"})
    assert await world.tell(trade_id, "offer_active", offer_id="4712", state=2)
    assert (world.trade(trade_id).status, world.trade(trade_id).offer_id) == ("sent", "4712")
    told = [(row.who, json.loads(row.data)["offer_id"]) for row in world.events("offer_named")]
    assert told == [(WHO, "4711"), (WHO, "4712")]


@pytest.mark.both_databases
async def test_another_trades_offer_cannot_be_named_nor_a_trade_that_is_not_in_doubt(world: World) -> None:
    [other] = await world.deposit(1)
    await world.tell(other, "offer_active", offer_id="77", state=2)
    trade_id = await stays_in_doubt(world, searches=1)
    assert refused(world, trade_id, "77") == "offer_of_another_trade"
    with pytest.raises(TooLate):
        decide(world, other, "78")
    with pytest.raises(NotFound):
        decide(world, "trd_none")
    with pytest.raises(Conflict):
        decide(world, trade_id)
