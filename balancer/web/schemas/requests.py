"""What comes in over HTTP, but for an operator's calls (`balancer.web.schemas.operator`)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag

from balancer.web.schemas.forms import (
    AssetIdText,
    Body,
    Color,
    DepositMark,
    Message,
    OfferId,
    Query,
    RecordId,
    SteamIdText,
    TradeMark,
    TradeUrlText,
    UserId,
    decimal,
    several,
    whole,
)
from balancer.web.sentences import shaped
from shared.domain.items import CONTEXT_NORMAL, CS2_APP_ID
from shared.domain.status import DepositStatus, TradeStatus

LOOKUP_MAX = 200
DEPOSITS_MAX = 1000
EVENTS_MAX = 5000
ITEMS_MAX = 2000
NUMBER_DIGITS_MAX = 18
MAX_NUMBER = 10**NUMBER_DIGITS_MAX - 1
KINDS_MAX = 100
AMBIGUOUS = ("text", "object")  # tags of a union, left out of field names in errors


KindText = Annotated[str, Field(pattern=shaped(r"^[a-z_]{1,64}$", "Write a kind of events, as in trade_created."))]
Kinds = Annotated[
    list[KindText],
    BeforeValidator(several),
    Field(max_length=KINDS_MAX, description="Only events of this kind; may be repeated"),
]


class AssetRef(Body):
    """One asset, when it is not of CS2's ordinary context."""

    app_id: int = Field(default=CS2_APP_ID, ge=1, le=2**31 - 1)
    context_id: OfferId = CONTEXT_NORMAL
    asset_id: AssetIdText


def _asset_tag(value: object) -> str:
    return "object" if isinstance(value, (dict, AssetRef)) else "text"


AssetIn = Annotated[
    Annotated[AssetIdText, Tag("text")] | Annotated[AssetRef, Tag("object")],
    Discriminator(_asset_tag),
]


class DepositBody(Body):
    """Items that a player brings."""

    user_id: UserId
    steam_id: SteamIdText
    trade_url: TradeUrlText = Field(repr=False)
    asset_ids: list[AssetIn] = Field(min_length=1, max_length=ITEMS_MAX)
    color: Color | None = None
    message: Message = ""


class WithdrawBody(Body):
    """Items in custody that a player takes home."""

    user_id: UserId
    steam_id: SteamIdText
    trade_url: TradeUrlText = Field(repr=False)
    deposit_ids: list[RecordId] = Field(min_length=1, max_length=ITEMS_MAX)
    message: Message = ""
    when_settled: bool = Field(default=False, description="Take unsettled items too; the offer is made when they have settled")


class TradesBody(Body):
    """Up to 200 trades, by their ids or by Steam's offer ids."""

    trade_ids: list[RecordId] = Field(default_factory=list, max_length=LOOKUP_MAX)
    offer_ids: list[OfferId] = Field(default_factory=list, max_length=LOOKUP_MAX)


class InventoryBody(Body):
    """Whose inventory; with the trade URL freshly traded items and the hold are seen too."""

    steam_id: SteamIdText
    trade_url: TradeUrlText | None = Field(default=None, repr=False)
    untradable: Annotated[
        bool,
        Field(description="With a trade URL: also the items that the player may not trade, which takes a second read at Steam"),
    ] = False


class PrecheckBody(Body):
    """Who wants to trade."""

    user_id: UserId
    steam_id: SteamIdText
    trade_url: TradeUrlText = Field(repr=False)


class VerifyBody(Body):
    """The site's check of a token for one player."""

    token: Annotated[str, Field(repr=False, min_length=1, max_length=64)]
    steam_id: SteamIdText


class WaitQuery(Query):
    """How long to wait for the offers."""

    wait: Annotated[float, Field(ge=0, le=25, description="Seconds to wait for the offers"), BeforeValidator(decimal)] = 10.0


class TradeQuery(Query):
    """Which trades; `trade_id` and `offer_id` may be repeated."""

    trade_id: Annotated[list[RecordId], BeforeValidator(several), Field(max_length=LOOKUP_MAX)] = Field(default_factory=list)
    offer_id: Annotated[list[OfferId], BeforeValidator(several), Field(max_length=LOOKUP_MAX)] = Field(default_factory=list)
    user_id: UserId | None = None
    status: TradeStatus | None = None
    after: Annotated[TradeMark | None, Field(description="Id of the last trade that was read")] = None
    limit: Annotated[int, Field(ge=1, le=LOOKUP_MAX), BeforeValidator(whole)] = 100


class DepositsQuery(Query):
    """Whose items, or which; without `user_id`, `user_ids` and `ids` everybody's. `user_ids` and `ids` may be repeated."""

    user_id: UserId | None = None
    user_ids: Annotated[list[UserId], BeforeValidator(several), Field(max_length=50)] = Field(default_factory=list)
    ids: Annotated[list[RecordId], BeforeValidator(several), Field(max_length=LOOKUP_MAX)] = Field(default_factory=list)
    status: DepositStatus | None = None
    after: Annotated[DepositMark | None, Field(description="Id of the last deposit that was read")] = None
    limit: Annotated[int, Field(ge=1, le=DEPOSITS_MAX), BeforeValidator(whole)] = 500


class EventsQuery(Query):
    """Where to go on reading."""

    after: Annotated[int, Field(ge=0, description="Number of the last event that was read"), BeforeValidator(whole)] = 0
    limit: Annotated[int, Field(ge=1, le=EVENTS_MAX), BeforeValidator(whole)] = 100
    wait: Annotated[float, Field(ge=0, le=25, description="Seconds to wait for a first event"), BeforeValidator(decimal)] = 0.0
    kind: Kinds = Field(default_factory=list)


class StreamQuery(Query):
    """Where a stream begins, and what it leaves out."""

    after: Annotated[int, Field(ge=0, description="Number of the last event that was read"), BeforeValidator(whole)] = 0
    kind: Kinds = Field(default_factory=list)


class NoQuery(Query):
    """Takes no query parameters."""


class TradePath(Query):
    """One trade."""

    trade_id: Annotated[RecordId, Field(examples=["trd_06bq4e0w9k2n8d3v7h1r"])]


class TokenPath(Query):
    """The secret token of an offer."""

    token: str = Field(repr=False, examples=["Zk3aB7cD1eF5gH9iJ2kL4m"])


class FilePath(Query):
    """One file of the page at `/docs`."""

    file: str = Field(examples=["docs.js"])


class BotPath(Query):
    """One bot: `red/7` is red-7."""

    color: Color
    bot_id: Annotated[int, Field(ge=1, le=999_999, examples=[7]), BeforeValidator(whole)]
    action: Literal["pause", "resume", "drain", "unfreeze"]
