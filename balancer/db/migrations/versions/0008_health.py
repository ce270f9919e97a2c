"""What each bot may do, as it was told last; and of a trade, which bots could not do it and which color was asked for."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from balancer.db.tables import UtcDateTime

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("bots", sa.Column("health", sa.Text(), nullable=True))
    op.add_column("trades", sa.Column("refused_by", sa.Text(), nullable=True))
    op.add_column("trades", sa.Column("refused_at", UtcDateTime(), nullable=True))
    op.add_column("trades", sa.Column("wanted_color", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("trades", "wanted_color")
    op.drop_column("trades", "refused_at")
    op.drop_column("trades", "refused_by")
    op.drop_column("bots", "health")
