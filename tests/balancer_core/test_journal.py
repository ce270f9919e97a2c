"""Every status with every event, whole: what moves, what is no news, what is written down as ignored."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from typing import Any

import pytest
from balancer_core.core_world import World
from balancer_core.test_at_once import assert_counters_add_up
from sqlalchemy import update

from balancer.db import tables
from balancer.journal import effects, values
from balancer.journal import record as journal
from balancer.journal.effects import Held
from balancer.journal.rules import ByRules, Rules
from shared.domain.status import (
    COUNTED,
    DEPOSIT_END,
    DEPOSIT_TABLE,
    ENDED_UNMOVED,
    FINAL,
    LIVE,
    TRADE_TABLE,
    DepositEvent,
    DepositStatus,
    Direction,
    TradeEvent,
    TradeStatus,
    Verdict,
    decide,
)

E, S, D = TradeEvent, TradeStatus, DepositStatus
RULES = Rules(attempts_max=3, retry_after_s=30)


def facts(world: World, trade_id: str) -> dict[str, Any]:
    """Data that fit every event."""
    moved = [
        {
            "asset_id": str(row.asset_id),
            "context_id": "2",
            "new_asset_id": str(row.asset_id + 10**6),
            "new_context_id": "16",
        }
        for row in world.items_of(trade_id)
    ]
    return {
        "offer_id": "77",
        "exchange_id": "x1",
        "settles_at": 2_000_000_000,
        "moved": moved,
        "assets": world.seen(trade_id),
        "code": "partner_hold",
        "reason": "why",
    }


async def record(world: World, trade_id: str, event: TradeEvent, **more: Any) -> journal.Recorded:
    facts_now = facts(world, trade_id)
    with world.ctx.db.transaction() as connection:
        trade = journal.read_trade(connection, trade_id)
        return journal.record(connection, trade, event, facts_now, ByRules("bot:red-1", world.ctx.clock.now(), RULES), **more)


async def brought_to(world: World, status: TradeStatus, direction: Direction) -> str:
    """A trade in this status, brought there by events alone."""
    way = {
        S.QUEUED: [],
        S.SENDING: [E.PICKED_UP],
        S.IN_DOUBT: [E.ANSWER_LOST],
        S.CONFIRMING: [E.CONFIRMATION_NEEDED],
        S.SENT: [E.OFFER_ACTIVE],
        S.HELD: [E.OFFER_HELD],
        S.ACCEPTED: [E.OFFER_ACCEPTED],
        S.SETTLED: [E.OFFER_ACCEPTED, E.SETTLED],
        S.DECLINED: [E.OFFER_DECLINED],
        S.COUNTERED: [E.OFFER_COUNTERED],
        S.EXPIRED: [E.OFFER_EXPIRED],
        S.CANCELED: [E.OFFER_CANCELED],
        S.FAILED: [E.REFUSED],
        S.REVERSED: [E.OFFER_ACCEPTED, E.EXCHANGE_REVERSED],
    }[status]
    if direction is Direction.DEPOSIT:
        [trade_id] = await world.deposit(1)
    else:
        [trade_id] = await world.withdraw(await world.held(1))
    for event in way:
        await record(world, trade_id, event)
    assert world.trade(trade_id).status == status
    return trade_id


def expected(status: TradeStatus, event: TradeEvent) -> tuple[Verdict, TradeStatus]:
    verdict, to = decide(status, event)
    if status is S.QUEUED and event in (E.TRY_LATER, E.BOT_REFUSED):
        return Verdict.MOVES, S.QUEUED
    return verdict, to


# --- the whole table: in memory what it says, in the database each way of carrying it out once -----------------

BOTH = (Direction.DEPOSIT, Direction.WITHDRAW)
PAIRS = list(itertools.product(S, E))
# The row of a trade's only deposit before the event; `None`: no trade of this direction stands there with a row to move.
ROW_OF = {
    Direction.DEPOSIT: dict.fromkeys(LIVE, D.DEPOSIT_PENDING) | dict.fromkeys((S.ACCEPTED, S.SETTLED), D.ACTIVE),
    Direction.WITHDRAW: dict.fromkeys(LIVE, D.WITHDRAW_PENDING) | dict.fromkeys((S.ACCEPTED, S.SETTLED), D.WITHDRAWN),
}
NOW = datetime(2026, 11, 21, tzinfo=UTC)


def held(status: DepositStatus) -> list[Held]:
    return [Held("dep_1", status, 11, "2", None)]


def decided(direction: Direction, status: TradeStatus, to: TradeStatus) -> effects.Effects:
    """What a move means for the trade's only deposit and for its bot; receipt and sight are there."""
    data = {
        "settles_at": 2_000_000_000,
        "moved": [{"asset_id": "11", "new_asset_id": "12", "new_context_id": "16"}],
        "assets": [{"deposit_id": "dep_1", "asset_id": "13", "context_id": "2", "matched": "id"}],
    }
    after = effects.Effects()
    if to not in LIVE:
        after = effects.of_move(direction, to, held(ROW_OF[direction][status]), data, NOW)
    after.offers = effects.offers_taken(status, None, to, None)
    return after


