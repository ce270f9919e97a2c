"""Offers that a player left unanswered, and when a trade's order was due; what waits takes no open offer any more."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from balancer.db.tables import UtcDateTime

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_COUNT = """
    UPDATE bots SET open_offers = (
        SELECT count(*) FROM trades WHERE trades.color = bots.color AND trades.bot_id = bots.bot_id
        AND trades.status IN ('queued', 'sending', 'in_doubt', 'confirming', 'sent'{more}
    )
"""


def upgrade() -> None:
    op.add_column("users", sa.Column("unanswered", sa.Integer(), server_default="0", nullable=False))
    op.add_column("trades", sa.Column("begun_at", UtcDateTime(), nullable=True))
    op.execute("UPDATE trades SET begun_at = created_at WHERE waits_for IS NULL")
    op.execute(_COUNT.format(more=") AND trades.waits_for IS NULL"))


def downgrade() -> None:
    op.execute(_COUNT.format(more=", 'held')"))
    op.drop_column("trades", "begun_at")
    op.drop_column("users", "unanswered")
