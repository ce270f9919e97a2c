"""Named queries that no trade depends on: items and users.

Each takes a connection inside a transaction (`Database.run`, `Database.look`, `Database.transaction`). Steam ids come and go as
strings of digits.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Table, select
from sqlalchemy.dialects import postgresql, sqlite

from balancer.db.tables import items, users


def insert(connection: Connection, table: Table) -> Any:
    """An INSERT that knows ON CONFLICT, which both databases have but spell in their own dialects."""
    return postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)


# --- items and users -----------------------------------------------------------------------------------


@lru_cache(maxsize=20_000)
def item_id_of(market_hash_name: str) -> str:
    """Our id of an item, made from its name, so that two balancers agree without asking."""
    return "itm_" + hashlib.sha256(market_hash_name.encode()).hexdigest()[:20]


def item_values(connection: Connection, names: Iterable[str]) -> dict[str, int]:
    """The values in cents of those of these items that have one, by market_hash_name."""
    wanted = list(set(names))
    found: dict[str, int] = {}
    for start in range(0, len(wanted), 500):
        chunk = wanted[start : start + 500]
        rows = connection.execute(
            select(items.c.market_hash_name, items.c.value_cents).where(
                items.c.market_hash_name.in_(chunk), items.c.value_cents.is_not(None)
            )
        )
        found.update({row.market_hash_name: row.value_cents for row in rows})
    return found


_DESCRIBED = ("type", "color", "name_color", "icon_url", "icon_url_large")


def upsert_values(connection: Connection, values: Mapping[str, int], source: str, now: datetime) -> int:
    """Set the values in cents of items by name, making those that are new. Returns how many; repeatable."""
    rows = [
        {
            "item_id": item_id_of(name),
            "market_hash_name": name,
            "value_cents": cents,
            "value_source": source,
            "valued_at": now,
        }
        for name, cents in sorted(values.items())
    ]
    return _upsert_items(connection, rows, ("value_cents", "value_source", "valued_at"))


def upsert_descriptions(connection: Connection, rows: Iterable[Mapping[str, str]]) -> int:
    """Set what items look like: ``market_hash_name`` and any of type, color, name_color, icon_url, icon_url_large."""
    full = {
        row["market_hash_name"]: {
            "item_id": item_id_of(row["market_hash_name"]),
            "market_hash_name": row["market_hash_name"],
            **{name: row.get(name, "") for name in _DESCRIBED},
        }
        for row in rows
    }
    return _upsert_items(connection, [full[name] for name in sorted(full)], _DESCRIBED)


def _upsert_items(connection: Connection, rows: list[dict[str, Any]], changed: tuple[str, ...]) -> int:
    # Rows go in ordered by name, so that two balancers doing the same wait for each other and do not deadlock.
    if not rows:
        return 0
    statement = insert(connection, items)
    statement = statement.on_conflict_do_update(
        index_elements=[items.c.item_id], set_={name: statement.excluded[name] for name in changed}
    )
    connection.execute(statement, rows)
    return len(rows)


def is_user(connection: Connection, steam_id: int) -> bool:
    """Whether this Steam account is bound to a user: it has traded here before."""
    return connection.execute(select(users.c.user_id).where(users.c.steam_id == steam_id)).first() is not None


def steam_id_of(connection: Connection, user_id: str) -> str | None:
    found = connection.scalar(select(users.c.steam_id).where(users.c.user_id == user_id))
    return None if found is None else str(found)
