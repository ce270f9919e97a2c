"""What a player has staked and got back: sums, and every line."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from django.db.models import Q, Sum
from lottery.responsible_play import WINDOWS

from website.accounts.models import Player
from website.care.models import PlayLog

CHUNK = 500


@dataclass(frozen=True)
class Totals:
    """In cents; `net` is what came back less what was staked."""

    window: str
    deposited: int
    staked: int
    returned: int

    @property
    def net(self) -> int:
        return self.returned - self.staked


def totals(player: Player, now_ms: int, currency: str = "item") -> list[Totals]:
    """Of the last day, week, month, and of all time."""
    windows: dict[str, int | None] = {**WINDOWS, "ever": None}
    return [
        _totals(player, window, None if length is None else now_ms - length, currency) for window, length in windows.items()
    ]


def _totals(player: Player, window: str, since_ms: int | None, currency: str) -> Totals:
    rows = PlayLog.objects.filter(player=player, currency=currency)
    if since_ms is not None:
        rows = rows.filter(time_ms__gt=since_ms)
    found = rows.aggregate(**{kind: Sum("cents", filter=Q(kind=kind), default=0) for kind in ("deposit", "stake", "return")})
    return Totals(window, found["deposit"], found["stake"], found["return"])


def as_csv(player: Player) -> Iterator[str]:
    """Every line, the oldest first."""
    yield _line("time_utc", "kind", "currency", "cents", "round")
    rows = PlayLog.objects.filter(player=player).order_by("time_ms", "id")
    for row in rows.iterator(CHUNK):
        at = datetime.fromtimestamp(row.time_ms / 1000, UTC).isoformat(timespec="milliseconds")
        yield _line(at, row.kind, row.currency, str(row.cents), row.cycle)


def _line(*values: str) -> str:
    text = io.StringIO()
    csv.writer(text).writerow(values)
    return text.getvalue()
