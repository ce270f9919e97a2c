"""Whether a new list of prices is believed, by what it would change. Pure.

A list that has lost most names is half an answer, or another game's; one in which many prices moved far is in another currency
or unit. Neither is used until an operator has looked at it.
"""

from __future__ import annotations

from collections.abc import Mapping

from shared.sections import PriceSettings

# Lists with fewer names in common say nothing about the others.
FEW = 10


def why_not(before: Mapping[str, int], now: Mapping[str, int], rules: PriceSettings) -> str | None:
    """Why a list is held back that comes after ``before``, from the same place; ``None`` if it is believed."""
    if not before:
        return None
    common = [name for name in before if name in now]
    if len(common) < rules.names_kept_min * len(before):
        return f"it has lost {len(before) - len(common)} of {len(before)} names"
    if (moved := _moved(before, now, common, rules)) is None:
        return None
    return f"{moved} of {len(common)} prices have moved by more than the factor {rules.factor_max:g}"


def why_not_first(others: Mapping[str, int], now: Mapping[str, int], rules: PriceSettings) -> str | None:
    """The same for the first list of a place, of which nothing is known but the prices that are in use."""
    common = [name for name in others if name in now]
    if (moved := _moved(others, now, common, rules)) is None:
        return None
    return (
        f"it is the first list of this feed, and {moved} of {len(common)} prices differ from those in use by more than the "
        f"factor {rules.factor_max:g}: look at its unit and currency"
    )


def _moved(before: Mapping[str, int], now: Mapping[str, int], common: list[str], rules: PriceSettings) -> int | None:
    """How many of these moved too far, if those are too many."""
    far = sum(_too_far(before[name], now[name], rules.factor_max) for name in common)
    return far if len(common) >= FEW and far > rules.moved_max * len(common) else None


def _too_far(before: int, now: int, factor: float) -> bool:
    return max(before, now) > factor * max(1, min(before, now))
