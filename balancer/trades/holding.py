"""A pause of withdrawals holds what was ordered and not begun, too: the order is recalled, the trade goes back in line.

A pause is for when something is wrong, as with a stolen key: what lies in a bot's queue must not go out while somebody looks.
What a bot has begun goes on; in the moment in which it begins the recall may cancel the offer, and the trade ends as canceled.
Holding is said again with every sweep, so that it does not matter when the pause was seen or whether Redis was there.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, false, select, true, update

from balancer.context import Context
from balancer.db.tables import bots, trades
from balancer.fleet.switches import WITHDRAWALS, Switches
from balancer.journal import events
from balancer.journal.by import By
from shared.domain.ids import bot_name
from shared.domain.status import Direction, TradeStatus, WaitsFor

WHO = "sweep"
BATCH_MAX = 500
HELD = "withdrawal_held"


def paused(switches: Switches) -> ColumnElement[bool]:
    """Which rows of ``trades`` are withdrawals that a pause holds, unless they are to be canceled anyway."""
    which = true() if switches.paused(WITHDRAWALS) else _of_clients(switches.paused_clients())
    return and_(trades.c.direction == Direction.WITHDRAW.value, trades.c.cancel_requested_at.is_(None), which)


def _of_clients(client_ids: list[str]) -> ColumnElement[bool]:
    return trades.c.client_id.in_(client_ids) if client_ids else false()


async def hold(ctx: Context) -> int:
    """Recall the orders of withdrawals that are paused and were not begun. Returns how many are held anew."""
    if not ctx.switches.paused(WITHDRAWALS) and not ctx.switches.paused_clients():
        return 0
    held = 0
    while True:
        changed, recalled = await ctx.db.run(_hold, ctx.switches, ctx.clock.now())
        for trade in recalled:
            await ctx.outbox.recall(trade)
        ctx.changes.notify(changed)
        held += len(changed)
        if len(changed) < BATCH_MAX:
            return held


def _hold(connection: Connection, switches: Switches, now: datetime) -> tuple[list[str], list[Row[Any]]]:
    """Trades that are held anew, and those to recall: new ones first, then those that were recalled before."""
    queued = and_(trades.c.status == TradeStatus.QUEUED.value, trades.c.waits_for.is_(None), paused(switches))
    query = select(trades).where(queued).order_by(trades.c.held_at.is_not(None), trades.c.trade_id)
    rows = list(connection.execute(query.limit(BATCH_MAX).with_for_update()))
    lined_up = [trade for trade in rows if trade.next_try_at is not None]  # nothing of it is out
    recalled = [trade for trade in rows if trade.next_try_at is None]
    new = [trade for trade in recalled if trade.held_at is None]
    for trade in lined_up:
        _line_up(connection, trade, now)
    if new:
        connection.execute(update(trades).where(trades.c.trade_id.in_([one.trade_id for one in new])).values(held_at=now))
    events.append(connection, *[_event_data(trade, now) for trade in (*lined_up, *new)])
    return [one.trade_id for one in (*lined_up, *new)], recalled


def _line_up(connection: Connection, trade: Row[Any], now: datetime) -> None:
    """Back in line, in front of whoever came later, and its open offer is free meanwhile."""
    connection.execute(
        update(trades)
        .where(trades.c.trade_id == trade.trade_id)
        .values(waits_for=WaitsFor.OFFER.value, next_try_at=trade.begun_at or now, begun_at=None, held_at=None, touched=now)
    )
    connection.execute(
        update(bots)
        .where(bots.c.color == trade.color, bots.c.bot_id == trade.bot_id)
        .values(open_offers=bots.c.open_offers - 1, touched=now)
    )


def _event_data(trade: Row[Any], now: datetime) -> dict[str, Any]:
    bot = bot_name(trade)
    return events.row(HELD, {"attempt": trade.attempt}, By(WHO, now), trade.trade_id, trade.user_id, bot)
