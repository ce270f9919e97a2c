"""The sweep: what should have gone on by itself and did not is asked for again, settled, and in the end removed.

Each function looks for one kind of work, writes down that it is taken on, and only then gives orders; doing so twice is no
harm. Nothing is freed on a guess: a trade whose order may be out is only ever asked about.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, exists, or_, select, update

from balancer.context import Context
from balancer.custody import gifts
from balancer.db.tables import bots, trades
from balancer.journal import opening, record
from balancer.journal.rules import ByRules, Rules
from balancer.orders import build
from balancer.trades import cancel, holding, restricted
from balancer.upkeep import purge, release, search, settle
from shared.domain.status import LIVE, Direction, TradeEvent, TradeStatus
from shared.orders import Order

S = TradeStatus

WHO = "sweep"
BATCH_MAX = 500
# After a commit the request itself gives the order; the sweep does so only when it had time enough.
GIVING_S = 5.0
# A bot that did not cancel by then is asked again.
CANCEL_AGAIN_S = 60.0
PURGE_EVERY_S = 600.0
_NOT_QUEUED = [status.value for status in LIVE if status is not S.QUEUED]
# A hold is Steam's; it lasts days and ends by itself.
_MAY_TIME_OUT = [status.value for status in LIVE if status is not S.HELD]


class Sweep:
    """All of it, one after the other. One kind failing does not keep the next from its turn."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._purged_s: float | None = None
        self._declined_s: float | None = None

    async def round(self) -> None:
        """One pass.

        Raises:
            ExceptionGroup: of every kind of work that failed, after all were tried.
        """
        failed: list[Exception] = []
        for work in self._due():
            try:
                await work(self._ctx)
            except Exception as error:  # collected, raised together below
                failed.append(error)
        if failed:
            raise ExceptionGroup("the sweep", failed)

    def _due(self) -> list[Callable[[Context], Awaitable[int]]]:
        work: list[Callable[[Context], Awaitable[int]]] = [
            holding.hold,
            restricted.hold_back,
            restricted.go_on,
            release.release,
            give_orders,
            doubt_silent,
            search.find_offers,
            time_out_offers,
            ask_cancels,
            settle.settle,
        ]
        now_s = self._ctx.clock.monotonic()
        if self._purged_s is None or now_s - self._purged_s >= PURGE_EVERY_S:
            self._purged_s = now_s
            work += [purge.purge, purge.raise_alarms]
        if self._declined_s is None or now_s - self._declined_s >= self._ctx.settings.trades.decline_s:
            self._declined_s = now_s
            work.append(gifts.decline_offers)
        return work


# --- orders to give, or to give again ---------------------------------------------------------------------


async def give_orders(ctx: Context) -> int:
    """Give the send orders of trades that wait for one: those to be tried again by now, those whose order never went out."""
    if ctx.fleet.maintenance:
        return 0
    rows, moved, asked_by = await ctx.db.run(_take_waiting, holding.paused(ctx.switches), ctx.clock.now())
    orders = [ctx.orders.send_again(trade, moved[trade.trade_id], asked_by.get(trade.trade_id)) for trade in rows]
    return await _give(ctx, orders)


def _take_waiting(
    connection: Connection, paused: ColumnElement[bool], now: datetime
) -> tuple[list[Row[Any]], dict[str, build.Moved], dict[str, str]]:
    """Clearing ``next_try_at`` takes a trade on: from then on its order may be out."""
    never_given = and_(
        trades.c.order_issued_at.is_(None),
        trades.c.next_try_at.is_(None),
        trades.c.touched < now - timedelta(seconds=GIVING_S),
    )
    # A frozen bot gives nothing: what is known not to be out waits on.
    frozen = exists().where(bots.c.color == trades.c.color, bots.c.bot_id == trades.c.bot_id, bots.c.frozen_by.is_not(None))
    kept = and_(trades.c.direction == Direction.WITHDRAW.value, trades.c.cancel_requested_at.is_(None), frozen)
    due = and_(trades.c.waits_for.is_(None), or_(and_(trades.c.next_try_at <= now, ~kept), never_given))
    rows = _locked(connection, and_(trades.c.status == S.QUEUED.value, due, ~paused))
    _set(connection, rows, next_try_at=None, touched=now)
    if not rows:
        return [], {}, {}
    return rows, build.moved_of(connection, rows), opening.asked_by(connection, [trade.trade_id for trade in rows])


