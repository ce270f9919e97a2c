"""Trades as the site sees them: two queries for any number of trades, then views.

Most requests look for one trade. Those that come while such a look is under way share the next one; it began after they came,
so each sees what was committed by then.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Annotated, Any

from pydantic import Field
from sqlalchemy import ColumnElement, Connection, Row, RowMapping, and_, bindparam, select

from balancer.batching import Batch
from balancer.db.engine import Database
from balancer.db.tables import bots, deposits, trade_items, trades
from balancer.fields import UNSHOWN, BotText, Time, maybe_unix, unix
from balancer.journal.opening import Opened
from balancer.spoken import PlayerMessage
from shared.clock import Clock
from shared.domain.health import BOT_RESTRICTED
from shared.domain.ids import bot_name
from shared.domain.status import ENDED_UNMOVED, FINAL, ROW_BEGINS, DepositStatus, Direction, TradeStatus, WaitsFor
from shared.sealing import MasterKey
from shared.settings import Settings

AT_ONCE = 2
IDS_MAX = 64

# A trade that ended for one of these may well go through when it is asked for once more.
RETRYABLE = frozenset(
    {
        *("steam_unavailable", "steam_throttled", "steam_maintenance", "not_signed_in", "order_expired", "expired"),
        BOT_RESTRICTED,
    }
)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a trade failed, in the code words of problem documents."""

    code: str
    reason: str | None
    player_message: PlayerMessage | None
    retryable: bool


@dataclass(frozen=True, slots=True)
class TradeItem:
    """One item of a trade. `new_asset_id` is known once the trade is accepted; `matched` says how it was found."""

    deposit_id: str
    deposit_status: DepositStatus | None
    market_hash_name: str
    value_cents: int
    asset_id: str
    new_asset_id: str | None
    matched: str | None


@dataclass(frozen=True, slots=True)
class Trade:
    """One movement of items between a bot and a player."""

    trade_id: str
    direction: Direction
    status: TradeStatus
    user_id: str
    steam_id: str
    bot: BotText
    color: str
    bot_id: int
    bot_steam_id: str
    offer_id: str | None
    token: Annotated[
        str | None,
        Field(
            description="The secret token while it is valid, for the client that made the trade; show it to this player only"
        ),
    ] = field(repr=False)
    verify_url: str | None = field(repr=False)
    expires_at: Time
    created_at: Time
    touched: Annotated[int, Field(description="Unix seconds of the last change")]
    touched_at: Time
    attempt: int
    failure: Failure | None
    settles_at: Time | None
    cancel_requested: bool
    verified_at: Annotated[Time | None, Field(description="When the player was told that the offer is ours")]
    waits_for: Annotated[
        WaitsFor | None,
        Field(
            description="No order is given before that; `offer`: in line for a free open offer of its bot, or of the player's "
            "share; `bot`: one that Steam lets do it"
        ),
    ]
    approval_needed: bool
    next_try_at: Annotated[Time | None, Field(description="When a trade that waits is tried again")]
    currency: str
    items: list[TradeItem]
    client_id: Annotated[str, UNSHOWN]

    def as_seen_by(self, client_id: str) -> Trade:
        """The token belongs to the client that made the trade; no other sees it."""
        return self if client_id == self.client_id else self.without_token()

    def without_token(self) -> Trade:
        return replace(self, token=None, verify_url=None)


_Columns = Mapping[str, Any] | RowMapping


class Views:
    """Looks trades up; used in the event loop's thread."""

    def __init__(self, db: Database, master: MasterKey, settings: Settings, clock: Clock) -> None:
        self._db = db
        self._master = master
        self._settings = settings
        self._clock = clock
        self._batch: Batch[str, TradeRows] = Batch(self._each, most=IDS_MAX, at_once=AT_ONCE)

    async def of(self, ids: Sequence[str]) -> list[Trade]:
        """These trades, in this order; unknown ids are left out.

        Raises:
            DatabaseUnavailable.
        """
        rows = await self._batch.ask(ids[0]) if len(ids) == 1 else await self._db.read(by_ids, ids)
        shown = {view.trade_id: view for view in self._views(rows)}
        return [shown[trade_id] for trade_id in dict.fromkeys(ids) if trade_id in shown]

    async def find(
        self,
        *,
        offer_ids: list[str] | None = None,
        user_id: str | None = None,
        status: str | None = None,
        after: str | None = None,
        limit: int = 100,
    ) -> list[Trade]:
        """Trades by offer id, user or status, ordered by trade id from the one behind ``after`` on."""
        return self._views(await self._db.read(matching, offer_ids, user_id, status, after, limit))

    async def _each(self, ids: list[str]) -> list[TradeRows]:
        rows, items = await self._db.read(by_ids, list(dict.fromkeys(ids)))
        by_trade: dict[str, TradeRows] = {row.trade_id: ([row], []) for row in rows}
        for item in items:
            by_trade[item.trade_id][1].append(item)
        return [by_trade.get(trade_id, ([], [])) for trade_id in ids]

    def _views(self, rows: TradeRows) -> list[Trade]:
        return views(rows, self._master, self._settings, self._clock.now())


TradeRows = tuple[list[Row[Any]], list[Row[Any]]]  # rows of trades, rows of their items

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


