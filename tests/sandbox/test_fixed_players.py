"""The players of fixed outcome: the same in every world, and nobody else is another because of them.

What becomes of an offer for each of them is tried with a whole fleet (`tests/flow/test_fixed_players.py`).
"""

from __future__ import annotations

import pytest
import requests
from sandbox_lab import SMALL, Bench

from sandbox import server
from sandbox.settings import SandboxSettings
from sandbox.world import fixed_players
from sandbox.world.accounts import FIRST_ACCOUNT, Account
from sandbox.world.items import CS2
from sandbox.world.state import World

NOW = 1_796_000_000.0


def world(seed: int, *, fixed: bool = True) -> World:
    made = World(SandboxSettings(bots=("red-1",), players=3, seed=seed), NOW)
    if fixed:
        fixed_players.add(made, NOW)
    return made


def facts(account: Account) -> tuple[object, ...]:
    secrets = account.shared_secret, account.identity_secret, account.password, account.api_key
    return account.steam_id, account.trade_token, account.name, account.account_name, *secrets


def test_they_are_the_same_in_every_world() -> None:
    one, other = world(1), world(2)
    ids = [player.steam_id for player in fixed_players.PLAYERS]
    assert len(set(ids)) == 10 and min(ids) == 76561197980265729
    for steam_id in ids:
        assert facts(one.accounts.get(steam_id)) == facts(other.accounts.get(steam_id))
        names = [sorted(item.kind.market_hash_name for item in each.items.at((steam_id, CS2, 2))) for each in (one, other)]
        assert len(names[0]) == fixed_players.ITEMS


def test_nobody_else_is_another_because_of_them() -> None:
    """Nor has their id."""
    with_them, without = world(7), world(7, fixed=False)
    others = [account for account in with_them.accounts if account.kind != fixed_players.FIXED]
    assert [facts(each) for each in others] == [facts(each) for each in without.accounts]
    assert all(player.steam_id < 76561197960265728 + FIRST_ACCOUNT for player in fixed_players.PLAYERS)


def test_they_are_listed_by_themselves_and_found_by_a_person() -> None:
    with server.in_thread(SMALL, fixed_players=True) as running:
        url = running.control_url
        rows = requests.get(f"{url}/sandbox/players", timeout=60).json()["players"]
        listed = {
            kind: {
                row["steam_id"] for row in requests.get(f"{url}/control/accounts?kind={kind}", timeout=60).json()["accounts"]
            }
            for kind in ("fixed", "player", "bot")
        }
        page = requests.get(url, timeout=60).text
    ids = {row["steam_id"] for row in rows}
    assert listed["fixed"] == ids and len(ids) == 10
    assert len(listed["player"]) == 3 and not listed["player"] & ids and not listed["bot"] & ids
    assert all(steam_id in page for steam_id in ids)
    first = rows[0]
    assert (first["name"], first["deposit"]) == ("accepts", "accepted, then settled")
    assert first["trade_url"] == "https://steamcommunity.com/tradeoffer/new/?partner=20000001&token=fixed-01"


def test_a_sandbox_without_them_says_so(bench: Bench) -> None:
    assert bench.control("GET", "/sandbox/players") == {"players": []}


@pytest.mark.parametrize("protection_s", [20, 604_800])
def test_who_reverses_does_so_while_it_can(protection_s: int) -> None:
    made = World(SandboxSettings(bots=(), players=0, protection_s=protection_s), NOW)
    fixed_players.add(made, NOW)
    assert made.accounts.get(fixed_players.PLAYERS[8].steam_id).take_back_s == protection_s / 2
