"""Searches for offers, trades that wait for an approval or a settlement, blocked partners, kill switches."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from balancer.db.tables import UtcDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("users", sa.Column("blocked_by", sa.Text(), nullable=True))
    op.add_column("users", sa.Column("blocked_at", UtcDateTime(), nullable=True))
    op.add_column("trades", sa.Column("find_at", UtcDateTime(), nullable=True))
    op.add_column("trades", sa.Column("find_tries", sa.Integer(), server_default="0", nullable=False))
    op.add_column("trades", sa.Column("waits_for", sa.Text(), nullable=True))
    _index("ix_trades_find", "find_at", "find_at IS NOT NULL")
    _index("ix_trades_waits", "next_try_at", "waits_for IS NOT NULL")
    op.create_table(
        "switches",
        sa.Column("switch", sa.Text(), nullable=False),
        sa.Column("paused_at", UtcDateTime(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("switch", name=op.f("pk_switches")),
    )
    # What is in doubt already is searched for from now on.
    op.execute("UPDATE trades SET find_at = touched WHERE status = 'in_doubt'")


def downgrade() -> None:
    op.drop_table("switches")
    op.drop_index("ix_trades_waits", table_name="trades")
    op.drop_index("ix_trades_find", table_name="trades")
    for table, column in (
        ("trades", "waits_for"),
        ("trades", "find_tries"),
        ("trades", "find_at"),
        ("users", "blocked_at"),
        ("users", "blocked_by"),
    ):
        op.drop_column(table, column)


def _index(name: str, column: str, condition: str) -> None:
    op.create_index(
        name, "trades", [column], unique=False, sqlite_where=sa.text(condition), postgresql_where=sa.text(condition)
    )
