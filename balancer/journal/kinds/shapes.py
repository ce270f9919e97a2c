"""What a kind of event is made of: who has to act, what it is about, the forms of its data, and values for examples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

Schema = dict[str, Any]


class Acts(StrEnum):
    """Who has to do something because of an event."""

    NOBODY = "nobody"
    BOT = "bot"
    STEAM = "steam"
    PLAYER = "player"
    SITE = "site"
    OPERATOR = "operator"


class About(StrEnum):
    """Which of an event's own fields are set."""

    TRADE = "trade_id, user_id, bot"
    REPORTED = "bot, and trade_id if it is about a trade"
    BOT = "bot"
    USER = "user_id"
    HOUSE = "user_id, and bot if one has it"
    ANY = "what it is about"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of event, or one alarm. ``example`` are its data, without what is the same in all alarms."""

    text: str
    acts: Acts
    about: About
    data: Mapping[str, Schema]
    example: Mapping[str, Any]


TEXT: Schema = {"type": "string"}
WHOLE: Schema = {"type": "integer"}
FLAG: Schema = {"type": "boolean"}
TEXTS: Schema = {"type": "array", "items": TEXT}
WHOLES: Schema = {"type": "array", "items": WHOLE}
ANYTHING: Schema = {"type": "object"}


def maybe(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def rows(**fields: Schema) -> Schema:
    """A list of objects with these fields; a name that ends in ``_`` may be missing."""
    return {"type": "array", "items": thing({f"{name[:-1]}?" if name.endswith("_") else name: f for name, f in fields.items()})}


def thing(fields: Mapping[str, Schema], *, exact: bool = False) -> Schema:
    """An object with these fields; ``exact``: and no others."""
    named = {name.rstrip("?"): schema for name, schema in fields.items()}
    made: Schema = {"type": "object", "properties": named}
    if needed := [name for name in fields if not name.endswith("?")]:
        made["required"] = needed
    return {**made, "additionalProperties": False} if exact else made


# In unix seconds, as a bot or Steam told it.
UNIX = {**WHOLE, "description": "Unix seconds"}
CENTS = {**WHOLE, "description": "Cents"}
DEPOSITS: Schema = {
    "type": "array",
    "items": thing({"deposit_id": TEXT, "from?": TEXT, "to": TEXT, "frozen_by?": TEXT, "owner?": TEXT}),
}
CREDITS = rows(user_id=TEXT, cents=CENTS, kind=TEXT, reason_=TEXT)
STEAMS: dict[str, Schema] = {
    "offer_id?": TEXT,
    "exchange_id?": TEXT,
    "state?": {**WHOLE, "description": "Steam's number of the offer's or the exchange's state"},
    "code?": TEXT,
    "reason?": TEXT,
    "result?": {**WHOLE, "description": "Steam's result code"},
    "settles_at?": UNIX,
    "retry_after_s?": {"type": "number"},
    "calls?": {**TEXT, "description": "The bot's calls to Steam, with the answers' codes"},
}
MOVED: dict[str, Schema] = {"from": TEXT, "to": TEXT, "attempt": WHOLE, **STEAMS, "deposits?": DEPOSITS}
REF = {"client_id": TEXT, "ref": TEXT}
HOOK = {"target_id": TEXT, "host": TEXT}
DEP, TRD, HOOK_ID = "dep_06bq4e0w9k2n8d3v7h1r", "trd_06bq4e0w9k2n8d3v7h1r", "whk_06bq4e0w9k2n8d3v7h1r"
A_HOOK = {"target_id": HOOK_ID, "host": "mysite.example"}
DECIDED: dict[str, Schema] = {"deposit_id": TEXT, "decision": TEXT, "asset_id": maybe(TEXT), "reason": TEXT}
CARRIED: dict[str, Schema] = {"deposit_id": TEXT, "frozen_by": maybe(TEXT), "reason": TEXT, "deposits": DEPOSITS}
A_DECISION = {"deposit_id": DEP, "decision": "release", "asset_id": "27348562001", "reason": "seen in the bot's inventory"}
A_REF = {"client_id": "cli_4f1c", "ref": "bet_01jdv"}
A_CHANGE = [{"deposit_id": DEP, "from": "deposit_pending", "to": "active"}]


def moved(text: str, acts: Acts, before: str, after: str, **more: Any) -> Kind:
    """A change of a trade's status."""
    return Kind(text, acts, About.TRADE, MOVED, {"from": before, "to": after, "attempt": 1, **more})
