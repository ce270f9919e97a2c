"""Withdrawals: items go out. All rows are reserved in one transaction or none; orders go out after the commit."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, func, select

from balancer.changes import Expectation
from balancer.context import Context
from balancer.db import pipeline
from balancer.db.tables import deposits, items, trade_items, trades
from balancer.fleet import reserve, switches
from balancer.journal import opening
from balancer.trades import approvals, holding, idempotency, line, outflow, players, shares
from balancer.trades import draft as drafts
from balancer.trades.draft import Draft, Waits
from balancer.trades.requests import Made, Request, WithdrawWish
from shared.domain.ids import BotName
from shared.domain.status import DEPOSIT_FINAL, ENDED_UNMOVED, DepositStatus, Direction, WaitsFor
from shared.errors import Conflict, Forbidden, NotAccepted, NotFound
from shared.settings import Settings


async def withdraw(ctx: Context, request: Request, wish: WithdrawWish, expectation: Expectation | None = None) -> Made:
    """Reserve these rows, all or none, and order the bots that hold them to offer them.

    ``expectation`` waits for the trades from before their orders go out.

    Raises:
        RequestReused, NotFound, Forbidden (not_owner),
        NotAccepted (item_not_accepted, message_too_long, partner_is_bot),
        PlayerMustAct (too_many_offers), NoBotAvailable, FleetPaused, SteamUnavailable,
        Conflict (user_mismatch, partner_blocked, asset_in_trade, item_locked, item_unsettled with ``settles_at``, item_frozen).
    """
    drafts.check(ctx, wish)
    try:
        return await idempotency.once(ctx, request, ctx.db.run(make, ctx, request, wish), expectation)
    except outflow.Exceeded as exceeded:
        await outflow.pause(ctx, exceeded.hit)
        await holding.hold(ctx)
        raise


def make(connection: Connection, ctx: Context, request: Request, wish: WithdrawWish) -> Draft:
    """Reserve the rows and make a trade per bot that holds them, or several where one offer cannot hold them all.

    A trade of which nothing is to be waited for takes an open offer of its bot, or a place in the line for one.
    """
    limits, client_id = ctx.settings.limits, request.caller.client_id
    ctx.switches.check(switches.WITHDRAWALS, client_id)
    outflow.take_turns(connection, limits)
    holdings = players.bind(connection, wish.user_id, int(wish.trade_url.partner), request.now)
    rows = rows_to_give(connection, wish.deposit_ids)
    for deposit_id in wish.deposit_ids:
        check_row(rows.get(deposit_id), wish.user_id, ctx.settings, when_settled=wish.when_settled)
    making = Draft(ctx, request, Direction.WITHDRAW, wish.user_id, wish.trade_url, wish.message, holdings)
    parts = parts_to_give(rows.values(), limits.trade_items_max)
    approval = _needs_approval(connection, making, rows.values(), len(parts))
    if not opening.reserve_deposits(connection, list(rows), request.now, settled=not wish.when_settled):
        raise Conflict("an item was taken by another request", code="asset_in_trade")
    full = line.full_clients(connection, limits)
    paused = [*ctx.switches.paused_clients(), *full]
    for bot, part in parts:
        reserve.check_gives(connection, ctx.fleet, bot)
        waits = _waits(ctx.settings, part, request.now, approval=approval)
        if waits is None and (client_id in full or not line.enter(connection, limits, holdings, bot, request.now, paused)):
            waits = WaitsFor.OFFER, request.now
        trade_id = making.begin(bot, {"why": "holds_items", "items": len(part), "bots": len({bot for bot, _ in parts})}, waits)
        for row in part:
            making.give_out(trade_id, row, row.value_cents)
    check_outflow(connection, making)
    pipeline.insert_rows(connection, drafts.rows([making]))
    return making


def parts_to_give(rows: Iterable[Row[Any]], most: int) -> list[tuple[BotName, list[Row[Any]]]]:
    """What goes into one offer each, by the bot that holds it. Bots in their order, so that two requests do not deadlock."""
    by_bot: dict[BotName, list[Row[Any]]] = {}
    for row in rows:
        by_bot.setdefault(BotName(row.color, row.bot_id), []).append(row)
    return [(bot, held[start : start + most]) for bot, held in sorted(by_bot.items()) for start in range(0, len(held), most)]


def _needs_approval(connection: Connection, making: Draft, rows: Iterable[Row[Any]], n_trades: int) -> bool:
    """Whether a second person decides first. What counts is what is withdrawn together, now and lately."""
    settings, cents = making.ctx.settings, sum(row.value_cents for row in rows)
    if outflow.is_too_large(settings.limits, n_trades, cents):
        return True
    lately_cents = _lately_cents(connection, settings, making.user_id, making.request.now)
    return bool(0 < settings.limits.approval_above_cents < cents + lately_cents)


def check_outflow(connection: Connection, making: Draft) -> None:
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


def rows_to_give(connection: Connection, deposit_ids: list[str]) -> dict[str, Row[Any]]:
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


def check_row(row: Row[Any] | None, user_id: str, settings: Settings, *, when_settled: bool = False) -> None:
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
        raise Conflict("the item is frozen until an operator has checked it", code="item_frozen", **about)
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
