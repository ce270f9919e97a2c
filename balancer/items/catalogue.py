"""The table of items holds the value of each, so that a transaction can read it, and the time that the value is from."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from sqlalchemy import Connection, or_

from balancer.db import pipeline
from balancer.db.engine import Database
from balancer.db.tables import HOUSE, items
from balancer.items.prices import Prices
from shared.domain.items import item_id_of

SOURCE = "file"
AT_ONCE = 1000  # items in one transaction: a long list holds up nobody


async def write(db: Database, prices: Prices) -> None:
    """Write the prices of now into the table, unless they stand there already.

    Raises:
        DatabaseUnavailable: some may be written; again is the whole list.
    """
    read_at, cents = prices.read_at, prices.all()
    if read_at is None or read_at == prices.written_at:
        return
    names, at = sorted(cents), datetime.fromtimestamp(read_at, UTC)
    for start in range(0, len(names), AT_ONCE):
        some = {name: cents[name] for name in names[start : start + AT_ONCE]}
        await db.run(upsert, some, SOURCE, at)
    prices.written_at = read_at


def upsert(connection: Connection, values: Mapping[str, int], source: str, at: datetime) -> None:
    """Set the values in cents of items by name, making those that are new.

    A value of a later time stays, and so does one that the house has set itself. Again it changes nothing.
    """
    rows = [
        {
            "item_id": item_id_of(name),
            "market_hash_name": name,
            "value_cents": cents,
            "value_source": source,
            "valued_at": at,
        }
        for name, cents in sorted(values.items())  # in one order: two balancers wait for each other and do not deadlock
    ]
    new = pipeline.insert(connection, items)
    changed = {name: new.excluded[name] for name in ("value_cents", "value_source", "valued_at")}
    newer = or_(
        items.c.valued_at.is_(None),
        items.c.valued_at < at,
        (items.c.valued_at == at) & items.c.value_cents.is_distinct_from(new.excluded.value_cents),
    )
    ours = items.c.value_source.is_distinct_from(HOUSE)
    connection.execute(new.on_conflict_do_update(index_elements=[items.c.item_id], set_=changed, where=newer & ours), rows)
