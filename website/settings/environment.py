"""What the environment says, read in one place. Secrets are named by the file that holds them, and never stand in it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

POSTGRES = ("postgresql", "postgres")


def text(name: str, default: str = "") -> str:
    return os.environ.get(name, default)


def secret(name: str, default: str = "") -> str:
    """What stands in the file that `name`_FILE names; `default` where none is named."""
    path = os.environ.get(f"{name}_FILE")
    return Path(path).read_text(encoding="utf-8").strip() if path else default


def words(name: str, default: str = "") -> list[str]:
    """Parts of a list that is separated by blanks or commas."""
    return text(name, default).replace(",", " ").split()


def database(url: str) -> dict[str, Any]:
    """Django's settings of a database: `sqlite:///absolute/path` or `postgresql://user:password@host:port/name`."""
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        return sqlite(parts.path)
    if parts.scheme not in POSTGRES:
        raise ImproperlyConfigured("SITE_DATABASE_URL begins with sqlite:// or postgresql://")
    options = dict(parse_qsl(parts.query))
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": options.pop("host", "") or parts.hostname or "",
        "PORT": options.pop("port", "") or str(parts.port or ""),
        "OPTIONS": options,
        "CONN_MAX_AGE": 0,
    }


def sqlite(path: str) -> dict[str, Any]:
    """IMMEDIATE: a transaction that will write takes its turn when it begins, so it can never be refused half way."""
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": path,
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON",
        },
    }
