"""The page about reliability names tests that there are, and every test that bears a number stands there."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parent
PAGE = TESTS.parent / "docs" / "reliability.md"
NAMED = re.compile(r"`(test_\w+\.py)::(test_\w+)`")
DEFINED = re.compile(r"^(?:async )?def (test_\w+)", re.MULTILINE)
NUMBERED = re.compile(r"test_(w|s)\d+_")


def defined() -> set[tuple[str, str]]:
    files = TESTS.glob("test_*.py")
    return {(path.name, name) for path in files for name in DEFINED.findall(path.read_text(encoding="utf-8"))}


def test_every_test_that_the_page_names_is_there() -> None:
    named = set(NAMED.findall(PAGE.read_text(encoding="utf-8")))
    assert named and named <= defined(), sorted(named - defined())


def test_every_test_with_a_number_stands_on_the_page() -> None:
    named = set(NAMED.findall(PAGE.read_text(encoding="utf-8")))
    numbered = {(file, name) for file, name in defined() if NUMBERED.match(name)}
    listed = {(file, name) for file, name in numbered if (file, name) in named}
    # A range of tests of one subject may be named by its first; each number has to be there.
    numbers = {name.split("_")[1] for _, name in numbered}
    told = {name.split("_")[1] for _, name in listed}
    assert numbers <= told, sorted(numbers - told)
