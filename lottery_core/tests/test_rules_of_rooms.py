"""Rooms as data: the seed's six, and errors that name the field and the reason."""

from typing import Any

import pytest

from lottery import rooms
from lottery.errors import RoomError

SEED: dict[str, dict[str, Any]] = {
    "classic-unlimited": {
        "item_limit_max": 80,
        "bet_item_limit_max": 10,
        "bet_value_max": None,
        "player_limit": 2,
        "time_limit": 30,
        "time_enable": True,
    },
    "classic-limited": {
        "item_limit_max": 16,
        "bet_item_limit_max": 2,
        "bet_value_min": 0,
        "player_limit": None,
        "time_limit": None,
        "time_enable": False,
    },
    "sit-n-go": {"item_limit_max": 10, "bet_item_limit_max": 1, "bet_value_min": 0, "player_limit": None, "shares": (5, 3, 1)},
    "5v5": {"item_limit_max": 100, "bet_item_limit_max": 10, "player_limit": 10, "time_enable": True, "team_limit": 5},
    "global-pot": {"item_limit_max": None, "player_limit": None, "time_enable": False, "global_pot_limit": 100_000_000},
    "giveaway": {"bet_value_min": None, "bet_value_max": None, "player_limit": None, "time_enable": True},
}


@pytest.mark.parametrize("name", SEED)
def test_rooms_of_the_seed(name: str) -> None:
    room = rooms.load(name)
    assert {field: getattr(room, field) for field in SEED[name]} == SEED[name]


def test_every_room_that_is_shipped_is_a_room_of_the_seed() -> None:
    assert set(rooms.names()) == set(SEED)


@pytest.mark.parametrize("name", SEED)
def test_rules_read_back_give_the_same_room_and_hash(name: str) -> None:
    room = rooms.load(name)
    again = rooms.parse(room.rules)
    assert again == room
    assert again.rules_hash == room.rules_hash
    assert rooms.load(name, entropy="none", entropy_margin_s=7).rules_hash != room.rules_hash


WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("classic-unlimited", {"mode": "chess"}, "mode"),
    ("classic-unlimited", {"name": ""}, "name"),
    ("classic-unlimited", {"item_limit_max": 0}, "item_limit_max"),
    ("classic-unlimited", {"item_limit_max": 5}, "bet_item_limit_max"),
    ("classic-unlimited", {"item_limit_max": 5.0}, "item_limit_max"),
    ("classic-unlimited", {"bet_value_min": -1}, "bet_value_min"),
    ("classic-unlimited", {"bet_value_max": 99}, "bet_value_min"),
    ("classic-unlimited", {"player_limit": 0}, "player_limit"),
    ("classic-unlimited", {"player_limit": True}, "player_limit"),
    ("classic-unlimited", {"time_limit": None}, "time_limit"),
    ("classic-unlimited", {"time_enable": False}, "time_limit"),
    ("classic-unlimited", {"time_enable": 1}, "time_enable"),
    ("classic-unlimited", {"entropy": "dice"}, "entropy"),
    ("classic-unlimited", {"entropy": "manual:direct"}, "entropy"),
    ("classic-unlimited", {"entropy_margin_s": 2}, "entropy_margin_s"),
    ("classic-unlimited", {"rake": ((50, 10), (40, 5), (100, 0))}, "rake"),
    ("classic-unlimited", {"rake": ((50, 10),)}, "rake"),
    ("classic-unlimited", {"rake": ((100, 101),)}, "rake"),
    ("classic-unlimited", {"rake": ((100, 1, 1),)}, "rake"),
    ("classic-unlimited", {"rake": ()}, "rake"),
    ("classic-unlimited", {"referral_percent": 41}, "referral_percent"),
    ("classic-unlimited", {"shares": (1,)}, "shares"),
    ("classic-unlimited", {"team_limit": 5}, "team_limit"),
    ("classic-unlimited", {"ranges": "inverse"}, "ranges"),
    ("classic-unlimited", {"tickets": "bought"}, "tickets"),
    ("classic-unlimited", {"allowed_items": ()}, "allowed_items"),
    ("classic-unlimited", {"allowed_items": (1, "2")}, "allowed_items"),
    ("classic-unlimited", {"priority_items": None}, "priority_items"),
    ("classic-unlimited", {"min_players": 0}, "min_players"),
    ("sit-n-go", {"shares": (5, 3, 3)}, "shares"),
    ("sit-n-go", {"shares": ()}, "shares"),
    ("sit-n-go", {"shares": (5, 0)}, "shares"),
    ("sit-n-go", {"tickets": "cent"}, "tickets"),
    ("sit-n-go", {"rake": ((100, 5),)}, "rake"),
    ("5v5", {"player_limit": 9}, "player_limit"),
    ("5v5", {"min_players": 2}, "min_players"),
    ("5v5", {"ranges": "random"}, "ranges"),
    ("5v5", {"time_enable": False, "time_limit": None}, "player_limit"),
    ("global-pot", {"global_pot_limit": 0}, "global_pot_limit"),
    ("global-pot", {"shares": None}, "shares"),
]


@pytest.mark.parametrize(("name", "changes", "field"), WRONG)
def test_a_wrong_parameter_is_named(name: str, changes: dict[str, Any], field: str) -> None:
    with pytest.raises(RoomError) as wrong:
        rooms.load(name, **changes)
    assert wrong.value.field == field
    assert len(wrong.value.reason) > 5


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("mode = 'classic'", "name"),
        ("name = 'x'", "mode"),
        ("name = 'x'\nmode = 'classic'\nspeed = 3", "speed"),
        ("name = ", "toml"),
        ("name = 'x'\nmode = 'classic'\nrake = [3]", "rake"),
        ("name = 'x'\nmode = 'raffle'\n[raffle]\nprize = 'x'", "raffle"),
    ],
)
def test_a_wrong_file_is_named(text: str, field: str) -> None:
    with pytest.raises(RoomError) as wrong:
        rooms.from_toml(text)
    assert wrong.value.field == field


def test_an_unknown_room_is_answered_with_those_that_exist() -> None:
    with pytest.raises(RoomError, match="classic-unlimited"):
        rooms.load("poker")


def test_a_new_room_is_a_new_file() -> None:
    room = rooms.from_toml("name = 'duel'\nmode = 'classic'\nplayer_limit = 2\ntime_enable = true\ntime_limit = 5")
    assert (room.name, room.min_players, room.entropy, room.rake) == ("duel", 2, "drand:quicknet", None)
