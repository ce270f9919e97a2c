"""Custody for games: locks, transfers, credits. What a client asked under a ref is kept for good; credits are append-only."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from balancer.db.tables import UtcDateTime

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

# The one change of a line that is allowed is that its user is forgotten.
_KEPT = ("credit_id", "client_id", "call", "ref", "line", "cents", "kind", "at")
_CHANGED = " OR ".join(f"NEW.{name} <> OLD.{name}" for name in _KEPT) + " OR NEW.user_id NOT LIKE 'forgotten-%'"
_SQLITE = (
    f"CREATE TRIGGER credits_no_update BEFORE UPDATE ON credits WHEN {_CHANGED} "
    "BEGIN SELECT RAISE(ABORT, 'credits are append-only'); END",
    "CREATE TRIGGER credits_no_delete BEFORE DELETE ON credits BEGIN SELECT RAISE(ABORT, 'credits are append-only'); END",
)
_POSTGRES = (
    "CREATE FUNCTION credits_append_only() RETURNS trigger LANGUAGE plpgsql AS "
    "$$ BEGIN RAISE EXCEPTION 'credits are append-only'; END $$",
    f"CREATE TRIGGER credits_no_update BEFORE UPDATE ON credits FOR EACH ROW WHEN ({_CHANGED}) "
    "EXECUTE FUNCTION credits_append_only()",
    "CREATE TRIGGER credits_no_delete BEFORE DELETE ON credits FOR EACH ROW EXECUTE FUNCTION credits_append_only()",
)


def upgrade() -> None:
    op.add_column("users", sa.Column("credit_cents", sa.BigInteger(), server_default="0", nullable=False))
    _locks()
    _answered("transfers")
    _answered("credit_calls")
    _credits()
    for statement in _POSTGRES if op.get_bind().dialect.name == "postgresql" else _SQLITE:
        op.execute(statement)


def downgrade() -> None:
    for table in ("credits", "credit_calls", "transfers", "lock_rows", "locks"):
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION credits_append_only()")
    op.drop_column("users", "credit_cents")


def _locks() -> None:
    op.create_table(
        "locks",
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.Column("body_hash", sa.Text(), nullable=True),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("ended_by", sa.Text(), nullable=True),
        sa.Column("ended_event", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("client_id", "ref", name=op.f("pk_locks")),
        sa.CheckConstraint(
            "state IN ('held', 'part_moved', 'used', 'released', 'released_unseen')", name=op.f("ck_locks_state")
        ),
    )
    _partial("ix_locks_open", "locks", "created_at", "state IN ('held', 'part_moved')", unique=False)
    op.create_table(
        "lock_rows",
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("deposit_id", sa.Text(), nullable=False),
        sa.Column("value_cents", sa.BigInteger(), nullable=True),
        sa.Column("valued_at", UtcDateTime(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("client_id", "ref", "deposit_id", name=op.f("pk_lock_rows")),
        sa.ForeignKeyConstraint(
            ["client_id", "ref"], ["locks.client_id", "locks.ref"], name=op.f("fk_lock_rows_client_id_ref_locks")
        ),
        sa.CheckConstraint("state IN ('held', 'moved', 'released')", name=op.f("ck_lock_rows_state")),
    )
    _partial("uq_lock_rows_held", "lock_rows", "deposit_id", "state = 'held'", unique=True)


def _partial(name: str, table: str, column: str, condition: str, *, unique: bool) -> None:
    where = sa.text(condition)
    op.create_index(name, table, [column], unique=unique, sqlite_where=where, postgresql_where=where)


def _answered(name: str) -> None:
    op.create_table(
        name,
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("body_hash", sa.Text(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("client_id", "ref", name=op.f(f"pk_{name}")),
    )


def _credits() -> None:
    op.create_table(
        "credits",
        sa.Column("credit_id", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("call", sa.Text(), nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("cents", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("credit_id", name=op.f("pk_credits")),
        sa.UniqueConstraint("client_id", "call", "ref", "line", name=op.f("uq_credits_client_id_call_ref_line")),
        sa.CheckConstraint("call IN ('credit', 'transfer', 'exchange')", name=op.f("ck_credits_call")),
        sa.CheckConstraint(
            "kind IN ('rest', 'referral', 'carry', 'exchange', 'make_good', 'correction')", name=op.f("ck_credits_kind")
        ),
        sa.CheckConstraint("cents <> 0", name=op.f("ck_credits_cents")),
    )
    op.create_index("ix_credits_user_id_credit_id", "credits", ["user_id", "credit_id"])
    op.create_index("ix_credits_client_id_at", "credits", ["client_id", "at"])