def by_ids(connection: Connection, ids: Sequence[str]) -> TradeRows:
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
) -> TradeRows:
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


def newest(connection: Connection, limit: int, *only: ColumnElement[bool]) -> TradeRows:
    """The rows of the ``limit`` newest trades that fit ``only`` (conditions on the table's columns), the newest first."""
    query = _TRADES.where(*only).order_by(trades.c.trade_id.desc()).limit(limit)  # ids begin with the time
    return _with_items(connection, list(connection.execute(query)))


def _with_items(connection: Connection, trade_rows: list[Row[Any]]) -> TradeRows:
    if not trade_rows:
        return [], []
    if len(trade_rows) == 1:
        return trade_rows, list(connection.execute(_ITEMS_OF_ONE, {"trade_id": trade_rows[0].trade_id}))
    ids = [row.trade_id for row in trade_rows]
    return trade_rows, list(connection.execute(_ITEMS.where(trade_items.c.trade_id.in_(ids))))


def views(rows: TradeRows, master: MasterKey, settings: Settings, now: datetime) -> list[Trade]:
    """Those rows as views, in their order."""
    grouped: dict[str, list[TradeItem]] = {}
    for row in rows[1]:
        grouped.setdefault(row.trade_id, []).append(_item(row._mapping, row.deposit_status))
    return [
        _trade(row._mapping, grouped.get(row.trade_id, []), str(row.bot_steam_id), settings, _token(row, master, settings, now))
        for row in rows[0]
    ]


def of_new(opened: Opened, bot_steam_ids: Mapping[str, str], master: MasterKey, settings: Settings) -> list[Trade]:
    """New trades as they were just written, without asking the database again; nothing has happened to them yet."""
    grouped: dict[str, list[TradeItem]] = {}
    statuses = {row["trade_id"]: ROW_BEGINS[Direction(row["direction"])] for row in opened.trades}
    for row in sorted(opened.trade_items, key=lambda row: str(row["deposit_id"])):
        grouped.setdefault(row["trade_id"], []).append(_item(row, statuses[row["trade_id"]]))
    return [
        _trade(
            row,
            grouped.get(row["trade_id"], []),
            bot_steam_ids[bot_name(row)],
            settings,
            master.verify_token(row["trade_id"]) if row["waits_for"] is None else None,
        )
        for row in opened.trades
    ]


def _item(row: _Columns, deposit_status: str | None) -> TradeItem:
    """``row`` is of `trade_items`; one that was just made has no new asset yet."""
    new_asset_id = row.get("new_asset_id")
    return TradeItem(
        deposit_id=row["deposit_id"],
        deposit_status=None if deposit_status is None else DepositStatus(deposit_status),
        market_hash_name=row["market_hash_name"],
        value_cents=row["value_cents"],
        asset_id=str(row["asset_id"]),
        new_asset_id=None if new_asset_id is None else str(new_asset_id),
        matched=row.get("matched"),
    )


def _trade(row: _Columns, its_items: list[TradeItem], bot_steam_id: str, settings: Settings, token: str | None) -> Trade:
    """``row`` is of `trades`; in one that was just made, what has not happened yet is missing."""
    touched = unix(row["touched"])
    return Trade(
        trade_id=row["trade_id"],
        direction=Direction(row["direction"]),
        status=TradeStatus(row["status"]),
        user_id=row["user_id"],
        steam_id=str(row["partner"]),
        bot=bot_name(row),
        color=row["color"],
        bot_id=row["bot_id"],
        bot_steam_id=bot_steam_id,
        offer_id=row.get("offer_id"),
        token=token,
        verify_url=None if token is None else settings.balancer.verify_url(token),
        expires_at=unix(row["expires_at"]),
        created_at=unix(row["created_at"]),
        touched=touched,
        touched_at=touched,
        attempt=row["attempt"],
        failure=_failure(row),
        settles_at=maybe_unix(row.get("settles_at")),
        cancel_requested=row.get("cancel_requested_at") is not None,
        verified_at=maybe_unix(row.get("verified_at")),
        waits_for=None if row["waits_for"] is None else WaitsFor(row["waits_for"]),
        approval_needed=row["waits_for"] == WaitsFor.APPROVAL,
        next_try_at=maybe_unix(row["next_try_at"]),
        currency=settings.balancer.currency,
        items=its_items,
        client_id=row["client_id"],
    )


def _token(row: Row[Any], master: MasterKey, settings: Settings, now: datetime) -> str | None:
    """The token while it may be checked. A withdrawal that waits has no offer to check yet."""
    lives = row.waits_for is None and row.status not in FINAL and now < token_expires(row, settings)
    return master.verify_token(row.trade_id) if lives else None


def token_expires(trade: Row[Any], settings: Settings) -> datetime:
    """When this trade's token may not be checked any more. A withdrawal that waited has its times from when it was let go."""
    begun: datetime = trade.begun_at or trade.created_at
    return begun + timedelta(seconds=settings.trades.token_lifetime_s)


def _failure(row: _Columns) -> Failure | None:
    code = row.get("failure_code")
    if code is None or row["status"] not in (*ENDED_UNMOVED, TradeStatus.REVERSED):
        return None
    return Failure(code, row["failure_reason"], row["player_message"], code in RETRYABLE)
