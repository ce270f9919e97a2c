"""The append-only list of what happened, and which alarms were told."""

from __future__ import annotations

from sqlalchemy import Column, Index, Table, Text

from balancer.db.tables.columns import Number, UtcDateTime, metadata

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
    sqlite_autoincrement=True,
)

alarms = Table(
    "alarms",
    metadata,
    Column("alarm", Text, primary_key=True),  # what it is about, so that each is told once
    Column("raised_at", UtcDateTime, nullable=False),
)
