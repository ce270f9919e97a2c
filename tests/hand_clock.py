"""The one clock that tests move, and the sandbox's: `from hand_clock import HandClock`."""

from __future__ import annotations

import asyncio
import itertools
import time
from datetime import UTC, datetime

import sandbox.clock
from shared.clock import Clock


class HandClock(Clock):
    """Goes on when a test moves it, wall-clock and monotonic time together: how long the test itself takes changes nothing.

    Each look at it takes a millisecond, so that what comes later is later. One that ``runs`` goes on with real time as well:
    for what shares its times with a Redis or a Steam that do.
    """

    def __init__(self, at: datetime | None = None, *, runs: bool = False) -> None:
        super().__init__()
        self._begun_s = time.time() if at is None else at.timestamp()
        self._begun_monotonic_s = time.monotonic()
        self._runs = runs
        self._looks = itertools.count()
        self._moved_s = 0.0

    def pass_time(self, seconds: float) -> None:
        """So much later. For a wall clock that is wrong, or put right, there is ``offset_s``."""
        self._moved_s += seconds

    def unmoved(self) -> datetime:
        return datetime.fromtimestamp(self._wall_s(), UTC)

    def unmoved_ms(self) -> int:
        return int(self._wall_s() * 1000)

    def monotonic(self) -> float:
        return self._begun_monotonic_s + self._passed_s()

    def _wall_s(self) -> float:
        return self._begun_s + self._passed_s() + self.offset_s

    def _passed_s(self) -> float:
        own_s = time.monotonic() - self._begun_monotonic_s if self._runs else next(self._looks) / 1000
        return own_s + self._moved_s


class SteamsHandClock(sandbox.clock.Clock):
    """A sandbox's clock that stands until a test moves ``at``, also for Guard codes; nobody's answer is kept back."""

    def __init__(self) -> None:
        super().__init__()
        self.at = time.time()

    def real(self) -> float:
        return self.at

    async def wait(self, event: asyncio.Event, seconds: float) -> None:
        return


class SteamsStandingClock(SteamsHandClock):
    """One whose movable time stands too: what is due at a moment can be said to the second."""

    def now(self) -> float:
        return self.at + self.offset_s

    def set_now(self, unix: float) -> None:
        self.offset_s = unix - self.at
