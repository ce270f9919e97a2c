"""How the site writes amounts, times, hashes and people. Built into every template."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

from django import template
from django.urls import reverse
from django.utils import formats
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext_lazy

register = template.Library()

MINUS = "\N{MINUS SIGN}"
THIN = "\N{NARROW NO-BREAK SPACE}"
RARITIES = frozenset(("b0c3d9", "5e98d9", "4b69ff", "8847ff", "d32ce6", "eb4b4b", "e4ae39", "ffd700", "cf6a32", "8650ac"))
"""Colours that Steam gives to kinds of items. `look.css` has an edge and a glow for each."""
LOOKS = 8
"""Colours, each with its own pattern, by which players of a round are told apart."""


# In the balancer's words (`shared/domain/phases.py`), which the website does not import.
_PHASES = {
    "Phase 1": gettext_lazy("Phase 1"),
    "Phase 2": gettext_lazy("Phase 2"),
    "Phase 3": gettext_lazy("Phase 3"),
    "Phase 4": gettext_lazy("Phase 4"),
    "Ruby": gettext_lazy("Ruby"),
    "Sapphire": gettext_lazy("Sapphire"),
    "Black Pearl": gettext_lazy("Black Pearl"),
    "Emerald": gettext_lazy("Emerald"),
}


@register.filter
def of_phase(finish: str, phase: str) -> str:
    """A finish with the phase of this copy before it, where a narrow line does not cut it off. A new phase stays as it is."""
    return f"{_PHASES.get(phase, phase)} · {finish}" if phase else finish


@register.filter
def cents(amount: int | None) -> str:
    """1234 as 12.34, with the language's own signs; nothing for None."""
    if amount is None:
        return ""
    text = formats.number_format(Decimal(abs(amount)) / 100, decimal_pos=2, use_l10n=True, force_grouping=True)
    return f"{MINUS}{text}" if amount < 0 else text


@register.filter
def per_cent(share: Fraction | float | None) -> str:
    """A share of one, as 10.96 %."""
    if share is None:
        return ""
    hundredths = round(Fraction(share) * 10_000)
    return f"{formats.number_format(Decimal(hundredths) / 100, decimal_pos=2, use_l10n=True)}{THIN}%"


@register.filter
def grouped(number: int | None) -> str:
    """12 345, for tickets and rounds of the beacon."""
    return "" if number is None else f"{number:,}".replace(",", THIN)


@register.filter
def short(text: Any) -> str:
    """A hash with its middle left out: 5f3c…a1d0."""
    text = text.hex() if isinstance(text, (bytes, memoryview)) else str(text)
    return text if len(text) <= 12 else f"{text[:4]}…{text[-4:]}"


@register.filter
def in_hex(value: bytes | memoryview | None) -> str:
    return "" if value is None else bytes(value).hex()


@register.filter
def moment(unix_ms: int | None) -> datetime | None:
    """A time of the site (unix ms) as what Django's filters of dates take."""
    return None if unix_ms is None else datetime.fromtimestamp(unix_ms / 1000, UTC)


@register.filter
def look_of(user_id: int) -> int:
    """Which of the looks a person has outside of a round, always the same: 1 to 8."""
    return hashlib.sha256(str(user_id).encode()).digest()[0] % LOOKS + 1


@register.filter
def rarity(color: str | None) -> str:
    """The class for the colour that Steam gives to a kind of item; colours that are not known look plain."""
    color = (color or "").lower().lstrip("#")
    return f"rarity-{color}" if color in RARITIES else "rarity-none"


@register.filter
def picture(icon_url: str | None) -> str:
    """Where this site serves an item's picture from; empty when it has none."""
    name = (icon_url or "").rstrip("/").rpartition("/")[2]
    return reverse("picture", args=[name]) if name else ""


@register.filter
def avatar(name: str | None) -> str:
    """Where this site serves a player's picture at Steam from; empty when there is none."""
    return reverse("avatar", args=[name]) if name else ""


@register.simple_tag
def face(look: int, size: int = 26) -> SafeString:
    """The sign of a player: a square of their colour with their pattern. It stands beside a name, so it says nothing itself.

    Look 0 is the one who looks at the page.
    """
    return mark_safe(  # noqa: S308 - two numbers
        f'<svg class="face" viewBox="0 0 26 26" width="{int(size)}" height="{int(size)}" aria-hidden="true">'
        f'<use href="#face-{int(look)}"/></svg>'
    )
