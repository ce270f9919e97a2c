"""What a well-formed event is: every field of the one type that it must have, before anything looks at what it says.

The engine asks this first, so that nothing half-done is left behind by a time with a fraction, a list in the place of a name
or a row that is none. The rows of a bet are looked at by columns (`bets.check`), for there can be many.
"""

from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from operator import attrgetter
from typing import Any

from lottery.commitments import Link, Piece, Rest
from lottery.encoding import HASH_BYTES, U64_MAX
from lottery.errors import Refused
from lottery.events import (
    NAMES,
    Bet,
    Buy,
    Create,
    Denial,
    Entropy,
    Fail,
    Finalize,
    Manual,
    Open,
    Renew,
    Row,
    Settled,
    Start,
    Tick,
    Void,
)
from lottery.rooms import Room

TIME_MAX_MS = 2**63 - 1
"""So that a clock or a limit added to a time still has a place in the record."""
TOKEN_BYTES = 200
LANE_BYTES = 200
TEXT_BYTES = 2_000
INVITERS_MAX = 20
RESTS_MAX = 100
PROOF_PARTS_MAX = 4


@dataclass(frozen=True, slots=True)
class Form:
    """What a field holds, in words, and the test of it."""

    words: str
    fits: Callable[[Any], bool]


def _is_whole(value: Any) -> bool:
    return type(value) is int and 0 <= value <= U64_MAX


def _is_text(value: Any, bytes_max: int = TEXT_BYTES) -> bool:
    if type(value) is not str or len(value) > bytes_max:
        return False
    if value.isascii():
        return True
    try:
        return len(value.encode()) <= bytes_max
    except UnicodeEncodeError:
        return False  # half of a surrogate pair is no text that could be hashed


def _is_hash(value: Any) -> bool:
    return type(value) is bytes and len(value) == HASH_BYTES


def _is_gate(value: Any) -> bool:
    if value is None:
        return True
    return type(value) is Denial and _is_text(value.reason) and (value.until is None or _is_whole(value.until))


def _are_pieces(value: Any) -> bool:
    return type(value) is tuple and set(map(type, value)) <= {Piece} and _are_whole(list(chain.from_iterable(value)))


def _are_whole(values: Sequence[Any]) -> bool:
    """Many at once are quicker to look at than each number."""
    if not set(map(type, values)) <= {int}:
        return False
    try:
        array("Q", values)  # takes integers from 0 to 2^64-1 and no others
    except OverflowError:
        return False
    return True


def _is_rest(value: Any) -> bool:
    if type(value) is not Rest or not _is_hash(value.seal) or not _is_text(value.room, LANE_BYTES):
        return False
    return _is_whole(value.round) and _is_whole(value.close_ms) and _is_whole(value.cents)


def _is_link(value: Any) -> bool:
    return type(value) is Link and _is_hash(value.value) and _is_whole(value.last)


def _is_proof(value: Any) -> bool:
    if not isinstance(value, Mapping) or len(value) > PROOF_PARTS_MAX:
        return False
    return all(_is_text(key) and _is_text(each) for key, each in value.items())


def _tuple_of(fits: Callable[[Any], bool], most: int | None = None) -> Callable[[Any], bool]:
    def is_tuple(value: Any) -> bool:
        return type(value) is tuple and (not value or ((most is None or len(value) <= most) and all(map(fits, value))))

    return is_tuple


TOKEN = Form(f"a text of at most {TOKEN_BYTES} bytes", lambda value: _is_text(value, TOKEN_BYTES))
WHOLE = Form(f"a whole number from 0 to {U64_MAX}", _is_whole)
AMOUNT = Form("a whole number", lambda value: type(value) is int and abs(value) <= U64_MAX)
TEXT = Form(f"a text of at most {TEXT_BYTES} bytes", _is_text)
HASH = Form(f"{HASH_BYTES} bytes", _is_hash)
TEAM = Form("0, 1 or 2", lambda value: type(value) is int and 0 <= value <= 2)
GATE = Form("nothing, or a denial", _is_gate)
PIECES = Form("a tuple of pieces of the house", _are_pieces)

