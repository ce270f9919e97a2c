"""Every kind of event and every alarm: what it says, who has to act, what its data are, and an example.

Only kinds that stand here are written: `balancer.journal.events.row` refuses any other. The document at `/openapi.json` and the
tables in docs/events.md are made from this. A field's name with ``?`` behind it may be missing. No field holds a token, a trade
URL or an address of the verify page.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from balancer.journal.kinds.alarms import ALARMS
from balancer.journal.kinds.bots import BOTS
from balancer.journal.kinds.custody import CUSTODY
from balancer.journal.kinds.fleet import FLEET
from balancer.journal.kinds.games import GAMES
from balancer.journal.kinds.shapes import TEXT, Kind, Schema, thing
from balancer.journal.kinds.trades import TRADES

# In the order of docs/events.md.
KINDS: dict[str, Kind] = {str(name): kind for part in (TRADES, BOTS, CUSTODY, GAMES, FLEET) for name, kind in part.items()}
ALARM = "alarm"
TEXT_MAX = 500
_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}


class UnknownKind(ValueError):
    """Nobody has said what an event of this kind, or an alarm of this name, means."""


def check(kind: str, data: Mapping[str, Any]) -> None:
    """
    Raises:
        UnknownKind: it does not stand here.
    """
    known = data.get("alarm") in ALARMS if kind == ALARM else kind in KINDS
    if not known:
        raise UnknownKind(f"{kind} {data.get('alarm', '')}".strip())


def known_fields(data: Mapping[str, Any], fields: Mapping[str, Schema]) -> dict[str, Any]:
    """Of what a bot tells, the values that have one of these names and the type that goes with it; long texts are cut."""
    named = {name.rstrip("?"): schema for name, schema in fields.items()}
    kept = {name: value for name, value in data.items() if name in named and _fits(value, named[name])}
    return {name: value[:TEXT_MAX] if isinstance(value, str) else value for name, value in kept.items()}


def _fits(value: Any, schema: Schema) -> bool:
    """For values that are no lists and no objects."""
    if "anyOf" in schema:
        return any(_fits(value, one) for one in schema["anyOf"])
    return type(value) in _TYPES.get(schema.get("type", ""), ())


def data_schema(kind: Kind, alarm: str | None = None, *, exact: bool = False) -> Schema:
    """The form of an event's data. ``exact``: nothing else may be in it."""
    if alarm is None:
        return thing(kind.data, exact=exact)
    return thing({"alarm": {"const": alarm}, "action": TEXT, **kind.data}, exact=exact)


def example(kind: Kind, alarm: str | None = None) -> dict[str, Any]:
    """Its data, as in an event."""
    same = {} if alarm is None else {"alarm": alarm, "action": "what to do, in a sentence"}
    return {**same, **kind.example}
