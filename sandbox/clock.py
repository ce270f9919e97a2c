"""The sandbox's two clocks: a movable one for the life of offers, and the real one for codes and keys."""

import asyncio
import contextlib
import math
import os
import struct
import time
from pathlib import Path


class Clock:
    """Real time plus an offset that a test moves.

    Offers, holds and protection use `now()`. Guard codes, confirmation keys and tokens use `real()`: clients
    compute them from their own machine's time (steampy 1.2.0 reads `time.time()` in `guard.py`).
    """

    def __init__(self, offset_s: float = 0.0) -> None:
        self.offset_s = offset_s

    def real(self) -> float:
        """Unix seconds of the machine."""
        return time.time()

    def now(self) -> float:
        """Unix seconds of the simulated world."""
        return time.time() + self.offset_s

    async def wait(self, event: asyncio.Event, seconds: float) -> None:
        """For so long, or until it happens."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(event.wait(), seconds)

    def advance(self, seconds: float) -> None:
        self.offset_s += seconds

    def set_now(self, unix: float) -> None:
        self.offset_s = unix - time.time()


class MovedFile:
    """Moves others on together with the world: they all map this file, which holds seconds as a little-endian double."""

    def __init__(self, path: Path) -> None:
        """Raises: OSError, ValueError when there is no such file or it holds something else."""
        self._path = path
        held = path.read_bytes()
        self.seconds: float = struct.unpack("<d", held)[0] if len(held) == struct.calcsize("<d") else math.nan
        if not (math.isfinite(self.seconds) and self.seconds >= 0):
            raise ValueError(f"{path} holds no seconds")

    def advance(self, seconds: float) -> None:
        """So much later for everybody; in one write, which nobody can see half of. Raises: OSError, and nothing has moved."""
        moved = self.seconds + seconds
        file = os.open(self._path, os.O_WRONLY)
        try:
            os.write(file, struct.pack("<d", moved))
        finally:
            os.close(file)
        self.seconds = moved
