"""That a trade is to be canceled. It is when a bot has said so; one of which nothing can be out ends at once."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select, update

from balancer.context import Context
from balancer.db.tables import trades
from balancer.journal import events, record
from balancer.journal.rules import ByRules, Rules
from balancer.journal.views import Trade
from balancer.orders.build import Moved, moved_of
from balancer.trades.requests import Caller
from shared.domain.status import LIVE, TradeEvent, TradeStatus
from shared.errors import NotFound, TooLate

RECALLED = "recalled"
OPERATE = "operate"
HELD = (
    "The player has accepted, and Steam keeps the items for some days first. Whoever calls that off may not trade for seven "
    "days, so the bot does not: the player can, or a key of scope operate."
)


async def cancel(ctx: Context, caller: Caller, trade_id: str) -> Trade:
    """Ask for this trade's end. Asking again changes nothing, also when it is canceled by then.

    Raises:
        NotFound: no such trade.
        TooLate: it is accepted, or over in another way; ``trade_held``, Steam keeps its items first, and only a caller who may
            operate the fleet may spend a bot on its end: Steam locks an account that calls a hold off for seven days.
    """
    trade, moved = await ctx.db.run(_cancel, trade_id, caller, ctx.clock.now(), Rules.of(ctx.settings))
    if trade is not None and trade.status in LIVE:
        await ctx.outbox.recall(trade)
        if trade.status != TradeStatus.QUEUED:
            await ctx.outbox.give([ctx.orders.cancel(trade, moved)])
    ctx.changes.notify([trade_id])
    return (await ctx.views.of([trade_id]))[0]


def _cancel(
    connection: Connection, trade_id: str, caller: Caller, now: datetime, rules: Rules
) -> tuple[Row[Any] | None, Moved]:
    """Write it down; the trade, if its bot is to be asked now. What was asked of a bot is asked again by the sweep, or a site
    could fill the bot's queue with it."""
    trade = connection.execute(select(trades).where(trades.c.trade_id == trade_id).with_for_update()).first()
    if trade is None:
        raise NotFound("there is no such trade")
    if trade.status not in (*LIVE, TradeStatus.CANCELED):
        raise TooLate(f"the trade is {trade.status}", status=trade.status)
    if trade.status == TradeStatus.CANCELED or trade.cancel_requested_at is not None:
        return None, Moved([], [])
    if trade.status == TradeStatus.HELD and OPERATE not in caller.scopes:
        raise TooLate(HELD, code="trade_held", status=trade.status)
    request(connection, trade, ByRules(caller.who, now, rules), ask=True)
    trade = record.read_trade(connection, trade_id)
    return trade, moved_of(connection, [trade])[trade_id]


def request(
    connection: Connection,
    trade: Row[Any],
    by: ByRules,
    *,
    reason: str | None = None,
    dropped: str = RECALLED,
    ask: bool = False,
) -> None:
    """Write down, once, that this live trade is to be canceled, and why; the sweep recalls its order and asks its bot.

    A trade of which nothing can be out ends here, for the reason ``dropped``. With ``ask`` the caller asks the bot itself,
    unless the trade is still queued: then only the order is recalled, and if that was too late the sweep asks for the offer's
    end.
    """
    queued = trade.status == TradeStatus.QUEUED
    if trade.cancel_requested_at is None:
        asked = {"cancel_asked_at": by.now} if ask and not queued else {}
        mine = trades.c.trade_id == trade.trade_id
        connection.execute(update(trades).where(mine).values(cancel_requested_at=by.now, touched=by.now, **asked))
        data = {"status": trade.status} | ({"reason": reason} if reason else {})
        events.of_trade(connection, "cancel_requested", trade, data, by)
    if queued and (trade.next_try_at is not None or trade.waits_for is not None):
        fresh = record.read_trade(connection, trade.trade_id)
        record.record(connection, fresh, TradeEvent.ORDER_DROPPED, {"reason": dropped}, by)