def counters(status: TradeStatus, row: DepositStatus) -> tuple[int, int, int]:
    """Slots held, slots reserved and open offers of a bot with one trade and its only deposit."""
    return int(row in (D.ACTIVE, D.WITHDRAW_PENDING)), int(row is D.DEPOSIT_PENDING), int(status in COUNTED)


@pytest.mark.parametrize("direction", BOTH)
@pytest.mark.parametrize(("status", "event"), PAIRS)
def test_every_move_keeps_the_counters_of_its_bot_true(status: TradeStatus, event: TradeEvent, direction: Direction) -> None:
    verdict, to = expected(status, event)
    if verdict is not Verdict.MOVES:
        assert to is status
        return
    row = ROW_OF[direction][status]
    after = decided(direction, status, to)
    assert len(after.moves) <= 1
    row_after = after.moves[0].after if after.moves else row
    before = counters(status, row)
    assert tuple(map(sum, zip(before, (after.held, after.reserved, after.offers), strict=True))) == counters(to, row_after)


def canceled_by_nobody_of_ours(status: TradeStatus, event: TradeEvent) -> bool:
    return event is E.OFFER_CANCELED and status is not S.HELD


def way_of(direction: Direction, status: TradeStatus, event: TradeEvent) -> tuple[Any, ...]:
    """What the database is asked for; pairs of the same way differ in words only."""
    verdict, to = expected(status, event)
    if verdict is not Verdict.MOVES:
        adopted = event in journal.ADOPTED and status in LIVE
        alarmed = event is E.EXCHANGE_FAILED and status in (S.ACCEPTED, S.SETTLED)
        searched = verdict is Verdict.IGNORED and status is not S.IN_DOUBT and event is not E.OFFER_ABSENT
        return direction, verdict, status in LIVE, adopted, alarmed, searched
    after = decided(direction, status, to)
    rows = [(move.before, move.after, tuple(sorted(move.values))) for move in after.moves]
    asked = event if event in values.ASKED_AGAIN or to is S.IN_DOUBT else None
    alarmed = canceled_by_nobody_of_ours(status, event)
    counted = (after.held, after.reserved, after.offers, after.awaited, bool(after.receipts))
    return direction, to in LIVE, to in FINAL, asked, status is S.IN_DOUBT, to is S.DECLINED, alarmed, rows, counted


def one_of_each_way(direction: Direction) -> list[tuple[TradeStatus, TradeEvent]]:
    found: dict[str, tuple[TradeStatus, TradeEvent]] = {}
    for status, event in PAIRS:
        found.setdefault(repr(way_of(direction, status, event)), (status, event))
    return list(found.values())


