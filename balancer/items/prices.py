"""What items are worth now, by all sources: the price file and the feeds.

`value` is a look into a dictionary, and never waits. What the sources know is brought here by
`balancer.items.price_refresh`, at every balancer; who decides about a name is in `balancer.items.trust`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from balancer.items import trust
from balancer.items.feeds.sources import FILE
from balancer.items.price_file import PriceFile
from balancer.items.trust import SourceList, Values
from shared.domain import phases
from shared.settings import Settings


class Prices:
    """The values of now. ``generation`` is another number whenever they may have changed."""

    def __init__(self, settings: Settings) -> None:
        self._rules = settings.prices
        uses_file = FILE in settings.prices.sources
        self.file = PriceFile(settings.balancer.prices_file, settings.prices) if uses_file else None
        self.feeds = frozenset(settings.prices.sources) - {FILE}
        self._feeds: dict[str, SourceList] = {}
        self._troubles: dict[str, str] = {}
        self._seen: tuple[object, ...] = ()
        self._values = Values()
        self.generation = 0
        self.written = 0  # the generation that stands in the table of items

    def __len__(self) -> int:
        return len(self._values.cents)

    def value(self, priced_name: str) -> int | None:
        """Cents, or ``None`` when nobody told us a value. A phase without a price of its own has the name's, the lowest."""
        cents = self._values.cents.get(priced_name)
        if cents is None and (parts := phases.split(priced_name)):
            return self._values.cents.get(parts[0])
        return cents

    def all(self) -> Mapping[str, int]:
        """Every name with its cents; not to be changed."""
        return self._values.cents

    @property
    def values(self) -> Values:
        """The same, divided by the sources that give them."""
        return self._values

    def versions(self) -> dict[str, tuple[str, datetime]]:
        """By feed, which list is known here: its digest and time."""
        return {source: (each.digest, each.at) for source, each in self._feeds.items()}

    def take(self, feed: SourceList) -> None:
        """Know a feed's list from now on; `combine` makes it count."""
        self._feeds[feed.source] = feed

    def troubles(self, errors: Mapping[str, str]) -> None:
        """What is wrong with feeds now, by name; the price file says so itself."""
        self._troubles = dict(errors)

    def combine(self, now: datetime) -> bool:
        """Decide anew if a list, or whose turn it is, has changed. Whether it has."""
        ordered = trust.order(self._lists(), now, self._rules.value_age_max_s)
        seen = tuple((each.source, each.at, each.digest) for each in ordered)
        if seen == self._seen:
            return False
        self._seen, self._values = seen, trust.decide(ordered)
        self.generation += 1
        return True

    def _lists(self) -> list[SourceList]:
        """In the order of trust; a source without a good list yet is left out."""
        lists = []
        for source in self._rules.sources:
            if source != FILE:
                lists += [self._feeds[source]] if source in self._feeds else []
            elif self.file is not None and self.file.read_at is not None:
                at = datetime.fromtimestamp(self.file.read_at, UTC)
                lists.append(SourceList(FILE, at, self.file.all(), self.file.digest))
        return lists

    def standing(self, now: datetime) -> dict[str, Any]:
        """For `/readyz`: how many are known, and of each source the age of its list and what is wrong.

        ``age_s`` and ``left_out`` are of the newest list; ``error`` is the first trouble in the order of trust.
        """
        sources = {source: self._standing_of(source, now) for source in self._rules.sources}
        ages = [each["age_s"] for each in sources.values() if each["age_s"] is not None]
        errors = [each["error"] for each in sources.values() if each["error"] is not None]
        return {
            "ok": not errors and bool(self._values.cents),
            "known": len(self),
            "left_out": 0 if self.file is None else self.file.left_out,
            "age_s": min(ages, default=None),
            "error": errors[0] if errors else None,
            "sources": sources,
        }

    def _standing_of(self, source: str, now: datetime) -> dict[str, Any]:
        if source == FILE and self.file is not None:
            standing = self.file.standing()
            return {"known": standing["known"], "age_s": standing["age_s"], "error": standing["error"]}
        feed = self._feeds.get(source)
        age_s = None if feed is None else round(max(0.0, (now - feed.at).total_seconds()))
        error = self._troubles.get(source) or (None if feed is not None else "not fetched yet")
        return {"known": 0 if feed is None else len(feed.cents), "age_s": age_s, "error": error}
