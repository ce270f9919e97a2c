"""Watching: every few seconds each bot with live trades is asked for one look at its offers, for all of them together.

A bot without live trades is asked nothing, nor one whose last look is still queued: a busy or offline bot does not get a pile
of them. The longer nothing has happened at a bot, the more seldom it looks: an offer that Steam holds for two weeks is not
worth a call every five seconds. What it sees comes back as reports.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, and_, or_, select

from balancer.context import Context
from balancer.db.tables import trades
from balancer.orders import build
from shared import wire
from shared.domain.ids import bot_name
from shared.domain.status import TradeStatus
from shared.orders import Order, WatchOrder

S = TradeStatus

# A send takes this long on a bad day; only after that is a look worth a call to Steam.
SENDING_S = 10.0
# A look that was not begun by then is asked for again.
YOUNG_S = 60.0
# A look is late by no more than this share of the time for which nothing has happened, and at most by so many rounds.
LATE_SHARE = 1 / 60
LATE_ROUNDS = 24
_ALWAYS = (S.IN_DOUBT.value, S.CONFIRMING.value, S.SENT.value, S.HELD.value)


@dataclass(frozen=True, slots=True)
class _Asked:
    order_id: str
    at_s: float


class Watcher:
    """Remembers the last look asked of each bot; forgetting it costs at most one look too many."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._late_max_s = LATE_ROUNDS * ctx.settings.trades.watch_s
        self._asked: dict[str, _Asked] = {}

    async def round(self) -> int:
        """Ask every bot that has something to look at. Returns how many were asked."""
        ctx = self._ctx
        watched, moved = await ctx.db.read(_watched, ctx.clock.now())
        by_bot: dict[str, list[Row[Any]]] = {}
        for trade in watched:
            by_bot.setdefault(bot_name(trade), []).append(trade)
        by_bot = {bot: rows for bot, rows in by_bot.items() if self._is_due(bot, rows)}
        busy = await self._busy(list(by_bot))
        wanted = [self._order(bot, rows, moved) for bot, rows in by_bot.items() if bot not in busy]
        if wanted and await ctx.outbox.give(wanted):
            now_s = ctx.clock.monotonic()
            self._asked.update({order.bot: _Asked(order.order_id, now_s) for order in wanted})
        return len(wanted)

    def _is_due(self, bot: str, rows: Sequence[Row[Any]]) -> bool:
        if (asked := self._asked.get(bot)) is None:
            return True
        quiet_s = (self._ctx.clock.now() - max(row.touched for row in rows)).total_seconds()
        return bool(self._ctx.clock.monotonic() - asked.at_s >= min(quiet_s * LATE_SHARE, self._late_max_s))

    async def _busy(self, bots: Sequence[str]) -> set[str]:
        """Bots whose last look is young and still in the queue or in hand. A finished job is gone from Redis."""
        now_s = self._ctx.clock.monotonic()
        self._asked = {bot: asked for bot, asked in self._asked.items() if now_s - asked.at_s < max(YOUNG_S, self._late_max_s)}
        young = {bot: asked for bot, asked in self._asked.items() if now_s - asked.at_s < YOUNG_S}
        asked = [(bot, young[bot].order_id) for bot in bots if bot in young]
        if not asked:
            return set()
        there = await asyncio.to_thread(self._exist, asked)
        return {bot for (bot, _), exists in zip(asked, there, strict=True) if exists}

    def _exist(self, asked: Sequence[tuple[str, str]]) -> list[bool]:
        pipe = self._ctx.redis.pipeline(transaction=False)
        for bot, order_id in asked:
            pipe.exists(wire.job_key(bot, order_id))
        return [bool(answer) for answer in pipe.execute()]

    def _order(self, bot: str, rows: Sequence[Row[Any]], moved: dict[str, build.Moved]) -> Order:
        watched = [self._ctx.orders.watched(row, moved[row.trade_id]) for row in rows]
        since = int(min(row.created_at for row in rows).timestamp())
        return self._ctx.orders.build("watch", bot, WatchOrder(watched, since), lifetime_s=YOUNG_S)


def _watched(connection: Connection, now: datetime) -> tuple[list[Row[Any]], dict[str, build.Moved]]:
    """Live trades that may have an offer: past ``queued``, or so long in it that a report may be lost."""
    query = select(trades).where(
        or_(
            trades.c.status.in_(_ALWAYS),
            and_(trades.c.status == S.SENDING.value, trades.c.touched < now - timedelta(seconds=SENDING_S)),
            and_(trades.c.status == S.QUEUED.value, trades.c.order_expires_at < now),
        )
    )
    rows = list(connection.execute(query.order_by(trades.c.color, trades.c.bot_id, trades.c.trade_id)))
    return rows, build.moved_of(connection, rows) if rows else {}
