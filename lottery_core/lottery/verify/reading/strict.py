"""Read a record as strictly as a notary: one spelling of everything, and nothing that is not asked for.

A record is canonical JSON: sorted keys, no blanks, integers only, no key twice. So each byte of a file counts, and no two files
say the same. The readers below are combined in `shape.py` into the description of a whole record.
"""

import json
import re
from array import array
from collections.abc import Callable, Sequence
from itertools import chain
from operator import itemgetter
from typing import Any

from lottery import encoding
from lottery.verify.reading import rows

Reader = Callable[[Any], Any]
NAMES_SHOWN = 5
LONGEST, U64_MAX = 2_000_000, 2**64 - 1
OPENINGS_SAFE, DEPTH_MAX = 1000, 10
TEXT_BYTES = 200
SMALL = 1 << 20
"""A text of up to a megabyte is parsed at once."""
STRINGS = re.compile(rb'"(?:[^"\\]++|\\.?)*+"?', re.DOTALL)  # one without an end goes to the end: no byte is read twice
WRITER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, check_circular=False)
OPENING, NO_BRACKETS = b"[{", bytes(set(range(256)) - set(b"[]{}"))


class Unreadable(ValueError):
    """This text is no record: it is not checked at all, for there is nothing well-formed to check."""


def parse(text: Any, at_once: int = SMALL) -> Any:
    """Canonical JSON to plain values; one line end after it is allowed. Raises: Unreadable.

    `text` is bytes, or a file that is mapped to memory. Beyond `at_once` bytes the items are read row by row.
    """
    end = len(text) - (text[-1:] == b"\n")
    found = rows.split(text, end) if end > at_once else None
    if found is None:
        return _whole(bytes(text[:end]))
    rest, table = found
    value = _whole(rest)
    if type(value) is not dict or value.get("items") != []:
        raise Unreadable("not strict JSON: items in another place")
    return value | {"items": table}


def _whole(body: bytes) -> Any:
    if body.count(b"[") + body.count(b"{") > OPENINGS_SAFE and _depth(body) > DEPTH_MAX:
        raise Unreadable("not strict JSON: nested too deep")
    try:
        value = json.loads(body.decode("utf-8"), parse_float=_no_float, parse_constant=_no_float)
        canonical = WRITER.encode(value).encode()
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"not strict JSON: {error}") from error
    if canonical != body:
        raise Unreadable(
            "not canonical JSON: keys must be sorted, none of them twice in one object, "
            "without blanks, each character in its one spelling"
        )
    return value


def _depth(body: bytes) -> int:
    """How deep brackets are nested. The parser must not find out: where packages raise Python's limit, it would crash."""
    deepest = level = 0
    for bracket in STRINGS.sub(b"", body).translate(None, NO_BRACKETS):
        level += 1 if bracket in OPENING else -1
        deepest = max(deepest, level)
    return deepest


def _no_float(text: str) -> Any:
    raise ValueError(f"{text} is not an integer")


class number:
    """An integer from 0 to `largest`, or null where that is allowed; True and False are not integers here."""

    def __init__(self, largest: int, or_null: bool = False) -> None:
        self.largest, self.or_null = largest, or_null

    def __call__(self, value: Any) -> int | None:
        if value is None and self.or_null:
            return None
        if type(value) is not int or not 0 <= value <= self.largest:
            raise Unreadable(f" must be an integer from 0 to {self.largest}")
        return value

    def fit(self, values: Sequence[Any]) -> bool:
        """True when each of many values can be read so; False: one of them may be wrong, look at each."""
        for value in values:
            if type(value) is not int:
                return self.or_null and value is None and self.fit([each for each in values if each is not None])
        try:
            array("Q", values)  # takes integers from 0 to 2^64-1 and no others, quicker than min and max would tell
        except OverflowError:
            return False
        return self.largest >= U64_MAX or max(values, default=0) <= self.largest


class text_of:
    """Any text of at most so many bytes that UTF-8 can write: no half of a surrogate pair."""

    def __init__(self, longest: int) -> None:
        self.longest = longest

    def __call__(self, value: Any) -> str:
        if type(value) is not str or not self.fit([value]):
            raise Unreadable(f" must be text of at most {self.longest} bytes")
        return value

    def fit(self, values: Sequence[Any]) -> bool:
        """True when each of many values can be read so."""
        try:
            total = len("".join(values).encode())
        except (TypeError, UnicodeEncodeError):
            return False
        return total <= self.longest or max(len(value.encode()) for value in values) <= self.longest


class yes_or_no:
    """true or false."""

    def __call__(self, value: Any) -> bool:
        if type(value) is not bool:
            raise Unreadable(" must be true or false")
        return value

    def fit(self, values: Sequence[Any]) -> bool:
        """True when each of many values can be read so."""
        return set(map(type, values)) <= {bool}


Column = number | text_of | yes_or_no
u8, u32, u64 = number(2**8 - 1), number(2**32 - 1), number(U64_MAX)
u32_or_null, u64_or_null = number(2**32 - 1, or_null=True), number(U64_MAX, or_null=True)
text, flag = text_of(TEXT_BYTES), yes_or_no()


