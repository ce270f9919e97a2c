"""Every command in a broken set-up ends in a sentence that names what is broken, where, and what to do about it."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import psycopg
import pytest
import redis
from click.testing import CliRunner
from sqlalchemy.engine import make_url

from balancer.db import migrate
from bot_worker.vault import Account, Vault
from scripts import advice
from scripts.cli.fleet import main
from scripts.lab.parts import free_port
from scripts.lab.postgres import PostgresServer
from scripts.lab.redis_server import EmbeddedRedis
from shared import settings
from shared.domain.ids import bots_of_group
from shared.sealing import MasterKey

NOBODY = 65534
SECRET = "AAECAwQFBgcICQoLDA0ODxAREhM="


@dataclass(frozen=True)
class Command:
    """How a command is typed, and what it needs: any of settings, master, database, vault."""

    typed: tuple[str, ...]
    needs: tuple[str, ...]


def _command(typed: str, *needs: str) -> Command:
    return Command(tuple(typed.split()), needs)


BOOKS = ("settings", "master", "database")
TRADE_URL = "https://steamcommunity.com/tradeoffer/new/?partner=1&token=abcdefgh"
EVERY = [
    _command("users export user-1", *BOOKS),
    _command("users forget user-1 --yes", *BOOKS),
    _command("alarms ack 1", *BOOKS),
    _command("alarms list", *BOOKS),
    _command("alarms test", "settings"),
    _command("approvals list", *BOOKS),
    _command("approvals approve trd_x", *BOOKS),
    _command("approvals reject trd_x", *BOOKS),
    _command("audit", *BOOKS),
    _command("crosscheck {folder}/record.json", "settings", "database"),
    _command("backup {folder}/copy.db", "settings"),
    _command("balancer --port 0", *BOOKS),
    _command("bots code red-1", "settings", "vault"),
    _command("bots import {folder}/bots.csv", "settings", "vault"),
    _command("bots keys {folder}/keys.json", "settings", "vault"),
    _command("bots list", "settings", "vault"),
    _command("bots proxy red-1 --clear", "settings", "vault"),
    _command("bots drain red-1", *BOOKS),
    _command("bots pause red-1", *BOOKS),
    _command("bots resume red-1", *BOOKS),
    _command("bots status", *BOOKS),
    _command("bots unfreeze red-1 --yes", *BOOKS),
    _command("clients add site", *BOOKS),
    _command("clients list", *BOOKS),
    _command("clients new-key site", *BOOKS),
    _command("clients revoke site --yes", *BOOKS),
    _command("config mode live --yes", "settings", "database"),
    _command("events", *BOOKS),
    _command("db upgrade --yes", "settings", "database"),
    _command("group start red 1", "settings", "vault"),
    _command("group status", "settings"),
    _command("locks list", *BOOKS),
    _command("locks release bet_1 --reason lost --unlock-a-running-game", *BOOKS),
    _command("locks restore bet_1 --reason found", *BOOKS),
    _command("logs trd_x", *BOOKS),
    _command("keys issue red 1 --out {folder}/issued.json", "settings", "master"),
    _command("keys new", "settings"),
    _command("prices accept file --reason right", *BOOKS),
    _command("prices history Knife", *BOOKS),
    _command("prices status", *BOOKS),
    _command("restore --marks-only --yes", *BOOKS),
    _command("status", *BOOKS),
    _command("ops enrol 76561198000000001", *BOOKS),
    _command("ops list", *BOOKS),
    _command("switches list", *BOOKS),
    _command("switches pause deposits", *BOOKS),
    _command("switches resume deposits", *BOOKS),
    _command("tickets issue SnG --value-cents 100 --count 1", *BOOKS),
    _command("tickets list", *BOOKS),
    _command("top --once", *BOOKS),
    _command("trades decide dep_x release --reason x", *BOOKS),
    _command("trades doubt trd_x --none --yes --reason x", *BOOKS),
    _command(f"trades give dep_x --reason x --trade-url {TRADE_URL}", *BOOKS),
    _command("trades list", *BOOKS),
    _command("trades show trd_x", *BOOKS),
    _command("trades thaw dep_x --reason x", *BOOKS),
    _command("trades unblock 76561198000000001", *BOOKS),
    _command("vault check", "settings", "vault"),
    _command("vault rekey", "settings", "vault"),
    _command("webhooks add https://8.8.8.8/hooks", *BOOKS),
    _command("webhooks deliveries wh_x", *BOOKS),
    _command("webhooks enable wh_x", *BOOKS),
    _command("webhooks list", *BOOKS),
    _command("webhooks redeliver wh_x 1", *BOOKS),
    _command("webhooks remove wh_x --yes", *BOOKS),
    _command("webhooks rotate wh_x", *BOOKS),
    _command("webhooks test wh_x --wait-s 1", *BOOKS),
]
# Without settings of the operator's; tried by themselves in test_wrong_commands.py and below.
OTHERS = {"completion", "config check", "config default", "demo", "doctor", "prices try", "redis acl", "sandbox", "up"}


CONFIG = """[database]
url = "sqlite:///{folder}/fleet.db"
[balancer]
master_key_file = "{folder}/master.key"
prices_file = "{folder}/prices.json"
[redis]
url = "unix://{folder}/no-redis"
timeout_s = 0.5
[group]
vault_file = "{folder}/vault"
vault_key_file = "{folder}/vault.key"
status_dir = "{folder}/run"
"""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of a set-up in which nothing is broken, to be copied."""
    made = tmp_path_factory.mktemp("whole")
    MasterKey.create(made / "master.key")
    (made / "prices.json").write_text("{}")
    (made / "record.json").write_text('{"assets": [], "origins": [], "offers": [], "exchanges": []}')
    (made / "bots.csv").write_text(
        f"bot,account_name,password,steam_id,shared_secret,identity_secret\nred-2,two,pw,76561198000000002,{SECRET},{SECRET}\n"
    )
    keys = [MasterKey.read(made / "master.key").bot(str(name)) for name in bots_of_group("red", 1)]
    (made / "keys.json").write_text(json.dumps([each.to_json() for each in keys]))
    (made / "fleet.toml").write_text(CONFIG.format(folder=made))
    vault = Vault.open(settings.load(made / "fleet.toml").group, create=True)
    vault.put([Account("red-1", "one", "pw", "76561198000000001", SECRET, SECRET, "android:1")])
    vault.put_keys(keys)
    return made


