"""Settings to be checked, and what is found in them, in this process or by the command."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from click.testing import CliRunner

from scripts.cli.config_findings import find as findings
from scripts.cli.config_findings.finding import BALANCER, HOST
from scripts.cli.fleet import main
from shared import settings

Overrides = dict[str, dict[str, Any]]

SECRET = "AAECAwQFBgcICQoLDA0ODxAREhM="

EITHER = frozenset({BALANCER, HOST})


# A fleet as one would run it: nothing about it is to be said.
GOOD: dict[str, dict[str, Any]] = {
    "redis": {"url": "rediss://balancer:hidden@redis.example:6379/0"},
    "database": {"url": "postgresql+psycopg://fleet:hidden@db.example/fleet?sslmode=verify-full"},
    "balancer": {"site_url": "https://site.example"},
}

SANDBOX: dict[str, dict[str, Any]] = {
    "openid": {"endpoint": "http://127.0.0.1:9/openid/login", "identity_prefix": "http://127.0.0.1:9/openid/id/"},
    "steam": {"base_url": "http://127.0.0.1:8"},
    "balancer": {"livemode": False},
}


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def laid(*layers: Overrides) -> Overrides:
    """Later layers over earlier ones."""
    merged: Overrides = {}
    for layer in layers:
        for section, keys in layer.items():
            merged[section] = {**merged.get(section, {}), **keys}
    return merged


def found(*layers: Overrides) -> set[tuple[str, str]]:
    """Level and setting of everything that is said without looking around."""
    return {(each.level, each.setting) for each in findings.find(settings.load(overrides=laid(*layers)), EITHER, None)}


def one(setting: str, value: Any) -> Overrides:
    section, _, key = setting.partition(".")
    return {section: {key: value}}


def checked(config: Path | None, *options: str, environ: dict[str, str] | None = None) -> tuple[int, str]:
    arguments = ["--config", str(config)] if config else []
    done: Any = CliRunner().invoke(main, [*arguments, "config", "check", *options], env=environ or {})
    assert isinstance(done.exception, SystemExit | None), done.exception
    return done.exit_code, done.output


def written(folder: Path, text: str) -> Path:
    path = folder / "my.toml"
    path.write_text(text)
    return path
