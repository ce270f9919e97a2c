"""Custody for games. The refs of a client are kept for good: whatever comes a second time is answered as the first time."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.schema import SchemaItem

from balancer.db.tables.columns import UtcDateTime, listed, metadata, one_of, partial
from shared.domain.games import CreditCall, CreditKind, LockRowState, LockState

locks = Table(
    "locks",
    metadata,
    Column("client_id", Text, nullable=False),
    Column("ref", Text, nullable=False),
    Column("user_id", Text),  # null: it was released before it came
    Column("state", Text, nullable=False),
    Column("note", Text, nullable=False, server_default=""),
    Column("body_hash", Text),
    Column("answer", Text),  # JSON, as it was given
    Column("created_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime),  # since when nothing is under it any more
    Column("ended_by", Text),
    Column("ended_event", BigInteger),
    PrimaryKeyConstraint("client_id", "ref"),
    one_of("state", LockState),
    Index("ix_locks_open", "created_at", **partial(f"state IN ({listed(LockState.HELD, LockState.PART_MOVED)})")),
)

lock_rows = Table(
    "lock_rows",
    metadata,
    Column("client_id", Text, nullable=False),
    Column("ref", Text, nullable=False),
    Column("deposit_id", Text, nullable=False),
    Column("value_cents", BigInteger),  # of the item when it was locked; null: none was known
    Column("valued_at", UtcDateTime),
    Column("state", Text, nullable=False),
    PrimaryKeyConstraint("client_id", "ref", "deposit_id"),
    ForeignKeyConstraint(["client_id", "ref"], ["locks.client_id", "locks.ref"]),
    one_of("state", LockRowState),
    Index("uq_lock_rows_held", "deposit_id", unique=True, **partial(f"state = '{LockRowState.HELD.value}'")),
)


def _answered(name: str, *more: SchemaItem) -> Table:
    """Calls of one kind by their refs, and what each was answered."""
    return Table(
        name,
        metadata,
        Column("client_id", Text, nullable=False),
        Column("ref", Text, nullable=False),
        Column("body_hash", Text, nullable=False),
        Column("answer", Text),  # JSON; null only within the transaction that writes it
        Column("at", UtcDateTime, nullable=False),
        *more,
        PrimaryKeyConstraint("client_id", "ref"),
    )


transfers = _answered("transfers")

credit_calls = _answered("credit_calls")

# Tickets that the house has issued, by kind. As with the answer: null only within the transaction that writes it.
issues = _answered("issues", Column("item_id", Text), Column("count", Integer))

exchanges = _answered(
    "exchanges",
    Column("user_id", Text),
    Column("value_in_cents", BigInteger),  # limits of a day count it
    Column("item_id", Text),  # the kind of ticket that was taken by name
    Column("issued", Integer),  # how many of that kind were new
    Index("ix_exchanges_client_id_at", "client_id", "at"),
    Index("ix_exchanges_user_id_at", "user_id", "at"),
)

# Append-only, by a trigger. Every line has its opposite on the house, so the whole table sums to zero.
credits = Table(
    "credits",
    metadata,
    Column("credit_id", Text, primary_key=True),
    Column("client_id", Text, nullable=False),
    Column("call", Text, nullable=False),
    Column("ref", Text, nullable=False),
    Column("line", Integer, nullable=False),  # from 1 on; the opposite of each has the same number below zero
    Column("user_id", Text, nullable=False),
    Column("cents", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("reason", Text, nullable=False, server_default=""),
    Column("at", UtcDateTime, nullable=False),
    UniqueConstraint("client_id", "call", "ref", "line"),
    one_of("call", CreditCall),
    one_of("kind", CreditKind),
    CheckConstraint("cents <> 0", name="cents"),
    Index("ix_credits_user_id_credit_id", "user_id", "credit_id"),
    Index("ix_credits_client_id_at", "client_id", "at"),
)
