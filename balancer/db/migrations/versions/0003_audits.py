"""The audit of each bot's inventory: where it stands, and what the last one said."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from balancer.db.tables import UtcDateTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "audits",
        sa.Column("color", sa.Text(), nullable=False),
        sa.Column("bot_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("audit_id", sa.Text(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("next_at", UtcDateTime(), nullable=False),
        sa.Column("looks", sa.Integer(), server_default="0", nullable=False),
        sa.Column("tries", sa.Integer(), server_default="0", nullable=False),
        sa.Column("suspects", sa.Text(), server_default="[]", nullable=False),
        sa.Column("looked_at", UtcDateTime(), nullable=True),
        sa.Column("order_id", sa.Text(), nullable=True),
        sa.Column("asked_at", UtcDateTime(), nullable=True),
        sa.Column("silent_at", UtcDateTime(), nullable=True),
        sa.Column("mark", sa.BigInteger(), nullable=True),
        sa.Column("result_id", sa.Text(), nullable=True),
        sa.Column("verdict", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("finished_at", UtcDateTime(), nullable=True),
        sa.Column("rows", sa.Integer(), nullable=True),
        sa.Column("assets", sa.Integer(), nullable=True),
        sa.Column("differences", sa.Text(), server_default="[]", nullable=False),
        sa.Column("known", sa.Text(), server_default="[]", nullable=False),
        sa.CheckConstraint("verdict IN ('clean', 'differences', 'inconclusive')", name=op.f("ck_audits_verdict")),
        sa.ForeignKeyConstraint(["color", "bot_id"], ["bots.color", "bots.bot_id"], name=op.f("fk_audits_color_bots")),
        sa.PrimaryKeyConstraint("color", "bot_id", name=op.f("pk_audits")),
    )


def downgrade() -> None:
    op.drop_table("audits")
