"""Named queries that no trade depends on: API clients, nonces, sessions, items.

Each takes a connection inside a transaction (`Database.run`, `Database.look`, `Database.transaction`). Steam ids come and go as
strings of digits.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Table, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from balancer.db.tables import client_keys, clients, items, nonces, sessions, users
from shared.errors import Conflict, NotFound

KEYS_MAX = 2


def insert(connection: Connection, table: Table) -> Any:
    """An INSERT that knows ON CONFLICT, which both databases have but spell in their own dialects."""
    return postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)


# --- API clients -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Client:
    client_id: str
    name: str
    scopes: frozenset[str]
    key_hash: str = field(default="", compare=False, repr=False)  # of the key by which it was found


def create_client(connection: Connection, name: str, scopes: Iterable[str], key_hash: str, *, now: datetime) -> Client:
    """A new client with its first key.

    Raises:
        Conflict: the name is taken.
    """
    if connection.execute(select(clients.c.client_id).where(clients.c.name == name)).first():
        raise Conflict(f"there is a client named {name}", code="conflict", reason="name_taken")
    client = Client(f"cli_{key_hash[:20]}", name, frozenset(scopes))
    connection.execute(
        clients.insert().values(client_id=client.client_id, name=name, scopes=" ".join(sorted(client.scopes)), created_at=now)
    )
    connection.execute(client_keys.insert().values(key_hash=key_hash, client_id=client.client_id, created_at=now))
    return client


def add_client_key(connection: Connection, name: str, key_hash: str, *, now: datetime) -> None:
    """A second live key, so that a site can change keys without a gap.

    Raises:
        NotFound: no live client of this name.
        Conflict: it has two live keys already.
    """
    client_id = _live_client(connection, name)
    live = connection.scalar(
        select(func.count()).where(client_keys.c.client_id == client_id, client_keys.c.revoked_at.is_(None))
    )
    if live is not None and live >= KEYS_MAX:
        raise Conflict(f"{name} has {KEYS_MAX} live keys; revoke one first", code="conflict", reason="keys_max")
    connection.execute(client_keys.insert().values(key_hash=key_hash, client_id=client_id, created_at=now))


def _live_client(connection: Connection, name: str) -> str:
    client_id = connection.scalar(
        select(clients.c.client_id).where(clients.c.name == name, clients.c.revoked_at.is_(None)).with_for_update()
    )
    if client_id is None:
        raise NotFound(f"there is no client named {name}")
    return str(client_id)


def live_keys(connection: Connection) -> list[Client]:
    """A client for each key that was not revoked, nor its client."""
    rows = connection.execute(
        select(clients.c.client_id, clients.c.name, clients.c.scopes, client_keys.c.key_hash)
        .join(client_keys, client_keys.c.client_id == clients.c.client_id)
        .where(client_keys.c.revoked_at.is_(None), clients.c.revoked_at.is_(None))
    )
    return [Client(row.client_id, row.name, frozenset(row.scopes.split()), row.key_hash) for row in rows]


def list_clients(connection: Connection) -> list[Client]:
    """Every client that was not revoked, by name."""
    rows = connection.execute(select(clients).where(clients.c.revoked_at.is_(None)).order_by(clients.c.name))
    return [Client(row.client_id, row.name, frozenset(row.scopes.split())) for row in rows]


def revoke_client_key(connection: Connection, key_hash: str, *, now: datetime) -> bool:
    """End one key. Whether it was live until now."""
    return _ended(connection, client_keys, client_keys.c.key_hash == key_hash, now)


def revoke_client(connection: Connection, name: str, *, now: datetime) -> bool:
    """End a client with all its keys. Whether there was a live one."""
    return _ended(connection, clients, clients.c.name == name, now)


def _ended(connection: Connection, table: Table, which: Any, now: datetime) -> bool:
    return connection.execute(update(table).where(which, table.c.revoked_at.is_(None)).values(revoked_at=now)).rowcount > 0


# --- the verify page: nonces and sessions ------------------------------------------------------------


def remember_nonce(connection: Connection, nonce: str, now: datetime) -> bool:
    """Whether this nonce was never seen before; it has been now."""
    # An INSERT's rowcount is not known on PostgreSQL; what it returns is.
    statement = insert(connection, nonces).values(nonce=nonce, seen_at=now).on_conflict_do_nothing()
    return connection.execute(statement.returning(nonces.c.nonce)).first() is not None


def put_session(connection: Connection, id_hash: str, steam_id: str, expires_at: datetime, now: datetime) -> None:
    connection.execute(sessions.insert().values(id_hash=id_hash, steam_id=int(steam_id), expires_at=expires_at, created_at=now))


def get_session(connection: Connection, id_hash: str, now: datetime) -> str | None:
    """The Steam id that is signed in under this session; ``None`` if there is none or it has ended."""
    found = connection.scalar(select(sessions.c.steam_id).where(sessions.c.id_hash == id_hash, sessions.c.expires_at > now))
    return None if found is None else str(found)


def delete_session(connection: Connection, id_hash: str) -> None:
    connection.execute(delete(sessions).where(sessions.c.id_hash == id_hash))


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


def steam_id_of(connection: Connection, user_id: str) -> str | None:
    found = connection.scalar(select(users.c.steam_id).where(users.c.user_id == user_id))
    return None if found is None else str(found)
