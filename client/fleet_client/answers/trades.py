"""Answers about moving items: trades, what a player has to offer, and whether an offer is ours."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from fleet_client.answers.fleet import BotIdentity
from fleet_client.answers.record import Record

# A trade's statuses at its end; of the others `accepted` is the good one, which may still become `reversed`.
FINAL = frozenset({"settled", "declined", "countered", "expired", "canceled", "failed", "reversed"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure(Record):
    """Why a trade failed, in the code words of problem documents."""

    code: str
    reason: str | None
    player_message: str | None
    retryable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeItem(Record):
    """One item of a trade. `new_asset_id` is known once the trade is accepted; `matched` says how it was found."""

    deposit_id: str
    deposit_status: str | None
    market_hash_name: str
    value_cents: int
    asset_id: str
    new_asset_id: str | None
    matched: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trade(Record):
    """One movement of items between a bot and a player."""

    trade_id: str
    direction: str
    status: str
    user_id: str
    steam_id: str
    bot: str  # As in red-7
    color: str
    bot_id: int
    bot_steam_id: str
    offer_id: str | None
    # The secret token while it is valid, for the client that made the trade; show it to this player only
    token: str | None = field(repr=False)
    verify_url: str | None = field(repr=False)
    expires_at: datetime
    created_at: datetime
    touched: int  # Unix seconds of the last change
    touched_at: datetime
    attempt: int
    failure: Failure | None
    settles_at: datetime | None
    cancel_requested: bool
    verified_at: datetime | None  # When the player was told that the offer is ours
    # No order is given before that; `offer`: in line for a free open offer of its bot, or of the player's share; `bot`: one
    # that Steam lets do it
    waits_for: str | None
    approval_needed: bool
    next_try_at: datetime | None  # When a trade that waits is tried again
    currency: str
    items: list[TradeItem]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trades(Record):
    """Trades, in the order asked for."""

    trades: list[Trade]


@dataclass(frozen=True, slots=True, kw_only=True)
class TradePage(Record):
    """One page of trades; `next` goes into `after`."""

    trades: list[Trade]
    next: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step(Record):
    """One thing that happened to a trade, in words and as data."""

    number: int
    at: datetime
    who: str
    kind: str
    text: str
    data: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Story(Record):
    """A trade from its request to where it stands now."""

    trade: Trade
    story: list[Step]


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyAnswer(Record):
    """Whether the offer is really ours, meant for this player, and open now. A token is good for one `ok`."""

    ok: bool
    reason: str | None = None
    retryable: bool = False  # Ask again in a moment; the player should accept nothing before
    player_message: str | None = None
    trade_id: str | None = None
    direction: str | None = None
    status: str | None = None  # The trade's present status; of an offer that has ended, how it ended
    bot: str | None = None
    bot_steam_id: str | None = None
    bot_identity: BotIdentity | None = None  # The bot as the player sees it in Steam; null: nobody knows yet
    items: int | None = None
    offer_id: str | None = None
    offer_url: str | None = None  # Opens our offer and no other; a copy would have another number
    seen_at: datetime | None = None  # When the bot saw the offer
    verified_at: datetime | None = None  # When the answer was `ok`
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Check(Record):
    """One thing that could keep a player from trading. `ok` is null when it is not known."""

    check: str
    ok: bool | None
    code: str | None  # That of the refusal which a deposit would get; null: none
    player_message: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Precheck(Record):
    """Whether a player may deposit. `may_trade` is false when a check failed, and null when one that matters is not known."""

    user_id: str
    steam_id: str
    may_trade: bool | None
    checks: list[Check]
    free_slots: int  # How many more items this player may have here
    hold_days: int | None
    level: int | None  # Steam level; null when nobody asked or the profile does not show it


@dataclass(frozen=True, slots=True, kw_only=True)
class Item(Record):
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
    phase: str | None  # Of a Doppler, where Steam says it; null for all others


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory(Record):
    """A player's items, as a bot saw them."""

    steam_id: str
    read_at: datetime
    hold_days: int | None  # Days that Steam would hold a trade; null when not known
    currency: str
    items: list[Item]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound(Record):
    """A user of the site and the Steam account that is theirs."""

    user_id: str
    steam_id: str  # SteamID64
