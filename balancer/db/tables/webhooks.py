"""Targets of webhooks, and which events each has been sent or is still owed."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, PrimaryKeyConstraint, Table, Text

from balancer.db.tables.columns import UtcDateTime, metadata, partial

webhook_targets = Table(
    "webhook_targets",
    metadata,
    Column("target_id", Text, primary_key=True),
    Column("url", Text, nullable=False, unique=True),
    Column("kinds", Text, nullable=False, server_default=""),  # words with one space between them; none: all kinds
    Column("secret_sealed", Text, nullable=False),
    Column("old_secret_sealed", Text),  # signs beside the other one …
    Column("old_until", UtcDateTime),  # … until then
    Column("spread_to", BigInteger, nullable=False),  # number of the last event of which it was decided what to do with it
    Column("created_at", UtcDateTime, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("disabled_at", UtcDateTime),
    Column("disabled_why", Text),
    Column("fails", Integer, nullable=False, server_default="0"),  # tries in a row that came to nothing
    Column("failing_since", UtcDateTime),
    Column("pause_until", UtcDateTime),  # nothing is tried before: the receiver seems to be away
    Column("lease_by", Text),  # the one balancer that sends …
    Column("lease_until", UtcDateTime),  # … until then
)

webhook_deliveries = Table(
    "webhook_deliveries",
    metadata,
    Column("target_id", Text, ForeignKey("webhook_targets.target_id"), nullable=False),
    Column("number", BigInteger, nullable=False),  # of the event
    Column("lane", Text, nullable=False),  # events of one lane go one after the other: a trade's id, or what else it is about
    Column("next_at", UtcDateTime, nullable=False),
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("first_at", UtcDateTime),  # of the tries that came to nothing
    Column("tried_at", UtcDateTime),
    Column("status", Integer),  # of the last answer
    Column("error", Text),  # why there was none, in one word
    Column("delivered_at", UtcDateTime),  # null: still owed
    PrimaryKeyConstraint("target_id", "number"),
    Index("ix_webhook_deliveries_owed", "target_id", "lane", "number", **partial("delivered_at IS NULL")),
    Index("ix_webhook_deliveries_due", "target_id", "next_at", **partial("delivered_at IS NULL")),
    Index("ix_webhook_deliveries_number_owed", "number", **partial("delivered_at IS NULL")),
    Index("ix_webhook_deliveries_delivered_at", "delivered_at"),
)