@pytest.fixture
def folder(whole: Path) -> Iterator[Path]:
    """A whole set-up; not below pytest's folder, as another user looks at it too."""
    made = Path(tempfile.mkdtemp(prefix="fleet-what-to-do-"))
    shutil.copytree(whole, made, dirs_exist_ok=True)
    (made / "fleet.toml").write_text(CONFIG.format(folder=made))
    yield made
    shutil.rmtree(made)


def typed(folder: Path, command: Command) -> str:
    """What the command says on its standard error. It must be a message, not an exception that came through."""
    arguments = [each.format(folder=folder) for each in command.typed]
    done: Any = CliRunner().invoke(main, ["--config", str(folder / "fleet.toml"), *arguments])
    assert isinstance(done.exception, SystemExit) and done.exit_code in (1, 2), (done.exception, done.output)
    assert done.stdout == "", "standard output is for answers"
    return str(done.stderr)


def wanting(what: str, but: tuple[str, ...] = ()) -> pytest.MarkDecorator:
    chosen = {" ".join(each.typed[:2]): each for each in EVERY if what in each.needs}
    assert set(but) <= chosen.keys()
    return pytest.mark.parametrize("command", [pytest.param(each, id=name) for name, each in chosen.items() if name not in but])


def test_no_command_is_left_out() -> None:
    def leaves(group: click.Group, above: str) -> Iterator[str]:
        for name in group.list_commands(click.Context(group)):
            found = group.get_command(click.Context(group), name)
            if isinstance(found, click.Group):
                yield from leaves(found, f"{above}{name} ")
            else:
                yield f"{above}{name}"

    here = {" ".join(each.typed) for each in EVERY} | OTHERS
    assert [name for name in leaves(main, "") if not any(f"{each} ".startswith(f"{name} ") for each in here)] == []


# --- settings -------------------------------------------------------------------------------------------


