"""How many records a second one core verifies: 100 items, 20 players, with rake. Run: python bench_verify.py

The floor is what its hash calls alone would cost. Times are of the process's CPU: the jobs are done in turns many times, so
that all of them meet the same neighbours, and the quickest run of each counts. The hash calls are made ten times over: a job
of a tenth of the length would find a quiet moment on a busy machine more easily than the verification does.
"""

import hashlib
import hmac
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE / "tests" / "verify")]

import plays  # noqa: E402

from lottery import rooms, verify  # noqa: E402
from lottery.encoding import canonical_json  # noqa: E402
from lottery.events import Bet, Row, Start  # noqa: E402
from lottery.verify.reading.shape import read  # noqa: E402

ITEMS, PLAYERS, RUNS, TARGET = 100, 20, 1_000, 2_500
TEN = 10
BASE_RATIO = 10
"""2 500 verifications a second on a machine where the hash calls of a round take 40 us."""
BYTES_PER_ENTRY = 130


def big_record() -> dict[str, Any]:
    """A classic round of 100 items in 50 bets of 20 players; mode none, so that no pairing is measured."""
    room = rooms.load("classic-unlimited", item_limit_max=ITEMS, entropy="none", player_limit=None)
    game = plays.Play("bench 1", room)
    game.do(Start)
    for number in range(ITEMS // 2):
        user = 7001 + number % PLAYERS
        rows = [Row(2 * number + each, game.choose.randrange(1, 40), user, game.choose.randrange(100, 1500)) for each in (1, 2)]
        assert game.do(Bet, user_id=user, rows=tuple(rows))
    game.draw()
    return game.settle()


def quickest(jobs: dict[str, Callable[[], object]], runs: int) -> dict[str, float]:
    """Seconds of CPU of the quickest run of each job."""
    best = dict.fromkeys(jobs, float("inf"))
    for _ in range(runs):
        for name, job in jobs.items():
            begin = time.process_time()
            job()
            best[name] = min(best[name], time.process_time() - begin)
    return best


def hashes_alone(record: dict[str, Any]) -> None:
    """As many SHA-256 and HMAC calls as a verification makes, over texts of the same length."""
    data, key = bytes(BYTES_PER_ENTRY), bytes(32)
    for _ in range(len(record["items"]) + 6):
        hashlib.sha256(data).digest()
    for _ in range(3):
        hmac.digest(key, data, "sha256")


def main(runs: int = RUNS) -> dict[str, float]:
    """Measure and print."""
    record = big_record()
    text = canonical_json(record)
    assert verify.verify(text).good and record["outcome"]["rake"]["taken"]
    jobs: dict[str, Callable[[], object]] = {
        "verify, parsed record": lambda: verify.verify_record(record),
        "verify, from text": lambda: verify.verify(text),
        "of these: shape": lambda: read(record),
        "of these: parse": lambda: json.loads(text),
        "ten times the hash calls": lambda: [hashes_alone(record) for _ in range(TEN)],
    }
    found = quickest(jobs, runs)
    base, took = found["ten times the hash calls"] / TEN, found["verify, parsed record"]
    for name, each in found.items():
        sys.stdout.write(f"{name:24}{1 / each:10,.0f} /s {1e6 * each:8.1f} µs {each / base:6.1f} x hash calls\n")
    met = took <= max(1 / TARGET, BASE_RATIO * base)
    sys.stdout.write(f"target {TARGET} /s or {BASE_RATIO} x hash calls: {'met' if met else 'MISSED'}\n")
    return found


if __name__ == "__main__":
    main()
