"""What a bet would be worth, exactly, before it is made: the core's odds on what pages know of a round. Pure.

Everything is as if the round closed now; later bets change it. What the house takes is "at most": it is collected in whole
items, so it may be less, never more.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any, NamedTuple

from lottery import odds as core
from lottery.commitments import Piece
from lottery.encoding import ZERO_HASH
from lottery.errors import LotteryError
from lottery.events import Create
from lottery.odds import EXACT_USERS_MAX, Odds
from lottery.rooms import Room
from lottery.state import Player, Round

from website.rooms import models

PLACES_OF = ("sitngo", "pot")
PAR_STAKE = 1_000_000
"""Cents that each player of an example stakes: so many that rounding down to cents cannot be seen."""


class Stake(NamedTuple):
    """What one user has in a pot."""

    user_id: int
    team: int
    items: int
    cents: int
    tickets: int


def standing(created: Create, stakes: Iterable[Stake], log: bytes = b"") -> Round:
    """A round as far as odds need it."""
    found = bare(created.rules, created.guarantees, log)
    for each in stakes:
        found.players[each.user_id] = Player(each.user_id, each.team, each.items, each.cents, each.tickets)
    found.tickets = sum(each.tickets for each in found.players.values())
    found.bank = sum(each.value for each in found.players.values())
    return found


def bare(rules: Room, guarantees: tuple[Piece, ...] = (), log: bytes = b"") -> Round:
    chain: Any = None
    return Round(
        rules=rules,
        room=rules.name,
        number=1,
        commitment=ZERO_HASH,
        salt=ZERO_HASH,
        prev_seal=ZERO_HASH,
        chain=chain,
        guarantees=guarantees,
        stock=(),
        now=0,
        log=log,
    )


def stakes_of(rows: Iterable[models.RoundPlayer]) -> list[Stake]:
    return [Stake(row.user_id, row.team, row.items, row.value_cents, row.tickets) for row in rows]


def are_drawn(state: Round) -> bool:
    """Whether odds of this round are drawn, being too many to count: work that nobody may ask for freely."""
    return state.rules.mode in PLACES_OF and len(state.players) >= EXACT_USERS_MAX


def of_bet(state: Round, user_id: int, cents: int = 0, items: int = 0, team: int = 0) -> Odds | None:
    """The odds of a user with this bet on top of what is in the pot; None where there are none yet (an empty team, no stake).

    Of a pot with many players only the first place is exact, and the rest is drawn ten thousand times: that takes a while, so
    it is kept for who asks again.
    """
    state = _filled(state, user_id, cents, items)
    try:
        if state.rules.mode in PLACES_OF and len(state.players.keys() | {user_id}) > EXACT_USERS_MAX:
            return _drawn(_Asked(state, user_id, cents, items, team))
        return core.of_bet(state, user_id, cents, items, team)
    except LotteryError:
        return None


def _filled(state: Round, user_id: int, cents: int, items: int) -> Round:
    """A room that is drawn only when it is full is looked at as it will be then, with strangers on free places."""
    rules = state.rules
    if rules.mode != "sitngo" or rules.tickets != "item" or rules.item_limit_max is None:
        return state
    there = sum(each.items for each in state.players.values()) + items
    worth = (state.bank + cents) // there if there else 0
    free = range(1, rules.item_limit_max - there + 1)
    full = bare(rules, state.guarantees, state.log)
    full.players = dict(state.players) | {-place: Player(-place, 0, 1, worth, 1) for place in free}
    full.tickets, full.bank = state.tickets + len(free), state.bank + worth * len(free)
    return full


@dataclass(frozen=True, eq=False)
class _Asked:
    """A question that is the same again as long as nobody bets."""

    state: Round
    user_id: int
    cents: int
    items: int
    team: int

    def _key(self) -> tuple[bytes, int, int, int, int]:
        return (self.state.log, self.user_id, self.cents, self.items, self.team)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Asked) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())


@lru_cache(maxsize=256)
def _drawn(asked: _Asked) -> Odds:
    return core.of_bet(asked.state, asked.user_id, asked.cents, asked.items, asked.team)


def house_edge(state: Round) -> Fraction | None:
    """The part of the pot that the house takes on average, from everybody; None while nothing can be said."""
    if not state.tickets or state.rules.mode == "giveaway":
        return None
    if state.rules.mode == "pot":
        return _edge_of_pot(state)
    found = of_bet(state, next(iter(state.players)))
    return None if found is None else found.edge


def _edge_of_pot(state: Round) -> Fraction:
    """Of the first share: the others are taken of by the same table."""
    from lottery import rake

    table = state.rules.rake
    if table is None or not state.bank:
        return Fraction(0)
    parts = [
        Fraction(each.tickets, state.tickets) * rake.percent(table, each.tickets, state.tickets) / 100
        for each in state.players.values()
    ]
    return sum(parts, Fraction(0))


# ---- what a room is like, whoever plays: for the page of odds


class Bracket(NamedTuple):
    """What the house takes of a pot won with a chance from `low` up to, not including, `high` (both parts of one)."""

    low: Fraction
    high: Fraction
    rate: Fraction


class Example(NamedTuple):
    """So many players who stake the same: each one's chance, what the house takes of the pot, what comes back on average."""

    players: int
    chance: Fraction
    edge: Fraction
    back: Fraction | None


def brackets(rules: Room) -> list[Bracket]:
    if rules.rake is None:
        return []
    found, low = [], 0
    for upper, rate in rules.rake:
        found.append(Bracket(Fraction(low, 100), Fraction(upper, 100), Fraction(rate, 100)))
        low = upper
    return found


def examples(rules: Room) -> list[Example]:
    """Exact, for line-ups that the room can have."""
    return [each for count in (2, 3, 5, 10) if (each := _example(rules, count)) is not None]


def _example(rules: Room, players: int) -> Example | None:
    if players < rules.min_players or (rules.mode == "teams" and players % 2):
        return None
    state = bare(rules)
    for number in range(1, players + 1):
        team = 1 + number % 2 if rules.mode == "teams" else 0
        tickets = PAR_STAKE if rules.tickets == "cent" else 1
        state.players[number] = Player(number, team, 1, PAR_STAKE, tickets)
    state.tickets = sum(each.tickets for each in state.players.values())
    state.bank = players * PAR_STAKE
    found = of_bet(state, 1)
    if found is None:
        return None
    back = None if found.expected is None else 1 + found.expected / PAR_STAKE
    return Example(players, found.chance, found.edge if back is None else 1 - back, back)


def tables(rooms: Mapping[str, Room]) -> dict[str, dict[str, Any]]:
    """For each room: its brackets, examples and shares. The page of odds shows them."""
    return {
        name: {"rules": rules, "brackets": brackets(rules), "examples": examples(rules), "shares": rules.shares or ()}
        for name, rules in rooms.items()
    }
