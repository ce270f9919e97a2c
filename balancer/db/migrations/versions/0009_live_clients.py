"""Open offers of one client, for its share of the fleet."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_LIVE = sa.text("status IN ('queued', 'sending', 'in_doubt', 'confirming', 'sent', 'held')")


def upgrade() -> None:
    op.create_index("ix_trades_live_client", "trades", ["client_id"], unique=False, sqlite_where=_LIVE, postgresql_where=_LIVE)


def downgrade() -> None:
    op.drop_index("ix_trades_live_client", table_name="trades")
