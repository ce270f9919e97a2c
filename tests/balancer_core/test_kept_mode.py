"""A database is that of a live fleet or of one that tests, and is opened by no other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.pool import NullPool

from balancer.db import migrate, mode
from scripts.cli.fleet import main
from shared import settings
from shared.errors import SettingsError
from shared.sealing import MasterKey
from shared.settings import Settings


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/fleet.db"
    make: Callable[[], str] = request.getfixturevalue("empty_postgres")
    return make()


def of(url: str, *, live: bool) -> Settings:
    return settings.load(None, {"database": {"url": url}, "balancer": {"livemode": live}})


@pytest.mark.parametrize("live", [True, False], ids=["live", "test"])
def test_it_remembers_its_mode_and_refuses_the_other_before_anything_is_migrated(url: str, live: bool) -> None:
    migrate.open_for(of(url, live=live))
    migrate.open_for(of(url, live=live))
    migrate.downgrade(url, "-1")  # of an earlier release: nobody knows, and the next start says so
    migrate.open_for(of(url, live=live))
    with pytest.raises(SettingsError) as refused:
        migrate.open_for(of(url, live=not live))
    assert "[database] url" in refused.value.detail
    assert f"fleet config mode {'test' if live else 'live'}" in refused.value.detail
    engine = create_engine(url, poolclass=NullPool)
    with engine.connect() as connection:
        assert mode.of(connection) is live


def test_a_balancer_that_tests_does_not_migrate_what_is_live(url: str) -> None:
    migrate.open_for(of(url, live=True))
    engine = create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:  # an earlier release was here last
        connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    with pytest.raises(SettingsError):
        migrate.open_for(of(url, live=False))
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT version_num FROM alembic_version")) == "0001"


def test_what_nobody_has_opened_is_of_no_mode(url: str) -> None:
    migrate.upgrade(url)
    engine = create_engine(url, poolclass=NullPool)
    with engine.connect() as connection:
        assert mode.of(connection) is None
        assert inspect(connection).has_table("kept_mode")
        mode.refuse_other(connection, True)
        mode.refuse_other(connection, False)


def test_commands_are_refused_told_the_cure_and_an_operator_may_put_it_right(tmp_path: Path) -> None:
    MasterKey.create(tmp_path / "master.key")
    config = tmp_path / "fleet.toml"

    def write(live: bool) -> None:
        config.write_text(
            f'[database]\nurl = "sqlite:///{tmp_path}/fleet.db"\n[balancer]\nlivemode = {str(live).lower()}\n'
            f'master_key_file = "{tmp_path}/master.key"\n'
        )

    def fleet(*typed: str) -> tuple[int, str]:
        done = CliRunner().invoke(main, ["--config", str(config), *typed])
        return done.exit_code, done.output

    write(live=False)
    assert fleet("clients", "add", "site")[0] == 0
    assert fleet("config", "mode") == (0, "test\n")
    write(live=True)
    code, said = fleet("clients", "add", "other")
    assert code == 1 and "[database] url" in said and "fleet config mode live" in said
    code, said = fleet("config", "check", "--part", "balancer")
    assert code == 2 and "of a fleet that tests" in said and "What to do: name a database of its own" in said
    assert fleet("config", "mode", "test")[0] == 2  # the settings say otherwise
    assert fleet("config", "mode", "live")[0] == 1  # nobody said yes
    assert fleet("config", "mode", "live", "--yes") == (0, "live\n")
    assert fleet("config", "mode", "live") == (0, "live\n")
    assert fleet("clients", "add", "other")[0] == 0
