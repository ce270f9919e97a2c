"""Tables that only grow: triggers in the database itself, so that no code, ours or an operator's, can go around them."""

from __future__ import annotations

from typing import Any

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

SQLITE = """
CREATE TRIGGER {table}_no_{lower} BEFORE {what} ON {table}
BEGIN SELECT RAISE(ABORT, '{table} only grows'); END
"""
FUNCTION = """
CREATE OR REPLACE FUNCTION only_grows() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION '% only grows', TG_TABLE_NAME; END $$
"""
POSTGRES = """
CREATE TRIGGER {table}_only_grows BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION only_grows();
CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION only_grows()
"""


def guard(table: str) -> migrations.RunPython:
    """The step of a migration after which rows of `table` can be added and nothing else."""

    def forwards(_apps: Any, editor: BaseDatabaseSchemaEditor) -> None:
        if editor.connection.vendor == "sqlite":
            for what in ("UPDATE", "DELETE"):
                editor.execute(SQLITE.format(table=table, what=what, lower=what.lower()))
        else:
            editor.execute(FUNCTION.replace("%", "%%"), ())
            editor.execute(POSTGRES.format(table=table))

    return migrations.RunPython(forwards, migrations.RunPython.noop)
