"""The append-only list of what happened, which alarms were told, and which of them an operator has seen."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, Table, Text

from balancer.db.tables.columns import Number, UtcDateTime, metadata, partial

events = Table(
    "events",
    metadata,
    Column("number", Number, primary_key=True, autoincrement=True),
    Column("at", UtcDateTime, nullable=False),
    Column("kind", Text, nullable=False),
    Column("trade_id", Text),
    Column("user_id", Text),
    Column("bot", Text),
    Column("who", Text, nullable=False),
    Column("data", Text, nullable=False),  # JSON
    Index("ix_events_trade_id", "trade_id"),
    Index("ix_events_alarms", "number", **partial("kind = 'alarm'")),
    sqlite_autoincrement=True,
)

alarms = Table(
    "alarms",
    metadata,
    Column("alarm", Text, primary_key=True),  # what it is about, so that each is told once
    Column("raised_at", UtcDateTime, nullable=False),
)

alarm_acks = Table(
    "alarm_acks",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),  # of the event
    Column("at", UtcDateTime, nullable=False),
    Column("who", Text, nullable=False),
    Column("note", Text, nullable=False),
)

# Whom alarms are sent to: each address by a keyed hash, as it holds passwords.
notice_targets = Table(
    "notice_targets",
    metadata,
    Column("target", Text, primary_key=True),
    Column("told_to", BigInteger, nullable=False),  # number of the last event that it was told of, or need not be
    Column("lease_by", Text),  # the one balancer that tells it …
    Column("lease_until", UtcDateTime, nullable=False),  # … until then
    Column("next_at", UtcDateTime, nullable=False),
    Column("fails", Integer, nullable=False, server_default="0"),  # tries in a row that came to nothing
    Column("failing_since", UtcDateTime),
)
