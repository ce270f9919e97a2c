"""A graph per day as an SVG that the server makes: bars with a title each, so that it is read without scripts too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from website.office.figures import Figures

WIDTH, HEIGHT, FOOT = 720, 150, 22


@dataclass(frozen=True)
class Bar:
    """In the units of the picture. `rake`: how high the part is that the house collected."""

    x: float
    width: float
    top: float
    height: float
    rake: float
    rake_top: float
    day: date
    figures: Figures
    label: bool


@dataclass(frozen=True)
class Chart:
    bars: Sequence[Bar]
    most_cents: int
    width: int = WIDTH
    height: int = HEIGHT + FOOT
    base: int = HEIGHT


def of_days(days: Sequence[tuple[date, Figures]]) -> Chart:
    """Stakes of each day, the greatest as high as the picture."""
    most = max((found.staked for _, found in days), default=0)
    step = WIDTH / max(1, len(days))
    bars = []
    for at, (day, found) in enumerate(days):
        height = HEIGHT * found.staked / most if most else 0.0
        rake = min(height, HEIGHT * found.taken / most) if most else 0.0
        place = (round(at * step + step * 0.12, 1), round(step * 0.76, 1))
        label = at % 7 == 3  # none at an edge, where it would be cut
        bars.append(
            Bar(*place, round(HEIGHT - height, 1), round(height, 1), round(rake, 1), round(HEIGHT - rake, 1), day, found, label)
        )
    return Chart(bars, most)
