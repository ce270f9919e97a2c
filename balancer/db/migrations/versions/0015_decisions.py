"""Decisions of operators about frozen rows, which a second person agrees to and a bot's reading carries out."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from balancer.db.tables import UtcDateTime

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "decisions",
        sa.Column("deposit_id", sa.Text(), nullable=False),
        sa.Column("decision", sa.Text(), nullable=False),
        sa.Column("asset_id", sa.BigInteger()),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("agreed_by", sa.Text()),
        sa.Column("agreed_at", UtcDateTime()),
        sa.CheckConstraint("decision IN ('release', 'write_off')", name=op.f("ck_decisions_decision")),
        sa.PrimaryKeyConstraint("deposit_id", name=op.f("pk_decisions")),
    )


def downgrade() -> None:
    op.drop_table("decisions")
