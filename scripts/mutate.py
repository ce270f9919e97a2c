"""Breaks the code on purpose, one break at a time, and asks whether a test notices.

Usage: scripts/mutate [--only NAME]... [--jobs N] [--list] [--check]

Reads scripts/mutations.toml and, beside it, any scripts/mutations-*.toml. Each entry names a file, a text that stands there
once, its replacement, and the tests that must fail. The break is made in a copy of the tree in a temporary folder; the tests
run there.
Before any break, all named tests must pass in an untouched copy. `--check` only says whether every entry still fits the code.

Exit status: 0 every break was noticed, 1 at least one was not, 2 an entry makes no sense or the tests fail without any break.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv", "__pycache__", ".mypy_cache", ".ruff_cache", ".hypothesis", ".pytest_cache", "*.egg-info", "node_modules"
)
TIMEOUT_S = 600
PASSED, FAILED = 0, 1


class BadEntry(Exception):
    """An entry of the list makes no sense; the text says which and why."""


@dataclass(frozen=True)
class Break:
    name: str
    invariant: str
    file: str
    find: str
    replace: str
    tests: tuple[str, ...]


@dataclass(frozen=True)
class Result:
    entry: Break
    noticed: bool
    seconds: float
    said: str


def main() -> int:
    parser = argparse.ArgumentParser(description="Breaks the code on purpose and asks whether a test notices.")
    parser.add_argument("--only", action="append", metavar="NAME", help="only this break (may be given again)")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="breaks at the same time")
    parser.add_argument("--list", action="store_true", help="print the breaks and do nothing")
    parser.add_argument("--check", action="store_true", help="only check that every break fits the code")
    arguments = parser.parse_args()
    try:
        entries = chosen(read(), arguments.only)
        if arguments.check:
            print(f"{len(entries)} breaks fit the code")
            return 0
        if arguments.list:
            for entry in entries:
                print(f"{entry.invariant:>12}  {entry.name}: {entry.file}")
            return 0
        with tempfile.TemporaryDirectory(prefix="mutate-") as folder:
            return run(entries, Path(folder), max(1, arguments.jobs))
    except BadEntry as error:
        print(f"mutate: {error}", file=sys.stderr)
        return 2


def read(lists: Iterable[Path] | None = None) -> list[Break]:
    """All entries, checked: every text is found exactly once, every test exists, every name is used once.

    Raises:
        BadEntry: one does not fit.
    """
    entries = []
    for path in lists or sorted((ROOT / "scripts").glob("mutations*.toml")):
        for values in tomllib.loads(path.read_text(encoding="utf-8")).get("mutation", []):
            entries.append(checked(values, path.name))
    names = [entry.name for entry in entries]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise BadEntry(f"used twice: {', '.join(sorted(twice))}")
    return entries


def checked(values: dict[str, Any], where: str) -> Break:
    """The entry, if it fits the code as it is."""
    try:
        entry = Break(**{**values, "invariant": str(values["invariant"]), "tests": tuple(values["tests"])})
    except (KeyError, TypeError) as error:
        raise BadEntry(f"{where}: {values.get('name', values)}: {error}") from error
    path = ROOT / entry.file
    found = path.read_text(encoding="utf-8").count(entry.find) if path.is_file() else 0
    if found != 1:
        raise BadEntry(f"{where}: {entry.name}: its text stands {found} times in {entry.file}, once is right")
    if entry.find == entry.replace or not entry.tests:
        raise BadEntry(f"{where}: {entry.name}: breaks nothing, or names no test")
    if absent := [named for named in entry.tests if not is_there(named)]:
        raise BadEntry(f"{where}: {entry.name}: there is no {', '.join(absent)}")
    return entry


def is_there(named: str) -> bool:
    """Whether such a test, or such a file of tests, exists."""
    file, _, name = named.partition("::")
    return (ROOT / file).is_file() and (not name or name.partition("[")[0] in tests_in(ROOT / file))


@cache
def tests_in(path: Path) -> frozenset[str]:
    """Names of the test functions of one file."""
    return frozenset(re.findall(r"^(?:async )?def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE))


def chosen(entries: list[Break], only: list[str] | None) -> list[Break]:
    if not only:
        return entries
    unknown = set(only) - {entry.name for entry in entries}
    if unknown:
        raise BadEntry(f"no such break: {', '.join(sorted(unknown))}")
    return [entry for entry in entries if entry.name in only]


def run(entries: list[Break], folder: Path, jobs: int) -> int:
    untouched = folder / "untouched"
    shutil.copytree(ROOT, untouched, ignore=LEFT_OUT, symlinks=True)
    print(f"{len(entries)} breaks; first the tests without any", flush=True)
    status, said = test(untouched, dict.fromkeys(name for entry in entries for name in entry.tests))
    if status != PASSED:
        raise BadEntry(f"the tests do not pass without a break:\n{said}")
    missed = 0
    with ThreadPoolExecutor(jobs) as pool:
        for result in pool.map(lambda entry: tried(entry, untouched, folder), entries):
            missed += not result.noticed
            verdict = "noticed" if result.noticed else "NOT NOTICED"
            entry = result.entry
            print(
                f"{verdict:>11}  {result.seconds:5.1f} s  invariant {entry.invariant:>3}  {entry.name}: {result.said}",
                flush=True,
            )
    print(f"{len(entries) - missed} of {len(entries)} breaks noticed")
    return 1 if missed else 0


def tried(entry: Break, untouched: Path, folder: Path) -> Result:
    """Makes one break in a copy of its own and runs its tests. Raises BadEntry when they cannot even be collected."""
    copy = Path(tempfile.mkdtemp(prefix="break-", dir=folder))
    try:
        tree = copy / "tree"
        shutil.copytree(untouched, tree, symlinks=True)
        path = tree / entry.file
        path.write_text(path.read_text(encoding="utf-8").replace(entry.find, entry.replace), encoding="utf-8")
        before = time.monotonic()
        status, said = test(tree, entry.tests)
        took = time.monotonic() - before
    finally:
        shutil.rmtree(copy)
    if status not in (PASSED, FAILED):
        raise BadEntry(f"{entry.name}: the tests do not run with this break (status {status}):\n{said}")
    return Result(entry, status == FAILED, took, summary(said))


def test(tree: Path, names: Iterable[str]) -> tuple[int, str]:
    """pytest's exit status and output, with the copy's own packages in front of any installed ones."""
    paths = [str(tree), str(tree / "client"), str(tree / "lottery_core")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONDONTWRITEBYTECODE": "1", "NO_SHRINK": "1"}
    command = [python(), "-m", "pytest", "-x", "-q", "--no-header", "-p", "no:cacheprovider", *names]
    try:
        done = subprocess.run(
            command, cwd=tree, env=environment, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return FAILED, f"no end within {TIMEOUT_S} s"
    return done.returncode, done.stdout[-3000:] + done.stderr[-1000:]


def python() -> str:
    own = ROOT / ".venv" / "bin" / "python"
    return str(own) if own.exists() else sys.executable


def summary(said: str) -> str:
    lines = [line for line in said.splitlines() if line.startswith(("FAILED", "ERROR"))] or said.strip().splitlines()[-1:]
    return lines[0][:110] if lines else "no output"


if __name__ == "__main__":
    sys.exit(main())
