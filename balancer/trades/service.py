"""Deposit, withdraw, cancel, show: one function = one transaction, and orders go out after the commit.

What the caller has checked before (`balancer.items.policy`, `balancer.items.inventory`) is not checked again; what only the
database knows is decided inside the transaction (`balancer.trades.draft`), so that requests at the same time agree.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from contextlib import ExitStack
from datetime import datetime
from typing import Any, Self

from sqlalchemy import Connection, Row, select, update
from sqlalchemy.exc import IntegrityError

from balancer.changes import Expectation
from balancer.context import Context
from balancer.db import repository
from balancer.db.errors import violated
from balancer.db.tables import idempotency, trades
from balancer.journal import record
from balancer.journal import views as show_trades
from balancer.journal.views import Trade
from balancer.orders import build
from balancer.trades import draft, holding, line, outflow
from balancer.trades.requests import Caller as Caller
from balancer.trades.requests import DepositWish as DepositWish
from balancer.trades.requests import Request
from balancer.trades.requests import Wanted as Wanted
from balancer.trades.requests import WithdrawWish as WithdrawWish
from shared.domain.status import LIVE, TradeEvent, TradeStatus
from shared.errors import Conflict, FleetError, NotAccepted, NotFound, RateLimited, RequestReused, TooLate
from shared.settings import MESSAGE_MAX, TOKEN_CHARS

CLIENT_RETRY_S = 30.0


class Fresh:
    """What the request that makes trades knows of them before anybody else.

    ``views`` are the trades as they were written (``None`` if an earlier request with the same key made them), and
    ``expectation`` was opened before their orders went out, so no change of them can be missed.
    """

    def __init__(self) -> None:
        self.views: list[Trade] | None = None
        self.expectation: Expectation | None = None
        self._open = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._open.close()

    def made(self, ctx: Context, new: draft.Made) -> None:
        """Called between the commit and the orders."""
        bots = {f"{row['color']}-{row['bot_id']}" for row in new.opened.trades}
        known = {name: str(bot.steam_id) for name in bots if (bot := ctx.fleet.get(name))}
        self.views = show_trades.of_new(new.opened, known, ctx.master, ctx.settings) if known.keys() == bots else None
        self.expectation = self._open.enter_context(ctx.waiters.expect(new.trade_ids))


async def find_repeat(ctx: Context, caller: Caller, key: str, body_hash: str) -> list[str] | None:
    """The trades that a request with this key made before; ``None`` if it is a new one.

    Raises:
        RequestReused: the key was used with another body.
    """
    return await ctx.db.look(_repeat, caller, key, body_hash)


async def deposit(
    ctx: Context, caller: Caller, key: str, body_hash: str, wish: DepositWish, fresh: Fresh | None = None
) -> list[str]:
    """Make the trades that bring these items in, and order the bots to send their offers. Returns the trade ids.

    The same key and body again, also at the same time, gives the same ids and makes nothing.

    Raises:
        RequestReused, NotAccepted (inventory_full, message_too_long, partner_is_bot), PlayerMustAct (too_many_offers),
        Conflict (user_mismatch, partner_blocked, asset_in_trade), NoBotAvailable, FleetPaused, SteamUnavailable,
        RateLimited (client_offers).
    """
    _check_message(ctx, wish.message)
    _check_partner(ctx, wish)
    request = Request(caller, key, body_hash, ctx.clock.now())
    made = await _once(ctx, request, _deposit(ctx, request, wish), fresh)
    ctx.known_items.update(repository.item_id_of(wanted.held.market_hash_name) for wanted in wish.wanted)
    return made


async def _deposit(ctx: Context, request: Request, wish: DepositWish) -> draft.Made:
    """Refuse what is over the client's share of the fleet, then make the trades. Requests of one moment may pass together."""
    limits, client_id = ctx.settings.limits, request.caller.client_id
    full: list[str] = await ctx.db.look(line.full_clients, limits, client_id) if limits.offers_per_client_max else []
    if full:
        raise RateLimited(
            f"a client may have {limits.offers_per_client_max} open offers here, over all bots and players",
            reason="client_offers",
            limit=limits.offers_per_client_max,
            retry_after_s=CLIENT_RETRY_S,
        )
    return await ctx.together.deposit(ctx, request, wish)


