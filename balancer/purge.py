"""Removing what is over for good, and raising an alarm about what should be over and is not."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, delete, exists, or_, select, update

from balancer import alarms, journal
from balancer.context import Context
from balancer.models import alarms as raised_before
from balancer.models import deposits, idempotency, nonces, sessions, tokens, trade_items, trades
from shared import log
from shared.domain.status import DEPOSIT_FINAL, DEPOSIT_PENDING, LIVE, TradeStatus, WaitsFor

logger = log.get(__name__)

WHO = "sweep"
BATCH_MAX = 1000
ALARM = "pending_too_long"


async def purge(ctx: Context) -> int:
    """Remove final deposits a week after the last change and the settlement of their trades, and other rows that are over.

    Returns how many deposits; the feed says which. Trades and events stay.
    """
    now, settings = ctx.clock.now(), ctx.settings
    before = now - timedelta(seconds=settings.trades.purge_after_s)
    # The token of a withdrawal that waits begins to live when its offer is made, which may be later than its end here.
    waits = exists().where(trades.c.trade_id == tokens.c.trade_id, trades.c.waits_for.is_not(None))
    await ctx.db.run(_delete_old, tokens, (tokens.c.expires_at < before) & ~waits)
    await ctx.db.run(_delete_old, sessions, sessions.c.expires_at < now)
    await ctx.db.run(_delete_old, idempotency, idempotency.c.created_at < before)
    # A nonce is refused by its own age before it could be forgotten here.
    await ctx.db.run(_delete_old, nonces, nonces.c.seen_at < now - timedelta(seconds=2 * settings.openid.nonce_max_age_s))
    removed = 0
    while batch := await ctx.db.run(_purge_deposits, before, now):
        removed += batch
    return removed


def _delete_old(connection: Connection, table: Table, condition: ColumnElement[bool]) -> int:
    return connection.execute(delete(table).where(condition)).rowcount


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
    ids = list(connection.scalars(query.limit(BATCH_MAX)))
    if ids:
        connection.execute(delete(deposits).where(deposits.c.deposit_id.in_(ids)))
        journal.append(connection, [journal.event_row("deposits_purged", {"deposits": ids}, WHO, now)])
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
    told = exists().where(raised_before.c.alarm == alarms.NO_EXCHANGE + ":" + trades.c.trade_id)
    nameless = (trades.c.status == TradeStatus.ACCEPTED.value, trades.c.exchange_id.is_(None), trades.c.touched < before)
    found = list(connection.execute(select(trades).where(*nameless, ~told).limit(BATCH_MAX)))
    for trade in found:
        alarms.of_trade(connection, alarms.NO_EXCHANGE, trade, {"offer_id": trade.offer_id}, WHO, now)
        connection.execute(update(trades).where(trades.c.trade_id == trade.trade_id).values(find_at=now))
    return len(found)


def _raise(connection: Connection, before: datetime, now: datetime) -> list[str]:
    told = exists().where(raised_before.c.alarm == ALARM + ":" + deposits.c.deposit_id)
    pending = [status.value for status in DEPOSIT_PENDING]
    # A withdrawal that waits for a settlement is pending for a good reason.
    waits = exists().where(
        trade_items.c.deposit_id == deposits.c.deposit_id,
        trades.c.trade_id == trade_items.c.trade_id,
        trades.c.waits_for == WaitsFor.SETTLEMENT.value,
    )
    query = select(deposits).where(deposits.c.status.in_(pending), deposits.c.touched < before, ~told, ~waits)
    query = query.limit(BATCH_MAX)
    found = [row for row in connection.execute(query) if alarms.first(connection, f"{ALARM}:{row.deposit_id}", now)]
    journal.append(connection, [_alarm(row, now) for row in found])
    return [row.deposit_id for row in found]


def _alarm(row: Any, now: datetime) -> dict[str, Any]:
    bot = None if row.bot_id is None else f"{row.color}-{row.bot_id}"
    data = {"deposit_id": row.deposit_id, "status": row.status, "touched": int(row.touched.timestamp())}
    return journal.event_row(ALARM, data, WHO, now, None, row.user_id, bot)
