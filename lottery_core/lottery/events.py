"""What can happen to a round, as values: each event carries its time (unix ms), and a token that names the intent behind it.

The same token again, whatever its time, changes nothing and is answered as before; `intent` is what must then be the same.
JSON forms are in docs/record-format.md, section 6; `to_json` and `from_json` convert.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple

from lottery import encoding, rooms
from lottery.errors import LotteryError, shown
from lottery.rooms import Room


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


class Piece(NamedTuple):
    """An item of the house: a guarantee, or one of the small items it gives as change. `price` in cents."""

    deposit_id: int
    item_id: int
    price: int


@dataclass(frozen=True, slots=True)
class Denial:
    """The answer of the responsible-play gate when it is no: why, and until when (unix ms, None for good)."""

    reason: str
    until: int | None = None


@dataclass(frozen=True, slots=True)
class Create:
    now: int
    token: str
    rules: Room
    room: str
    round: int
    hash: bytes
    salt: bytes
    prev_seal: bytes
    chain: tuple[int, bytes]
    guarantees: tuple[Piece, ...] = ()


@dataclass(frozen=True, slots=True)
class Start:
    now: int
    token: str

    def intent(self) -> tuple[Any, ...]:
        return ("start",)


@dataclass(frozen=True, slots=True)
class Bet:
    now: int
    token: str
    user_id: int
    rows: tuple[Row, ...]
    team: int = 0
    client_seed: str = ""
    gate: Denial | None = None

    def intent(self) -> tuple[Any, ...]:
        return ("bet", self.user_id, self.team, self.client_seed, tuple(row.deposit_id for row in self.rows))


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
    """`stock` is what the house offers as change; `inviters` who is above each user, nearest first; `carry` rests in cents."""

    now: int
    token: str
    stock: tuple[Piece, ...] = ()
    inviters: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    carry: Mapping[int, int] = field(default_factory=dict)

    def intent(self) -> tuple[Any, ...]:
        return ("finalize", self.stock, tuple(sorted(self.inviters.items())), tuple(sorted(self.carry.items())))


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
    now: int
    token: str
    reason: str

    def intent(self) -> tuple[Any, ...]:
        return ("void", self.reason)


Event = Start | Bet | Buy | Manual | Tick | Open | Entropy | Finalize | Settled | Void
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
}
NAMES = {kind: name for name, kind in KINDS.items()}


# ---- JSON


def to_json(event: Create | Event) -> dict[str, Any]:
    """An event as JSON values, bytes in hex."""
    values: dict[str, Any] = {"event": NAMES[type(event)]}
    for each in fields(event):
        values[each.name] = _value_to_json(getattr(event, each.name))
    if isinstance(event, Create):
        values["chain"] = {"round": event.chain[0], "value": event.chain[1].hex()}
    return values


def _value_to_json(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Room):
        return value.rules
    if isinstance(value, Row | Piece):
        return value._asdict()
    if isinstance(value, Denial):
        return {each.name: getattr(value, each.name) for each in fields(value)}
    if isinstance(value, tuple):
        return [_value_to_json(inner) for inner in value]
    if isinstance(value, Mapping):
        return {str(key): _value_to_json(inner) for key, inner in value.items()}
    return value


def from_json(values: Mapping[str, Any]) -> Create | Event:
    """An event from JSON values. Raises LotteryError naming what is wrong."""
    if not isinstance(values, Mapping):
        raise LotteryError("an event is an object")
    name = values.get("event")
    kind = KINDS.get(name) if isinstance(name, str) else None
    if kind is None:
        raise LotteryError(f"no event {shown(name)}; there are {', '.join(KINDS)}")
    given = {key: value for key, value in values.items() if key != "event"}
    try:
        return kind(**{key: _READERS.get(key, _unknown)(value) for key, value in given.items()})  # type: ignore[no-any-return]
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise LotteryError(f"event {name}: {error}") from error


def _unknown(value: Any) -> Any:
    raise ValueError("a field that no event has")


def _whole(value: Any) -> int:
    if type(value) is not int or not 0 <= value <= encoding.U64_MAX:
        raise ValueError("a whole number from 0 to 2^64-1 is expected")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"a text, not {type(value).__name__}")
    value.encode()  # half of a surrogate pair is no text that could be hashed
    return value


def _yes_or_no(value: Any) -> bool:
    if type(value) is not bool:
        raise ValueError("true or false is expected")
    return value


def _or_none(reader: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: None if value is None else reader(value)


def _gate(value: Mapping[str, Any]) -> Denial:
    return Denial(**{key: {"reason": _text, "until": _or_none(_whole)}.get(key, _unknown)(each) for key, each in value.items()})


def _numbered(values: Mapping[str, Any], reader: Callable[[Any], Any]) -> dict[int, Any]:
    """An object with numbers as its keys, in their one spelling."""
    found = {_whole(int(key)): reader(value) for key, value in values.items()}
    if [str(key) for key in found] != list(values):
        raise ValueError("keys are numbers")
    return found


def _hash(value: str) -> bytes:
    return encoding.unhex(value)


def _chain(value: Mapping[str, Any]) -> tuple[int, bytes]:
    return _whole(value["round"]), encoding.unhex(value["value"])


def _rows(values: list[Mapping[str, Any]]) -> tuple[Row, ...]:
    return tuple(Row(**{key: _ROW_READERS.get(key, _unknown)(value) for key, value in row.items()}) for row in values)


def _pieces(values: list[Mapping[str, Any]]) -> tuple[Piece, ...]:
    return tuple(Piece(**{key: _whole(value) for key, value in piece.items()}) for piece in values)


_WHOLE = ("now", "round", "user_id", "team", "quantity", "balance", "operator1", "operator2", "source_round")
_TEXT = ("token", "room", "client_seed", "digits", "evidence", "reason")
_ROW_READERS: Mapping[str, Any] = {
    **dict.fromkeys(("deposit_id", "item_id", "user_id"), _whole),
    **dict.fromkeys(("status", "name"), _text),
    "price": _or_none(_whole),
    "locked_by": _or_none(_text),
    "settled": _yes_or_no,
}
_READERS: Mapping[str, Any] = {
    **dict.fromkeys(_WHOLE, _whole),
    **dict.fromkeys(_TEXT, _text),
    "hash": _hash,
    "salt": _hash,
    "prev_seal": _hash,
    "secret": _hash,
    "entropy": _hash,
    "chain": _chain,
    "rules": rooms.parse,
    "rows": _rows,
    "stock": _pieces,
    "guarantees": _pieces,
    "gate": _or_none(_gate),
    "proof": lambda value: {_text(key): _text(each) for key, each in value.items()},
    "moved": lambda value: tuple(_whole(row) for row in value),
    "inviters": lambda value: _numbered(value, lambda chain: tuple(_whole(each) for each in chain)),
    "carry": lambda value: _numbered(value, _whole),
}