def hexed(length: int | None = None) -> Reader:
    """Bytes in lower-case hex, of this length if one is given."""

    def read(value: Any) -> bytes:
        if type(value) is not str:
            raise Unreadable(" must be text")
        try:
            return encoding.unhex(value, length)
        except ValueError as error:
            raise Unreadable(f": {error}") from error

    return read


def hex_text(length: int | None = None) -> Reader:
    """The same, kept as text: where it goes into a hash as it stands."""
    reader = hexed(length)

    def read(value: Any) -> str:
        reader(value)
        return str(value)

    return read


def one_of(*allowed: Any) -> Reader:
    """One of a few values; 1 is not True here."""
    kinds = set(map(type, allowed))

    def read(value: Any) -> Any:
        if type(value) not in kinds or value not in allowed:
            raise Unreadable(f" must be one of {', '.join(map(repr, allowed))}")
        return value

    return read


def nullable(reader: Reader) -> Reader:
    """The same, or null. Numbers have `or_null` for that."""

    def read(value: Any) -> Any:
        return None if value is None else reader(value)

    return read


def list_of(reader: Reader, longest: int = LONGEST) -> Reader:
    """A list of one kind of thing."""
    fit = reader.fit if isinstance(reader, Column) else None

    def read(value: Any) -> list[Any]:
        if type(value) is not list or len(value) > longest:
            raise Unreadable(f" must be a list of at most {longest}")
        if not value or (fit is not None and fit(value)):
            return value
        return one_by_one(reader, value)

    return read


def one_by_one(reader: Reader, values: Sequence[Any]) -> list[Any]:
    """Each value of a list, read; the one that is wrong is named."""
    done: list[Any] = []
    try:
        for each in values:
            done.append(reader(each))
    except Unreadable as error:
        raise Unreadable(f"[{len(done)}]{error}") from error
    return done


def pairs_of(column: Column, longest: int = LONGEST) -> Reader:
    """A list of lists of exactly two."""

    def pair(value: Any) -> list[Any]:
        if type(value) is not list or len(value) != 2:
            raise Unreadable(" must be a list of two")
        return [column(value[0]), column(value[1])]

    def read(value: Any) -> list[list[Any]]:
        if type(value) is not list or len(value) > longest:
            raise Unreadable(f" must be a list of at most {longest}")
        as_due = set(map(type, value)) <= {list} and set(map(len, value)) <= {2} and column.fit(list(chain(*value)))
        return value if as_due else one_by_one(pair, value)

    return read


def fields(**readers: Reader) -> Reader:
    """An object with exactly these fields."""
    names = readers.keys()
    # Most fields are numbers or null, and most of those are right: they are checked here, without a call.
    plan = [
        (name, reader, *((reader.largest, reader.or_null) if isinstance(reader, number) else (-1, False)))
        for name, reader in readers.items()
    ]

    def read(value: Any) -> dict[str, Any]:
        if type(value) is not dict:
            raise Unreadable(" must be an object")
        if value.keys() != names:
            raise Unreadable(_difference(set(value), set(names)))
        done = dict(value)
        try:
            for name, reader, largest, or_null in plan:
                found = value[name]
                if not (type(found) is int and 0 <= found <= largest) and not (found is None and or_null):
                    done[name] = reader(found)
        except Unreadable as error:
            raise Unreadable(f".{name}{error}") from error
        return done

    return read


def table_of(longest: int, **columns: Column) -> Reader:
    """A list of objects with exactly these fields, each a number, a text or a flag; the answer is a column per field.

    Whole columns are quick to check: the one value that is wrong is looked for only when there is one.
    """
    width, one_by_row, of_row = len(columns), list_of(fields(**columns), longest), itemgetter(*columns)
    fits = [(name, column.fit) for name, column in columns.items()]

    def by_field(value: list[dict[str, Any]]) -> dict[str, list[Any]]:
        found = map(list, zip(*map(of_row, value), strict=True)) if value else [[] for _ in columns]
        return dict(zip(columns, found, strict=True))

    def as_due(value: list[Any]) -> dict[str, list[Any]] | None:
        try:
            found = by_field(value)
        except (KeyError, TypeError):
            return None  # a row without one of the fields, or something that has no fields
        if sum(map(len, value)) != width * len(value):
            return None
        return found if all(fit(found[name]) for name, fit in fits) else None

    def read(value: Any) -> dict[str, Any]:
        if type(value) is rows.Table:
            for name, column in columns.items():
                _check_column(name, column, value[name])
            return dict(value)
        found = as_due(value) if type(value) is list and len(value) <= longest else None
        return by_field(one_by_row(value)) if found is None else found

    return read


def _check_column(name: str, column: Column, values: Sequence[Any]) -> None:
    """The ranges of a column that was read row by row; the spelling has shown that its values are numbers, or texts."""
    if isinstance(column, number) and not column.or_null:
        fits = column.largest >= U64_MAX or max(values, default=0) <= column.largest
    else:
        fits = column.or_null if isinstance(column, number) else column.fit(values)
    if not fits or len(values) > LONGEST:
        raise Unreadable(f": one of the values of {name} is out of range, or there are too many")


def _difference(found: set[str], due: set[str]) -> str:
    unknown, missing = sorted(found - due, key=str)[:NAMES_SHOWN], sorted(due - found)[:NAMES_SHOWN]
    said = [f" has unknown fields {unknown}"] if unknown else []
    return " and".join([*said, f" lacks {missing}"] if missing else said)
