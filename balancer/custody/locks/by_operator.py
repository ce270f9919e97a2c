"""An operator frees what is under a lock, or binds it again; both are told, the first with an alarm."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, or_, select, text, tuple_, update

from balancer.custody import refs
from balancer.custody.locks import bind, releases, show
from balancer.custody.locks.show import OPEN, Lock
from balancer.custody.locks.terms import was_released
from balancer.db.tables import clients, lock_rows, locks
from balancer.db.tables import events as journal
from balancer.journal import events
from balancer.journal.by import By
from shared import log
from shared.domain.games import LockRowState, LockState
from shared.domain.status import DepositStatus
from shared.errors import Conflict, NotFound

logger = log.get(__name__)

OPERATORS = ("cli:", "ops:")

ALARM = "lock_released_by_operator"

ACTION = (
    "the items of this lock can be withdrawn and locked again, although the game that they stand in may still run: see that "
    "the site has ended it; `fleet locks restore` binds them again while they are there"
)


def find_open(connection: Connection, older_than: datetime | None = None, limit: int | None = None) -> list[tuple[str, Lock]]:
    """Locks of all clients that still hold something, the oldest first, each with its client's name."""
    query = _OF_CLIENTS.where(locks.c.state.in_(OPEN)).order_by(locks.c.created_at, locks.c.client_id, locks.c.ref)
    if older_than is not None:
        query = query.where(locks.c.created_at < older_than)
    return _named_views(connection, query.limit(limit))


def find_freed(connection: Connection, limit: int) -> list[tuple[str, Lock]]:
    """Locks that an operator has released lately and `restore` may bind again; the newest first. The alarms name them."""
    texts = connection.scalars(select(journal.c.data).where(_ALARMS).order_by(journal.c.number.desc()).limit(ALARMS_READ))
    raised = [data for data in map(json.loads, texts) if data["alarm"] == ALARM]
    named = list(dict.fromkeys((data["client_id"], data["ref"]) for data in raised))[:limit]
    query = _OF_CLIENTS.where(locks.c.state == LockState.RELEASED.value)
    query = query.where(or_(*(locks.c.ended_by.startswith(each) for each in OPERATORS)))
    return _named_views(connection, query.where(tuple_(locks.c.client_id, locks.c.ref).in_(named))) if named else []


# Written out, as the planner takes an index of a part of a table only for the very words of that part.
_ALARMS = text("events.kind = 'alarm'")
ALARMS_READ = 1000
_OF_CLIENTS = select(locks, clients.c.name).join(clients, clients.c.client_id == locks.c.client_id)


def _named_views(connection: Connection, query: Select[Any]) -> list[tuple[str, Lock]]:
    rows = list(connection.execute(query))
    return [(row.name, view) for row, view in zip(rows, show.views(connection, rows), strict=True)]


def release(connection: Connection, ref: str, client: str | None, reason: str, by: By) -> list[str]:
    """Free what is under this lock although its client did not ask for it, with an alarm; the ids of the rows.

    Raises:
        NotFound: no such lock, or several clients have one of this ref and none was named.
        Conflict: ``lock_released``, nothing is under it any more.
    """
    row = _named(connection, ref, client)
    if row.state not in OPEN:
        raise was_released([ref])
    freed = releases.free(connection, row.client_id, [ref], by.now)
    event_data = {"client_id": row.client_id, "ref": ref, "deposit_ids": freed, "note": row.note, "reason": reason}
    event = refs.tell(connection, "items_unlocked", event_data, by, row.user_id)
    releases.end(connection, row.client_id, ref, LockState.RELEASED, by, event)
    alarm = {"alarm": ALARM, "client_id": row.client_id, "ref": ref, "count": len(freed), "reason": reason, "action": ACTION}
    events.append(connection, events.row("alarm", alarm, by, None, row.user_id))
    logger.error("alarm", action=ALARM, ref=ref, count=len(freed))
    return freed


def restore(connection: Connection, ref: str, client: str | None, reason: str, by: By) -> list[str]:
    """Bind the rows again that an operator has freed, at the values that were kept; the ids of the rows.

    Raises:
        NotFound: as `release`.
        Conflict: ``not_released_by_operator``, what a client has released stays so; ``not_active``, a row is no longer there,
            no longer the same user's, or under another lock. Nothing was changed.
    """
    row = _named(connection, ref, client)
    if row.state != LockState.RELEASED or not row.ended_by.startswith(OPERATORS):
        raise Conflict("Only what an operator has released is locked again.", code="not_released_by_operator")
    mine = (lock_rows.c.client_id == row.client_id, lock_rows.c.ref == ref)
    freed = (*mine, lock_rows.c.state == LockRowState.RELEASED.value)
    ids = list(connection.scalars(select(lock_rows.c.deposit_id).where(*freed).order_by(lock_rows.c.deposit_id)))
    there = bind.rows_of(connection, ids)
    gone = [each for each in ids if each not in there or not _may_return(there[each], row.user_id)]
    if gone:
        raise Conflict("These items are not free any more, or not this user's.", code="not_active", deposit_ids=gone)
    bind.bind(connection, row.client_id, ref, ids, by.now)
    connection.execute(update(lock_rows).where(*freed).values(state=LockRowState.HELD.value))
    event_data = {
        "client_id": row.client_id,
        "ref": ref,
        "deposit_ids": ids,
        "note": row.note,
        "reason": reason,
        "restored": True,
    }
    event = refs.tell(connection, "items_locked", event_data, by, row.user_id)
    values = {"ended_at": None, "ended_by": None, "ended_event": None}
    connection.execute(
        update(locks).where(locks.c.client_id == row.client_id, locks.c.ref == ref).values(state=LockState.HELD.value, **values)
    )
    releases.settle(connection, row.client_id, [ref], by, event)
    return ids


def _may_return(row: Row[Any], user_id: str) -> bool:
    return row.user_id == user_id and row.status == DepositStatus.ACTIVE and row.locked_by is None


def _named(connection: Connection, ref: str, client: str | None) -> Row[Any]:
    query = select(locks).join(clients, clients.c.client_id == locks.c.client_id).where(locks.c.ref == ref)
    if client is not None:
        query = query.where(clients.c.name == client)
    rows = list(connection.execute(query.with_for_update(of=locks)))
    if len(rows) != 1:
        raise NotFound("Several clients have a lock of this ref; name one." if rows else "There is no such lock.")
    return rows[0]
