"""`fleet demo` as a person types it: from nothing to the audit, which names what was taken behind the fleet's back."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.long, pytest.mark.xdist_group("demo"), pytest.mark.timeout(900)]

LEAST = {"accepted withdrawals": 150, "all": 400, "each other outcome": 10}


def demo(folder: Path, *options: str) -> tuple[int, dict[str, Any]]:
    command = [sys.executable, "-m", "scripts.cli.fleet", "demo", "--json", *options]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=800, check=False)
    assert done.stdout, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return done.returncode, answer


def test_every_item_is_where_it_should_be_after_hundreds_of_trades(tmp_path: Path) -> None:
    status, result = demo(tmp_path, "--seed", "21")
    assert (status, result["differences"], result["unfinished"], result["custody"]["verdict"]) == (0, [], [], "clean")
    trades = result["trades"]
    ended = {"declined", "countered", "expired", "canceled", "failed"}
    counts = {name: sum(each.get(name, 0) for each in trades.values()) for name in ended}
    assert all(count >= LEAST["each other outcome"] for count in counts.values()), counts
    assert trades["withdraw"].get("settled", 0) + trades["withdraw"].get("accepted", 0) >= LEAST["accepted withdrawals"]
    assert sum(sum(each.values()) for each in trades.values()) >= LEAST["all"]


def test_an_item_that_was_taken_is_named_by_both_audits(tmp_path: Path) -> None:
    status, result = demo(tmp_path, "--seed", "22", "--sabotage")
    assert status == 1
    [missing] = [each for bot in result["custody"]["bots"] for each in bot["differences"]]
    assert missing["kind"] == "missing" and result["custody"]["verdict"] == "differences"
    assert any(missing["asset_id"] in each["text"] for each in result["differences"]), result["differences"]
