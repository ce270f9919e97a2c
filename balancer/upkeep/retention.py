"""Removing trades, events and users by their age, and trade URLs as soon as their trade is over. Each call is one batch.

A trade is kept while one of its items is here, an event while its trade is, and a user while anything is: so what is in
custody can always be explained, however long it lies there.
"""

from __future__ import annotations

from datetime import datetime
from urllib.parse import urlsplit

from sqlalchemy import Connection, delete, exists, select, update

from balancer.db.tables import (
    HOUSE,
    alarm_acks,
    deposits,
    events,
    tokens,
    trade_items,
    trades,
    users,
    webhook_deliveries,
    webhook_targets,
)
from balancer.journal import events as journal
from balancer.journal.by import By
from shared.domain.ids import record_id
from shared.domain.status import FINAL

BATCH_MAX = 500
WHO = "sweep"
_FINAL = [status.value for status in FINAL]
_DISABLED = select(webhook_targets).where(webhook_targets.c.disabled_at.is_not(None))
_OWED = webhook_deliveries.c.delivered_at.is_(None)


def wipe_trade_urls(connection: Connection) -> int:
    """Trade URLs of trades that were over before they were wiped with their end (`balancer.journal.record`)."""
    old = select(trades.c.trade_id).where(trades.c.status.in_(_FINAL), trades.c.trade_url_sealed != "").limit(BATCH_MAX)
    wiped = update(trades).where(trades.c.trade_id.in_(old)).values(trade_url_sealed="", message="")
    return connection.execute(wiped).rowcount


def purge_trades(connection: Connection, before: datetime) -> int:
    """Trades that are over since before then, with their items and tokens, unless one of their items is still here.

    Ids begin with the time at which a trade was asked for, so only trades that are old enough are looked at.
    """
    asked_before = record_id("trd", int(before.timestamp() * 1000), bytes(7))
    here = exists().where(trade_items.c.trade_id == trades.c.trade_id, deposits.c.deposit_id == trade_items.c.deposit_id)
    over = (trades.c.status.in_(_FINAL), trades.c.touched < before, trades.c.items_awaited == 0, trades.c.find_at.is_(None))
    query = select(trades.c.trade_id).where(trades.c.trade_id < asked_before, *over, ~here).order_by(trades.c.trade_id)
    ids = list(connection.scalars(query.limit(BATCH_MAX).with_for_update()))
    for table in (tokens, trade_items, trades):
        connection.execute(delete(table).where(table.c.trade_id.in_(ids)))
    return len(ids)


def purge_events(connection: Connection, before: datetime, now: datetime) -> int:
    """The oldest events from before then whose trade is gone, or that are about none.

    They are looked at in the order of their numbers up to the first that is young, so a round costs what it removes, and those
    that are kept with their trade.
    """
    # What a target of webhooks is still owed is kept too. One that is disabled, for years by now, is not waited for.
    disabled = [row.target_id for row in connection.execute(_DISABLED)]
    owed = exists().where(
        webhook_deliveries.c.number == events.c.number,
        webhook_deliveries.c.delivered_at.is_(None),
        webhook_deliveries.c.target_id.not_in(disabled),
    )
    unread = exists().where(webhook_targets.c.spread_to < events.c.number, webhook_targets.c.disabled_at.is_(None))
    kept, after = exists().where(trades.c.trade_id == events.c.trade_id) | owed | unread, 0
    while True:
        page = select(events.c.number, events.c.at, kept.label("kept")).where(events.c.number > after)
        rows = list(connection.execute(page.order_by(events.c.number).limit(BATCH_MAX)))
        old = [row for row in rows if row.at < before]
        gone = [row.number for row in old if not row.kept]
        if gone:
            _tell_missed(connection, gone, now)
            connection.execute(delete(webhook_deliveries).where(webhook_deliveries.c.number.in_(gone), _OWED))
            connection.execute(delete(alarm_acks).where(alarm_acks.c.number.in_(gone)))
            return connection.execute(delete(events).where(events.c.number.in_(gone))).rowcount
        if not old or len(old) < len(rows):
            return 0
        after = rows[-1].number


def _tell_missed(connection: Connection, gone: list[int], now: datetime) -> None:
    """Say which of the events that go now a disabled target had not taken, or not looked at."""
    for target in connection.execute(_DISABLED).all():
        of_it = (webhook_deliveries.c.target_id == target.target_id, webhook_deliveries.c.number.in_(gone), _OWED)
        owed = set(connection.scalars(select(webhook_deliveries.c.number).where(*of_it)))
        missed = owed | {number for number in gone if number > target.spread_to}
        if missed:
            host = urlsplit(target.url).hostname or ""
            event_data = {"target_id": target.target_id, "host": host, "events": len(missed), "last": max(missed)}
            journal.append(connection, journal.row("webhook_missed", event_data, By(WHO, now)))


def purge_users(connection: Connection, before: datetime) -> int:
    """Users from before then of whom nothing is left. One who is blocked stays, and so does the house."""
    nothing = (
        users.c.user_id != HOUSE,
        users.c.created_at < before,
        users.c.blocked_by.is_(None),
        users.c.credit_cents == 0,
        ~exists().where(trades.c.user_id == users.c.user_id),
        ~exists().where(deposits.c.user_id == users.c.user_id),
    )
    # Locked first: a request for a trade at this moment locks its user's row, which is then not removed.
    query = select(users.c.user_id).where(*nothing).order_by(users.c.user_id).limit(BATCH_MAX)
    ids = list(connection.scalars(query.with_for_update(skip_locked=True)))
    return connection.execute(delete(users).where(users.c.user_id.in_(ids), *nothing)).rowcount if ids else 0
