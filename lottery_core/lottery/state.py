"""The state of one round, and what its events bring about.

A `Round` belongs to whoever holds it: `rounds.apply` changes it in place, and only after every check has passed. It is rebuilt
by `rounds.fold` from its events; `snapshot` is its whole content in bytes, so two states can be compared.
"""

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from enum import Enum
from fractions import Fraction
from functools import partial
from itertools import chain
from typing import Any, NamedTuple, overload

from lottery import draw, encoding
from lottery.commitments import Close, LogItem
from lottery.events import Piece
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
}


class Entry(NamedTuple):
    """One item in the pot, priced as it was when it was bet; its tickets are [first, first + tickets)."""

    bet: int
    user_id: int
    item_id: int
    deposit_id: int
    price: int
    first: int
    tickets: int


new_entry: Callable[[LogItem], Entry] = partial(tuple.__new__, Entry)
"""An entry from the tuple of its fields: in half the time that the class itself takes."""


FIELDS = len(Entry._fields)


class Entries(Sequence[Entry]):
    """What is in the pot, in the order of the log: the fields of one entry after the other in one list.

    So a pot of a million items is not a million objects, over which the garbage collector would walk again and again: an entry
    is made when one is asked for.
    """

    def __init__(self) -> None:
        self._numbers: list[int] = []

    def __len__(self) -> int:
        return len(self._numbers) // FIELDS

    @overload
    def __getitem__(self, place: int) -> Entry: ...

    @overload
    def __getitem__(self, place: slice) -> list[Entry]: ...

    def __getitem__(self, place: int | slice) -> Entry | list[Entry]:
        places = range(len(self))[place]
        if isinstance(places, range):
            return [self[each] for each in places]
        return Entry(*self._numbers[places * FIELDS : (places + 1) * FIELDS])

    def __iter__(self) -> Iterator[Entry]:
        return map(new_entry, self.plain())

    def plain(self) -> Iterator[LogItem]:
        """The entries as plain tuples of their fields: quicker, where many are looked at once."""
        numbers = iter(self._numbers)
        return zip(numbers, numbers, numbers, numbers, numbers, numbers, numbers, strict=True)

    def extend(self, entries: Iterable[LogItem]) -> None:
        """More of them, at the end."""
        self._numbers.extend(chain.from_iterable(entries))


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
    after: tuple["Effect", ...]


@dataclass(slots=True)
class Player:
    """What one user has in the pot. `ranges` are his tickets [first, end), one per bet."""

    user_id: int
    team: int = 0
    items: int = 0
    value: int = 0
    tickets: int = 0
    ranges: list[draw.Range] = field(default_factory=list)


class Typed(NamedTuple):
    """One typed number with the log value after it."""

    digits: str
    time_ms: int
    operator1: int
    operator2: int
    evidence: str
    log: bytes


# ---- effects: what has to be done outside because of an event


class Started(NamedTuple):
    time_ms: int


class TimerStarted(NamedTuple):
    deadline_ms: int


class Receipt(NamedTuple):
    """What a bettor gets back: his items as they stand in the pot, and the log value after each; `number` is the first's place.

    With it he can show later that his bet was accepted exactly so. Its rows are now locked to the round.
    """

    bet: int
    user_id: int
    number: int
    entries: tuple[Entry, ...]
    logs: tuple[bytes, ...]


class Debit(NamedTuple):
    user_id: int
    cents: int


class Stopped(NamedTuple):
    """No more bets; `numbers` numbers are to be typed."""

    time_ms: int
    numbers: int


class Closed(NamedTuple):
    """The close record, to be published at once; open the secret from `open_after_ms` on and before `beacon_ms`."""

    close: Close
    open_after_ms: int
    beacon_ms: int | None


class Opened(NamedTuple):
    """The secret is public; `late` when the beacon could already be known by then."""

    secret: bytes
    late: bool


class Drawn(NamedTuple):
    winners: tuple[int, ...]


class Payout(NamedTuple):
    """What one user gets: rows of the pot, guarantees, small items of the house's stock (deposit ids each), cents of credit.

    `claim` is the value he is owed without guarantees: value(rows) + value(change) + credit.
    """

    user_id: int
    claim: int
    rows: tuple[int, ...]
    guarantees: tuple[int, ...]
    change: tuple[int, ...]
    credit: int


class Settle(NamedTuple):
    """What has to be moved now: nothing has been yet."""

    payouts: tuple[Payout, ...]
    house: tuple[int, ...]
    referral: tuple[tuple[int, int], ...]


class Refund(NamedTuple):
    payouts: tuple[Payout, ...]
    reason: str


class Sealed(NamedTuple):
    """The round is over: unlock its rows, publish its record, the next round of the lane may be created."""

    seal: bytes


Effect = (
    Started | TimerStarted | Receipt | Debit | Stopped | Closed | Opened | Drawn | Settle | Refund | Sealed
)  # fmt: skip
Effects = tuple[Effect, ...]


@dataclass(slots=True)
class Round:
    """Everything about one round. Money in cents, times in unix ms, `log` is the running hash of everything accepted."""

    rules: Room
    room: str
    number: int
    commitment: bytes
    salt: bytes
    prev_seal: bytes
    chain: tuple[int, bytes]
    guarantees: tuple[Piece, ...]
    log_start: bytes
    log: bytes
    now: int
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
    seal: bytes | None = None
    bet_tokens: dict[str, int] = field(default_factory=dict)
    answers: dict[str, tuple[tuple[Any, ...], Effects]] = field(default_factory=dict)

    @property
    def status(self) -> int:
        """The seed's code of the phase."""
        return CODES[self.phase]

    def chance(self, user_id: int) -> Fraction:
        """The user's share of all tickets, exactly. 0 for who has none."""
        player = self.players.get(user_id)
        return Fraction(player.tickets, self.tickets) if player and self.tickets else Fraction(0)

    def owner(self, ticket: int) -> int:
        """The user who holds a ticket. Raises IndexError when there is no such ticket."""
        if not 0 <= ticket < self.tickets:
            raise IndexError(f"no ticket {ticket} among {self.tickets}")
        return self.entries[draw.owner(self.firsts, ticket)].user_id


def snapshot(state: Round) -> bytes:
    """The whole content of a state as canonical JSON: equal bytes, equal states."""
    return encoding.canonical_json({each.name: _plain(getattr(state, each.name)) for each in fields(state)})


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Room):
        return value.rules
    if isinstance(value, Piece):
        return value._asdict()
    if isinstance(value, Player):
        return {each.name: _plain(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, dict):
        return [[_plain(key), _plain(inner)] for key, inner in value.items()]
    if isinstance(value, set):
        return sorted(value)
    if isinstance(value, list | tuple | array | Entries):
        return [_plain(inner) for inner in value]
    return value


def short_chance(chance: Fraction) -> str:
    """A chance for people, in percent of one: four decimals, rounded down.

    >>> short_chance(Fraction(2, 3))
    '0.6666'
    """
    whole, rest = divmod(chance.numerator * 10_000 // chance.denominator, 10_000)
    return f"{whole}.{rest:04d}"
