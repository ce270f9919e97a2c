"""Targets of webhooks, and what each has been sent."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from balancer.db.tables import UtcDateTime

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

OWED = sa.text("delivered_at IS NULL")


def upgrade() -> None:
    op.create_table(
        "webhook_targets",
        sa.Column("target_id", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("kinds", sa.Text(), nullable=False, server_default=""),
        sa.Column("secret_sealed", sa.Text(), nullable=False),
        sa.Column("old_secret_sealed", sa.Text()),
        sa.Column("old_until", UtcDateTime()),
        sa.Column("spread_to", sa.BigInteger(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("disabled_at", UtcDateTime()),
        sa.Column("disabled_why", sa.Text()),
        sa.Column("fails", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("failing_since", UtcDateTime()),
        sa.Column("pause_until", UtcDateTime()),
        sa.Column("lease_by", sa.Text()),
        sa.Column("lease_until", UtcDateTime()),
        sa.PrimaryKeyConstraint("target_id", name=op.f("pk_webhook_targets")),
        sa.UniqueConstraint("url", name=op.f("uq_webhook_targets_url")),
    )
    op.create_table(
        "webhook_deliveries",
        sa.Column("target_id", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("lane", sa.Text(), nullable=False),
        sa.Column("next_at", UtcDateTime(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("first_at", UtcDateTime()),
        sa.Column("tried_at", UtcDateTime()),
        sa.Column("status", sa.Integer()),
        sa.Column("error", sa.Text()),
        sa.Column("delivered_at", UtcDateTime()),
        sa.ForeignKeyConstraint(
            ["target_id"],
            ["webhook_targets.target_id"],
            name=op.f("fk_webhook_deliveries_target_id_webhook_targets"),
        ),
        sa.PrimaryKeyConstraint("target_id", "number", name=op.f("pk_webhook_deliveries")),
    )
    for name, columns in (
        ("owed", ["target_id", "lane", "number"]),
        ("due", ["target_id", "next_at"]),
        ("number_owed", ["number"]),
    ):
        op.create_index(
            f"ix_webhook_deliveries_{name}", "webhook_deliveries", columns, sqlite_where=OWED, postgresql_where=OWED
        )
    op.create_index("ix_webhook_deliveries_delivered_at", "webhook_deliveries", ["delivered_at"])


def downgrade() -> None:
    op.drop_table("webhook_deliveries")
    op.drop_table("webhook_targets")
