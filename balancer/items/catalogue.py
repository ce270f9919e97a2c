"""The table of items holds the value of each, with the source and the time that it is from, and what it was before.

A transaction reads it there; deposits go by `balancer.items.prices` in memory, which is the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Row, or_, select

from balancer.db import pipeline
from balancer.db.engine import Database
from balancer.db.tables import HOUSE, item_values, items
from balancer.items.prices import Prices
from shared.domain.items import item_id_of

AT_ONCE = 1000  # items in one transaction: a long list holds up nobody
HISTORY_MAX = 1000


@dataclass(frozen=True, slots=True)
class Past:
    """What an item was worth from a time on, and who said so."""

    at: datetime
    value_cents: int
    source: str


async def write(db: Database, prices: Prices) -> None:
    """Write the values of now into the table, unless they stand there already.

    Raises:
        DatabaseUnavailable: some may be written; again is the whole list.
    """
    generation, parts = prices.generation, prices.values.parts
    if generation == prices.written:
        return
    for part in parts:
        names = sorted(part.cents)  # in one order: two balancers wait for each other and do not deadlock
        for start in range(0, len(names), AT_ONCE):
            some = {name: part.cents[name] for name in names[start : start + AT_ONCE]}
            await db.run(upsert, some, part.source, part.at)
    prices.written = generation


def upsert(connection: Connection, values: Mapping[str, int], source: str, at: datetime) -> None:
    """Set the values in cents of items by name, making those that are new; what changed is kept in their history.

    A value of a later time from the same source stays, and so does one that the house has set itself. Again it changes nothing.
    """
    ids = {item_id_of(name): name for name in sorted(values)}
    here = {row.item_id: row for row in connection.execute(select(items).where(items.c.item_id.in_(list(ids))))}
    rows, past = [], []
    for item_id, name in ids.items():
        row, cents = here.get(item_id), values[name]
        if row is not None and not _may_change(row, cents, source, at):
            continue
        changed = {"value_cents": cents, "value_source": source, "valued_at": at}
        rows.append({"item_id": item_id, "market_hash_name": name, **changed})
        if row is None or (row.value_cents, row.value_source) != (cents, source):
            past.append({"item_id": item_id, "at": at, "value_cents": cents, "source": source})
    if rows:
        new = pipeline.insert(connection, items)
        changed = {name: new.excluded[name] for name in ("value_cents", "value_source", "valued_at")}
        connection.execute(
            new.on_conflict_do_update(index_elements=[items.c.item_id], set_=changed, where=_open(source, at)), rows
        )
    if past:
        connection.execute(pipeline.insert(connection, item_values).on_conflict_do_nothing(), past)


def history(connection: Connection, market_hash_name: str, most: int = HISTORY_MAX) -> list[Past]:
    """What an item was worth, the newest first. Kept for `[retention] values_days`."""
    query = select(item_values).where(item_values.c.item_id == item_id_of(market_hash_name))
    rows = connection.execute(query.order_by(item_values.c.at.desc()).limit(most))
    return [Past(row.at, row.value_cents, row.source) for row in rows]


def _may_change(row: Row[tuple[object, ...]], cents: int, source: str, at: datetime) -> bool:
    if row.value_source == HOUSE:
        return False
    if row.value_source != source or row.valued_at is None:
        return True
    return bool(row.valued_at < at or (row.valued_at == at and row.value_cents != cents))


def _open(source: str, at: datetime) -> object:
    """The same as `_may_change`, for a row that somebody else writes at this moment."""
    others = items.c.value_source.is_(None) | ((items.c.value_source != source) & (items.c.value_source != HOUSE))
    return or_(others, (items.c.value_source == source) & (items.c.valued_at.is_(None) | (items.c.valued_at <= at)))
