"""The database: one engine, units of work in threads, the same on SQLite and PostgreSQL.

`Database.run` is a whole transaction in a thread, `Database.look` only reads. Both take a plain function of a connection, so
everything below is synchronous and can be tried in a test with `Database.transaction`. Units in flight are bounded and served
first come, first served: more of them only make each wait longer.

SQLite has one writer at a time whatever we do, so there is one writer thread, and what waits meanwhile shares the next commit
(each unit below a savepoint of its own): a commit with ``synchronous=FULL`` costs a disk flush. ``BEGIN IMMEDIATE`` because a
read that turns into a write under a plain ``BEGIN`` either fails or loses updates.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, ExceptionContext, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from balancer.db.errors import unavailable
from shared import log, private_files
from shared.sections import DatabaseSettings

logger = log.get(__name__)

T = TypeVar("T")
P = ParamSpec("P")

BUSY_TIMEOUT_MS = 10_000
CONNECT_TIMEOUT_S = 10
RETRIES_MAX = 5
# After a restart of PostgreSQL the pool holds dead connections; the first that breaks makes it open new ones.
BROKEN_MAX = 2
BATCH_MAX = 64
# serialization_failure, deadlock_detected: nothing was written and the same may go well a moment later.
_RETRIED = frozenset({"40001", "40P01"})
_READ_ONLY = "fleet_read_only"


def create(settings: DatabaseSettings) -> Engine:
    """The engine, with what each kind of database needs; nothing is connected yet. Its errors show no values of a statement."""
    url = make_url(settings.url)
    if url.get_backend_name() == "sqlite":
        prepare_file(url)
        _warn_of_open_file(url)
        engine = create_engine(url, pool_size=settings.units_of_work_max, max_overflow=8, hide_parameters=True)
        _prepare_sqlite(engine, settings.sqlite_synchronous)
        return engine
    engine = create_engine(
        url,
        pool_size=settings.units_of_work_max,
        max_overflow=8,
        pool_pre_ping=False,
        hide_parameters=True,
        connect_args={"connect_timeout": CONNECT_TIMEOUT_S},
    )
    event.listen(engine, "handle_error", _notice_last_words)
    return engine


def sqlite_file(url: URL) -> Path | None:
    """The file of a SQLite database; ``None`` for another kind of database, or one in memory."""
    if url.get_backend_name() != "sqlite" or not url.database or url.database == ":memory:":
        return None
    return Path(url.database)


def prepare_file(url: URL) -> None:
    """A SQLite file is its owner's alone from the start; SQLite gives the two files beside it (-wal, -shm) the same mode."""
    path = sqlite_file(url)
    if path is not None:
        private_files.make_folder(path.parent)
        private_files.make(path)


def _warn_of_open_file(url: URL) -> None:
    """An older file keeps its mode, as somebody may have meant it, and that is told at each start."""
    path = sqlite_file(url)
    if path is not None and private_files.open_to_others(path):
        logger.warning("database_open_to_others", action="database", file=str(path), advice=f"chmod 600 {path}*")


def _notice_last_words(context: ExceptionContext) -> None:
    """A server that says that it ends has broken all connections of the pool, although this one does not look broken yet."""
    if says_end(context.original_exception):
        context.is_disconnect = True


def says_end(error: BaseException) -> bool:
    """Whether these are PostgreSQL's last words on this connection."""
    return str(getattr(error, "sqlstate", None)).startswith(("57P", "08"))


def _prepare_sqlite(engine: Engine, synchronous: str) -> None:
    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # the driver must not begin by itself
        cursor = connection.cursor()
        for pragma in (
            "journal_mode=WAL",
            f"synchronous={synchronous}",
            f"busy_timeout={BUSY_TIMEOUT_MS}",
            "foreign_keys=ON",
        ):
            cursor.execute("PRAGMA " + pragma)
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        read_only = connection.get_execution_options().get(_READ_ONLY)
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")


def is_postgres(connection: Connection) -> bool:
    return connection.dialect.name == "postgresql"


