"""From a list of events (JSON) to the sealed record: a function of what happened, so anybody can compute it again."""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lottery import encoding, event_json, proofs, record, rounds
from lottery.errors import LotteryError, printable
from lottery.sources import Check
from lottery.state import Round


def replay(listed: Sequence[Mapping[str, Any]], check: Check = proofs.check) -> Round:
    """The state after the events, beacons checked again.

    Raises LotteryError for a list that is no list of events, Refused for a forbidden one.
    """
    return rounds.fold((event_json.from_json(each) for each in listed), check=check)


def sealed_record(listed: Sequence[Mapping[str, Any]], check: Check = proofs.check) -> dict[str, Any]:
    """The sealed record of a finished round. Raises LotteryError when the events do not finish it."""
    return record.sealed(replay(listed, check))


def add_commands(subparsers: Any) -> None:
    """Adds `replay` to the command line."""
    parser = subparsers.add_parser("replay", help="compute the sealed record from a list of events")
    parser.add_argument("events", help="JSON file with the list of events, or - for standard input")
    parser.add_argument("--output", type=Path, metavar="FILE", help="where to write the record (canonical JSON); else printed")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """The command `replay`: 0 when the events give a sealed record, 2 when they do not."""
    try:
        listed = json.loads(sys.stdin.read() if arguments.events == "-" else Path(arguments.events).read_text(encoding="utf-8"))
        if not isinstance(listed, list):
            raise LotteryError("a list of events is expected")
        text = encoding.canonical_json(sealed_record(listed))
        if arguments.output is not None:
            arguments.output.write_bytes(text)
            return 0
    except (LotteryError, ValueError, OSError, RecursionError) as error:
        sys.stderr.write(f"lottery replay: {printable(str(error))}\n".encode("ascii", "backslashreplace").decode())
        return 2
    sys.stdout.write(text.decode() + "\n")
    return 0
