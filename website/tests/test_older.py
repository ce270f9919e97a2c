"""A database that comes back as it was before: nothing is driven on it that was told otherwise (S11, S20)."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connections
from django.test import override_settings
from paper import Paper

from fleet_client.answers import Lock
from scripts.lab.redis_server import EmbeddedRedis
from website.engine import recovery
from website.engine.management.commands import recover
from website.engine.marks import Marks, behind
from website.engine.models import Alarm
from website.engine.rebuild import Fleet
from website.office import operators
from website.rooms.models import Bet, Lane, LaneEvent

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def paper(database_url: str, tmp_path: Path) -> Paper:
    made = Paper()
    made.writer.marks = Marks(tmp_path / "marks")
    return made


def database() -> Path:
    return Path(str(connections["default"].settings_dict["NAME"]))


def copy_of_database(to: Path) -> None:
    connections.close_all()
    shutil.copy(database(), to)


def put_back(copy: Path) -> None:
    connections.close_all()
    path = database()
    for end in ("-wal", "-shm"):
        path.with_name(path.name + end).unlink(missing_ok=True)
    shutil.copy(copy, path)


def test_s11_a_lane_whose_table_is_behind_its_mark_is_left_alone(paper: Paper, tmp_path: Path) -> None:
    """The last commits are lost while the engine runs: it neither goes on from what it remembers nor from what is there."""
    lanes = paper.open("classic-unlimited", time_limit=5)
    at = paper.game("classic-unlimited")
    ana, bo = paper.player(), paper.player()
    paper.bet(ana, at, paper.items(ana, 200))
    copy_of_database(tmp_path / "older")
    assert paper.bet(bo, at, paper.items(bo, 200)).state == Bet.PLACED
    paper.until_sealed(at)
    put_back(tmp_path / "older")
    before = LaneEvent.objects.count()
    paper.run(10)
    lane = Lane.objects.get(name=at.lane)
    assert (lane.state, lane.paused_why, lane.waits_for) == (Lane.PAUSED, "older", "older")
    assert LaneEvent.objects.count() == before and Alarm.objects.get(kind="older", about=at.lane)
    late = paper.bet(bo, at, paper.items(bo, 200))
    assert (late.state, late.code) == (Bet.REFUSED, "paused")
    # Another engine, of another host or started later, knows it from the file.
    assert set(behind(Marks(tmp_path / "marks"))) <= set(lanes) and at.lane in behind(Marks(tmp_path / "marks"))


def test_s11_marks_are_shared_over_redis_and_never_go_back(database_url: str, tmp_path: Path) -> None:
    with EmbeddedRedis(tmp_path / "redis") as server, override_settings(SITE_REDIS_URL=server.url):
        one, other = Marks(None), Marks(tmp_path / "marks")
        one.note("lane-a", (7, 120))
        one.share()
        other.share()
        assert other.of("lane-a") == (7, 120)
        other.note("lane-a", (6, 99))
        other.note("lane-b", (1, 3))
        other.share()
        one.share()
        assert one.all() == {"lane-a": (7, 120), "lane-b": (1, 3)}
        other.forget("lane-a")
        assert Marks(tmp_path / "marks").of("lane-a") == (0, 0)
        one.share()  # what it has in memory brings back nothing
        other.share()
        assert one.of("lane-a") == other.of("lane-a") == Marks(tmp_path / "marks").of("lane-a") == (0, 0)
        one.note("lane-a", (2, 4))
        one.share()
        other.forget("lane-b")
        other.share()
        assert other.all() == {"lane-a": (2, 4), "lane-b": (0, 0)}
    with override_settings(SITE_REDIS_URL="redis://127.0.0.1:1/0"):
        one.share()  # a Redis that is away is left alone
    assert one.of("lane-a") == (2, 4)


def lock(ref: str, note: str) -> Lock:
    return Lock(ref=ref, user_id="7", state="held", note=note, locked_at=datetime.fromtimestamp(0, UTC), rows=[], event=None)


def test_s20_rounds_that_only_the_fleet_knows_keep_their_lane_from_going_on(paper: Paper) -> None:
    """No mark is left, but the fleet still knows the bet of a round that this database never had."""
    lanes = paper.open("classic-unlimited", time_limit=5)
    at = paper.game("classic-unlimited")
    other = next(lane for lane in lanes if lane != at.lane)
    known = recovery.missing([lock("somebody-elses", "x/9"), lock(f"stk_{at.lane}_{at.round + 4}", "x")], [])
    assert [(each.lane, each.round) for each in known] == [(at.lane, at.round + 4)]
    found = recovery.missing([lock("bet_00", f"{at.lane}/{at.round + 3}")], [f"round:{other}:1:1"])
    assert [(each.lane, each.round) for each in found] == sorted([(at.lane, at.round + 3), (other, 1)])
    assert recovery.note(found, paper.writer.marks) == sorted(lanes)
    before = LaneEvent.objects.count()
    paper.run(3)
    assert LaneEvent.objects.count() == before
    assert set(Lane.objects.values_list("paused_why", flat=True)) == {"older"}


def test_s20_two_people_say_that_a_mark_is_wrong(
    paper: Paper, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    (lane, *_) = paper.open("classic-unlimited", time_limit=5)
    paper.settle()
    keys = {}
    for name in ("ana", "bo"):
        keys[name] = tmp_path / f"{name}.key"
        keys[name].write_text(operators.add(name)[1])
    paper.writer.marks.note(lane, (99, 99))
    paper.run(1)
    found: list[Lock] = []
    monkeypatch.setattr(recover.Command, "_fleet", lambda _self: Fleet(found, []))

    def forget(second: str) -> None:
        who = ("--by", "ana", "--key-file", str(keys["ana"]), "--second", second, "--second-key-file", str(keys[second]))
        with override_settings(SITE_MARKS_DIR=str(tmp_path / "marks")):
            call_command("recover", "forget", lane, "--why", "the marks are of another site", *who)

    with pytest.raises(CommandError, match="two people"):
        forget("ana")
    found.append(lock("bet_1", f"{lane}/12"))
    with pytest.raises(CommandError, match="its mark is right"):
        forget("bo")
    found.clear()
    forget("bo")
    assert not Alarm.objects.filter(kind="older", about=lane, ended_ms=None).exists()
    call_command("lanes", "resume", lane, "--why", "it was wrong", "--by", "ana", "--key-file", str(keys["ana"]))
    assert paper.writer.marks.of(lane) == (99, 99), "an engine that runs has it in memory"
    paper.run(2)
    assert not paper.writer.look_back() and (0, 0) < paper.writer.marks.of(lane) < (99, 99)
    assert Lane.objects.get(name=lane).waits_for != "older" and json.dumps(paper.writer.marks.all())
