"""Alarms that no operator has seen yet, and saying that one has.

An alarm is an event; `acknowledge` adds a row beside it and an event of its own. Nothing is mended by it: what is wrong, and
what to do, stands in the alarm. Bots that are restricted or frozen stay so, whoever has seen the alarm.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Connection, exists, func, select, text

from balancer.db import engine, pipeline
from balancer.db.tables import alarm_acks, events
from balancer.journal import events as feed
from balancer.journal.by import By
from balancer.journal.events import Event

NOTE_MAX = 500
BATCH_MAX = 500
# Written out, as the planner takes an index of a part of a table only for the very words of that part.
_ALARMS = text("events.kind = 'alarm'")


def unseen(connection: Connection, limit: int, livemode: bool) -> list[Event]:
    """The newest ``limit`` alarms that nobody has acknowledged, newest first."""
    query = select(events).where(_ALARMS, *_unseen(connection)).order_by(events.c.number.desc()).limit(limit)
    return [feed.view(row, livemode) for row in connection.execute(query)]


def count(connection: Connection) -> int:
    """How many alarms nobody has acknowledged."""
    return connection.scalar(select(func.count()).select_from(events).where(_ALARMS, *_unseen(connection))) or 0


def acknowledge(connection: Connection, numbers: Sequence[int] | None, by: By, note: str) -> list[int]:
    """Say that somebody has seen these alarms, or, with ``None``, the oldest `BATCH_MAX` that there are.

    Returns the numbers that nobody had acknowledged before. What is no alarm is left out. A second call with the same numbers
    changes nothing and tells nothing.
    """
    query = select(events.c.number).where(_ALARMS, *_unseen(connection)).order_by(events.c.number).limit(BATCH_MAX)
    raised = list(connection.scalars(query if numbers is None else query.where(events.c.number.in_(numbers))))
    rows = [{"number": number, "at": by.now, "who": by.who, "note": note[:NOTE_MAX]} for number in raised]
    new: list[int] = []
    for row in rows:
        statement = pipeline.insert(connection, alarm_acks).values(row).on_conflict_do_nothing()
        new += connection.scalars(statement.returning(alarm_acks.c.number))
    if new:
        feed.append(connection, feed.row("alarm_acknowledged", {"numbers": new, "note": note[:NOTE_MAX]}, by))
    return new


def _unseen(connection: Connection) -> list[ColumnElement[bool]]:
    settled = engine.settled_number(connection)
    conditions: list[ColumnElement[bool]] = [~exists().where(alarm_acks.c.number == events.c.number)]
    return conditions if settled is None else [*conditions, events.c.number <= settled]
