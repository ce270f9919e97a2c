"""Telling Steam's maintenance from a bad moment, by its signs.

Every Tuesday Steam's services go down for a while: gateways answer 502 to 504, the item servers (20), pages come where data was
expected, inventories look empty, sessions that are good look signed out (TF2Autobot ``src/lib/steamMaintenance.ts``). One such
answer says little, several in a row do, and less is needed within the weekly window.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from enum import Enum

from steam.enums import EResult

from shared.clock import Clock
from shared.sections import SteamSettings

CODE = "steam_maintenance"
ENOUGH = 6


class Sign(Enum):
    """What one answer of Steam says about its health."""

    GOOD = "data"
    GATEWAY = "502, 503 or 504"
    DOWN = "EResult 20"
    PAGE = "a page where data was expected"
    EMPTY = "an inventory that is suddenly empty"
    SIGNED_OUT = "needauth, 401 or 403"


# Points of one sign: at any time, and within the weekly window. `ENOUGH` points in a row are maintenance.
POINTS: dict[Sign, tuple[int, int]] = {
    Sign.GOOD: (0, 0),
    Sign.GATEWAY: (1, 2),
    Sign.DOWN: (2, 3),
    Sign.PAGE: (1, 2),
    Sign.EMPTY: (0, ENOUGH),
    Sign.SIGNED_OUT: (0, 3),
}

# Tuesday 13:00 in Los Angeles in summer (UTC-7). In winter (UTC-8) it ends an hour later:
# `[steam] maintenance_lasts_s` holds both.
_WEEK = timedelta(days=7)
_ONE_BEGINNING = datetime(2026, 1, 6, 20, tzinfo=UTC)

_GATEWAY_STATUSES = frozenset({502, 503, 504})
_DOWN_RESULT = EResult.ServiceUnavailable
# Pages by nature, and calls that say in their body what is wrong: whoever reads that tells `Maintenance.saw`.
_PAGES = frozenset({"page", "acknowledge"})
_SAID_IN_BODY = frozenset({"send", "getlist", "ajaxop"})


def in_window(at: datetime, lasts_s: float) -> bool:
    """Whether this moment (aware, UTC) lies in the weekly hours of maintenance, which last so long; 0: there are none."""
    return (at - _ONE_BEGINNING) % _WEEK < timedelta(seconds=lasts_s)


def is_maintenance(row: Sequence[Sign], inside: bool) -> bool:
    """Whether these answers to one kind of call, the last ones in a row, are maintenance; ``inside`` its weekly hours."""
    return sum(POINTS[sign][inside] for sign in row) >= ENOUGH


def sign_of(call: str, status: int, result: int | None, *, page: bool) -> Sign | None:
    """What an answer's status, EResult and form say; ``None`` if nothing about Steam's health."""
    if status in _GATEWAY_STATUSES:
        return Sign.GATEWAY
    if status in (401, 403):
        return Sign.SIGNED_OUT
    if result == _DOWN_RESULT:
        return Sign.DOWN
    if page and call not in _PAGES and (status == 200 or status >= 500):
        return Sign.PAGE
    if status == 200 and result in (None, 1) and call not in _SAID_IN_BODY:
        return Sign.GOOD
    return None


class Maintenance:
    """Keeps the rows of signs. While it is on, absence and emptiness prove nothing.

    It ends with a good answer of the kind that was bad, or ``maintenance_hold_s`` after the last bad one, so that
    something tries again.
    Written by the worker's thread, read by the heartbeat's.
    """

    def __init__(self, clock: Clock, settings: SteamSettings) -> None:
        self._clock = clock
        self._hold_s = settings.maintenance_hold_s
        self._lasts_s = settings.maintenance_lasts_s
        self._rows: dict[str, tuple[Sign, ...]] = {}
        self._bad: frozenset[str] = frozenset()
        self._until = 0.0

    def saw(self, call: str, sign: Sign | None) -> None:
        """One more answer to this kind of call."""
        if sign is None:
            return
        if sign is Sign.GOOD:
            self._rows.pop(call, None)
            self._bad -= {call}
            return
        self._rows[call] = (*self._rows.get(call, ()), sign)[-ENOUGH:]
        if is_maintenance(self._rows[call], self.in_window()):
            self._bad |= {call}
            self._until = self._clock.monotonic() + self._hold_s

    @property
    def on(self) -> bool:
        """Whether Steam is believed to be in maintenance."""
        return bool(self._bad) and self._clock.monotonic() < self._until

    def in_window(self) -> bool:
        """Whether it is the time of the week at which Steam's word counts less."""
        return in_window(self._clock.now(), self._lasts_s)
