"""What every test may ask for: a Redis, and an empty migrated database on SQLite and on PostgreSQL.

Servers are started at first use, one of each per pytest process. Everything that opens a database takes
`database_url` and so runs on both; of a test that is not marked `both_databases` the run on PostgreSQL is a `twin`.
"""

from __future__ import annotations

import contextlib
import gc
import itertools
import logging
import os
import re
import shutil
import sqlite3
import sys
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import declared_events
import needs
import pytest
import redis
import structlog
from _pytest.nodeid import coerce_node_id
from hypothesis import HealthCheck, settings
from sqlalchemy import Connection, Dialect, Engine, event

from scripts.lab.postgres import EmbeddedPostgres, PostgresServer
from scripts.lab.redis_server import EmbeddedRedis

if TYPE_CHECKING:
    from clean_databases import CleanDatabase

POSTGRES_FIXTURES = {"postgres", "postgres_template", "clean_postgres"}
GARBAGE_AFTER = 50_000  # objects more than before
MEMORY, ROOM_BYTES = Path("/dev/shm"), 4 * 1024**3
# Of real processes, shared by the tests of one `xdist_group`; those that run are in `fleets`, in the order of their start.
FLEETS = {"stack", "small_fleet", "gated", "balancers", "guarded", "own_postgres"}
fleets: list[tuple[pytest.FixtureDef[Any], pytest.FixtureRequest]] = []
numbers = itertools.count(1)
compiled: dict[type[Dialect], tuple[Dialect, dict[Any, Any]]] = {}

# The same examples every time, and as long as they take: a slow machine is no counter-example.
settings.register_profile("fleet", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("fleet")


@pytest.fixture(params=[200, pytest.param(8000, marks=[pytest.mark.long, pytest.mark.timeout(3600)])])
def shapes(request: pytest.FixtureRequest) -> int:
    """How many generated shapes a reader is tried with."""
    count: int = request.param
    return count


# --- what is on this machine -----------------------------------------------------------------------


def pytest_configure(config: pytest.Config) -> None:
    if needs.in_ci() and (gone := needs.missing()):
        said = "; ".join(f"{need.name} ({need.comes_by})" for need in gone)
        raise pytest.UsageError(f"CI is set, and tests would be left out for want of {said}")
    config.pluginmanager.register(RunningFleets())
    if folder_has_room():
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))


def folder_has_room(folder: Path = MEMORY) -> bool:
    """Whether the tests' files may lie in memory: on a disk, a flush is waited for at each of many thousands of commits."""
    try:
        found = os.statvfs(folder)
        free = re.search(r"^MemAvailable: *(\d+) kB", Path("/proc/meminfo").read_text(), re.MULTILINE)
    except OSError:
        return False
    room = min(found.f_bavail * found.f_frsize, int(free[1]) * 1024 if free else 0)
    return room >= ROOM_BYTES and not found.f_flag & os.ST_NOEXEC and os.access(folder, os.W_OK)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Thousands of tests stay until the end: looking again and again whether they are garbage takes seconds in each process.

    A test leaves little behind in circles, and a look after each seven hundred new objects, as Python has it, takes a tenth of
    all the time.
    """
    gc.disable()
    yield
    gc.freeze()
    gc.enable()
    gc.set_threshold(GARBAGE_AFTER, 10, 10)


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> Iterator[None]:
    mark_twins(items)
    yield  # pytest leaves out by marks
    if config.getoption("loadgroup", False):
        name_groups(items)
        items.sort(key=when_to_begin)
    gone = {need.mark for need in needs.missing()}
    left_out = [item for item in items if marks_of(item) & gone]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in set(left_out)]


def mark_twins(items: list[pytest.Item]) -> None:
    """Where the statements do not differ, PostgreSQL says what SQLite has said; where they may, `both_databases` stands."""
    ids = {item.nodeid for item in items}
    for item in items:
        on = getattr(item, "callspec", None) and item.callspec.params.get("database_url")  # type: ignore[attr-defined]
        if on == "postgresql" and item.get_closest_marker("both_databases") is None:
            name, _, values = item.nodeid.partition("[")
            if f"{name}[{values.replace('postgresql', 'sqlite')}" in ids:
                item.add_marker("twin")


def name_groups(items: list[pytest.Item]) -> None:
    """Tests of one `xdist_group` run in one process, so that each fleet is started once.

    pytest-xdist 3.8 writes the group where pytest 9.2 no longer looks; this writes it where the scheduler finds it.
    """
    for item in items:
        group = item.get_closest_marker("xdist_group")
        if group is not None and "@" not in item.nodeid:
            item._id = coerce_node_id(f"{item.nodeid}@{group.args[0]}")


def when_to_begin(item: pytest.Item) -> tuple[bool, bool]:
    """The long ones first, so that no process is left with one at the end: those that share a fleet, then the slow ones."""
    return item.get_closest_marker("xdist_group") is None, item.get_closest_marker("slow") is None


def group_of(item: pytest.Item) -> object:
    marker = item.get_closest_marker("xdist_group")
    return marker and marker.args[0]


class RunningFleets:
    """A plugin of its own: what belongs to the whole session asks no conftest."""

    def __init__(self) -> None:
        self.failed: set[str] = set()  # what the tests used that failed since a fleet was last looked after

    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest) -> None:
        if fixturedef.argname in FLEETS:
            fleets.append((fixturedef, request))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        if report.failed:
            self.failed |= set(getattr(item, "fixturenames", ()))
        return report

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self) -> None:
        """A fleet in which a test failed is started anew: what is left there would fail each of the next ones."""
        failed, self.failed = self.failed, set()
        end_fleets(of=failed)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
    """A fleet ends with its group: with loops as short as tests want them it costs a tenth of a core while nobody uses it."""
    yield
    in_groups = item.config.getoption("loadgroup", False)
    if in_groups and nextitem is not None and group_of(nextitem) != group_of(item):
        end_fleets(of=FLEETS)


def end_fleets(of: set[str]) -> None:
    """End what runs of these, the last one first: a fleet may stand on another."""
    for fixturedef, request in reversed([each for each in fleets if each[0].argname in of]):
        fleets.remove((fixturedef, request))
        fixturedef.finish(request)


def marks_of(item: pytest.Item) -> set[str]:
    """The marks of what a test needs; a fixture that starts PostgreSQL is as good as its mark."""
    marks = {mark.name for mark in item.iter_markers()}
    return marks if POSTGRES_FIXTURES.isdisjoint(getattr(item, "fixturenames", ())) else marks | {"postgresql"}


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for need in needs.missing():
        terminalreporter.write_line(f"{need.name}: not found, its tests are left out ({need.comes_by})", yellow=True)


@pytest.fixture(scope="session")
def chromium() -> str:
    """The browser's path."""
    path = needs.browser()
    assert path is not None, "a test that asks for a browser is marked e2e"
    return path


