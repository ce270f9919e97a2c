"""The command line: check a sealed record, tell its story, simulate rounds, replay a list of events.

Exit codes of `verify` and `explain`: 0 everything checked holds, 1 a lie was found, 2 there is no readable record.
"""

import argparse
import importlib
import importlib.util
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lottery.verify.report import Report

GOOD, LIE, UNREADABLE = 0, 1, 2
RECORD_BYTES_MAX = 1 << 30
# Commands of other modules: each has `add_commands(subparsers)` and sets `run` as a default of its parsers.
COMMAND_MODULES = ("lottery.simulate", "lottery.replay")
OWN_COMMANDS = ("verify", "explain")
VERDICTS = {
    True: "Everything that this record can prove holds.",
    False: "This record lies. Nothing after the lie was checked.",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the answer is the exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    parsed = parser(words).parse_args(words)
    code: int = parsed.run(parsed)
    return code


def parser(words: Sequence[str]) -> argparse.ArgumentParser:
    """All commands. Modules that `words` do not need are not imported, so that checking a record starts fast."""
    top = argparse.ArgumentParser(
        prog="lottery", description="Provably fair rounds: check a sealed record, read its story, simulate, replay."
    )
    commands = top.add_subparsers(title="commands", required=True, metavar="COMMAND")
    checking = commands.add_parser(
        "verify",
        help="check every claim of a sealed record",
        description="Compute again what a sealed record claims. Exit code: 0 all holds, 1 a lie, 2 no readable record.",
    )
    checking.add_argument("record", help="file with the record as it was published (canonical JSON), or - for standard input")
    checking.add_argument("--json", action="store_true", help="print the checks for programs")
    checking.set_defaults(run=run_verify)
    telling = commands.add_parser("explain", help="tell the story of one round in plain sentences")
    telling.add_argument("record", help="file with the record, or - for standard input")
    telling.set_defaults(run=run_explain)
    if words[:1] and words[0] in OWN_COMMANDS:
        return top
    for name in COMMAND_MODULES:
        if importlib.util.find_spec(name) is not None:
            importlib.import_module(name).add_commands(commands)
    return top


def run_verify(parsed: argparse.Namespace) -> int:
    """Check one record and print what was found."""
    from lottery import verify

    try:
        report = verify.verify(read_bytes(parsed.record))
    except (OSError, verify.Unreadable) as error:
        return unreadable(error, parsed.json)
    if parsed.json:
        checks = [{"check": each.name, "value": each.value, "holds": each.holds} for each in report.checks]
        print_line(json.dumps({"good": report.good, "checks": checks, "not_proven": report.not_proven}, ensure_ascii=False))
    else:
        print_report(report)
    return GOOD if report.good else LIE


def print_report(report: "Report") -> None:
    """One line per check, then what stays open, then the verdict."""
    for check in report.checks:
        print_line(f"{'ok ' if check.holds else 'LIE'}  {check.name}: {check.value}")
    for open_end in report.not_proven if report.good else []:
        print_line(f"--   not proven here: {open_end}")
    print_line(VERDICTS[report.good])


def run_explain(parsed: argparse.Namespace) -> int:
    """Tell the story of a record, and whether it is true."""
    from lottery import explain, verify

    try:
        lines, good = explain.story(read_bytes(parsed.record))
    except (OSError, verify.Unreadable) as error:
        return unreadable(error, False)
    for line in lines:
        print_line(line)
    return GOOD if good else LIE


def read_bytes(name: str) -> bytes:
    """The record, from a file or from standard input. Raises: OSError."""
    if name == "-":
        return sys.stdin.buffer.read(RECORD_BYTES_MAX)
    with Path(name).open("rb") as file:
        return file.read(RECORD_BYTES_MAX)


def unreadable(error: Exception, as_json: bool) -> int:
    """Say why there is nothing to check."""
    if as_json:
        print_line(json.dumps({"good": False, "unreadable": str(error)}, ensure_ascii=False))
    sys.stderr.write(f"lottery: {error}\n")
    return UNREADABLE


def print_line(line: str) -> None:
    """To standard output, whatever its encoding can write."""
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(line.encode(encoding, "backslashreplace").decode(encoding) + "\n")
