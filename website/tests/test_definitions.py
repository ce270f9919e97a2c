"""The rooms of the seed as this site defines them (`rooms/rooms.toml`)."""

from __future__ import annotations

from typing import Any

import pytest
from lottery import rooms as rules_of_rooms
from lottery.errors import RoomError

from website.rooms import definitions

# What the seed writes, with X, Y, Z, M as this site has chosen them. None: the seed says null.
SEED: dict[str, dict[str, Any]] = {
    "classic-unlimited": {"item_limit_max": 8 * 10, "bet_item_limit_max": 10, "bet_value_min": 100, "bet_value_max": None}
    | {"player_limit": 2, "time_limit": 30, "time_enable": True},
    "classic-limited": {"item_limit_max": 8 * 2, "bet_item_limit_max": 2, "bet_value_min": 0, "bet_value_max": 500}
    | {"player_limit": None, "time_limit": None, "time_enable": False},
    "sit-n-go": {"item_limit_max": 10, "bet_item_limit_max": 1, "bet_value_min": 0, "bet_value_max": 1000}
    | {"player_limit": None, "time_limit": None, "time_enable": False, "shares": [5, 3, 1], "allowed_items": [1]},
    "5v5": {"item_limit_max": 10 * 10, "bet_item_limit_max": 10, "bet_value_min": 100, "bet_value_max": None}
    | {"player_limit": 10, "time_limit": 60, "time_enable": True, "team_limit": 5},
    "global-pot": {"item_limit_max": None, "bet_item_limit_max": 100, "bet_value_min": 100, "bet_value_max": None}
    | {"player_limit": None, "time_limit": None, "time_enable": False, "global_pot_limit": 1_000_000 * 100},
    "giveaway": {"item_limit_max": 1000, "bet_item_limit_max": 10, "bet_value_min": None, "bet_value_max": None}
    | {"player_limit": None, "time_limit": 86400, "time_enable": True, "allowed_items": [2]},
}

# What a site needs beside: here nothing stays bound for good, while the core's examples are of the room without it.
MORE: dict[str, dict[str, Any]] = {"global-pot": {"open_max_s": 30 * 86_400}}


def test_there_are_six_rooms_in_the_order_of_the_seed() -> None:
    assert sorted(definitions.names()) == sorted(SEED)
    with pytest.raises(RoomError, match="no 'casino'"):
        definitions.load("casino")


@pytest.mark.parametrize("name", SEED)
def test_a_room_is_the_seed_s(name: str) -> None:
    """And the one that comes with the lottery: two files that say the same cannot drift apart."""
    rules = definitions.load(name).rules
    assert {key: rules[key] for key in SEED[name]} == SEED[name]
    assert rules == rules_of_rooms.load(name).rules | MORE.get(name, {})


def test_each_number_says_where_it_comes_from() -> None:
    lines = [line for line in definitions.text().splitlines() if "=" in line and not line.startswith("#")]
    assert len(lines) > 50
    for line in lines:
        assert line.partition("#")[2].strip().startswith(("seed:", "ours:")), line
