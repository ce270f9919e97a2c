"""A record of a hundred items, checked by the scripts of a round's page: in Node, which runs them as a browser does."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from scripts.benchmarks.options import Options
from scripts.benchmarks.rows import BenchError, Floor, Row
from scripts.benchmarks.running import folder

Say = Callable[[str], None]
TESTS = Path(__file__).resolve().parents[2] / "website" / "tests"
ITEMS = 100
SAID = 500
"""Signs of what failed that are passed on; the line that a script of one line names is long."""


def in_a_browser(options: Options, say: Say) -> Iterator[Row]:
    """All checks of one record, beside as many bare hashes and one bare pairing."""
    say("proof")
    node = shutil.which("node")
    if node is None:
        raise BenchError("Node.js is not here: apt-get install nodejs")
    with folder() as directory:
        record = directory / "record.json"
        _run(sys.executable, TESTS / "proof_corpus.py", record, "--one", str(ITEMS))
        found = json.loads(_run(node, TESTS / "js" / "bench.js", record, str(options.repeats)))
    note = f"{found['first']:.0f} ms the first time, before anything is compiled; the baseline is hashes and a pairing, bare"
    name = f"a record of {found['items']} items checked in a browser"
    yield Row(name, "ms", found["ours"], found["baseline"], floor=Floor.most(300), goal="≤ 300", note=note)


def _run(*command: str | Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchError(f"{Path(command[1]).name} failed: {done.stderr[-SAID:]}")
    return done.stdout
