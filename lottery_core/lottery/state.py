"""The state of one round: everything that its events have brought about.

A `Round` belongs to whoever holds it: `rounds.apply` changes it in place, and only after every check has passed. It is rebuilt
by `rounds.fold` from its events, or by `snapshots.load` from its content.
"""

from array import array
from dataclasses import dataclass, field
from enum import Enum
from fractions import Fraction
from typing import Any, NamedTuple

from lottery import commitments, draw
from lottery.commitments import Close, Link, Piece, Rest
from lottery.effects import Effect, Effects
from lottery.pot import Entries
from lottery.rooms import Room


class Phase(Enum):
    """Where a round stands. The seed's codes are 0 warmup, 1 game, 2 winner picking, 4 finalized, 5 sealed; it has no 3."""

    WARMUP = "warmup"
    GAME = "game"
    TYPING = "typing"
    CLOSED = "closed"
    OPENED = "opened"
    DRAWN = "drawn"
    FINALIZED = "finalized"
    SEALED = "sealed"
    VOID = "void"
    FAILED = "failed"

    __hash__ = object.__hash__
    """Members are single objects; the table of events is asked by them for each event, and Enum's own hash is slow."""


CODES = {
    Phase.WARMUP: 0,
    Phase.GAME: 1,
    Phase.TYPING: 2,
    Phase.CLOSED: 2,
    Phase.OPENED: 2,
    Phase.DRAWN: 2,
    Phase.FINALIZED: 4,
    Phase.SEALED: 5,
    Phase.VOID: 5,
    Phase.FAILED: 5,
}


class Placed(NamedTuple):
    """One accepted bet: entries [start, end) of the pot, the log value before them, and what else it brought about."""

    number: int
    user_id: int
    team: int
    time_ms: int
    client_seed: str
    start: int
    end: int
    log_before: bytes
    after: tuple[Effect, ...]


@dataclass(slots=True)
class Player:
    """What one user has in the pot. `ranges` are the tickets [first, end), one per bet.

    `inviters` and `rests` are those that came with the first bet.
    """

    user_id: int
    team: int = 0
    items: int = 0
    value: int = 0
    tickets: int = 0
    ranges: list[draw.Range] = field(default_factory=list)
    inviters: tuple[int, ...] = ()
    rests: tuple[Rest, ...] = ()


class Typed(NamedTuple):
    """One typed number with the log value after it."""

    digits: str
    time_ms: int
    operator1: int
    operator2: int
    evidence: str
    log: bytes


@dataclass(slots=True)
class Round:
    """Everything about one round. Money in cents, times in unix ms, `log` is the running hash of everything accepted.

    The log begins with the game: until then it is empty.
    """

    rules: Room
    room: str
    number: int
    commitment: bytes
    salt: bytes
    prev_seal: bytes
    chain: Link
    guarantees: tuple[Piece, ...]
    stock: tuple[Piece, ...]
    now: int
    log_start: bytes = b""
    log: bytes = b""
    phase: Phase = Phase.WARMUP
    time_start: int | None = None
    deadline: int | None = None
    entries: Entries = field(default_factory=Entries)
    firsts: "array[int]" = field(default_factory=lambda: array("Q"))
    bets: list[Placed] = field(default_factory=list)
    players: dict[int, Player] = field(default_factory=dict)
    rows: set[int] = field(default_factory=set)
    tickets: int = 0
    bank: int = 0
    typed: list[Typed] = field(default_factory=list)
    close: Close | None = None
    closed_by: str | None = None
    secret: bytes | None = None
    opened_ms: int | None = None
    entropy: bytes = b""
    proof: dict[str, str] = field(default_factory=dict)
    final: bytes | None = None
    number_drawn: str | None = None
    winners: tuple[draw.Winner, ...] = ()
    eliminations: tuple[tuple[int, int], ...] = ()
    outcome: dict[str, Any] | None = None
    void_reason: str | None = None
    failure: str | None = None
    renewed: Link | None = None
    seal: bytes | None = None
    bet_tokens: dict[str, int] = field(default_factory=dict)
    answers: dict[str, tuple[tuple[Any, ...], Effects]] = field(default_factory=dict)

    @property
    def left(self) -> int:
        """How many rounds can follow on this lane with the secrets that it has."""
        return (self.renewed or self.chain).last - self.number

    @property
    def status(self) -> int:
        """The seed's code of the phase."""
        return CODES[self.phase]

    def chance(self, user_id: int) -> Fraction:
        """The user's share of all tickets, exactly. 0 for who has none."""
        player = self.players.get(user_id)
        return Fraction(player.tickets, self.tickets) if player and self.tickets else Fraction(0)

    def begin_log(self, time_start: int | None) -> None:
        """The log's first value, over all that the house has promised."""
        house = commitments.house_hash(self.guarantees, self.stock)
        bound = (self.commitment, self.rules.rules_hash, self.prev_seal, self.chain, house, time_start)
        self.log = self.log_start = commitments.log_start(self.room, self.number, *bound)

    def owner(self, ticket: int) -> int:
        """The user who holds a ticket. Raises IndexError when there is no such ticket."""
        if not 0 <= ticket < self.tickets:
            raise IndexError(f"no ticket {ticket} among {self.tickets}")
        return self.entries[draw.owner(self.firsts, ticket)].user_id


def short_chance(chance: Fraction) -> str:
    """A chance for people, in percent of one: four decimals, rounded down.

    >>> short_chance(Fraction(2, 3))
    '0.6666'
    """
    whole, rest = divmod(chance.numerator * 10_000 // chance.denominator, 10_000)
    return f"{whole}.{rest:04d}"