def again(error: DBAPIError) -> bool:
    """Whether PostgreSQL gave this transaction up for another's sake."""
    return getattr(error.orig, "sqlstate", None) in _RETRIED


class Database:
    """Transactions in threads. A function given to `run` may be called again after a deadlock: it changes only the database."""

    def __init__(self, settings: DatabaseSettings) -> None:
        self.engine = create(settings)
        self._reader = self.engine.execution_options(**self._reading())
        self._threads = ThreadPoolExecutor(settings.units_of_work_max, thread_name_prefix="db")
        self._writer = _Writer(self.engine) if self.engine.dialect.name == "sqlite" else None

    def _reading(self) -> dict[str, Any]:
        # One statement in autocommit spares PostgreSQL a BEGIN and a COMMIT, each a round trip.
        return {"isolation_level": "AUTOCOMMIT"} if self.engine.dialect.name == "postgresql" else {_READ_ONLY: True}

    async def run(self, fn: Callable[Concatenate[Connection, P], T], *args: P.args, **_none: P.kwargs) -> T:
        """``fn(connection, *args)``, without names of arguments, as one transaction, committed when this returns.

        Raises:
            whatever ``fn`` raises; then nothing of it was written.
            DatabaseUnavailable: away, busy or full. Nothing was written, unless the answer to the commit itself was lost.
        """
        with in_our_words():
            if self._writer is not None:
                return await asyncio.wrap_future(self._writer.submit(fn, args))
            return await asyncio.get_running_loop().run_in_executor(self._threads, self._transact, fn, args)

    async def read(self, fn: Callable[Concatenate[Connection, P], T], *args: P.args, **_none: P.kwargs) -> T:
        """``fn(connection, *args)``, which only reads. On PostgreSQL each statement sees its own moment.

        Raises:
            DatabaseUnavailable: away, busy or full.
        """
        with in_our_words():
            return await asyncio.get_running_loop().run_in_executor(self._threads, self._read, fn, args)

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """One transaction in this thread, for the command line and tests."""
        with self.engine.begin() as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection that only reads and holds up nobody, in this thread, for the command line."""
        with self._reader.connect() as connection:
            yield connection

    def close(self) -> None:
        """Finish what was begun, then close every connection."""
        if self._writer is not None:
            self._writer.close()
        self._threads.shutdown(wait=True)
        self.engine.dispose()

    def _transact(self, fn: Callable[..., T], args: tuple[Any, ...]) -> T:
        for left in range(RETRIES_MAX, -1, -1):
            committing = False
            try:
                with self.engine.begin() as connection:
                    result = fn(connection, *args)
                    committing = True
                return result
            except DBAPIError as error:
                # A connection that broke before the commit wrote nothing. In the commit nobody knows: the caller asks.
                broke = error.connection_invalidated and not committing
                if not left or not (broke or again(error)):
                    raise
        raise AssertionError("the last try returns or raises")

    def _read(self, fn: Callable[..., T], args: tuple[Any, ...]) -> T:
        for left in range(BROKEN_MAX, -1, -1):
            try:
                with self._reader.connect() as connection:
                    return fn(connection, *args)
            except DBAPIError as error:
                if not left or not error.connection_invalidated:
                    raise
        raise AssertionError("the last try returns or raises")


@contextmanager
def in_our_words() -> Iterator[None]:
    """Errors that mean "not now", in our words; what the driver said is in the log.

    Raises:
        DatabaseUnavailable.
    """
    try:
        yield
    except (DBAPIError, PoolTimeout) as error:
        away = unavailable(error)
        if away is None:
            raise
        logger.warning("database unavailable", action="database", reason=away.reason, error=_first_line(error))
        raise away from error


def _first_line(error: DBAPIError | PoolTimeout) -> str:
    """What the driver said, without the statement and its values."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    return f"{type(cause).__name__}: {cause}".split("\n")[0]


