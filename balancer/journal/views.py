"""Trades as the site sees them: two queries for any number of trades, then plain dataclasses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, and_, bindparam, select

from balancer.db.tables import bots, deposits, trade_items, trades
from balancer.journal.record import Opened
from shared.domain.health import BOT_RESTRICTED
from shared.domain.status import ENDED_UNMOVED, FINAL, DepositStatus, Direction, TradeStatus
from shared.sealing import MasterKey
from shared.settings import Settings

# A trade that ended for one of these may well go through when it is asked for once more.
RETRYABLE = frozenset(
    {
        *("steam_unavailable", "steam_throttled", "steam_maintenance", "not_signed_in", "order_expired", "expired"),
        BOT_RESTRICTED,
    }
)


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
    token: str | None = field(repr=False)
    expires_at: int
    created_at: int
    touched: int
    attempt: int
    failure: Failure | None
    settles_at: int | None
    cancel_requested: bool
    items: list[TradeItemView]
    client_id: str
    verified_at: int | None = None
    waits_for: str | None = None
    next_try_at: int | None = None


Found = tuple[list[Row[Any]], list[Row[Any]]]

_TRADES = select(trades, bots.c.steam_id.label("bot_steam_id")).join(
    bots, and_(bots.c.color == trades.c.color, bots.c.bot_id == trades.c.bot_id)
)
_ITEMS = (
    select(trade_items, deposits.c.status.label("deposit_status"))
    .outerjoin(deposits, deposits.c.deposit_id == trade_items.c.deposit_id)
    .order_by(trade_items.c.deposit_id)
)
# One trade is what is asked for most: statements that are built once and need no list in them cost half.
_ONE = _TRADES.where(trades.c.trade_id == bindparam("trade_id"))
_ITEMS_OF_ONE = _ITEMS.where(trade_items.c.trade_id == bindparam("trade_id"))


def by_ids(connection: Connection, ids: Sequence[str]) -> Found:
    """The rows of these trades and of their items."""
    if len(ids) == 1:
        return _with_items(connection, list(connection.execute(_ONE, {"trade_id": ids[0]})))
    return _with_items(connection, list(connection.execute(_TRADES.where(trades.c.trade_id.in_(ids)))))


def matching(
    connection: Connection,
    offer_ids: Sequence[str] | None,
    user_id: str | None,
    status: str | None,
    after: str | None,
    limit: int,
) -> Found:
    """The rows of up to ``limit`` trades that fit everything given, ordered by id from the one behind ``after`` on."""
    query = _TRADES.order_by(trades.c.trade_id).limit(limit)
    if offer_ids is not None:
        query = query.where(trades.c.offer_id.in_(offer_ids))
    if user_id is not None:
        query = query.where(trades.c.user_id == user_id)
    if status is not None:
        query = query.where(trades.c.status == status)
    if after is not None:
        query = query.where(trades.c.trade_id > after)
    return _with_items(connection, list(connection.execute(query)))


def _with_items(connection: Connection, found: list[Row[Any]]) -> Found:
    if not found:
        return [], []
    if len(found) == 1:
        return found, list(connection.execute(_ITEMS_OF_ONE, {"trade_id": found[0].trade_id}))
    ids = [row.trade_id for row in found]
    return found, list(connection.execute(_ITEMS.where(trade_items.c.trade_id.in_(ids))))


def views(found: Found, master: MasterKey, settings: Settings, now: datetime) -> list[TradeView]:
    """Those rows as dataclasses, in their order."""
    grouped: dict[str, list[TradeItemView]] = {}
    for row in found[1]:
        grouped.setdefault(row.trade_id, []).append(_item(row))
    return [_view(row, grouped.get(row.trade_id, []), master, settings, now) for row in found[0]]


def of_new(opened: Opened, bot_steam_ids: Mapping[str, str], master: MasterKey) -> list[TradeView]:
    """New trades as they were just written, without asking the database again; nothing has happened to them yet."""
    pending = {Direction.DEPOSIT: DepositStatus.DEPOSIT_PENDING}
    grouped: dict[str, list[TradeItemView]] = {}
    directions = {row["trade_id"]: row["direction"] for row in opened.trades}
    for row in sorted(opened.trade_items, key=lambda row: str(row["deposit_id"])):
        status = pending.get(directions[row["trade_id"]], DepositStatus.WITHDRAW_PENDING)
        item = TradeItemView(
            deposit_id=row["deposit_id"],
            deposit_status=status.value,
            market_hash_name=row["market_hash_name"],
            value_cents=row["value_cents"],
            asset_id=str(row["asset_id"]),
            new_asset_id=None,
            matched=None,
        )
        grouped.setdefault(row["trade_id"], []).append(item)
    return [_new(row, grouped.get(row["trade_id"], []), bot_steam_ids, master) for row in opened.trades]


def _new(
    row: Mapping[str, Any], its_items: list[TradeItemView], bot_steam_ids: Mapping[str, str], master: MasterKey
) -> TradeView:
    return TradeView(
        trade_id=row["trade_id"],
        direction=row["direction"],
        status=row["status"],
        user_id=row["user_id"],
        steam_id=str(row["partner"]),
        bot=BotRef(row["color"], row["bot_id"], bot_steam_ids[f"{row['color']}-{row['bot_id']}"]),
        offer_id=None,
        token=master.verify_token(row["trade_id"]) if row["waits_for"] is None else None,
        expires_at=_unix(row["expires_at"]),
        created_at=_unix(row["created_at"]),
        touched=_unix(row["touched"]),
        attempt=row["attempt"],
        failure=None,
        settles_at=None,
        cancel_requested=False,
        items=its_items,
        client_id=row["client_id"],
        waits_for=row["waits_for"],
        next_try_at=None if row["next_try_at"] is None else _unix(row["next_try_at"]),
    )


def _item(row: Row[Any]) -> TradeItemView:
    return TradeItemView(
        deposit_id=row.deposit_id,
        deposit_status=row.deposit_status,
        market_hash_name=row.market_hash_name,
        value_cents=row.value_cents,
        asset_id=str(row.asset_id),
        new_asset_id=None if row.new_asset_id is None else str(row.new_asset_id),
        matched=row.matched,
    )


def _view(row: Row[Any], its_items: list[TradeItemView], master: MasterKey, settings: Settings, now: datetime) -> TradeView:
    # A withdrawal that waits has no offer to check yet.
    token_lives = row.waits_for is None and row.status not in FINAL and now < token_expires(row, settings)
    return TradeView(
        trade_id=row.trade_id,
        direction=row.direction,
        status=row.status,
        user_id=row.user_id,
        steam_id=str(row.partner),
        bot=BotRef(row.color, row.bot_id, str(row.bot_steam_id)),
        offer_id=row.offer_id,
        token=master.verify_token(row.trade_id) if token_lives else None,
        expires_at=_unix(row.expires_at),
        created_at=_unix(row.created_at),
        touched=_unix(row.touched),
        attempt=row.attempt,
        failure=_failure(row),
        settles_at=None if row.settles_at is None else _unix(row.settles_at),
        cancel_requested=row.cancel_requested_at is not None,
        items=its_items,
        client_id=row.client_id,
        verified_at=None if row.verified_at is None else _unix(row.verified_at),
        waits_for=row.waits_for,
        next_try_at=None if row.next_try_at is None else _unix(row.next_try_at),
    )


def token_expires(trade: Row[Any], settings: Settings) -> datetime:
    """When this trade's token may not be checked any more. A withdrawal that waited has its times from when it was let go."""
    begun: datetime = trade.begun_at or trade.created_at
    return begun + timedelta(seconds=settings.trades.token_lifetime_s)


def _failure(row: Row[Any]) -> Failure | None:
    if row.failure_code is None or row.status not in (*ENDED_UNMOVED, TradeStatus.REVERSED):
        return None
    return Failure(row.failure_code, row.failure_reason, row.player_message, row.failure_code in RETRYABLE)


def _unix(time: datetime) -> int:
    return int(time.timestamp())
