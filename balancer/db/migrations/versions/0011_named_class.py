"""The class under which the bot that holds an item has called it by its row's name: so a rename is told from another item."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("deposits", sa.Column("named_class", sa.Text()))
    # What is settled was seen and named by its bot.
    op.execute("UPDATE deposits SET named_class = class_id WHERE settled_at IS NOT NULL")


def downgrade() -> None:
    with op.batch_alter_table("deposits") as table:
        table.drop_column("named_class")
