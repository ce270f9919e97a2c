"""Looks at what became of trades afterwards: whether Steam's protection has passed, and where items are after a trade's end.

Both are orders of one kind, with one inventory read for many trades. Only bots that are online are asked, so that an offline
one does not find a pile of old questions.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, func, or_, select, tuple_, update

from balancer.context import Context
from balancer.custody import departures
from balancer.custody.audit import freeze
from balancer.db.tables import deposits, trade_items, trades
from shared.clock import from_unix
from shared.domain.ids import bot_name
from shared.domain.items import CS2_APP_ID, Asset
from shared.domain.status import DepositStatus, Direction, TradeStatus
from shared.orders import Order, SettleCheck, SettleOrder, WantedAsset
from shared.sections import TradeSettings

D, S = DepositStatus, TradeStatus

# Rows of which it is known that their items are not here.
GONE = frozenset({departures.FROZEN, freeze.ROW_FROZEN})
CHECKS_MAX = 100
BATCH_MAX = 1000

Checks = dict[str, list[SettleCheck]]


async def settle(ctx: Context) -> int:
    """Ask bots what became of accepted trades, and where the items of ended withdrawals and reversed trades are.

    Accepted trades: seldom while Steam's protection runs, for a reversal, and when it should have ended. Items: soon and often
    after an end that moved nothing; a reversal takes its time, so it is looked at as seldom as settlements. A bot that is to
    look at one trade looks at all that it has, once. Returns how many trades were asked about.
    """
    if ctx.fleet.maintenance:
        return 0
    times, now = ctx.settings.trades, ctx.clock.now()
    # Redis' time: this process' clock may be minutes ahead, and what is settled is never looked at again.
    over = from_unix(ctx.server_clock.now_ms() / 1000) - timedelta(seconds=times.settle_margin_s)
    checks, known = await ctx.db.run(_take, _due(times, now, over), _online(ctx), now, over)
    return await _ask(ctx, checks, known)


def _due(times: TradeSettings, now: datetime, over: datetime) -> ColumnElement[bool]:
    """Trades to be looked at now. ``over``: what settled before that time has waited long enough."""
    accepted = and_(trades.c.status == S.ACCEPTED.value, trades.c.exchange_id.is_not(None))
    since = func.coalesce(trades.c.settles_at, trades.c.touched)
    ended = and_(accepted, since <= over, _not_asked_since(now - timedelta(seconds=times.settle_again_s)))
    interval = timedelta(seconds=times.protection_look_s)
    protected = and_(accepted, func.coalesce(trades.c.settle_asked_at, trades.c.touched) <= now - interval)
    # What was asked about or accepted a moment ago need not be looked at again because of its neighbours.
    together = and_(accepted, func.coalesce(trades.c.settle_asked_at, trades.c.touched) <= now - interval / 2)
    # What has ended waits a little for more of the same bot: one look serves all.
    gathered = and_(ended, since <= over - timedelta(seconds=times.settle_gather_s))
    soon, later = timedelta(seconds=times.items_look_s), timedelta(seconds=times.settle_again_s)
    reversed_trade = trades.c.status == S.REVERSED.value
    awaited = and_(
        trades.c.items_awaited > 0,
        or_(
            and_(~reversed_trade, _not_asked_since(now - soon), trades.c.touched <= now - soon),
            and_(reversed_trade, _not_asked_since(now - later)),
        ),
    )
    looking = select(trades.c.color, trades.c.bot_id).where(or_(gathered, protected, awaited))
    return and_(or_(ended, together, awaited), tuple_(trades.c.color, trades.c.bot_id).in_(looking))


def _online(ctx: Context) -> set[tuple[str, int]]:
    return {(bot.color, bot.bot_id) for bot in ctx.fleet.online()}


def _not_asked_since(before: datetime) -> ColumnElement[bool]:
    return or_(trades.c.settle_asked_at.is_(None), trades.c.settle_asked_at <= before)


def _take(
    connection: Connection, due: ColumnElement[bool], online: set[tuple[str, int]], now: datetime, over: datetime
) -> tuple[Checks, dict[str, list[str]]]:
    """Write down that these trades are asked about; what to ask each bot, and the asset ids of its other rows."""
    if not online:
        return {}, {}
    there = tuple_(trades.c.color, trades.c.bot_id).in_(sorted(online))
    query = select(trades).where(due, there).order_by(trades.c.trade_id).limit(BATCH_MAX).with_for_update()
    rows = list(connection.execute(query))
    if not rows:
        return {}, {}
    ids = [row.trade_id for row in rows]
    connection.execute(update(trades).where(trades.c.trade_id.in_(ids)).values(settle_asked_at=now))
    wanted = _wanted(connection, rows)
    checks: Checks = {}
    for row in rows:
        check = _check(row, wanted.get(row.trade_id, []), over)
        checks.setdefault(bot_name(row), []).append(check)
    looked_for = {asset.deposit_id for found_assets in wanted.values() for asset in found_assets}
    return checks, {bot: _known(connection, bot, looked_for) for bot in checks}


def _settles(trade: Row[Any]) -> bool:
    """Whether its exchange is asked about; of all others it is asked where their items are."""
    return bool(trade.status == S.ACCEPTED)


def _check(trade: Row[Any], wanted: list[WantedAsset], over: datetime) -> SettleCheck:
    """A reversed exchange is named too, as Steam's record of it says under which ids the items went back."""
    if _settles(trade):
        return SettleCheck(trade.trade_id, trade.attempt, trade.exchange_id, wanted, False, _waited_until(trade, over))
    back = trade.status == S.REVERSED
    return SettleCheck(trade.trade_id, trade.attempt, trade.exchange_id if back else None, wanted, back)


