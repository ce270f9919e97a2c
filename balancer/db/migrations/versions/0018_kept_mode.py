"""Whether the database is of a live fleet, and the secret that a repeated `POST /webhooks` shows again."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "kept_mode",
        sa.Column("one", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.CheckConstraint("one = 1", name=op.f("ck_kept_mode_one")),
        sa.PrimaryKeyConstraint("one", name=op.f("pk_kept_mode")),
    )
    op.add_column("idempotency", sa.Column("answer_sealed", sa.Text()))


def downgrade() -> None:
    op.drop_column("idempotency", "answer_sealed")
    op.drop_table("kept_mode")
