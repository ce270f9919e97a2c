"""Events in the document at `/openapi.json`: one schema for each kind, told apart by `kind`, and alarms by `data.alarm`."""

from __future__ import annotations

from typing import Any

from balancer.journal import kinds
from balancer.journal.kinds.alarms import ALARMS
from balancer.journal.kinds.shapes import TRD, About, Kind

PREFIX = "#/components/schemas/"
FIELDS = "EventFields"
Schema = dict[str, Any]


def of(fields: Schema) -> dict[str, Schema]:
    """All schemas of events; ``fields`` is what every event has."""
    made = {_name(kind): _schema(about, kind, kinds.data_schema(about), full(kind)) for kind, about in kinds.KINDS.items()}
    alarms = {_name(alarm, "Alarm"): _alarm(alarm, about) for alarm, about in ALARMS.items()}
    mapping = {kind: PREFIX + _name(kind) for kind in kinds.KINDS}
    alarm_mapping = {alarm: PREFIX + _name(alarm, "Alarm") for alarm in ALARMS}
    alarm = {
        "title": "Alarm",
        "description": "Something that only an operator can solve; `data.alarm` names it, `data.action` says what to do.",
        "allOf": [
            {"$ref": PREFIX + FIELDS},
            {
                "type": "object",
                "properties": {
                    "kind": {"const": kinds.ALARM},
                    "data": {
                        "oneOf": [{"$ref": place} for place in alarm_mapping.values()],
                        "discriminator": {"propertyName": "alarm", "mapping": alarm_mapping},
                    },
                },
            },
        ],
    }
    mapping[kinds.ALARM] = PREFIX + "EventAlarm"
    event = {
        "description": "One fact of the journal; `kind` says which form it has. The same in the feed, in a stream and in a "
        "webhook. More kinds, and more fields of their data, may come.",
        "oneOf": [{"$ref": place} for place in mapping.values()],
        "discriminator": {"propertyName": "kind", "mapping": mapping},
    }
    return {FIELDS: fields, "Event": event, "EventAlarm": alarm, **made, **alarms}


def full(kind: str, alarm: str | None = None) -> dict[str, Any]:
    """A whole event of this kind, as an example."""
    about = kinds.KINDS[kind] if alarm is None else ALARMS[alarm]
    trade = about.about is About.TRADE
    named = {
        "trade_id": TRD if trade else None,
        "user_id": {True: "player-17"}.get(trade or about.about is About.USER),
        "bot": "red-7" if trade or about.about in (About.BOT, About.REPORTED) else None,
    }
    return {
        "number": 88124,
        "at": "2026-11-30T12:03:39Z",
        "kind": kind,
        **named,
        "who": "balancer",
        "livemode": True,
        "data": kinds.example(about, alarm),
    }


def describe(about: Kind) -> str:
    return f"{about.text} Who has to act: {about.acts.value}."


def _schema(about: Kind, kind: str, data: Schema, example: dict[str, Any]) -> Schema:
    return {
        "title": kind,
        "description": describe(about),
        "allOf": [
            {"$ref": PREFIX + FIELDS},
            {"type": "object", "properties": {"kind": {"const": kind}, "data": data}},
        ],
        "examples": [example],
    }


def _alarm(alarm: str, about: Kind) -> Schema:
    return {
        "title": alarm,
        "description": describe(about),
        **kinds.data_schema(about, alarm),
        "examples": [kinds.example(about, alarm)],
    }


def _name(kind: str, prefix: str = "Event") -> str:
    return prefix + "".join(part.capitalize() for part in kind.split("_"))
