"""The command line: check a sealed record or a whole lane, tell a record's story, simulate rounds, replay a list of events.

Exit codes of `verify` and `explain`: 0 everything checked holds, 1 a lie was found, 2 there is no readable record, 3 nothing is
wrong, but the draw itself could not be checked here.
"""

import argparse
import importlib
import importlib.util
import json
import sys
from collections.abc import Iterator, Sequence
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lottery.errors import printable

if TYPE_CHECKING:
    from lottery.verify.lane import Beside, Lane
    from lottery.verify.report import Report

GOOD, LIE, UNREADABLE, UNCHECKED = 0, 1, 2, 3
CODES = {"good": GOOD, "lie": LIE, "unchecked": UNCHECKED}
RECORD_BYTES_MAX = 1 << 30
HEIGHT_DIGITS_MAX = 9
LINE_SHOWN, PRINTED_MAX = 500, RECORD_BYTES_MAX
# Commands of other modules: each has `add_commands(subparsers)` and sets `run` as a default of its parsers.
COMMAND_MODULES = ("lottery.simulate", "lottery.replay")
OWN_COMMANDS = ("verify", "explain")
VERDICTS = {
    "good": "Everything that this record can prove holds.",
    "lie": "This record lies. Nothing after the lie was checked.",
    "unchecked": "Nothing is wrong, but the draw itself could not be checked here.",
}
FAILED = "The house did not finish this round. Everything else in the record holds, but it is no record of a fair draw."
LANE_VERDICTS = {
    "good": "Everything that these records can prove holds, and they hang together without a gap.",
    "lie": "This lane lies.",
    "unchecked": "Nothing is wrong, but some draws themselves could not be checked here.",
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
        help="check every claim of a sealed record, or of a whole lane",
        description="Compute again what a sealed record claims. Exit code: 0 all holds, 1 a lie, 2 no readable record, "
        "3 nothing wrong, but the draw itself could not be checked here.",
    )
    add_verify(checking)
    telling = commands.add_parser("explain", help="tell the story of one round in plain sentences")
    telling.add_argument("record", help="file with the record, or - for standard input")
    telling.set_defaults(run=run_explain)
    if words[:1] and words[0] in OWN_COMMANDS:
        return top
    for name in COMMAND_MODULES:
        if importlib.util.find_spec(name) is not None:
            importlib.import_module(name).add_commands(commands)
    return top


def add_verify(checking: argparse.ArgumentParser) -> None:
    """What can be said to `verify`."""
    checking.add_argument("record", nargs="?", help="file with the record as it was published, or - for standard input")
    checking.add_argument("--previous", metavar="FILE", help="the record of the round before")
    checking.add_argument("--anchor", metavar="HEX", help="the published first value of the lane's chain")
    checking.add_argument(
        "--receipt", metavar="FILE", action="append", default=[], help="the receipt of a bet; may be repeated"
    )
    checking.add_argument("--lane", metavar="FOLDER", help="check all records (*.json) of a lane, and that none is missing")
    checking.add_argument(
        "--trust-chain", metavar="HASH", action="append", default=[], help="a drand chain that you know to be a public one"
    )
    checking.add_argument(
        "--trust-block",
        metavar="HEIGHT:HASH",
        action="append",
        default=[],
        help="a block that you looked up: the first in time",
    )
    checking.add_argument("--json", action="store_true", help="print the checks for programs")
    checking.set_defaults(run=run_verify)


def run_verify(parsed: argparse.Namespace) -> int:
    """Check one record, or a lane, and print what was found."""
    from lottery.verify import Unreadable, lane

    try:
        beside = what_is_beside(parsed)
        if parsed.lane is not None:
            if parsed.record is not None or parsed.previous is not None:
                raise Unreadable("a lane is checked as a whole, without a record or the one before it")
            return print_lane(lane.verify_lane(records_of(parsed.lane), beside), parsed.json)
        if parsed.record is None:
            raise Unreadable("say which record, or --lane")
        report = lane.check_beside(read_record(parsed.record), beside)
    except (OSError, Unreadable) as error:
        return unreadable(error, parsed.json)
    if parsed.json:
        print_line(json.dumps(as_json(report)))
    else:
        print_report(report)
    return CODES[report.verdict]


def what_is_beside(parsed: argparse.Namespace) -> "Beside":
    """The record before, the anchor, receipts, and what the reader vouches for. Raises: OSError, Unreadable."""
    from lottery.verify import Unreadable, lane
    from lottery.verify.reading.shape import hash32

    try:
        anchor = None if parsed.anchor is None else hash32(parsed.anchor)
        trusted = frozenset([hash32(each).hex() for each in parsed.trust_chain] + [block(each) for each in parsed.trust_block])
    except Unreadable as error:
        raise Unreadable(f"a hash of 32 bytes in lower-case hex{error}") from error
    previous = None if parsed.previous is None else read_record(parsed.previous)
    receipts = tuple(lane.read_receipt(read_bytes(name)) for name in parsed.receipt)
    return lane.Beside(previous, anchor, receipts, trusted)


