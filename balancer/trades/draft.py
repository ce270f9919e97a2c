"""What makes new trades inside a transaction: who asks, what they hold, which bots, which rows.

Everything is checked before anything is written, and a refusal takes the whole transaction back.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, Table, func, select

from balancer.db import pipeline, repository
from balancer.db.tables import deposits, idempotency, items, trade_items, trades
from balancer.fleet import reserve, switches
from balancer.fleet.choose import Part, Refusal
from balancer.journal import record
from balancer.journal.record import Opened
from balancer.orders import build
from balancer.trades import approvals, line, outflow, players, shares
from balancer.trades.players import Holdings
from balancer.trades.requests import DepositWish, Request, Wanted, WithdrawWish
from shared.domain.ids import BotName, TradeUrl
from shared.domain.status import DEPOSIT_FINAL, ENDED_UNMOVED, DepositStatus, Direction, TradeStatus, WaitsFor
from shared.errors import Conflict, Forbidden, NoBotAvailable, NotAccepted, NotFound
from shared.messages import Order
from shared.settings import Settings

if TYPE_CHECKING:
    from balancer.context import Context


@dataclass(frozen=True, slots=True)
class Made:
    """What a transaction made: the trades' ids, the rows as they were written, the orders to give after the commit."""

    trade_ids: list[str]
    opened: Opened
    orders: list[Order]


# How long after a trade's end Steam may show an inventory without it: some minutes (ASF).
BROUGHT_S = 3600.0

Waits = tuple[WaitsFor, datetime | None]


