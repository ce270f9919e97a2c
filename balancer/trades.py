"""Deposit, withdraw, cancel, show: one function = one transaction, and orders go out after the commit.

What the caller has checked before (`balancer.policy`, `balancer.inventory`) is not checked again; what only the database knows
is decided here, inside the transaction, so that requests at the same time agree.
"""

from __future__ import annotations

from dataclasses import dataclass

from balancer.context import Context
from shared.domain.ids import TradeUrl
from shared.domain.items import HeldAsset


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose API key it is."""

    client_id: str
    name: str
    scopes: frozenset[str]


@dataclass(frozen=True, slots=True)
class Wanted:
    """One asset of the player's inventory that is to come in, and what it is worth."""

    held: HeldAsset
    value_cents: int


@dataclass(frozen=True, slots=True)
class DepositWish:
    user_id: str
    trade_url: TradeUrl
    wanted: list[Wanted]
    color: str | None = None
    message: str = ""


@dataclass(frozen=True, slots=True)
class WithdrawWish:
    user_id: str
    trade_url: TradeUrl
    deposit_ids: list[str]
    message: str = ""


@dataclass(frozen=True, slots=True)
class BotRef:
    color: str
    bot_id: int
    steam_id: str


@dataclass(frozen=True, slots=True)
class Failure:
    code: str
    reason: str | None
    player_message: str | None
    retryable: bool


@dataclass(frozen=True, slots=True)
class TradeItemView:
    """One item of a trade: ``asset_id`` before, ``new_asset_id`` after the exchange, and how it was ``matched``."""

    deposit_id: str
    deposit_status: str | None
    market_hash_name: str
    value_cents: int
    asset_id: str
    new_asset_id: str | None
    matched: str | None


@dataclass(frozen=True, slots=True)
class TradeView:
    """A trade as the site sees it. Times in unix seconds; ``token`` only while it may be checked and the trade is not over."""

    trade_id: str
    direction: str
    status: str
    user_id: str
    steam_id: str
    bot: BotRef
    offer_id: str | None
    token: str | None
    expires_at: int
    created_at: int
    touched: int
    attempt: int
    failure: Failure | None
    settles_at: int | None
    cancel_requested: bool
    items: list[TradeItemView]


async def find_repeat(ctx: Context, caller: Caller, key: str, body_hash: str) -> list[str] | None:
    """The trades that a request with this key made before; ``None`` if it is a new one.

    Raises:
        RequestReused: the key was used with another body.
    """
    raise NotImplementedError


async def deposit(ctx: Context, caller: Caller, key: str, body_hash: str, wish: DepositWish) -> list[str]:
    """Make the trades that bring these items in, and order the bots to send their offers. Returns the trade ids.

    The same key and body again, also at the same time, gives the same ids and makes nothing.

    Raises:
        RequestReused, NotAccepted (inventory_full, message_too_long), PlayerMustAct (too_many_offers),
        Conflict (user_mismatch, asset_in_trade), NoBotAvailable.
    """
    raise NotImplementedError


async def withdraw(ctx: Context, caller: Caller, key: str, body_hash: str, wish: WithdrawWish) -> list[str]:
    """Reserve these rows, all or none, and order the bots that hold them to offer them. Returns the trade ids.

    Raises:
        RequestReused, NotFound, Forbidden (not_owner), NotAccepted (item_not_accepted, message_too_long),
        PlayerMustAct (too_many_offers), NoBotAvailable,
        Conflict (user_mismatch, asset_in_trade, item_locked, item_unsettled with ``settles_at``, item_frozen).
    """
    raise NotImplementedError


async def cancel(ctx: Context, caller: Caller, trade_id: str) -> TradeView:
    """Wish that this trade be canceled; it is when a bot has said so. Wishing again changes nothing.

    Raises:
        NotFound: no such trade.
        TooLate: it is accepted or over.
    """
    raise NotImplementedError


async def show(ctx: Context, ids: list[str]) -> list[TradeView]:
    """These trades, in this order; unknown ids are left out."""
    raise NotImplementedError


async def find(
    ctx: Context,
    *,
    offer_ids: list[str] | None = None,
    user_id: str | None = None,
    status: str | None = None,
    after: str | None = None,
    limit: int = 100,
) -> list[TradeView]:
    """Trades by offer id, user or status, ordered by trade id from the one behind ``after`` on."""
    raise NotImplementedError


async def user_of(ctx: Context, user_id: str) -> str | None:
    """The Steam id bound to this user; ``None`` if there is no such user yet."""
    raise NotImplementedError