async def doubt_silent(ctx: Context) -> int:
    """Trades whose order must long be over, and of which nothing was heard: in doubt, to be looked for, not sent again."""
    times = ctx.settings.trades
    silent_s = times.order_expiry_s + times.order_in_hand_s
    now = ctx.clock.now()
    ids = await ctx.db.read(_silent, now, now - timedelta(seconds=times.order_in_hand_s), now - timedelta(seconds=silent_s))
    for trade_id in ids:
        await ctx.db.run(_record, trade_id, TradeEvent.ANSWER_LOST, {"reason": "silence"}, now, Rules.of(ctx.settings))
    ctx.changes.notify(ids)
    return len(ids)


def _silent(connection: Connection, now: datetime, expired: datetime, untouched: datetime) -> list[str]:
    known = and_(trades.c.status.in_([S.QUEUED.value, S.SENDING.value]), trades.c.order_expires_at < expired)
    # The order was picked up before it was written down as given.
    unknown = and_(trades.c.status == S.SENDING.value, trades.c.order_expires_at.is_(None), trades.c.touched < untouched)
    query = select(trades.c.trade_id).where(or_(known, unknown)).order_by(trades.c.trade_id).limit(BATCH_MAX)
    return list(connection.scalars(query))


def _record(
    connection: Connection, trade_id: str, event: TradeEvent, data: dict[str, Any], now: datetime, rules: Rules
) -> record.Recorded:
    return record.record(connection, record.read_trade(connection, trade_id), event, data, ByRules(WHO, now, rules))


# --- offers that must end ---------------------------------------------------------------------------------


async def time_out_offers(ctx: Context) -> int:
    """Offers that nobody answered in time are to be canceled; they are when Steam has said so."""
    ids = await ctx.db.run(_wish_timed_out, ctx.clock.now(), Rules.of(ctx.settings))
    ctx.changes.notify(ids)
    return len(ids)


def _wish_timed_out(connection: Connection, now: datetime, rules: Rules) -> list[str]:
    late = and_(trades.c.status.in_(_MAY_TIME_OUT), trades.c.expires_at < now, trades.c.cancel_requested_at.is_(None))
    rows = _locked(connection, and_(late, trades.c.waits_for.is_(None)))
    for trade in rows:
        cancel.request(connection, trade, ByRules(WHO, now, rules), reason="offer_timeout")
    return [trade.trade_id for trade in rows]


async def ask_cancels(ctx: Context) -> int:
    """Trades that are to be canceled and are not yet: recall the order, and ask the bot once more."""
    rows, moved = await ctx.db.run(_take_cancels, ctx.clock.now())
    for trade in rows:
        await ctx.outbox.recall(trade)
    return await _give(ctx, [ctx.orders.cancel(row, moved[row.trade_id]) for row in rows if row.status in _NOT_QUEUED])


def _take_cancels(connection: Connection, now: datetime) -> tuple[list[Row[Any]], dict[str, build.Moved]]:
    before = now - timedelta(seconds=CANCEL_AGAIN_S)
    not_asked = or_(trades.c.cancel_asked_at.is_(None), trades.c.cancel_asked_at < before)
    wished = and_(trades.c.status.in_([s.value for s in LIVE]), trades.c.cancel_requested_at.is_not(None), not_asked)
    rows = _locked(connection, wished)
    _set(connection, [row for row in rows if row.status in _NOT_QUEUED], cancel_asked_at=now)
    return rows, build.moved_of(connection, rows) if rows else {}


# --- common --------------------------------------------------------------------------------------------


def _locked(connection: Connection, condition: ColumnElement[bool]) -> list[Row[Any]]:
    """Up to `BATCH_MAX` trades that fit, locked in the order of their ids."""
    query = select(trades).where(condition).order_by(trades.c.trade_id).limit(BATCH_MAX).with_for_update()
    return list(connection.execute(query))


def _set(connection: Connection, rows: Sequence[Row[Any]], **values: Any) -> None:
    if rows:
        connection.execute(update(trades).where(trades.c.trade_id.in_([row.trade_id for row in rows])).values(values))


async def _give(ctx: Context, given: Sequence[Order]) -> int:
    if given and not await ctx.outbox.give(given):
        return 0
    return len(given)
