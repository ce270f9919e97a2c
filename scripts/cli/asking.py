"""What commands share: the database that they open, asking first, trying without doing, and the answer for programs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from scripts.cli.fleet import App

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from balancer.db.engine import Database
    from shared.sealing import MasterKey

JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
DRY = click.option("--dry-run", is_flag=True, help="Only say what would come of it.")
YES = click.option("--yes", is_flag=True, help="Do not ask.")


def dangerous(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--dry-run``, ``--yes`` and ``--json`` for a command that cannot be taken back, or that lets items or keys go."""
    return DRY(YES(JSON(command)))


def sure(question: str, *, yes: bool, dry_run: bool) -> None:
    """Ask before something is done, on standard error; nothing is asked for a dry run, or after ``--yes``.

    Raises:
        click.Abort: exit status 1; the answer was no, or nobody is there to answer.
    """
    if not yes and not dry_run:
        click.confirm(question, abort=True, err=True)


@contextmanager
def opened(app: App, *, only_reads: bool = False, dry_run: bool = False) -> Iterator[tuple[Connection, MasterKey]]:
    """One transaction on the migrated database, and the key that API keys are hashed with. A read alone delays nobody.

    A dry run does all of it, so that it fails as the real one would, and then takes it back.
    """
    with books(app) as (database, master), database.reading() if only_reads else database.transaction() as connection:
        kept = connection.begin_nested() if dry_run else None
        yield connection, master
        if kept is not None:
            kept.rollback()


@contextmanager
def books(app: App) -> Iterator[tuple[Database, MasterKey]]:
    """The migrated database, for a command that looks more than once, and the key that API keys are hashed with."""
    from balancer.db import migrate
    from balancer.db.engine import Database
    from shared import log
    from shared.sealing import MasterKey

    settings = app.settings()
    log.set_up("error", settings.log.format)  # standard output is for the answer, and the command itself says what went wrong
    master = MasterKey.read(settings.balancer.master_key_file)
    migrate.open_for(settings)
    database = Database(settings.database)
    try:
        yield database, master
    finally:
        database.close()


def answer(told: dict[str, Any], line: str, *, as_json: bool, dry_run: bool = False) -> None:
    """What came of it: one JSON object, or a line for people."""
    if as_json:
        click.echo(json.dumps({**told, "dry_run": dry_run}))
    else:
        click.echo(f"nothing was changed; it would be: {line}" if dry_run else line)