FORMS: Mapping[type[Any], Mapping[str, Form]] = {
    Create: {
        "rules": Form("a room", lambda value: type(value) is Room),
        "room": Form(f"a name of at most {LANE_BYTES} bytes", lambda value: bool(value) and _is_text(value, LANE_BYTES)),
        "round": WHOLE,
        "hash": HASH,
        "chain": Form("a link: 32 bytes, and the number of the last round", _is_link),
        "prev_seal": HASH,
        "guarantees": PIECES,
        "stock": PIECES,
    },
    Start: {},
    Bet: {
        "user_id": WHOLE,
        "rows": Form("a tuple of rows", lambda value: type(value) is tuple and set(map(type, value)) <= {Row}),
        "team": TEAM,
        "client_seed": TEXT,
        "gate": GATE,
        "inviters": Form(f"a tuple of at most {INVITERS_MAX} user ids", _tuple_of(_is_whole, INVITERS_MAX)),
        "rests": Form(f"a tuple of at most {RESTS_MAX} rests", _tuple_of(_is_rest, RESTS_MAX)),
    },
    Buy: {"user_id": WHOLE, "quantity": AMOUNT, "balance": AMOUNT, "client_seed": TEXT, "gate": GATE},
    Manual: {"digits": TEXT, "operator1": WHOLE, "operator2": WHOLE, "evidence": TEXT},
    Tick: {},
    Open: {"secret": Form("bytes", lambda value: type(value) is bytes)},
    Entropy: {"source_round": WHOLE, "entropy": HASH, "proof": Form("a mapping of texts to texts", _is_proof)},
    Finalize: {},
    Settled: {"moved": Form("a tuple of deposit ids", lambda value: type(value) is tuple and _are_whole(value))},
    Void: {"reason": TEXT},
    Renew: {"anchor": HASH, "last": WHOLE},
    Fail: {"reason": TEXT},
}
_PLANS = {
    kind: (attrgetter("now", "token", *forms), [TOKEN.fits, *[form.fits for form in forms.values()]], ["token", *forms])
    for kind, forms in FORMS.items()
}
"""How all fields are fetched at once, what they must fit, and their names."""


def is_plain(bet: Bet) -> bool:
    """True for a bet as nearly all are, which fits in every field; else each field has to be looked at."""
    return (
        type(bet.now) is type(bet.user_id) is type(bet.team) is int
        and 0 <= bet.now <= TIME_MAX_MS
        and 0 <= bet.user_id <= U64_MAX
        and 0 <= bet.team <= 2
        and type(bet.token) is type(bet.client_seed) is str
        and not bet.client_seed
        and len(bet.token) <= TOKEN_BYTES
        and bet.token.isascii()
        and bet.gate is None
        and {type(bet.rows), type(bet.inviters), type(bet.rests)} == {tuple}
        and not bet.inviters
        and not bet.rests
        and set(map(type, bet.rows)) <= {Row}
    )


def whole(event: Any) -> None:
    """Raises Refused("malformed", …) naming the first field that is not of its form, ("number") for a time beyond records."""
    if not (type(event) is Bet and is_plain(event)):
        field_by_field(event)


def field_by_field(event: Any) -> None:
    """The same for any event, without the quick look at a bet."""
    plan = _PLANS.get(type(event))
    if plan is None:
        raise Refused("malformed", event=type(event).__name__)
    fetch, tests, names = plan
    now, *values = fetch(event)
    if type(now) is not int or now < 0:
        raise Refused("malformed", event=NAMES[type(event)], field="now", expected="a time in whole milliseconds")
    if now > TIME_MAX_MS:
        raise Refused("number", at_least=0, at_most=TIME_MAX_MS)
    for place, fits in enumerate(tests):
        if not fits(values[place]):
            words = FORMS[type(event)].get(names[place], TOKEN).words
            raise Refused("malformed", event=NAMES[type(event)], field=names[place], expected=words)
