"""`fleet trades`, `events`, `logs`, `bots`, `approvals`, `switches`, `backup` and `restore`, as typed."""

from __future__ import annotations

import asyncio
import json
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from balancer_core.core_world import World, make_world, player
from balancer_http.test_commands import fleet
from sqlalchemy import update

from balancer.db import tables
from balancer.fleet import switches
from balancer.fleet.reads import Turns
from balancer.journal import events as feed
from balancer.journal.by import By
from scripts.cli.commands import events
from scripts.cli.fleet import App
from shared import wire
from shared.clock import Clock
from shared.domain.ids import STEAM_ID_BASE
from shared.sealing import MasterKey


@pytest.fixture
async def world(tmp_path: Path, redis_url: str, sqlite_template: Path) -> Any:
    """A SQLite database with a player's open deposit, and the settings file that names it."""
    MasterKey.create(tmp_path / "master.key")
    (tmp_path / "fleet.toml").write_text(
        f'[redis]\nurl = "{redis_url}"\n[database]\nurl = "sqlite:///{tmp_path}/fleet.db"\n'
        f'[balancer]\nmaster_key_file = "{tmp_path}/master.key"\n'
    )
    shutil.copy(sqlite_template, tmp_path / "fleet.db")
    # The commands go by the time of the machine.
    unhurried = {"offline_after_s": 86400.0}
    made = await make_world(f"sqlite:///{tmp_path}/fleet.db", redis_url, clock=Clock(), group=unhurried)
    yield made
    await made.close()


async def test_a_trades_story_is_told_to_people_and_programs(world: World, tmp_path: Path) -> None:
    [trade_id] = await world.deposit(2)
    await world.tell(trade_id, "try_later", code="steam_throttled", reason="slow", result=84)
    await world.accept(trade_id)
    config = tmp_path / "fleet.toml"
    told = fleet(config, "trades", "show", trade_id)
    assert told.exit_code == 0, told.output
    assert "Order to send, attempt 1" in told.output and "result 84" in told.output and "queued → accepted" in told.output
    found = json.loads(fleet(config, "trades", "show", trade_id, "--json").stdout)
    assert [step["kind"] for step in found["story"]] == ["trade_created", "try_later", "offer_accepted"]
    assert found["story"][0]["data"]["choice"]["why"] == "most_room"
    [live] = await world.deposit(1)  # its token is good: whoever reads the terminal is not the player
    shown = fleet(config, "trades", "show", live, "--json").stdout
    assert json.loads(shown)["trade"]["bot"] == "red-1" and world.ctx.master.verify_token(live) not in shown
    assert fleet(config, "trades", "show", "trd_none").exit_code == 1


async def test_trades_are_listed_by_what_is_asked_for(world: World, tmp_path: Path) -> None:
    config = tmp_path / "fleet.toml"
    assert "no such trade" in fleet(config, "trades", "list").stdout
    [first] = await world.deposit(1, who=1)
    [second] = await world.deposit(2, who=2)
    await world.tell(first, "offer_declined", offer_id="77", state=7)

    def listed(*asked: str) -> list[str]:
        told = fleet(config, "trades", "list", *asked, "--json")
        assert told.exit_code == 0 and world.ctx.master.verify_token(second) not in told.stdout, told.output
        return [one["trade_id"] for one in json.loads(told.stdout)["trades"]]

    assert listed() == [second, first]
    assert listed("--status", "declined") == listed("--user", "user-1") == [first]
    assert listed("--status", "declined", "--status", "queued") == [second, first]
    assert listed("--open") == [second] and listed("--open", "--user", "user-1") == []
    bot = world.trade(first).color + f"-{world.trade(first).bot_id}"
    assert first in listed("--bot", bot) and listed("--bot", "blue-9") == []
    before = Clock().now() - timedelta(days=3)
    world.change(update(tables.trades).where(tables.trades.c.trade_id == first).values(created_at=before))
    assert listed("--since", "2d") == [second] and listed("--since", "2020-01-01T00:00:00Z") == [second, first]
    assert listed("--limit", "1") == [second]
    told = fleet(config, "trades", "list", "--limit", "1")
    assert "2 items" in told.stdout and "queued" in told.stdout and "only the newest 1" in told.stderr
    assert "\x1b" not in told.stdout, "colors are for terminals"
    for wrong in (("--status", "lost"), ("--bot", "red"), ("--since", "999999d"), ("--since", "yesterday"), ("--limit", "0")):
        assert fleet(config, "trades", "list", *wrong).exit_code == 2, wrong


