"""What of the raffles somebody wants to see: a GET form, so an address can be kept and sent. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.http import QueryDict

from website.raffles.models import TemplateVersion

if TYPE_CHECKING:
    from website.raffles.reading import Card

AMOUNT = re.compile(r"([0-9]{1,9})(?:[.,]([0-9]{1,2}))?", re.ASCII)
TIERS = (TemplateVersion.GOLD, TemplateVersion.SILVER, TemplateVersion.BRONZE)
SORTS: dict[str, Callable[[Any], Any]] = {
    "new": lambda card: (-(card.row.time_start_ms or 0), card.row.lane),
    "old": lambda card: (card.row.time_start_ms or 0, card.row.lane),
    "cheap": lambda card: (card.ticket_price, card.row.lane),
    "dear": lambda card: (-card.ticket_price, card.row.lane),
    "fill": lambda card: (-card.fill, card.row.lane),
}
NAME_MAX = 100


@dataclass(frozen=True)
class Filters:
    """What is left out is no filter. `low` and `high`: cents of one ticket."""

    name: str = ""
    genre: str = ""
    tier: str = ""
    low: int | None = None
    high: int | None = None
    hide_empty: bool = False
    sort: str = "new"

    def let(self, card: Card) -> bool:
        version = card.version
        return (
            self.name.casefold() in version.prize.casefold()
            and self.genre in ("", version.genre)
            and self.tier in ("", version.tier)
            and (self.low is None or card.ticket_price >= self.low)
            and (self.high is None or card.ticket_price <= self.high)
            and not (self.hide_empty and not card.row.tickets)
        )

    def order(self, cards: Sequence[Card]) -> list[Card]:
        return sorted(cards, key=SORTS[self.sort])

    @property
    def any(self) -> bool:
        return self != Filters(sort=self.sort)

    def query(self, **more: object) -> str:
        """The address again, without what is no filter."""
        said: dict[str, object] = {
            "name": self.name,
            "genre": self.genre,
            "tier": self.tier,
            "low": amount(self.low),
            "high": amount(self.high),
            "hide_empty": "1" if self.hide_empty else "",
            "sort": "" if self.sort == "new" else self.sort,
        }
        return urlencode({key: value for key, value in (said | more).items() if value != ""})


def read(form: QueryDict) -> Filters:
    """From an address; what is no filter in it filters nothing."""
    tier, sort = form.get("tier", ""), form.get("sort", "")
    return Filters(
        form.get("name", "").strip()[:NAME_MAX],
        form.get("genre", "").strip()[:NAME_MAX],
        tier if tier in TIERS else "",
        _cents(form.get("low", "")),
        _cents(form.get("high", "")),
        form.get("hide_empty") == "1",
        sort if sort in SORTS else "new",
    )


def _cents(text: str) -> int | None:
    found = AMOUNT.fullmatch(text.strip())
    return None if found is None else int(found[1]) * 100 + int((found[2] or "").ljust(2, "0"))


def amount(cents: int | None) -> str:
    """As a form shows it."""
    return "" if cents is None else f"{cents // 100}.{cents % 100:02d}"
