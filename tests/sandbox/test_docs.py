"""The guide is true: it names everything there is, and every test it calls as a witness."""

import re
from pathlib import Path
from typing import Any

import pytest

from sandbox import __main__ as program
from sandbox.control import api, faults, person
from sandbox.control.views import PARTS
from sandbox.faults import kinds, profiles
from sandbox.world.accounts import HABITS

HERE = Path(__file__).parent
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
    table = [*api.routes, *faults.routes, *person.routes]
    calls = {(r.method, re.sub(r":[^{}]*(?:\{[^{}]*\})?(?=\})", "", r.path)) for r in table if r.path.startswith("/control")}
    told = set(re.findall(r"^\| `([A-Z]+) (/control/[^` ]+)`", GUIDE, re.M))

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
