"""Withdrawals that a second operator decides about, and until when a withdrawal waits for its items to settle.

`balancer.upkeep.release` lets those go that wait for nothing more.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, select, update

from balancer.context import Context
from balancer.db.tables import deposits, trade_items, trades
from balancer.journal import events
from balancer.journal.by import By
from balancer.journal.rules import ByRules, Rules
from balancer.trades import cancel
from shared.domain.status import WaitsFor
from shared.errors import Forbidden, NotFound, TooLate
from shared.sections import TradeSettings


async def list_approvals(ctx: Context, after: str, limit: int) -> list[str]:
    """The trades that wait for an approval, oldest first, from the one behind ``after`` on."""
    return await ctx.db.read(waiting_for_approval, after, limit)


def waiting_for_approval(connection: Connection, after: str = "", limit: int | None = None) -> list[str]:
    query = select(trades.c.trade_id).where(trades.c.waits_for == WaitsFor.APPROVAL.value, trades.c.trade_id > after)
    return list(connection.scalars(query.order_by(trades.c.trade_id).limit(limit)))


async def decide(ctx: Context, trade_id: str, client_id: str | None, who: str, *, approve: bool) -> None:
    """Let a withdrawal go, or end it.

    Raises:
        NotFound: no such trade.
        Forbidden: ``own_request``, the client that asked for it decides about it.
        TooLate: it does not wait for an approval (any more).
    """
    by = ByRules(who, ctx.clock.now(), Rules.of(ctx.settings))
    work = functools.partial(decide_in, approve=approve)
    await ctx.db.run(work, trade_id, client_id, by, ctx.settings.trades)
    ctx.changes.notify([trade_id])


def decide_in(
    connection: Connection,
    trade_id: str,
    client_id: str | None,
    by: ByRules,
    times: TradeSettings,
    *,
    approve: bool,
) -> None:
    """`decide` inside a transaction. Without a client it is an operator at the command line."""
    trade = _undecided(connection, trade_id, by.who if client_id is None else client_id)
    if approve:
        _approve(connection, trade, by, times)
    else:
        events.of_trade(connection, "withdrawal_rejected", trade, {}, by)
        cancel.request(connection, trade, by, reason="rejected", dropped="rejected")


def _approve(connection: Connection, trade: Row[Any], by: By, times: TradeSettings) -> None:
    """What has settled is released by the sweep too, which looks once more whether it may go."""
    wait = until(rows_of(connection, trade.trade_id), times, by.now)
    values = {"waits_for": WaitsFor.SETTLEMENT.value, "next_try_at": wait or by.now, "approved_at": by.now, "touched": by.now}
    connection.execute(update(trades).where(trades.c.trade_id == trade.trade_id).values(values))
    events.of_trade(connection, "withdrawal_approved", trade, {"settles_at": int(wait.timestamp()) if wait else None}, by)


def _undecided(connection: Connection, trade_id: str, decider: str) -> Row[Any]:
    trade = connection.execute(select(trades).where(trades.c.trade_id == trade_id).with_for_update()).first()
    if trade is None:
        raise NotFound("there is no such trade")
    if trade.waits_for != WaitsFor.APPROVAL:
        raise TooLate("the trade does not wait for an approval", status=trade.status)
    if trade.client_id == decider:
        raise Forbidden("whoever asked for a withdrawal may not approve it", code="own_request")
    return trade


# --- its rows ---------------------------------------------------------------------------------------


def until(rows: Sequence[Row[Any]], times: TradeSettings, now: datetime) -> datetime | None:
    """When the last of these rows should have settled; ``None`` if all have."""
    open_rows = [row for row in rows if row.settled_at is None]
    margin = timedelta(seconds=times.settle_margin_s)
    return max((max(row.settles_at + margin, now) if row.settles_at else now + margin for row in open_rows), default=None)


def rows_of(connection: Connection, trade_id: str) -> list[Row[Any]]:
    """The rows that this withdrawal takes, locked."""
    query = (
        select(deposits)
        .join(trade_items, trade_items.c.deposit_id == deposits.c.deposit_id)
        .where(trade_items.c.trade_id == trade_id)
        .order_by(deposits.c.deposit_id)
        .with_for_update(of=deposits)
    )
    return list(connection.execute(query))
