"""The only place that asks what time it is.

Pure code takes ``now`` as a value; edges hold a `Clock`. A process may be told an offset, so that tests can run it with a
skewed clock or on another day; `monotonic` never moves with it.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

# Two machines that disagree by more than this cannot go by each other's times.
OFF_MAX_MS = 30_000


class Clock:
    """Wall-clock time with an offset in seconds."""

    def __init__(self, offset_s: float = 0.0) -> None:
        self.offset_s = offset_s

    def now(self) -> datetime:
        """Aware, UTC."""
        return datetime.now(UTC) + timedelta(seconds=self.offset_s)

    def now_ms(self) -> int:
        """Milliseconds since 1970."""
        return int((time.time() + self.offset_s) * 1000)

    def monotonic(self) -> float:
        """Seconds that never go back; for durations only."""
        return time.monotonic()


class ServerClock:
    """Redis' own time, told from the local clock and a measured offset; orders expire by it.

    `measured` is fed with a pair of the server's time and the local time around the call. ``doubt_ms`` is how wrong it may be.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.offset_ms: int | None = None
        self.doubt_ms: int = 0
        self.corrected_s: float = 0.0

    def measured(self, server_ms: int, before_ms: int, after_ms: int) -> None:
        """Take one measurement: the server said ``server_ms`` between local ``before_ms`` and ``after_ms``."""
        self.offset_ms = server_ms - (before_ms + after_ms) // 2
        self.doubt_ms = (after_ms - before_ms) // 2 + 1

    @property
    def off_s(self) -> float:
        """How many seconds the local clock is ahead of Redis', if that is too many; otherwise 0."""
        offset_ms = self.offset_ms or 0
        return -offset_ms / 1000 if abs(offset_ms) > OFF_MAX_MS else 0.0

    def correct(self) -> None:
        """The local clock, which is off, goes by Redis' from now on. Measure again afterwards."""
        self._clock.offset_s -= self.off_s
        self.corrected_s -= self.off_s

    def now_ms(self) -> int:
        """Redis' time in ms; the local time while nothing was measured."""
        return self._clock.now_ms() + (self.offset_ms or 0)


def from_unix(seconds: float) -> datetime:
    """Aware UTC time of a unix time in seconds."""
    return datetime.fromtimestamp(seconds, UTC)
