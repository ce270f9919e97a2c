"""What calls of custody for games have in common: each is done once per ref, and writes one event in its transaction.

A ref is unique within one client and one kind of call, and is kept for good. Whoever writes its row first does the work;
whoever comes at the same moment waits for that transaction, at the unique key, and is answered with what it has written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Table, select

from balancer import fields
from balancer.db import engine, pipeline, tables
from balancer.db.pipeline import Statement, Step
from balancer.journal import events
from balancer.journal.by import By
from shared.errors import RequestReused


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a client: under which ref, what it asked (the hash of its body), and when it came."""

    client_id: str
    who: str
    ref: str
    body_hash: str
    now: datetime

    @property
    def key(self) -> dict[str, str]:
        return {"client_id": self.client_id, "ref": self.ref}

    @property
    def by(self) -> By:
        return By(self.who, self.now)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call is answered, as JSON; ``first`` says that this call did the work."""

    json: str
    first: bool = True


def begin(connection: Connection, table: Table, call: Call) -> Answer | None:
    """The answer that this ref got before; ``None``: the ref is new, and its row is written now.

    Raises:
        RequestReused: ``ref_reused``, it came with another body before.
    """
    [new] = pipeline.run(connection, [beginning(connection, table, call)])
    return None if new else before(connection, table, call)


def beginning(connection: Connection, table: Table, call: Call) -> Step:
    """Write the row of this ref: one row comes back if it is new, none if it was there."""
    return _new(table.name).step(connection, **call.key, hash=call.body_hash, now=call.now)


@lru_cache(maxsize=16)
def _new(table: str) -> Statement:
    return Statement.of(
        f"INSERT INTO {table} (client_id, ref, body_hash, at) VALUES (:client_id, :ref, :hash, :now) "  # noqa: S608
        "ON CONFLICT DO NOTHING RETURNING ref"
    )


def before(connection: Connection, table: Table, call: Call) -> Answer:
    """What a ref that is not new was answered.

    Raises:
        RequestReused: ``ref_reused``, it came with another body before.
    """
    kept = connection.execute(select(table.c.body_hash, table.c.answer).where(of(table, call))).one()
    check_body(kept.body_hash, call)
    return Answer(kept.answer, first=False)


def check_body(body_hash: str | None, call: Call) -> None:
    """
    Raises:
        RequestReused: ``ref_reused``.
    """
    if body_hash != call.body_hash:
        raise RequestReused("This ref was used with another body; nothing was changed.", code="ref_reused", ref=call.ref)


def finish(connection: Connection, table: Table, call: Call, view: object, **more: Any) -> Answer:
    """Keep what this call is answered, and in ``more`` what sums are made of."""
    answer = answered(view)
    pipeline.run(connection, [finishing(connection, table, call, answer, **more)])
    return answer


def answered(view: object) -> Answer:
    """The answer of a call that did its work now."""
    return Answer(fields.to_json(view).decode())


def finishing(connection: Connection, table: Table, call: Call, answer: Answer, **more: Any) -> Step:
    """The same as a step."""
    return _ended(table.name, tuple(sorted(more))).step(connection, **call.key, answer=answer.json, **more)


@lru_cache(maxsize=16)
def _ended(table: str, more: tuple[str, ...]) -> Statement:
    values = ", ".join(f"{name} = :{name}" for name in ("answer", *more))
    return Statement.of(f"UPDATE {table} SET {values} WHERE client_id = :client_id AND ref = :ref")  # noqa: S608


def of(table: Table, call: Call) -> Any:
    """The row of this call."""
    return (table.c.client_id == call.client_id) & (table.c.ref == call.ref)


def tag(client_id: str, ref: str) -> str:
    """How a row names the lock that holds it."""
    return f"{client_id}:{ref}"


def tell(connection: Connection, kind: str, data: Mapping[str, Any], by: By, user_id: str | None = None) -> int:
    """Write the one event of a call; its number."""
    return do_and_tell(connection, [], events.row(kind, data, by, None, user_id))[1]


def do_and_tell(connection: Connection, steps: Sequence[Step], event: dict[str, Any]) -> tuple[list[Any], int]:
    """Do these steps and write the one event of a call, in one round trip: what the steps answered, and its number.

    Whoever finds that a step did not do what it should raises, and the event is given up with all the rest.
    """
    # The last number that this very session has drawn; SQLite has one writer.
    last = "SELECT currval('events_number_seq')" if engine.is_postgres(connection) else "SELECT max(number) FROM events"
    insertion = pipeline.inserting(connection, [(tables.events, [event])])
    *answers, [[number]] = pipeline.run(connection, [*steps, *insertion, Step(last, ())])
    return answers[: len(steps)], int(number)
