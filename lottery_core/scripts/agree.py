#!/usr/bin/env python3
"""Plays random rooms with the engine and lets the verifier judge each record: any number of them, in several processes.

Usage: python3 lottery_core/scripts/agree.py COUNT [--processes N] [--from FIRST]
Prints how many were played, by verdict and by what ended them. Exit status 1 at a disagreement, which is printed with its seed.
"""

import argparse
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

CORE = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(CORE), str(CORE / "tests" / "verify")]

import plays  # noqa: E402

from lottery import verify  # noqa: E402
from lottery.encoding import canonical_json  # noqa: E402

CHUNK = 500


def judged(first: int) -> tuple[Counter[str], list[str]]:
    """Verdicts and ends of one chunk of seeds, and the disagreements."""
    counts: Counter[str] = Counter()
    lies = []
    for number in range(first, first + CHUNK):
        record = plays.random_record(f"agree {number}")
        report = verify.verify(canonical_json(record))
        counts[f"{report.verdict}, ended by {record['outcome']['closed_by']}"] += 1
        counts[f"mode {record['rules']['mode']}"] += 1
        if report.lie is not None:
            lies.append(f"seed 'agree {number}': {report.lie[0]}: {report.lie[1]}")
    return counts, lies


def main() -> int:
    parser = argparse.ArgumentParser(description="Whether engine and verifier agree on random rooms.")
    parser.add_argument("count", type=int)
    parser.add_argument("--processes", type=int, default=2, metavar="N")
    parser.add_argument("--from", type=int, default=0, dest="first", metavar="FIRST", help="the first seed")
    given = parser.parse_args()
    total: Counter[str] = Counter()
    done, began = 0, time.monotonic()
    with ProcessPoolExecutor(given.processes) as pool:
        for counts, lies in pool.map(judged, range(given.first, given.first + given.count, CHUNK)):
            total += counts
            done += CHUNK
            for lie in lies:
                print(lie, flush=True)
            if lies:
                return 1
            if done % (20 * CHUNK) == 0:
                print(f"{done} rooms, {time.monotonic() - began:.0f} s", flush=True)
    print(f"{done} rooms agree, {time.monotonic() - began:.0f} s")
    for name, count in sorted(total.items()):
        print(f"  {name}: {count}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
