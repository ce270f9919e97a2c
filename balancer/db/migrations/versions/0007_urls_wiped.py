"""Trade URLs of trades that are over are wiped: where there are still some, the sweep does so in batches."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_KEPT = sa.text(
    "status IN ('settled', 'declined', 'countered', 'expired', 'canceled', 'failed', 'reversed') AND trade_url_sealed <> ''"
)


def upgrade() -> None:
    op.create_index("ix_trades_url_kept", "trades", ["trade_id"], unique=False, sqlite_where=_KEPT, postgresql_where=_KEPT)


def downgrade() -> None:
    op.drop_index("ix_trades_url_kept", table_name="trades")
