"""The steps of `scripts/check`: each prints one line with its seconds and OK or FAIL, and its output if it failed."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TOOLS = Path(sysconfig.get_path("scripts"))

# What needs servers, workers or the whole fleet, and what is marked slow, is for `scripts/test`.
NOT_QUICK = {"balancer_core", "balancer_http", "bot_worker", "data", "flow"}


def steps() -> dict[str, list[str]]:
    quick = [str(folder.relative_to(ROOT)) for folder in test_folders() if folder.name not in NOT_QUICK]
    marks = "not slow and not long and not e2e"
    return {
        "format": [str(TOOLS / "ruff"), "format", "--check", "."],
        "lint": [str(TOOLS / "ruff"), "check", "."],
        "types": [sys.executable, "-m", "mypy"],
        "lottery": [sys.executable, "-m", "mypy", "--strict", "lottery_core/lottery"],
        "imports": [str(TOOLS / "lint-imports"), "--no-logo"],
        "tests": [sys.executable, "-m", "pytest", "-q", "-n", "2", "--dist", "loadgroup", "-m", marks, *quick],
    }


def test_folders() -> list[Path]:
    return sorted(path for path in (ROOT / "tests").iterdir() if path.is_dir() and any(path.rglob("test_*.py")))


def main() -> int:
    failed = [name for name, command in steps().items() if not passes(name, command)]
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
    sys.exit(main())
