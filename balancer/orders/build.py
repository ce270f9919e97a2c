"""Orders for bots: built from rows, sealed and put into the bots' queues after the commit.

That an order reached Redis is written down afterwards (``order_issued_at``), many at a time and off the request's path. Where
that is missing, the order may or may not be there: the sweep gives it again under the same id, which is harmless, as a bot
looks before it sends what may have been sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import redis
from sqlalchemy import Connection, Row, RowMapping, select

from balancer.db.pipeline import Statement
from balancer.db.tables import trade_items
from shared import log, wire
from shared.domain.items import Asset
from shared.domain.status import Direction
from shared.messages import OfferOrder, Order, Payload, SendOrder
from shared.sealing import seal, unseal
from shared.settings import Settings

if TYPE_CHECKING:
    from balancer.context import Context

logger = log.get(__name__)

BATCH_MAX = 200


@dataclass(frozen=True, slots=True)
class Marked:
    """One send order that Redis took."""

    trade_id: str
    attempt: int


class Outbox:
    """Puts orders into the queues: those that come while Redis is busy share the next round trip."""

    def __init__(self) -> None:
        self._orders: list[tuple[Order, asyncio.Future[bool]]] = []
        self._marks: list[Marked] = []
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def give(self, ctx: Context, orders: Iterable[Order]) -> bool:
        """Whether Redis took all of these orders. Giving one again makes a second job of the same id."""
        waiting = []
        for order in orders:
            done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
            self._orders.append((order, done))
            waiting.append(done)
        self._start("orders", self._flush, ctx)
        return all([await done for done in waiting])

    async def drain(self) -> None:
        """Wait until everything given so far is out and written down."""
        while self._tasks:
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def _start(self, name: str, work: Any, ctx: Context) -> None:
        if name not in self._tasks:
            self._tasks[name] = asyncio.get_running_loop().create_task(self._until_empty(name, work, ctx))

    async def _until_empty(self, name: str, work: Any, ctx: Context) -> None:
        # Taken off the list in the same step in which the work found nothing more: who comes later starts it anew.
        try:
            await work(ctx)
        finally:
            del self._tasks[name]

    async def _flush(self, ctx: Context) -> None:
        while self._orders:
            batch, self._orders = self._orders[:BATCH_MAX], self._orders[BATCH_MAX:]
            try:
                taken = await asyncio.to_thread(_enqueue, ctx, [order for order, _ in batch])
            except Exception as error:  # whoever gave these orders is told, and the next ones have their turn
                for _, done in batch:
                    if not done.done():
                        done.set_exception(error)
                continue
            for order, done in batch:
                if not done.done():
                    done.set_result(taken)
                if taken and order.kind == "send" and order.trade_id:
                    self._marks.append(Marked(order.trade_id, order.attempt))
            if self._marks:
                self._start("marks", self._write_down, ctx)

    async def _write_down(self, ctx: Context) -> None:
        while self._marks:
            marks, self._marks = self._marks, []
            try:
                await ctx.db.run(mark_issued, marks, ctx.clock.now(), ctx.settings.trades.order_expiry_s)
            except Exception as error:  # the sweep gives these orders again
                logger.warning("orders given but not written down", action="mark", orders=len(marks), reason=repr(error))


def _enqueue(ctx: Context, orders: Sequence[Order]) -> bool:
    try:
        wire.enqueue(ctx.redis, [(order, ctx.master.bot(order.bot)) for order in orders], _stamp(ctx.clock.now()))
    except redis.RedisError as error:
        ctx.redis_away.noticed(error, "enqueue")  # the sweep gives them
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


# --- building ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Moved:
    """What an offer moves."""

    give: list[Asset]
    take: list[Asset]

    @classmethod
    def of(cls, direction: str, assets: list[Asset]) -> Moved:
        return cls([], assets) if direction == Direction.DEPOSIT else cls(assets, [])


def build(
    ctx: Context,
    kind: str,
    bot: str,
    payload: Payload,
    *,
    trade_id: str | None = None,
    attempt: int = 0,
    order_id: str | None = None,
    lifetime_s: float | None = None,
    run: str | None = None,
    given_at: datetime | None = None,
) -> Order:
    """An order with its times; it expires ``lifetime_s`` from now, by default after the setting ``order_expiry_s``.

    ``given_at``: the same order may have gone out then already, so it counts as issued then.
    """
    now_ms = ctx.server_clock.now_ms()
    given_ms = now_ms if given_at is None else int(given_at.timestamp() * 1000) + (ctx.server_clock.offset_ms or 0)
    lifetime_ms = int((lifetime_s or ctx.settings.trades.order_expiry_s) * 1000)
    return Order(
        order_id=order_id or ctx.new_id(kind),
        kind=kind,
        bot=bot,
        trade_id=trade_id,
        attempt=attempt,
        issued_at_ms=min(given_ms, now_ms),
        expires_at_ms=now_ms + lifetime_ms,
        payload=payload,
        run=run,
    )


def full_message(settings: Settings, token: str, message: str) -> str:
    """What the offer says: the verify link first, then what the site wants to say."""
    return f"{settings.balancer.verify_url(token)} {message}".rstrip()


def send(
    ctx: Context,
    bot: str,
    trade_id: str,
    attempt: int,
    partner: str,
    trade_token: str,
    message: str,
    moved: Moved,
    *,
    first: bool,
    given_at: datetime | None = None,
) -> Order:
    """The order to make a trade's offer. Its id is made of trade and attempt, so that giving it again is no second order.

    ``first``: no order of this attempt was ever given. Only such a one names the worker's run that it is for.
    """
    token = ctx.master.verify_token(trade_id)
    payload = SendOrder(
        token=token,
        partner=partner,
        trade_token=trade_token,
        message=full_message(ctx.settings, token, message),
        give=moved.give,
        take=moved.take,
    )
    order_id, run = f"send-{trade_id}-{attempt}", ctx.fleet.run_of(bot) if first else None
    times: dict[str, Any] = {"run": run, "given_at": given_at}
    return build(ctx, "send", bot, payload, trade_id=trade_id, attempt=attempt, order_id=order_id, **times)


def asset_of(row: Mapping[Any, Any] | RowMapping) -> Asset:
    """The asset in a row of ``trade_items``."""
    return Asset(row["app_id"], row["context_id"], str(row["asset_id"]))


def moved_of(connection: Connection, found: Iterable[Row[Any]]) -> dict[str, Moved]:
    """What each of these trades moves, by trade id."""
    directions = {trade.trade_id: trade.direction for trade in found}
    assets: dict[str, list[Asset]] = {trade_id: [] for trade_id in directions}
    columns = trade_items.c
    query = (
        select(columns.trade_id, columns.app_id, columns.context_id, columns.asset_id)
        .where(columns.trade_id.in_(directions))
        .order_by(columns.trade_id, columns.deposit_id)
    )
    for row in connection.execute(query):
        assets[row.trade_id].append(asset_of(row._mapping))
    return {trade_id: Moved.of(direction, assets[trade_id]) for trade_id, direction in directions.items()}


def send_again(ctx: Context, trade: Row[Any], moved: Moved) -> Order:
    """The send order of a trade's present attempt, from its row; one that waits for its next try was never given.

    Of another one nobody knows whether Redis took it. Since then that may have forgotten order and marker, and a worker that
    has begun it may be dead: it counts as issued when the row was last touched, so that a later worker looks first.
    """
    bot = f"{trade.color}-{trade.bot_id}"
    trade_token = open_trade_token(ctx, trade.trade_id, trade.trade_url_sealed)
    first, partner = trade.next_try_at is not None, str(trade.partner)
    given_at = None if first else trade.touched
    opened = (trade.trade_id, trade.attempt, partner, trade_token, trade.message)
    return send(ctx, bot, *opened, moved, first=first, given_at=given_at)


def cancel(ctx: Context, trade: Row[Any], moved: Moved) -> Order:
    """The order to ask Steam to cancel a trade's offer, whatever its id."""
    payload = OfferOrder(
        token=ctx.master.verify_token(trade.trade_id),
        partner=str(trade.partner),
        offer_id=trade.offer_id,
        give=moved.give,
        take=moved.take,
    )
    return build(ctx, "cancel", f"{trade.color}-{trade.bot_id}", payload, trade_id=trade.trade_id, attempt=trade.attempt)


def seal_trade_token(ctx: Context, trade_id: str, trade_token: str) -> str:
    """What stands in ``trades.trade_url_sealed``; partner and token make up the URL."""
    return seal(ctx.master.at_rest, trade_token.encode(), purpose=f"trade-url:{trade_id}")


def open_trade_token(ctx: Context, trade_id: str, sealed: str) -> str:
    return unseal(ctx.master.at_rest, sealed, purpose=f"trade-url:{trade_id}").decode()


def recall(ctx: Context, bot: str, trade_id: str, attempt: int) -> bool:
    """Tell this bot's worker not to send this attempt any more. Whether Redis took it; the sweep says it again otherwise."""
    try:
        ctx.redis.set(wire.recall_key(bot, trade_id), attempt, ex=wire.RECALL_TTL_S)
    except redis.RedisError as error:
        logger.warning("recall not given", action="recall", trade_id=trade_id, reason=type(error).__name__)
        return False
    return True
