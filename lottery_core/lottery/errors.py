"""What the core says when it does not do what it was asked: a refusal with a reason, or a configuration that makes no sense."""

from collections.abc import Mapping
from typing import Any


class LotteryError(Exception):
    """Anything the core raises on purpose."""


class RoomError(LotteryError):
    """A room's configuration is wrong. `field` names the parameter, `reason` says why."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


class Refused(LotteryError):
    """The event was refused and nothing changed. `code` is one word to act on; `accepts` says what would have been accepted.

    >>> Refused("capacity", capacity=1).accepts
    {'capacity': 1}
    """

    def __init__(self, code: str, **accepts: object) -> None:
        said = ", ".join(f"{name}: {value}" for name, value in accepts.items())
        super().__init__(f"{code} ({said})" if said else code)
        self.code = code
        self.accepts: Mapping[str, object] = accepts


SHOWN = 80


def shown(value: Any) -> str:
    """The beginning of a value, for an error; of an integer too long for Python to print, that it is one."""
    try:
        return repr(value)[:SHOWN]
    except ValueError:
        return "a number of thousands of digits"


PRINTED = 2_000


def printable(text: str, most: int = PRINTED) -> str:
    """A text as it can be printed anywhere: control characters, line breaks, marks of direction as escapes, and not too long.

    Names come from records and files; none of them may move the cursor, or hide the line that says what is wrong.
    """
    safe = "".join([each if each.isprintable() else each.encode("unicode_escape").decode() for each in text[: most + 1]])
    return safe if len(safe) <= most else safe[: most - 1] + "…"
