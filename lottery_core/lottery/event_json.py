"""Events as JSON and back (docs/record-format.md, section 6)."""

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

from lottery import encoding, event_checks, rooms
from lottery.commitments import Link, Piece, Rest, rest_json
from lottery.encoding import U64_MAX
from lottery.errors import LotteryError, Refused, shown
from lottery.events import KINDS, NAMES, Create, Denial, Event, Row
from lottery.rooms import Room


def to_json(event: Create | Event) -> dict[str, Any]:
    """An event as JSON values, bytes in hex."""
    values: dict[str, Any] = {"event": NAMES[type(event)]}
    for each in fields(event):
        values[each.name] = _value_to_json(getattr(event, each.name))
    return values


def _value_to_json(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Room):
        return value.rules
    if isinstance(value, Rest):
        return rest_json(value)
    if isinstance(value, Row | Piece):
        return value._asdict()
    if isinstance(value, Link):
        return {"value": value.value.hex(), "last": value.last}
    if isinstance(value, Denial):
        return {each.name: getattr(value, each.name) for each in fields(value)}
    if isinstance(value, tuple):
        return [_value_to_json(inner) for inner in value]
    return dict(value) if isinstance(value, Mapping) else value


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
        event = kind(**{key: _READERS.get(key, _unknown)(value) for key, value in given.items()})
        event_checks.whole(event)
    except Refused:
        raise
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise LotteryError(f"event {name}: {error}") from error
    return event  # type: ignore[no-any-return]


def _unknown(value: Any) -> Any:
    raise ValueError("a field that no event has")


def _whole(value: Any) -> int:
    if type(value) is not int or not 0 <= value <= U64_MAX:
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


def _object(made: Callable[..., Any], readers: Mapping[str, Callable[[Any], Any]]) -> Callable[[Any], Any]:
    """An object with these fields, each read by its reader."""

    def read(value: Mapping[str, Any]) -> Any:
        return made(**{key: readers.get(key, _unknown)(each) for key, each in value.items()})

    return read


def _list(reader: Callable[[Any], Any]) -> Callable[[Any], tuple[Any, ...]]:
    def read(values: Any) -> tuple[Any, ...]:
        if not isinstance(values, list):
            raise ValueError("a list is expected")
        return tuple(reader(value) for value in values)

    return read


_NUMBERS = ("now", "round", "user_id", "team", "quantity", "balance", "operator1", "operator2", "source_round", "last")
_TEXTS = ("token", "room", "client_seed", "digits", "evidence", "reason")
_HASHES = ("hash", "prev_seal", "secret", "entropy", "anchor")
_ROW = {
    **dict.fromkeys(("deposit_id", "item_id", "user_id"), _whole),
    **dict.fromkeys(("status", "name"), _text),
    "price": _or_none(_whole),
    "locked_by": _or_none(_text),
    "settled": _yes_or_no,
}
_PIECES = _list(_object(Piece, dict.fromkeys(Piece._fields, _whole)))
_REST: Mapping[str, Callable[[Any], Any]] = {
    **dict.fromkeys(("round", "close_ms", "cents"), _whole),
    "room": _text,
    "seal": encoding.unhex,
}
_READERS: Mapping[str, Any] = {
    **dict.fromkeys(_NUMBERS, _whole),
    **dict.fromkeys(_TEXTS, _text),
    **dict.fromkeys(_HASHES, encoding.unhex),
    "chain": _object(Link, {"value": encoding.unhex, "last": _whole}),
    "rules": rooms.parse,
    "rows": _list(_object(Row, _ROW)),
    "stock": _PIECES,
    "guarantees": _PIECES,
    "gate": _or_none(_object(Denial, {"reason": _text, "until": _or_none(_whole)})),
    "proof": lambda value: {_text(key): _text(each) for key, each in value.items()},
    "moved": _list(_whole),
    "inviters": _list(_whole),
    "rests": _list(_object(Rest, _REST)),
}
