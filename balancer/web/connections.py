"""How many connections there may be, and how long each may keep us waiting.

Each connection is always in one of two states, *waiting* (for a request) or *busy* (with one), and has a limit of time in both
(`[http]`). All of them are looked at again and again, so a limit costs no timer of its own. When there are too many, from one
address or in all, the one that has waited longest makes room; a busy one never does.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from balancer.web.addresses import Networks
from shared import log
from shared.settings import Settings

_log = log.get(__name__)


class Connection(Protocol):
    """One of them, as the server has it."""

    def check_times(self, now: float) -> None:
        """End it if it has kept us waiting for too long."""

    def end(self) -> None:
        """Close it."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds and counts for connections.

    ``head_s``: from its first byte (or from the connection on) until a request's head is whole. ``idle_s``: between two
    requests. ``busy_s``: from a whole head until the answer is out. ``unread_s``: how long an answer may lie unread.
    """

    head_s: float
    idle_s: float
    busy_s: float
    unread_s: float
    linger_s: float
    in_all: int
    per_address: int

    @classmethod
    def of(cls, settings: Settings) -> Limits:
        http = settings.http
        return cls(
            head_s=http.head_s,
            idle_s=http.idle_s,
            busy_s=settings.balancer.request_max_s + http.unread_s,
            unread_s=http.unread_s,
            linger_s=http.linger_s,
            in_all=http.connections_max,
            per_address=http.connections_per_address_max,
        )


class Connections:
    """All open connections of this process, by address; those that wait for a request in the order in which they began to."""

    def __init__(self, limits: Limits, trusted: Networks, now: Callable[[], float]) -> None:
        self.limits = limits
        self._trusted = trusted
        self.now = now
        self._all: dict[Connection, str | None] = {}
        self._counts: dict[str, int] = defaultdict(int)
        self._waiting: OrderedDict[Connection, None] = OrderedDict()
        self._waiting_at: dict[str, OrderedDict[Connection, None]] = {}
        self._refused = 0

    def __len__(self) -> int:
        return len(self._all)

    def admit(self, newcomer: Connection, peer: str | None) -> bool:
        """Count this connection; if there are too many, the one that waited longest is closed for it. False: no room.

        A trusted proxy's connections are its clients', so they count in all only.
        """
        address = None if peer is None else self._trusted.counted(peer)
        if address is not None and self._counts.get(address, 0) >= self.limits.per_address:
            room = self._make_room(self._waiting_at.get(address))
        else:
            room = len(self._all) < self.limits.in_all or self._make_room(self._waiting)
        if not room:
            self._refused += 1
            return False
        self._all[newcomer] = address
        if address is not None:
            self._counts[address] += 1
        return True

    def waits(self, one: Connection) -> None:
        """It has no request now."""
        if one in self._all:
            self._waiting[one] = None
            if (address := self._all[one]) is not None:
                self._waiting_at.setdefault(address, OrderedDict())[one] = None

    def works(self, one: Connection) -> None:
        """It has a request."""
        self._waiting.pop(one, None)
        address = self._all.get(one)
        if address is not None and (here := self._waiting_at.get(address)) is not None:
            here.pop(one, None)
            if not here:
                del self._waiting_at[address]

    def drop(self, one: Connection) -> None:
        """It is gone, or about to go. Harmless when called again."""
        self.works(one)
        address = self._all.pop(one, None)
        if address is not None:
            self._counts[address] -= 1
            if not self._counts[address]:
                del self._counts[address]

    def check_times(self) -> None:
        """End what is over its time, and say how many had to be turned away meanwhile."""
        now = self.now()
        if self._refused:
            _log.warning("connections refused", action="http", reason="too many", count=self._refused, open=len(self._all))
            self._refused = 0
        for one in list(self._all):
            one.check_times(now)

    def _make_room(self, waiting: OrderedDict[Connection, None] | None) -> bool:
        if not waiting:
            return False
        longest = next(iter(waiting))
        self.drop(longest)
        longest.end()
        return True
