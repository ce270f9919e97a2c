"""The whole content of a round in bytes, and the round again from these bytes: equal bytes, equal states.

A state of many events is taken up from its last snapshot, and the events since then are applied to it. Every kind of value is
written with its name, so that what is loaded has the types of what was saved.
"""

import json
from array import array
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

from lottery import commitments, draw, effects, encoding, rooms
from lottery.errors import LotteryError
from lottery.pot import Entries, Entry
from lottery.rooms import Room
from lottery.state import Phase, Placed, Player, Round, Typed

FORMAT = "lot2.state"
_TUPLES: Mapping[str, type[Any]] = {
    kind.__name__: kind
    for kind in (
        *(commitments.Piece, commitments.Link, commitments.Rest, commitments.Bound, commitments.Close),
        *(effects.Started, effects.TimerStarted, effects.Receipt, effects.Debit, effects.Stopped, effects.Closed),
        *(effects.Opened, effects.Drawn, effects.Payout, effects.Settle, effects.Refund, effects.Sealed),
        *(effects.Renewed, effects.LaneEnded, draw.Winner, draw.Draw, Entry, Placed, Typed),
    )
}


def snapshot(state: Round) -> bytes:
    """The content of a state as canonical JSON. It holds the secret once that is open, and nothing before."""
    values = {each.name: _plain(getattr(state, each.name)) for each in fields(state)}
    return encoding.canonical_json({"format": FORMAT, "state": values})


def load(data: bytes) -> Round:
    """The state that a snapshot was made of. Raises LotteryError for bytes that are no snapshot."""
    try:
        told = json.loads(data)
        if told["format"] != FORMAT:
            raise ValueError(f"format {told['format']!r}, not {FORMAT}")
        return Round(**{name: _value(each) for name, each in told["state"].items()})
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise LotteryError(f"no snapshot of a round: {error}") from error


def _plain(value: Any) -> Any:
    kind = type(value)
    if value is None or kind in (int, str, bool):
        return value
    if kind is bytes:
        return {"bytes": value.hex()}
    if kind is list:
        return [_plain(inner) for inner in value]
    if kind is tuple:
        return {"tuple": [_plain(inner) for inner in value]}
    if kind is dict:
        return {"dict": [[_plain(key), _plain(inner)] for key, inner in value.items()]}
    if kind is set:
        return {"set": sorted(value)}
    if kind is array:
        return {"array": value.tolist()}
    if kind is Entries:
        return {"entries": value.numbers}
    if kind is Phase:
        return {"phase": value.value}
    if kind is Room:
        return {"room": value.rules}
    if kind is Player:
        return {"player": [_plain(getattr(value, each.name)) for each in fields(value)]}
    if _TUPLES.get(kind.__name__) is kind:
        return {kind.__name__: [_plain(inner) for inner in value]}
    raise TypeError(f"a round holds no {kind.__name__}")


_KINDS: Mapping[str, Callable[[Any], Any]] = {
    "bytes": bytes.fromhex,
    "tuple": lambda told: tuple(_value(inner) for inner in told),
    "dict": lambda told: {_value(key): _value(inner) for key, inner in told},
    "set": set,
    "array": lambda told: array("Q", told),
    "entries": Entries,
    "phase": Phase,
    "room": rooms.parse,
    "player": lambda told: Player(*map(_value, told)),
}


def _value(told: Any) -> Any:
    if isinstance(told, list):
        return [_value(inner) for inner in told]
    if not isinstance(told, dict):
        return told
    ((name, inner),) = told.items()
    if name in _KINDS:
        return _KINDS[name](inner)
    return _TUPLES[name](*map(_value, inner))