def block(named: str) -> str:
    """HEIGHT:HASH, as the record has them. Raises: Unreadable."""
    from lottery.verify import Unreadable
    from lottery.verify.reading.shape import hash32

    height, _, name = named.partition(":")
    if not (height.isascii() and height.isdigit() and len(height) <= HEIGHT_DIGITS_MAX and str(int(height)) == height):
        raise Unreadable(", behind the height of the block and a colon")
    return f"{height}:{hash32(name).hex()}"


def records_of(folder: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The records of a lane by name, one after the other. Raises: OSError, Unreadable, naming the file."""
    from lottery.verify import Unreadable

    for path in sorted(Path(folder).iterdir()):
        if path.suffix == ".json":
            try:
                yield path.name, read_record(str(path))
            except Unreadable as error:
                raise Unreadable(f"{path.name}: {error}") from error


def as_json(report: "Report") -> dict[str, Any]:
    """A report for programs."""
    checks = [{"check": each.name, "value": each.value, "holds": each.holds} for each in report.checks]
    told = {"good": report.good, "verdict": report.verdict, "checks": checks}
    return {**told, "unchecked": report.unchecked, "not_proven": report.not_proven}


def print_report(report: "Report") -> None:
    """One line per check, then what stays open, then the verdict."""
    for check in report.checks:
        print_line(f"{'ok ' if check.holds else 'LIE'}  {check.name}: {check.value}")
    for reason in report.unchecked if report.verdict != "lie" else []:
        print_line(f"??   could not be checked here: {reason}")
    for open_end in report.not_proven if report.verdict != "lie" else []:
        print_line(f"--   not proven here: {open_end}")
    failed = report.lie is not None and report.lie[0] == "house's failure"
    print_line(FAILED if failed else VERDICTS[report.verdict])


def print_lane(lane: "Lane", for_programs: bool) -> int:
    """One line per round, how rounds ended, and the verdict on all of them."""
    if for_programs:
        rounds = [{"id": number, "file": name, "verdict": each.verdict, "lie": each.lie} for number, name, each in lane.rounds]
        told = {"good": lane.verdict == "good", "verdict": lane.verdict, "lie": lane.lie, "ends": dict(lane.ends)}
        print_line(json.dumps({**told, "notes": lane.notes, "rounds": rounds}))
        return CODES[lane.verdict]
    marks = {"good": "ok ", "lie": "LIE", "unchecked": "?? "}
    for number, name, report in lane.rounds:
        why = ": ".join(report.lie) if report.lie else "; ".join(report.unchecked)
        print_line(f"{marks[report.verdict]}  round {number} ({name}){': ' + why if why else ''}")
    for by, count in sorted(lane.ends.items()):
        print_line(f"     {count} ended by {by}")
    for note in lane.notes:
        print_line(f"--   not proven here: {note}")
    if lane.lie is not None:
        print_line(f"LIE  {lane.lie}")
    print_line(LANE_VERDICTS[lane.verdict])
    return CODES[lane.verdict]


def run_explain(parsed: argparse.Namespace) -> int:
    """Tell the story of a record, and whether it is true."""
    from lottery import explain, verify

    try:
        lines, verdict = explain.story(read_bytes(parsed.record))
    except (OSError, verify.Unreadable) as error:
        return unreadable(error, False)
    for line in lines:
        print_line(line)
    return CODES[verdict]


def read_bytes(name: str) -> bytes:
    """The record, from a file or from standard input. Raises: OSError."""
    if name == "-":
        return sys.stdin.buffer.read(RECORD_BYTES_MAX)
    with Path(name).open("rb") as file:
        return file.read(RECORD_BYTES_MAX)


def read_record(name: str) -> dict[str, Any]:
    """A record, strictly read. A file is mapped to memory, so that a large one is never there as a whole.

    Raises: OSError, Unreadable.
    """
    from lottery.verify.reading.shape import read
    from lottery.verify.reading.strict import parse

    path = Path(name)
    if name == "-" or not path.is_file() or not path.stat().st_size:
        return read(parse(read_bytes(name)))
    with path.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as text:
        return read(parse(text))


def unreadable(error: Exception, as_json: bool) -> int:
    """Say why there is nothing to check."""
    if as_json:
        print_line(json.dumps({"good": False, "verdict": "unreadable", "unreadable": printable(str(error))}))
    sys.stderr.write(f"lottery: {printable(str(error), LINE_SHOWN)}\n".encode("ascii", "backslashreplace").decode())
    return UNREADABLE


def print_line(line: str) -> None:
    """To standard output, whatever its encoding can write; nothing in it can move the cursor or hide another line."""
    encoding = sys.stdout.encoding or "utf-8"
    safe = printable(line, PRINTED_MAX if line.startswith("{") else LINE_SHOWN)
    sys.stdout.write(safe.encode(encoding, "backslashreplace").decode(encoding) + "\n")
