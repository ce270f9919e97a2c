"""What `fleet config check` finds around the file: keys, databases, Redis and listeners that cannot be had."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from config_checked import EITHER, GOOD, SECRET, a_folder, checked

from balancer.db import migrate
from bot_worker.vault import Account, Vault
from scripts.cli import config_facts
from scripts.cli.config_findings import find as findings
from scripts.lab.postgres import PostgresServer
from shared import settings
from shared.sealing import MasterKey


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Everything that settings can name, as it should be."""
    folder = tmp_path_factory.mktemp("whole")
    folder.chmod(0o700)
    MasterKey.create(folder / "master.key")
    (folder / "prices.json").write_text('{"AK": 5}')
    (folder / "prices.json").chmod(0o644)
    migrate.upgrade(f"sqlite:///{folder}/fleet.db")
    group = {"vault_file": folder / "vault", "vault_key_file": folder / "vault.key"}
    vault = Vault.open(settings.load(overrides={"group": group}).group, create=True)
    vault.put([Account("red-1", "one", "pw", "76561198000000001", SECRET, SECRET, "android:1")])
    return folder


@pytest.fixture
def around(whole: Path, tmp_path: Path, redis_url: str) -> Path:
    """A folder of its own, with settings that name what lies in it, and a Redis that answers."""
    folder = tmp_path / "host"
    shutil.copytree(whole, folder)
    (folder / "my.toml").write_text(
        f'[redis]\nurl = "{redis_url}"\n[database]\nurl = "sqlite:///{folder}/fleet.db"\n'
        f'[balancer]\nsite_url = "https://site.example"\nmaster_key_file = "{folder}/master.key"\n'
        f'prices_file = "{folder}/prices.json"\n'
        f'[group]\nvault_file = "{folder}/vault"\nvault_key_file = "{folder}/vault.key"\nstatus_dir = "{folder}/run"\n'
    )
    return folder


def test_nothing_is_said_when_all_is_there_and_answers(around: Path) -> None:
    assert checked(around / "my.toml") == (0, f"settings are fine: defaults and {around}/my.toml\n")


def test_an_empty_world_is_not_made_by_looking_at_it(around: Path) -> None:
    for path in around.iterdir():
        if path.name != "my.toml":
            path.unlink()
    status, said = checked(around / "my.toml")
    assert status == 2 and [path.name for path in around.iterdir()] == ["my.toml"]
    for name, do in (
        ("master.key", "fleet keys new"),
        ("prices.json", "cents"),
        ("vault", "bots import"),
        ("vault.key", "bots import"),
    ):
        assert f"there is no {around}/{name}" in said and do in said
    assert "fleet.db" not in said  # the first start makes it
    assert checked(around / "my.toml", "--offline")[0] == 0


