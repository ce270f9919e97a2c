"""Locks as their clients are shown them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from pydantic import Field
from sqlalchemy import Connection, Row, select

from balancer.db.tables import deposits, lock_rows, locks
from balancer.fields import Time, maybe_unix, unix
from shared.domain.games import LockRowState, LockState
from shared.domain.status import DepositStatus
from shared.errors import NotFound

RELEASED = (LockState.RELEASED.value, LockState.RELEASED_UNSEEN.value)
OPEN = (LockState.HELD.value, LockState.PART_MOVED.value)


@dataclass(frozen=True, slots=True)
class LockRow:
    """One item under a lock. `value_cents` is what it was worth when it was locked; null: nobody knew."""

    deposit_id: str
    item_id: str
    market_hash_name: str
    status: DepositStatus
    state: LockRowState
    value_cents: int | None
    valued_at: Time | None
    taken_in_value_cents: Annotated[int, Field(description="What it was worth when it came")]
    settled_at: Annotated[Time | None, Field(description="Null: Steam may still take it back")]
    settles_at: Time | None
    inspect_link: str | None
    icon_url: str


@dataclass(frozen=True, slots=True)
class Lock:
    """Items bound to a game. Of one that was released before it came only `ref`, `state` and `locked_at` say anything."""

    ref: str
    user_id: str | None
    state: LockState
    note: str
    locked_at: Time
    rows: list[LockRow]
    event: Annotated[int | None, Field(description="The number of its event in the feed")]


@dataclass(frozen=True, slots=True)
class Release:
    """A lock that holds nothing any more: what was freed, and what had been handed over before."""

    ref: str
    state: LockState
    released: list[str]
    moved: list[str]
    event: int | None


def show(connection: Connection, client_id: str, ref: str) -> Lock:
    """One lock of this client as it stands now.

    Raises:
        NotFound: it has none of this ref.
    """
    row = connection.execute(select(locks).where(locks.c.client_id == client_id, locks.c.ref == ref)).first()
    if row is None:
        raise NotFound("There is no such lock.")
    return views(connection, [row])[0]


def find(
    connection: Connection,
    client_id: str,
    states: Sequence[str] = (),
    user_id: str | None = None,
    after: str | None = None,
    limit: int = 100,
) -> list[Lock]:
    """Locks of this client in the order of their refs, from the one behind ``after`` on."""
    query = select(locks).where(locks.c.client_id == client_id)
    if states:
        query = query.where(locks.c.state.in_(states))
    if user_id is not None:
        query = query.where(locks.c.user_id == user_id)
    if after is not None:
        query = query.where(locks.c.ref > after)
    return views(connection, list(connection.execute(query.order_by(locks.c.ref).limit(limit))))


def views(connection: Connection, rows: Sequence[Row[Any]]) -> list[Lock]:
    """Locks as they were answered, with how they and their rows stand now."""
    by_client: dict[str, list[str]] = {}
    for row in rows:
        by_client.setdefault(row.client_id, []).append(row.ref)
    states = {
        (client_id, ref): of_ref
        for client_id, which in by_client.items()
        for ref, of_ref in states_of(connection, client_id, which).items()
    }
    named = [each for of_ref in states.values() for each in of_ref]
    query = select(deposits.c.deposit_id, deposits.c.status, deposits.c.settled_at)
    now: dict[str, Any] = {row.deposit_id: row for row in connection.execute(query.where(deposits.c.deposit_id.in_(named)))}
    return [_view(row, states.get((row.client_id, row.ref), {}), now) for row in rows]


def states_of(connection: Connection, client_id: str, which: Sequence[str]) -> dict[str, dict[str, str]]:
    """By ref, how each row of these locks stands."""
    query = select(lock_rows.c.ref, lock_rows.c.deposit_id, lock_rows.c.state)
    query = query.where(lock_rows.c.client_id == client_id, lock_rows.c.ref.in_(which))
    states: dict[str, dict[str, str]] = {}
    for row in connection.execute(query.order_by(lock_rows.c.ref, lock_rows.c.deposit_id)):
        states.setdefault(row.ref, {})[row.deposit_id] = row.state
    return states


def _view(row: Row[Any], states: Mapping[str, str], now: Mapping[str, Row[Any]]) -> Lock:
    given = {"rows": [], "event": row.ended_event} if row.answer is None else json.loads(row.answer)
    rows = [_as_now(each, states[each["deposit_id"]], now.get(each["deposit_id"])) for each in given["rows"]]
    return Lock(row.ref, row.user_id, LockState(row.state), row.note, unix(row.created_at), rows, given["event"])


def _as_now(given: dict[str, Any], state: str, now: Row[Any] | None) -> LockRow:
    """One row as it was answered; its status is that of now, unless it was removed from custody long ago."""
    times = {name: None if given[name] is None else unix(datetime.fromisoformat(given[name])) for name in _TIMES}
    values = {**given, **times, "state": LockRowState(state), "status": DepositStatus(given["status"])}
    if now is not None:
        values |= {"status": DepositStatus(now.status), "settled_at": maybe_unix(now.settled_at)}
    return LockRow(**values)


_TIMES = ("valued_at", "settled_at", "settles_at")
