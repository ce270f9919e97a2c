"""The ruler of tickets: where something stands on it is its ticket number, so what decides is what is drawn. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

NAME_WIDTH, NAME_WIDTH_NARROW = 7.0, 22.0
"""Per cent of the ruler that a name needs; on a phone, the second number."""
STEPS = (1, 2, 5)
TICKS = 6


class Held(NamedTuple):
    """Tickets [first, first + tickets) of one user."""

    user_id: int
    first: int
    tickets: int


class Stretch(NamedTuple):
    """Neighbouring tickets of one user. `x` and `width` are per cents as SVG takes them."""

    user_id: int
    first: int
    tickets: int
    x: str
    width: str
    has_name: bool
    has_wide_name: bool


class Tick(NamedTuple):
    x: str
    ticket: int
    long: bool
    anchor: str


def stretches(held: Iterable[Held], total: int) -> list[Stretch]:
    """In the order of tickets. `held` is in that order too; tickets that nobody is named for are left out."""
    merged: list[Held] = []
    for each in held:
        last = merged[-1] if merged else None
        if last is not None and last.user_id == each.user_id and last.first + last.tickets == each.first:
            merged[-1] = Held(each.user_id, last.first, last.tickets + each.tickets)
        elif each.tickets:
            merged.append(each)
    return [_drawn(each, total) for each in merged]


def _drawn(held: Held, total: int) -> Stretch:
    width = 100 * held.tickets / total
    return Stretch(*held, share(held.first, total), f"{width:.4f}%", width >= NAME_WIDTH, width >= NAME_WIDTH_NARROW)


def share(ticket: int, total: int) -> str:
    """Where a ticket begins on the ruler."""
    return f"{100 * ticket / total:.4f}%"


def ticks(total: int) -> list[Tick]:
    """Round numbers along the ruler, every second of them named; the end has its own."""
    step = _step(total)
    found = [
        Tick(share(ticket, total), ticket, number % 2 == 0, "start" if not ticket else "middle")
        for number, ticket in enumerate(range(0, total, step))
    ]
    return [each if 100 * each.ticket < 88 * total else each._replace(long=False) for each in found]


def _step(total: int) -> int:
    size = 1
    while True:
        for step in STEPS:
            if total <= step * size * TICKS * 2:
                return step * size
        size *= 10
