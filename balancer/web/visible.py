"""Whether a text shows what it is: no invisible, blank or direction-turning characters, in any script.

An offer's message begins with the verify link, and what follows must not be able to disguise it, hide behind it or push it
away. So a text holds letters, marks, digits, punctuation and symbols of Unicode, emoji, and the ordinary space.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

# Letters, marks, digits, punctuation and symbols by their category, that nevertheless show nothing: most of Unicode's
# Default_Ignorable_Code_Point (DerivedCoreProperties.txt), blanks of a script of their own, and stand-ins for other things.
_UNSEEN = frozenset(
    chr(code)
    for first, last in (
        (0x034F, 0x034F),  # combining grapheme joiner
        (0x115F, 0x1160),  # Hangul fillers
        (0x17B4, 0x17B5),  # Khmer inherent vowels
        (0x180B, 0x180F),  # Mongolian variation selectors
        (0x2800, 0x2800),  # Braille blank
        (0x3164, 0x3164),  # Hangul filler
        (0xFE00, 0xFE0F),  # variation selectors
        (0xFFA0, 0xFFA0),  # halfwidth Hangul filler
        (0xFFFC, 0xFFFD),  # object and other replacement
        (0x16FE4, 0x16FE4),  # Khitan filler
        (0x1D159, 0x1D159),  # musical null notehead
        (0xE0100, 0xE01EF),  # variation selectors
    )
    for code in range(first, last + 1)
)
_JOINER = "\u200d"  # what emoji of several parts are made with
_EMOJI = range(0x1F000, 0x1FB00)  # with room for those that this Python does not know yet
_MARKS = ("Mn", "Me")
# Some languages put two marks on a letter; a tower of them covers the line above.
MARKS_MAX = 3


def flaw(text: str) -> str | None:
    """What is wrong with the first character that cannot be seen as what it is, as a sentence; ``None``: nothing is."""
    marks = 0
    for place, (before, sign, after) in enumerate(_neighbours(text), 1):
        marks = marks + 1 if unicodedata.category(sign) in _MARKS else 0
        if marks > MARKS_MAX or (marks and not before):
            return f"Leave out {_named(sign)} at place {place}: it would cover the characters beside it."
        if not _shows(sign) and not (sign == _JOINER and _is_emoji(before) and _is_emoji(after)):
            return f"Leave out {_named(sign)} at place {place}: it is invisible, or hides the characters beside it."
    return None


def checked(text: str) -> str:
    """The text.

    Raises:
        ValueError: it has a `flaw`, which is the message.
    """
    if what := flaw(text):
        raise ValueError(what)
    return text


def _neighbours(text: str) -> Iterator[tuple[str, str, str]]:
    return zip(("", *text), text, (*text[1:], ""), strict=False)


def _shows(sign: str) -> bool:
    category = unicodedata.category(sign)
    if category == "Cn":
        return ord(sign) in _EMOJI
    return sign == " " or (category[0] in "LMNPS" and sign not in _UNSEEN)


def _is_emoji(sign: str) -> bool:
    return bool(sign) and (ord(sign) in _EMOJI or unicodedata.category(sign) == "So")


def _named(sign: str) -> str:
    name = unicodedata.name(sign, "")
    return f"U+{ord(sign):04X} ({name})" if name else f"U+{ord(sign):04X}"
