"""How pages of rooms write what only they have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

from django import template
from django.utils import formats
from django.utils.translation import gettext as _

from website.pages.templatetags.site import cents
from website.rooms import words

register = template.Library()
EXACT_DIGITS = 60


@register.filter
def plain(number: Any) -> str:
    """A number for machines: no grouping, whatever the language."""
    return "" if number is None or number == "" else str(int(number))


@register.filter
def at(values: Mapping[Any, Any], key: Any) -> Any:
    return values.get(key)


@register.filter
def left(deadline_ms: int | None, now_ms: int) -> str:
    """Time until then: 0:17, 1:02:03, or days."""
    if deadline_ms is None:
        return ""
    seconds = max(0, deadline_ms - now_ms) // 1000
    hours, rest = divmod(seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


@register.filter
def exactly(value: Fraction | None) -> str:
    """The fraction itself, for who looks closer; one with hundreds of digits is not written out."""
    if value is None:
        return ""
    text = f"{value.numerator}/{value.denominator}" if isinstance(value, Fraction) else str(value)
    return text if len(text) <= EXACT_DIGITS else ""


@register.filter
def ratio(value: Fraction) -> str:
    """What a cent brings back: 1.00."""
    return (
        formats.number_format(Decimal(round(value * 10_000)) / 10_000, decimal_pos=4, use_l10n=True).rstrip("0").ljust(4, "0")
    )


@register.filter
def middle(ticket: int, tickets: int) -> str:
    """The middle of a ticket on the ruler."""
    return f"{100 * (2 * ticket + 1) / (2 * tickets):.4f}%"


@register.filter
def lane_letter(lane: str) -> str:
    """The letter of a lane: what tells it from the other lanes of its room."""
    return lane.rpartition("-")[2]


@register.filter
def last_place(things: Sequence[Any]) -> str:
    return str(things[-1].place)


@register.filter
def closed_by(code: str) -> str:
    return words.closed_by(code)


@register.filter
def phase_of(code: str) -> str:
    return str(words.PHASES.get(code, code))


@register.filter
def team(number: int) -> str:
    return words.TEAMS.get(number, "")


CENTS_OF = frozenset({"bet_value_min", "bet_value_max", "global_pot_limit", "rake_change_max"})


@register.filter
def parameter(value: Any, name: str) -> str:
    """A value of a room's rules."""
    if value is None:
        return _("no limit")
    return cents(value) if name in CENTS_OF else str(value)
