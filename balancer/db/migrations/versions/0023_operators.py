"""Operators of the page, with what their codes are made from, and their sessions."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from balancer.db.tables import UtcDateTime

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "operators",
        sa.Column("steam_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("secret_sealed", sa.Text(), nullable=False),
        sa.Column("last_step", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("wrong", sa.Integer(), server_default="0", nullable=False),
        sa.Column("locked_until", UtcDateTime()),
        sa.Column("enrolled_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("steam_id", name=op.f("pk_operators")),
    )
    op.create_table(
        "operator_sessions",
        sa.Column("id_hash", sa.Text(), nullable=False),
        sa.Column("steam_id", sa.BigInteger(), nullable=False),
        sa.Column("code_at", UtcDateTime()),
        sa.Column("seen_at", UtcDateTime(), nullable=False),
        sa.Column("said", sa.Text()),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id_hash", name=op.f("pk_operator_sessions")),
    )


def downgrade() -> None:
    op.drop_table("operator_sessions")
    op.drop_table("operators")
