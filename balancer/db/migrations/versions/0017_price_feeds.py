"""Feeds of prices, and what items were worth before."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from balancer.db.tables import UtcDateTime

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "item_values",
        sa.Column("item_id", sa.Text(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("value_cents", sa.BigInteger(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("item_id", "at", name=op.f("pk_item_values")),
    )
    op.create_index("ix_item_values_at", "item_values", ["at"])
    op.create_table(
        "price_feeds",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("good", sa.LargeBinary()),
        sa.Column("good_digest", sa.Text()),
        sa.Column("good_at", UtcDateTime()),
        sa.Column("names", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("left_out", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("held", sa.LargeBinary()),
        sa.Column("held_digest", sa.Text()),
        sa.Column("held_why", sa.Text()),
        sa.Column("held_names", sa.Integer()),
        sa.Column("held_at", UtcDateTime()),
        sa.Column("error", sa.Text()),
        sa.Column("failing_since", UtcDateTime()),
        sa.Column("next_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("source", name=op.f("pk_price_feeds")),
    )


def downgrade() -> None:
    op.drop_table("price_feeds")
    op.drop_table("item_values")
