"""What a database's errors mean: that it cannot be used now, or which unique constraint refused a row."""

from __future__ import annotations

import re
import sqlite3
from functools import cache

from sqlalchemy import Index, PrimaryKeyConstraint, UniqueConstraint
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from balancer.db import tables
from shared.errors import DatabaseUnavailable

# SQLite's primary result codes.
_SQLITE = {
    sqlite3.SQLITE_FULL: "disk",
    sqlite3.SQLITE_IOERR: "disk",  # also what a file's size limit gives
    sqlite3.SQLITE_CANTOPEN: "disk",
    sqlite3.SQLITE_READONLY: "disk",
    sqlite3.SQLITE_BUSY: "busy",
    sqlite3.SQLITE_LOCKED: "busy",
}
# PostgreSQL's classes of SQLSTATE, or whole codes.
_POSTGRES = {
    "08": "away",  # connection exceptions
    "57P": "away",  # shut down, crashed, starting up, the database dropped
    "25006": "away",  # read only: what answers is a standby
    "53100": "disk",
    "53": "busy",  # too many connections, out of memory
    "40": "busy",  # given up for another transaction's sake, again and again
    "58": "disk",  # input and output of the server
}
DETAILS = {
    "away": "The database does not answer now; the same request may be repeated with the same Idempotency-Key.",
    "busy": "The database has too much to do now; the same request may be repeated with the same Idempotency-Key.",
    "disk": "The database's disk takes nothing now; the same request may be repeated with the same Idempotency-Key.",
}


def unavailable(error: SQLAlchemyError) -> DatabaseUnavailable | None:
    """What callers are told instead of this error: ``away``, ``busy`` or ``disk``. ``None``: the mistake is ours."""
    reason = _reason(error)
    return None if reason is None else DatabaseUnavailable(DETAILS[reason], reason=reason)


def _reason(error: SQLAlchemyError) -> str | None:
    if isinstance(error, PoolTimeout):
        return "busy"
    if not isinstance(error, DBAPIError):
        return None
    if isinstance(error.orig, sqlite3.Error):
        return _SQLITE.get(getattr(error.orig, "sqlite_errorcode", 0) & 0xFF)
    state = getattr(error.orig, "sqlstate", None)
    if state is not None:
        return next((reason for start, reason in _POSTGRES.items() if str(state).startswith(start)), None)
    # Without a word from the server: it could not be reached, or the connection broke.
    lost = error.connection_invalidated or type(error.orig).__name__ in ("OperationalError", "ConnectionTimeout")
    return "away" if lost else None


# SQLite names no constraint, but the columns of it: ``UNIQUE constraint failed: users.steam_id``.
_SQLITE_UNIQUE = re.compile(r"UNIQUE constraint failed: (.+)")


def violated(error: IntegrityError) -> str | None:
    """The name of the primary key, unique constraint or unique index that keeps the row out; ``None`` if none does."""
    diagnosis = getattr(error.orig, "diag", None)
    if diagnosis is not None:
        return None if diagnosis.constraint_name is None else str(diagnosis.constraint_name)
    match = _SQLITE_UNIQUE.fullmatch(str(error.orig))
    return None if match is None else _unique_by_columns().get(frozenset(match[1].split(", ")))


@cache
def _unique_by_columns() -> dict[frozenset[str], str]:
    """The names of all unique constraints by their columns, as in ``users.steam_id``."""
    by_columns = {}
    for table in tables.metadata.tables.values():
        unique: list[UniqueConstraint | PrimaryKeyConstraint | Index] = [table.primary_key]
        unique += [each for each in table.constraints if isinstance(each, UniqueConstraint)]
        unique += [each for each in table.indexes if each.unique]
        for each in unique:
            by_columns[frozenset(f"{table.name}.{column.name}" for column in each.columns)] = str(each.name)
    return by_columns
