"""Which source gives an item's value. Pure.

The first source in the order of trust that knows the name decides. Sources whose list is too old (`[prices] value_age_max_s`)
come behind all others, in the same order: a feed that has been away for days gives no value while another one knows it, and
still does where nobody else does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class SourceList:
    """The last good list of one source, the time that it is from, and its digest."""

    source: str
    at: datetime
    cents: Mapping[str, int]
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Values:
    """``cents`` by name, and the same divided by who gives them: each source with its time and its part."""

    cents: Mapping[str, int] = field(default_factory=dict)
    parts: Sequence[SourceList] = ()


def order(lists: Sequence[SourceList], now: datetime, age_max_s: float) -> list[SourceList]:
    """Those of ``lists``, which come in the order of trust, whose turn it is first."""
    oldest = now - timedelta(seconds=age_max_s)
    return sorted(lists, key=lambda each: each.at < oldest)


def decide(ordered: Sequence[SourceList]) -> Values:
    """The values, by lists in the order in which they are asked."""
    cents: dict[str, int] = {}
    parts = []
    for each in ordered:
        mine = {name: value for name, value in each.cents.items() if name not in cents}
        cents |= mine
        parts.append(SourceList(each.source, each.at, mine, each.digest))
    return Values(cents, parts)
