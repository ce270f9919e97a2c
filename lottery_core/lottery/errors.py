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
