"""Files with secrets: private from their first byte, whole or not there, and never written through a link."""

from __future__ import annotations

import os
import resource
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import text
from structlog.testing import capture_logs

from balancer.db import migrate
from balancer.db.engine import Database
from balancer.upkeep import restored
from bot_worker.vault import Vault, write_new_key
from scripts.cli.fleet import main
from scripts.lab.stack import Stack, Wish
from shared import private_files, settings
from shared.clock import Clock
from shared.sealing import MasterKey


@pytest.fixture(autouse=True)
def nothing_masked() -> Iterator[None]:
    """As under a shell that lets everybody read what it makes."""
    before = os.umask(0)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


WRITERS: dict[str, Callable[[Path], object]] = {
    "replace": lambda path: private_files.replace(path, "secret"),
    "create": lambda path: private_files.create(path, "secret"),
    "master key": MasterKey.create,
    "vault key": write_new_key,
}


@pytest.mark.parametrize("name", WRITERS)
def test_a_secret_is_private_from_its_first_byte(name: str, tmp_path: Path) -> None:
    """Looked at when the data is on the disk and the file has its name or a draft's."""
    seen: list[int] = []

    def look(_frame: object, event: str, called: object) -> None:
        if event == "c_call" and called is os.fsync:
            seen.extend(mode(path) for path in tmp_path.iterdir())

    sys.setprofile(look)
    try:
        WRITERS[name](tmp_path / "secret")
    finally:
        sys.setprofile(None)
    assert seen and set(seen) == {0o600}
    assert mode(tmp_path / "secret") == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["secret"]


@pytest.mark.parametrize("name", WRITERS)
def test_nothing_is_written_through_a_link(name: str, tmp_path: Path) -> None:
    """Somebody who may make names in the folder leads every name that he can foresee to a file of his own."""
    victim = tmp_path / "victim"
    victim.write_text("untouched")
    folder = tmp_path / "folder"
    folder.mkdir()
    for foreseen in ("secret", f".secret.{os.getpid()}", "secret.part", "secret.new", "secret.tmp"):
        (folder / foreseen).symlink_to(victim)
    try:
        WRITERS[name](folder / "secret")
    except FileExistsError:
        assert name != "replace"
    else:
        assert name == "replace" and not (folder / "secret").is_symlink()
    assert victim.read_text() == "untouched"


