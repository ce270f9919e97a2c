"""The engine's clock, and what it is held against.

A clock that runs late is dangerous: it would let a round close on a beacon that is public already. So beacons correct it: a
beacon that is known proves that its time has come. `now_ms` is never before the newest one, and while the machine's clock lies
more than a second behind it, the clock is `wrong` and no bet is taken (W18).
"""

from __future__ import annotations

import time
from collections.abc import Callable

SLOW_MS = 1_000
STEP_MS = 500


def wall_ms() -> int:
    return time.time_ns() // 1_000_000


def steady_ms() -> int:
    return time.monotonic_ns() // 1_000_000


class Clock:
    """`skew_ms` is for tests: how far this machine's clock is off."""

    def __init__(self, skew_ms: int = 0, wall: Callable[[], int] = wall_ms, steady: Callable[[], int] = steady_ms) -> None:
        self._wall, self._steady, self._skew_ms = wall, steady, skew_ms
        self._floor_ms = 0
        self._apart_ms = self.machine_ms() - steady()
        self.wrong = False

    def machine_ms(self) -> int:
        """What the machine says."""
        return self._wall() + self._skew_ms

    def now_ms(self) -> int:
        """Unix ms, and never before a beacon that was seen."""
        return max(self.machine_ms(), self._floor_ms)

    def saw(self, time_ms: int) -> None:
        """Something that proves that this moment has come: a beacon."""
        self._floor_ms = max(self._floor_ms, time_ms)
        if time_ms > self.machine_ms() + SLOW_MS:
            self.wrong = True

    def compared(self) -> None:
        """It was held against beacons or another clock, and is right unless one of them said otherwise since."""
        self.wrong = self._floor_ms > self.machine_ms() + SLOW_MS

    def stepped(self) -> bool:
        """Whether somebody has set the machine's clock since the last time this was asked."""
        apart = self.machine_ms() - self._steady()
        moved, self._apart_ms = abs(apart - self._apart_ms) > STEP_MS, apart
        return moved