def cases() -> list[Any]:
    whole = [
        pytest.param(
            direction, [(status, event) for event in E], id=f"{direction.value}-{status.value}", marks=pytest.mark.long
        )
        for direction in BOTH
        for status in S
    ]
    return [pytest.param(each, one_of_each_way(each), id=f"{each.value}-one_of_each_way") for each in BOTH] + whole


@pytest.mark.both_databases
@pytest.mark.parametrize(("direction", "pairs"), cases())
async def test_what_is_decided_is_carried_out(
    world: World, direction: Direction, pairs: list[tuple[TradeStatus, TradeEvent]]
) -> None:
    for number, (status, event) in enumerate(pairs):
        world.change(tables.trades.update().values(partner=number))  # its limit of open offers is not the subject
        trade_id = await brought_to(world, status, direction)
        await assert_carried_out(world, trade_id, status, event, direction)
    await assert_counters_add_up(world)


async def assert_carried_out(world: World, trade_id: str, status: TradeStatus, event: TradeEvent, direction: Direction) -> None:
    before, rows_before = world.trade(trade_id), [tuple(row) for row in world.deposits_of(trade_id)]
    events_before = world.count("events")
    verdict, to = expected(status, event)
    recorded = await record(world, trade_id, event)
    after = world.trade(trade_id)
    assert (recorded.verdict, recorded.before, recorded.after) == (verdict, status, to), event
    assert after.status == to, event
    told = [row.kind for row in world.events()[events_before:]]
    if verdict is Verdict.MOVES:
        alarm = ["alarm"] if canceled_by_nobody_of_ours(status, event) else []
        assert told == [event.value, *alarm]
        assert after.touched >= before.touched
    elif event is E.EXCHANGE_FAILED and status in (S.ACCEPTED, S.SETTLED):
        assert told == ["report_ignored", "alarm"]
        frozen = "exchange_failed" if direction is Direction.DEPOSIT else None
        assert {row.frozen_by for row in world.deposits_of(trade_id)} == {frozen}
    else:
        assert [tuple(row) for row in world.deposits_of(trade_id)] == rows_before, event
        assert told == (["report_ignored"] if verdict is Verdict.IGNORED else []), (event, told)


@pytest.mark.parametrize("event", list(E))
async def test_the_same_event_twice_changes_things_once(world: World, event: TradeEvent) -> None:
    if event is E.SETTLED:
        trade_id = await brought_to(world, S.ACCEPTED, Direction.DEPOSIT)
    else:
        trade_id = await brought_to(world, S.IN_DOUBT if event is E.OFFER_ABSENT else S.QUEUED, Direction.DEPOSIT)
    attempt = world.trade(trade_id).attempt
    first = await record(world, trade_id, event, attempt=attempt)
    assert first.verdict is Verdict.MOVES
    rows, trade = [tuple(row) for row in world.deposits_of(trade_id)], tuple(world.trade(trade_id))
    counters = [tuple(row) for row in world.rows(tables.bots.select())]
    second = await record(world, trade_id, event, attempt=attempt)
    assert second.verdict is not Verdict.MOVES
    assert [tuple(row) for row in world.deposits_of(trade_id)] == rows
    assert tuple(world.trade(trade_id)) == trade
    assert [tuple(row) for row in world.rows(tables.bots.select())] == counters


# --- attempts ----------------------------------------------------------------------------------------------


async def test_try_later_asks_again_with_the_next_attempt_after_a_wait(world: World) -> None:
    trade_id = await brought_to(world, S.SENDING, Direction.DEPOSIT)
    await world.tell(trade_id, "try_later", code="steam_throttled", reason="slow down", retry_after_s=90)
    trade = world.trade(trade_id)
    assert (trade.status, trade.attempt, trade.order_issued_at) == ("queued", 2, None)
    assert 85 < (trade.next_try_at - world.ctx.clock.now()).total_seconds() <= 90


