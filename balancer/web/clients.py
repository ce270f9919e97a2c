"""Clients of the API and their keys, as the database has them. A key itself is never kept, only its keyed hash.

Each function takes a connection inside a transaction (`Database.run`, `Database.look`).
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table, func, select, update

from balancer.db.tables import client_keys, clients
from balancer.web.mode import PREFIXES
from shared.errors import Conflict, NotFound

RANDOM_BYTES = 30
KEYS_MAX = 2


@dataclass(frozen=True, slots=True)
class Client:
    client_id: str
    name: str
    scopes: frozenset[str]
    key_hash: str = field(default="", compare=False, repr=False)  # of the key by which it was found


def new_key(livemode: bool) -> str:
    """A new API key for a balancer of this mode: its prefix and 40 random characters, about 240 bits."""
    return PREFIXES[livemode] + secrets.token_urlsafe(RANDOM_BYTES)


def create(connection: Connection, name: str, scopes: Iterable[str], key_hash: str, *, now: datetime) -> Client:
    """A new client with its first key.

    Raises:
        Conflict: the name is taken. That of a revoked client stays taken: its events, refs and locks are told by it.
    """
    if (same := connection.execute(select(clients.c.revoked_at).where(clients.c.name == name)).first()) is not None:
        raise Conflict(_taken(name, revoked=same.revoked_at is not None), code="conflict", reason="name_taken")
    client = Client(f"cli_{key_hash[:20]}", name, frozenset(scopes))
    connection.execute(
        clients.insert().values(client_id=client.client_id, name=name, scopes=" ".join(sorted(client.scopes)), created_at=now)
    )
    connection.execute(client_keys.insert().values(key_hash=key_hash, client_id=client.client_id, created_at=now))
    return client


def _taken(name: str, *, revoked: bool) -> str:
    if not revoked:
        return f"there is a client named {name}; `fleet clients new-key {name}` makes another key for it"
    return f"a client named {name} was revoked, and what it did stays under its name; choose another, such as {name}-2"


def add_key(connection: Connection, name: str, key_hash: str, *, now: datetime) -> None:
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


def live(connection: Connection) -> list[Client]:
    """Every client that was not revoked, by name."""
    rows = connection.execute(select(clients).where(clients.c.revoked_at.is_(None)).order_by(clients.c.name))
    return [Client(row.client_id, row.name, frozenset(row.scopes.split())) for row in rows]


def revoke_key(connection: Connection, key_hash: str, *, now: datetime) -> bool:
    """End one key. Whether it was live until now."""
    return _ended(connection, client_keys, client_keys.c.key_hash == key_hash, now)


def revoke(connection: Connection, name: str, *, now: datetime) -> bool:
    """End a client with all its keys. Whether there was a live one."""
    return _ended(connection, clients, clients.c.name == name, now)


def _ended(connection: Connection, table: Table, which: Any, now: datetime) -> bool:
    return connection.execute(update(table).where(which, table.c.revoked_at.is_(None)).values(revoked_at=now)).rowcount > 0
