"""One PostgreSQL database for many tests: emptied after each, which takes a hundredth of the time of cloning a template."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql
from psycopg.rows import tuple_row

from balancer.db.tables import metadata
from scripts.lab.postgres import PostgresServer

# Whatever a test may have changed that emptying the tables would leave as it is.
_SCHEMA = """
SELECT string_agg(described, ',' ORDER BY described) FROM (
  SELECT format('%s.%s %s %s %s', c.relname, a.attname, a.atttypid, a.attnotnull, c.relkind) AS described
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
    WHERE c.relnamespace = 'public'::regnamespace AND NOT a.attisdropped
  UNION ALL SELECT format('%s %s', conname, pg_get_constraintdef(oid))
    FROM pg_constraint WHERE connamespace = 'public'::regnamespace
  UNION ALL SELECT format('trigger %s %s', tgname, tgenabled) FROM pg_trigger WHERE NOT tgisinternal
) AS whole
"""
_OTHERS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
)
_SEQUENCES = "SELECT setval(oid, 1, false) FROM pg_class WHERE relkind = 'S' AND relnamespace = 'public'::regnamespace"


class CleanDatabase:
    """A clone of the template that is as new for each test; after a test that changed a table it is made anew."""

    def __init__(self, server: PostgresServer, template: str, name: str) -> None:
        self._server = server
        self._template = template
        self._name = name
        self._made = False
        self._schema: Any = None
        self._rows: dict[str, list[tuple[Any, ...]]] = {}

    def take(self) -> str:
        """Its URL; it holds what the template does."""
        if not self._made:
            self._server.create_database(self._name, template=self._template)
            with self._connection() as connection:
                self._schema = connection.execute(_SCHEMA).fetchone()
                self._rows = {name: connection.execute(self._about("SELECT * FROM {}", name)).fetchall() for name in _tables()}
            self._made = True
        return self._server.url(self._name)

    def give_back(self) -> None:
        """End every connection to it and put it back as it was."""
        try:
            with self._connection() as connection:
                connection.execute(_OTHERS)
                same = connection.execute(_SCHEMA).fetchone() == self._schema
                if same:
                    self._put_back(connection)
        except psycopg.Error:  # a test may have killed the server, or the database: the next test gets another one
            same = False
        if not same:
            self.drop()

    def drop(self) -> None:
        if self._made:
            self._server.drop_database(self._name)
            self._made = False

    def _put_back(self, connection: psycopg.Connection[Any]) -> None:
        connection.execute("SET session_replication_role = replica")  # no trigger guards these rows from us
        # In one call: one for each table takes ten times as long.
        connection.execute(sql.SQL("; ").join(self._about("DELETE FROM {}", name) for name in reversed(_tables())))
        for name, rows in self._rows.items():
            for row in rows:
                marks = sql.SQL(", ").join([sql.Placeholder()] * len(row))
                connection.execute(sql.SQL("INSERT INTO {} VALUES ({})").format(sql.Identifier(name), marks), row)
        connection.execute(_SEQUENCES)

    def _connection(self) -> psycopg.Connection[Any]:
        parts = urlsplit(self._server.url(self._name))
        url = urlunsplit(parts._replace(scheme="postgresql"))
        return psycopg.connect(url, connect_timeout=60, row_factory=tuple_row)

    @staticmethod
    def _about(statement: str, table: str) -> sql.Composed:
        return sql.SQL(statement).format(sql.Identifier(table))


def _tables() -> list[str]:
    """Every table, those that others refer to first."""
    return [table.name for table in metadata.sorted_tables]
