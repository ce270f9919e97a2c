"""Which errors of a database say that it cannot be used now, rather than that it was asked for something wrong."""

from __future__ import annotations

import sqlite3

from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

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
