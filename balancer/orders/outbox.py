"""Orders put into the bots' queues after the commit, sealed, those that come together in one round trip.

That an order reached Redis is written down afterwards (``order_issued_at``), many at a time and off the request's path. Where
that is missing, the order may or may not be there: the sweep gives it again under the same id, which is harmless, as a bot
looks before it sends what may have been sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import redis
from sqlalchemy import Connection, Row

from balancer.batching import Batch
from balancer.db.engine import Database
from balancer.db.pipeline import Statement
from shared import log, wire
from shared.away import RedisAway
from shared.clock import Clock
from shared.domain.ids import bot_name
from shared.orders import Order
from shared.sealing import MasterKey

logger = log.get(__name__)

BATCH_MAX = 200
MARKS_MAX = 2000


@dataclass(frozen=True, slots=True)
class Marked:
    """One send order that Redis took."""

    trade_id: str
    attempt: int


class Outbox:
    """Puts orders into the queues: those that come while Redis is busy share the next round trip.

    ``client`` is used in threads; ``expiry_s`` is how long a send order lives.
    """

    def __init__(
        self, client: redis.Redis, master: MasterKey, clock: Clock, db: Database, away: RedisAway, expiry_s: float
    ) -> None:
        self._redis = client
        self._master = master
        self._clock = clock
        self._db = db
        self._away = away
        self._expiry_s = expiry_s
        self._orders: Batch[Order, bool] = Batch(self._give, most=BATCH_MAX, then=self._mark)
        self._marks: Batch[Marked, None] = Batch(self._write_down, most=MARKS_MAX)

    async def give(self, orders: Iterable[Order]) -> bool:
        """Whether Redis took all of these orders. Giving one again makes a second job of the same id."""
        waiting = [self._orders.put(order) for order in orders]
        return all([await taken for taken in waiting])

    async def recall(self, trade: Row[Any]) -> bool:
        """Tell the bot's worker not to send this trade's present attempt any more.

        Whether Redis took it; the sweep says it again otherwise.
        """
        return await asyncio.to_thread(self._recall, bot_name(trade), trade.trade_id, trade.attempt)

    async def drain(self) -> None:
        """Wait until everything given so far is out and written down."""
        await self._orders.drain()
        await self._marks.drain()

    async def _give(self, orders: list[Order]) -> list[bool]:
        return [await asyncio.to_thread(self._enqueue, orders)] * len(orders)

    def _mark(self, orders: list[Order], taken: Sequence[bool]) -> None:
        for order, is_taken in zip(orders, taken, strict=True):
            if is_taken and order.kind == "send" and order.trade_id:
                self._marks.put(Marked(order.trade_id, order.attempt))

    async def _write_down(self, marks: list[Marked]) -> list[None]:
        try:
            await self._db.run(mark_issued, marks, self._clock.now(), self._expiry_s)
        except Exception as error:  # the sweep gives these orders again
            logger.warning("orders given but not written down", action="mark", orders=len(marks), reason=repr(error))
        return [None] * len(marks)

    def _enqueue(self, orders: Sequence[Order]) -> bool:
        try:
            wire.enqueue(self._redis, [(order, self._master.bot(order.bot)) for order in orders], _stamp(self._clock.now()))
        except redis.RedisError as error:
            self._away.noticed(error, "enqueue")  # the sweep gives them
            return False
        return True

    def _recall(self, bot: str, trade_id: str, attempt: int) -> bool:
        try:
            self._redis.set(wire.recall_key(bot, trade_id), attempt, ex=wire.RECALL_TTL_S)
        except redis.RedisError as error:
            logger.warning("recall not given", action="recall", trade_id=trade_id, reason=type(error).__name__)
            return False
        return True


def _stamp(now: datetime) -> str:
    """As RQ writes times."""
    return now.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


_ISSUED = Statement.of(
    "UPDATE trades SET order_issued_at = :issued, order_expires_at = :expires WHERE trade_id :ids[] AND attempt = :attempt"
)


def mark_issued(connection: Connection, marks: Sequence[Marked], now: datetime, expiry_s: float) -> None:
    """These orders are in Redis since about ``now``; an attempt that is over meanwhile is left alone."""
    for attempt in sorted({mark.attempt for mark in marks}):
        ids = sorted(mark.trade_id for mark in marks if mark.attempt == attempt)
        step = _ISSUED.step(connection, ids=ids, attempt=attempt, issued=now, expires=now + timedelta(seconds=expiry_s))
        connection.exec_driver_sql(*step)
