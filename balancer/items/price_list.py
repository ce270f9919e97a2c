"""What every reader of prices gives: names with whole cents."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

NAME_MAX = 255


class BadPrices(ValueError):
    """The file or feed does not hold names and prices, or is not to be believed."""


@dataclass(frozen=True, slots=True)
class PriceList:
    """Names to cents, and how many entries were left out, by reason. ``at``: the list's own time in unix seconds."""

    cents: dict[str, int]
    left_out: Counter[str] = field(default_factory=Counter)
    at: float | None = None
