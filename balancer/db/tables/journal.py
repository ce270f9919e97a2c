"""The append-only list of what happened, which alarms were told, and which of them an operator has seen."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Table, Text

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