@wanting("settings")
@pytest.mark.parametrize(("text", "says"), [("[balancer]\nprot = 1\n", "line 2"), ("[balancer", "not TOML")])
def test_wrong_settings_are_named(folder: Path, command: Command, text: str, says: str) -> None:
    (folder / "fleet.toml").write_text(text)
    said = typed(folder, command)
    assert "fleet.toml" in said and says in said


@wanting("settings")
def test_a_settings_file_that_is_not_there_is_named(folder: Path, command: Command) -> None:
    (folder / "fleet.toml").unlink()
    assert f"{folder}/fleet.toml" in typed(folder, command)


# --- the master key ---------------------------------------------------------------------------------------


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


MASTER: dict[str, tuple[Callable[[Path], object], str]] = {
    "not there": (lambda path: path.unlink(), "fleet keys new"),
    "open to others": (lambda path: path.chmod(0o644), "chmod 600"),
    "no key": (lambda path: path.write_text("hello"), "put your copy"),
    "a folder": (a_folder, "let the user of this program read it"),
}


@wanting("master")
@pytest.mark.parametrize("broken", MASTER)
def test_a_bad_master_key_is_named(folder: Path, command: Command, broken: str) -> None:
    change, do = MASTER[broken]
    change(folder / "master.key")
    said = typed(folder, command)
    assert f"{folder}/master.key" in said and do in said


# --- the vault ----------------------------------------------------------------------------------------------

VAULT: dict[str, tuple[Callable[[Path], object], str]] = {
    "key not there": (lambda folder: (folder / "vault.key").unlink(), ""),
    "key open to others": (lambda folder: (folder / "vault.key").chmod(0o640), "chmod 600"),
    "no key": (lambda folder: (folder / "vault.key").write_text("hello"), "made with the vault"),
    "another key": (lambda folder: (folder / "vault.key").write_text("ab" * 32), "saved together"),
    "no vault": (lambda folder: (folder / "vault").write_text("{}"), "saved together"),
    "a folder": (lambda folder: a_folder(folder / "vault"), "let the user of this program"),
}


@wanting("vault")
@pytest.mark.parametrize("broken", VAULT)
def test_a_bad_vault_is_named(folder: Path, command: Command, broken: str) -> None:
    change, do = VAULT[broken]
    change(folder)
    said = typed(folder, command)
    assert "vault" in said
    assert do in said if do else ("put the key back" in said or "makes one" in said)


# --- the database: a file ---------------------------------------------------------------------------------

SQLITE: dict[str, tuple[Callable[[Path], object], str]] = {
    "a folder": (lambda path: path.mkdir(), "a relative path starts at"),
    "no database": (lambda path: path.write_text("hello" * 500), "put a backup back"),
}


@wanting("database")
@pytest.mark.parametrize("broken", SQLITE)
def test_a_file_that_is_no_database_is_named(folder: Path, command: Command, broken: str) -> None:
    change, do = SQLITE[broken]
    change(folder / "fleet.db")
    said = typed(folder, command)
    assert f"{folder}/fleet.db" in said and do in said
    assert "Idempotency-Key" not in said


@contextmanager
def no_room(most: int) -> Iterator[None]:
    """As on a full disk: no file may grow behind these few bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture(scope="module")
def one_behind(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database of the release before, which every command brings up to date first."""
    path = tmp_path_factory.mktemp("one-behind") / "fleet.db"
    migrate.upgrade(f"sqlite:///{path}", "head-1")
    return path


@wanting("database", but=("crosscheck {folder}/record.json",))  # which only reads
def test_a_full_disk_under_the_database_is_named(folder: Path, command: Command, one_behind: Path) -> None:
    shutil.copy(one_behind, folder / "fleet.db")
    with no_room(8192):
        said = typed(folder, command)
    assert f"{folder}/fleet.db" in said and "disk of that file" in said and "nothing is half done" in said


def test_what_an_upgrade_would_run_is_told_and_then_run(folder: Path, one_behind: Path) -> None:
    def upgrade(*more: str) -> Any:
        return CliRunner().invoke(main, ["--config", str(folder / "fleet.toml"), "db", "upgrade", *more])

    every = json.loads(upgrade("--dry-run", "--json").stdout)["migrations"]
    assert not (folder / "fleet.db").exists() and every[0]["revision"] == "0001"
    shutil.copy(one_behind, folder / "fleet.db")
    assert json.loads(upgrade("--dry-run", "--json").stdout)["migrations"] == every[-1:]
    assert upgrade().exit_code == 1, "nobody says yes"
    assert f"{every[-1]['revision']} would run" in upgrade("--dry-run").stdout
    assert f"{every[-1]['revision']} has run" in upgrade("--yes").stdout
    assert "nothing is to be run" in upgrade("--yes").stdout