def revision(folder: Path) -> None:
    with sqlite3.connect(folder / "fleet.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()


AROUND: dict[str, tuple[Callable[[Path], object], str, str, str]] = {
    "master key open": (lambda at: (at / "master.key").chmod(0o644), "master_key_file", "may be read by others", "chmod 600"),
    "master key is none": (lambda at: (at / "master.key").write_text("x"), "master_key_file", "64 hex digits", "your copy"),
    "vault key open": (lambda at: (at / "vault.key").chmod(0o640), "vault_key_file", "may be read by others", "chmod 600"),
    "vault of another key": (
        lambda at: (at / "vault.key").write_text("ab" * 32),
        "vault_file",
        "was changed",
        "saved together",
    ),
    "vault open": (lambda at: (at / "vault").chmod(0o604), "vault_file", "may be read by others", "chmod 600"),
    "database open": (lambda at: (at / "fleet.db").chmod(0o644), "[database] url", "may be read by others", "fleet.db*"),
    "database is none": (
        lambda at: (at / "fleet.db").write_text("x" * 5000),
        "[database] url",
        "not a database",
        "fleet restore",
    ),
    "database of a newer release": (revision, "[database] url", "newer release", "start that release"),
    "database is a folder": (
        lambda at: a_folder(at / "fleet.db"),
        "[database] url",
        "is a folder",
        "name another",
    ),
    "status is a file": (lambda at: (at / "run").touch(), "status_dir", "is no folder", "name another"),
    "no prices": (
        lambda at: (at / "prices.json").write_text("{}"),
        "prices_file",
        "no name with a whole number",
        "whole cents",
    ),
    "prices are no prices": (lambda at: (at / "prices.json").write_text("[1"), "prices_file", "cannot be read", "whole cents"),
    "prices that others may change": (
        lambda at: (at / "prices.json").chmod(0o666),
        "prices_file",
        "others on this machine may change",
        "go-w",
    ),
    "a folder that others may change": (lambda at: at.chmod(0o777), "master_key_file", "in the place of", "chmod go-w"),
}


@pytest.mark.parametrize(("second", "said"), [((2, "active"), True), ((11, "paused"), True), ((11, "active"), False)])
def test_a_fleet_with_one_host_is_told_that_dear_items_are_read_by_it_alone(
    around: Path, second: tuple[int, str], said: bool
) -> None:
    with sqlite3.connect(around / "fleet.db") as connection:
        for number, mode in ((1, "active"), second):
            row = (number, 76561198000000000 + number, mode, "2026-01-01", "2026-01-01")
            named = "color, slots_held, slots_reserved, open_offers, bot_id, steam_id, mode, created_at, touched"
            connection.execute(f"INSERT INTO bots ({named}) VALUES ('red', 0, 0, 0, ?, ?, ?, ?, ?)", row)
    connection.close()
    status, text = checked(around / "my.toml")
    assert status == (1 if said else 0)
    assert ("read by one host only" in text and "dear_item_cents" in text) is said


@pytest.mark.parametrize("name", AROUND)
def test_what_is_wrong_around_the_file_is_found(around: Path, name: str) -> None:
    change, setting, text, do = AROUND[name]
    change(around)
    status, said = checked(around / "my.toml")
    lines = said.splitlines()
    assert status == 2
    [at] = [number for number, line in enumerate(lines) if setting in line and text in line]
    assert lines[at].startswith("error: ") and "my.toml, line " in lines[at]
    assert do in lines[at + 1]


def test_what_cannot_be_made_is_told(around: Path) -> None:
    config = around / "my.toml"
    config.write_text(config.read_text().replace(f"{around}/fleet.db", "/dev/null/none/fleet.db"))
    assert "cannot make /dev/null/none/fleet.db" in checked(config)[1]


def test_a_settings_file_with_a_password_is_private(around: Path) -> None:
    config = around / "my.toml"
    config.write_text(config.read_text() + '[log]\nlevel = "info"\n')
    config.write_text(config.read_text().replace("unix://", "unix://default:hidden@", 1))
    config.chmod(0o644)
    said = checked(config)[1]
    assert f"{config} holds a password and may be read by others" in said and f"chmod 600 {config}" in said
    assert "hidden" not in said
    config.chmod(0o600)
    assert "holds a password" not in checked(config)[1]


def test_a_redis_and_a_listener_that_cannot_be_had_are_told(around: Path) -> None:
    config = around / "my.toml"
    config.write_text(config.read_text().replace('[redis]\nurl = "', '[redis]\nurl = "redis://127.0.0.1:1/0" #', 1))
    config.write_text(config.read_text().replace("[balancer]\n", '[balancer]\nhost = "192.0.2.1"\n'))
    said = checked(config)[1]
    assert "line 2: [redis] url: Redis cannot be used" in said and "start Redis" in said
    assert "line 6: [balancer] host: 192.0.2.1 cannot be listened on" in said


def test_a_typed_or_given_vault_key_needs_no_file(around: Path, whole: Path) -> None:
    (around / "vault.key").unlink()
    key = (whole / "vault.key").read_text()
    assert checked(around / "my.toml", environ={"FLEET_VAULT_KEY": key})[0] == 0


@pytest.mark.postgresql
@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda url: url, ""),
        (lambda url: url.replace("/postgres?", "/no_such_db?"), "createdb --owner USER no_such_db"),
        (lambda _url: "postgresql+psycopg://me:hidden@127.0.0.1:1/fleet", "start PostgreSQL"),
    ],
)
def test_a_database_server_is_asked(around: Path, postgres: PostgresServer, change: Callable[[str], str], text: str) -> None:
    config = around / "my.toml"
    url = postgres.url("postgres")
    assert "/postgres" in url
    config.write_text(config.read_text().replace(f"sqlite:///{around}/fleet.db", change(url)))
    config.chmod(0o600)
    status, said = checked(config)
    assert (status, text in said) == (2 if text else 0, True), said
    assert "hidden" not in said


def test_what_a_redis_tells_of_itself_is_heeded() -> None:
    class Redis:
        def __init__(self, **info: object) -> None:
            self.told = info

        def info(self) -> dict[str, object]:
            return self.told

    def remarks(**info: object) -> list[str]:
        return [each.what for each in config_facts._how_redis_is(Redis(**info))]  # type: ignore[arg-type]

    assert remarks(redis_version="7.0.15", role="master", maxmemory=0, maxmemory_policy="allkeys-lru") == []
    assert "throws orders away" in remarks(redis_version="7.2.1", maxmemory=5, maxmemory_policy="allkeys-lru")[0]
    assert "older" in remarks(redis_version="6.2.1")[0] and "replica" in remarks(role="slave")[0]


def test_another_user_is_told_what_he_may_not_read(around: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    seen = config_facts.look_at(around / "master.key")
    assert seen.there and seen.readable and seen.writable and not seen.open_to_others
    file = config_facts.File(around / "master.key", there=True)
    facts = config_facts.Facts(user="nobody", files={"balancer.master_key_file": file})
    [told] = findings.find(settings.load(overrides=GOOD), EITHER, facts)
    assert told.text == f"nobody may not read {around}/master.key"
