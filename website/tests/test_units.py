"""The site's programs under the limits of their systemd units: they work, and say that they are ready, alive and ending."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from confined import CONFINED, UNITS
from notified import Ear, gives_signs
from web import Web

PATIENCE_S = 120.0

pytestmark = [pytest.mark.systemd, pytest.mark.slow]


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture
def environment(migrated_file: Path, tmp_path: Path) -> dict[str, str]:
    shutil.copy(migrated_file, tmp_path / "site.sqlite3")
    (tmp_path / "chain.key").write_text("11" * 32)
    (tmp_path / "fleet.key").write_text("fk_test_nobody_answers")
    return {
        **os.environ,
        "SITE_DATABASE_URL": f"sqlite://{tmp_path / 'site.sqlite3'}",
        "SITE_CHAIN_KEY_FILE": str(tmp_path / "chain.key"),
        "SITE_FLEET_KEY_FILE": str(tmp_path / "fleet.key"),
        "SITE_FLEET_URLS": "http://127.0.0.1:9",
    }


def test_pages_are_served_under_the_limits_of_their_unit(environment: dict[str, str], tmp_path: Path) -> None:
    ear = Ear(tmp_path / "notify")
    web = Web(
        tmp_path, {**environment, **ear.environment}, (sys.executable, str(CONFINED), str(UNITS / "fleet-site-web@.service"))
    )
    web.start()
    until(lambda: gives_signs(ear))
    with urllib.request.urlopen(f"{web.address}/readyz", timeout=PATIENCE_S) as answer:
        assert answer.status == 200
    web.end()
    assert ear.words[0] == "READY=1" and ear.heard()[-1] == "STOPPING=1"
    ear.close()


def test_an_engine_works_under_the_limits_of_its_unit(environment: dict[str, str], tmp_path: Path) -> None:
    ear = Ear(tmp_path / "notify")
    command = [sys.executable, str(CONFINED), str(UNITS / "fleet-site-engine@.service")]
    command += [sys.executable, "-P", "-m", "website.manage", "engine"]
    with (tmp_path / "engine.log").open("wb") as log:
        engine = subprocess.Popen(command, env={**environment, **ear.environment}, stdout=log, stderr=log)
    until(lambda: gives_signs(ear) or engine.poll() is not None)
    engine.terminate()
    assert engine.wait(PATIENCE_S) == 0, (tmp_path / "engine.log").read_text()
    assert ear.words[0] == "READY=1" and ear.heard()[-1] == "STOPPING=1"
    ear.close()
