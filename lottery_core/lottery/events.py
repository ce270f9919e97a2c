"""What can happen to a round, as values: each event carries its time (unix ms), and a token that names the intent behind it.

The same token again, whatever its time, changes nothing and is answered as before; `intent` is what must then be the same.
JSON forms are in docs/record-format.md, section 6; `lottery.event_json` converts, `lottery.event_checks` says what is well-
formed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from lottery.commitments import Link, Piece, Rest
from lottery.rooms import Room

__all__ = [
    *("Link", "Piece", "Rest", "Row", "Denial", "Event", "KINDS", "NAMES"),
    *("Bet", "Buy", "Create", "Entropy", "Fail", "Finalize", "Manual", "Open", "Renew", "Settled", "Start", "Tick", "Void"),
]


class Row(NamedTuple):
    """One item in custody, as its owner offers it, with the facts at this moment. `price` in cents, None when it has none."""

    deposit_id: int
    item_id: int
    user_id: int
    price: int | None
    status: str = "active"
    locked_by: str | None = None
    settled: bool = True
    name: str = ""


@dataclass(frozen=True, slots=True)
class Denial:
    """The answer of responsible play when it is no: why, and until when (unix ms, None for good)."""

    reason: str
    until: int | None = None


@dataclass(frozen=True, slots=True)
class Create:
    """A new round: what the house promises before anybody bets. `guarantees` are prizes, `stock` small items for change."""

    now: int
    token: str
    rules: Room
    room: str
    round: int
    hash: bytes
    chain: Link
    prev_seal: bytes
    guarantees: tuple[Piece, ...] = ()
    stock: tuple[Piece, ...] = ()


@dataclass(frozen=True, slots=True)
class Start:
    now: int
    token: str

    def intent(self) -> tuple[Any, ...]:
        return ("start",)


@dataclass(slots=True, unsafe_hash=True)
class Bet:
    """`inviters` are above the bettor, nearest first, `rests` are owed from earlier rounds: those of the first bet count.

    Not frozen as the others are: that would take a twentieth of the time of a round, and nobody changes one.
    """

    now: int
    token: str
    user_id: int
    rows: tuple[Row, ...]
    team: int = 0
    client_seed: str = ""
    gate: Denial | None = None
    inviters: tuple[int, ...] = ()
    rests: tuple[Rest, ...] = ()

    def intent(self) -> tuple[Any, ...]:
        return ("bet", self.user_id, self.team, self.client_seed, tuple([row.deposit_id for row in self.rows]))


@dataclass(frozen=True, slots=True)
class Buy:
    """Raffle tickets; `balance` is what the buyer has, in cents."""

    now: int
    token: str
    user_id: int
    quantity: int
    balance: int
    client_seed: str = ""
    gate: Denial | None = None

    def intent(self) -> tuple[Any, ...]:
        return ("buy", self.user_id, self.quantity, self.client_seed)


@dataclass(frozen=True, slots=True)
class Manual:
    """One number typed by two operators; `evidence` is the address and hash of the recording."""

    now: int
    token: str
    digits: str
    operator1: int
    operator2: int
    evidence: str

    def intent(self) -> tuple[Any, ...]:
        return ("manual", self.digits, self.operator1, self.operator2, self.evidence)


@dataclass(frozen=True, slots=True)
class Tick:
    now: int
    token: str = ""

    def intent(self) -> tuple[Any, ...]:
        return ("tick",)


@dataclass(frozen=True, slots=True)
class Open:
    now: int
    token: str
    secret: bytes

    def intent(self) -> tuple[Any, ...]:
        return ("open", self.secret)


@dataclass(frozen=True, slots=True)
class Entropy:
    now: int
    token: str
    source_round: int
    entropy: bytes
    proof: Mapping[str, str]

    def intent(self) -> tuple[Any, ...]:
        return ("entropy", self.source_round, self.entropy, tuple(sorted(self.proof.items())))


@dataclass(frozen=True, slots=True)
class Finalize:
    """Work out who gets what. It brings nothing along: everything that decides it was bound by the close."""

    now: int
    token: str

    def intent(self) -> tuple[Any, ...]:
        return ("finalize",)


@dataclass(frozen=True, slots=True)
class Settled:
    """Every row was moved: the deposit ids, each once."""

    now: int
    token: str
    moved: tuple[int, ...]

    def intent(self) -> tuple[Any, ...]:
        return ("settled", self.moved)


@dataclass(frozen=True, slots=True)
class Void:
    """An operator ends the round before its close."""

    now: int
    token: str
    reason: str

    def intent(self) -> tuple[Any, ...]:
        return ("void", self.reason)


@dataclass(frozen=True, slots=True)
class Renew:
    """The lane's next chain, bound into this round's seal.

    The next round hangs on `anchor` and has secrets up to round `last`.
    """

    now: int
    token: str
    anchor: bytes
    last: int

    def intent(self) -> tuple[Any, ...]:
        return ("renew", self.anchor, self.last)


@dataclass(frozen=True, slots=True)
class Fail:
    """The house has lost the secret, or cannot finish a draw before the camera: all is given back, and the lane ends."""

    now: int
    token: str
    reason: str

    def intent(self) -> tuple[Any, ...]:
        return ("fail", self.reason)


Event = Start | Bet | Buy | Manual | Tick | Open | Entropy | Finalize | Settled | Void | Renew | Fail
KINDS: Mapping[str, type[Any]] = {
    "create": Create,
    "start": Start,
    "bet": Bet,
    "buy": Buy,
    "manual": Manual,
    "tick": Tick,
    "open": Open,
    "entropy": Entropy,
    "finalize": Finalize,
    "settled": Settled,
    "void": Void,
    "renew": Renew,
    "fail": Fail,
}
NAMES = {kind: name for name, kind in KINDS.items()}
