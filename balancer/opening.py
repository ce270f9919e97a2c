"""What makes new trades inside a transaction: who asks, what they hold, which bots, which rows.

Everything is checked before anything is written, and a refusal takes the whole transaction back.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, select, text

from balancer import db, journal, orders, repository, reserve, switches, waiting
from balancer.choose import Part
from balancer.context import Context
from balancer.journal import Opened
from balancer.models import deposits, idempotency, items, users
from balancer.wishes import DepositWish, Request, Wanted, WithdrawWish
from shared.domain.ids import BotName, TradeUrl
from shared.domain.status import DEPOSIT_FINAL, IN_CUSTODY, LIVE, DepositStatus, Direction, TradeStatus
from shared.errors import Conflict, Forbidden, NoBotAvailable, NotAccepted, NotFound, PlayerMustAct
from shared.messages import Order
from shared.settings import Settings


@dataclass(frozen=True, slots=True)
class Made:
    """What a transaction made: the trades' ids, the rows as they were written, the orders to give after the commit."""

    trade_ids: list[str]
    opened: Opened
    orders: list[Order]


Waits = tuple[waiting.WaitsFor, datetime | None]

_CUSTODY = ", ".join(f"'{status.value}'" for status in IN_CUSTODY)
_LIVE = ", ".join(f"'{status.value}'" for status in LIVE)

_FIND = "SELECT user_id, steam_id, blocked_by FROM users WHERE user_id = :user_id OR steam_id = :steam_id"
_LOCK_USER = text(_FIND + " FOR NO KEY UPDATE")
_FIND_USER = text(_FIND)
# What the user has in custody or on the way, and the partner's open offers, both per bot. Steam counts an offer from the
# moment it is made, but not while it holds it.
_HOLDINGS = text(
    f"""
    SELECT 'items' AS what, color, bot_id, count(*) AS n FROM deposits
    WHERE user_id = :user_id AND status IN ({_CUSTODY}) GROUP BY color, bot_id
    UNION ALL SELECT 'offers', color, bot_id, count(*) FROM trades
    WHERE partner = :steam_id AND status IN ({_LIVE}) AND status <> 'held' GROUP BY color, bot_id
    """  # noqa: S608
)


def _bind_user(connection: Connection, user_id: str, steam_id: int, now: datetime) -> None:
    """Bind user and Steam account to each other at first use, and make other requests of this user wait.

    Raises:
        Conflict: one of them is bound to another, or ``partner_blocked`` since a reversal.
        IntegrityError: another request bound one of them just now.
    """
    pair = {"user_id": user_id, "steam_id": steam_id}
    query = _LOCK_USER if db.is_postgres(connection) else _FIND_USER
    rows = list(connection.execute(query, pair))
    if not rows:
        new = repository.insert(connection, users).values(**pair, created_at=now)
        new = new.on_conflict_do_nothing(index_elements=[users.c.user_id]).returning(users.c.user_id)
        if connection.execute(new).first() is not None:
            return
        rows = list(connection.execute(query, pair))
    if [(row.user_id, row.steam_id) for row in rows] != [(user_id, steam_id)]:
        raise Conflict("this user or this Steam account is bound to another one", code="user_mismatch")
    if rows[0].blocked_by is not None:
        raise Conflict(
            "a trade with this player was reversed; an operator has to look first",
            code="partner_blocked",
            trade_id=rows[0].blocked_by,
        )


@dataclass(slots=True)
class Holdings:
    """Items per bot, all items (house-issued ones too), and open offers per bot, of one user."""

    by_bot: dict[str, int] = field(default_factory=dict)
    items: int = 0
    offers: dict[str, int] = field(default_factory=dict)

    def barred(self, n_trades: int, most: int) -> list[str]:
        """Bots that cannot open this many more offers to this user: Steam's limit is one bot's towards one partner."""
        return [bot for bot, n in self.offers.items() if n + n_trades > most]


def _holdings(connection: Connection, user_id: str, steam_id: int) -> Holdings:
    found = Holdings()
    for what, color, bot_id, n in connection.execute(_HOLDINGS, {"user_id": user_id, "steam_id": steam_id}):
        if what == "offers":
            found.offers[f"{color}-{bot_id}"] = n
            continue
        found.items += n
        if color is not None:
            found.by_bot[f"{color}-{bot_id}"] = n
    return found


