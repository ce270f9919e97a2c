"""Units of work: one transaction each, in order, with nothing lost between writers."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, event, select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError, StatementError

from balancer.db import engine, errors, pipeline, tables
from balancer.db.engine import Database
from shared.errors import DatabaseUnavailable
from shared.settings import load

pytestmark = pytest.mark.both_databases

NOW = datetime(2026, 5, 1, 12, 30, 15, 123456, tzinfo=UTC)
SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
POSTGRES = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    made = Database(load(overrides={"database": {"url": database_url}}).database)
    yield made
    made.close()


def add_bot(connection: Connection, bot_id: int = 1) -> None:
    connection.execute(
        tables.bots.insert().values(color="red", bot_id=bot_id, steam_id=2**62 + bot_id, created_at=NOW, touched=NOW)
    )


def add_one(connection: Connection) -> None:
    """Read, then write what was read plus one: what loses updates when two do it at once."""
    query = select(tables.bots.c.slots_held).with_for_update()
    held = connection.scalar(query)
    connection.execute(update(tables.bots).values(slots_held=held + 1))  # type: ignore[operator]


def held(connection: Connection) -> Any:
    return connection.scalar(select(tables.bots.c.slots_held))


async def test_run_commits_and_look_sees_it(database: Database) -> None:
    await database.run(add_bot)
    assert await database.read(held) == 0


async def test_what_raises_writes_nothing(database: Database) -> None:
    def fail(connection: Connection) -> None:
        add_bot(connection)
        raise LookupError("no")

    with pytest.raises(LookupError):
        await database.run(fail)
    assert await database.read(held) is None


async def test_ten_writers_lose_no_update(database: Database) -> None:
    await database.run(add_bot)
    await asyncio.gather(*(database.run(add_one) for _ in range(200)))
    assert await database.read(held) == 200


async def test_ten_threads_of_their_own_lose_no_update(database: Database) -> None:
    await database.run(add_bot)

    def many() -> None:
        for _ in range(20):
            with database.transaction() as connection:
                add_one(connection)

    threads = [threading.Thread(target=many) for _ in range(10)]
    for thread in threads:
        thread.start()
    await asyncio.gather(*(database.run(add_one) for _ in range(50)))
    for thread in threads:
        await asyncio.to_thread(thread.join)
    assert await database.read(held) == 250


async def test_a_unit_that_fails_takes_nobody_with_it(database: Database) -> None:
    await database.run(add_bot)

    def fail(connection: Connection) -> None:
        add_one(connection)
        connection.execute(text("INSERT INTO bots (color) VALUES (NULL)"))

    results = await asyncio.gather(
        *(database.run(fail if number % 5 == 0 else add_one) for number in range(40)), return_exceptions=True
    )
    assert sum(isinstance(result, IntegrityError) for result in results) == 8
    assert await database.read(held) == 32


@SQLITE
async def test_units_that_wait_share_a_commit(database: Database) -> None:
    commits = 0

    def count(_connection: Connection) -> None:
        nonlocal commits
        commits += 1

    event.listen(database.engine, "commit", count)
    started, release = threading.Event(), threading.Event()

    def hold(connection: Connection) -> None:
        add_bot(connection)
        started.set()
        release.wait(120)

    first = asyncio.create_task(database.run(hold))
    await asyncio.to_thread(started.wait, 10)
    others = [asyncio.create_task(database.run(add_one)) for _ in range(30)]
    await asyncio.sleep(0)
    release.set()
    await asyncio.gather(first, *others)
    assert await database.read(held) == 30
    assert commits == 2


@SQLITE
async def test_a_batch_that_cannot_commit_fails_for_everyone_in_it(database: Database) -> None:
    def refuse(_connection: Connection) -> None:
        raise sqlite3.OperationalError("disk full")

    event.listen(database.engine, "commit", refuse)
    with pytest.raises(sqlite3.OperationalError):
        await database.run(add_bot)
    event.remove(database.engine, "commit", refuse)
    assert await database.read(held) is None
    await database.run(add_bot)


@pytest.mark.parametrize("begun", [False, True], ids=["still-waiting", "under-way"])
async def test_a_caller_who_gives_up_stops_nobody_else(database: Database, begun: bool) -> None:
    await database.run(add_bot)
    started, release = threading.Event(), threading.Event()

    def hold(connection: Connection) -> None:
        add_one(connection)
        started.set()
        release.wait(120)

    first = asyncio.create_task(database.run(hold))
    await asyncio.to_thread(started.wait, 10)
    second = asyncio.create_task(database.run(add_one))
    await asyncio.sleep(0)
    impatient, patient = (first, second) if begun else (second, first)
    impatient.cancel()
    release.set()
    with pytest.raises(asyncio.CancelledError):
        await impatient
    await patient
    async with asyncio.timeout(120):
        await database.run(add_one)
    assert await database.read(held) in (2, 3)  # what was given up may have been written, or not


@SQLITE
async def test_sqlite_is_set_up_for_writers_at_once(database: Database) -> None:
    def pragmas(connection: Connection) -> list[Any]:
        names = ("journal_mode", "synchronous", "busy_timeout", "foreign_keys")
        return [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in names]

    assert await database.read(pragmas) == ["wal", 2, engine.BUSY_TIMEOUT_MS, 1]


@POSTGRES
async def test_a_deadlock_is_tried_again(database: Database) -> None:
    await database.run(add_bot, 1)
    await database.run(add_bot, 2)
    both = threading.Barrier(2)
    tries: list[int] = []

    def crosswise(connection: Connection, first: int, second: int) -> None:
        tries.append(first)
        for bot_id in (first, second):
            connection.execute(
                update(tables.bots).where(tables.bots.c.bot_id == bot_id).values(slots_held=tables.bots.c.slots_held + 1)
            )
            if len(tries) <= 2 and bot_id == first:
                both.wait(120)

    await asyncio.gather(database.run(crosswise, 1, 2), database.run(crosswise, 2, 1))
    assert len(tries) >= 3  # a second deadlock of the two is possible, and tried again as well
    found = await database.read(lambda connection: list(connection.scalars(select(tables.bots.c.slots_held))))
    assert found == [2, 2]


@POSTGRES
async def test_other_errors_are_not_tried_again(database: Database) -> None:
    tries = 0

    def fail(connection: Connection) -> None:
        nonlocal tries
        tries += 1
        connection.exec_driver_sql("SELECT 1/0")

    with pytest.raises(DBAPIError):
        await database.run(fail)
    assert tries == 1


# --- columns ---------------------------------------------------------------------------------------------------------


async def test_times_come_back_aware_and_in_utc(database: Database) -> None:
    elsewhere = NOW.astimezone(timezone(timedelta(hours=5)))

    def write(connection: Connection) -> None:
        connection.execute(tables.nonces.insert().values(nonce="n", seen_at=elsewhere))

    await database.run(write)
    found = await database.read(lambda connection: connection.scalar(select(tables.nonces.c.seen_at)))
    assert found == NOW
    assert found is not None
    assert found.utcoffset() == timedelta(0)


async def test_naive_times_are_refused(database: Database) -> None:
    def write(connection: Connection) -> None:
        connection.execute(tables.nonces.insert().values(nonce="n", seen_at=NOW.replace(tzinfo=None)))

    with pytest.raises(StatementError):
        await database.run(write)
    assert await database.read(lambda connection: connection.scalar(select(tables.nonces.c.nonce))) is None


@pytest.mark.parametrize("several", [False, True])
async def test_an_error_does_not_repeat_the_values_of_its_statement(database: Database, several: bool) -> None:
    row = {"switch": "deposits", "paused_at": NOW, "who": "sesame-who", "reason": "sesame-reason"}

    def write(connection: Connection) -> None:
        rows = [row, row] if several else row
        connection.execute(tables.switches.insert(), rows)
        connection.execute(tables.switches.insert(), rows)

    with pytest.raises(IntegrityError) as failed:
        await database.run(write)
    assert "switches" in str(failed.value)
    assert "sesame" not in f"{failed.value} {failed.value!r} {''.join(traceback.format_exception(failed.value))}"


async def test_steam_ids_keep_every_digit(database: Database) -> None:
    await database.run(add_bot)
    assert await database.read(lambda connection: connection.scalar(select(tables.bots.c.steam_id))) == 2**62 + 1


@pytest.mark.parametrize("statement", ["UPDATE bots SET mode = 'asleep'", "UPDATE bots SET slots_held = -1"])
async def test_checks_hold(database: Database, statement: str) -> None:
    await database.run(add_bot)
    with pytest.raises(IntegrityError):
        await database.run(lambda connection: connection.execute(text(statement)))


async def test_the_house_is_a_user_from_the_start(database: Database) -> None:
    rows = await database.read(lambda connection: list(connection.execute(select(tables.users))))
    assert [(row.user_id, row.steam_id) for row in rows] == [(tables.HOUSE, None)]


async def test_rows_of_several_tables_go_in_together_or_not_at_all(database: Database) -> None:
    rows: list[tuple[Any, pipeline.Rows]] = [
        (tables.nonces, [{"nonce": "ä'%s\"\n", "seen_at": NOW}, {"nonce": "b", "seen_at": NOW}]),
        (tables.sessions, []),
        (tables.users, [{"user_id": "u", "steam_id": 2**62, "created_at": NOW}]),
    ]
    await database.run(pipeline.insert_rows, rows)
    assert await database.read(lambda c: sorted(c.scalars(select(tables.nonces.c.nonce)))) == ["b", "ä'%s\"\n"]
    with pytest.raises(IntegrityError):
        await database.run(pipeline.insert_rows, [(tables.nonces, [{"nonce": "c", "seen_at": NOW}]), rows[2]])
    assert await database.read(lambda c: c.scalar(select(tables.nonces.c.nonce).where(tables.nonces.c.nonce == "c"))) is None


async def test_the_folder_of_a_sqlite_file_is_made(tmp_path: Path) -> None:
    made = Database(load(overrides={"database": {"url": f"sqlite:///{tmp_path}/new/fleet.db"}}).database)
    with made.transaction() as connection:
        assert connection.exec_driver_sql("SELECT 1").scalar() == 1
    made.close()


# --- a database that cannot be used now -------------------------------------------------------------------------------


def add_much(connection: Connection, name: str) -> None:
    connection.execute(tables.nonces.insert().values(nonce=name * 1000, seen_at=NOW))


@SQLITE
async def test_a_full_disk_takes_the_whole_batch_back_and_says_so(database: Database) -> None:
    """SQLite takes its transaction back by itself when a page finds no room: whoever shares the commit is told too."""
    await database.run(lambda connection: add_bot(connection))

    def no_room(connection: Connection) -> None:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + 20}")

    def fill(connection: Connection) -> None:
        no_room(connection)
        for number in range(1000):
            add_much(connection, f"{number}")

    results = await asyncio.gather(
        *(
            database.run(work)
            for work in (lambda connection: add_bot(connection, 2), fill, lambda connection: add_bot(connection, 3))
        ),
        return_exceptions=True,
    )
    assert [type(result) for result in results] == [DatabaseUnavailable] * 3
    assert {getattr(result, "reason", None) for result in results} == {"disk"}
    assert await database.read(lambda connection: list(connection.scalars(select(tables.bots.c.bot_id)))) == [1]
    await database.run(lambda connection: connection.exec_driver_sql("PRAGMA max_page_count = 1073741823") and None)
    await database.run(add_bot, 2)


@POSTGRES
@pytest.mark.parametrize("several", [False, True], ids=["one-statement", "in-one-trip"])
async def test_connections_that_broke_meanwhile_are_nobodys_error(database: Database, several: bool) -> None:
    """Every connection of the pool is ended by the server, as in a restart; reads and writes go on with the next try."""
    tries = 0

    def use(connection: Connection) -> None:
        nonlocal tries
        tries += 1
        if several:
            pipeline.run(connection, [pipeline.Statement.of("SELECT 1").step(connection)] * 2)
        else:
            connection.execute(text("SELECT 1"))

    def hold(connection: Connection) -> None:
        connection.execute(text("SELECT 1"))
        everybody.wait()

    everybody = threading.Barrier(8)
    await asyncio.gather(*(database.read(hold) for _ in range(8)))
    assert database.engine.pool.checkedin() == 8  # type: ignore[attr-defined]
    others = (
        "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity "
        "WHERE pid <> pg_backend_pid() AND datname = current_database() AND backend_type = 'client backend'"
    )
    other = Database(load(overrides={"database": {"url": database.engine.url.render_as_string(hide_password=False)}}).database)
    try:
        assert len(await other.read(lambda connection: list(connection.execute(text(others))))) == 8
        await database.run(use)
        assert tries == 2
        await other.read(lambda connection: list(connection.execute(text(others))))
        assert await database.read(held) is None
    finally:
        other.close()


@POSTGRES
async def test_a_connection_that_breaks_in_the_commit_is_not_tried_again(database: Database) -> None:
    """Nobody knows whether it was committed: doing it again could do it twice."""
    calls = 0

    def end_myself_after(connection: Connection) -> None:
        nonlocal calls
        calls += 1
        add_bot(connection)
        # A check that is due at the commit, and that ends this very server process.
        connection.exec_driver_sql(
            "CREATE FUNCTION pg_temp.end_me() RETURNS trigger LANGUAGE plpgsql AS"
            " 'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END'"
        )
        connection.exec_driver_sql("CREATE TEMP TABLE last_words (word text)")
        connection.exec_driver_sql(
            "CREATE CONSTRAINT TRIGGER at_the_end AFTER INSERT ON last_words DEFERRABLE INITIALLY DEFERRED"
            " FOR EACH ROW EXECUTE FUNCTION pg_temp.end_me()"
        )
        connection.exec_driver_sql("INSERT INTO last_words VALUES ('bye')")

    with pytest.raises(DatabaseUnavailable) as told:
        await database.run(end_myself_after)
    assert (calls, told.value.reason) == (1, "away")
    await database.run(add_bot)


@pytest.mark.parametrize("url", ["postgresql+psycopg://nobody:sesame@/none?host={folder}", "sqlite:///{folder}"])
async def test_a_database_that_is_not_there_is_told_without_its_password(url: str, tmp_path: Path) -> None:
    database = Database(load(overrides={"database": {"url": url.format(folder=tmp_path)}}).database)
    with pytest.raises(DatabaseUnavailable) as told:
        await database.read(held)
    assert "sesame" not in told.value.detail
    database.close()


def test_the_constraint_that_keeps_a_row_out_is_named(database: Database) -> None:
    def user(user_id: str, steam_id: int) -> Any:
        return tables.users.insert().values(user_id=user_id, steam_id=steam_id, created_at=NOW)

    with database.transaction() as connection:
        add_bot(connection)
        connection.execute(user("a", 1))
    for statement, name in (
        (user("a", 2), "pk_users"),
        (user("b", 1), "uq_users_steam_id"),
        (tables.bots.insert().values(color="red", bot_id=1, steam_id=5, created_at=NOW, touched=NOW), "pk_bots"),
    ):
        with pytest.raises(IntegrityError) as raised, database.transaction() as connection:
            connection.execute(statement)
        assert errors.violated(raised.value) == name
    with pytest.raises(IntegrityError) as raised, database.transaction() as connection:
        connection.execute(tables.users.insert().values(user_id="c", steam_id=3, created_at=None))
    assert errors.violated(raised.value) is None
