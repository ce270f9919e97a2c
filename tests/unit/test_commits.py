"""What `scripts/check commits` finds."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from scripts.commits import faults, messages


@pytest.mark.parametrize(
    ("subject", "body", "wrong"),
    [
        ("find: an offer that is there is adopted", "It was sent twice.", 0),
        ("lottery_core, docs: the record's second format", "The house chose too much.", 0),
        ('Revert "find: an offer that is there is adopted"', "", 0),
        ("find: " + "x" * 60, "Because.", 1),
        ("Fix things", "Because.", 1),
        ("find: an offer that is there is adopted", " \n", 1),
        ("Fix " + "x" * 70, "", 3),
    ],
)
def test_a_message_says_what_and_why(subject: str, body: str, wrong: int) -> None:
    assert len(list(faults(subject, body))) == wrong


def test_only_new_commits_are_read(tmp_path: Path) -> None:
    def git(*arguments: str) -> str:
        name = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
        return subprocess.run(["git", *name, *arguments], cwd=tmp_path, check=True, capture_output=True, text=True).stdout

    git("init", "-q")
    git("commit", "-q", "--allow-empty", "-m", "old")
    first = git("rev-parse", "HEAD").strip()
    git("commit", "-q", "--allow-empty", "-m", "area: one\n\nwhy\n\nmore")
    git("commit", "-q", "--allow-empty", "-m", "area: two")
    assert [(subject, body.strip()) for _, subject, body in messages(tmp_path, first)] == [
        ("area: two", ""),
        ("area: one", "why\n\nmore"),
    ]
    assert list(messages(tmp_path, "0" * 40)) == []