async def test_the_last_attempt_told_later_fails_with_what_it_was_told(world: World) -> None:
    trade_id = await brought_to(world, S.SENDING, Direction.DEPOSIT)
    world.change(update(tables.trades).values(attempt=3))
    await world.tell(trade_id, "try_later", code="steam_throttled", reason="slow down")
    trade = world.trade(trade_id)
    assert (trade.status, trade.failure_code, trade.failure_reason) == ("failed", "steam_throttled", "slow down")
    assert world.statuses(trade_id) == ("failed", {"deposit_failure"})
    assert [row.kind for row in world.events()][-2:] == ["try_later", "order_dropped"]
    await assert_counters_add_up(world)


@pytest.mark.both_databases
async def test_dropped_order_of_a_canceled_trade_cancels_it(world: World) -> None:
    trade_id = await brought_to(world, S.QUEUED, Direction.DEPOSIT)
    world.change(update(tables.trades).values(cancel_requested_at=world.ctx.clock.now()))
    await world.tell(trade_id, "order_dropped", reason="recalled")
    assert world.statuses(trade_id) == ("canceled", {"deposit_failure"})


async def test_absent_offer_of_a_canceled_trade_cancels_it(world: World) -> None:
    trade_id = await brought_to(world, S.IN_DOUBT, Direction.DEPOSIT)
    world.change(update(tables.trades).values(cancel_requested_at=world.ctx.clock.now()))
    await world.tell(trade_id, "offer_absent", reason="not found twice")
    assert world.statuses(trade_id) == ("canceled", {"deposit_failure"})
    assert [row.kind for row in world.events()][-2:] == ["offer_absent", "order_dropped"]


@pytest.mark.both_databases
async def test_dropped_order_fails_when_attempts_are_used_up(world: World) -> None:
    trade_id = await brought_to(world, S.QUEUED, Direction.DEPOSIT)
    world.change(update(tables.trades).values(attempt=3))
    await world.tell(trade_id, "order_dropped", reason="expired")
    assert world.trade(trade_id).failure_code == "order_expired"
    assert world.statuses(trade_id) == ("failed", {"deposit_failure"})


@pytest.mark.parametrize("event", [event for event in E if event not in journal.ADOPTED])
async def test_bad_news_of_an_older_attempt_is_ignored(world: World, event: TradeEvent) -> None:
    trade_id = await brought_to(world, S.QUEUED, Direction.DEPOSIT)
    world.change(update(tables.trades).values(attempt=2))
    recorded = await record(world, trade_id, event, attempt=1)
    assert recorded.verdict is Verdict.IGNORED
    assert world.statuses(trade_id) == ("queued", {"deposit_pending"})


@pytest.mark.parametrize(
    ("event", "status"),
    [(E.OFFER_ACCEPTED, "accepted"), (E.OFFER_ACTIVE, "sent"), (E.OFFER_HELD, "held"), (E.EXCHANGE_REVERSED, "reversed")],
)
async def test_an_offer_of_an_older_attempt_is_adopted(world: World, event: TradeEvent, status: str) -> None:
    trade_id = await brought_to(world, S.QUEUED, Direction.DEPOSIT)
    world.change(update(tables.trades).values(attempt=2))
    await record(world, trade_id, event, attempt=1)
    assert world.trade(trade_id).status == status


async def test_an_attempt_that_was_never_made_is_ignored(world: World) -> None:
    trade_id = await brought_to(world, S.QUEUED, Direction.DEPOSIT)
    assert (await record(world, trade_id, E.OFFER_ACCEPTED, attempt=2)).verdict is Verdict.IGNORED


@pytest.mark.both_databases
async def test_live_offer_under_another_id_is_adopted(world: World) -> None:
    trade_id = await brought_to(world, S.SENT, Direction.DEPOSIT)
    await world.tell(trade_id, "offer_active", offer_id="78", state=2)
    assert world.trade(trade_id).offer_id == "78"
    assert world.events("offer_adopted")


# --- comparing and setting -----------------------------------------------------------------------------------