async def withdraw(
    ctx: Context, caller: Caller, key: str, body_hash: str, wish: WithdrawWish, fresh: Fresh | None = None
) -> list[str]:
    """Reserve these rows, all or none, and order the bots that hold them to offer them. Returns the trade ids.

    Raises:
        RequestReused, NotFound, Forbidden (not_owner),
        NotAccepted (item_not_accepted, message_too_long, partner_is_bot),
        PlayerMustAct (too_many_offers), NoBotAvailable, FleetPaused, SteamUnavailable,
        Conflict (user_mismatch, partner_blocked, asset_in_trade, item_locked, item_unsettled with ``settles_at``, item_frozen).
    """
    _check_message(ctx, wish.message)
    _check_partner(ctx, wish)
    request = Request(caller, key, body_hash, ctx.clock.now())
    try:
        return await _once(ctx, request, ctx.db.run(draft.withdraw, ctx, request, wish), fresh)
    except outflow.Exceeded as exceeded:
        await outflow.pause(ctx, exceeded.hit)
        await holding.hold(ctx)
        raise


async def cancel(ctx: Context, caller: Caller, trade_id: str) -> Trade:
    """Wish that this trade be canceled; it is when a bot has said so. Wishing again changes nothing, also when it is by then.

    Raises:
        NotFound: no such trade.
        TooLate: it is accepted, or over in another way.
    """
    rules = record.Rules.of(ctx.settings)
    trade, moved = await ctx.db.run(_wish_canceled, trade_id, caller.who, ctx.clock.now(), rules)
    if trade is not None and trade.status in LIVE:
        await asyncio.to_thread(build.recall, ctx, f"{trade.color}-{trade.bot_id}", trade_id, trade.attempt)
        if trade.status != TradeStatus.QUEUED:
            await ctx.outbox.give(ctx, [build.cancel(ctx, trade, moved)])
    ctx.waiters.notify([trade_id])
    return (await show(ctx, [trade_id]))[0]


async def show(ctx: Context, ids: list[str]) -> list[Trade]:
    """These trades, in this order; unknown ids are left out."""
    if len(ids) == 1:
        one = await ctx.looks.trade(ctx.db, ids[0])
        found: show_trades.Found = ([one[0]], one[1]) if one else ([], [])
    else:
        found = await ctx.db.look(show_trades.by_ids, ids)
    views = {view.trade_id: view for view in show_trades.views(found, ctx.master, ctx.settings, ctx.clock.now())}
    return [views[trade_id] for trade_id in dict.fromkeys(ids) if trade_id in views]


async def find(
    ctx: Context,
    *,
    offer_ids: list[str] | None = None,
    user_id: str | None = None,
    status: str | None = None,
    after: str | None = None,
    limit: int = 100,
) -> list[Trade]:
    """Trades by offer id, user or status, ordered by trade id from the one behind ``after`` on."""
    found = await ctx.db.look(show_trades.matching, offer_ids, user_id, status, after, limit)
    return show_trades.views(found, ctx.master, ctx.settings, ctx.clock.now())


async def user_of(ctx: Context, user_id: str) -> str | None:
    """The Steam id bound to this user; ``None`` if there is no such user yet."""
    return await ctx.db.look(repository.steam_id_of, user_id)


# --- once per key -------------------------------------------------------------------------------------


async def _once(ctx: Context, request: Request, making: Awaitable[draft.Made], fresh: Fresh | None) -> list[str]:
    """Make the trades and give their orders, unless a request with this key has: then its trades.

    The key's row is written last, with the trades it made; of two requests at once the second fails on it, or on anything
    else that the first has taken by then. So whatever goes wrong, the key is looked up before the error counts.
    """
    try:
        made = await making
    except (FleetError, IntegrityError) as error:
        made_before = await find_repeat(ctx, request.caller, request.key, request.body_hash)
        if made_before is not None:
            return made_before
        if isinstance(error, IntegrityError):
            raise _taken(error) from error
        raise
    if fresh is not None:
        fresh.made(ctx, made)
    await ctx.outbox.give(ctx, made.orders)
    return made.trade_ids