def _too_many_offers(most: int) -> PlayerMustAct:
    return PlayerMustAct(
        f"a bot may have {most} open offers to one player",
        code="too_many_offers",
        player_message="You have too many open trade offers. Accept or decline them first.",
    )


@dataclass(slots=True)
class Making:
    """Trades in the making, all of one request and one partner."""

    ctx: Context
    request: Request
    direction: Direction
    user_id: str
    trade_url: TradeUrl
    message: str
    opened: Opened = field(default_factory=Opened)
    orders: list[Order] = field(default_factory=list)

    def begin(self, bot: BotName, choice: dict[str, Any], waits: Waits | None = None) -> str:
        """Another trade with this bot, and why with this one; returns its id."""
        ctx, now, times = self.ctx, self.request.now, self.ctx.settings.trades
        trade_id = ctx.new_id("trd")
        self.opened.trades.append(
            {
                "trade_id": trade_id,
                "direction": self.direction.value,
                "status": TradeStatus.QUEUED.value,
                "user_id": self.user_id,
                "partner": int(self.trade_url.partner),
                "trade_url_sealed": orders.seal_trade_token(ctx, trade_id, self.trade_url.trade_token),
                "color": bot.color,
                "bot_id": bot.bot_id,
                "attempt": 1,
                "expires_at": now + timedelta(seconds=times.offer_timeout_s),
                "items_awaited": 0,
                "waits_for": waits[0].value if waits else None,
                "next_try_at": waits[1] if waits else None,
                "message": self.message,
                "client_id": self.request.caller.client_id,
                "created_at": now,
                "touched": now,
            }
        )
        self.opened.tokens.append(
            {
                "token_hash": ctx.master.token_hash(ctx.master.verify_token(trade_id)),
                "trade_id": trade_id,
                "steam_id": int(self.trade_url.partner),
                "expires_at": now + timedelta(seconds=times.token_lifetime_s),
            }
        )
        self.opened.choices[trade_id] = choice
        return trade_id

    def finish(self, connection: Connection) -> Made:
        """Write everything, and build the orders."""
        trade_ids = [trade["trade_id"] for trade in self.opened.trades]
        key_row = (idempotency, [self.request.row(trade_ids)])
        journal.open_trades(connection, self.opened, [key_row], self.request.who, self.request.now)
        return Made(trade_ids, self.opened, [self._order(trade) for trade in self.opened.trades if trade["waits_for"] is None])

    def _order(self, trade: dict[str, Any]) -> Order:
        mine = [row for row in self.opened.trade_items if row["trade_id"] == trade["trade_id"]]
        moved = orders.Moved.of(self.direction, [orders.asset_of(row) for row in mine])
        bot = f"{trade['color']}-{trade['bot_id']}"
        url = self.trade_url
        token = url.trade_token
        return orders.send(self.ctx, bot, trade["trade_id"], 1, str(url.partner), token, self.message, moved, first=True)


# --- deposit ------------------------------------------------------------------------------------------


def deposit(connection: Connection, ctx: Context, request: Request, wish: DepositWish) -> Made:
    switches.check(ctx, switches.DEPOSITS)
    partner = int(wish.trade_url.partner)
    _bind_user(connection, wish.user_id, partner, request.now)
    holdings = _holdings(connection, wish.user_id, partner)
    limit = ctx.settings.limits.inventory_limit
    if holdings.items + len(wish.wanted) > limit:
        raise NotAccepted(f"a player may have {limit} items here", code="inventory_full", have=holdings.items, limit=limit)
    _know_items(connection, ctx, wish.wanted)
    parts = _reserve(connection, ctx, holdings, len(wish.wanted), wish.color)
    making = Making(ctx, request, Direction.DEPOSIT, wish.user_id, wish.trade_url, wish.message)
    left = iter(wish.wanted)
    for name, share in parts:
        for n_items in _chunks(share, ctx.fleet.limits.trade_items_max):
            trade_id = making.begin(BotName.parse(name), _why(holdings, name, share, len(parts)))
            for _ in range(n_items):
                _take_in(making, trade_id, BotName.parse(name), next(left))
    return making.finish(connection)


