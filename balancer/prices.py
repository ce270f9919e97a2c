"""What items are worth: a JSON file of names and cents, read again whenever it changes.

The file is ``{"AK-47 | Redline (Field-Tested)": 1234}`` or ``{"prices": {…}}``. It is read beside the requests, never in their
way; a file that cannot be read leaves the prices as they were and says so in the log.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from shared import log

VALUE_MAX_CENTS = 10**12

_log = log.get(__name__)


class BadPrices(ValueError):
    """The file does not hold names and whole cents."""


def parse(text: str) -> dict[str, int]:
    """Names to cents.

    Raises:
        BadPrices: not JSON, not an object, or a value that is not a whole, non-negative number of cents.
    """
    try:
        data: Any = json.loads(text)
    except ValueError as error:
        raise BadPrices(f"not JSON: {error}") from error
    if isinstance(data, dict) and isinstance(data.get("prices"), dict):
        data = data["prices"]
    if not isinstance(data, dict):
        raise BadPrices("not an object of names and cents")
    for name, cents in data.items():
        if type(cents) is not int or not 0 <= cents <= VALUE_MAX_CENTS:
            raise BadPrices(f"the value of {name!r} is not a whole number of cents")
    return data


class Prices:
    """The prices of now. `value` is a look into a dictionary; `check` is called every few seconds by a loop."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int] | None = None
        self._cents: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._cents)

    def value(self, market_hash_name: str) -> int | None:
        """Cents, or ``None`` when nobody told us a value."""
        return self._cents.get(market_hash_name)

    async def check(self) -> bool:
        """Read the file if it has changed since the last look; true if there are new prices."""
        return await asyncio.to_thread(self.check_now)

    def check_now(self) -> bool:
        """As `check`, in this thread."""
        try:
            stat = self._path.stat()
            seen = (stat.st_mtime_ns, stat.st_size)
            if seen == self._seen:
                return False
            self._seen = seen
            cents = parse(self._path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, BadPrices) as error:
            _log.error("prices not read; the old ones stay", action="prices", error=str(error), known=len(self._cents))
            return False
        self._cents = cents
        _log.info("prices read", action="prices", known=len(cents))
        return True
