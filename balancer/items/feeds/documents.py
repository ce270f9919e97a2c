"""A feed's bytes as a document: JSON, or the lines of a table (CSV). Pure, and bounded before it costs memory.

Numbers stay what was written, whole or decimal: a price never goes through a binary fraction. A number that is none (NaN, one
of thousands of digits) spoils only the row that it stands in, and so does a line of a table that is broken.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from balancer.items.feeds.paths import Doubled

# Each costs up to some hundred bytes of memory; of the feeds that we know, the largest has a million and a third.
VALUES_MAX = 2_000_000
ROWS_MAX = 500_000  # ten times as many as there are items
DIGITS_MAX = 40
DELIMITERS = (",", ";", "\t")
_NO_NUMBER = Decimal("NaN")


class Unreadable(ValueError):
    """The bytes are no such document; the text says what is wanted."""


class BrokenLine:
    """Stands for a line of a table that cannot be read."""


def of_json(data: bytes) -> Any:
    """
    Raises:
        Unreadable: it is no JSON, is nested too deeply, or has more values than any list of prices.
    """
    if sum(data.count(sign) for sign in (b",", b"[", b"{")) > VALUES_MAX:
        raise Unreadable(f"at most {VALUES_MAX} values are wanted")
    try:
        return json.loads(
            data, parse_int=_whole, parse_float=_number, parse_constant=lambda _: _NO_NUMBER, object_pairs_hook=_object
        )
    except (ValueError, RecursionError):
        raise Unreadable("JSON is wanted") from None


def of_table(data: bytes, wanted: str) -> Iterator[dict[str, str] | BrokenLine]:
    """The lines below the first, by the names of the first. ``wanted`` is a column that tells how the columns are divided.

    A field never goes over the end of a line, so a quote that is not closed spoils its line only.

    Raises:
        Unreadable: it is no text in UTF-8, its first line does not name the column, or it has more lines than any list.
    """
    if data.count(b"\n") > ROWS_MAX:
        raise Unreadable(f"at most {ROWS_MAX} lines are wanted")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Unreadable("text in UTF-8 is wanted") from None
    first, _, rest = text.partition("\n")
    delimiter = next((each for each in DELIMITERS if wanted in (_fields(first, each) or ())), None)
    names = None if delimiter is None else _fields(first, delimiter)
    if delimiter is None or names is None:
        raise Unreadable(f"a first line that names the column {wanted!r} is wanted")
    if len(set(names)) != len(names):
        raise Unreadable("a name for each column is wanted; one is there twice")
    return _lines(rest, names, delimiter)


def _lines(text: str, names: list[str], delimiter: str) -> Iterator[dict[str, str] | BrokenLine]:
    at = 0
    while at < len(text):
        end = text.find("\n", at)
        end = len(text) if end < 0 else end
        line, at = text[at:end], end + 1
        if not line.strip():
            continue
        fields = _fields(line, delimiter)
        yield BrokenLine() if fields is None or len(fields) != len(names) else dict(zip(names, fields, strict=True))


def _fields(line: str, delimiter: str) -> list[str] | None:
    try:
        rows = list(csv.reader([line.removesuffix("\r")], delimiter=delimiter, strict=True))
    except csv.Error:
        return None
    return [field.strip() for field in rows[0]] if len(rows) == 1 else None


def _whole(text: str) -> int | Decimal:
    return int(text) if len(text) <= DIGITS_MAX else _NO_NUMBER


def _number(text: str) -> Decimal:
    return Decimal(text) if len(text) <= DIGITS_MAX else _NO_NUMBER


def _object(pairs: list[tuple[str, Any]]) -> Any:
    made = dict(pairs)
    return made if len(made) == len(pairs) else Doubled(pairs)
