"""When a player was told that an offer is ours. Tokens that were used up are deleted; their trades keep when that was."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from balancer.db.tables import UtcDateTime

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("trades", sa.Column("verified_at", UtcDateTime(), nullable=True))
    op.create_index(
        "ix_trades_verified",
        "trades",
        ["partner", "verified_at"],
        sqlite_where=sa.text("verified_at IS NOT NULL"),
        postgresql_where=sa.text("verified_at IS NOT NULL"),
    )
    # A balancer of the release before may still mark a token as used; that is understood too.
    op.execute(
        "UPDATE trades SET verified_at = (SELECT used_at FROM tokens WHERE tokens.trade_id = trades.trade_id) "
        "WHERE trade_id IN (SELECT trade_id FROM tokens WHERE used_at IS NOT NULL)"
    )
    op.execute("DELETE FROM tokens WHERE used_at IS NOT NULL")


def downgrade() -> None:
    op.drop_index("ix_trades_verified", "trades")
    op.drop_column("trades", "verified_at")
