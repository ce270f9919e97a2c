"""Strict parsing of foreign JSON: each function takes one value and returns it in our type, or raises `BadShape`.

Whatever it gets (of another type, null, doubled, huge, a text that no database takes), nothing but `BadShape` comes out of
here, and no value is repeated in its message: it may be a secret.
"""

from __future__ import annotations

import json
import math
from typing import Any

# Steam's ids are 64 bits, and the tables keep them as signed ones.
ID_MAX = 2**63 - 1
ID_DIGITS = 19
# The year 2100: no time of ours is later.
TIME_MAX = 4_102_444_800
TEXT_MAX = 1000


class BadShape(ValueError):
    """Something has another shape than it should; the message says which field and what is wanted there."""

    def __init__(self, field: str, wanted: str) -> None:
        self.field = field
        self.wanted = wanted
        super().__init__(f"{field}: {wanted} is wanted")


def parse_json(text: str | bytes, field: str) -> Any:
    """Any JSON; also what Python's reader takes, infinite numbers among it."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):  # nested too deeply is a RecursionError, bad UTF-8 a ValueError
        raise BadShape(field, "JSON") from None


def mapping(value: object, field: str) -> dict[str, Any]:
    """An object."""
    if not isinstance(value, dict):
        raise BadShape(field, "an object")
    return value


def rows(value: object, field: str) -> list[Any]:
    """A list; nothing, and null, are an empty one."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise BadShape(field, "a list")
    return value


def objects(value: object) -> list[dict[str, Any]]:
    """The objects in a list, or among a map's values; what is neither has none. For what may be left out as well."""
    found = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [each for each in found if isinstance(each, dict)]


def number_id(value: object, field: str) -> str:
    """An id, in its decimal digits; Steam writes them as texts, some as numbers."""
    if isinstance(value, int) and not isinstance(value, bool):
        number = value
    elif isinstance(value, str) and 0 < len(value) <= ID_DIGITS and value.isascii() and value.isdigit():
        number = int(value)
    else:
        number = 0
    if not 0 < number <= ID_MAX:
        raise BadShape(field, "an id in digits")
    return str(number)


def whole(value: object, field: str, least: int = 0, most: int = ID_MAX) -> int:
    """A whole number between two; also in digits, as Steam writes some."""
    if isinstance(value, str) and 0 < len(value) <= ID_DIGITS and value.isascii() and value.isdigit():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise BadShape(field, f"a whole number from {least} to {most}")
    return value


def moment(value: object, field: str) -> int:
    """A time in unix seconds."""
    return whole(value, field, 0, TIME_MAX)


def text(value: object, field: str, most: int = TEXT_MAX) -> str:
    """A text that can be kept, shown and written: no control characters, nothing that is no character."""
    if not isinstance(value, str) or len(value) > most or not is_printable(value):
        raise BadShape(field, f"a text of up to {most} characters")
    return value


def is_printable(value: str) -> bool:
    """Whether it is free of control characters (a line's end included) and of halves of characters."""
    return not any(sign < " " or sign == "\x7f" or "\ud800" <= sign <= "\udfff" for sign in value)


def maybe_text(value: object, most: int = TEXT_MAX) -> str:
    """A text as `text`, empty where there is none that can be used. For what may be left out as well."""
    return value if isinstance(value, str) and len(value) <= most and is_printable(value) else ""


def number_text(value: object) -> str | None:
    """A number's own text, as Steam wrote it or as JSON says it; ``None`` where there is none."""
    if isinstance(value, bool) or (isinstance(value, float) and not math.isfinite(value)):
        return None
    if isinstance(value, int) and not -ID_MAX <= value <= ID_MAX:
        return None
    if isinstance(value, int | float):
        return str(value)
    return maybe_text(value) or None
