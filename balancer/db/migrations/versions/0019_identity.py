"""Who each bot is as players see it in Steam."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("bots", sa.Column("identity", sa.Text()))


def downgrade() -> None:
    op.drop_column("bots", "identity")
