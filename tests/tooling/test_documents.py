"""What the documents name exists: files, headings that are linked to, commands with their options, settings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import NamedTuple

import click
import pytest

from scripts.cli.fleet import main
from shared import settings

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
FOLDERS = (
    "balancer",
    "bot_worker",
    "client",
    "config",
    "docs",
    "examples",
    "lottery_core",
    "requirements",
    "sandbox",
    "scripts",
)
PATH = re.compile(rf"\.?(?:{'|'.join((*FOLDERS, 'shared', 'tests', 'ci'))})/[\w./@*-]*")
LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)")
FENCE = re.compile(r"^ *```.*?^ *```$", re.MULTILINE | re.DOTALL)  # one in a list is indented
SPAN = re.compile(r"`([^`\n]+)`")
COMMAND = re.compile(r"(?:^|bin/|&& |\$ )fleet (?! )(?P<rest>[^|>;#`&]*)")
SETTING = re.compile(r"\[(?P<section>[a-z_]+)\] (?P<keys>[a-z][a-z0-9_]*)")
SECTION = re.compile(r"\[([a-z_]+)\]")
VARIABLE = re.compile(r"FLEET__([A-Z0-9]+)__([A-Z0-9_]+)")
PLACEHOLDER = re.compile(r"[A-Z][A-Z_]*|…|<.*|\.\.\.|\"\$@\"")


class Text(NamedTuple):
    """What one document says in code: its fenced blocks by line, and its spans."""

    lines: list[str]
    spans: list[str]


def text_of(path: Path) -> Text:
    whole = path.read_text()
    lines = [line for block in FENCE.findall(whole) for line in dedent(block).splitlines()[1:-1]]
    # A span may be broken where a line ends.
    flowing = re.sub(r"\n(?!\n)", " ", FENCE.sub("", whole))
    return Text(lines, SPAN.findall(flowing))


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_links_lead_to_files_and_headings(document: Path) -> None:
    for target, heading in LINK.findall(FENCE.sub("", document.read_text())):
        path = (document.parent / target).resolve() if target else document
        assert path.exists(), target
        if heading and path.suffix == ".md":
            assert heading in set(_anchors(path)), f"{target}#{heading}"


def _anchors(path: Path) -> Iterator[str]:
    """As GitHub makes them of headings."""
    for heading in re.findall(r"^#+ (.*)$", FENCE.sub("", path.read_text()), re.MULTILINE):
        yield re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_files_that_are_named_exist(document: Path) -> None:
    text = text_of(document)
    for said in (*text.spans, *(line for line in text.lines if not line.startswith(("$", " ")))):
        for name in PATH.findall(said):
            if said[: said.index(name)].endswith(("/", ".fleet/", "-", "=")):  # a part of another path
                continue
            name = name.rstrip(".")
            roots = (ROOT, ROOT / "tests", ROOT / "lottery_core")
            assert any(any(root.glob(name.rstrip("/"))) for root in roots), f"{name} in {said!r}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_commands_that_are_shown_exist(document: Path) -> None:
    text = text_of(document)
    for said in (*(span for span in text.spans if span.startswith(("fleet ", ".venv/bin/fleet "))), *text.lines):
        for found in COMMAND.finditer(said.partition(" #")[0]):
            _check_command(found["rest"].split(), said)


def _check_command(words: list[str], said: str) -> None:
    """Follow the names down to the command, and look for each of its options."""
    command: click.Command = main
    context = click.Context(main)
    known = {"--help", *(option for each in main.params for option in each.opts)}
    waiting = list(words)
    while waiting:
        word = waiting.pop(0)
        if word.startswith("--"):
            option = word.partition("=")[0].rstrip(",.")
            passed_on = command.context_settings.get("ignore_unknown_options", False)
            assert option in known or passed_on, f"{option} in {said!r}"
            if isinstance(command, click.Group) and _takes_value(command, option) and "=" not in word and waiting:
                waiting.pop(0)
        elif isinstance(command, click.Group):
            if PLACEHOLDER.fullmatch(word):
                return
            below = command.get_command(context, word)
            assert below is not None, f"{word} in {said!r}"
            command = below
            known |= {option for each in command.params for option in (*each.opts, *each.secondary_opts)}


def _takes_value(command: click.Command, option: str) -> bool:
    return any(option in each.opts and isinstance(each, click.Option) and not each.is_flag for each in command.params)


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_settings_that_are_named_exist(document: Path) -> None:
    names = settings.names()
    text = text_of(document)
    for said in (*text.spans, *text.lines):
        for section, key in SETTING.findall(said):
            assert key in names.get(section, ()), f"[{section}] {key} in {said!r}"
        for section, key in VARIABLE.findall(said):
            assert key.lower() in names.get(section.lower(), ()), said
    for said in text.spans:
        if section := SECTION.fullmatch(said):
            assert section[1] in names, said


def test_what_is_not_there_is_noticed() -> None:
    with pytest.raises(AssertionError, match="strat"):
        _check_command(["group", "strat", "red", "1"], "fleet group strat red 1")
    with pytest.raises(AssertionError, match="--oflline"):
        _check_command(["--config", "x.toml", "config", "check", "--oflline"], "fleet config check --oflline")
    _check_command(["--config", "x.toml", "group", "start", "red", "1"], "")


def test_a_command_in_a_list_is_seen(tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text("- **Now**:\n\n  ```sh\n  fleet strat\n  ```\n")
    with pytest.raises(AssertionError, match="strat"):
        test_commands_that_are_shown_exist(tmp_path / "page.md")
