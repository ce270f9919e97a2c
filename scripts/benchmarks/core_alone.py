"""The lottery's core without a site: folds the events of lanes from a file, and tells how long that took and what it holds.

`python -m scripts.benchmarks.core_alone FILE`: one JSON list of events a line, each a lane. Prints one line of JSON and waits
for the end of its input.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from lottery import event_json, proofs, rounds


def folded(lines: list[str]) -> list[Any]:
    held = []
    for line in lines:
        first, *later = [event_json.from_json(values) for values in json.loads(line)]
        state = rounds.create(first, None)  # type: ignore[arg-type]
        for event in later:
            rounds.apply(state, event, proofs.check)  # type: ignore[arg-type]
        held.append(state)
    return held


def main(path: str) -> None:
    began = time.perf_counter()
    held = folded(Path(path).read_text().splitlines())
    print(json.dumps({"seconds": time.perf_counter() - began, "lanes": len(held)}), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main(sys.argv[1])
