"""W28: a process that serves pages can neither open a secret nor hand an item over, whatever of its own it gives away."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable

import pytest
from custody import Custody

from fleet_client import Client, errors
from fleet_client.calls import Credit, Move, Take

LOCK, ITEM = "w28-lock", "dep_00000000000000000000000000"
TICKET = Take(market_hash_name="SnG Ticket", count=1)
WHAT_ONLY_ENGINES_MAY: dict[str, Callable[[Client], object]] = {
    "lock": lambda fleet: fleet.lock(LOCK, user_id="1", deposit_ids=[ITEM]),
    "release": lambda fleet: fleet.release(LOCK),
    "transfer": lambda fleet: fleet.transfer("w28", locks=[LOCK], moves=[Move(ITEM, "1", "2")]),
    "exchange": lambda fleet: fleet.exchange("w28", user_id="1", give=[ITEM], take=TICKET, rest="credit"),
    "issue": lambda fleet: fleet.issue("w28", market_hash_name="SnG Ticket", value_cents=1, count=1),
    "credit": lambda fleet: fleet.credit("w28", lines=[Credit("1", 1, "rest", "w28")]),
}


@pytest.fixture(scope="module")
def pages_key(shared_custody: Custody) -> str:
    """A key as `scripts/site` and the guide give one to processes with pages."""
    made = json.loads(shared_custody.fleet("clients", "add", "w28-web", "--scope", "trade", "--scope", "read", "--json"))
    return str(made["api_key"])


@pytest.mark.parametrize("what", WHAT_ONLY_ENGINES_MAY)
def test_w28_the_key_of_pages_hands_nothing_over(shared_custody: Custody, pages_key: str, what: str) -> None:
    with Client(shared_custody.balancer_url, pages_key) as fleet:
        assert fleet.health().status == "ok"
        with pytest.raises(errors.NotAllowed):
            WHAT_ONLY_ENGINES_MAY[what](fleet)


def test_the_key_of_pages_sees_what_pages_show(shared_custody: Custody, pages_key: str) -> None:
    """The exchange and the inventory ask for these: a scope that is missing would look like a fleet that is away."""
    with Client(shared_custody.balancer_url, pages_key) as fleet:
        assert fleet.stock(limit=1).items is not None
        with contextlib.suppress(errors.NotFound):  # a user whom the fleet has not met
            assert fleet.credits("1").balance_cents == 0


def test_w28_without_the_chain_key_nothing_is_opened(one_database: str) -> None:
    """An engine started with what a process with pages has ends at once, and says why."""
    environment = {name: value for name, value in os.environ.items() if name != "SITE_CHAIN_KEY_FILE"}
    command = [sys.executable, "-P", "-m", "website.manage", "engine"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode != 0 and "SITE_CHAIN_KEY" in done.stderr
