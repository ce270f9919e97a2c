"""Settings for the public: clean by Django's own check, and no start half set up. Each in a process of its own, as in life."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import subprocess
import sys
from pathlib import Path

import pytest
from django.db import connection
from django.test import Client

from website import proof

COMMAND = [sys.executable, "-P", "-m", "website.manage"]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    for name in ("secret", "fleet"):
        (tmp_path / name).write_text(secrets.token_urlsafe(64))
    (tmp_path / "seal").write_text(secrets.token_hex(32))
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SITE_")}
    return {
        **kept,
        "DJANGO_SETTINGS_MODULE": "website.settings.production",
        "SITE_SECRET_KEY_FILE": str(tmp_path / "secret"),
        "SITE_FLEET_KEY_FILE": str(tmp_path / "fleet"),
        "SITE_SEAL_KEY_FILE": str(tmp_path / "seal"),
        "SITE_FLEET_URLS": "https://balancer.example",
        "SITE_ADDRESS": "https://site.example",
        "SITE_DATABASE_URL": f"sqlite://{tmp_path / 'site.sqlite3'}",
        "SITE_STATIC_ROOT": str(tmp_path / "static"),
    }


def managed(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *arguments], env=environment, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize("door", ["production", "office"])
def test_the_check_for_production_finds_nothing(environment: dict[str, str], door: str) -> None:
    environment["DJANGO_SETTINGS_MODULE"] = f"website.settings.{door}"
    done = managed(environment, "check", "--deploy", "--fail-level", "INFO")
    assert done.returncode == 0 and "no issues (0 silenced)" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SITE_SECRET_KEY_FILE", ""),
        ("SITE_FLEET_KEY_FILE", ""),
        ("SITE_FLEET_URLS", ""),
        ("SITE_ADDRESS", "http://site.example"),
    ],
)
def test_no_start_half_set_up(environment: dict[str, str], name: str, value: str) -> None:
    done = managed(environment | {name: value}, "check")
    assert done.returncode == 1 and name in done.stderr.splitlines()[-1]
    assert Path(environment["SITE_SECRET_KEY_FILE"]).read_text() not in done.stderr


def test_files_for_browsers_are_named_by_their_hash(environment: dict[str, str]) -> None:
    """A page of one release never runs the scripts of another."""
    assert managed(environment, "collectstatic", "--noinput", "--verbosity", "0").returncode == 0
    found = list(Path(environment["SITE_STATIC_ROOT"]).glob("site/verify/page.*.js"))
    assert len(found) == 1
    imported = found[0].read_text()
    assert 'from "./check.js"' not in imported and 'from "./check.' in imported
    # Without the hashes in the names that they import, the scripts of the proof are those of the release.
    for script in proof.scripts():
        (served,) = Path(environment["SITE_STATIC_ROOT"]).glob(f"site/verify/{script.name.removesuffix('.js')}.{'?' * 12}.js")
        plain = re.sub(rb"\.[0-9a-f]{12}\.js(?=\")", b".js", served.read_bytes())
        assert hashlib.sha256(plain).hexdigest() == script.sha256, script.name


def test_ready_says_whether_the_database_answers(browser: Client) -> None:
    assert browser.get("/readyz").json() == {"ready": True, "database": "ok"}
    connection.close()
    path = connection.settings_dict["NAME"]
    connection.settings_dict["NAME"] = "/nowhere/site.sqlite3"
    try:
        away = browser.get("/readyz")
        assert (away.status_code, away.json()) == (503, {"ready": False, "database": "OperationalError"})
        assert browser.get("/healthz").status_code == 200
    finally:
        connection.settings_dict["NAME"] = path