# --- event numbers that readers may rely on -----------------------------------------------------------
#
# PostgreSQL draws numbers from a sequence, and a transaction that drew 7 may commit after one that drew 8. A reader who was
# given 8 would never ask for 7 again. So whoever inserts events first takes a shared advisory lock whose key is MARK_BASE plus
# the last number drawn so far: every number it draws itself is higher. `settled_number` reads the sequence, *then* the lowest
# such lock: whatever was drawn up to there has been committed and is visible by now, or never will be. A lock is let go only
# after the commit is visible, so none can slip through between. Writers never wait for each other or for readers.

MARK_BASE = 0x7F1EE7 << 40
MARK = f"SELECT pg_advisory_xact_lock_shared({MARK_BASE} + last_value) FROM events_number_seq"  # noqa: S608
_DRAWN = "SELECT last_value - CASE WHEN is_called THEN 0 ELSE 1 END FROM events_number_seq"
_LOWEST_MARK = f"""
SELECT min(((classid::bigint << 32) | objid::bigint) - {MARK_BASE}) FROM pg_locks
WHERE locktype = 'advisory' AND objsubid = 1 AND classid::bigint >> 8 = {MARK_BASE >> 40}
AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""  # noqa: S608


def settled_number(connection: Connection) -> int | None:
    """The number up to which no event can appear any more; ``None`` where that is every number there is (SQLite).

    The connection must be in autocommit or READ COMMITTED, so that each statement, and the reader's next, sees its own moment.
    """
    if not is_postgres(connection):
        return None
    drawn = int(connection.exec_driver_sql(_DRAWN).scalar_one())
    lowest = connection.exec_driver_sql(_LOWEST_MARK).scalar()
    # A mark may have been made before the very first event, with 1 still to be drawn: n promises no more than n - 1.
    return drawn if lowest is None else min(drawn, int(lowest) - 1)


# --- SQLite's writer --------------------------------------------------------------------------------


@dataclass(slots=True)
class _Unit:
    """One unit of work on its way through the writer thread."""

    fn: Callable[..., Any]
    args: tuple[Any, ...]
    done: Future[Any]
    result: Any = None
    error: BaseException | None = None


class _Writer:
    """The one thread that writes to SQLite; units that wait share a commit."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._queue: queue.SimpleQueue[_Unit | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="db-writer", daemon=True)
        self._thread.start()

    def submit(self, fn: Callable[..., T], args: tuple[Any, ...]) -> Future[T]:
        done: Future[T] = Future()
        self._queue.put(_Unit(fn, args, done))
        return done

    def close(self) -> None:
        """Commit what was handed in, then end the thread."""
        self._queue.put(None)
        self._thread.join()

    def _work(self) -> None:
        while (first := self._queue.get()) is not None:
            units, last = self._waiting(first)
            self._commit(units)
            if last:
                return

    def _waiting(self, first: _Unit) -> tuple[list[_Unit], bool]:
        """The units that wait by now, and whether the writer is to end after them."""
        units = [first]
        while len(units) < BATCH_MAX:
            try:
                unit = self._queue.get_nowait()
            except queue.Empty:
                break
            if unit is None:
                return units, True
            units.append(unit)
        return units, False

    def _commit(self, units: list[_Unit]) -> None:
        # Whose caller has given up is left out; from here on no caller can, or the answer would have nowhere to go.
        units = [unit for unit in units if unit.done.set_running_or_notify_cancel()]
        if not units:
            return
        try:
            with self._engine.begin() as connection:
                for unit in units:
                    _try(connection, unit)
        except BaseException as error:  # the batch as a whole was not written; each waiting caller is told
            for unit in units:
                unit.done.set_exception(error)
            return
        for unit in units:
            if unit.error is None:
                unit.done.set_result(unit.result)
            else:
                unit.done.set_exception(unit.error)


def _try(connection: Connection, unit: _Unit) -> None:
    """Do one unit below a savepoint: its failure takes back only what it wrote and is kept for whoever waits for it."""
    savepoint = connection.begin_nested()
    try:
        unit.result = unit.fn(connection, *unit.args)
    except Exception as error:  # handed to the unit's caller, see `_commit`
        try:
            savepoint.rollback()
        except DBAPIError:
            # SQLite has taken the whole transaction back by itself, as it does when its disk is full.
            raise error from None
        unit.error = error
    else:
        savepoint.commit()
