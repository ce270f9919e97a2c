"""Commands of the website that documents show exist, with their parts and options."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [ROOT / "website" / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SHOWN = re.compile(r"(?:website\.manage|manage\.py|(?<![-\w./])manage (?:engine|web)) (?P<rest>[a-z][^`|>;#&\n]*)")
PLACEHOLDER = re.compile(r"[A-Z][A-Z_]*|…|<.*|\.\.\.")


def check(words: list[str]) -> None:
    """Raises AssertionError if the command, a part of it or an option is not there."""
    name, *rest = words
    commands = get_commands()
    assert name in commands, name
    app = commands[name]
    command = app if not isinstance(app, str) else load_command_class(app, name)
    parser: argparse.ArgumentParser = command.create_parser("manage.py", name)
    known = set(parser._option_string_actions)
    parts = next((each for each in parser._actions if isinstance(each, argparse._SubParsersAction)), None)
    for word in rest:
        if word.startswith("--"):
            option = word.partition("=")[0].rstrip(",.")
            assert option in known, f"{name}: {option}"
        elif parts is not None:
            if PLACEHOLDER.fullmatch(word) or "|" in word:
                return
            assert word in parts.choices, f"{name}: {word}"
            known |= set(parts.choices[word]._option_string_actions)
            parts = None


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_commands_of_the_website_that_are_shown_exist(document: Path) -> None:
    for found in SHOWN.finditer(document.read_text(encoding="utf-8")):
        words = re.sub(r'"[^"]*"', "TEXT", found["rest"]).split()
        check([word.rstrip(",.:)") for word in words if word.startswith("--") or len(word.rstrip(",.:)")) > 0])


def test_what_is_not_there_is_noticed() -> None:
    check(["lanes", "pause", "classic-a", "--why", "TEXT"])
    for words in (["lane"], ["lanes", "stop"], ["lanes", "pause", "x", "--because"], ["web", "--sockets"]):
        with pytest.raises(AssertionError):
            check(words)
