"""The steps of `scripts/check`: each prints one line with its seconds and OK or FAIL, and its output if it failed.

Named steps only (`scripts/check lint types`), or all of them.
"""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TOOLS = Path(sysconfig.get_path("scripts"))

# What needs servers, workers or the whole fleet, and what is marked slow, is for `scripts/test`.
NOT_QUICK = {"balancer_core", "balancer_http", "bot_worker", "data", "flow"}


def steps() -> dict[str, list[str]]:
    quick = [str(folder.relative_to(ROOT)) for folder in test_folders() if folder.name not in NOT_QUICK]
    marks = "not slow and not long and not twin and not e2e"
    return {
        "format": [str(TOOLS / "ruff"), "format", "--check", "."],
        "lint": [str(TOOLS / "ruff"), "check", "."],
        "types": [sys.executable, "-m", "mypy"],
        "lottery": [sys.executable, "-m", "mypy", "--strict", "lottery_core/lottery"],
        "imports": [str(TOOLS / "lint-imports"), "--no-logo"],
        "commits": [sys.executable, "-m", "scripts.commits"],
        "tests": [sys.executable, "-m", "pytest", "-q", "-n", "2", "--dist", "loadgroup", "-m", marks, *quick],
    }


def test_folders() -> list[Path]:
    return sorted(path for path in (ROOT / "tests").iterdir() if path.is_dir() and any(path.rglob("test_*.py")))


def main(names: Sequence[str]) -> int:
    known = steps()
    unknown = [name for name in names if name not in known]
    if unknown:
        print(f"check: there is no step {', '.join(unknown)}; the steps are {', '.join(known)}")
        return 2
    failed = [name for name in names or known if not passes(name, known[name])]
    print(f"check: {', '.join(failed)} failed" if failed else "check: all OK")
    return 1 if failed else 0


def passes(name: str, command: list[str]) -> bool:
    started = time.monotonic()
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    ok = done.returncode == 0
    print(f"{name:<8} {time.monotonic() - started:6.1f} s  {'OK' if ok else 'FAIL'}", flush=True)
    if not ok:
        print(done.stdout.rstrip(), end="\n\n", flush=True)
    return ok


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
