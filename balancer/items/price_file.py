"""The price file: a JSON file of names and cents, read again whenever it changes.

The file is ``{"AK-47 | Redline (Field-Tested)": 1234}`` or ``{"prices": {…}}``. It is read beside the requests, never in their
way. This is the one place where it is read: a name or value that is none is left out and counted, a file that is no list of
prices changes nothing, and neither does one that has lost most names or whose prices moved too far: somebody must look at it
first, and `fleet prices accept` then takes it (`balancer.items.price_lists`). `/readyz` says how old the prices are and what
was wrong last.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from balancer.items import belief
from balancer.items.feeds.money import VALUE_MAX_CENTS
from balancer.items.price_list import NAME_MAX, BadPrices, PriceList
from balancer.items.price_lists import Held, Known
from shared import log, strict
from shared.clock import Clock
from shared.domain import phases
from shared.sections import PriceSettings
from shared.strict import BadShape

FILE_MAX_BYTES = 256 * 1024 * 1024
UNKNOWN = Known()

_log = log.get(__name__)


def parse(text: str | bytes) -> PriceList:
    """What can be used of a file.

    Raises:
        BadPrices: not JSON, not an object, or nothing in it is a name with a whole, non-negative number of cents.
    """
    try:
        data: Any = strict.mapping(strict.parse_json(text, "file"), "file")
    except BadShape as error:
        raise BadPrices(f"{error.wanted} is wanted") from error
    if isinstance(data.get("prices"), dict):
        data = data["prices"]
    prices, left_out = {}, Counter[str]()
    for name, cents in data.items():
        if not name.strip() or not strict.maybe_text(name, NAME_MAX):
            left_out["name"] += 1
        elif type(cents) is not int or not 0 <= cents <= VALUE_MAX_CENTS:
            left_out["value"] += 1
        else:
            prices[name] = cents
    prices = phases.spread(prices)
    if not prices:
        raise BadPrices("no name with a whole number of cents in it")
    return PriceList(prices, left_out)


def digest_of(data: bytes) -> str:
    """By which a list is accepted: nothing else than what was looked at."""
    return hashlib.sha256(data).hexdigest()


class PriceFile:
    """The prices that it gives now. `value` is a look into a dictionary; `check` is called every few seconds by a loop."""

    def __init__(self, path: Path, rules: PriceSettings) -> None:
        self._path = path
        self._rules = rules
        self._seen: tuple[int, int] | None = None
        self._cents: dict[str, int] = {}
        self.read_at: float | None = None  # unix seconds of the file that they are from
        self.digest = ""  # of the file that they are from
        self.error: str | None = None
        self.held: Held | None = None
        self.left_out = 0

    def __len__(self) -> int:
        return len(self._cents)

    def value(self, market_hash_name: str) -> int | None:
        """Cents, or ``None`` when nobody told us a value."""
        return self._cents.get(market_hash_name)

    def all(self) -> Mapping[str, int]:
        """Every name with its cents; not to be changed."""
        return self._cents

    def standing(self) -> dict[str, Any]:
        """For `/readyz`: how many are known, the age of the file that they are from, and what was wrong with the last one."""
        age_s = None if self.read_at is None else round(max(0.0, Clock().now_ms() / 1000 - self.read_at))
        good = self.error is None and bool(self._cents)
        return {"ok": good, "known": len(self), "left_out": self.left_out, "age_s": age_s, "error": self.error}

    async def check(self, known: Known = UNKNOWN) -> bool:
        """Read the file if it has changed since the last look, or its list was accepted; true if there are new prices."""
        return await asyncio.to_thread(self.check_now, known)

    def check_now(self, known: Known = UNKNOWN) -> bool:
        """As `check`, in this thread."""
        try:
            stat = self._path.stat()
            seen = (stat.st_mtime_ns, stat.st_size)
            if seen == self._seen and (self.held is None or self.held.digest not in known.accepted):
                return False
            self._seen, self.held = seen, None
            if stat.st_size > FILE_MAX_BYTES:
                raise BadPrices(f"it has more than {FILE_MAX_BYTES} bytes")
            data = self._path.read_bytes()
            prices = parse(data)
            digest = digest_of(data)
            self._believe(digest, prices, known)
        except (OSError, BadPrices) as error:
            message = error.strerror or type(error).__name__ if isinstance(error, OSError) else str(error)
            if message != self.error:
                _log.error("prices not read; the old ones stay", action="prices", error=message, known=len(self._cents))
            self.error, self._seen = message, None if isinstance(error, OSError) else self._seen
            return False
        self._cents, self.read_at, self.digest, self.error = prices.cents, stat.st_mtime, digest, None
        self.left_out = prices.left_out.total()
        if self.left_out:
            _log.warning("prices left out", action="prices", count=self.left_out, reasons=dict(prices.left_out))
        _log.info("prices read", action="prices", known=len(prices.cents))
        return True

    def _believe(self, digest: str, prices: PriceList, known: Known) -> None:
        """
        Raises:
            BadPrices: the list is held back. A balancer that starts has no prices to compare with, and goes by what was held.
        """
        if digest in known.accepted:
            return
        why = belief.why_not(self._cents, prices.cents, self._rules)
        if why is None and not self._cents and digest in known.held:
            why = "it was held back before this balancer started, and nobody has accepted it"
        if why is not None:
            self.held = Held(digest, why, len(prices.cents))
            raise BadPrices(f"held back: {why}")
