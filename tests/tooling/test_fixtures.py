"""The shared fixtures give every test its own, empty, migrated database and an empty Redis."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest
import redis
import sqlalchemy as sa
import structlog
from click.testing import CliRunner
from support import wait_until

from balancer.db import tables as models
from shared import log

if TYPE_CHECKING:
    from clean_databases import CleanDatabase

ROOT = Path(__file__).parents[2]


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:
    engine = sa.create_engine(database_url)
    yield engine
    engine.dispose()


@pytest.mark.parametrize("turn", ["first", "second"])
def test_a_database_is_migrated_and_nobody_elses(engine: sa.Engine, turn: str) -> None:
    with engine.begin() as connection:
        tables = sa.inspect(connection).get_table_names()
        assert {"alembic_version", "trades", "deposits"} <= set(tables)
        assert "left_behind" not in tables
        connection.execute(sa.text("CREATE TABLE left_behind (n INTEGER)"))


@pytest.mark.parametrize("turn", ["first", "second"])
def test_rows_and_their_numbers_begin_anew(engine: sa.Engine, turn: str) -> None:
    now = datetime.now(UTC)
    with engine.begin() as connection:
        assert [*connection.scalars(sa.select(models.users.c.user_id))] == ["house"]
        connection.execute(sa.delete(models.users))
        connection.execute(sa.insert(models.users), {"user_id": f"u-{turn}", "created_at": now})
        first = sa.insert(models.events).returning(models.events.c.number)
        assert (
            connection.scalar(
                first, {"at": now, "kind": "report_unusable", "data": '{"report": "x", "attempt": 1}', "who": "nobody"}
            )
            == 1
        )


@pytest.mark.postgresql
@pytest.mark.parametrize("turn", ["first", "second"])
def test_a_transaction_left_open_ends_with_its_test(clean_postgres: CleanDatabase, turn: str) -> None:
    engine = sa.create_engine(clean_postgres.take())
    left = engine.connect()
    left.execute(sa.update(models.users).values(user_id=f"u-{turn}"))
    clean_postgres.give_back()
    with pytest.raises(sa.exc.OperationalError):
        left.execute(sa.text("SELECT 1"))
    left.invalidate()
    left.close()
    with engine.connect() as connection:
        assert [*connection.scalars(sa.select(models.users.c.user_id))] == ["house"]
    engine.dispose()
    clean_postgres.give_back()


@pytest.mark.parametrize("turn", ["first", "second"])
def test_redis_is_empty_each_time(redis_url: str, turn: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        assert client.dbsize() == 0
        client.set("left", "behind")


@pytest.mark.parametrize("turn", ["first", "second"])
def test_logs_are_set_up_anew(turn: str) -> None:
    assert isinstance(structlog.get_config()["logger_factory"], structlog.PrintLoggerFactory)
    assert logging.StreamHandler not in map(type, logging.getLogger().handlers)
    log.set_up("debug", "json")


def test_what_a_service_logs_while_a_command_runs_is_not_the_commands_answer() -> None:
    @click.command()
    def command() -> None:
        click.echo("{}")
        log.get("a service beside it").info("this balancer leads")

    done = CliRunner().invoke(command)
    assert (done.stdout, done.stderr) == ("{}\n", "")


def test_waiting_ends_with_the_first_true_answer_or_says_what_was_missing() -> None:
    answers = iter([0, None, "now"])
    assert wait_until(lambda: next(answers), every_s=0.001) == "now"

    def never() -> bool:
        return False

    with pytest.raises(AssertionError, match=r"never was still False after 0\.01 s"):
        wait_until(never, timeout_s=0.01, every_s=0.001)


def test_a_fleet_is_shared_until_a_test_fails_and_then_started_anew(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        """
import itertools, pytest

starts = itertools.count(1)

@pytest.fixture(scope="session")
def stack():
    yield next(starts)
    print("an end")

@pytest.fixture
def site(stack):
    yield stack
    assert stack != 2, "the end of a test fails too"

@pytest.mark.parametrize(("turn", "start"), [("fails", 1), ("ends badly", 2), ("is well", 3), ("is well too", 3)])
def test_it(site, turn, start):
    assert site == start
    assert turn != "fails"
"""
    )
    command = [sys.executable, "-m", "pytest", "-c", str(ROOT / "setup.cfg"), "--rootdir", str(tmp_path), "-p", "conftest"]
    ran = subprocess.run(
        [*command, "-s", "-q", "-p", "no:cacheprovider", str(tmp_path)],
        cwd=ROOT / "tests",
        env=os.environ | {"PYTHONPATH": str(ROOT / "tests")},
        capture_output=True,
        text=True,
    )
    assert "1 failed, 3 passed, 1 error" in ran.stdout, ran.stdout + ran.stderr
    assert ran.stdout.count("an end") == 3