def _why(holdings: Holdings, bot: str, share: int, n_bots: int) -> dict[str, Any]:
    """Why this bot, as the story of a trade tells it; `balancer.choose` has the rules."""
    why = "split" if n_bots > 1 else "holds_most" if bot in holdings.by_bot else "most_room"
    offers = holdings.offers.get(bot, 0)
    return {"why": why, "items": share, "bots": n_bots, "holds": holdings.by_bot.get(bot, 0), "offers_to_player": offers}


def _reserve(connection: Connection, ctx: Context, holdings: Holdings, n_items: int, color: str | None) -> list[Part]:
    most = ctx.settings.limits.offers_per_partner_max
    barred = holdings.barred(ctx.fleet.limits.trades(n_items), most)
    try:
        return reserve.for_deposit(connection, ctx.fleet, holdings.by_bot, n_items, color, barred)
    except NoBotAvailable:
        # Only if a bot that is full towards this player, by the database's word, has room otherwise.
        if reserve.any_has_room(connection, ctx.fleet, barred, color):
            raise _too_many_offers(most) from None
        raise


def _chunks(n_items: int, most: int) -> list[int]:
    """``n_items`` in as few chunks as ``most`` allows."""
    return [min(most, n_items - start) for start in range(0, n_items, most)]


def _know_items(connection: Connection, ctx: Context, wanted: list[Wanted]) -> None:
    """Write items that the table may not have yet."""
    new = {repository.item_id_of(one.held.market_hash_name): one.held for one in wanted}
    new = {item_id: held for item_id, held in new.items() if item_id not in ctx.known_items}
    if not new:
        return
    rows = [
        {
            "item_id": item_id,
            "market_hash_name": held.market_hash_name,
            "type": held.type,
            "color": held.color,
            "name_color": held.name_color,
            "icon_url": held.icon_url,
            "icon_url_large": held.icon_url_large,
        }
        for item_id, held in sorted(new.items())
    ]
    connection.execute(repository.insert(connection, items).on_conflict_do_nothing(), rows)


def _take_in(making: Making, trade_id: str, bot: BotName, wanted: Wanted) -> None:
    """One asset of a deposit: its row in custody, and its row in the trade."""
    held, now = wanted.held, making.request.now
    deposit_id = making.ctx.new_id("dep")
    making.opened.deposits.append(
        {
            "deposit_id": deposit_id,
            "item_id": repository.item_id_of(held.market_hash_name),
            "user_id": making.user_id,
            "status": DepositStatus.DEPOSIT_PENDING.value,
            "color": bot.color,
            "bot_id": bot.bot_id,
            "app_id": held.asset.app_id,
            "context_id": held.asset.context_id,
            "asset_id": int(held.asset.asset_id),
            "from_steam_id": int(making.trade_url.partner),
            "class_id": held.class_id,
            "instance_id": held.instance_id,
            "fingerprint": held.fingerprint,
            "wear": held.wear,
            "pattern": held.pattern,
            "name_tag": held.name_tag,
            "inspect_link": held.inspect_link,
            "value_cents": wanted.value_cents,
            "created_at": now,
            "touched": now,
        }
    )
    making.opened.trade_items.append(
        {
            "trade_id": trade_id,
            "deposit_id": deposit_id,
            "market_hash_name": held.market_hash_name,
            "value_cents": wanted.value_cents,
            "fingerprint": held.fingerprint,
            "app_id": held.asset.app_id,
            "context_id": held.asset.context_id,
            "asset_id": int(held.asset.asset_id),
        }
    )


# --- withdraw -----------------------------------------------------------------------------------------