_REFUSED_BY = {
    "pk_users": ("this user is bound to another Steam account", "user_mismatch"),
    "uq_users_steam_id": ("this Steam account is bound to another user", "user_mismatch"),
    "uq_deposits_pending_asset": ("an item is in a trade already", "asset_in_trade"),
    "uq_deposits_held_asset": ("an item is in a trade already", "asset_in_trade"),
}


def _taken(error: IntegrityError) -> FleetError:
    """The refusal that a unique constraint stands for: another request has been quicker."""
    refusal = _REFUSED_BY.get(violated(error) or "")
    if refusal is None:
        raise error
    detail, code = refusal
    return Conflict(detail, code=code)


def _repeat(connection: Connection, caller: Caller, key: str, body_hash: str) -> list[str] | None:
    row = connection.execute(
        select(idempotency.c.body_hash, idempotency.c.trade_ids).where(
            idempotency.c.client_id == caller.client_id, idempotency.c.key == key
        )
    ).first()
    if row is None:
        return None
    if row.body_hash != body_hash:
        raise RequestReused()
    return str(row.trade_ids).split()


def _check_partner(ctx: Context, wish: DepositWish | WithdrawWish) -> None:
    """A bot is nobody's player: what it was given would be booked as a gift to the house."""
    if ctx.fleet.is_bot(wish.trade_url.partner):
        raise NotAccepted("this Steam account is one of the bots'", code="partner_is_bot")


def _check_message(ctx: Context, message: str) -> None:
    whole = build.full_message(ctx.settings, "x" * TOKEN_CHARS, message)
    if len(whole) > MESSAGE_MAX:
        room = MESSAGE_MAX - len(whole) + len(message)
        raise NotAccepted(f"a message has room for {room} characters here", code="message_too_long", room=room)


# --- the wish to cancel -------------------------------------------------------------------------------


def _wish_canceled(
    connection: Connection, trade_id: str, who: str, now: datetime, rules: record.Rules
) -> tuple[Row[Any] | None, build.Moved]:
    """Write the wish down; the trade, if its bot is to be asked now. One that only waits for its next order ends here: nothing
    of it is out. What was asked of a bot is asked again by the sweep, or a site could fill the bot's queue with it."""
    trade = connection.execute(select(trades).where(trades.c.trade_id == trade_id).with_for_update()).first()
    if trade is None:
        raise NotFound("there is no such trade")
    if trade.status not in (*LIVE, TradeStatus.CANCELED):
        raise TooLate(f"the trade is {trade.status}", status=trade.status)
    if trade.status == TradeStatus.CANCELED or trade.cancel_requested_at is not None:
        return None, build.Moved([], [])
    # Of a trade that is still queued only the order is recalled; if it was too late, the sweep asks for the offer's end.
    asked = None if trade.status == TradeStatus.QUEUED else now
    connection.execute(
        update(trades).where(trades.c.trade_id == trade_id).values(cancel_requested_at=now, cancel_asked_at=asked, touched=now)
    )
    bot = f"{trade.color}-{trade.bot_id}"
    told = record.event_row("cancel_requested", {"status": trade.status}, who, now, trade_id, trade.user_id, bot)
    record.append(connection, [told])
    if trade.status == TradeStatus.QUEUED and (trade.next_try_at is not None or trade.waits_for is not None):
        trade = record.read_trade(connection, trade_id)
        record.record(connection, trade, TradeEvent.ORDER_DROPPED, {"reason": "recalled"}, who, now, rules)
    trade = record.read_trade(connection, trade_id)
    return trade, build.moved_of(connection, [trade])[trade_id]
