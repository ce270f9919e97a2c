"""From JSON to the dataclasses of `fleet_client.answers`.

A newer balancer may say more than this package knows: what is not known is kept in `more`, a word that is not known stays a
word. A field that may be null may also be missing. Anything else that does not fit is an `UnexpectedAnswer` that names the
place and never repeats the value.
"""

from __future__ import annotations

import dataclasses
import json
import re
import types
import typing
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any, TypeVar, Union

from fleet_client.errors import UnexpectedAnswer

T = TypeVar("T")
Reader = Callable[[Any, str], Any]

_RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)")


def parse(kind: type[T], body: bytes) -> T:
    """The whole body of an answer.

    Raises:
        UnexpectedAnswer: it is no JSON, or not of this kind.
    """
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        raise UnexpectedAnswer("The answer is not JSON.") from None
    return read(kind, data)


def read(kind: type[T], data: Any) -> T:
    """The same of what is read already."""
    reader: Reader = _reader(kind)  # type: ignore[arg-type]  # a class is hashable
    made: T = reader(data, kind.__name__)
    return made


@cache
def _reader(kind: Any) -> Reader:
    if dataclasses.is_dataclass(kind):
        return _record(typing.cast("type", kind))
    origin, inside = typing.get_origin(kind), typing.get_args(kind)
    if origin in (Union, types.UnionType):
        (only,) = [one for one in inside if one is not types.NoneType]
        return _optional(only)
    if origin is list:
        return _list(inside[0])
    if origin is dict or origin is Mapping:
        return _plain(dict)
    if kind is datetime:
        return _time
    if kind is float:
        return _number
    return _anything if kind is Any else _plain(kind)


def _record(kind: type) -> Reader:
    hints = typing.get_type_hints(kind)
    shape = {one.name: one for one in dataclasses.fields(kind) if one.name != "more"}

    def read_record(data: Any, where: str) -> Any:
        if not isinstance(data, dict):
            raise _wrong(where)
        values: dict[str, Any] = {"more": {name: value for name, value in data.items() if name not in shape}}
        for name, one in shape.items():
            if name in data:
                values[name] = _reader(hints[name])(data[name], f"{where}.{name}")
            elif one.default is dataclasses.MISSING and one.default_factory is dataclasses.MISSING:
                values[name] = _reader(hints[name])(None, f"{where}.{name}")
        return kind(**values)

    return read_record


def _optional(kind: Any) -> Reader:
    return lambda data, where: None if data is None else _reader(kind)(data, where)


def _list(kind: Any) -> Reader:
    def read_list(data: Any, where: str) -> list[Any]:
        if not isinstance(data, list):
            raise _wrong(where)
        return [_reader(kind)(one, f"{where}[{number}]") for number, one in enumerate(data)]

    return read_list


def _plain(kind: Any) -> Reader:
    def read_plain(data: Any, where: str) -> Any:
        if type(data) is not kind:
            raise _wrong(where)
        return data

    return read_plain


def _number(data: Any, where: str) -> float:
    if type(data) not in (int, float):
        raise _wrong(where)
    return float(data)


def _anything(data: Any, _where: str) -> Any:
    return data


def _time(data: Any, where: str) -> datetime:
    if not isinstance(data, str) or not _RFC3339.fullmatch(data):
        raise _wrong(where)
    try:
        return datetime.fromisoformat(data).astimezone(UTC)
    except (ValueError, OverflowError):
        raise _wrong(where) from None


def _wrong(where: str) -> UnexpectedAnswer:
    return UnexpectedAnswer(f"{where} is missing or of another type than the API's document says.")
