"""Searches: which trades a bot shall look for at Steam, and when.

A trade in doubt is searched for until a bot has said what became of its offer; so is one of which something was reported that
does not fit, once per such report. The wait doubles after the third search. Nothing else makes an offer be sent again: only a
bot's ``offer_absent`` does, which moves the trade from doubt to the queue (`balancer.journal.record`).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, select, tuple_, update

from balancer.context import Context
from balancer.db.tables import events, trade_items, trades
from balancer.journal import alarms
from balancer.journal.by import By
from balancer.orders import build
from shared.domain.ids import bot_name
from shared.domain.status import Direction, TradeStatus
from shared.orders import Order, WatchOrder

BATCH_MAX = 500
# Searches after which a trade that is still in doubt is told to an operator: with the default waits some two and a half hours.
ALARM_TRIES = 12
# Searches at the first pace; Steam needs two looks a minute apart before an absent offer is believed.
EAGER = 3
# Trades in one order: each may need an inventory of its own.
TRADES_MAX = 20
# How an item's new id is known (``trade_items.matched``): from Steam's own receipt of the exchange.
BY_RECEIPT = "receipt"
# An operator says which offer is the trade's (`balancer.upkeep.doubts`).
NAMED = "offer_named"


@dataclass(frozen=True, slots=True)
class _Known:
    """What the books say of trades that are searched for, by trade id: what they move, offers that were named, items gone."""

    moved: dict[str, build.Moved]
    named: dict[str, str]
    elsewhere: dict[str, list[str]]


async def find_offers(ctx: Context) -> int:
    """Ask the bots that are online for the trades that are due. Returns how many were asked about."""
    online = sorted((bot.color, bot.bot_id) for bot in ctx.fleet.online())
    if not online or ctx.fleet.maintenance:
        return 0
    times = ctx.settings.trades
    waiting, known = await ctx.db.run(_take, online, ctx.clock.now(), times.find_s, times.find_max_s)
    by_bot: dict[str, list[Row[Any]]] = {}
    for trade in waiting:
        by_bot.setdefault(bot_name(trade), []).append(trade)
    given = [
        _order(ctx, bot, rows[start : start + TRADES_MAX], known)
        for bot, rows in by_bot.items()
        for start in range(0, len(rows), TRADES_MAX)
    ]
    if given and not await ctx.outbox.give(given):
        return 0
    return len(waiting)


def _take(
    connection: Connection, online: list[tuple[str, int]], now: datetime, find_s: float, find_max_s: float
) -> tuple[list[Row[Any]], _Known]:
    """Write down that these are asked about. A trade in doubt is due again; another one only when something misfits again."""
    there = tuple_(trades.c.color, trades.c.bot_id).in_(online)
    query = select(trades).where(trades.c.find_at <= now, there).order_by(trades.c.trade_id).limit(BATCH_MAX)
    waiting = list(connection.execute(query.with_for_update()))
    for trade in waiting:
        again = now + timedelta(seconds=wait_s(trade.find_tries, find_s, find_max_s))
        find_at = again if trade.status == TradeStatus.IN_DOUBT else None
        connection.execute(
            update(trades)
            .where(trades.c.trade_id == trade.trade_id)
            .values(find_at=find_at, find_tries=trades.c.find_tries + 1)
        )
        if find_at is not None and trade.find_tries >= ALARM_TRIES:
            alarms.of_trade(connection, alarms.DOUBT, trade, {"searches": trade.find_tries}, By("sweep", now))
    if not waiting:
        return [], _Known({}, {}, {})
    return waiting, _Known(build.moved_of(connection, waiting), _named(connection, waiting), _elsewhere(connection, waiting))


def _elsewhere(connection: Connection, waiting: Sequence[Row[Any]]) -> dict[str, list[str]]:
    """Assets that these deposits wanted and that the books have from another deposit of the same user, maybe by another bot.

    An asset's id is good for one exchange: whatever has moved with that one cannot have gone with an offer of this trade.
    """
    whose, mine, other, others = trades.alias(), trade_items.alias(), trades.alias(), trade_items.alias()
    same_asset = (others.c.app_id == mine.c.app_id) & (others.c.asset_id == mine.c.asset_id)
    query = (
        select(mine.c.trade_id, mine.c.asset_id)
        .join(whose, whose.c.trade_id == mine.c.trade_id)
        .join(other, (other.c.user_id == whose.c.user_id) & (other.c.trade_id != whose.c.trade_id))
        .join(others, (others.c.trade_id == other.c.trade_id) & same_asset)
        .where(whose.c.trade_id.in_([trade.trade_id for trade in waiting if trade.status == TradeStatus.IN_DOUBT]))
        .where(whose.c.direction == Direction.DEPOSIT.value, other.c.direction == Direction.DEPOSIT.value)
        .where(other.c.status.in_((TradeStatus.ACCEPTED, TradeStatus.SETTLED)), others.c.matched == BY_RECEIPT)
        .order_by(mine.c.trade_id, mine.c.asset_id)
    )
    gone: dict[str, list[str]] = {}
    for row in connection.execute(query):
        gone.setdefault(row.trade_id, []).append(str(row.asset_id))
    return gone


def _named(connection: Connection, waiting: Sequence[Row[Any]]) -> dict[str, str]:
    """The offers that operators have named of trades in doubt; of several names the last counts."""
    ids = [trade.trade_id for trade in waiting if trade.status == TradeStatus.IN_DOUBT]
    query = select(events.c.trade_id, events.c.data).where(events.c.trade_id.in_(ids), events.c.kind == NAMED)
    rows = connection.execute(query.order_by(events.c.number))
    return {row.trade_id: str(json.loads(row.data)["offer_id"]) for row in rows}


def wait_s(tries: int, find_s: float, find_max_s: float) -> float:
    """Until the next search after this many: the same for the first three, then doubled each time up to the maximum."""
    doubled: float = find_s * 2.0 ** min(max(0, tries + 1 - EAGER), 20)
    return max(find_s, min(find_max_s, doubled))


def _order(ctx: Context, bot: str, rows: Sequence[Row[Any]], known: _Known) -> Order:
    watched = [
        replace(
            ctx.orders.watched(row, known.moved[row.trade_id], with_trade_token=True),
            offer_id=known.named.get(row.trade_id, row.offer_id),
            elsewhere=known.elsewhere.get(row.trade_id, []),
        )
        for row in rows
    ]
    since = int(min(row.created_at for row in rows).timestamp())
    return ctx.orders.build("find", bot, WatchOrder(watched, since), lifetime_s=ctx.settings.trades.find_s)
