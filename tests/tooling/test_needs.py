"""What is not on this machine: a line for each at a user's, an error in CI, and no test that silently is not there."""

from __future__ import annotations

import configparser
import os
import re
import subprocess
import sys
from pathlib import Path

import needs
import pytest

ROOT = Path(__file__).parents[2]


def run_pytest(tmp_path: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """One test file's collection, with nothing on PATH but what Python itself is."""
    path = tmp_path / "bin"
    path.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "tests/intruders/test_redis_versions.py", "--collect-only"]
    kept = {name: value for name, value in os.environ.items() if name != "CI"}
    return subprocess.run(
        command,
        cwd=ROOT,
        env={**kept, "PATH": str(path), **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_test_that_cannot_run_here_is_left_out_with_one_line(tmp_path: Path) -> None:
    done = run_pytest(tmp_path)
    assert done.returncode == 0, done.stdout
    assert "[embedded]" in done.stdout and "[redis-server]" not in done.stdout
    for need in ("Chromium", "a Redis beside the one we bring", "systemd-analyze"):
        assert f"\n{need}: not found, its tests are left out (apt-get install " in done.stdout


def test_in_ci_it_is_an_error(tmp_path: Path) -> None:
    done = run_pytest(tmp_path, CI="true")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "CI is set, and tests would be left out for want of" in done.stderr and "Chromium" in done.stderr


def test_every_need_is_a_mark_that_is_used_and_that_ci_brings() -> None:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    known = re.findall(r"^(\w+):", config["tool:pytest"]["markers"], re.MULTILINE)
    files = [path for folder in ("tests", "website") for path in (ROOT / folder).rglob("test_*.py")]
    texts = "".join(path.read_text(encoding="utf-8") for path in files)
    brings = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    for need in needs.NEEDS:
        assert need.mark in known
        if need.mark != "node" or (needs.CLIENTS / "package-lock.json").is_file():
            assert f"pytest.mark.{need.mark}" in texts
        for package in re.findall(r"apt-get install ([a-z -]+)", need.comes_by):
            assert all(word in brings for word in package.split())
