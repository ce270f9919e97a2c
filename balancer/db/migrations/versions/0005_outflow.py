"""Limits of what goes out: what was approved or begun counts or not, what a pause holds, and when it was over."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from balancer.db.tables import UtcDateTime

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_GONE_OUT = sa.text("direction = 'withdraw' AND begun_at IS NOT NULL")


def upgrade() -> None:
    op.add_column("trades", sa.Column("approved_at", UtcDateTime(), nullable=True))
    op.add_column("trades", sa.Column("held_at", UtcDateTime(), nullable=True))
    op.add_column("trades", sa.Column("spared", sa.Integer(), server_default="0", nullable=False))
    op.create_index(
        "ix_trades_gone_out", "trades", ["begun_at"], unique=False, sqlite_where=_GONE_OUT, postgresql_where=_GONE_OUT
    )
    op.create_table(
        "resumptions",
        sa.Column("switch", sa.Text(), nullable=False),
        sa.Column("resumed_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("switch", name=op.f("pk_resumptions")),
    )


def downgrade() -> None:
    op.drop_table("resumptions")
    op.drop_index("ix_trades_gone_out", table_name="trades")
    for column in ("spared", "held_at", "approved_at"):
        op.drop_column("trades", column)