@contextmanager
def no_file_may_grow_over(n_bytes: int) -> Iterator[None]:
    """As on a full disk, what is written stops in the middle."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("name", WRITERS)
def test_a_full_disk_leaves_no_half_secret(name: str, tmp_path: Path) -> None:
    with no_file_may_grow_over(4), pytest.raises(OSError, match="File too large"):
        WRITERS[name](tmp_path / "secret")
    assert list(tmp_path.iterdir()) == []


def test_a_reader_meets_the_old_text_or_the_new_one(tmp_path: Path) -> None:
    path = tmp_path / "file"
    private_files.replace(path, "old")
    with path.open() as reader:
        private_files.replace(path, "new", mode=0o644, durable=False)
        assert reader.read() == "old"
    assert (path.read_text(), mode(path)) == ("new", 0o644)


# --- databases and what is copied from them -----------------------------------------------------------


def modes_of_database(folder: Path, name: str = "fleet.db") -> dict[str, int]:
    return {path.name: mode(path) for path in folder.glob(f"{name}*")}


def test_a_new_database_is_private_with_the_files_beside_it(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/made/fleet.db"
    migrate.upgrade(url)
    database = Database(settings.load(overrides={"database": {"url": url}}).database)
    with database.transaction() as connection:
        connection.execute(text("UPDATE sqlite_sequence SET seq = seq"))
        found = modes_of_database(tmp_path / "made")
    database.close()
    assert found == {"fleet.db": 0o600, "fleet.db-wal": 0o600, "fleet.db-shm": 0o600}
    assert mode(tmp_path / "made") == 0o700


def test_a_database_that_others_may_read_is_told_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "fleet.db"
    path.touch(mode=0o644)
    with capture_logs() as logged:
        Database(settings.load(overrides={"database": {"url": f"sqlite:///{path}"}}).database).close()
    [line] = [line for line in logged if line["event"] == "database_open_to_others"]
    assert line["log_level"] == "warning" and line["advice"] == f"chmod 600 {path}*"
    assert mode(path) == 0o644
    path.chmod(0o600)
    with capture_logs() as logged:
        Database(settings.load(overrides={"database": {"url": f"sqlite:///{path}"}}).database).close()
    assert logged == []


def test_a_backup_and_what_is_put_back_are_private(tmp_path: Path) -> None:
    source = tmp_path / "fleet.db"
    migrate.upgrade(f"sqlite:///{source}")
    victim = tmp_path / "victim"
    victim.write_text("untouched")
    (tmp_path / "copy.db.part").symlink_to(victim)
    restored.backup(source, tmp_path / "copy.db")
    assert mode(tmp_path / "copy.db") == 0o600 and victim.read_text() == "untouched"
    kept = restored.put_back(tmp_path / "copy.db", source, Clock().now())
    assert kept is not None and mode(kept) == 0o600
    restored.put_back(tmp_path / "copy.db", tmp_path / "elsewhere" / "fleet.db", Clock().now())
    assert set(modes_of_database(tmp_path / "elsewhere").values()) == {0o600}
    with closing(sqlite3.connect(tmp_path / "elsewhere" / "fleet.db")) as connection:
        assert connection.execute("SELECT count(*) FROM trades").fetchone() == (0,)


# --- what commands write ------------------------------------------------------------------------------


def test_what_commands_write_for_others_to_carry_is_private(tmp_path: Path) -> None:
    config = tmp_path / "fleet.toml"
    config.write_text(f'[balancer]\nmaster_key_file = "{tmp_path}/made/master.key"\n')
    for arguments in (
        ("keys", "new"),
        ("keys", "issue", "red", "1", "--out", f"{tmp_path}/keys.json"),
        ("redis", "acl", f"{tmp_path}/users", "--group", "red:1"),
    ):
        done = CliRunner().invoke(main, ["--config", str(config), *arguments])
        assert done.exit_code == 0, done.output
    written = [tmp_path / "made" / "master.key", tmp_path / "keys.json", *(tmp_path / "users").iterdir()]
    assert len(written) == 6 and {mode(path) for path in written} == {0o600}
    assert {mode(tmp_path / "made"), mode(tmp_path / "users")} == {0o700}


def test_what_up_writes_is_private_even_over_older_files(tmp_path: Path) -> None:
    """Its settings may name a Redis or a database with a password, and the API key does everything."""
    for name in ("fleet.toml", "api-key"):
        (tmp_path / name).touch(mode=0o644)

    class Answers(Stack):
        def fleet(self, *_arguments: str, **_options: object) -> str:
            return '{"api_key": "fk_x"}'

    stack = Answers(Wish(tmp_path, groups=["red:1"], redis_url="redis://:hidden@127.0.0.1/0"))
    stack._write_configs()
    stack._new_key()
    written = [tmp_path / "fleet.toml", tmp_path / "api-key", stack.host_config("red:1")]
    assert {mode(path) for path in written} == {0o600}
    assert "hidden" in written[0].read_text() and written[1].read_text() == "fk_x\n"


def test_a_vault_and_its_sessions_are_private(tmp_path: Path) -> None:
    from bot_worker.vault import SavedSession

    group = settings.load(
        overrides={"group": {"vault_file": str(tmp_path / "v" / "vault"), "vault_key_file": str(tmp_path / "v" / "vault.key")}}
    ).group
    vault = Vault.open(group, create=True)
    vault.put_keys([])
    vault.save_session("red-1", SavedSession("token"))
    files = [path for path in (tmp_path / "v").rglob("*") if path.is_file() and path.name != "vault.lock"]
    assert {path.name for path in files} == {"vault", "vault.key", "red-1"}
    assert {mode(path) for path in files} == {0o600}
