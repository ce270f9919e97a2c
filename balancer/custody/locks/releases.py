"""Free what is under a lock, at the word of its client or because a transfer leaves it over."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select

from balancer import fields
from balancer.custody import refs
from balancer.custody.locks import bind
from balancer.custody.locks.show import RELEASED, Release, states_of
from balancer.custody.refs import Answer, Call, tag
from balancer.db import pipeline
from balancer.db.pipeline import Statement, Step
from balancer.db.tables import clients, deposits, lock_rows, locks
from balancer.journal.by import By
from shared.domain.games import LockRowState, LockState
from shared.errors import Conflict


def release(connection: Connection, call: Call) -> Answer:
    """Free what is still under this lock. Again: the same answer. A ref that was never seen can hold nothing from now on.

    Raises:
        Conflict: ``ref_of_another_client``.
    """
    row = _locked(connection, call.client_id, call.ref)
    if row is None:
        if _is_anothers(connection, call):
            raise Conflict("This ref is another client's.", code="ref_of_another_client")
        new = {**call.key, "state": LockState.RELEASED_UNSEEN.value, "created_at": call.now}
        if bind.write_new(connection, new):
            event = _tell_unlocked(connection, call, [], "", None)
            end(connection, call.client_id, call.ref, LockState.RELEASED_UNSEEN, call.by, event)
            return _release_view(connection, call)
        row = _locked(connection, call.client_id, call.ref)  # it came at this very moment
    if row is not None and row.state not in RELEASED:
        freed = free(connection, call.client_id, [call.ref], call.now)
        event = _tell_unlocked(connection, call, freed, row.note, row.user_id)
        end(connection, call.client_id, call.ref, LockState.RELEASED, call.by, event)
        return _release_view(connection, call)
    return replace(_release_view(connection, call), first=False)


def _locked(connection: Connection, client_id: str, ref: str) -> Row[Any] | None:
    query = select(locks).where(locks.c.client_id == client_id, locks.c.ref == ref)
    return connection.execute(query.with_for_update()).first()


def _is_anothers(connection: Connection, call: Call) -> bool:
    others = select(clients.c.client_id).where(clients.c.client_id != call.client_id)
    query = select(locks.c.ref).where(locks.c.client_id.in_(others), locks.c.ref == call.ref)
    return connection.execute(query).first() is not None


def free(connection: Connection, client_id: str, which: Sequence[str], now: datetime) -> list[str]:
    """Take what is still under these locks from under them; the ids, in their order. Whoever calls has locked the locks."""
    held = (lock_rows.c.client_id == client_id, lock_rows.c.ref.in_(which), lock_rows.c.state == LockRowState.HELD.value)
    mine = select(lock_rows.c.deposit_id).where(*held)
    query = select(deposits.c.deposit_id).where(deposits.c.deposit_id.in_(mine)).order_by(deposits.c.deposit_id)
    ids = list(connection.scalars(query.with_for_update()))
    pipeline.run(connection, freeing(connection, client_id, which, ids, now))
    return ids


_FREE = Statement.of("UPDATE deposits SET locked_by = NULL, touched = :now WHERE deposit_id :ids[] AND locked_by :tags[]")
_FREE_ROWS = Statement.of(
    f"UPDATE lock_rows SET state = '{LockRowState.RELEASED.value}' "  # noqa: S608
    f"WHERE client_id = :client AND ref :refs[] AND state = '{LockRowState.HELD.value}'"
)


def freeing(connection: Connection, client_id: str, which: Sequence[str], ids: Sequence[str], now: datetime) -> list[Step]:
    """Take these deposits, which are all that is still under these locks, from under them."""
    tags = [tag(client_id, ref) for ref in which]
    return [
        _FREE.step(connection, ids=list(ids), tags=tags, now=now),
        _FREE_ROWS.step(connection, client=client_id, refs=list(which)),
    ]


def end(connection: Connection, client_id: str, ref: str, state: LockState, by: By, event: int) -> None:
    pipeline.run(connection, [_ending(connection, client_id, ref, state, by, event)])


_END = Statement.of(
    "UPDATE locks SET state = :state, ended_at = :now, ended_by = :who, ended_event = :event "
    "WHERE client_id = :client AND ref = :ref"
)
_STAND = Statement.of("UPDATE locks SET state = :state WHERE client_id = :client AND ref = :ref")
_STANDING = Statement.of("SELECT DISTINCT ref, state FROM lock_rows WHERE client_id = :client AND ref :refs[]")


def _ending(connection: Connection, client_id: str, ref: str, state: LockState, by: By, event: int) -> Step:
    return _END.step(connection, client=client_id, ref=ref, state=state.value, now=by.now, who=by.who, event=event)


def settle(connection: Connection, client_id: str, which: Sequence[str], by: By, event: int) -> None:
    """Say of these locks how they stand, now that some of their rows were handed over or freed."""
    [rows] = pipeline.run(connection, [standing(connection, client_id, which)])
    pipeline.run(connection, settling(connection, client_id, rows, by, event))


def standing(connection: Connection, client_id: str, which: Sequence[str]) -> Step:
    """What `settling` goes by: the refs of these locks with each state that rows of theirs have."""
    return _STANDING.step(connection, client=client_id, refs=list(which))


def settling(connection: Connection, client_id: str, rows: Iterable[tuple[str, str]], by: By, event: int) -> list[Step]:
    """Say of each lock how it stands by the states of its rows."""
    states: dict[str, set[str]] = {}
    for ref, row_state in rows:
        states.setdefault(ref, set()).add(row_state)
    steps = []
    for ref, has in sorted(states.items()):
        state = _stands(has)
        if state in (LockState.USED, LockState.RELEASED):
            steps.append(_ending(connection, client_id, ref, state, by, event))
        else:
            steps.append(_STAND.step(connection, client=client_id, ref=ref, state=state.value))
    return steps


def _stands(has: set[str]) -> LockState:
    """How a lock stands whose rows have these states."""
    if LockRowState.HELD.value in has:
        return LockState.PART_MOVED if LockRowState.MOVED.value in has else LockState.HELD
    return LockState.USED if LockRowState.MOVED.value in has else LockState.RELEASED


def _tell_unlocked(connection: Connection, call: Call, freed: list[str], note: str, user_id: str | None) -> int:
    data = {**call.key, "deposit_ids": freed, "note": note}
    return refs.tell(connection, "items_unlocked", data, call.by, user_id)


def _release_view(connection: Connection, call: Call) -> Answer:
    row = connection.execute(select(locks).where(refs.of(locks, call))).one()
    states = states_of(connection, call.client_id, [call.ref]).get(call.ref, {})
    by_state = {
        state: sorted(each for each, one in states.items() if one == state)
        for state in (LockRowState.RELEASED.value, LockRowState.MOVED.value)
    }
    view = Release(
        call.ref,
        LockState.RELEASED,
        by_state[LockRowState.RELEASED.value],
        by_state[LockRowState.MOVED.value],
        row.ended_event,
    )
    return Answer(fields.to_json(view).decode())
