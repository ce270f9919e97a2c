"""One line of the result: what was measured, what it is compared with, and the floor that it should reach."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")


class BenchError(Exception):
    """A measurement could not be made at all; the text says why. Being slow is no error."""


@dataclass(frozen=True, slots=True)
class Floor:
    """``limit`` is a least ratio, or a greatest value of ours."""

    limit: float
    of: str = "ratio"

    @classmethod
    def ratio(cls, least: float) -> Floor:
        return cls(least, "ratio")

    @classmethod
    def most(cls, value: float) -> Floor:
        """A greatest value of ours."""
        return cls(value, "most")

    @classmethod
    def ratio_most(cls, value: float) -> Floor:
        """A greatest ratio."""
        return cls(value, "ratio_most")

    def reached(self, row: Row) -> bool | None:
        if self.of == "most":
            return None if row.ours is None else row.ours <= self.limit
        ratio = row.ratio
        if ratio is None:
            return None
        return ratio <= self.limit if self.of == "ratio_most" else ratio >= self.limit

    def __str__(self) -> str:
        return {"ratio": "≥ {}", "most": "≤ {}", "ratio_most": "≤ {}x"}[self.of].format(f"{self.limit:g}")


@dataclass(frozen=True, slots=True)
class Row:
    """``ours`` and ``baseline`` are medians in ``unit``; ``note`` is what a reader must know beyond them."""

    name: str
    unit: str
    ours: float | None
    baseline: float | None = None
    floor: Floor | None = None
    goal: str = ""
    note: str = ""

    @property
    def ratio(self) -> float | None:
        return None if self.ours is None or not self.baseline else self.ours / self.baseline

    @property
    def reached(self) -> bool | None:
        """Whether the floor is reached; ``None`` if there is none, or nothing was measured."""
        return self.floor.reached(self) if self.floor else None

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "unit": self.unit,
            "ours": self.ours,
            "baseline": self.baseline,
            "ratio": self.ratio,
            "floor": str(self.floor) if self.floor else None,
            "reached": self.reached,
            "goal": self.goal or None,
            "note": self.note or None,
        }


def number(value: float | None) -> str:
    """Three or four digits that mean something."""
    if value is None:
        return "–"
    if value >= 100:
        return f"{value:,.0f}".replace(",", " ")
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


HEAD = ("what", "ours", "baseline", "unit", "ratio", "floor", "", "goal")


def cells(row: Row) -> tuple[str, ...]:
    mark = {True: "ok", False: "MISSED", None: ""}[row.reached]
    ratio = "–" if row.ratio is None else f"{row.ratio:.2f}"
    floor = str(row.floor) if row.floor else ""
    return (row.name, number(row.ours), number(row.baseline), row.unit, ratio, floor, mark, row.goal)


def table(rows: Sequence[Row]) -> str:
    """All rows in columns, each note below its row."""
    shown = [HEAD, *(cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in shown) for column in range(len(HEAD))]
    lines = [_line(HEAD, widths), "-" * (sum(widths) + 2 * len(widths) - 2)]
    for row in rows:
        lines.append(_line(cells(row), widths))
        if row.note:
            lines.append(f"    {row.note}")
    return "\n".join(lines)


def _line(values: Sequence[str], widths: Sequence[int]) -> str:
    left = {0, 3, 6}
    parts = [
        text.ljust(width) if column in left else text.rjust(width)
        for column, (text, width) in enumerate(zip(values, widths, strict=True))
    ]
    return "  ".join(parts).rstrip()


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that is not below ``share`` of all; 0.5 is the middle one."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def interleaved(rounds: int, sides: dict[str, Callable[[int], T]]) -> dict[str, list[T]]:
    """Call every side once per round, in turning order, so that a slow moment of the machine hits all of them."""
    found: dict[str, list[T]] = {name: [] for name in sides}
    names = list(sides)
    for turn in range(rounds):
        for name in names if turn % 2 == 0 else reversed(names):
            found[name].append(sides[name](turn))
    return found
