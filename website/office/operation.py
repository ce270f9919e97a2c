"""What an operation of the office is: who may, how many people it takes, what it would do, and what does it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django import forms

from website.office.models import Staff

PLAIN, MONEY, RULES = "plain", "money", "rules"
CODE_AGAIN = frozenset((MONEY, RULES))
"""Classes before whose operations the one-time code is asked for again."""
Args = dict[str, Any]


class RefusedError(Exception):
    """It cannot be done as things are; `field`: what of the form is wrong, if it is that."""

    def __init__(self, text: str, field: str = "") -> None:
        super().__init__(text)
        self.field = field


@dataclass(frozen=True)
class Plan:
    """A dry run: what it is about, what is there and what would be, and what that means in sentences."""

    target: str
    before: dict[str, Any]
    after: dict[str, Any]
    meaning: tuple[str, ...] = ()


@dataclass(frozen=True)
class Acting:
    """Who does it and why. `second` approved it, of an operation that takes two."""

    by: Staff
    why: str
    now_ms: int
    second: Staff | None = None
    ref: str = ""

    @property
    def other(self) -> Staff:
        """The second person; there is one, or this is a fault of ours."""
        if self.second is None:
            raise AssertionError("nothing that needs two is done by one")
        return self.second


@dataclass(frozen=True)
class Operation:
    """One row of the table. `plan` reads and writes nothing; `do` is called after it in the same transaction.

    `fields` makes the form; its values, as JSON, are the arguments. Both functions may raise RefusedError.
    """

    name: str
    title: str
    roles: frozenset[str]
    people: int
    kind: str
    plan: Callable[[Args], Plan]
    do: Callable[[Args, Acting], Any]
    fields: Callable[[Args], dict[str, forms.Field]] = field(default=lambda _given: {})
    back: str = "office:start"
    help: str = ""

    def may(self, staff: Staff) -> bool:
        return staff.is_active and bool(self.roles & staff.role_set)