@dataclass(slots=True)
class Making:
    """Trades in the making, all of one request and one partner."""

    ctx: Context
    request: Request
    direction: Direction
    user_id: str
    trade_url: TradeUrl
    message: str
    held: Holdings
    parts: list[Part] = field(default_factory=list)
    color: str | None = None
    opened: Opened = field(init=False)

    def __post_init__(self) -> None:
        self.opened = Opened(self.request.who, self.request.now)

    def begin(self, bot: BotName, choice: dict[str, Any], waits: Waits | None = None) -> str:
        """Another trade with this bot, and why with this one; returns its id."""
        ctx, now, times = self.ctx, self.request.now, self.ctx.settings.trades
        trade_id, offer_s = ctx.new_id("trd"), shares.offer_timeout_s(times, self.held.unanswered)
        self.opened.trades.append(
            {
                "trade_id": trade_id,
                "direction": self.direction.value,
                "status": TradeStatus.QUEUED.value,
                "user_id": self.user_id,
                "partner": int(self.trade_url.partner),
                "trade_url_sealed": build.seal_trade_token(ctx, trade_id, self.trade_url.trade_token),
                "color": bot.color,
                "bot_id": bot.bot_id,
                "attempt": 1,
                "expires_at": now + timedelta(seconds=offer_s),
                "begun_at": None if waits else now,
                "items_awaited": 0,
                "waits_for": waits[0].value if waits else None,
                "next_try_at": waits[1] if waits else None,
                "wanted_color": self.color,
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
        pipeline.insert_rows(connection, _rows([self]))
        return self.made()

    def made(self) -> Made:
        """What is to be told of it, once it is written."""
        given = [self._order(trade) for trade in self.opened.trades if trade["waits_for"] is None]
        return Made(self.trade_ids, self.opened, given)

    @property
    def trade_ids(self) -> list[str]:
        return [trade["trade_id"] for trade in self.opened.trades]

    def _order(self, trade: dict[str, Any]) -> Order:
        mine = [row for row in self.opened.trade_items if row["trade_id"] == trade["trade_id"]]
        moved = build.Moved.of(self.direction, [build.asset_of(row) for row in mine])
        bot = f"{trade['color']}-{trade['bot_id']}"
        url = self.trade_url
        token = url.trade_token
        return build.send(self.ctx, bot, trade["trade_id"], 1, str(url.partner), token, self.message, moved, first=True)


def _rows(making: Sequence[Making]) -> list[tuple[Table, pipeline.Rows]]:
    """All rows of all these requests, their keys first."""
    keys = [each.request.row(each.trade_ids) for each in making]
    return [(idempotency, keys), *record.open_trades([each.opened for each in making])]


# --- deposit ------------------------------------------------------------------------------------------


def deposit(connection: Connection, ctx: Context, request: Request, wish: DepositWish) -> Made:
    switches.check(ctx, switches.DEPOSITS)
    partner = int(wish.trade_url.partner)
    holdings = players.bind(connection, wish.user_id, partner, request.now)
    n_items, limits = len(wish.wanted), ctx.settings.limits
    if holdings.items + n_items > limits.inventory_limit:
        raise NotAccepted(
            f"a player may have {limits.inventory_limit} items here",
            code="inventory_full",
            have=holdings.items,
            limit=limits.inventory_limit,
        )
    _check_share(ctx, holdings, n_items, ctx.fleet.limits.trades(n_items))
    if stale := _stale(connection, ctx, [(request, wish, holdings)]):
        raise NotAccepted(
            "The player's inventory does not hold these items any more: they were brought already.",
            code="unknown_asset",
            assets=[{"asset_id": asset_id} for asset_id in stale[wish.user_id]],
        )
    _know_items(connection, ctx, wish.wanted)
    parts = _reserve(connection, ctx, holdings, n_items, wish.color)
    making = _shared_out(ctx, request, wish, holdings, parts)
    _check_share(ctx, holdings, n_items, len(making.trade_ids))
    return making.finish(connection)


def _check_share(ctx: Context, holdings: Holdings, n_items: int, n_trades: int) -> None:
    """
    Raises:
        PlayerMustAct: ``too_many_offers``, with the reason.
    """
    excess = shares.deposit_excess(ctx.settings.limits, holdings, n_items, n_trades)
    if excess is not None:
        raise excess


def deposit_many(connection: Connection, ctx: Context, asked: Sequence[tuple[Request, DepositWish]]) -> list[Made | None]:
    """Those of several deposits that can be granted as they stand; ``None`` for each of which more is to be said or tried.

    They have no user, partner or key in common. Users and bots are locked in the order in which `deposit` locks them.

    Raises:
        reserve.Stale, sqlalchemy.exc.DBAPIError: one of them cannot be granted; nothing of them all may be committed.
    """
    switches.check(ctx, switches.DEPOSITS)
    held = players.of_many(connection, asked)
    stale = _stale(connection, ctx, [(request, wish, has) for (request, wish), has in zip(asked, held, strict=True)])
    making = [
        None if wish.user_id in stale else _granted(ctx, request, wish, has)
        for (request, wish), has in zip(asked, held, strict=True)
    ]
    granted = [one for one in making if one is not None]
    if granted:
        wishes = [wish for one, (_, wish) in zip(making, asked, strict=True) if one is not None]
        _know_items(connection, ctx, [wanted for wish in wishes for wanted in wish.wanted])
        writing = pipeline.inserting(connection, _rows(granted))
        reserve.take_many(connection, ctx.fleet.limits, [part for one in granted for part in one.parts], writing)
    return [None if one is None else one.made() for one in making]


def _stale(
    connection: Connection, ctx: Context, asked: Sequence[tuple[Request, DepositWish, Holdings | None]]
) -> dict[str, list[str]]:
    """Users who want to bring what they have brought already, with those assets. Who has nothing here yet costs no look."""
    here = [(request, wish) for request, wish, has in asked if has is not None and has.items > has.pending_items]
    if not here:
        return {}
    since = min(request.now for request, _ in here) - timedelta(seconds=BROUGHT_S + ctx.settings.trades.offer_timeout_s)
    brought = players.brought(connection, (wish.user_id for _, wish in here), since)
    found = {
        wish.user_id: [asset_id for one in wish.wanted if (wish.user_id, int(asset_id := one.held.asset.asset_id)) in brought]
        for _, wish in here
    }
    return {user_id: assets for user_id, assets in found.items() if assets}


def _granted(ctx: Context, request: Request, wish: DepositWish, holdings: Holdings | None) -> Making | None:
    """The trades of this deposit if the snapshot has room for it."""
    limits, n_items = ctx.settings.limits, len(wish.wanted)
    if holdings is None or holdings.items + n_items > limits.inventory_limit:
        return None
    parts = ctx.fleet.choose(holdings.by_bot, n_items, wish.color, barred(ctx, holdings, n_items))
    if isinstance(parts, Refusal):
        return None
    making = _shared_out(ctx, request, wish, holdings, parts)
    if shares.deposit_excess(limits, holdings, n_items, len(making.trade_ids)) is not None:
        return None
    if holdings.new:
        steam_id = int(wish.trade_url.partner)
        making.opened.users.append({"user_id": wish.user_id, "steam_id": steam_id, "created_at": request.now})
    return making


def _shared_out(ctx: Context, request: Request, wish: DepositWish, holdings: Holdings, parts: list[Part]) -> Making:
    """The trades of a deposit of which these bots take these parts."""
    request_of = (ctx, request, Direction.DEPOSIT, wish.user_id, wish.trade_url, wish.message)
    making = Making(*request_of, holdings, parts, wish.color)
    left = iter(wish.wanted)
    for name, share in parts:
        for n_items in _chunks(share, ctx.fleet.limits.trade_items_max):
            trade_id = making.begin(BotName.parse(name), _why(holdings, name, share, len(parts)))
            for _ in range(n_items):
                _take_in(making, trade_id, BotName.parse(name), next(left))
    return making


def _why(holdings: Holdings, bot: str, share: int, n_bots: int) -> dict[str, Any]:
    """Why this bot, as the story of a trade tells it; `balancer.fleet.choose` has the rules."""
    why = "split" if n_bots > 1 else "holds_most" if bot in holdings.by_bot else "most_room"
    offers = holdings.offers.get(bot, 0)
    return {"why": why, "items": share, "bots": n_bots, "holds": holdings.by_bot.get(bot, 0), "offers_to_player": offers}


def _reserve(connection: Connection, ctx: Context, holdings: Holdings, n_items: int, color: str | None) -> list[Part]:
    shut = barred(ctx, holdings, n_items)
    try:
        return reserve.for_deposit(connection, ctx.fleet, holdings.by_bot, n_items, color, shut)
    except NoBotAvailable:
        # Only if a bot that takes nothing more of this player, by the database's word, has room otherwise.
        if reserve.any_has_room(connection, ctx.fleet, shut, color):
            limits, n_trades = ctx.settings.limits, ctx.fleet.limits.trades(n_items)
            raise shares.barred_everywhere(limits, holdings, shut, n_trades) from None
        raise


def barred(ctx: Context, holdings: Holdings, n_items: int) -> list[str]:
    """Bots that open no such deposit to this player, for Steam's limit or for ours. The snapshot is good enough for that."""
    limits, n_trades = ctx.settings.limits, ctx.fleet.limits.trades(n_items)
    return [
        bot
        for bot in holdings.offers
        if shares.full_towards(limits, holdings, bot, n_trades)
        or ctx.fleet.open_offers(bot) + n_trades > shares.offers_of_bot(limits, holdings, bot)
    ]


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
    """Reserve the rows and make a trade per bot that holds them, or several where one offer cannot hold them all.

    A trade of which nothing is to be waited for takes an open offer of its bot, or a place in the line for one.
    """
    limits, client_id = ctx.settings.limits, request.caller.client_id
    switches.check(ctx, switches.WITHDRAWALS, client_id)
    outflow.take_turns(connection, limits)
    holdings = players.bind(connection, wish.user_id, int(wish.trade_url.partner), request.now)
    rows = _rows_to_give(connection, wish.deposit_ids)
    for deposit_id in wish.deposit_ids:
        _check_row(rows.get(deposit_id), wish.user_id, ctx.settings, when_settled=wish.when_settled)
    making = Making(ctx, request, Direction.WITHDRAW, wish.user_id, wish.trade_url, wish.message, holdings)
    parts = _parts_to_give(rows.values(), limits.trade_items_max)
    approval = _needs_approval(connection, making, rows.values(), len(parts))
    if not record.reserve_deposits(connection, list(rows), request.now, settled=not wish.when_settled):
        raise Conflict("an item was taken by another request", code="asset_in_trade")
    full = line.full_clients(connection, limits)
    paused = [*ctx.switches.paused_clients(), *full]
    for bot, part in parts:
        reserve.check_gives(connection, ctx.fleet, bot)
        waits = _waits(ctx.settings, part, request.now, approval=approval)
        if waits is None and (client_id in full or not line.enter(connection, limits, holdings, bot, request.now, paused)):
            waits = WaitsFor.OFFER, request.now
        trade_id = making.begin(bot, {"why": "holds_items", "items": len(part), "bots": len({bot for bot, _ in parts})}, waits)
        making.opened.trade_items += [_give_out(trade_id, row) for row in part]
    _check_outflow(connection, making)
    return making.finish(connection)


def _parts_to_give(rows: Iterable[Row[Any]], most: int) -> list[tuple[BotName, list[Row[Any]]]]:
    """What goes into one offer each, by the bot that holds it. Bots in their order, so that two requests do not deadlock."""
    by_bot: dict[BotName, list[Row[Any]]] = {}
    for row in rows:
        by_bot.setdefault(BotName(row.color, row.bot_id), []).append(row)
    return [(bot, held[start : start + most]) for bot, held in sorted(by_bot.items()) for start in range(0, len(held), most)]


def _needs_approval(connection: Connection, making: Making, rows: Iterable[Row[Any]], n_trades: int) -> bool:
    """Whether a second person decides first. What counts is what is withdrawn together, now and lately."""
    settings, cents = making.ctx.settings, sum(row.value_cents for row in rows)
    if outflow.is_too_large(settings.limits, n_trades, cents):
        return True
    lately_cents = _lately_cents(connection, settings, making.user_id, making.request.now)
    return bool(0 < settings.limits.approval_above_cents < cents + lately_cents)


def _check_outflow(connection: Connection, making: Making) -> None:
    """
    Raises:
        PlayerMustAct: ``too_many_offers``, too many withdrawals of this player would wait.
        outflow.Exceeded: more would go out than may.
    """
    limits, request, opened = making.ctx.settings.limits, making.request, making.opened
    excess = shares.waiting_excess(limits, making.held, sum(trade["waits_for"] is not None for trade in opened.trades))
    if excess is not None:
        raise excess
    begun = {trade["trade_id"] for trade in opened.trades if trade["waits_for"] is None}
    cents = sum(item["value_cents"] for item in opened.trade_items if item["trade_id"] in begun)
    hit = outflow.hit(connection, limits, request.caller.client_id, len(begun), cents, request.now) if begun else None
    if hit is not None:
        raise outflow.Exceeded(hit)


def _lately_cents(connection: Connection, settings: Settings, user_id: str, now: datetime) -> int:
    """What this user's other withdrawals are worth that count together with a new one: many small ones are a large one."""
    limits = settings.limits
    if not (limits.approval_above_cents and limits.approval_window_s):
        return 0
    query = (
        select(func.sum(trade_items.c.value_cents))
        .join(trades, trades.c.trade_id == trade_items.c.trade_id)
        .where(trades.c.user_id == user_id, trades.c.direction == Direction.WITHDRAW.value)
        .where(trades.c.status.not_in(ENDED_UNMOVED), trades.c.created_at > now - timedelta(seconds=limits.approval_window_s))
    )
    return int(connection.scalar(query) or 0)


def _waits(settings: Settings, rows: list[Row[Any]], now: datetime, *, approval: bool) -> Waits | None:
    """What this part of a withdrawal waits for."""
    if approval:
        return WaitsFor.APPROVAL, None
    settled = approvals.until(rows, settings.trades, now)
    return None if settled is None else (WaitsFor.SETTLEMENT, settled)


def _rows_to_give(connection: Connection, deposit_ids: list[str]) -> dict[str, Row[Any]]:
    query = (
        select(deposits, items.c.market_hash_name)
        .join(items, items.c.item_id == deposits.c.item_id)
        .where(deposits.c.deposit_id.in_(deposit_ids))
        .order_by(deposits.c.deposit_id)
        .with_for_update(of=deposits)
    )
    return {row.deposit_id: row for row in connection.execute(query)}


_NOT_HERE = {
    DepositStatus.WITHDRAWN: "was withdrawn",
    DepositStatus.REVERSED: "went back to its owner, as Steam reversed the trade that had brought it",
    DepositStatus.DEPOSIT_FAILURE: "was never brought: its trade failed",
    DepositStatus.COUNTER: "was never brought: the player answered with another offer",
}


def _check_row(row: Row[Any] | None, user_id: str, settings: Settings, *, when_settled: bool = False) -> None:
    """Whether this row may be given to this user now.

    Raises:
        NotFound, Forbidden, NotAccepted, Conflict: why not.
    """
    if row is None:
        raise NotFound("there is no such deposit")
    about = {"deposit_id": row.deposit_id}
    if row.user_id != user_id:
        raise Forbidden("the item belongs to another user", code="not_owner", **about)
    if row.status in DEPOSIT_FINAL:
        raise Conflict(f"the item {_NOT_HERE[row.status]}", code="not_in_custody", deposit_status=row.status, **about)
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
