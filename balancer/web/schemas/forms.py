"""Forms of what comes in: texts with their patterns, and how bodies and query parameters are read.

64-bit ids are strings and money is whole cents. Requests forbid unknown fields and take no other JSON type than the one named.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from balancer.web import visible
from balancer.web.sentences import shaped

TRADE_URL = "https://steamcommunity.com/tradeoffer/new/?partner=39734274&token=AbCd_123"


def whole(value: object) -> object:
    """Query values are text; take plain digits only, not all that ``int`` would."""
    if isinstance(value, str) and not (value.isascii() and value.isdigit() and len(value) <= 18):
        raise ValueError("Write plain digits, as in 100.")
    return value


def decimal(value: object) -> object:
    if isinstance(value, str):
        whole, _, part = value.partition(".")
        if not (value.isascii() and whole.isdigit() and len(value) <= 10 and (part.isdigit() or "." not in value)):
            raise ValueError("Write a number of seconds, as in 10 or 2.5.")
    return value


def several(value: object) -> object:
    return value if isinstance(value, list) else [value]


UserId = Annotated[
    str,
    Field(
        # Not of dots alone, which an address cannot name.
        pattern=shaped(
            r"^\.*[!-\-/-~][!-~]*$", "Write 1 to 64 ASCII letters, digits or other characters, without spaces, as in player-17."
        ),
        max_length=64,
        description="The site's own id of the player",
        examples=["player-17"],
    ),
]
SteamIdText = Annotated[
    str,
    Field(
        pattern=shaped(r"^[0-9]{17}$", "Write a SteamID64, 17 digits as text, as in 76561198000000002."),
        description="SteamID64",
        examples=["76561198000000002"],
    ),
]
TradeUrlText = Annotated[
    str,
    Field(
        max_length=200,
        description="The player's trade URL; its partner must be `steam_id`. It is kept encrypted and never shown.",
        examples=[TRADE_URL],
    ),
]
AssetIdText = Annotated[
    str,
    Field(
        pattern=shaped(r"^[1-9][0-9]{0,18}$", "Write Steam's id of the asset, up to 19 digits as text, as in 27348562001."),
        examples=["27348562001"],
    ),
]
RecordId = Annotated[
    str,
    Field(
        pattern=shaped(
            r"^[A-Za-z0-9_-]{1,64}$", "Write an id exactly as this service gave it, up to 64 letters, digits, _ or -."
        )
    ),
]
# Ids in a page's `next`; the row itself may be gone by then.
TradeMark = Annotated[
    str, Field(pattern=shaped(r"^trd_[0-9a-hjkmnp-tv-z]{20}$", "Send the `next` of the page before, or leave this out."))
]
DepositMark = Annotated[
    str, Field(pattern=shaped(r"^dep_[0-9a-hjkmnp-tv-z]{20}$", "Send the `next` of the page before, or leave this out."))
]
OfferId = Annotated[
    str, Field(pattern=shaped(r"^[0-9]{1,20}$", "Write the digits of Steam's number as text, as in 7123456789."))
]
Color = Annotated[
    str,
    Field(
        pattern=shaped(r"^[a-z][a-z0-9_]{0,23}$", "Write the name of a set of bots in small letters, as in red."),
        description="Name of a set of bots",
        examples=["red"],
    ),
]
BotNameText = Annotated[
    str,
    Field(
        pattern=shaped(r"^[a-z][a-z0-9_]{0,23}-[1-9][0-9]{0,5}$", "Write a bot's name, its set and its number, as in red-7."),
        examples=["red-7"],
    ),
]
# What cannot be seen, or turns the direction of text, could disguise the verify link in front of it.
Message = Annotated[
    str,
    AfterValidator(visible.checked),
    Field(
        max_length=500,
        description="Shown in the offer after the verify link, as far as Steam's 128 characters allow; no characters that "
        "cannot be seen, no other space than the ordinary one",
        examples=["Welcome"],
    ),
]


class Body(BaseModel):
    """A JSON body: exact types, no unknown fields."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Query(BaseModel):
    """Query parameters: text that is read as numbers where numbers are meant; unknown names are refused."""

    model_config = ConfigDict(extra="forbid")
