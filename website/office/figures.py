"""What rooms brought in: by day, added up. A day that is over is counted once and kept (`Day`); today is counted anew."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction

from django.db.models import Min, Sum

from website.office.models import Day
from website.rooms.models import Round

DAY_MS = 86_400_000
LATE_MS = 300_000
"""So long after midnight a day may still get a round: engines commit a moment after the time that they write."""
WINDOWS = (("today", 1), ("7", 7), ("30", 30), ("all", None))
GRAPH_DAYS = 30


@dataclass
class Figures:
    """Of sealed rounds, cents; `change` in pieces. Void rounds are counted and nothing else."""

    rounds: int = 0
    void: int = 0
    staked: int = 0
    paid: int = 0
    due: int = 0
    taken: int = 0
    change: int = 0

    def add(self, more: Figures) -> None:
        for each in fields(self):
            setattr(self, each.name, getattr(self, each.name) + getattr(more, each.name))

    @property
    def ratio(self) -> Fraction | None:
        """What was collected of what was due."""
        return Fraction(self.taken, self.due) if self.due else None


NAMES = tuple(each.name for each in fields(Figures))


def by_room(now_ms: int, days: int | None) -> dict[str, Figures]:
    """Of the last days (1: today), or of all."""
    fill(now_ms)
    today = _day(now_ms)
    found = _counted(_start_ms(today), now_ms + DAY_MS)
    kept = Day.objects.exclude(room="")
    if days is not None:
        kept = kept.filter(day__gt=today - timedelta(days=days))
    for room, *sums in kept.values_list("room").annotate(*(Sum(name) for name in NAMES)):
        found.setdefault(room, Figures()).add(Figures(*sums))
    late = [] if Day.objects.filter(day=today - timedelta(days=1)).exists() else [today - timedelta(days=1)]
    for day in late if days != 1 else []:
        for room, more in _counted(_start_ms(day), _start_ms(today)).items():
            found.setdefault(room, Figures()).add(more)
    return dict(sorted(found.items()))


def per_day(now_ms: int, days: int = GRAPH_DAYS) -> list[tuple[date, Figures]]:
    """All rooms together, the oldest day first; days without a round are there too."""
    fill(now_ms)
    today = _day(now_ms)
    found = {today - timedelta(days=back): Figures() for back in range(days - 1, -1, -1)}
    for row in Day.objects.filter(day__gt=today - timedelta(days=days)).exclude(room=""):
        found[row.day].add(Figures(**{name: getattr(row, name) for name in NAMES}))
    for more in _counted(_start_ms(today), now_ms + DAY_MS).values():
        found[today].add(more)
    return list(found.items())


def fill(now_ms: int) -> None:
    """Counts days that are over and were not counted yet. A second call does nothing; two at once do it once."""
    end = _day(now_ms - LATE_MS)
    newest = Day.objects.order_by("-day").values_list("day", flat=True).first()
    first_ms = Round.objects.exclude(sealed_ms=None).aggregate(at=Min("sealed_ms"))["at"]
    if first_ms is None:
        return
    day = _day(first_ms) if newest is None else newest + timedelta(days=1)
    while day < end:
        rows = [
            Day(day=day, room=room, **_values(more)) for room, more in _counted(_start_ms(day), _start_ms(day) + DAY_MS).items()
        ]
        Day.objects.bulk_create([*rows, Day(day=day, room="", **_values(Figures()))], ignore_conflicts=True)
        day += timedelta(days=1)


def _values(found: Figures) -> dict[str, int]:
    return {name: getattr(found, name) for name in NAMES}


def _counted(start_ms: int, end_ms: int) -> dict[str, Figures]:
    rows = Round.objects.filter(sealed_ms__gte=start_ms, sealed_ms__lt=end_ms)
    found: dict[str, Figures] = {}
    for room, pot, outcome, void in rows.values_list("room", "pot_cents", "outcome", "void_reason").iterator():
        found.setdefault(room, Figures()).add(_of_round(pot, outcome, void))
    return found


def _of_round(pot: int, outcome: str, void: str) -> Figures:
    if void or not outcome:
        return Figures(rounds=1, void=1)
    rake = json.loads(outcome).get("rake") or {}
    net = rake.get("net", 0)
    return Figures(1, 0, pot, pot - net, rake.get("due", 0), net, len(rake.get("change", ())))


def total(found: Iterable[Figures]) -> Figures:
    added = Figures()
    for each in found:
        added.add(each)
    return added


def _day(ms: int) -> date:
    return datetime.fromtimestamp(ms / 1000, UTC).date()


def _start_ms(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1000)
