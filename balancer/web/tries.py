"""Wrong tries at tokens and sign-ins, counted against the one who makes them."""

from __future__ import annotations

import math
from collections import OrderedDict

from aiohttp import web

from shared.errors import RateLimited

TRIES_MAX = 10
TRY_BACK_S = 6.0
ADDRESSES_MAX = 10_000


class Tries:
    """A bucket of tries per address: ten at once, then one every six seconds. In memory and bounded.

    A try is taken before its check and given back when it was right, so that many at once are no more than the bucket holds.
    """

    def __init__(self) -> None:
        self.back_s = TRY_BACK_S
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, address: str, now: float) -> None:
        """Take one try of this address.

        Raises:
            RateLimited: ``too_many_tries``, with the seconds until the next one.
        """
        left = self._now(address, now)
        if left < 1:
            wait_s = math.ceil((1 - left) * self.back_s)
            raise RateLimited("Too many wrong tries from this address.", code="too_many_tries", retry_after_s=wait_s)
        self._keep(address, left - 1, now)

    def give_back(self, address: str, now: float) -> None:
        """It was right."""
        self._keep(address, min(float(TRIES_MAX), self._now(address, now) + 1), now)

    def _keep(self, address: str, left: float, now: float) -> None:
        self._left[address] = (left, now)
        self._left.move_to_end(address)
        while len(self._left) > ADDRESSES_MAX:
            self._left.popitem(last=False)

    def _now(self, address: str, now: float) -> float:
        left, since = self._left.get(address, (float(TRIES_MAX), now))
        return min(float(TRIES_MAX), left + (now - since) / self.back_s)


TRIES: web.AppKey[Tries] = web.AppKey("tries", Tries)
