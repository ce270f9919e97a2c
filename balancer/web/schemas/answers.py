"""What goes in and out over HTTP. OpenAPI is made from these; answers are built as plain dictionaries in `handlers.dump`.

64-bit ids are strings, times RFC 3339 in UTC, money whole cents. Requests forbid unknown fields and take no other JSON type
than the one named.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag

from balancer.web import visible
from balancer.web.sentences import shaped
from shared.domain.health import May
from shared.domain.items import CONTEXT_NORMAL, CS2_APP_ID
from shared.domain.status import BotMode, DepositStatus, Direction, TradeStatus, WaitsFor

LOOKUP_MAX = 200
DEPOSITS_MAX = 1000
EVENTS_MAX = 5000
ITEMS_MAX = 2000
TRADE_URL = "https://steamcommunity.com/tradeoffer/new/?partner=39734274&token=AbCd_123"
AMBIGUOUS = ("text", "object")  # tags of a union, left out of field names in errors


def _whole(value: object) -> object:
    """Query values are text; take plain digits only, not all that ``int`` would."""
    if isinstance(value, str) and not (value.isascii() and value.isdigit() and len(value) <= 18):
        raise ValueError("Write plain digits, as in 100.")
    return value


def _decimal(value: object) -> object:
    if isinstance(value, str):
        whole, _, part = value.partition(".")
        if not (value.isascii() and whole.isdigit() and len(value) <= 10 and (part.isdigit() or "." not in value)):
            raise ValueError("Write a number of seconds, as in 10 or 2.5.")
    return value


def _several(value: object) -> object:
    return value if isinstance(value, list) else [value]


Time = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
MaybeTime = Annotated[str, Field(json_schema_extra={"format": "date-time"})] | None
UserId = Annotated[
    str,
    Field(
        pattern=shaped(r"^[!-~]{1,64}$", "Write 1 to 64 letters, digits or signs of ASCII without spaces, as in player-17."),
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
    Field(pattern=shaped(r"^[A-Za-z0-9_-]{1,64}$", "Write an id as this service gave it, up to 64 letters, digits, _ or -.")),
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
        description="Stands in the offer after the verify link, in what Steam's 128 characters leave; no characters that "
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


def example(**fields: Any) -> ConfigDict:
    """A body as the page at `/docs` offers it to be sent; a test sends each."""
    return ConfigDict(json_schema_extra={"examples": [fields]})


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

    model_config = example(
        user_id="player-17", steam_id="76561198000000002", trade_url=TRADE_URL, asset_ids=["27348562001"], message="Welcome"
    )
    user_id: UserId
    steam_id: SteamIdText
    trade_url: TradeUrlText = Field(repr=False)
    asset_ids: list[AssetIn] = Field(min_length=1, max_length=ITEMS_MAX)
    color: Color | None = None
    message: Message = ""


class WithdrawBody(Body):
    """Items in custody that a player takes home."""

    model_config = example(
        user_id="player-17",
        steam_id="76561198000000002",
        trade_url=TRADE_URL,
        deposit_ids=["dep_06bq4e0w9k2n8d3v7h1r"],
        message="Enjoy",
    )
    user_id: UserId
    steam_id: SteamIdText
    trade_url: TradeUrlText = Field(repr=False)
    deposit_ids: list[RecordId] = Field(min_length=1, max_length=ITEMS_MAX)
    message: Message = ""
    when_settled: bool = Field(default=False, description="Take unsettled items too; the offer is made when they have settled")


class TradesBody(Body):
    """Up to 200 trades, by their ids or by Steam's offer ids."""

    model_config = example(trade_ids=["trd_06bq4e0w9k2n8d3v7h1r"], offer_ids=["7123456789"])
    trade_ids: list[RecordId] = Field(default_factory=list, max_length=LOOKUP_MAX)
    offer_ids: list[OfferId] = Field(default_factory=list, max_length=LOOKUP_MAX)


class InventoryBody(Body):
    """Whose inventory; with the trade URL freshly traded items and the hold are seen too."""

    model_config = example(steam_id="76561198000000002", trade_url=TRADE_URL)
    steam_id: SteamIdText
    trade_url: TradeUrlText | None = Field(default=None, repr=False)
    untradable: Annotated[
        bool, Field(description="With a trade URL: also what the player may not trade, which takes a second read at Steam")
    ] = False


class VerifyBody(Body):
    """The site's check of a token for one player."""

    model_config = example(token="Zk3aB7cD1eF5gH9iJ2kL4m", steam_id="76561198000000002")  # noqa: S106 - made up
    token: Annotated[str, Field(repr=False, min_length=1, max_length=64)]
    steam_id: SteamIdText


class WaitQuery(Query):
    """How long to wait for the offers."""

    wait: Annotated[float, Field(ge=0, le=25, description="Seconds to wait for the offers"), BeforeValidator(_decimal)] = 10.0


