"""The guide is true: it names everything there is, and every test it calls as a witness."""

import re
from pathlib import Path
from typing import Any

import pytest

from sandbox import __main__ as program
from sandbox.control import advance, api, faults, person
from sandbox.control.views import PARTS
from sandbox.faults import kinds, profiles
from sandbox.world.accounts import HABITS
from sandbox.world.fixed_players import PLAYERS

HERE = Path(__file__).parent
API = (HERE.parent.parent / "docs" / "http-api.md").read_text(encoding="utf-8")
GUIDE = (HERE.parent.parent / "docs" / "sandbox.md").read_text(encoding="utf-8")


def rows() -> set[str]:
    """The first cell of every row of the guide's tables."""
    return {line.split("|")[1].strip() for line in GUIDE.splitlines() if line.startswith("| ")}


def test_every_witness_is_a_test() -> None:
    called = set(re.findall(r"`(test_\w+)`", GUIDE))
    there = {
        name for path in HERE.glob("test_*.py") for name in re.findall(r"^(?:async )?def (test_\w+)", path.read_text(), re.M)
    }

    assert len(called) > 40
    assert called - there == set()


def test_every_call_of_the_control_api_is_in_the_guide() -> None:
    table = [*api.routes, *advance.routes, *faults.routes, *person.routes]
    calls = {(r.method, re.sub(r":[^{}]*(?:\{[^{}]*\})?(?=\})", "", r.path)) for r in table if not r.path.startswith("/openid")}
    told = set(re.findall(r"^\| `([A-Z]+) (/(?:control|sandbox)/[^` ]+)`", GUIDE, re.M))

    assert len(calls) > 25
    assert told == calls


@pytest.mark.parametrize(
    "names",
    [kinds.KINDS, profiles.names(), HABITS],
    ids=["kinds", "profiles", "habits"],
)
def test_every_name_has_its_row(names: Any) -> None:
    told = {cell.split("`")[1] for cell in rows() if cell.startswith("`")}

    assert set(names) - told == set()


def test_the_players_of_fixed_outcome_are_those_of_the_tables() -> None:
    """In the guide with what they need to be sent an offer, and in the guide of the API."""
    rows = [f"| {p.name} | `{p.steam_id}` | `{p.trade_token}` | {p.does} | {p.deposit} |" for p in PLAYERS]
    assert "\n" + "\n".join(rows) + "\n" in GUIDE
    short = [f"| {p.does} | `{p.steam_id}` | {p.deposit} |" for p in PLAYERS]
    assert "\n" + "\n".join(short) + "\n" in API


def test_every_field_group_option_and_part_is_named() -> None:
    options = {text for action in program._parser()._actions for text in action.option_strings if text not in ("-h", "--help")}
    wanted = {*kinds.FIELDS, *kinds.GROUPS, *options, *PARTS}

    assert {name for name in wanted if f"`{name}`" not in GUIDE} == set()


def test_the_marks_of_shares_are_right() -> None:
    marked = set(re.findall(r"^\| `(\w+)` \*share\*", GUIDE, re.M))

    assert marked == {name for name, kind in kinds.KINDS.items() if kind.by_share}


def test_own_fields_of_a_kind_stand_beside_it() -> None:
    for name, kind in kinds.KINDS.items():
        (row,) = [line for line in GUIDE.splitlines() if re.match(rf"\| `{name}`( \*share\*)? \|", line)]
        assert set(re.findall(r"`(\w+)`", row.split("|")[2])) == set(kind.fields)
