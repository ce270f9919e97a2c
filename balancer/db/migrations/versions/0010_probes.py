"""A row that is written again and again, so that a full disk is noticed before a request fails on it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from balancer.db.tables import UtcDateTime

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "probes",
        sa.Column("name", sa.Text(), primary_key=True),
        sa.Column("written_at", UtcDateTime(), nullable=False),
        sa.Column("filler", sa.LargeBinary(), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("probes")
