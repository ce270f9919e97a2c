"""Removing what is over for good, and raising an alarm about what should be over and is not.

Each table has a time for which its rows are kept (`[retention]`, and for deposits `[trades] purge_after_s`). What is removed is
removed in batches, a bounded number of them at a time, so that a table that has grown for years stops nobody.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, and_, delete, exists, or_, select, true, tuple_, update

from balancer.context import Context
from balancer.db.tables import alarms as raised_before
from balancer.db.tables import (
    deposits,
    idempotency,
    item_values,
    nonces,
    operator_sessions,
    sessions,
    tokens,
    trade_items,
    trades,
    webhook_deliveries,
)
from balancer.journal import alarms, events
from balancer.journal.by import By
from balancer.upkeep import retention
from shared import log
from shared.domain.ids import bot_name
from shared.domain.status import DEPOSIT_FINAL, DEPOSIT_PENDING, LIVE, TradeStatus, WaitsFor

logger = log.get(__name__)

WHO = "sweep"
BATCH_MAX = 1000
BATCHES_MAX = 100
ALARM = "pending_too_long"


async def purge(ctx: Context, batches_max: int = BATCHES_MAX) -> int:
    """Remove final deposits a week after the last change and the settlement of their trades, and every other row in its time.

    Of each table at most ``batches_max`` batches; the next call goes on. Returns how many deposits; the feed says which.
    """
    now, settings = ctx.clock.now(), ctx.settings
    kept = settings.retention
    # The token of a withdrawal that waits begins to live when its offer is made, which may be later than its end here.
    waits = exists().where(trades.c.trade_id == tokens.c.trade_id, trades.c.waits_for.is_not(None))
    # A nonce is refused by its own age before it could be forgotten here.
    nonces_before = now - timedelta(seconds=2 * settings.openid.nonce_max_age_s)
    for table, column, before, other in (
        (sessions, sessions.c.expires_at, now, true()),
        (operator_sessions, operator_sessions.c.expires_at, now, true()),
        (nonces, nonces.c.seen_at, nonces_before, true()),
        (tokens, tokens.c.expires_at, _days_ago(now, kept.tokens_days), ~waits),
        (idempotency, idempotency.c.created_at, _days_ago(now, kept.idempotency_days), true()),
        (raised_before, raised_before.c.raised_at, _days_ago(now, kept.alarms_days), true()),
        (item_values, item_values.c.at, _days_ago(now, kept.values_days), true()),
        (webhook_deliveries, webhook_deliveries.c.delivered_at, _days_ago(now, kept.deliveries_days), true()),
    ):
        if before is not None:
            await _in_batches(ctx, batches_max, _delete_old, table, and_(column < before, other))
    removed = await _in_batches(ctx, batches_max, _purge_deposits, now - timedelta(seconds=settings.trades.purge_after_s), now)
    await _in_batches(ctx, batches_max, retention.wipe_trade_urls)
    gone = {
        "trades": await _old(ctx, batches_max, retention.purge_trades, kept.trades_days),
        "events": await _old(ctx, batches_max, partial(retention.purge_events, now=now), kept.events_days),
        "users": await _old(ctx, batches_max, retention.purge_users, kept.users_days),
    }
    if any(gone.values()):
        await ctx.db.run(events.append, events.row("rows_purged", gone, By(WHO, now)))
    return removed


def _days_ago(now: datetime, days: float) -> datetime | None:
    """``None``: kept for ever."""
    return now - timedelta(days=days) if days else None


async def _old(ctx: Context, batches_max: int, remove: Callable[[Connection, datetime], int], days: float) -> int:
    before = _days_ago(ctx.clock.now(), days)
    return 0 if before is None else await _in_batches(ctx, batches_max, remove, before)


async def _in_batches(ctx: Context, batches_max: int, remove: Callable[..., int], *args: Any) -> int:
    """Batches until nothing is left, or for this time enough. Returns how many rows."""
    removed = 0
    for _ in range(batches_max):
        batch = await ctx.db.run(remove, *args)
        if not batch:
            break
        removed += batch
    return removed


def _delete_old(connection: Connection, table: Table, old: ColumnElement[bool]) -> int:
    key = tuple_(*table.primary_key.columns)
    batch = select(*table.primary_key.columns).where(old).limit(BATCH_MAX)
    return connection.execute(delete(table).where(key.in_(batch))).rowcount


def _purge_deposits(connection: Connection, before: datetime, now: datetime) -> int:
    unfinished = exists().where(
        trade_items.c.deposit_id == deposits.c.deposit_id,
        trades.c.trade_id == trade_items.c.trade_id,
        or_(
            trades.c.status.in_([*(status.value for status in LIVE), TradeStatus.ACCEPTED.value]),
            trades.c.touched >= before,
            trades.c.items_awaited > 0,
        ),
    )
    over = [status.value for status in DEPOSIT_FINAL]
    query = select(deposits.c.deposit_id).where(deposits.c.status.in_(over), deposits.c.touched < before, ~unfinished)
    query = query.where(deposits.c.locked_by.is_(None))  # its game has still to hand it over, as what it is
    ids = list(connection.scalars(query.limit(BATCH_MAX)))
    if ids:
        connection.execute(delete(deposits).where(deposits.c.deposit_id.in_(ids)))
        events.append(connection, events.row("deposits_purged", {"deposits": ids}, By(WHO, now)))
    return len(ids)


async def raise_alarms(ctx: Context) -> int:
    """One event for each deposit that has been pending as long as others take to be removed. It is never removed itself."""
    now = ctx.clock.now()
    before = now - timedelta(seconds=ctx.settings.trades.purge_after_s)
    raised: list[str] = await ctx.db.run(_raise, before, now)
    if raised:
        logger.error("deposits pending for too long", action="alarm", deposits=len(raised), first=raised[0])
    long_ago = now - timedelta(seconds=ctx.settings.trades.protection_look_s)
    return len(raised) + await ctx.db.run(_raise_nameless, long_ago, now)


def _raise_nameless(connection: Connection, before: datetime, now: datetime) -> int:
    """Accepted trades whose exchange nobody knows: they can neither settle nor be seen reversed. A bot searches once more."""
    already_raised = exists().where(raised_before.c.alarm == alarms.NO_EXCHANGE + ":" + trades.c.trade_id)
    nameless = (trades.c.status == TradeStatus.ACCEPTED.value, trades.c.exchange_id.is_(None), trades.c.touched < before)
    rows = list(connection.execute(select(trades).where(*nameless, ~already_raised).limit(BATCH_MAX)))
    for trade in rows:
        alarms.of_trade(connection, alarms.NO_EXCHANGE, trade, {"offer_id": trade.offer_id}, By(WHO, now))
        connection.execute(update(trades).where(trades.c.trade_id == trade.trade_id).values(find_at=now))
    return len(rows)


def _raise(connection: Connection, before: datetime, now: datetime) -> list[str]:
    already_raised = exists().where(raised_before.c.alarm == ALARM + ":" + deposits.c.deposit_id)
    pending = [status.value for status in DEPOSIT_PENDING]
    # A withdrawal that waits for a settlement is pending for a good reason.
    waits = exists().where(
        trade_items.c.deposit_id == deposits.c.deposit_id,
        trades.c.trade_id == trade_items.c.trade_id,
        trades.c.waits_for == WaitsFor.SETTLEMENT.value,
    )
    query = select(deposits).where(deposits.c.status.in_(pending), deposits.c.touched < before, ~already_raised, ~waits)
    query = query.limit(BATCH_MAX)
    rows = [row for row in connection.execute(query) if alarms.first(connection, f"{ALARM}:{row.deposit_id}", now)]
    events.append(connection, *[_alarm(row, now) for row in rows])
    return [row.deposit_id for row in rows]


def _alarm(row: Any, now: datetime) -> dict[str, Any]:
    bot = None if row.bot_id is None else bot_name(row)
    data = {"deposit_id": row.deposit_id, "status": row.status, "touched": int(row.touched.timestamp())}
    return events.row(ALARM, data, By(WHO, now), None, row.user_id, bot)
