"""The numbered feed of everything that happened.

Numbers are given by the database and may have gaps, where a transaction was taken back. What a reader may rely on: once a
number was served, no lower one appears any more; `balancer.db.engine.settled_number` says how that is kept on PostgreSQL.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, select

from balancer.context import Context
from balancer.db import engine, tables
from balancer.fields import Time, unix


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
    data: dict[str, Any]  # what changed, as in ``{"from": "queued", "to": "sent"}``


async def events(ctx: Context, after: int, limit: int) -> list[Event]:
    """The events behind number ``after``, in order. A number never appears once a higher one has been given out."""
    return await ctx.db.look(_behind, after, limit)


def _behind(connection: Connection, after: int, limit: int) -> list[Event]:
    settled = engine.settled_number(connection)
    query = select(tables.events).where(tables.events.c.number > after).order_by(tables.events.c.number).limit(limit)
    if settled is not None:
        query = query.where(tables.events.c.number <= settled)
    return [_view(row) for row in connection.execute(query)]


def _view(row: Row[Any]) -> Event:
    return Event(
        number=row.number,
        at=unix(row.at),
        kind=row.kind,
        trade_id=row.trade_id,
        user_id=row.user_id,
        bot=row.bot,
        who=row.who,
        data=json.loads(row.data),
    )
