"""Bots with their counters, and what is paused."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Column, Integer, PrimaryKeyConstraint, Table, Text

from balancer.db.tables.columns import UtcDateTime, metadata, one_of
from shared.domain.status import BotMode

bots = Table(
    "bots",
    metadata,
    Column("color", Text, nullable=False),
    Column("bot_id", Integer, nullable=False, autoincrement=False),
    Column("steam_id", BigInteger, nullable=False),
    Column("mode", Text, nullable=False, server_default=BotMode.ACTIVE.value),
    Column("slots_held", Integer, nullable=False, server_default="0"),
    Column("slots_reserved", Integer, nullable=False, server_default="0"),
    Column("open_offers", Integer, nullable=False, server_default="0"),
    Column("frozen_by", Text),  # what an operator has to look at first: nothing is withdrawn from this bot
    Column("health", Text),  # JSON: what was told last of what it may do; null: nothing yet, so everything
    Column("identity", Text),  # JSON: who it is as players see it in Steam, what was known last; null: nothing yet
    Column("created_at", UtcDateTime, nullable=False),
    Column("touched", UtcDateTime, nullable=False),
    PrimaryKeyConstraint("color", "bot_id"),
    one_of("mode", BotMode),
    CheckConstraint("slots_held >= 0 AND slots_reserved >= 0 AND open_offers >= 0", name="counters"),
)

switches = Table(
    "switches",
    metadata,
    Column("switch", Text, primary_key=True),  # what is paused; a row that is not there pauses nothing
    Column("paused_at", UtcDateTime, nullable=False),
    Column("who", Text, nullable=False),
    Column("reason", Text, nullable=False),
)

# When a switch was last turned back: limits of what goes out count from then on.
resumptions = Table(
    "resumptions",
    metadata,
    Column("switch", Text, primary_key=True),
    Column("resumed_at", UtcDateTime, nullable=False),
)