class TradeQuery(Query):
    """Which trades; `trade_id` and `offer_id` may be repeated."""

    trade_id: Annotated[list[RecordId], BeforeValidator(_several), Field(max_length=LOOKUP_MAX)] = Field(default_factory=list)
    offer_id: Annotated[list[OfferId], BeforeValidator(_several), Field(max_length=LOOKUP_MAX)] = Field(default_factory=list)
    user_id: UserId | None = None
    status: TradeStatus | None = None
    after: Annotated[TradeMark | None, Field(description="Id of the last trade that was read")] = None
    limit: Annotated[int, Field(ge=1, le=LOOKUP_MAX), BeforeValidator(_whole)] = 100


class DepositsQuery(Query):
    """Whose items; without `user_id` everybody's."""

    user_id: UserId | None = None
    status: DepositStatus | None = None
    after: Annotated[DepositMark | None, Field(description="Id of the last deposit that was read")] = None
    limit: Annotated[int, Field(ge=1, le=DEPOSITS_MAX), BeforeValidator(_whole)] = 500


class EventsQuery(Query):
    """Where to go on reading."""

    after: Annotated[int, Field(ge=0, description="Number of the last event that was read"), BeforeValidator(_whole)] = 0
    limit: Annotated[int, Field(ge=1, le=EVENTS_MAX), BeforeValidator(_whole)] = 100
    wait: Annotated[float, Field(ge=0, le=25, description="Seconds to wait for a first event"), BeforeValidator(_decimal)] = 0.0


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
    bot_id: Annotated[int, Field(ge=1, le=999_999, examples=[7]), BeforeValidator(_whole)]
    action: Literal["pause", "resume", "drain", "unfreeze"]


class TradeItem(BaseModel):
    """One item of a trade. `new_asset_id` is known once the trade is accepted; `matched` says how it was found."""

    deposit_id: str
    deposit_status: DepositStatus | None
    market_hash_name: str
    value_cents: int
    asset_id: str
    new_asset_id: str | None
    matched: str | None


class Failure(BaseModel):
    """Why a trade failed, in the code words of problem documents."""

    code: str
    reason: str | None
    player_message: str | None
    retryable: bool


class Trade(BaseModel):
    """One movement of items between a bot and a player."""

    trade_id: str
    direction: Direction
    status: TradeStatus
    user_id: str
    steam_id: str
    bot: str = Field(description="As in red-7")
    color: str
    bot_id: int
    bot_steam_id: str
    offer_id: str | None
    token: str | None = Field(
        repr=False,
        description="The secret token while it is good, for the client that made the trade; show it to this player only",
    )
    verify_url: str | None = Field(repr=False)
    expires_at: Time
    created_at: Time
    touched: int = Field(description="Unix seconds of the last change")
    touched_at: Time
    attempt: int
    failure: Failure | None
    settles_at: MaybeTime
    cancel_requested: bool
    verified_at: MaybeTime = Field(description="When its player was told that the offer is ours")
    waits_for: WaitsFor | None = Field(
        description="No order is given before that; `offer`: in line for a free open offer of its bot, or of the player's "
        "share; `bot`: one that Steam lets do it"
    )
    approval_needed: bool
    next_try_at: MaybeTime = Field(description="When a trade that waits is looked at again")
    currency: str
    items: list[TradeItem]


class Trades(BaseModel):
    """Trades, in the order asked for."""

    trades: list[Trade]


class TradePage(Trades):
    """One page of trades; `next` goes into `after`."""

    next: str | None


class Item(BaseModel):
    """One item of a player's inventory. `reason` says why it would not be taken."""

    asset_id: str
    app_id: int
    context_id: str
    market_hash_name: str
    value_cents: int | None
    acceptable: bool
    reason: str | None
    tradable: bool
    amount: int
    type: str
    color: str
    name_color: str
    icon_url: str
    icon_url_large: str
    inspect_link: str | None
    wear: str | None
    pattern: str | None
    name_tag: str | None


class Inventory(BaseModel):
    """A player's items, as a bot saw them."""

    steam_id: str
    read_at: Time
    hold_days: int | None = Field(description="Days that Steam would hold a trade; null when not known")
    currency: str
    items: list[Item]


class Deposit(BaseModel):
    """One item in custody, or on its way in or out."""

    deposit_id: str
    item_id: str
    user_id: str
    status: DepositStatus
    bot: str | None
    asset_id: str | None
    context_id: str | None
    market_hash_name: str
    value_cents: int
    color: str
    name_color: str
    icon_url: str
    icon_url_large: str
    type: str
    wear: str | None
    pattern: str | None
    name_tag: str | None
    inspect_link: str | None
    settles_at: MaybeTime = Field(description="When Steam's protection ends; null until Steam said so")
    settled_at: MaybeTime = Field(description="Null: it can neither be withdrawn nor locked yet")
    locked_by: str | None
    frozen_by: str | None
    created_at: Time
    touched: int
    touched_at: Time


