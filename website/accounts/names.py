"""Names that people show to each other: text of strangers, made safe to stand in a line among others."""

from __future__ import annotations

import re
import unicodedata

NAME_MAX = 32
# Fillers that have the category of letters, and look like nothing.
_BLANK = frozenset(
    "\N{HANGUL FILLER}\N{HALFWIDTH HANGUL FILLER}\N{HANGUL CHOSEONG FILLER}\N{HANGUL JUNGSEONG FILLER}\N{BRAILLE PATTERN BLANK}"
)
_SPACE = re.compile(r"\s+")
MARKS_MAX = 2
"""Signs that may stack on one letter; more of them grow into the lines above and below."""


def clean(text: str) -> str:
    """In one form, without what is invisible, steers the line's direction or piles up; "" when nothing is left."""
    kept: list[str] = []
    marks = 0
    for sign in unicodedata.normalize("NFC", text[: 8 * NAME_MAX]):
        category = unicodedata.category(sign)
        if sign in _BLANK or (category[0] == "C" and not sign.isspace()):
            continue
        marks = marks + 1 if category[0] == "M" else 0
        if marks <= MARKS_MAX:
            kept.append(" " if category[0] == "Z" or sign.isspace() else sign)
    return _SPACE.sub(" ", "".join(kept)).strip()[:NAME_MAX].strip()


def unknown(steam_id: int) -> str:
    """Of somebody whose name Steam did not tell."""
    return f"Player {steam_id % 100_000:05d}"


def forgotten(number: int) -> str:
    """The name of somebody of whom nothing is known any more."""
    return f"forgotten-{number}"
