"""`fleet locks` and the switch of locks, as typed."""

from __future__ import annotations

import json
from pathlib import Path

from balancer_core.core_world import World
from balancer_core.games import Games, check
from balancer_http.test_commands import fleet
from balancer_http.test_operator_commands import world as world

from balancer.db import tables


async def test_old_locks_are_listed_released_and_restored(world: World, tmp_path: Path) -> None:
    config, games = tmp_path / "fleet.toml", Games(world)
    await games.ready(1)
    ids = await world.held(2)
    await games.lock("bet-1", ids, note="room/812")
    listed = fleet(config, "locks", "list").stdout
    assert "bet-1" in listed and "2 items, 520 cents" in listed and "room/812" in listed
    [row] = json.loads(fleet(config, "locks", "list", "--json").stdout)["locks"]
    assert (row["client"], row["ref"], row["rows"][0]["value_cents"]) == ("cli_game", "bet-1", 260)
    assert "0 locks" in fleet(config, "locks", "list", "--older-than-h", "1").stdout

    refused = fleet(config, "locks", "release", "bet-1", "--reason", "lost")
    assert refused.exit_code == 2 and "--unlock-a-running-game" in refused.output
    assert fleet(config, "locks", "release", "bet-1", "--unlock-a-running-game").exit_code == 2  # without a reason
    check(world)
    assert (await games.show("bet-1")).state == "held"
    done = fleet(config, "locks", "release", "bet-1", "--reason", "lost", "--unlock-a-running-game")
    assert done.exit_code == 0 and "released 2 items" in done.stdout, done.output
    assert (await games.show("bet-1")).state == "released" and len(world.events("alarm")) == 1
    assert fleet(config, "locks", "release", "bet-1", "--reason", "again", "--unlock-a-running-game").exit_code == 1
    assert "locked 2 items" in fleet(config, "locks", "restore", "bet-1", "--reason", "found").stdout
    assert fleet(config, "locks", "restore", "bet-1", "--reason", "found").exit_code == 1
    assert fleet(config, "locks", "restore", "none", "--reason", "found").exit_code == 1
    check(world)


def test_locks_are_paused_and_resumed(world: World, tmp_path: Path) -> None:
    config = tmp_path / "fleet.toml"
    assert "locks are paused" in fleet(config, "switches", "pause", "locks", "--reason", "prices").stdout
    assert "nothing is paused" in fleet(config, "switches", "resume", "locks").stdout


async def test_b08_tickets_are_issued_once_per_ref_and_listed(world: World, tmp_path: Path) -> None:
    config, typed = tmp_path / "fleet.toml", ("SnG Ticket", "--value-cents", "100", "--count", "3", "--ref", "december")
    for again in ("", "when this was typed first"):
        done = fleet(config, "tickets", "issue", *typed)
        assert done.exit_code == 0 and "issued 3 tickets" in done.stdout and again in done.stdout, done.output
    assert (
        fleet(config, "tickets", "issue", "SnG Ticket", "--value-cents", "100", "--count", "2").exit_code == 0
    )  # a ref of its own
    other = fleet(config, "tickets", "issue", "SnG Ticket", "--value-cents", "99", "--count", "2")
    assert other.exit_code == 1 and "never changes" in other.output
    assert fleet(config, "tickets", "issue", "SnG Ticket", "--value-cents", "100", "--count", "0").exit_code == 2
    [kind] = json.loads(fleet(config, "tickets", "list", "--json").stdout)["kinds"]
    assert (kind["issued"], kind["rows"], kind["with_house"]) == (5, 5, 5)
    assert "SnG Ticket  100 cents  5 issued, 5 with the house, 0 with users" in fleet(config, "tickets", "list").stdout
    check(world)
    world.change(tables.deposits.delete())
    found = fleet(config, "tickets", "list")
    assert found.exit_code == 1 and "THERE ARE 0 ROWS" in found.stdout