class Deposits(BaseModel):
    """Items in custody or on their way; `next` goes into `after`."""

    currency: str
    deposits: list[Deposit]
    next: str | None


class BotMay(BaseModel):
    """What a bot may do now, asked apart: look (watch, find, settle, audit, read), take items in, give items out."""

    look: bool
    take: bool
    give: bool


class BotWhyNot(BaseModel):
    """One reason why a bot may not do everything."""

    reason: str = Field(description="As in bot_locked, bot_banned, own_hold, offline, paused; docs/operations.md has them all")
    since: Time | None
    forbids: list[May]
    action: str = Field(description="What an operator should do")


class Bot(BaseModel):
    """One bot, as its worker last told."""

    bot: str = Field(description="As in red-7")
    color: str
    bot_id: int
    steam_id: str
    mode: BotMode
    state: str = Field(description="`restricted`: it is online and goes on looking, but Steam keeps it from trading")
    reason: str | None
    action: str | None = Field(description="What an operator should do")
    may: BotMay
    why_not: list[BotWhyNot] = Field(description="Empty when it may do everything")
    slots_held: int
    slots_reserved: int
    open_offers: int
    waiting: int = Field(description="Withdrawals that wait, for whatever; they take no open offer")
    in_line: int = Field(description="Those of them that wait for a free open offer only")
    heartbeat_age_s: float | None
    frozen_by: str | None = Field(
        description="What an operator has to look at first, as in `audit`; the bot gives and takes nothing until `unfreeze`"
    )
    host: str | None
    orders_done: int
    steam_calls: int = Field(description="Its calls to Steam since it started, without the two following")
    look_calls: int = Field(description="Calls for looks at offers that players check")
    second_calls: int = Field(description="Calls for second readings of dear items, which bots of two hosts read")
    latency_ms: float | None


class Address(BaseModel):
    """One address from which bots ask Steam."""

    address: str = Field(description="A host's name, or a proxy's host and port")
    bots: int
    reads_per_minute: float | None = Field(description="Inventories of players; null: no limit")


class Capacity(BaseModel):
    """What the fleet can serve at the moment."""

    slots_free: int = Field(description="Items that bots which take deposits have room for")
    offers_free: int = Field(description="Open offers that deposits may still make")
    reads_per_minute: float | None = Field(description="Inventories of players, over all addresses; null: no limit")
    reads_waiting: int = Field(description="Of these, how many this balancer has begun or in line")
    groups: int = Field(description="Groups of bots that are not paused; with two or more, dear items are read by bots of two")
    addresses: list[Address]


class Bots(BaseModel):
    """The fleet."""

    bots: list[Bot]
    capacity: Capacity


class Event(BaseModel):
    """One fact of the journal. Numbers grow; there may be gaps."""

    number: int
    at: Time
    kind: str
    trade_id: str | None
    user_id: str | None
    bot: str | None
    who: str
    data: dict[str, Any]


class Events(BaseModel):
    """A stretch of the feed; `next` goes into `after`."""

    events: list[Event]
    next: int


class VerifyAnswer(BaseModel):
    """Whether the offer is really ours, meant for this player, and open now. A token is good for one `ok`."""

    ok: bool
    reason: Literal["unknown", "expired", "used", "not_yet", "in_hold", "over", "cannot_tell"] | None = None
    retryable: bool = Field(False, description="Ask again in a moment; nobody should accept anything before")
    player_message: str | None = None
    trade_id: str | None = None
    direction: Direction | None = None
    status: TradeStatus | None = Field(None, description="Of the trade now; of an offer that is over, what became of it")
    bot: str | None = None
    bot_steam_id: str | None = None
    items: int | None = None
    offer_id: str | None = None
    offer_url: str | None = Field(None, description="Opens our offer and no other; a copy has another number")
    seen_at: MaybeTime = Field(None, description="When the bot saw the offer")
    verified_at: MaybeTime = Field(None, description="When the answer was `ok`")
    ended_at: MaybeTime = None


class Health(BaseModel):
    """The process answers."""

    status: Literal["ok"]


class Readiness(BaseModel):
    """Whether this balancer can do its work, part by part."""

    ready: bool
    checks: dict[str, dict[str, Any]]


class Page(BaseModel):
    """A page or a file."""


class AnyObject(BaseModel):
    """A JSON object."""

    model_config = ConfigDict(extra="allow")


class FieldError(BaseModel):
    """What is wrong with one field."""

    field: str
    kind: str
    message: str


class Problem(BaseModel):
    """RFC 9457. `code` is what a program looks at; `actor` says who can do something about it."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str
    code: str
    retryable: bool
    actor: Literal["site", "player", "operator", "steam"]
    reason: str | None = None
    player_message: str | None = None
    retry_after_s: float | None = None
    errors: list[FieldError] | None = None
