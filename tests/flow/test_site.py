"""`scripts/site`, as somebody types it: people play with items of a whole fleet, and three books say the same."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.long
@pytest.mark.timeout(900)
def test_rounds_from_the_deposit_to_the_withdrawal(tmp_path: Path) -> None:
    command = [sys.executable, "-P", "-m", "scripts.site_run", "--rounds", "6", "--players", "5", "--bots", "3", "--json"]
    done = subprocess.run([*command, "--directory", str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr[-4000:]
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["differences"] == []
    assert result["rounds"] >= 6 and result["compared"]["records_verified"] >= 6
    assert result["bets"]["placed"] >= 12 and result["withdrawn_items"] > 0
