"""The baseline of locks and transfers: the same rows as the balancer writes for one call, by the bare driver.

PostgreSQL gets one statement per call, SQLite one per table. Nothing is checked but that rows are free or locked, and the
answer is the request.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import psycopg

CLIENT = "cli_bench"
Body = dict[str, Any]
Postgres = psycopg.Connection[tuple[Any, ...]]

_LOCK = "client_id, ref, user_id, state, body_hash, answer, created_at"
_EVENT = "at, kind, who, data"

POSTGRES_LOCK = f"""
WITH n AS (INSERT INTO locks ({_LOCK}) VALUES (%(client)s, %(ref)s, %(user_id)s, 'held', %(hash)s, %(answer)s, %(now)s)),
u AS (UPDATE deposits SET locked_by = %(tag)s, touched = %(now)s
  WHERE deposit_id = ANY(%(ids)s::text[]) AND status = 'active' AND locked_by IS NULL RETURNING deposit_id),
r AS (INSERT INTO lock_rows (client_id, ref, deposit_id, value_cents, valued_at, state)
  SELECT %(client)s, %(ref)s, deposit_id, 100, %(now)s, 'held' FROM u)
INSERT INTO events ({_EVENT}) VALUES (%(now)s, 'items_locked', %(client)s, %(data)s)
"""  # noqa: S608 - made of the constants above

POSTGRES_TRANSFER = f"""
WITH n AS (INSERT INTO transfers (client_id, ref, body_hash, answer, at)
  VALUES (%(client)s, %(ref)s, %(hash)s, %(answer)s, %(now)s)),
u AS (UPDATE deposits SET user_id = %(to)s, locked_by = NULL, touched = %(now)s
  WHERE deposit_id = ANY(%(ids)s::text[]) AND locked_by = ANY(%(tags)s::text[])),
r AS (UPDATE lock_rows SET state = 'moved'
  WHERE client_id = %(client)s AND ref = ANY(%(locks)s::text[]) AND deposit_id = ANY(%(ids)s::text[])),
l AS (UPDATE locks SET state = 'used', ended_at = %(now)s WHERE client_id = %(client)s AND ref = ANY(%(locks)s::text[]))
INSERT INTO events ({_EVENT}) VALUES (%(now)s, 'items_transferred', %(client)s, %(data)s)
"""  # noqa: S608

_IDS = "IN (SELECT value FROM json_each(:ids))"
SQLITE_LOCK = (
    f"INSERT INTO locks ({_LOCK}) VALUES (:client, :ref, :user_id, 'held', :hash, :answer, :now)",  # noqa: S608
    f"UPDATE deposits SET locked_by = :tag, touched = :now WHERE deposit_id {_IDS} AND status = 'active' AND locked_by IS NULL",  # noqa: S608
    "INSERT INTO lock_rows (client_id, ref, deposit_id, value_cents, valued_at, state) "
    "SELECT :client, :ref, value, 100, :now, 'held' FROM json_each(:ids)",
    f"INSERT INTO events ({_EVENT}) VALUES (:now, 'items_locked', :client, :data)",  # noqa: S608
)
SQLITE_TRANSFER = (
    "INSERT INTO transfers (client_id, ref, body_hash, answer, at) VALUES (:client, :ref, :hash, :answer, :now)",
    f"UPDATE deposits SET user_id = :to, locked_by = NULL, touched = :now WHERE deposit_id {_IDS} "  # noqa: S608
    "AND locked_by IN (SELECT value FROM json_each(:tags))",
    f"UPDATE lock_rows SET state = 'moved' WHERE client_id = :client AND ref IN (SELECT value FROM json_each(:locks)) "  # noqa: S608
    f"AND deposit_id {_IDS}",
    "UPDATE locks SET state = 'used', ended_at = :now "
    "WHERE client_id = :client AND ref IN (SELECT value FROM json_each(:locks))",
    f"INSERT INTO events ({_EVENT}) VALUES (:now, 'items_transferred', :client, :data)",  # noqa: S608
)


def _values(body: Body, ids: list[str]) -> dict[str, Any]:
    told = json.dumps(body)
    return {"client": CLIENT, "ref": body["ref"], "hash": "0" * 64, "answer": told, "data": told, "ids": ids}


def lock_values(body: Body) -> dict[str, Any]:
    """What one lock writes, from the request's own JSON."""
    return {**_values(body, body["deposit_ids"]), "user_id": body["user_id"], "tag": f"{CLIENT}:{body['ref']}"}


def transfer_values(body: Body) -> dict[str, Any]:
    """What one transfer writes; all of its moves are to one user."""
    ids, tags = [move["deposit_id"] for move in body["moves"]], [f"{CLIENT}:{ref}" for ref in body["locks"]]
    return {**_values(body, ids), "to": body["moves"][0]["to"], "locks": body["locks"], "tags": tags}


def on_postgres(statement: str, row: dict[str, Any]) -> Callable[[Postgres], None]:
    """One call as work for a connection."""

    def work(connection: Postgres) -> None:
        connection.execute(statement.encode(), {**row, "now": datetime.now(UTC)})

    return work


def on_sqlite(statements: tuple[str, ...], row: dict[str, Any]) -> Callable[[sqlite3.Connection], None]:
    """One call as work for the writer, which commits."""
    given = {name: json.dumps(value) if isinstance(value, list) else value for name, value in row.items()}

    def work(connection: sqlite3.Connection) -> None:
        now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
        for statement in statements:
            connection.execute(statement, {**given, "now": now})

    return work
