"""One row: whether this is the database of a live fleet, or of one that tests."""

from __future__ import annotations

from sqlalchemy import Boolean, CheckConstraint, Column, Integer, Table

from balancer.db.tables.columns import metadata

kept_mode = Table(
    "kept_mode",
    metadata,
    Column("one", Integer, CheckConstraint("one = 1", name="one"), primary_key=True, autoincrement=False),
    Column("livemode", Boolean, nullable=False),
)
