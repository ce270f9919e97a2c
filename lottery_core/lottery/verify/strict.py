"""Read a record as strictly as a notary: one spelling of everything, and nothing that is not asked for.

A record is canonical JSON: sorted keys, no blanks, integers only, no key twice. So each byte of a file counts, and no two files
say the same. The readers below are combined in `shape.py` into the description of a whole record.
"""

import json
import re
from collections.abc import Callable
from typing import Any

from lottery import encoding

Reader = Callable[[Any], Any]
NAMES_SHOWN = 5
LONGEST = 2_000_000
OPENINGS_SAFE, DEPTH_MAX = 1000, 10
STRINGS = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
OPENING, NO_BRACKETS = b"[{", bytes(set(range(256)) - set(b"[]{}"))


class Unreadable(ValueError):
    """This text is no record: it is not checked at all, for there is nothing well-formed to check."""


def parse(text: bytes) -> Any:
    """Canonical JSON to plain values; one line end after it is allowed. Raises: Unreadable."""
    body = text.removesuffix(b"\n")
    if body.count(b"[") + body.count(b"{") > OPENINGS_SAFE and _depth(body) > DEPTH_MAX:
        raise Unreadable("not strict JSON: nested too deep")
    try:
        value = json.loads(
            body.decode("utf-8"), object_pairs_hook=_no_key_twice, parse_float=_no_float, parse_constant=_no_float
        )
        canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"not strict JSON: {error}") from error
    if canonical != body:
        raise Unreadable("not canonical JSON: keys must be sorted, without blanks, each character in its one spelling")
    return value


def _depth(body: bytes) -> int:
    """How deep brackets are nested. The parser must not find out: where packages raise Python's limit, it would crash."""
    deepest = level = 0
    for bracket in STRINGS.sub(b"", body).translate(None, NO_BRACKETS):
        level += 1 if bracket in OPENING else -1
        deepest = max(deepest, level)
    return deepest


def _no_key_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return found


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


u8, u32, u64 = number(2**8 - 1), number(2**32 - 1), number(2**64 - 1)


def text(value: Any) -> str:
    """Any text."""
    if type(value) is not str:
        raise Unreadable(" must be text")
    return value


def flag(value: Any) -> bool:
    """true or false."""
    if type(value) is not bool:
        raise Unreadable(" must be true or false")
    return value


def hexed(length: int | None = None) -> Reader:
    """Bytes in lower-case hex, of this length if one is given."""

    def read(value: Any) -> bytes:
        try:
            return encoding.unhex(text(value), length)
        except ValueError as error:
            raise Unreadable(f": {error}") from error

    return read


def one_of(*allowed: Any) -> Reader:
    """One of a few values; 1 is not True here."""

    def read(value: Any) -> Any:
        if not any(type(value) is type(each) and value == each for each in allowed):
            raise Unreadable(f" must be one of {', '.join(map(repr, allowed))}")
        return value

    return read


def nullable(reader: Reader) -> Reader:
    """The same, or null."""
    if isinstance(reader, number):
        return number(reader.largest, or_null=True)

    def read(value: Any) -> Any:
        return None if value is None else reader(value)

    return read


def list_of(reader: Reader, longest: int = LONGEST) -> Reader:
    """A list of one kind of thing."""

    def read(value: Any) -> list[Any]:
        if type(value) is not list or len(value) > longest:
            raise Unreadable(f" must be a list of at most {longest}")
        done: list[Any] = []
        try:
            for each in value:
                done.append(reader(each))
        except Unreadable as error:
            raise Unreadable(f"[{len(done)}]{error}") from error
        return done

    return read


def pair_of(reader: Reader) -> Reader:
    """A list of exactly two."""

    def read(value: Any) -> list[Any]:
        if type(value) is not list or len(value) != 2:
            raise Unreadable(" must be a list of two")
        return [reader(value[0]), reader(value[1])]

    return read


def fields(**readers: Reader) -> Reader:
    """An object with exactly these fields."""
    names = readers.keys()
    # Most fields are numbers, and most numbers are right: those are checked here, without a call.
    plan = [(name, reader, reader.largest if isinstance(reader, number) else -1) for name, reader in readers.items()]

    def read(value: Any) -> dict[str, Any]:
        if type(value) is not dict:
            raise Unreadable(" must be an object")
        if value.keys() != names:
            raise Unreadable(_difference(set(value), set(names)))
        done = {}
        try:
            for name, reader, largest in plan:
                found = value[name]
                done[name] = found if type(found) is int and 0 <= found <= largest else reader(found)
        except Unreadable as error:
            raise Unreadable(f".{name}{error}") from error
        return done

    return read


def _difference(found: set[str], due: set[str]) -> str:
    unknown, missing = sorted(found - due)[:NAMES_SHOWN], sorted(due - found)[:NAMES_SHOWN]
    said = [f" has unknown fields {unknown}"] if unknown else []
    return " and".join([*said, f" lacks {missing}"] if missing else said)
