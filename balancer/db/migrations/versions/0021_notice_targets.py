"""How far each address that alarms are sent to has been told."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from balancer.db.tables import UtcDateTime

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "notice_targets",
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("told_to", sa.BigInteger(), nullable=False),
        sa.Column("lease_by", sa.Text()),
        sa.Column("lease_until", UtcDateTime(), nullable=False),
        sa.Column("next_at", UtcDateTime(), nullable=False),
        sa.Column("fails", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("failing_since", UtcDateTime()),
        sa.PrimaryKeyConstraint("target", name=op.f("pk_notice_targets")),
    )


def downgrade() -> None:
    op.drop_table("notice_targets")