def _waited_until(trade: Row[Any], over: datetime) -> int | None:
    if (trade.settles_at or trade.touched) > over:
        return None
    return int(trade.settles_at.timestamp()) if trade.settles_at is not None else 0


def _wanted(connection: Connection, rows: Sequence[Row[Any]]) -> dict[str, list[WantedAsset]]:
    """The items to look for, by trade. Of a withdrawal that is to settle only the exchange is looked at.

    An item that somebody gave away, or that an audit misses, is known to be gone: the others of its trade settle without it.
    """
    settling = {row.trade_id for row in rows if _settles(row)}
    looked = [row.trade_id for row in rows if row.trade_id not in settling or row.direction == Direction.DEPOSIT]
    query = (
        select(
            trade_items.c.trade_id,
            trade_items.c.market_hash_name,
            trade_items.c.fingerprint,
            deposits.c.deposit_id,
            deposits.c.app_id,
            deposits.c.context_id,
            deposits.c.asset_id,
            deposits.c.status,
            deposits.c.frozen_by,
        )
        .join(deposits, deposits.c.deposit_id == trade_items.c.deposit_id)
        .where(trade_items.c.trade_id.in_(looked))
        .order_by(deposits.c.deposit_id)
    )
    wanted: dict[str, list[WantedAsset]] = {}
    for row in connection.execute(query):
        if row.trade_id in settling and (row.status not in (D.ACTIVE, D.WITHDRAW_PENDING) or row.frozen_by in GONE):
            continue
        asset = Asset(row.app_id or CS2_APP_ID, str(row.context_id), str(row.asset_id))
        one = WantedAsset(row.deposit_id, asset, row.market_hash_name, row.fingerprint)
        wanted.setdefault(row.trade_id, []).append(one)
    return wanted


def _known(connection: Connection, bot: str, looked_for: set[str]) -> list[str]:
    color, _, bot_id = bot.rpartition("-")
    query = select(deposits.c.deposit_id, deposits.c.asset_id).where(
        deposits.c.color == color,
        deposits.c.bot_id == int(bot_id),
        deposits.c.status.in_([D.ACTIVE.value, D.WITHDRAW_PENDING.value]),
        deposits.c.asset_id.is_not(None),
    )
    return [str(row.asset_id) for row in connection.execute(query) if row.deposit_id not in looked_for]


async def _ask(ctx: Context, checks: Checks, known: dict[str, list[str]]) -> int:
    given = [
        _order(ctx, bot, of_bot[start : start + CHECKS_MAX], known[bot])
        for bot, of_bot in checks.items()
        for start in range(0, len(of_bot), CHECKS_MAX)
    ]
    if given and not await ctx.outbox.give(given):
        return 0
    return sum(len(of_bot) for of_bot in checks.values())


def _order(ctx: Context, bot: str, checks: list[SettleCheck], known: list[str]) -> Order:
    """It lives until its checks are asked again: items alone soon."""
    times = ctx.settings.trades
    settles = any(check.exchange_id is not None for check in checks)
    lifetime_s = times.settle_again_s if settles else times.items_look_s
    return ctx.orders.build("settle", bot, SettleOrder(checks, known), lifetime_s=lifetime_s)
