"""One row that is written again and again, to see whether the disk still takes anything."""

from __future__ import annotations

from sqlalchemy import Column, LargeBinary, Table, Text

from balancer.db.tables.columns import UtcDateTime, metadata

probes = Table(
    "probes",
    metadata,
    Column("name", Text, primary_key=True),
    Column("written_at", UtcDateTime, nullable=False),
    Column("filler", LargeBinary, nullable=False),
)
