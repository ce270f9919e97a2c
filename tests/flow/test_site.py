"""`scripts/site`, as somebody types it: people play with items of a whole fleet, and three books say the same."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.xdist_group("site")


def played(folder: Path, *arguments: str) -> dict[str, Any]:
    """What a run says at its end; nothing may differ."""
    command = [sys.executable, "-P", "-m", "scripts.site_run", *arguments, "--json", "--directory", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr[-4000:]
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert result["differences"] == []
    return result


@pytest.mark.long
@pytest.mark.timeout(900)
def test_rounds_from_the_deposit_to_the_withdrawal(tmp_path: Path) -> None:
    result = played(tmp_path, "--rounds", "3", "--players", "14")
    drawn, compared = result["rounds_by_room"], result["compared"]
    assert len(drawn) == 6 and min(drawn.values()) >= 3 and compared["records_verified"] >= 18
    assert compared["exchanges_of_tickets"] and compared["guarantees"] and compared["credits"] > 0
    assert result["withdrawn_items"] > 0


@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_site_that_is_hurt_loses_nothing(tmp_path: Path) -> None:
    result = played(tmp_path, "--chaos", "15", "--seed", "3")
    assert result["blows"]
    assert result["bets"] and result["withdrawn_items"]


@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_site_on_sqlite_whose_write_lock_others_hold_loses_nothing(tmp_path: Path) -> None:
    result = played(tmp_path, "--chaos", "60", "--seed", "9", "--database", f"sqlite://{tmp_path / 'own.sqlite3'}")
    assert result["blows"]["sqlite_locked"] and result["bets"] and result["withdrawn_items"]


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", ["1", "2"])
def test_minutes_of_everything_that_can_be_hurt_lose_nothing(tmp_path: Path, seed: str) -> None:
    result = played(tmp_path, "--chaos", "180", "--engines", "3", "--seed", seed)
    assert len(result["blows"]) > 20 and result["died_at"]
    assert result["compared"]["records_verified"] >= 2 and result["withdrawn_items"]