async def test_events_are_shown_and_followed(world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "fleet.toml"
    [trade_id] = await world.deposit(1)
    kinds = [row.kind for row in world.events()]
    all_of_them = [json.loads(line) for line in fleet(config, "events", "--json").stdout.splitlines()]
    assert [one["kind"] for one in all_of_them] == kinds and all_of_them[-1]["trade_id"] == trade_id
    assert fleet(config, "events", "--after", str(all_of_them[-1]["number"])).stdout == ""
    assert fleet(config, "events", "--last", "0").stdout == ""
    assert trade_id in fleet(config, "events", "--kind", "trade_created").stdout
    assert fleet(config, "events", "--kind", "paused").stdout == ""
    assert fleet(config, "events", "--kind", "no_such").exit_code == 2
    waits = iter([("deposits", "\x1b[2J\nprices"), None])

    def in_between(_seconds: float) -> None:
        """Somebody pauses deposits while we follow; then Ctrl-C."""
        if (said := next(waits)) is None:
            raise KeyboardInterrupt
        with world.ctx.db.transaction() as connection:
            switches.write(connection, said[0], By("cli:me", Clock().now()), said[1], True, None)

    only = [tables.events.c.kind.in_(["paused", "trade_created"])]
    capsys.readouterr()
    events.show(App(config, in_between), only, None, 1, follow=True, as_json=False)
    told = capsys.readouterr().out
    assert [line.split()[3] for line in told.splitlines()] == ["trade_created", "paused"] and "\x1b" not in told


async def test_logs_tell_of_one_trade_or_one_bot(world: World, tmp_path: Path) -> None:
    config = tmp_path / "fleet.toml"
    [first], [_] = await world.deposit(1), await world.deposit(1, who=2)
    await world.accept(first)
    told = fleet(config, "logs", first)
    assert told.exit_code == 0 and "Order to send, attempt 1" in told.stdout and "queued → accepted" in told.stdout
    assert len(told.stdout.splitlines()) == len([row for row in world.events() if row.trade_id == first])
    bot = next(row.bot for row in world.events() if row.trade_id == first)
    rows = [json.loads(line) for line in fleet(config, "logs", "--bot", bot, "--last", "1", "--json").stdout.splitlines()]
    assert [row["bot"] for row in rows] == [bot]
    assert fleet(config, "logs", "trd_none").exit_code == 1
    assert fleet(config, "logs", "--trade", first).stdout == told.stdout
    assert fleet(config, "logs", "--request", "made-nothing").exit_code == 1
    assert fleet(config, "logs", first, "--in", "-").exit_code == 1  # nothing there names it
    wrongs: list[tuple[str, ...]] = [
        (),
        (first, "--bot", bot),
        ("--bot", "nobody"),
        ("--request", "a b"),
        ("--bot", bot, "--in", "-"),
    ]
    for wrong in [*wrongs, (first, "--in", "-", "--json")]:
        assert fleet(config, "logs", *wrong).exit_code == 2, wrong


async def test_what_is_wanted_of_bots_is_said_and_shown(world: World, tmp_path: Path) -> None:
    config = as_the_balancer(world, tmp_path)
    await world.online("red-1", "red-2")
    told = await asyncio.to_thread(fleet, config, "bots", "status", "--json")
    assert told.exit_code == 0, told.output
    assert [bot["state"] for bot in json.loads(told.stdout)["bots"]] == ["online", "online"]
    dry = fleet(config, "bots", "pause", "red-1", "red-2", "--dry-run")
    assert "red-1 would be paused (was active)" in dry.stdout and world.bot("red-1").mode == "active"
    assert fleet(config, "bots", "pause", "red-1", "red-2").exit_code == 1, "several are asked about, and nobody says yes"
    assert fleet(config, "bots", "pause", "red-1", "blue-7", "--yes").exit_code == 1 and world.bot("red-1").mode == "active"
    assert fleet(config, "bots", "pause", "red").exit_code == 2
    done = fleet(config, "bots", "drain", "red-1", "--json")
    assert json.loads(done.stdout)["bots"] == [{"bot": "red-1", "from": "active", "to": "draining"}]
    assert "already" in fleet(config, "bots", "drain", "red-1").stdout
    await world.ctx.fleet.refresh()
    assert world.ctx.fleet.bots()[0].mode == "draining", "a balancer goes by it"
    shown = await asyncio.to_thread(fleet, config, "bots", "status", "red-1")
    assert shown.exit_code == 1 and "draining" in shown.stdout and "red-2" not in shown.stdout
    assert (await asyncio.to_thread(fleet, config, "bots", "status", "blue-7")).exit_code == 1
    assert fleet(config, "bots", "pause", "red-1", "red-2", "--yes").exit_code == 0
    assert [world.bot(name).mode for name in ("red-1", "red-2")] == ["paused", "paused"]
    assert fleet(config, "bots", "resume", "red-1", "red-2").exit_code == 0
    assert [world.bot(name).mode for name in ("red-1", "red-2")] == ["active", "active"]


def as_the_balancer(world: World, tmp_path: Path) -> Path:
    """Settings with the key that opens this world's heartbeats."""
    key, config = tmp_path / "worlds.key", tmp_path / "status.toml"
    key.touch(mode=0o600)
    key.write_text(bytes(range(32)).hex())
    lines = (tmp_path / "fleet.toml").read_text().replace("master.key", "worlds.key")
    config.write_text(f"{lines}[group]\noffline_after_s = 86400.0\n")
    return config


async def test_an_operator_decides_about_a_doubt(world: World, tmp_path: Path) -> None:
    config = tmp_path / "fleet.toml"
    [trade_id] = await world.deposit(1)
    await world.tell(trade_id, "answer_lost", reason="timeout")
    for wrong in (
        [],
        ["--none"],
        ["--reason", "x"],
        ["--none", "--offer", "1", "--reason", "x"],
        ["--offer", "x", "--reason", "x"],
    ):
        assert fleet(config, "trades", "doubt", trade_id, *wrong).exit_code == 2, wrong
    told = fleet(config, "trades", "doubt", trade_id, "--none", "--yes", "--reason", "I have looked")
    assert told.exit_code == 1 and "long enough" in told.output
    assert "look this offer up" in fleet(config, "trades", "doubt", trade_id, "--offer", "4711", "--reason", "seen").stdout
    await world.tell(trade_id, "find_inconclusive", reason="items_not_in_place")
    world.change(update(tables.trades).values(find_tries=13))
    told = fleet(config, "trades", "doubt", trade_id, "--none", "--yes", "--reason", "I have looked")
    assert told.exit_code == 0 and "queued" in told.stdout, told.output
    shown = fleet(config, "trades", "show", trade_id).stdout
    assert "An operator has checked: there is no such offer." in shown and "I have looked" in shown and "4711" in shown
    assert fleet(config, "trades", "doubt", trade_id, "--none", "--yes", "--reason", "again").exit_code == 1


async def test_a_frozen_item_is_thawed(world: World, tmp_path: Path) -> None:
    config = tmp_path / "fleet.toml"
    [deposit_id] = await world.held(1)
    world.change(update(tables.deposits).values(frozen_by="reversal"))
    assert fleet(config, "trades", "thaw", deposit_id).exit_code == 2
    assert fleet(config, "trades", "thaw", deposit_id, "--reason", "").exit_code == 2
    assert "may be used again" in fleet(config, "trades", "thaw", deposit_id, "--reason", "it lies there").stdout
    assert fleet(config, "trades", "thaw", deposit_id, "--reason", "once more").exit_code == 1
    assert await world.withdraw([deposit_id])


async def test_a_row_that_stays_frozen_is_decided_by_two_people(world: World, tmp_path: Path) -> None:
    config = tmp_path / "fleet.toml"
    [deposit_id] = await world.held(1)
    world.change(update(tables.deposits).values(frozen_by="unmatched"))
    said = ("trades", "decide", deposit_id, "release", "--reason", "it lies there")
    for wrong in (("trades", "decide", deposit_id, "forget", "--reason", "x"), (*said[:4],), (*said, "--asset", "x")):
        assert fleet(config, *wrong).exit_code == 2, wrong
    for _ in range(2):
        assert "somebody else has to say the same" in fleet(config, *said).stdout, "one person is one person"
    world.change(update(tables.decisions).values(who="client:boss"))
    assert "the bot reads its inventory now" in fleet(config, *said).stdout
    [row] = world.rows(tables.decisions.select())
    assert (row.who, row.agreed_by.startswith("cli:")) == ("client:boss", True)
    world.change(update(tables.deposits).values(frozen_by=None))
    assert fleet(config, *said).exit_code == 1


async def test_house_items_are_given_by_a_command_and_approved_by_somebody_else(world: World, tmp_path: Path) -> None:
    config = tmp_path / "fleet.toml"
    config.write_text(config.read_text() + "[group]\noffline_after_s = 86400.0\n")
    (tmp_path / "master.key").write_text(bytes(range(32)).hex())  # the one by which this world's bots speak
    [deposit_id] = await world.held(1)
    now = world.ctx.clock.now()
    values = {"user_id": tables.HOUSE, "steam_id": None, "created_at": now}
    if not world.rows(tables.users.select().where(tables.users.c.user_id == tables.HOUSE)):
        world.change(tables.users.insert().values(**values))
    url = f"https://steamcommunity.com/tradeoffer/new/?partner={int(player(5)) - STEAM_ID_BASE}&token=abcdefgh"
    given = ("trades", "give", deposit_id, "--trade-url", url, "--reason", "to the store")
    await world.online("red-1", "red-2")
    told = await asyncio.to_thread(fleet, config, *given)
    assert told.exit_code == 1 and not world.rows(tables.trades.select().where(tables.trades.c.direction == "withdraw"))
    world.change(update(tables.deposits).values(user_id=tables.HOUSE))
    assert (await asyncio.to_thread(fleet, config, *given[:-2])).exit_code == 2
    assert (await asyncio.to_thread(fleet, config, *given[:3], "--trade-url", "http://x/", "--reason", "y")).exit_code != 0
    told = await asyncio.to_thread(fleet, config, *given)
    assert told.exit_code == 0 and "waits for another person" in told.stdout, told.output
    [trade] = world.rows(tables.trades.select().where(tables.trades.c.direction == "withdraw"))
    assert (trade.waits_for, trade.partner, trade.client_id[:4]) == ("approval", int(player(5)), "cli:")
    assert "abcdefgh" not in told.output
    refused = fleet(config, "approvals", "approve", trade.trade_id)
    assert refused.exit_code == 1 and "whoever asked" in refused.output
    assert (await asyncio.to_thread(fleet, config, *given)).exit_code == 1, "it is in a trade"
    world.change(update(tables.trades).where(tables.trades.c.trade_id == trade.trade_id).values(client_id="cli:somebody-else"))
    assert fleet(config, "approvals", "approve", trade.trade_id).exit_code == 0


async def test_a_blocked_player_is_unblocked_by_steam_id(world: World, tmp_path: Path) -> None:
    [trade_id] = await world.deposit(1)
    await world.accept(trade_id)
    await world.tell(trade_id, "exchange_reversed", exchange_id="x", exchange_status=12)
    config = tmp_path / "fleet.toml"
    steam_id = str(world.trade(trade_id).partner)
    assert "user-1" in fleet(config, "trades", "unblock", steam_id).stdout
    assert fleet(config, "trades", "unblock", steam_id).exit_code == 1
    assert fleet(config, "trades", "unblock", "nobody").exit_code == 2
    assert await world.deposit(1)


async def test_approvals_are_listed_and_decided(world: World, tmp_path: Path) -> None:
    config = tmp_path / "fleet.toml"
    assert "nothing waits" in fleet(config, "approvals", "list").stdout
    first, second = await world.withdraw(await world.held(1)), await world.withdraw(await world.held(1))
    world.change(update(tables.trades).where(tables.trades.c.direction == "withdraw").values(waits_for="approval"))
    rows = json.loads(fleet(config, "approvals", "list", "--json").stdout)["approvals"]
    assert [(row["trade_id"], row["value_cents"]) for row in rows] == [(first[0], 250), (second[0], 250)]
    assert first[0] in fleet(config, "approvals", "list").stdout
    assert fleet(config, "approvals", "approve", first[0]).exit_code == 0
    assert fleet(config, "approvals", "approve", first[0]).exit_code == 1
    assert fleet(config, "approvals", "reject", second[0]).exit_code == 0
    assert (world.trade(first[0]).waits_for, world.trade(second[0]).status) == ("settlement", "canceled")


async def test_switches_are_turned_and_shown(world: World, tmp_path: Path) -> None:
    config = tmp_path / "fleet.toml"
    assert "nothing is paused" in fleet(config, "switches", "list").stdout
    assert "deposits are paused" in fleet(config, "switches", "pause", "deposits", "--reason", "prices").stdout
    assert json.loads(fleet(config, "switches", "list", "--json").stdout)["paused"][0]["reason"] == "prices"
    assert "nothing is paused" in fleet(config, "switches", "resume", "deposits").stdout
    now = world.ctx.clock.now()
    world.change(tables.clients.insert().values(client_id="cli_a", name="mysite", scopes="trade", created_at=now))
    assert "withdrawals of mysite are paused" in fleet(config, "switches", "pause", "withdrawals", "--client", "mysite").stdout
    assert json.loads(fleet(config, "switches", "list", "--json").stdout)["paused"][0]["client"] == "mysite"
    assert fleet(config, "switches", "resume", "withdrawals", "--client", "nobody").exit_code == 1
    assert "nothing is paused" in fleet(config, "switches", "resume", "withdrawals", "--client", "mysite").stdout
    assert [row.kind for row in world.events()] == ["paused", "resumed"] * 2


async def test_a_person_is_shown_and_forgotten(world: World, tmp_path: Path) -> None:
    config = tmp_path / "fleet.toml"
    [trade_id] = await world.deposit(1)
    refused = fleet(config, "users", "forget", "user-1", "--yes")
    assert refused.exit_code == 1 and "trades under way" in refused.output
    await world.tell(trade_id, "offer_declined", offer_id="77", state=7)
    kept = json.loads(fleet(config, "users", "export", "user-1").stdout)
    assert [row["trade_id"] for row in kept["trades"]] == [trade_id]
    assert fleet(config, "users", "forget", "user-1").exit_code == 1  # nobody says yes
    done = fleet(config, "users", "forget", kept["user"]["steam_id"], "--yes")
    assert done.exit_code == 0 and "1 trades, 1 items" in done.stdout
    gone = fleet(config, "users", "export", "user-1")
    assert gone.exit_code == 1 and "user-1" in gone.output
    assert world.trade(trade_id).user_id.startswith("forgotten-")


async def test_backup_and_restore_leave_open_trades_in_doubt(world: World, tmp_path: Path) -> None:
    config, copy = tmp_path / "fleet.toml", tmp_path / "copy.db"
    [trade_id] = await world.deposit(1)
    await world.ctx.outbox.drain()
    assert fleet(config, "backup", str(copy)).exit_code == 0
    assert copy.stat().st_mode & 0o777 == 0o600
    assert fleet(config, "backup", str(copy)).exit_code == 1
    world.ctx.redis.set(wire.leader_key("sweep"), "me")
    assert fleet(config, "restore", str(copy), "--yes").exit_code == 1
    world.ctx.redis.delete(wire.leader_key("sweep"))
    world.ctx.db.engine.dispose()
    done = fleet(config, "restore", str(copy), "--yes")
    assert done.exit_code == 0, done.output
    assert "1 queued" in done.stdout and "paused" in done.stdout
    assert world.trade(trade_id).status == "in_doubt"
    assert fleet(config, "restore").exit_code == 2
    assert fleet(config, "restore", str(tmp_path / "fleet.toml"), "--yes").exit_code == 1


async def test_status_says_what_the_fleet_can_serve(world: World, tmp_path: Path) -> None:
    """By the bots' own heartbeats, which the balancer's key opens."""
    config = as_the_balancer(world, tmp_path)
    await world.online("red-1", egress="host-a", read_every_s=2.0)
    await world.online("red-2", egress="proxy:8080", read_every_s=4.0)
    busy = world.ctx.fleet.lanes[1]
    await Turns(world.ctx.redis).hold(busy, 90.0)
    told = await asyncio.to_thread(fleet, config, "status")
    assert told.exit_code == 0, told.output
    assert "2 known, 2 online" in told.output
    assert "inventories  45 a minute, over 2 addresses" in told.output
    assert "  host-a: 1 bots, 30 a minute, next turn in 0 s" in told.output
    found = json.loads((await asyncio.to_thread(fleet, config, "status", "--json")).stdout)
    assert [row["bots"] for row in found["capacity"]["addresses"]] == [1, 1]
    assert 0 < found["capacity"]["addresses"][1]["next_turn_s"] <= 90
    slots = 2 * world.ctx.fleet.limits.items_max
    assert f"  red: {slots} of {slots} items free; 0 in and 0 out in 1 d: does not fill" in told.output
    assert [(each["color"], each["full_in_s"]) for each in found["forecasts"]] == [("red", None)]
    world.ctx.redis.delete(wire.heartbeat_key("red-1"), wire.heartbeat_key("red-2"))
    away = await asyncio.to_thread(fleet, config, "status")
    assert (away.exit_code, "0 online" in away.output) == (1, True)


async def test_alarms_are_listed_until_an_operator_has_seen_them(world: World, tmp_path: Path) -> None:
    config = as_the_balancer(world, tmp_path)
    none = fleet(config, "alarms", "list")
    assert (none.exit_code, none.stdout) == (0, "no alarm that nobody has acknowledged\n")
    data = {"alarm": "bot_restricted", "reason": "bot_locked", "forbids": ["give"], "action": "ask \x1b[2J Steam"}
    rows = [feed.row("alarm", data, By("health", world.ctx.clock.now()), None, None, bot) for bot in ("red-1", "red-2")]
    with world.ctx.db.transaction() as connection:
        feed.append(
            connection, feed.row("resumed", {"switch": "deposits", "reason": ""}, By("test", world.ctx.clock.now())), *rows
        )
    listed = fleet(config, "alarms", "list")
    assert listed.exit_code == 1 and "to do: ask" in listed.stdout and "\x1b" not in listed.stdout
    newest, older = (alarm["number"] for alarm in json.loads(fleet(config, "alarms", "list", "--json").stdout)["alarms"])
    assert fleet(config, "alarms", "ack").exit_code == 2 == fleet(config, "alarms", "ack", "1", "--all").exit_code
    assert json.loads(fleet(config, "alarms", "ack", "--all", "--dry-run", "--json").stdout)["acknowledged"] == [older, newest]
    assert f"{older - 1} is no alarm" in fleet(config, "alarms", "ack", str(older - 1)).stdout, "another event is none"
    for _ in range(2):  # the second changes nothing
        fleet(config, "alarms", "ack", str(older), "--note", "a ticket is open")
    assert [alarm["number"] for alarm in json.loads(fleet(config, "alarms", "list", "--json").stdout)["alarms"]] == [newest]
    assert fleet(config, "alarms", "ack", "--all").exit_code == 1, "nobody said yes"
    assert "1 are acknowledged" in fleet(config, "alarms", "ack", "--all", "--yes").stdout
    told = [json.loads(line) for line in fleet(config, "events", "--kind", "alarm_acknowledged", "--json").stdout.splitlines()]
    assert [event["data"] for event in told] == [
        {"numbers": [older], "note": "a ticket is open"},
        {"numbers": [newest], "note": ""},
    ]


async def test_what_waits_for_an_operator_stands_in_status_and_top(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = as_the_balancer(world, tmp_path)
    await world.online("red-1", "red-2")
    [doubtful, _] = [(await world.deposit(1))[0] for _ in range(2)]
    await world.tell(doubtful, "answer_lost", reason="connection_cut")
    fleet(config, "bots", "pause", "red-2")
    fleet(config, "switches", "pause", "deposits", "--reason", "looking")
    told = await asyncio.to_thread(fleet, config, "status")
    assert "1 in_doubt, 1 queued" in told.stdout and "switches are off: deposits: fleet switches list" in told.stdout
    drawn = await asyncio.to_thread(fleet, config, "top", "--sort", "queue")
    assert drawn.exit_code == 0, drawn.output
    lines = drawn.stdout.splitlines()
    assert lines[0].endswith("offers") and "2 bots, 2 online" in lines[0]
    assert lines[3].startswith("red-1") and lines[4].startswith("red-2") and "paused" in lines[4]
    assert "fleet trades list --status in_doubt" in drawn.stdout
    assert "red-1" not in (await asyncio.to_thread(fleet, config, "top", "--once", "--color", "blue")).stdout
    monkeypatch.setenv("COLUMNS", "140")
    wide = await asyncio.to_thread(fleet, config, "top", "--once")
    assert "an operator has paused it: resume it" in wide.stdout and "2/1000" in wide.stdout


async def test_an_operator_of_the_page_gets_a_secret_once(world: World, tmp_path: Path) -> None:
    config, steam_id = tmp_path / "fleet.toml", "76561198000000002"
    assert "until then there is no such page" in fleet(config, "ops", "list").stdout
    refused = fleet(config, "ops", "enrol", steam_id)
    assert refused.exit_code == 1 and "stands nowhere" in refused.output
    named = f'[ops]\noperators = [{{ steam_id = "{steam_id}", name = "ann", role = "act" }}]\n'
    config.write_text(config.read_text() + named)
    missing = fleet(config, "ops", "list")
    assert missing.exit_code == 1 and f"fleet ops enrol {steam_id}" in missing.stdout
    first, second = (json.loads(fleet(config, "ops", "enrol", steam_id, "--json").stdout)["otpauth"] for _ in range(2))
    assert first.startswith("otpauth://totp/") and first != second, "what was before is over"
    listed = fleet(config, "ops", "list", "--json")
    assert listed.exit_code == 0 and json.loads(listed.stdout)["operators"][0]["enrolled"] is True
    shown = fleet(config, "events", "--json").stdout
    assert shown.count("operator_enrolled") == 2 and first.partition("secret=")[2].partition("&")[0] not in shown
