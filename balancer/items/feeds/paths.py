"""Where something stands in a document or a row of a feed: a small path language. Pure.

=================  =====================================================================
``a.b``            the field ``b`` of the field ``a``
``*``              every field of an object, every entry of a list
``[key=text]``     of a list or an object those entries whose field ``key`` is this text
``"a.b"``          a field whose name has a dot in it
``@``              the thing itself; an empty path is the same
``@key``           the key under which the row stands
``a|b``            what ``a`` gives, or, where that is nothing, what ``b`` gives
=================  =====================================================================

So ``prices[provider_key=buff163].price`` is the price of the entry of that market.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

PATH_MAX = 300
KEY = "@key"
SELF = "@"

# What is between these is taken as it stands.
_HELD = {'"': '"', "[": "]"}
_STEP = re.compile(r'"(?P<quoted>[^"]+)"|\[(?P<field>[^\[\]=."]+)=(?P<text>[^\[\]]+)\]|(?P<plain>[^.|"\[\]*@/]+)|(?P<all>\*)')


class BadPath(ValueError):
    """The text is no path; it says what is wrong."""


class Doubled(list[tuple[str, Any]]):
    """An object of which two fields have one name: its pairs, as they stood. A field that is there twice cannot be told."""

    def get(self, name: str) -> Any:
        """Raises: KeyError, there is none, or several."""
        values = [value for key, value in self if key == name]
        if len(values) != 1:
            raise KeyError(name)
        return values[0]


@dataclass(frozen=True, slots=True)
class _Step:
    name: str
    text: str | None = None  # of a choice: what the field `name` must be
    every: bool = False


@dataclass(frozen=True, slots=True)
class Path:
    """A path that was understood. ``ways`` are tried one after the other; ``None`` stands for the row's key."""

    text: str
    ways: tuple[tuple[_Step, ...] | None, ...]

    def find(self, thing: Any, key: str | None = None) -> list[Any]:
        """Everything that stands there, of the first way that gives something other than null."""
        return [each for _, each in self.find_named(thing, key)]

    def find_named(self, thing: Any, key: str | None = None) -> list[tuple[str | None, Any]]:
        """The same, each with the name that stood for the last ``*`` on the way to it; ``None`` where none did."""
        for way in self.ways:
            named = [(None, key)] if way is None else _walk(thing, way)
            if named := [each for each in named if each[1] is not None]:
                return named
        return []


def parse(text: str) -> Path:
    """Understand a path.

    Raises:
        BadPath.
    """
    if len(text) > PATH_MAX:
        raise BadPath(f"a path has at most {PATH_MAX} characters")
    return Path(text, tuple(_way(part.strip()) for part in _alternatives(text)))


def items_of(thing: Any) -> Iterator[tuple[str | None, Any]]:
    """The entries of a list or an object, each with its key; of anything else none."""
    if isinstance(thing, dict):
        yield from thing.items()
    elif isinstance(thing, Doubled):
        yield from thing
    elif isinstance(thing, list):
        yield from ((None, each) for each in thing)


def _alternatives(text: str) -> list[str]:
    """Split at ``|`` outside of quotes and choices.

    Raises:
        BadPath: nothing stands on one side of one.
    """
    parts, held = [""], ""
    for sign in text:
        if sign == "|" and not held:
            parts.append("")
            continue
        held = "" if sign == held else held or _HELD.get(sign, "")
        parts[-1] += sign
    if len(parts) > 1 and not all(part.strip() for part in parts):
        raise BadPath(f"something is missing beside | in {text!r}")
    return parts


def _way(text: str) -> tuple[_Step, ...] | None:
    if text == KEY:
        return None
    if text in ("", SELF):
        return ()
    steps: list[_Step] = []
    at = 0
    while at < len(text):
        if steps and text[at] == ".":
            at += 1
        elif steps and text[at] != "[":
            raise BadPath(f"a dot is missing at character {at + 1} of {text!r}")
        match = _STEP.match(text, at)
        if match is None:
            raise BadPath(f"{text!r} cannot be understood from character {at + 1} on")
        steps.append(_step(match))
        at = match.end()
    return tuple(steps)


def _step(match: re.Match[str]) -> _Step:
    if match["all"]:
        return _Step("", every=True)
    if match["field"]:
        return _Step(match["field"].strip(), match["text"].strip())
    return _Step(match["quoted"] or match["plain"].strip())


def _walk(thing: Any, steps: tuple[_Step, ...]) -> list[tuple[str | None, Any]]:
    here: list[tuple[str | None, Any]] = [(None, thing)]
    for step in steps:
        here = [taken for name, each in here for taken in _take(name, each, step)]
    return here


def _take(name: str | None, thing: Any, step: _Step) -> Iterator[tuple[str | None, Any]]:
    if step.every:
        yield from items_of(thing)
    elif step.text is not None:
        yield from ((name, each) for _, each in items_of(thing) if step.text in (_field(each, step.name)))
    else:
        yield from ((name, each) for each in _field(thing, step.name))


def _field(thing: Any, name: str) -> list[Any]:
    if not isinstance(thing, dict | Doubled):
        return []
    try:
        return [thing[name] if isinstance(thing, dict) else thing.get(name)]
    except KeyError:
        return []
