"""`scripts/backup`: what the backup timer runs. A dump is whole or not there, private, and can be put back."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest

from scripts.lab.postgres import PostgresServer, find_postgres

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "backup"
pytestmark = pytest.mark.postgresql

Backup = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def environment(postgres: PostgresServer) -> dict[str, str]:
    """As for the system user `postgres`: a server that lets it in, and its programs."""
    parts, binaries = urlsplit(postgres.server_url), find_postgres()
    path = os.pathsep.join([*([str(binaries)] if binaries else []), os.environ["PATH"]])
    host = parse_qs(parts.query).get("host", [parts.hostname or ""])[0]
    said = {"PGHOST": host, "PGUSER": parts.username or "postgres", "PGPASSWORD": parts.password or ""}
    return {**os.environ, "PATH": path, **said, **({"PGPORT": str(parts.port)} if parts.port else {})}


@pytest.fixture
def backup(environment: dict[str, str], tmp_path: Path) -> Backup:
    def run(database: str, **changes: str) -> subprocess.CompletedProcess[str]:
        command = [str(SCRIPT), database, str(tmp_path)]
        return subprocess.run(command, env={**environment, **changes}, capture_output=True, text=True, check=False, timeout=240)

    return run


@pytest.fixture
def database(empty_postgres: Callable[[], str]) -> str:
    url = empty_postgres()
    with psycopg.connect(url.replace("postgresql+psycopg", "postgresql")) as connection:
        connection.execute("CREATE TABLE item (name text)")
        connection.execute("INSERT INTO item VALUES ('AK-47 | Redline')")
    return url


def test_a_dump_is_private_and_can_be_put_back(
    backup: Backup, database: str, environment: dict[str, str], postgres: PostgresServer, tmp_path: Path
) -> None:
    old = tmp_path / f"{urlsplit(database).path[1:]}-20200101T000000Z.dump"
    old.write_bytes(b"old")
    os.utime(old, (0, 0))
    other = tmp_path / "other-20200101T000000Z.dump"
    other.write_bytes(b"of another database")
    os.utime(other, (0, 0))
    done = backup(urlsplit(database).path[1:])
    assert done.returncode == 0, done.stderr
    (made,) = set(tmp_path.iterdir()) - {other}  # the old one has had its days, and no half-written file is left
    assert stat.S_IMODE(made.stat().st_mode) == 0o600
    assert f"{made}: {made.stat().st_size} bytes" in done.stdout
    fresh = f"{urlsplit(database).path[1:]}_again"
    url = postgres.create_database(fresh)
    try:
        subprocess.run(["pg_restore", "--dbname", fresh, str(made)], env=environment, check=True, capture_output=True)
        with psycopg.connect(url.replace("postgresql+psycopg", "postgresql")) as connection:
            assert connection.execute("SELECT name FROM item").fetchall() == [("AK-47 | Redline",)]
    finally:
        postgres.drop_database(fresh)


@pytest.mark.parametrize(
    ("database", "changes", "status"),
    [
        ("there_is_none", {}, 1),
        ("../fleet", {}, 2),
        ("--version", {}, 2),
        ("fleet", {"KEEP_DAYS": "two weeks"}, 2),
    ],
)
def test_what_fails_says_so_and_leaves_nothing(
    backup: Backup, database: str, changes: dict[str, str], status: int, tmp_path: Path
) -> None:
    kept = tmp_path / "fleet-20200101T000000Z.dump"
    kept.write_bytes(b"old")
    os.utime(kept, (0, 0))
    done = backup(database, **changes)
    assert done.returncode == status and done.stderr, done.stdout
    assert list(tmp_path.iterdir()) == [kept]