@pytest.fixture(autouse=True)
def logs_as_they_were() -> Iterator[None]:
    """A program that a test ran in this process has set up its logs: to a stream that is closed by the next test.

    What nobody has set up goes to the process's own standard error: `sys.stdout` is for a while that of a command, run in
    a thread beside a service, and a line of the service's in it would be the command's answer.
    """
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    structlog.reset_defaults()
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.__stderr__))
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


# --- Redis ---------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedRedis]:
    with EmbeddedRedis(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def redis_url(redis_server: EmbeddedRedis) -> str:
    """An empty Redis. A test that kills `redis_server` restarts it itself."""
    with redis.Redis.from_url(redis_server.url) as client:
        client.flushall()
    return redis_server.url


# --- databases -----------------------------------------------------------------------------------


@event.listens_for(Engine, "engine_connect")
def compile_once(connection: Connection) -> None:
    """A statement is compiled once in this process, and not once for the engine of each test: that took a third of a test.

    SQLAlchemy keeps what it has compiled by the dialect, so all connections of one kind have the first one's.
    """
    connection.dialect, cache = compiled.setdefault(type(connection.dialect), (connection.dialect, {}))
    connection.execution_options(compiled_cache=cache)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    given = os.environ.get("FLEET_TEST_DATABASE_URL")
    if given:
        yield PostgresServer(given)
        return
    with EmbeddedPostgres() as server:
        yield server


def migrate(url: str) -> None:
    from balancer.db.migrate import upgrade

    upgrade(url)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file without rows of our own, to be copied."""
    path = tmp_path_factory.mktemp("template") / "fleet.db"
    migrate(f"sqlite:///{path}")
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # all of it in the one file that is copied
    return path


@pytest.fixture(scope="session")
def postgres_template(postgres: PostgresServer) -> Iterator[str]:
    """The name of a migrated PostgreSQL database, to be cloned."""
    name = unique_name("template")
    migrate(postgres.create_database(name))
    yield name
    postgres.drop_database(name)


@pytest.fixture(scope="session")
def clean_postgres(postgres: PostgresServer, postgres_template: str) -> Iterator[CleanDatabase]:
    """The database that each test gets as new."""
    from clean_databases import CleanDatabase  # its driver is an extra

    clean = CleanDatabase(postgres, postgres_template, unique_name("test"))
    yield clean
    clean.drop()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A migrated database for one test, once on each kind."""
    if request.param == "sqlite":
        copy = tmp_path / "fleet.db"
        shutil.copyfile(request.getfixturevalue("sqlite_template"), copy)
        yield f"sqlite:///{copy}"
        assert declared_events.misfits(copy) == []
        return
    clean: CleanDatabase = request.getfixturevalue("clean_postgres")
    yield clean.take()
    clean.give_back()


@pytest.fixture
def empty_postgres(postgres: PostgresServer) -> Iterator[Callable[[], str]]:
    """Makes PostgreSQL databases without tables, for tests of the migrations themselves."""
    made = []

    def make() -> str:
        made.append(unique_name("empty"))
        return postgres.create_database(made[-1])

    yield make
    for name in made:
        postgres.drop_database(name)


def unique_name(purpose: str) -> str:
    """Unlike any other of this run, of the other pytest processes, and of other runs on the same server."""
    return f"fleet_{purpose}_{os.getpid()}_{next(numbers)}"
