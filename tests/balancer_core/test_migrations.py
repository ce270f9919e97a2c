"""The migrated schema is the declared one, up, down and up again, on both databases."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, inspect
from sqlalchemy.pool import NullPool

from balancer.db import migrate
from balancer.db.tables import metadata


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/fleet.db"
    make: Callable[[], str] = request.getfixturevalue("empty_postgres")
    return make()


def tables(url: str) -> set[str]:
    engine = create_engine(url, poolclass=NullPool)
    with engine.connect() as connection:
        return set(inspect(connection).get_table_names())


def test_migrated_schema_is_the_declared_one(empty_url: str) -> None:
    migrate.upgrade(empty_url)
    engine = create_engine(empty_url, poolclass=NullPool)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
        indexes = {index["name"] for table in metadata.tables for index in inspect(connection).get_indexes(table)}
        checks = {check["name"] for table in metadata.tables for check in inspect(connection).get_check_constraints(table)}
    declared = {index.name for table in metadata.tables.values() for index in table.indexes}
    assert declared <= indexes
    assert {"ck_trades_status", "ck_deposits_status", "ck_bots_counters", "ck_bots_mode"} <= checks


def test_down_and_up_again(empty_url: str) -> None:
    migrate.upgrade(empty_url)
    migrate.downgrade(empty_url)
    assert tables(empty_url) == {"alembic_version"}
    migrate.upgrade(empty_url)
    assert tables(empty_url) == {"alembic_version", *metadata.tables}


def test_upgrading_twice_changes_nothing(empty_url: str) -> None:
    migrate.upgrade(empty_url)
    before = tables(empty_url)
    migrate.upgrade(empty_url)
    assert tables(empty_url) == before


def test_several_balancers_may_start_at_once(empty_url: str) -> None:
    errors: list[BaseException] = []

    def start() -> None:
        try:
            migrate.upgrade(empty_url)
        except BaseException as error:
            errors.append(error)
            raise

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert set(metadata.tables) <= tables(empty_url)


def test_a_trade_in_doubt_is_searched_for_after_the_upgrade_and_survives_the_way_back(empty_url: str) -> None:
    migrate.upgrade(empty_url, "0001")
    engine = create_engine(empty_url, poolclass=NullPool)
    day = "'2026-01-01 00:00:00'"
    with engine.begin() as connection:
        connection.exec_driver_sql(f"INSERT INTO users (user_id, steam_id, created_at) VALUES ('u', 7, {day})")
        connection.exec_driver_sql(
            f"INSERT INTO bots (color, bot_id, steam_id, created_at, touched) VALUES ('red', 1, 8, {day}, {day})"
        )
        for trade_id, status in (("t1", "in_doubt"), ("t2", "sent")):
            connection.exec_driver_sql(
                "INSERT INTO trades (trade_id, direction, status, user_id, partner, trade_url_sealed, color, bot_id, attempt, "
                "expires_at, message, client_id, created_at, touched) VALUES "
                f"('{trade_id}', 'deposit', '{status}', 'u', 7, '', 'red', 1, 1, {day}, '', 'c', {day}, {day})"
            )
    migrate.upgrade(empty_url)
    with engine.connect() as connection:
        rows = connection.exec_driver_sql("SELECT trade_id, find_at IS NOT NULL, find_tries FROM trades ORDER BY trade_id")
        assert [(row[0], bool(row[1]), row[2]) for row in rows] == [("t1", True, 0), ("t2", False, 0)]
    migrate.downgrade(empty_url, "0001")
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM trades").scalar() == 2
        assert "find_at" not in {column["name"] for column in inspect(connection).get_columns("trades")}
        assert "switches" not in set(inspect(connection).get_table_names())


def test_what_waits_takes_no_open_offer_after_the_upgrade(empty_url: str) -> None:
    migrate.upgrade(empty_url, "0003")
    engine = create_engine(empty_url, poolclass=NullPool)
    day = "'2026-01-01 00:00:00'"
    with engine.begin() as connection:
        connection.exec_driver_sql(f"INSERT INTO users (user_id, steam_id, created_at) VALUES ('u', 7, {day})")
        connection.exec_driver_sql(
            "INSERT INTO bots (color, bot_id, steam_id, open_offers, created_at, touched) "
            f"VALUES ('red', 1, 8, 3, {day}, {day}), ('red', 2, 9, 0, {day}, {day})"
        )
        for trade_id, status, waits in (("t1", "sent", "NULL"), ("t2", "queued", "'settlement'"), ("t3", "held", "NULL")):
            connection.exec_driver_sql(
                "INSERT INTO trades (trade_id, direction, status, user_id, partner, trade_url_sealed, color, bot_id, attempt, "
                "expires_at, message, client_id, created_at, touched, waits_for) VALUES "
                f"('{trade_id}', 'withdraw', '{status}', 'u', 7, '', 'red', 1, 1, {day}, '', 'c', {day}, {day}, {waits})"
            )
    offers = "SELECT open_offers FROM bots ORDER BY bot_id"
    migrate.upgrade(empty_url)
    with engine.connect() as connection:
        assert [row[0] for row in connection.exec_driver_sql(offers)] == [1, 0]
        begun = connection.exec_driver_sql("SELECT trade_id FROM trades WHERE begun_at IS NULL").scalars().all()
        assert begun == ["t2"]
    migrate.downgrade(empty_url, "0003")
    with engine.connect() as connection:
        assert [row[0] for row in connection.exec_driver_sql(offers)] == [3, 0]
