"""The newest messages of a channel, held in memory for those who come back. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

KEPT = 256


class Told(NamedTuple):
    """A message as it is sent: its number in its channel, and its JSON."""

    seq: int
    text: str


class Window:
    """The last `KEPT` messages up to `seq`, without a gap."""

    def __init__(self, seq: int = 0, told: Sequence[Told] = ()) -> None:
        self.seq = seq
        self._told: deque[Told] = deque(maxlen=KEPT)
        for each in told:
            if self._told and each.seq != self._told[-1].seq + 1:
                self._told.clear()
            self._told.append(each)
        if self._told:
            self.seq = self._told[-1].seq

    def add(self, told: Sequence[Told]) -> bool:
        """False, and nothing has changed, when they do not follow."""
        if [each.seq for each in told] != list(range(self.seq + 1, self.seq + 1 + len(told))):
            return False
        self._told.extend(told)
        self.seq += len(told)
        return True

    def after(self, seq: int) -> tuple[str, ...] | None:
        """What came after a number; None when that is more than is kept, or not yet known here."""
        missing = self.seq - seq
        if not 0 <= missing <= len(self._told):
            return None
        return tuple(each.text for each in list(self._told)[len(self._told) - missing :])
