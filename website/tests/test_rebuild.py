"""A backup comes back after rounds were played: they are rebuilt from the witness to the same bytes, or left alone (S20)."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.db import connections
from paper import HOUSE, Paper
from test_older import copy_of_database, put_back

from fleet_client.answers import Lock, LockRow
from website.engine import rebuild, witness
from website.engine.marks import Marks, behind
from website.engine.models import Alarm, Call
from website.engine.rebuild import Fleet, Hands, Rebuilt
from website.engine.witness import Witness
from website.rooms import guarantees, numbers
from website.rooms.models import Bet, Guarantee, Lane, LaneEvent, LaneMessage, Piece, Round, RoundItem, RoundPlayer

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
EVIDENCE = "https://stream.example/1 sha256:00"


@pytest.fixture
def paper(database_url: str, tmp_path: Path) -> Paper:
    made = Paper()
    made.writer.marks, made.writer.witness = Marks(tmp_path / "marks"), Witness(tmp_path / "marks")
    return made


def of_the_fleet(paper: Paper) -> Fleet:
    """What the fleet would say of its locks and transfers."""
    at, held = datetime.fromtimestamp(0, UTC), dict[str, list[Any]]()
    for row in paper.fleet.deposits.values():
        if row.lock:
            held.setdefault(row.lock, []).append(row)
    locks = [
        Lock(
            ref=ref,
            user_id=rows[0].owner,
            state="held",
            note=paper.notes.get(ref, ref),
            locked_at=at,
            event=None,
            rows=[
                LockRow(
                    deposit_id=row.deposit_id,
                    item_id=f"itm_{row.name}",
                    market_hash_name=row.name,
                    status="active",
                    state="held",
                    value_cents=row.cents,
                    valued_at=at,
                    taken_in_value_cents=row.cents,
                    settled_at=at,
                    settles_at=None,
                    inspect_link=None,
                    icon_url="",
                )
                for row in rows
            ],
        )
        for ref, rows in held.items()
    ]
    return Fleet(locks, [ref for ref, *_ in paper.fleet.transfers])


def recovered(paper: Paper, folder: Path) -> list[Rebuilt]:
    hands = Hands(paper.writer.chains, paper.writer.marks, (paper.operator("ana"), paper.operator("bo")), paper.now_ms)
    found = rebuild.everything(witness.read([folder]), of_the_fleet(paper), hands)
    paper.writer.look_back()
    return found


def everything() -> dict[str, Any]:
    """What must come back: the truth, and what readers see of it."""
    tables = {
        LaneEvent: ("lane", "round", "number", "body"),
        LaneMessage: ("lane", "seq", "body"),
        Round: ("lane", "round", "phase", "outcome", "record"),
        RoundItem: ("lane", "round", "place", "number", "user_id"),
        RoundPlayer: ("lane", "round", "user_id", "tickets"),
        Bet: ("bet_id", "player_id", "token", "deposit_ids", "receipt", "state"),
    }
    rows = {model.__name__: sorted(model._default_manager.values_list(*names)) for model, names in tables.items()}
    rows["Bet"] = [row for row in rows["Bet"] if row[-1] in (Bet.PLACED, Bet.OVER)]
    used = {row.number for row in RoundItem.objects.all()}
    return rows | {"Piece": sorted(Piece.objects.filter(id__in=used).values_list("id", "deposit_id"))}


def restored(paper: Paper, copy: Path) -> dict[str, Any]:
    """The backup is back; everything as it was a moment ago. The engine was started anew."""
    was = everything()
    put_back(copy)
    paper.writer._held.clear()
    paper.writer.chains._parts.clear()
    before = LaneEvent.objects.count()
    assert paper.writer.look_back()
    paper.run(3)
    assert LaneEvent.objects.count() == before, "nothing is driven"
    return was


def pot(paper: Paper) -> None:
    paper.open("global-pot", global_pot_limit=600, bet_value_min=0)


def giveaway(paper: Paper) -> None:
    """With a prize for the first round, and more for those after the backup."""
    paper.open("giveaway", time_limit=20)
    for _ in range(8):
        (knife,) = paper.fleet.add(HOUSE, "Knife", 5_000)
        guarantees.set_aside("giveaway", [knife], paper.operator("ana"), "a prize", paper.now_ms)


def play(paper: Paper, room: str) -> None:
    """A round to its end, and another one with a bet in it."""
    for last in (False, True):
        at = paper.game(room)
        people = [paper.player() for _ in range(3)]
        for player in people[:1] if last else people:
            name = {"sit-n-go": "SnG Ticket", "giveaway": "Raffle Ticket"}.get(room, "")
            ids = paper.items(player, 200, name=name)
            if paper.round(at).phase != "game":
                break  # of an earlier bet in it, it is full
            assert paper.bet(player, at, ids).state == Bet.PLACED
        if last:
            return
        for _ in range(80):
            paper.run(1)
            found = paper.round(at)
            if found.phase == "typing":
                due = 1 + LaneEvent.objects.filter(lane=at.lane, round=at.round, kind="manual").count()
                for name in ("ana", "bo"):
                    numbers.type_in(at.lane, due, str(paper.now_ms), EVIDENCE, paper.operator(name), paper.now_ms)
            if found.sealed_ms is not None:
                break
        assert paper.round(at).phase == "sealed"


ROOMS: dict[str, Callable[[Paper], object]] = {
    "classic-unlimited": lambda paper: paper.open("classic-unlimited", time_limit=5),
    "global-pot": pot,
    "giveaway": giveaway,
}


@pytest.mark.parametrize(
    "room", ["classic-unlimited", *(pytest.param(name, marks=pytest.mark.long) for name in list(ROOMS)[1:])]
)
def test_s20_rounds_since_the_backup_are_rebuilt_to_the_same_bytes_and_go_on(paper: Paper, tmp_path: Path, room: str) -> None:
    """Players, items, chains, prizes and rounds that came after the backup; a bet that was locked and never taken is freed."""
    paper.fleet.add(HOUSE, "Small change", 3, 20)
    ROOMS[room](paper)
    paper.game(room)
    copy_of_database(tmp_path / "backup")
    play(paper, room)
    (stranded,) = paper.fleet.add(HOUSE, "Locked and never placed", 100)
    paper.fleet.deposits[stranded].lock, at = "bet_" + "0" * 32, paper.game(room)
    paper.notes["bet_" + "0" * 32] = f"{at.lane}/{at.round}"
    was = restored(paper, tmp_path / "backup")
    found = recovered(paper, tmp_path / "marks")
    assert [each.why_not for each in found if each.why_not] == []
    assert everything() == was
    assert "bet_" + "0" * 32 in {ref for each in found for ref in each.freed}
    assert not behind(paper.writer.marks) and not Alarm.objects.filter(kind="older", ended_ms=None).exists()
    assert set(Lane.objects.values_list("state", flat=True)) == {Lane.OPEN}
    # It goes on: with the bet that was in the open round, and then with a new chain.
    paper.settle()
    assert not paper.fleet.deposits[stranded].lock
    play(paper, room)
    renewed = LaneEvent.objects.filter(kind="renew").values_list("lane", "round")
    assert {lane for lane, _ in renewed} == {each.lane for each in found}
    paper.check()


def test_s20_a_round_that_was_drawn_is_never_drawn_again_nor_void(paper: Paper, tmp_path: Path) -> None:
    """Without its witness a lane whose transfer the fleet has done stays paused, whatever two people ask for."""
    paper.open("classic-unlimited", time_limit=5)
    paper.game("classic-unlimited")
    copy_of_database(tmp_path / "backup")
    play(paper, "classic-unlimited")
    restored(paper, tmp_path / "backup")
    paid = {ref.split(":")[1] for ref, *_ in paper.fleet.transfers}
    nothing = tmp_path / "nothing"
    nothing.mkdir()
    found = {each.lane: each for each in recovered(paper, nothing)}
    assert all("the witness has nothing" in each.why_not for each in found.values()) and paid <= set(found)
    # A witness that ends too early is none: the fleet knows more.
    short = tmp_path / "short"
    short.mkdir()
    (path,) = (tmp_path / "marks").glob("witness-*")
    lines = path.read_bytes().split(b"\n")
    (short / path.name).write_bytes(b"\n".join(line for line in lines if b"finalize" not in line))
    paper.writer.marks = Marks(None)  # nobody has noted how far it was
    for lane in found:
        paper.writer.marks.note(lane, (1, 2))
    left = [each.lane for each in recovered(paper, short) if "the witness ends before it was decided" in each.why_not]
    assert left and Lane.objects.get(name=left[0]).paused_why == "older"
    before = LaneEvent.objects.filter(lane__in=left).count()
    paper.run(5)
    assert LaneEvent.objects.filter(lane__in=left).count() == before and not Round.objects.filter(phase="void").exists()


def test_s20_what_was_written_and_not_committed_decides_nothing(paper: Paper, tmp_path: Path, monkeypatch: Any) -> None:
    """A transaction that failed after its line, one that died in the middle of it, and one that was done twice."""
    paper.open("classic-unlimited", time_limit=5)
    at = paper.game("classic-unlimited")
    copy_of_database(tmp_path / "backup")
    ana, bo = paper.player(), paper.player()

    def fails(_unit: object) -> None:
        Witness.write(paper.writer.witness, _unit)  # type: ignore[arg-type]
        raise OSError("the commit fails")

    with monkeypatch.context() as patched:
        patched.setattr(paper.writer.witness, "write", fails, raising=False)
        with pytest.raises(OSError, match="the commit fails"):
            paper.bet(ana, at, paper.items(ana, 300))
    path = next((tmp_path / "marks").glob("witness-*"))
    with path.open("ab") as file:
        file.write(b'\n0123456789abcdef {"lane": "torn')
    paper.now_ms += 1000
    paper.settle()
    paper.bet(bo, at, paper.items(bo, 200))
    told = witness.read([tmp_path / "marks"])
    assert told.torn == 1 and len(told.lines[at.lane]) > len(LaneEvent.objects.filter(lane=at.lane)) - 3
    was = restored(paper, tmp_path / "backup")
    assert [each.why_not for each in recovered(paper, tmp_path / "marks")] == [""]
    assert everything() == was
    paper.until_sealed(at)
    paper.check()


def test_s20_two_ends_of_which_nobody_knows_which_was_committed_are_left_to_people(paper: Paper, tmp_path: Path) -> None:
    lines = [witness.Line("a", "room", 0, 1, "", after, [(1, 1, "{}")]) for after in ("x", "y")]
    told = witness.Told({"a": lines})
    with pytest.raises(witness.TwoEndsError, match="2 ends"):
        witness.following(told, "a", "")
    told.done.add("y")
    assert [line.after for line in witness.following(told, "a", "")] == ["y"]
    assert witness.following(told, "a", "elsewhere") == []


def test_s20_whoever_signed_in_since_the_restore_keeps_a_lane_from_being_rebuilt(paper: Paper, tmp_path: Path) -> None:
    """The number of a player is the fleet's name for them: it is never given to two."""
    paper.open("classic-unlimited", time_limit=5)
    at = paper.game("classic-unlimited")
    copy_of_database(tmp_path / "backup")
    ana = paper.player()
    paper.bet(ana, at, paper.items(ana, 300))
    restored(paper, tmp_path / "backup")
    other = paper.player()
    type(other).objects.filter(id=other.id).update(steam_id=ana.steam_id)
    (found,) = [each for each in recovered(paper, tmp_path / "marks") if each.lane == at.lane]
    assert "somebody has signed in since the restore" in found.why_not
    assert Lane.objects.get(name=at.lane).paused_why == "older"


