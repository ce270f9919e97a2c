"""The items of a record, read row by row: a pot of a million items is a few columns of numbers, and never as many objects.

An item has one spelling, like everything in a record: its fields in order, numbers without leading zeros, no blanks. What is
not spelled so is left to the parser of the whole text, which says what is wrong with it.
"""

import json
import re
from array import array
from collections.abc import Iterator
from itertools import islice
from typing import Any

NO_TICKET = -1
"""In the place of null: the number of a ticket that an item does not have."""
KEY = b'"items":['
NUMBER = rb"(0|[1-9][0-9]{0,19})"
OR_NULL = rb"(0|[1-9][0-9]{0,18}|null)"
TEXT = rb'("(?:[^"\\]|\\.)*+")'
FIELDS = {
    "bet": NUMBER,
    "client_seed": TEXT,
    "deposit_id": NUMBER,
    "item_id": NUMBER,
    "price": NUMBER,
    "team": NUMBER,
    "tickets_end": OR_NULL,
    "tickets_start": OR_NULL,
    "time_ms": NUMBER,
    "user_id": NUMBER,
}
ROW = re.compile(rb"\{" + b",".join(f'"{name}":'.encode() + form for name, form in FIELDS.items()) + rb"\}(?:,(?=\{)|(?=\]))")
BLOCK = 4_096
BLANK = b'""'


class Table(dict[str, Any]):
    """Items by column, spelled as they have to be; their ranges are still to be looked at."""


def split(body: Any, end: int) -> tuple[bytes, Table] | None:
    """The text with an empty list of items, and the items; None where they are not spelled as they have to be.

    `body` is bytes, or a file that is mapped to memory; it counts up to `end`.
    """
    start = body.find(KEY) + len(KEY)
    if start < len(KEY) or body[start : start + 1] != b"{":
        return None
    table = Table({name: _column(form) for name, form in FIELDS.items()})
    found, place = _matches(body, start, end), start
    try:
        while block := list(islice(found, BLOCK)):
            place = block[-1].end()
            _extend(table, block)
    except (OverflowError, ValueError):
        return None  # a number that no field takes, or a text in another spelling
    if body[place : place + 1] != b"]":
        return None
    return bytes(body[:start]) + bytes(body[place:end]), table


def _column(form: bytes) -> Any:
    return [] if form is TEXT else array("q" if form is OR_NULL else "Q")


def _matches(body: Any, place: int, end: int) -> Iterator[re.Match[bytes]]:
    """One item after the other, each where the one before it ends."""
    while match := ROW.match(body, place, end):
        place = match.end()
        yield match


def _extend(table: Table, block: list[re.Match[bytes]]) -> None:
    columns = zip(*[match.groups() for match in block], strict=True)
    for (name, form), values in zip(FIELDS.items(), columns, strict=True):
        if form is TEXT:
            table[name].extend(["" if value == BLANK else _text(value) for value in values])
        elif form is OR_NULL and b"null" in values:
            table[name].extend([NO_TICKET if value == b"null" else int(value) for value in values])
        else:
            table[name].extend(map(int, values))


def _text(spelled: bytes) -> str:
    """A text from its one spelling. Raises ValueError for any other."""
    value = json.loads(spelled)
    if json.dumps(value, ensure_ascii=False).encode() != spelled:
        raise ValueError("another spelling")
    return str(value)