@pytest.mark.parametrize(
    "typed_line",
    ["keys issue red 1 --out {folder}/issued.json", "bots import {folder}/bots.csv", "redis acl {folder}/users", "keys new"],
)
def test_a_full_disk_under_a_file_is_named_and_leaves_nothing(folder: Path, typed_line: str) -> None:
    if typed_line == "keys new":
        (folder / "master.key").unlink()
    before = {path.name for path in folder.iterdir()}
    with no_room(16):
        said = typed(folder, _command(typed_line))
    assert "What to do: raise the size limit" in said
    assert {path.name for path in folder.iterdir()} - before <= {"users", "vault.lock"}
    assert not list((folder / "users").glob("*")) if (folder / "users").exists() else True


def test_a_backup_that_does_not_fit_is_named_and_not_left(folder: Path, sqlite_template: Path) -> None:
    shutil.copy(sqlite_template, folder / "fleet.db")
    with no_room(8192):
        said = typed(folder, _command("backup {folder}/copy.db"))
    assert f"{folder}/copy.db was not written" in said and "space" in said
    assert not list(folder.glob("*copy.db*"))


# --- another user ---------------------------------------------------------------------------------------------


@contextmanager
def as_nobody() -> Iterator[None]:
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@wanting("settings", but=("alarms test", "group status", "keys new"))  # which read nothing else
def test_what_another_user_may_not_read_is_named(folder: Path, command: Command, sqlite_template: Path) -> None:
    """The set-up is root's; somebody else types the command."""
    for path in (folder, folder / "fleet.toml"):
        path.chmod(0o755)
    (folder / "run").mkdir(mode=0o700)
    for name in ("bots.csv", "keys.json", "record.json"):
        (folder / name).chmod(0o644)
    shutil.copy(sqlite_template, folder / "fleet.db")
    with as_nobody():
        said = typed(folder, command)
    assert f"{folder}/" in said
    assert "let " in said or "that nobody may write" in said, said


# --- a database server ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def crowded(postgres: PostgresServer) -> Iterator[PostgresServer]:
    """A server that asks for passwords where a user has one is not ours to set up; one with a role that may nothing is."""
    with contextlib.closing(psycopg.connect(postgres.url("postgres").replace("+psycopg", ""), autocommit=True)) as one:
        one.execute("DROP ROLE IF EXISTS fleet_may_nothing")
        one.execute("CREATE ROLE fleet_may_nothing LOGIN")
        yield postgres
        one.execute("DROP ROLE fleet_may_nothing")


def _with(url: str, **changes: str) -> str:
    return make_url(url).set(**changes).render_as_string(hide_password=False)  # type: ignore[arg-type]


SERVERS: dict[str, tuple[Callable[[str], str], str, str]] = {
    "no such role": (lambda url: _with(url, username="no_such_role"), "no_such_role", "createuser --pwprompt no_such_role"),
    "no such database": (lambda url: _with(url, database="no_such_db"), "no_such_db", "createdb --owner USER no_such_db"),
    "may nothing": (lambda url: _with(url, username="fleet_may_nothing"), "permission denied", "own the database"),
    "nobody listens": (
        lambda _url: "postgresql+psycopg://me:hidden@127.0.0.1:1/fleet",
        "fleet at 127.0.0.1:1",
        "start PostgreSQL",
    ),
    "no such host": (
        lambda _url: "postgresql+psycopg://me:hidden@no.invalid/fleet",
        "no.invalid:5432",
        "this name cannot be resolved",
    ),
}


