"""Bring a database to the schema that this release declares."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.pool import NullPool

from balancer.db import mode
from balancer.db.engine import in_our_words, prepare_file, sqlite_file
from shared.errors import SettingsError
from shared.settings import Settings

# Any number will do as long as nothing else in that database uses it.
LOCK = 7_305_021


def upgrade(url: str, revision: str = "head") -> None:
    """Run what is missing. Several balancers that start at once take turns; up to date already, it changes nothing.

    Raises:
        SettingsError: a newer release has migrated this database; nothing was changed.
        DatabaseUnavailable: it cannot be reached, or its disk is full.
    """
    with _locked(url) as connection:
        config = _config(connection)
        refuse_newer(connection)
        command.upgrade(config, revision)


def open_for(settings: Settings) -> None:
    """`upgrade`, for a balancer or a command with these settings: a database of the other mode is left as it is.

    Raises:
        SettingsError, DatabaseUnavailable: as `upgrade`; or the database is that of a live fleet and this one tests, or the
            other way round.
    """
    with _locked(settings.database.url) as connection:
        config = _config(connection)
        refuse_newer(connection)
        mode.refuse_other(connection, settings.balancer.livemode)
        command.upgrade(config, "head")
        mode.note(connection, settings.balancer.livemode)


@dataclass(frozen=True)
class Pending:
    """A revision that a database lacks, and the first line of what it says about itself."""

    revision: str
    says: str


def pending(settings: Settings) -> list[Pending]:
    """What `open_for` would run, in order. It changes nothing, and makes no file.

    Raises:
        SettingsError, DatabaseUnavailable: as `open_for`.
    """
    path = sqlite_file(make_url(settings.database.url))
    if path is not None and not path.exists():
        return _behind(ScriptDirectory.from_config(_config(None)), ())
    with _locked(settings.database.url) as connection:
        refuse_newer(connection)
        mode.refuse_other(connection, settings.balancer.livemode)
        there = MigrationContext.configure(connection).get_current_heads()
        return _behind(ScriptDirectory.from_config(_config(connection)), there)


def _behind(scripts: ScriptDirectory, there: tuple[str, ...]) -> list[Pending]:
    pending = [Pending(one.revision, one.doc) for one in scripts.iterate_revisions("head", there or "base")]
    return pending[::-1]


def downgrade(url: str, revision: str = "base") -> None:
    """Take revisions back, with everything in the tables they made."""
    with _locked(url) as connection:
        command.downgrade(_config(connection), revision)


def refuse_newer(connection: Connection) -> None:
    """Whoever wrote a revision that we do not have may have put things there that we would not heed.

    Raises:
        SettingsError.
    """
    known = {script.revision for script in ScriptDirectory.from_config(_config(connection)).walk_revisions()}
    there = MigrationContext.configure(connection).get_current_heads()
    unknown = sorted(set(there) - known)
    if unknown:
        raise SettingsError(
            f"The database is of a newer release (revision {', '.join(unknown)}, this one knows up to {max(known)}); "
            "start that release, or restore a backup that this one made"
        )


def missing(connection: Connection) -> int | None:
    """How many revisions `upgrade` would bring; ``None``: no balancer has made anything here yet."""
    there = MigrationContext.configure(connection).get_current_heads()
    if not there:
        return None
    return len(list(ScriptDirectory.from_config(_config(connection)).iterate_revisions("head", there)))


def _config(connection: Connection | None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


@contextmanager
def _locked(url: str) -> Iterator[Connection]:
    """A connection in a transaction that nobody else who migrates is in."""
    parsed = make_url(url)
    sqlite = parsed.get_backend_name() == "sqlite"
    prepare_file(parsed)
    engine = create_engine(parsed, poolclass=NullPool, hide_parameters=True)
    if sqlite:
        event.listen(engine, "connect", _no_begin_of_its_own)
        event.listen(engine, "begin", _begin_immediate)
    try:
        with in_our_words(), engine.begin() as connection:
            if not sqlite:
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
            yield connection
    finally:
        engine.dispose()


def _no_begin_of_its_own(connection: object, _record: object) -> None:
    connection.isolation_level = None  # type: ignore[attr-defined]
    cursor = connection.cursor()  # type: ignore[attr-defined]
    cursor.execute("PRAGMA busy_timeout=60000")
    cursor.close()


def _begin_immediate(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