def test_s20_the_witness_is_private_is_on_the_disk_before_the_commit_and_goes_when_it_is_old(
    paper: Paper, tmp_path: Path, monkeypatch: Any
) -> None:
    synced: list[int] = []
    sync = os.fsync

    def watched(file: int) -> None:
        synced.append(file)
        sync(file)

    monkeypatch.setattr(os, "fsync", watched)
    paper.open("classic-unlimited", time_limit=5)
    paper.game("classic-unlimited")
    (path,) = (tmp_path / "marks").glob("witness-*")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 and stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert synced
    old = path.with_name("witness-20200101.jsonl")
    shutil.copy(path, old)
    paper.writer.witness.purge(14, path.stat().st_mtime)
    assert path.exists() and not old.exists()
    connections.close_all()


def test_s21_what_the_witness_cannot_keep_is_not_committed(paper: Paper, tmp_path: Path) -> None:
    """Its disk is full: no bet is placed, nothing is shown, and everything goes on when there is room."""
    paper.open("classic-unlimited", time_limit=5)
    at = paper.game("classic-unlimited")
    ana = paper.player()
    (path,) = (tmp_path / "marks").glob("witness-*")
    kept, before = path.read_bytes(), LaneEvent.objects.count()
    path.unlink()
    path.symlink_to("/dev/full")
    paper.writer.witness = Witness(tmp_path / "marks")
    ids = paper.items(ana, 300)
    with pytest.raises(OSError, match="No space left"):
        paper.bet(ana, at, ids)
    assert LaneEvent.objects.count() == before and Bet.objects.get().state == Bet.LOCKED
    path.unlink()
    path.write_bytes(kept)
    paper.writer.witness = Witness(tmp_path / "marks")
    paper.now_ms += 1000
    paper.settle()
    assert Bet.objects.get().state == Bet.PLACED
    paper.check()


def test_s20_a_prize_that_was_given_is_not_given_again(paper: Paper, tmp_path: Path) -> None:
    giveaway(paper)
    paper.game("giveaway")
    copy_of_database(tmp_path / "backup")
    play(paper, "giveaway")
    given = set(Guarantee.objects.filter(state=Guarantee.GIVEN).values_list("deposit_ids", flat=True))
    assert given
    restored(paper, tmp_path / "backup")
    recovered(paper, tmp_path / "marks")
    assert set(Guarantee.objects.filter(state=Guarantee.GIVEN).values_list("deposit_ids", flat=True)) == given
    assert not Call.objects.filter(kind=Call.TRANSFER, state=Call.REFUSED).exists()
