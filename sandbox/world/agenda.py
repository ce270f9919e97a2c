"""What will happen by itself, and when."""

import heapq

EXPIRE = "expire"
SETTLE = "settle"
RELEASE = "release"
ACT = "act"
REVERSE = "reverse"
TAKE_BACK = "take back"


class Agenda:
    """Events in order of time."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, str, int]] = []
        self._count = 0

    def add(self, at: float, what: str, which: int) -> None:
        """Note an event: `what` is one of this module's names, `which` an offer id, a trade id or a SteamID64."""
        self._count += 1
        heapq.heappush(self._heap, (at, self._count, what, which))

    def next_at(self) -> float | None:
        return self._heap[0][0] if self._heap else None

    def pop_due(self, now: float) -> tuple[float, str, int] | None:
        """The earliest event if its time has come."""
        if not self._heap or self._heap[0][0] > now:
            return None
        at, _, what, which = heapq.heappop(self._heap)
        return at, what, which
