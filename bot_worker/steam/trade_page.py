"""The page on which an offer is begun, ``/tradeoffer/new/``: whether there could be one, and if not, because of whom.

Steam writes the reason into ``<div id="error_msg">`` and the days of a hold into the script (steampy ``client.py``
``get_escrow_duration``; node-steam-tradeoffer-manager ``lib/classes/TradeOffer.js`` ``getUserDetails``).
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass

from bot_worker.steam import answers

_ERROR = re.compile(r'<div id="error_msg">\s*(.*?)\s*</div>', re.DOTALL)
_OUR_DAYS = re.compile(r"var g_daysMyEscrow = (\d{1,4});")
_TAG = re.compile(r"<[^>]*>")


@dataclass(frozen=True, slots=True)
class TradePage:
    """``error`` is what Steam says instead of a form, ``None`` if there is a form; ``our_days`` how long it would hold ours."""

    error: str | None
    our_days: int

    @property
    def locks_us(self) -> bool:
        """Whether it says that this very account may not trade for now."""
        return self.error is not None and answers.is_own_lock(self.error)

    @property
    def wrong_url(self) -> bool:
        """Whether it says that the trade URL is not good any more."""
        return self.error is not None and "no longer valid" in self.error


def parse(text: str) -> TradePage:
    """What the page says; a page without any of it says nothing against us."""
    error, days = _ERROR.search(text), _OUR_DAYS.search(text)
    return TradePage(
        error=html.unescape(_TAG.sub("", error[1])) if error else None,
        our_days=int(days[1]) if days else 0,
    )
