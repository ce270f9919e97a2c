"""How an order or a report becomes text, and which text is none: what `shared.orders` and `shared.reports` have in common.

Both travel sealed (`shared.wire`), both may come twice.
"""

from __future__ import annotations

import json
from dataclasses import MISSING, fields
from typing import Any

NUMBER_MAX = 2**53


def dumps(message: object) -> bytes:
    """UTF-8 JSON of a dataclass and of those in it."""
    return json.dumps(message, default=_fields, separators=(",", ":")).encode()


def _fields(part: Any) -> dict[str, Any]:
    """A message or a part of it, when its turn comes: `dataclasses.asdict` would copy all of it first, which costs more.

    What is as it is anyway is left out: so a peer of an earlier release, which does not know the field, reads the message.
    """
    told = {}
    for name, usual in _usual(type(part)):
        value = getattr(part, name)
        if usual is MISSING or value != usual or type(value) is not type(usual):
            told[name] = value
    return told


_USUAL: dict[type[Any], tuple[tuple[str, Any], ...]] = {}


def _usual(kind: type[Any]) -> tuple[tuple[str, Any], ...]:
    """Each field with its default, or `MISSING`; found once for each class."""
    if kind not in _USUAL:
        _USUAL[kind] = tuple(
            (each.name, each.default if each.default_factory is MISSING else each.default_factory()) for each in fields(kind)
        )
    return _USUAL[kind]


# Types of fields that are checked, as messages declare them.
_TYPES: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "int": (int,),
    "bool": (bool,),
    "str | None": (str, type(None)),
    "int | None": (int, type(None)),
}


def check_types(message: Any) -> None:
    """Whether every field of a message, and of what it holds, has the type that it is declared with.

    Raises:
        TypeError: one has not.
    """
    for name, declared in message.__dataclass_fields__.items():
        value, kinds = getattr(message, name), _TYPES.get(declared.type)
        if kinds is not None and (not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds)):
            raise TypeError(f"{name} has another type")
        for each in value if isinstance(value, list) else ():
            if not isinstance(each, str) and not _is_message(each):
                raise TypeError(f"{name} holds another type")
        for each in filter(_is_message, value if isinstance(value, list) else (value,)):
            check_types(each)


def _is_message(value: object) -> bool:
    return hasattr(value, "__dataclass_fields__")
