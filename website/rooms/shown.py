"""What pages show of rooms and rounds: the parts of a page, made by `website.rooms.reading`.

Nothing here asks the database, and nothing in it is secret before its time: it all stands in public rows.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import Any, NamedTuple

from lottery.events import Create
from lottery.rooms import Room
from lottery.state import Round as State

from website.rooms import odds, ruler, words
from website.rooms.models import Lane, Round
from website.rooms.ruler import Stretch

TAKES_BETS = ("game",)


@dataclass(frozen=True)
class Seat:
    """One player of a round. `look` is the colour and pattern: 0 is who looks at the page, the others by their place."""

    user_id: int
    name: str
    look: int
    team: int
    items: int
    cents: int
    tickets: int
    chance: Fraction

    @property
    def you(self) -> bool:
        return self.look == 0


@dataclass(frozen=True)
class Thing:
    """One item on a page."""

    name: str
    icon_url: str
    color: str
    cents: int
    place: int = 0
    first: int = 0
    last: int | None = None
    seat: Seat | None = None

    @property
    def weapon(self) -> str:
        return self.name.partition(" | ")[0]

    @property
    def finish(self) -> str:
        return self.name.partition(" | ")[2]


class Number(NamedTuple):
    """A typed number of a round, with who typed it and where that can be seen."""

    number: int
    digits: str
    operators: tuple[int, int]
    evidence: str
    at_ms: int


class Given(NamedTuple):
    """What one user of an outcome got."""

    seat: Seat
    ticket: int | None
    cents: int
    things: list[Thing]
    credit: int
    prizes: int


@dataclass
class View:
    """One round as it is shown to one person. Nothing in it is secret before its time: it all stands in public rows."""

    lane: Lane
    row: Round
    created: Create
    seats: list[Seat]
    things: list[Thing]
    stretches: list[Stretch]
    opened: Mapping[str, Any] = field(default_factory=dict)
    close: Mapping[str, Any] = field(default_factory=dict)
    numbers: list[Number] = field(default_factory=list)
    trouble: str = ""
    you: int | None = None

    @property
    def rules(self) -> Room:
        return self.created.rules

    @property
    def mode(self) -> str:
        return self.rules.mode

    @property
    def title(self) -> str:
        return words.title(self.row.room)

    @property
    def takes_bets(self) -> bool:
        return self.row.phase in TAKES_BETS and self.lane.state == Lane.OPEN

    @property
    def is_over(self) -> bool:
        return self.row.sealed_ms is not None

    @cached_property
    def state(self) -> State:
        """What odds are worked out of."""
        stakes = [odds.Stake(each.user_id, each.team, each.items, each.cents, each.tickets) for each in self.seats]
        return odds.standing(self.created, stakes, bytes(self.row.log))

    @cached_property
    def edge(self) -> Fraction | None:
        return odds.house_edge(self.state)

    @property
    def words(self) -> str:
        return words.phase(self.mode, self.row.phase, self.row.players, self.rules.player_limit, self.is_over)

    @property
    def by_id(self) -> dict[int, Seat]:
        return {seat.user_id: seat for seat in self.seats}

    @cached_property
    def winners(self) -> list[tuple[int, int | None]]:
        return [(user_id, ticket) for user_id, ticket in json.loads(self.row.winners or "[]")]

    @cached_property
    def outcome(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = json.loads(self.row.outcome) if self.row.outcome else {}
        return found

    @property
    def own(self) -> Seat | None:
        return next((seat for seat in self.seats if seat.you), None)

    @property
    def ticks(self) -> list[ruler.Tick]:
        return ruler.ticks(self.row.tickets) if self.row.tickets else []

    @property
    def prize_cents(self) -> int:
        return sum(piece.price for piece in self.created.guarantees)


@dataclass(frozen=True)
class Card:
    """One room in the lobby."""

    room: str
    mode: str
    row: Round | None
    rules: Room
    words: str
    paused: str = ""

    @property
    def title(self) -> str:
        return words.title(self.room)

    @property
    def about(self) -> str:
        return words.about(self.rules)

    @property
    def terms(self) -> list[str]:
        return words.terms(self.rules)

    @property
    def rates(self) -> tuple[int, int] | None:
        """The least and the most per cent that the house takes."""
        table = self.rules.rake
        return None if not table else (min(rate for _, rate in table), max(rate for _, rate in table))


@dataclass(frozen=True)
class Past:
    """A sealed round in a list: who won what, and how likely that was."""

    row: Round
    winner: str
    more: int
    chance: Fraction | None

    @property
    def title(self) -> str:
        return words.title(self.row.room)