def withdraw(connection: Connection, ctx: Context, request: Request, wish: WithdrawWish) -> Made:
    """Reserve the rows and make a trade per bot that holds them, or several where one offer cannot hold them all."""
    switches.check(ctx, switches.WITHDRAWALS)
    partner = int(wish.trade_url.partner)
    _bind_user(connection, wish.user_id, partner, request.now)
    rows = _rows_to_give(connection, wish.deposit_ids)
    for deposit_id in wish.deposit_ids:
        _check_row(rows.get(deposit_id), wish.user_id, ctx.settings, when_settled=wish.when_settled)
    by_bot: dict[BotName, list[Row[Any]]] = {}
    for row in rows.values():
        by_bot.setdefault(BotName(row.color, row.bot_id), []).append(row)
    limits = ctx.fleet.limits
    most, offers = ctx.settings.limits.offers_per_partner_max, _holdings(connection, wish.user_id, partner).offers
    if any(offers.get(str(bot), 0) + limits.trades(len(held)) > most for bot, held in by_bot.items()):
        raise _too_many_offers(most)
    making = Making(ctx, request, Direction.WITHDRAW, wish.user_id, wish.trade_url, wish.message)
    total_cents = sum(row.value_cents for row in rows.values())
    if not journal.reserve_deposits(connection, list(rows), request.now, settled=not wish.when_settled):
        raise Conflict("an item was taken by another request", code="asset_in_trade")
    for bot, held in sorted(by_bot.items()):
        reserve.for_withdrawal(connection, ctx.fleet, bot, limits.trades(len(held)), request.now)
        for start in range(0, len(held), limits.trade_items_max):
            part = held[start : start + limits.trade_items_max]
            waits = _waits(ctx.settings, part, total_cents, request.now)
            trade_id = making.begin(bot, {"why": "holds_items", "items": len(part), "bots": len(by_bot)}, waits)
            making.opened.trade_items += [_give_out(trade_id, row) for row in part]
    return making.finish(connection)


def _waits(settings: Settings, rows: list[Row[Any]], total_cents: int, now: datetime) -> Waits | None:
    """What this part of a withdrawal waits for. Whether it needs an approval is decided by the whole request's worth."""
    if 0 < settings.limits.approval_above_cents < total_cents:
        return waiting.WaitsFor.APPROVAL, None
    settled = waiting.until(rows, settings.trades, now)
    return None if settled is None else (waiting.WaitsFor.SETTLEMENT, settled)


def _rows_to_give(connection: Connection, deposit_ids: list[str]) -> dict[str, Row[Any]]:
    query = (
        select(deposits, items.c.market_hash_name)
        .join(items, items.c.item_id == deposits.c.item_id)
        .where(deposits.c.deposit_id.in_(deposit_ids))
        .order_by(deposits.c.deposit_id)
        .with_for_update(of=deposits)
    )
    return {row.deposit_id: row for row in connection.execute(query)}


def _check_row(row: Row[Any] | None, user_id: str, settings: Settings, *, when_settled: bool = False) -> None:
    """Whether this row may be given to this user now.

    Raises:
        NotFound, Forbidden, NotAccepted, Conflict: why not.
    """
    if row is None or row.status in DEPOSIT_FINAL:
        raise NotFound("there is no such deposit")
    about = {"deposit_id": row.deposit_id}
    if row.user_id != user_id:
        raise Forbidden("the item belongs to another user", code="not_owner", **about)
    if row.bot_id is None:
        raise NotAccepted("a house-issued item cannot be withdrawn", reason="house_issued", **about)
    if row.frozen_by is not None:
        raise Conflict("the item is frozen until an operator has looked", code="item_frozen", **about)
    if row.status != DepositStatus.ACTIVE:
        raise Conflict("the item is in a trade already", code="asset_in_trade", **about)
    if row.locked_by is not None:
        raise Conflict("the item is in a game", code="item_locked", **about)
    if row.settled_at is None and not when_settled:
        raise Conflict(
            "Steam may still reverse the trade that brought this item", code="item_unsettled", **about, **_when(row, settings)
        )


def _when(row: Row[Any], settings: Settings) -> dict[str, Any]:
    if row.settles_at is None:
        return {"settles_at": None}
    return {"settles_at": int(row.settles_at.timestamp() + settings.trades.settle_margin_s)}


def _give_out(trade_id: str, row: Row[Any]) -> dict[str, Any]:
    return {
        "trade_id": trade_id,
        "deposit_id": row.deposit_id,
        "market_hash_name": row.market_hash_name,
        "value_cents": row.value_cents,
        "fingerprint": row.fingerprint,
        "app_id": row.app_id,
        "context_id": row.context_id,
        "asset_id": row.asset_id,
    }
