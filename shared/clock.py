"""The only place that asks what time it is.

Pure code takes ``now`` as a value; edges hold a `Clock`. A process may be told an offset, so that tests can run it with a
skewed clock; `monotonic` never moves with it. And all parts of a fleet that tests may be moved on together, while they run, to
see in a moment what would take days (`MovedTime`). Whoever stands outside of that fleet, Redis above all, is not moved: what is
compared with such a one's time is asked for as ``unmoved``.
"""

from __future__ import annotations

import math
import mmap
import struct
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

from shared.errors import SettingsError
from shared.sections import ClockSettings

# Two machines that disagree by more than this cannot go by each other's times.
OFF_MAX_MS = 30_000


# In the file of a `MovedTime`: seconds as a little-endian double. Eight bytes that lie so are written and read in one piece.
_SECONDS = struct.Struct("<d")


class MovedTime:
    """By how many seconds a whole fleet was moved on: a file that each part maps, and that only grows.

    A change is there at the next look; nobody has to be told, and a look is no call of the system.
    """

    def __init__(self, file: Path) -> None:
        """
        Raises:
            SettingsError: there is no such file, or it holds something else.
        """
        try:
            with file.open("rb") as opened:
                self._map = mmap.mmap(opened.fileno(), _SECONDS.size, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:
            raise SettingsError(f"[clock] moved_file: {file} cannot be read ({error}); leave it out") from None
        if not (math.isfinite(self.seconds) and self.seconds >= 0):
            raise SettingsError(f"[clock] moved_file: {file} holds no seconds; leave it out")

    @property
    def seconds(self) -> float:
        found: float = _SECONDS.unpack_from(self._map)[0]
        return found


class Clock:
    """Wall-clock time with an offset in seconds, in a fleet that may be moved on."""

    def __init__(self, offset_s: float = 0.0, moved: MovedTime | None = None) -> None:
        self.offset_s = offset_s
        self._moved = moved

    @classmethod
    def of(cls, settings: ClockSettings) -> Self:
        """The clock of a part of the fleet.

        Raises:
            SettingsError: as `MovedTime`.
        """
        return cls(settings.offset_s, MovedTime(Path(settings.moved_file)) if settings.moved_file else None)

    @property
    def moved_ms(self) -> int:
        """By how much this fleet is ahead of everybody else. It never gets less."""
        return 0 if self._moved is None else int(self._moved.seconds * 1000)

    def now(self) -> datetime:
        """Aware, UTC."""
        return self.unmoved() + timedelta(milliseconds=self.moved_ms)

    def now_ms(self) -> int:
        """Milliseconds since 1970."""
        return self.unmoved_ms() + self.moved_ms

    def unmoved(self) -> datetime:
        """What time it is outside of a fleet that was moved on. Aware, UTC."""
        return datetime.now(UTC) + timedelta(seconds=self.offset_s)

    def unmoved_ms(self) -> int:
        """The same in milliseconds since 1970."""
        return int((time.time() + self.offset_s) * 1000)

    def monotonic(self) -> float:
        """Seconds that never go back; for durations only."""
        return time.monotonic()


class ServerClock:
    """Redis' own time, told from the local clock and a measured offset; orders expire by it.

    `measured` is fed with a pair of the server's time and the local time around the call, both unmoved. ``doubt_ms`` is how
    wrong it may be. Where the fleet was moved on, so is the time that this tells.
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
        """Redis' time in ms, moved on with the fleet; the local time while nothing was measured."""
        return self._clock.now_ms() + (self.offset_ms or 0)

    def unmoved_ms(self) -> int:
        """Redis' time as Redis has it: for the age of signs of life, as whoever was moved on is no less alive."""
        return self._clock.unmoved_ms() + (self.offset_ms or 0)


def from_unix(seconds: float) -> datetime:
    """Aware UTC time of a unix time in seconds."""
    return datetime.fromtimestamp(seconds, UTC)
