"""Memory of a bot's worker after work, against processes that were each started by themselves with the same imports.

PSS: what a process has for itself, and its share of what it has together with others.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

from scripts.benchmarks.options import Options
from scripts.benchmarks.rows import BenchError, Floor, Row, median
from scripts.benchmarks.running import folder
from scripts.demo_run import players
from scripts.demo_run.players import Tally
from scripts.lab.stack import Stack, Wish

Say = Callable[[str], None]
# What a supervisor loads before it forks its workers, then nothing more until it is told to end.
ALONE = """
import sys
from bot_worker import group
from shared import settings
group.warm_up(settings.load())
print("ready", flush=True)
sys.stdin.read()
"""


class Enough(Exception):
    """As many trades as were wanted have been made."""


def memory(options: Options, say: Say) -> Iterator[Row]:
    """PSS per worker, idle and after the demo's players traded."""
    say("memory per bot")
    if not Path("/proc/self/smaps_rollup").exists():
        raise BenchError("this system does not tell PSS (/proc/<pid>/smaps_rollup)")
    with folder() as directory:
        wish = Wish(directory, bots_per_group=options.bots, protection_s=5, offer_lifetime_s=20, log_level="warning")
        with Stack(wish, say=say) as stack:
            idle = [pss_mb(pid) for pid in worker_pids(stack)]
            trades = _trade(stack, options.trades, say)
            worked = [pss_mb(pid) for pid in worker_pids(stack)]
    alone = _alone(options.bots)
    note = f"{options.bots} bots, {trades} trades; largest {max(worked):.1f} MB; baseline: as many processes started one by one"
    baseline = median(alone)
    yield Row("memory per bot after trades (PSS)", "MB", median(worked), baseline, Floor.most(20), "≤ 16, ≤ 0.3x", note)
    yield Row("memory per bot, idle (PSS)", "MB", median(idle), baseline, goal="≤ 0.3x")


def worker_pids(stack: Stack) -> list[int]:
    """The processes of the bots, from the group's own status."""
    config = stack.host_config(stack.wish.groups[0])
    groups = json.loads(stack.fleet("group", "status", "--json", config=config))
    pids = [row["pid"] for group in groups for row in group["bots"] if row["pid"]]
    if not pids:
        raise BenchError("no worker is running")
    return pids


def pss_mb(pid: int) -> float:
    """Proportional set size in MB."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == "Pss":
            return int(value.split()[0]) / 1024
    raise BenchError("smaps_rollup without Pss")


def _trade(stack: Stack, wanted: int, say: Say) -> int:
    """Let the demo's players play until there are this many trades."""
    tally = Tally()

    def beat() -> None:
        if len(tally.statuses) >= wanted:
            raise Enough

    say(f"  players trade until there are {wanted} trades")
    try:
        asyncio.run(players.play(stack, 1, tally, beat))
    except Enough:
        return len(tally.statuses)
    return len(tally.statuses)


def _alone(count: int) -> list[float]:
    """PSS of processes that each loaded everything by themselves, all alive at once."""
    with ExitStack() as running:
        processes = []
        for _ in range(count):
            process = subprocess.Popen(
                [sys.executable, "-P", "-c", ALONE],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            running.enter_context(process)
            running.callback(process.terminate)
            processes.append(process)
        for process in processes:
            if process.stdout is None or process.stdout.readline().strip() != "ready":
                raise BenchError("a process of its own did not start")
        return [pss_mb(process.pid) for process in processes]
