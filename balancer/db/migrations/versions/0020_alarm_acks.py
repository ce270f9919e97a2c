"""Which alarms an operator has seen."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from balancer.db.tables import UtcDateTime

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

ALARMS = sa.text("kind = 'alarm'")


def upgrade() -> None:
    op.create_table(
        "alarm_acks",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_alarm_acks")),
    )
    op.create_index("ix_events_alarms", "events", ["number"], sqlite_where=ALARMS, postgresql_where=ALARMS)


def downgrade() -> None:
    op.drop_index("ix_events_alarms", "events")
    op.drop_table("alarm_acks")
