"""Statements as few and as cheap as can be: several in one round trip, many rows and any number of values in one statement.

PostgreSQL is a round trip away, and under load each waits for its turn on the processor. So statements that do not need each
other's answers are sent together (libpq's pipeline mode). They are still done one after the other, each seeing what was
committed when its turn came. SQLite is no round trip away; there they are simply done in order.

The text of a statement does not depend on how many rows or values it is given, so it is prepared once per connection.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError

from balancer.db import engine
from balancer.db.tables import events

Rows = list[dict[str, Any]]

_MARK = re.compile(r"(?<!:):([a-z_]+)(\[\])?")


class Step(NamedTuple):
    """One statement in the driver's words, with one set of parameters or a list of them."""

    sql: str
    given: Any


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement as each driver wants it."""

    postgres: str
    sqlite: str

    @classmethod
    def of(cls, text: str, lock: str = "") -> Statement:
        """``:name`` is a value; a column is tested against any number of them by ``:name[]``. ``lock`` is for PostgreSQL."""
        postgres = _MARK.sub(lambda mark: f"= ANY(%({mark[1]})s)" if mark[2] else f"%({mark[1]})s", text)
        in_list = "IN (SELECT value FROM json_each({}))".format
        sqlite = _MARK.sub(lambda mark: in_list(f":{mark[1]}") if mark[2] else f":{mark[1]}", text)
        return cls(f"{postgres} {lock}", sqlite)

    def step(self, connection: Connection, **given: Any) -> Step:
        """This statement with these values; lists of values are lists."""
        if engine.is_postgres(connection):
            return Step(self.postgres, given)
        return Step(self.sqlite, {name: _for_sqlite(value) for name, value in given.items()})


def run(connection: Connection, steps: Sequence[Step]) -> list[Any]:
    """Do these in order, in one round trip if there is one; for each its rows, or how many rows it changed.

    Raises:
        sqlalchemy.exc.DBAPIError: of the first that failed; the transaction is to be given up.
    """
    driver: Any = connection.connection.driver_connection
    try:
        with driver.pipeline() if engine.is_postgres(connection) else nullcontext():
            cursors = [_do(driver, step) for step in steps]
        return [_answer(cursor) for cursor in cursors]
    except Exception as error:
        raise _as_sqlalchemy_says(connection, driver, error) from error


def _as_sqlalchemy_says(connection: Connection, driver: Any, error: Exception) -> Exception:
    """The driver's error as if SQLAlchemy had asked for the statement: a broken connection is not used again."""
    dialect: Any = connection.dialect
    kind = dialect.loaded_dbapi.Error
    if not isinstance(error, kind):
        return error
    broken = bool(dialect.is_disconnect(error, driver, None)) or engine.says_end(error)
    if broken:
        _break(connection, error)
    wrapped = DBAPIError.instance(None, None, error, kind, hide_parameters=True, connection_invalidated=broken, dialect=dialect)
    return wrapped if isinstance(wrapped, Exception) else error


def _break(connection: Connection, error: BaseException) -> None:
    """No connection of the pool that is as old is used again either: SQLAlchemy sees to that when it meets the break itself."""
    with suppress(DBAPIError):
        connection.exec_driver_sql("SELECT 1")
    connection.invalidate(error)


def _do(driver: Any, step: Step) -> Any:
    if isinstance(step.given, list):
        return driver.executemany(step.sql, step.given)
    return driver.execute(step.sql, step.given)


def _answer(cursor: Any) -> Any:
    return cursor.rowcount if cursor.description is None else cursor.fetchall()


def _for_sqlite(value: Any) -> Any:
    if isinstance(value, list):
        return json.dumps(value)
    return _plain_time(value) if isinstance(value, datetime) else value


def _plain_time(value: datetime) -> str:
    """As SQLAlchemy writes times into SQLite."""
    return value.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")


# --- many rows into several tables ------------------------------------------------------------------


def insert(connection: Connection, table: Table) -> Any:
    """An INSERT that knows ON CONFLICT, which both databases have but spell in their own dialects."""
    return postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)


def insert_rows(connection: Connection, batches: Sequence[tuple[Table, Rows]]) -> None:
    """Insert all rows of all tables; every row of a table has the same columns, and a table without rows is passed over.

    Raises:
        sqlalchemy.exc.IntegrityError: a row is there already; nothing was inserted by this call on PostgreSQL.
    """
    for step in inserting(connection, batches):
        connection.exec_driver_sql(step.sql, step.given)


def inserting(connection: Connection, batches: Sequence[tuple[Table, Rows]]) -> list[Step]:
    """The same as steps: on PostgreSQL one for all tables, with the rows of each as one JSON value; on SQLite one per table."""
    filled = [(table, rows) for table, rows in batches if rows]
    if not filled:
        return []
    shapes = tuple((table, tuple(rows[0])) for table, rows in filled)
    if engine.is_postgres(connection):
        return [Step(_insert_from_json(shapes), tuple(json.dumps(rows, default=_in_json) for _, rows in filled))]
    return [
        Step(_insert_row(table, columns), [tuple(_for_sqlite(row[name]) for name in columns) for row in rows])
        for (table, columns), (_, rows) in zip(shapes, filled, strict=True)
    ]


def _in_json(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} does not go into a JSON row")


@lru_cache(maxsize=64)
def _insert_row(table: Table, columns: tuple[str, ...]) -> str:
    return f"INSERT INTO {table.name} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"  # noqa: S608


@lru_cache(maxsize=64)
def _insert_from_json(shapes: tuple[tuple[Table, tuple[str, ...]], ...]) -> str:
    """One statement that inserts into all these tables, taking a JSON array of rows for each."""
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    inserts = []
    for table, columns in shapes:
        names = ", ".join(columns)
        typed = ", ".join(f"{name} {table.c[name].type.compile(dialect)}" for name in columns)
        guard = ", mark" if table is events else ""
        source = f"json_to_recordset(%s::json) AS r ({typed}){guard}"
        inserts.append(f"INSERT INTO {table.name} ({names}) SELECT {names} FROM {source}")  # noqa: S608
    *before, last = inserts
    ahead = [f"mark AS MATERIALIZED ({engine.MARK})"] if any(table is events for table, _ in shapes) else []
    ahead += [f"w{number} AS ({text})" for number, text in enumerate(before)]
    return f"WITH {', '.join(ahead)} {last}" if ahead else last
