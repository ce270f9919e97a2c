"""Tickets: items that the house itself issues, each kind with a value that never changes. Rows without bot and asset.

They are handed over, locked and exchanged like other items, but never withdrawn and never removed. So there are as many rows of
a kind as were ever issued, by a call of its own or within an exchange.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from pydantic import Field
from sqlalchemy import Connection, Row, func, select, true

from balancer.custody import refs
from balancer.custody.credits import NewId
from balancer.custody.refs import Answer, Call
from balancer.db import pipeline
from balancer.db.tables import HOUSE, deposits, exchanges, issues, items
from balancer.journal import opening
from shared.domain.items import item_id_of
from shared.domain.status import DepositStatus
from shared.errors import Conflict


@dataclass(frozen=True, slots=True)
class Wish:
    """So many of this kind, each worth this much for good, for the house."""

    market_hash_name: str
    value_cents: int
    count: int


@dataclass(frozen=True, slots=True)
class Issued:
    """Tickets that the house has issued; they are the house's."""

    ref: str
    item_id: str
    market_hash_name: str
    value_cents: int
    deposit_ids: list[str]
    event: int


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of ticket: how many were issued, how many there are, which must be the same, and how many the house has."""

    item_id: str
    market_hash_name: str
    value_cents: int
    issued: Annotated[int, Field(description="By calls, commands and exchanges together")]
    rows: int
    with_house: int


def issue(connection: Connection, call: Call, wish: Wish, new_id: NewId) -> Answer:
    """Make so many rows of this kind. The same ref and body again: the same answer.

    Raises:
        Conflict: ``kind_differs``, an item of this name is known that the house has not issued at this value.
        RequestReused: ``ref_reused``.
    """
    if (before := refs.begin(connection, issues, call)) is not None:
        return before
    kind = _kind(connection, wish, call.now)
    ids = make(connection, kind, HOUSE, wish.count, call.now, new_id)
    event_data = {**call.key, "market_hash_name": wish.market_hash_name, "value_cents": wish.value_cents, "deposit_ids": ids}
    event = refs.tell(connection, "items_issued", event_data, call.by, HOUSE)
    view = Issued(call.ref, kind.item_id, wish.market_hash_name, wish.value_cents, ids, event)
    return refs.finish(connection, issues, call, view, item_id=kind.item_id, count=wish.count)


def _kind(connection: Connection, wish: Wish, now: datetime) -> Row[Any]:
    """The kind's item, which is made if nobody knows one of this name."""
    values = {"value_cents": wish.value_cents, "value_source": HOUSE, "valued_at": now, "type": "Ticket"}
    new = {"item_id": item_id_of(wish.market_hash_name), "market_hash_name": wish.market_hash_name, **values}
    connection.execute(pipeline.insert(connection, items).values(new).on_conflict_do_nothing())
    row = connection.execute(select(items).where(items.c.market_hash_name == wish.market_hash_name)).one()
    if row.value_source != HOUSE or row.value_cents != wish.value_cents:
        raise Conflict(
            "An item of this name is known that is not the house's, or has another value, which never changes.",
            code="kind_differs",
            value_cents=row.value_cents,
            value_source=row.value_source,
        )
    return row


def make(connection: Connection, kind: Row[Any], user_id: str, count: int, now: datetime, new_id: NewId) -> list[str]:
    """Write new rows of a kind, settled from the beginning; their ids. The caller keeps how many it has issued."""
    same = {"item_id": kind.item_id, "user_id": user_id, "value_cents": kind.value_cents}
    times = {"settled_at": now, "created_at": now, "touched": now}
    ids = [new_id("dep") for _ in range(count)]
    opening.issue_tickets(connection, [{"deposit_id": each, **same, **times} for each in ids])
    return ids


def find_kind(connection: Connection, market_hash_name: str) -> Row[Any] | None:
    """The item of this name, if it is a kind that the house issues."""
    mine = (items.c.market_hash_name == market_hash_name, items.c.value_source == HOUSE)
    return connection.execute(select(items).where(*mine)).first()


def free(connection: Connection, item_id: str, count: int) -> list[str]:
    """At most so many free tickets of this kind that the house has, locked. What others have locked is passed over.

    So whoever holds rows already waits for nobody here.
    """
    here = (deposits.c.user_id == HOUSE, deposits.c.status == DepositStatus.ACTIVE.value, deposits.c.bot_id.is_(None))
    unbound = (deposits.c.locked_by.is_(None), deposits.c.frozen_by.is_(None))
    query = select(deposits.c.deposit_id).where(deposits.c.item_id == item_id, *here, *unbound)
    limited = query.order_by(deposits.c.deposit_id).limit(count).with_for_update(skip_locked=True)
    return list(connection.scalars(limited))


def kinds(connection: Connection) -> list[Kind]:
    """Every kind of ticket with its counts, by name."""
    query = select(items).where(items.c.value_source == HOUSE).order_by(items.c.market_hash_name)
    return [_counted(connection, row) for row in connection.execute(query)]


def _counted(connection: Connection, kind: Row[Any]) -> Kind:
    issued = sum(
        connection.scalar(select(func.coalesce(func.sum(column), 0)).where(table.c.item_id == kind.item_id)) or 0
        for table, column in ((issues, issues.c.count), (exchanges, exchanges.c.issued))
    )
    rows = (deposits.c.item_id == kind.item_id, deposits.c.bot_id.is_(None))
    counts: Sequence[int] = [
        connection.scalar(select(func.count()).select_from(deposits).where(*rows, whose)) or 0
        for whose in (true(), deposits.c.user_id == HOUSE)
    ]
    return Kind(kind.item_id, kind.market_hash_name, kind.value_cents, int(issued), *counts)
