"""Another process that holds the write lock of an SQLite file, as a backup or somebody's shell does who forgot to commit."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PROGRAM = """
import sqlite3, sys
held = sqlite3.connect(sys.argv[1], timeout=60, isolation_level=None)
held.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.read()
"""


class WriteLock:
    """Held from the moment it is made until `free`; it ends with whoever made it, too. Raises OSError if it was not got."""

    def __init__(self, path: Path) -> None:
        command = [sys.executable, "-c", _PROGRAM, str(path)]
        self._holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._holder.stdout is not None
        if self._holder.stdout.readline().strip() != b"held":
            self.free()
            raise OSError(f"nobody got the write lock of {path}")

    def free(self) -> None:
        """Nothing was written. Once it is free it stays so."""
        with self._holder as holder:  # closes its input, at which it ends, and waits
            pass
        assert holder.returncode is not None


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Nobody else writes the file meanwhile."""
    lock = WriteLock(path)
    try:
        yield
    finally:
        lock.free()