async def test_a_stale_row_does_not_overrule_what_happened_since(world: World) -> None:
    trade_id = await brought_to(world, S.SENT, Direction.DEPOSIT)
    with world.ctx.db.transaction() as connection:
        stale = journal.read_trade(connection, trade_id)
    await world.accept(trade_id)
    with world.ctx.db.transaction() as connection:
        now = world.ctx.clock.now()
        recorded = journal.record(connection, stale, E.OFFER_DECLINED, {"offer_id": "77"}, ByRules("bot:red-1", now, RULES))
    assert (recorded.verdict, recorded.before) == (Verdict.IGNORED, S.ACCEPTED)
    assert world.statuses(trade_id) == ("accepted", {"active"})
    await assert_counters_add_up(world)


async def test_two_connections_with_the_same_row_move_it_once(world: World) -> None:
    trade_id = await brought_to(world, S.SENT, Direction.DEPOSIT)
    with world.ctx.db.transaction() as connection:
        stale = journal.read_trade(connection, trade_id)
    verdicts = []
    for _ in range(2):
        with world.ctx.db.transaction() as connection:
            now = world.ctx.clock.now()
            moved = journal.record(connection, stale, E.OFFER_EXPIRED, {"offer_id": "77"}, ByRules("bot:red-1", now, RULES))
            verdicts.append(moved.verdict)
    assert verdicts == [Verdict.MOVES, Verdict.NO_NEWS]
    await assert_counters_add_up(world)


# --- deposits, as a table ------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", list(D))
@pytest.mark.parametrize("to", [S.ACCEPTED, *ENDED_UNMOVED])
def test_deposits_follow_their_table_when_a_deposit_ends(status: DepositStatus, to: TradeStatus) -> None:
    after = effects.of_move(Direction.DEPOSIT, to, held(status), {}, None)  # type: ignore[arg-type]
    wanted = DEPOSIT_TABLE.get((status, DEPOSIT_END[to]))
    assert [move.after for move in after.moves] == ([] if wanted is None else [wanted])
    assert after.reserved == -len(after.moves)


@pytest.mark.parametrize("status", list(D))
@pytest.mark.parametrize("trade", [*ENDED_UNMOVED, S.REVERSED, S.ACCEPTED, S.SENT])
def test_only_awaited_rows_of_withdrawals_come_back_when_seen(status: DepositStatus, trade: TradeStatus) -> None:
    seen = [{"deposit_id": "dep_1", "asset_id": "12", "context_id": "2", "matched": "id"}]
    after = effects.of_seen(Direction.WITHDRAW, trade, 1, held(status), seen)
    over = trade in (*ENDED_UNMOVED, S.REVERSED)
    wanted = DEPOSIT_TABLE.get((status, DepositEvent.ITEMS_SEEN)) if over else None
    assert [move.after for move in after.moves] == ([] if wanted is None else [wanted])
    assert all(move.values["asset_id"] == 12 for move in after.moves)
    assert not effects.of_seen(Direction.DEPOSIT, trade, 1, held(status), seen).moves


@pytest.mark.parametrize("status", list(D))
@pytest.mark.parametrize("trade", list(S))
def test_gone_items_end_reversed_deposits_only(status: DepositStatus, trade: TradeStatus) -> None:
    after = effects.of_gone(Direction.DEPOSIT, trade, 1, held(status), ["dep_1"])
    wanted = DEPOSIT_TABLE.get((status, DepositEvent.REVERSAL_SEEN)) if trade is S.REVERSED else None
    assert [move.after for move in after.moves] == ([] if wanted is None else [wanted])


def test_no_live_status_has_an_aftermath() -> None:
    for direction in (Direction.DEPOSIT, Direction.WITHDRAW):
        for to in LIVE:
            after = effects.of_move(direction, to, held(D.DEPOSIT_PENDING), {}, None)  # type: ignore[arg-type]
            assert after == effects.Effects()


def test_every_move_of_the_trade_table_is_reached_by_some_status() -> None:
    assert {event for _, event in TRADE_TABLE} == set(E)