@pytest.mark.postgresql
@pytest.mark.parametrize("broken", SERVERS)
@pytest.mark.parametrize(
    "line", ["clients list", "switches list", "audit", "balancer --port 0", "crosscheck {folder}/record.json"]
)
def test_a_database_server_that_cannot_be_used_is_named(folder: Path, crowded: PostgresServer, broken: str, line: str) -> None:
    make, names, do = SERVERS[broken]
    config = folder / "fleet.toml"
    url = make(crowded.url("postgres"))
    config.write_text(config.read_text().replace(f"sqlite:///{folder}/fleet.db", url))
    said = typed(folder, _command(line))
    if broken == "may nothing" and "crosscheck" in line:
        assert "cannot compare" in said and "relation" in said  # it looks for tables that nobody has made
        return
    assert names in said and do in said
    assert "Idempotency-Key" not in said and "hidden" not in said


# --- Redis ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "do"),
    [
        ("redis://127.0.0.1:1/0", "start Redis"),
        ("redis://no.invalid/0", "this name cannot be resolved"),
        ("unix:///no/such/socket", "start Redis"),
        ("rediss://{address}/0", "rediss:// is for one with TLS"),
        ("redis://:wrong@{address}/0", "right user and password"),
        ("redis://{address}/0", "right user and password"),
    ],
)
def test_a_redis_that_cannot_be_used_is_named(tmp_path: Path, url: str, do: str, locked_redis: str) -> None:
    done = CliRunner().invoke(main, ["up", "--redis", url.format(address=locked_redis), "--directory", str(tmp_path / "up")])
    assert done.exit_code == 1 and "no Redis answers at the address" in done.stderr
    assert do in done.stderr and "wrong@" not in done.stderr


@pytest.fixture(scope="module")
def locked_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Host and port of a Redis that wants a password."""
    port = free_port()
    with EmbeddedRedis(tmp_path_factory.mktemp("locked"), port=port) as server:
        with redis.Redis.from_url(f"unix://{server.socket_path}") as client:
            client.config_set("requirepass", "right")
        yield f"127.0.0.1:{port}"


@pytest.mark.parametrize(
    ("error", "do"),
    [
        (redis.exceptions.NoPermissionError("NOPERM this user has no permissions to run the 'get' command"), "fleet redis acl"),
        (redis.exceptions.ResponseError("MISCONF Redis is configured to save RDB snapshots"), "give Redis space"),
        (redis.exceptions.OutOfMemoryError("OOM command not allowed when used memory > 'maxmemory'."), "give Redis space"),
        (redis.exceptions.ReadOnlyError("You can't write against a read only replica."), "name the primary"),
        (redis.exceptions.BusyLoadingError("LOADING Redis is loading the dataset in memory"), "wait"),
        (redis.exceptions.TimeoutError("Timeout connecting to server"), "firewalls"),
        (redis.exceptions.ResponseError("ERR something else"), "fleet config check"),
    ],
)
def test_what_redis_says_has_an_answer(error: redis.RedisError, do: str) -> None:
    assert do in str(advice.of(error))


# --- addresses -----------------------------------------------------------------------------------------------------


def test_a_port_that_is_taken_is_named(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        said = typed(folder, _command(f"balancer --port {port}"))
        assert port in said and "choose another port" in said and "ss -ltnp" in said
        done = subprocess.run(
            [sys.executable, "-P", "-m", "scripts.cli.fleet", "sandbox", "--bots", "red-1", "--control-port", port],
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
    assert done.returncode and port in done.stderr and "Traceback" not in done.stderr


def test_an_address_of_another_machine_is_named(folder: Path) -> None:
    assert "an address of this machine" in typed(folder, _command("balancer --host 192.0.2.1 --port 0"))


@pytest.mark.parametrize("typed_line", ["group status", "vault rekey"])
def test_a_status_that_a_power_cut_has_emptied_is_named(folder: Path, typed_line: str) -> None:
    (folder / "run").mkdir()
    (folder / "run" / "group-red-1.json").write_bytes(b"\0" * 100)
    said = typed(folder, _command(typed_line))
    assert f"{folder}/run/group-red-1.json is damaged" in said and "restart that group" in said


def test_books_that_are_not_there_are_named_and_not_made(folder: Path) -> None:
    said = typed(folder, _command("crosscheck {folder}/record.json"))
    assert f"there is no database {folder}/fleet.db" in said and not (folder / "fleet.db").exists()


def test_a_sandbox_that_is_not_there_is_named(folder: Path) -> None:
    said = typed(folder, _command("crosscheck http://127.0.0.1:1"))
    assert "cannot compare" in said and "refused" in said and "What to do" in said
