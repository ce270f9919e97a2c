"""Who a bot is as players see it in Steam: name, picture, level, and since when its account exists.

All of it is foreign text: Steam gives what an account's owner wrote, and a worker's host may have been taken over. So whoever
reads it cleans it, the worker and the balancer alike.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

NAME_MAX = 32  # signs that Steam lets a name have
LEVEL_MAX = 100_000
SINCE_MIN, SINCE_MAX = 1_000_000_000, 4_102_444_800  # Steam began in 2003; what is later than 2100 cannot be shown
MARKS_MAX = 2  # signs that may stack on one letter; more of them grow into the lines above and below
_AVATAR = re.compile(r"[0-9a-f]{40}")
# Fillers that have the category of letters, and look like nothing.
_BLANK = frozenset("\u115f\u1160\u2800\u3164\uffa0")


@dataclass(frozen=True, slots=True)
class Identity:
    """``avatar`` is Steam's name of the picture (40 hex digits), ``since`` unix s; null is what nobody knows."""

    name: str | None = None
    avatar: str | None = None
    level: int | None = None
    since: int | None = None

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Self:
        """What of these values can be true; whatever else they are is not known."""
        name, avatar = told.get("name"), told.get("avatar")
        return cls(
            name=clean_name(name) or None if isinstance(name, str) else None,
            avatar=avatar if isinstance(avatar, str) and _AVATAR.fullmatch(avatar) else None,
            level=_whole(told.get("level"), 0, LEVEL_MAX),
            since=_whole(told.get("since"), SINCE_MIN, SINCE_MAX),
        )

    def over(self, before: Identity) -> Identity:
        """This, and what was known before of what is not known now."""
        return Identity(**{name: before_ if new is None else new for name, new, before_ in _pairs(self, before)})

    def to_json(self) -> dict[str, Any]:
        """Without what is not known."""
        return {one.name: value for one in fields(self) if (value := getattr(self, one.name)) is not None}


NOBODY = Identity()


def _pairs(new: Identity, before: Identity) -> list[tuple[str, Any, Any]]:
    return [(one.name, getattr(new, one.name), getattr(before, one.name)) for one in fields(new)]


def clean_name(text: str) -> str:
    """In one line and one form, without what is invisible, steers the line's direction or piles up; "" when nothing is left."""
    kept: list[str] = []
    marks = 0
    for sign in unicodedata.normalize("NFC", text[: 8 * NAME_MAX]):
        category = unicodedata.category(sign)
        if sign in _BLANK or (category[0] == "C" and not sign.isspace()):
            continue
        marks = marks + 1 if category[0] == "M" else 0
        if marks <= MARKS_MAX:
            kept.append(sign)
    return " ".join("".join(kept).split())[:NAME_MAX].strip()


def _whole(value: object, least: int, most: int) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most else None
