"""The table of promises names tests that exist, and every promise, every mistake and every break has one."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from scripts import mutate

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
NAMED = re.compile(r"`([\w/]+\.py)::(test_\w+)`")
BREAKS = sorted((ROOT / "scripts").glob("mutations*.toml"))
PROMISES, MISTAKES = range(1, 15), range(1, 15)


@cache
def names_in(path: Path) -> frozenset[str]:
    """Names of the test functions of one file; none if there is no such file."""
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    return frozenset(re.findall(r"^(?:async )?def (test_\w+)", text, re.MULTILINE))


def sections() -> dict[str, str]:
    """Heading to text."""
    parts = re.split(r"^## (.+)$", PAGE, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def rows(text: str) -> list[str]:
    """The rows of a section's table, without its head."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return lines[2:]


def test_every_test_that_is_named_exists() -> None:
    named = NAMED.findall(PAGE)
    assert len(named) > 100
    assert [f"{file}::{name}" for file, name in named if name not in names_in(path_of(file))] == []


def path_of(file: str) -> Path:
    """The client has its tests with it."""
    return ROOT / file if file.startswith("client/") else ROOT / "tests" / file


def test_every_row_names_a_test() -> None:
    assert [row for text in sections().values() for row in rows(text) if not NAMED.search(row)] == []


@pytest.mark.parametrize("promise", PROMISES)
def test_every_promise_has_a_row(promise: int) -> None:
    [found] = [rows(text) for heading, text in sections().items() if heading.startswith(f"{promise}. ")]
    assert found


@pytest.mark.parametrize("mistake", MISTAKES)
def test_every_mistake_of_others_has_its_test(mistake: int) -> None:
    [row] = [row for row in rows(sections()["Fourteen mistakes of others"]) if row.startswith(f"| {mistake} ")]
    assert f"::test_mistake_{mistake:02}_" in row


@pytest.mark.parametrize("path", BREAKS, ids=lambda path: path.name)
def test_every_break_fits_the_code_and_names_tests_that_exist(path: Path) -> None:
    """`scripts/mutate --check` says so too, but only when somebody runs it."""
    assert mutate.read([path])


def test_every_promise_has_a_break_that_a_test_must_notice() -> None:
    """Those of the numbered sections, and of the two that say whose an offer is."""
    entries = mutate.read([ROOT / "scripts" / "mutations-fleet.toml"])
    wanted = {*map(str, PROMISES), "verify", "elsewhere"}
    assert wanted - {entry.invariant for entry in entries} == set()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"find": "what stands nowhere"}, "stands 0 times"),
        ({"find": "import"}, "stands"),
        ({"file": "scripts/none.py"}, "stands 0 times"),
        ({"replace": "ROOT = Path(__file__)"}, "breaks nothing"),
        ({"tests": []}, "names no test"),
        ({"tests": ["tests/unit/test_none.py"]}, "there is no"),
        ({"tests": ["tests/tooling/test_reliability_table.py::test_none"]}, "there is no"),
        ({"reason": "none"}, "unexpected keyword"),
    ],
)
def test_a_break_that_does_not_fit_is_named(wrong: dict[str, Any], said: str) -> None:
    tests = ["tests/tooling/test_reliability_table.py::test_a_break_that_does_not_fit_is_named[any]"]
    entry = {
        "name": "mine",
        "invariant": 1,
        "file": "scripts/mutate.py",
        "find": "ROOT = Path(__file__)",
        "replace": "",
        "tests": tests,
    }
    assert mutate.checked(entry, "list").invariant == "1"
    with pytest.raises(mutate.BadEntry, match=said) as refused:
        mutate.checked(entry | wrong, "list")
    assert "list: mine" in str(refused.value)
