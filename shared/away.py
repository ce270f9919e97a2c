"""Redis does not answer: logged once with its address, then once a minute, and once more when it is back.

Everything that needs Redis notices it within the same second and tries on every second; a line of each of them hides the one
thing that somebody has to know.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from shared import log
from shared.clock import Clock

AGAIN_S = 60.0

_log = log.get(__name__)


class RedisAway:
    """What one process says of its Redis. From any thread; two lines instead of one do no harm."""

    def __init__(self, url: str, clock: Clock) -> None:
        self.address = address_of(url)
        self._clock = clock
        self._since: float | None = None
        self._said = 0.0
        self._failures = 0

    def noticed(self, error: Exception, action: str = "") -> None:
        """Something could not be done for want of Redis."""
        now = self._clock.monotonic()
        self._failures += 1
        if self._since is not None and now - self._said < AGAIN_S:
            return
        if self._since is None:
            self._since = now
        self._said = now
        more = {"action": action} if action else {}
        away_s = round(now - self._since, 1)
        _log.warning(
            "redis cannot be used", address=self.address, reason=_words(error), away_s=away_s, failures=self._failures, **more
        )

    def back(self) -> None:
        """Redis has answered."""
        if self._since is not None:
            away_s = round(self._clock.monotonic() - self._since, 1)
            _log.warning("redis can be used again", address=self.address, away_s=away_s, failures=self._failures)
            self._since, self._failures = None, 0


def address_of(url: str) -> str:
    """Where a Redis URL leads, as in ``redis://host:6379/0``: without user and password."""
    parts = urlsplit(url)
    if parts.scheme == "unix":
        return f"unix://{parts.path}"
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or "localhost"
    return f"{parts.scheme}://{host}:{parts.port or 6379}{parts.path}"


def _words(error: Exception) -> str:
    """The kind of error and the first line of what it says."""
    said = str(error).partition("\n")[0]
    return f"{type(error).__name__}: {said}"[:200] if said else type(error).__name__
