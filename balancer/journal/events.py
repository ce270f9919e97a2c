"""The numbered feed of everything that happened.

Numbers are given by the database and may have gaps, where a transaction was taken back. What a reader may rely on: once a
number was served, no lower one appears any more; `balancer.db.engine.settled_number` says how that is kept on PostgreSQL.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field
from sqlalchemy import ColumnElement, Connection, Row, func, select

from balancer.db import engine, pipeline, tables
from balancer.fields import Time, unix
from balancer.journal import kinds
from balancer.journal.by import By

# What only those may know who are concerned, should a text of a bot or of Steam hold it: the token of a trade URL, and that
# of a verify address.
_SECRET = re.compile(r"(\btoken=|/verify/)[\w-]+")
# The event that a trade begins with.
OPENED = "trade_created"
# An event that one target of webhooks alone is sent.
WEBHOOK_TEST = "webhook_test"


@dataclass(frozen=True, slots=True)
class Event:
    """One fact of the journal. Numbers grow; there may be gaps."""

    number: int
    at: Time
    kind: str
    trade_id: str | None
    user_id: str | None
    bot: str | None
    who: str
    livemode: Annotated[bool, Field(description="Whether the balancer is live; false: it tests")]
    data: dict[str, Any]  # what changed, as in ``{"from": "queued", "to": "sent"}``


def row(
    kind: str,
    data: Mapping[str, Any],
    by: By,
    trade_id: str | None = None,
    user_id: str | None = None,
    bot: str | None = None,
) -> dict[str, Any]:
    """One row of ``events``; ``data`` are plain values without secrets, as `balancer.journal.kinds` has them.

    Raises:
        UnknownKind: nobody has said there what it means.
    """
    kinds.check(kind, data)
    return {
        "at": by.now,
        "kind": kind,
        "trade_id": trade_id,
        "user_id": user_id,
        "bot": bot,
        "who": by.who,
        "data": _SECRET.sub(r"\1…", json.dumps(data, separators=(",", ":"))),
    }


def row_of(kind: str, trade: Row[Any], data: Mapping[str, Any], by: By) -> dict[str, Any]:
    """One row of ``events`` about a trade and its bot."""
    return row(kind, data, by, trade.trade_id, trade.user_id, f"{trade.color}-{trade.bot_id}")


def append(connection: Connection, *rows: dict[str, Any]) -> None:
    """Append events to the numbered feed."""
    pipeline.insert_rows(connection, [(tables.events, list(rows))])


def of_trade(connection: Connection, kind: str, trade: Row[Any], data: Mapping[str, Any], by: By) -> None:
    """Append one event about a trade."""
    append(connection, row_of(kind, trade, data, by))


def behind(connection: Connection, after: int, limit: int, livemode: bool, *only: ColumnElement[bool]) -> list[Event]:
    """The events behind number ``after``, in order. A number never appears once a higher one has been given out.

    ``only`` are conditions on the table's columns; what they leave out is passed over.
    """
    return [view(one, livemode) for one in rows_behind(connection, after, limit, *only)]


def rows_behind(connection: Connection, after: int, limit: int, *only: ColumnElement[bool]) -> Sequence[Row[Any]]:
    """The same as rows of the table."""
    settled = engine.settled_number(connection)
    query = select(tables.events).where(tables.events.c.number > after, *only).order_by(tables.events.c.number).limit(limit)
    if settled is not None:
        query = query.where(tables.events.c.number <= settled)
    return connection.execute(query).all()


def last(connection: Connection, limit: int, livemode: bool, *only: ColumnElement[bool]) -> list[Event]:
    """The last ``limit`` events that fit ``only``, in order; reading on `behind` the last of them misses nothing."""
    up_to = tables.events.c.number <= settled(connection)
    query = select(tables.events).where(up_to, *only).order_by(tables.events.c.number.desc()).limit(limit)
    return [view(one, livemode) for one in reversed(connection.execute(query).all())]


def newest(connection: Connection) -> int:
    """The highest number there is. A hint, and cheap: `behind` decides what may be given out."""
    return connection.scalar(select(func.max(tables.events.c.number))) or 0


def settled(connection: Connection) -> int:
    """A number up to which no event can appear any more."""
    number = engine.settled_number(connection)
    return newest(connection) if number is None else number


def view(row: Row[Any], livemode: bool) -> Event:
    """A row of the table as it is shown; ``livemode`` is the balancer's."""
    return Event(
        number=row.number,
        at=unix(row.at),
        kind=row.kind,
        trade_id=row.trade_id,
        user_id=row.user_id,
        bot=row.bot,
        who=row.who,
        livemode=livemode,
        data=json.loads(row.data),
    )
