"""Tickets that the house issues, and exchanges of users with the house, by their refs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from balancer.db.tables import UtcDateTime

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _answered("issues", sa.Column("item_id", sa.Text(), nullable=True), sa.Column("count", sa.Integer(), nullable=True))
    _answered(
        "exchanges",
        sa.Column("user_id", sa.Text(), nullable=True),
        sa.Column("value_in_cents", sa.BigInteger(), nullable=True),
        sa.Column("item_id", sa.Text(), nullable=True),
        sa.Column("issued", sa.Integer(), nullable=True),
    )
    op.create_index("ix_exchanges_client_id_at", "exchanges", ["client_id", "at"])
    op.create_index("ix_exchanges_user_id_at", "exchanges", ["user_id", "at"])


def downgrade() -> None:
    op.drop_table("exchanges")
    op.drop_table("issues")


def _answered(name: str, *more: sa.Column[object]) -> None:
    op.create_table(
        name,
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("body_hash", sa.Text(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("at", UtcDateTime(), nullable=False),
        *more,
        sa.PrimaryKeyConstraint("client_id", "ref", name=op.f(f"pk_{name}")),
    )
