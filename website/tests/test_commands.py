"""Prizes and typed numbers at the command line: each operation is somebody's, and a key says whose."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from paper import HOUSE, Paper

from website.rooms.models import Guarantee, TypedNumber

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def keys(database_url: str, tmp_path: Path) -> dict[str, Path]:
    found = {name: tmp_path / f"{name}.key" for name in ("ana", "bo")}
    for name, path in found.items():
        say("operators", "add", name, "--key-file", str(path))
    return found


def say(*words: str) -> str:
    out = io.StringIO()
    call_command(*words, stdout=out)
    return out.getvalue()


def by(name: str, keys: dict[str, Path], key_of: str = "") -> list[str]:
    return ["--by", name, "--key-file", str(keys[key_of or name])]


def test_an_operator_sets_a_prize_aside_and_takes_it_back(keys: dict[str, Path], site_settings: None) -> None:
    say("rooms", "load", "giveaway", "--why", "the first", *by("ana", keys))
    with pytest.raises(CommandError, match="no room giveaway"):
        say("stock", "guarantee", "giveaway", "dep_1", "--why", "early", *by("bo", keys))
    say("rooms", "approve", "giveaway", "1", *by("bo", keys))
    assert "waiting" in say("stock", "guarantee", "giveaway", "dep_1", "--why", "a prize", *by("bo", keys))
    row = Guarantee.objects.get()
    assert json.loads(row.deposit_ids) == ["dep_1"] and row.set_aside_by.username == "bo"
    assert "dep_1" in say("stock", "list")
    assert "dropped" in say("stock", "drop", str(row.id), *by("ana", keys))
    assert say("stock", "list") == ""
    with pytest.raises(CommandError, match="does not wait"):
        say("stock", "drop", str(row.id), *by("ana", keys))


def test_two_operators_type_and_neither_sees_what_waits(keys: dict[str, Path], site_settings: None) -> None:
    paper = Paper()
    (lane, _) = paper.open("global-pot", global_pot_limit=200, shares=[1], entropy="manual:direct")
    at = paper.game("global-pot")
    paper.fleet.add(HOUSE, "Sticker", 3)
    for _ in range(2):
        player = paper.player()
        paper.bet(player, at, paper.items(player, 100))
    paper.run(2)
    number = ["type", "number", lane, "1"]
    evidence = ["--evidence", "https://stream.example/1 sha256:00"]
    with pytest.raises(CommandError, match="with this key"):
        say(*number, "150", *evidence, *by("bo", keys, key_of="ana"))
    with pytest.raises(CommandError, match="no lane nowhere"):
        say("type", "number", "nowhere", "1", "150", *evidence, *by("ana", keys))
    with pytest.raises(CommandError, match="digits"):
        say(*number, "1e2", *evidence, *by("ana", keys))
    assert "kept" in say(*number, "150", *evidence, *by("ana", keys))
    assert say("type", "list", lane) == ""
    say(*number, "150", *evidence, *by("bo", keys))
    paper.settle()
    assert say("type", "list", lane).count("150") == 2
    assert set(TypedNumber.objects.values_list("state", flat=True)) == {TypedNumber.TAKEN}
    assert paper.until_sealed(at).phase == "sealed"
    paper.check()


def test_wrong_files_and_names_are_told_by_name_and_leave_nothing(
    keys: dict[str, Path], site_settings: None, tmp_path: Path
) -> None:
    """No traceback, and no empty file in the way of the next try."""
    odd, rules, unread, gone = (tmp_path / name for name in ("odd", "rules.toml", "unread.toml", "no/such/folder"))
    odd.write_bytes(b"\xff\xfe")
    rules.write_text("prize = 'x'\nprice_cents = 1\ncolour = 'red'\n", encoding="utf-8")
    unread.write_text("prize", encoding="utf-8")
    why, fresh, ana = ["--why", "w"], str(tmp_path / "fresh"), by("ana", keys)
    wrong = [
        (["operators", "add", "cy", "--key-file", str(gone)], f"{gone}: No such file"),
        (["staff", "add", "cy", "--role", "owner", "--link-file", str(gone)], f"{gone}: No such file"),
        *((["operators", "add", name, "--key-file", fresh], "1 to 150") for name in ("", " ", "x" * 151, "a\nb")),
        *((["staff", "add", name, "--role", "owner", "--link-file", fresh], "1 to 150") for name in ("", "x" * 151)),
        (["operators", "add", "ana", "--key-file", fresh], "operator ana already"),
        (["staff", "add", "ana", "--role", "owner", "--link-file", fresh], "called ana already"),
        (["staff", "again", "nobody", "--link-file", fresh], "nobody called nobody"),
        (["lanes", "pause", "x", *why, "--by", "ana", "--key-file", str(odd)], f"{odd} is no text"),
        (["rooms", "load", str(odd), *why, *ana], f"{odd} is no text"),
        (["raffles", "draft", str(odd), *why, *ana], f"{odd} is no text"),
        (["raffles", "keys", "1", str(odd), *why, *ana], f"{odd} is no text"),
        (["raffles", "draft", str(unread), *why, *ana], f"{unread}: "),
        (["raffles", "draft", str(rules), *why, *ana], f"{rules}: no such terms: colour"),
        (["raffles", "approve", "7", "2", *ana], "no template 7 version 2"),
        (["raffles", "on", "7", *why, *ana], "no template 7$"),
        (["people", "done"], "say whose"),
    ]
    for words, message in wrong:
        with pytest.raises(CommandError, match=message):
            say(*words)
        assert not Path(fresh).exists(), words
