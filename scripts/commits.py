"""The commits since `SINCE`: a subject of at most 65 signs, `area: what it now does`, and a body that says why.

Run by `scripts/check commits`. Where the history is not there (an archive, a shallow clone) only what is there is read.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SINCE = "c1e7418acfb3adb90ed725709fd64b2a5f038a25"
SUBJECT_MAX = 65
AREA = re.compile(r"[a-z][a-z0-9 ,/_.-]*: \S")
# Written by git itself.
BY_GIT = re.compile(r"(Merge|Revert) ")


def faults(subject: str, body: str) -> Iterator[str]:
    """What is wrong with one message, in words."""
    if BY_GIT.match(subject):
        return
    if len(subject) > SUBJECT_MAX:
        yield f"the subject has {len(subject)} signs; at most {SUBJECT_MAX}"
    if not AREA.match(subject):
        yield "the subject does not begin with an area, as in `balancer: what it now does`"
    if not body.strip():
        yield "there is no body: say why"


def messages(root: Path, since: str) -> Iterator[tuple[str, str, str]]:
    """Short id, subject and body of each commit after ``since``; nothing where git or the history is missing."""
    known = _git(root, "cat-file", "-e", f"{since}^{{commit}}")
    log = _git(root, "log", "-z", "--no-merges", "--format=%h%n%s%n%b", f"{since}..HEAD") if known is not None else None
    for entry in (log or "").split("\0"):
        if entry:
            name, _, message = entry.partition("\n")
            subject, _, body = message.partition("\n")
            yield name, subject, body


def _git(root: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None
    return done.stdout if done.returncode == 0 else None


def main() -> int:
    found = [f"{name} {subject}: {fault}" for name, subject, body in messages(ROOT, SINCE) for fault in faults(subject, body)]
    print("\n".join(found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
