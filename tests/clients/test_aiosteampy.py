"""aiosteampy 1.0, unmodified, against the sandbox, with a Python of its own: it wants 3.12 or newer."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import needs
import pytest

if TYPE_CHECKING:
    from clients.conftest import Behind

HERE = Path(__file__).parent
STEPS = re.findall(r'^@step\("([^"]+)"\)', (HERE / "aiosteampy_flows.py").read_text(encoding="utf-8"), re.M)
OLDEST = (3, 12)

INSTALL_S = 600.0

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def pythons() -> Iterator[str]:
    """Where newer Pythons may be: this one, those on PATH, and pyenv's."""
    yield sys.executable
    for minor in range(20, OLDEST[1] - 1, -1):
        if found := shutil.which(f"python3.{minor}"):
            yield found
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    yield from map(str, sorted(root.glob("versions/3.*/bin/python"), reverse=True))


def version(python: str) -> tuple[int, int] | None:
    """Its version; None when it does not run, as a shim of pyenv's without a version behind it."""
    code = "import sys, venv, ensurepip; print(*sys.version_info[:2])"
    try:
        done = subprocess.run([python, "-c", code], capture_output=True, text=True, timeout=60, check=False)
        major, minor = done.stdout.split()
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    return int(major), int(minor)


@functools.cache
def newer_python() -> str | None:
    return next((python for python in pythons() if (version(python) or (0, 0)) >= OLDEST), None)


@pytest.fixture(scope="session")
def aiosteampy_python() -> Path:
    """The Python of an environment with the locked packages, made once per lock file in a cache folder."""
    python = newer_python()
    if python is None:
        pytest.skip(f"Python {OLDEST[0]}.{OLDEST[1]} or newer: none found, the flows of aiosteampy are left out")
    lock = HERE / "aiosteampy.lock"
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "steam-trade-fleet"
    folder = base / f"aiosteampy-{hashlib.sha256(lock.read_bytes() + python.encode()).hexdigest()[:16]}"
    if not (folder / "installed").exists():
        shutil.rmtree(folder, ignore_errors=True)
        run([python, "-m", "venv", folder])
        pip: list[str | Path] = [
            folder / "bin" / "python",
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--no-deps",
        ]
        run([*pip, "--require-hashes", "--only-binary", ":all:", "-r", lock])
        (folder / "installed").touch()
    return folder / "bin" / "python"


def run(command: list[str | Path]) -> None:
    """A step of the installation. What fails is told in one line and the test left out; in CI that is an error."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_S, check=False)
    if done.returncode == 0:
        return
    lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    why = f"aiosteampy could not be installed: {lines[-1] if lines else 'nothing was said'}"
    if needs.in_ci():
        pytest.fail(why, pytrace=False)
    pytest.skip(why)


def test_the_flows_of_aiosteampy(aiosteampy_python: Path, behind_tls: Behind) -> None:
    """Sign-in, renewals, inventories, send, confirm one and many, poll, accept, counter, decline, cancel, receipt, history, the
    API key; the library trusts the sandbox's authority and finds it by a resolver that it is given.
    """
    told = json.dumps(behind_tls.world() | {"steam": behind_tls.where, "ca": behind_tls.ca})
    done = subprocess.run(
        [aiosteampy_python, HERE / "aiosteampy_flows.py"], input=told, capture_output=True, text=True, timeout=240, check=False
    )

    steps = [json.loads(line) for line in done.stdout.splitlines()]
    assert [each.get("error") for each in steps if not each["ok"]] == [], done.stderr
    assert [each["step"] for each in steps] == STEPS, done.stderr
    assert len(STEPS) >= 11


def test_a_python_that_does_not_run_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "python3.13").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "python3.13").chmod(0o755)

    assert version(str(tmp_path / "python3.13")) is None
    assert version(str(tmp_path / "nothing")) is None
    assert version(sys.executable) == sys.version_info[:2]
