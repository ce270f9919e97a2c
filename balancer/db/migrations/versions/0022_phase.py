"""The phase of a Doppler, of each row: what a row is worth follows from it, and its name does not tell it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("deposits", sa.Column("phase", sa.Text()))


def downgrade() -> None:
    op.drop_column("deposits", "phase")
