"""What a bot sees of an offer right now, for a player who asks whether the offer on the screen is real.

One look at a trade's offer serves all who ask about it within ``look_s``, at every balancer. A bot has one such order of a
balancer at a time, and then a pause: requests in the meantime share the next one, so looks never delay orders that move items
for long. A bot's report counts for its own offers only, and only while it is recent: a replayed old report proves nothing.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from contextvars import Context
from dataclasses import dataclass, field
from typing import Any

import redis

from balancer.orders.build import Orders
from balancer.orders.outbox import Outbox
from shared import log, request_ids, wire
from shared.away import RedisAway
from shared.clock import Clock, ServerClock
from shared.domain.status import TradeEvent, TradeStatus, leads_to
from shared.orders import WatchedTrade, WatchOrder
from shared.reports import Report
from shared.sections import TradeSettings

REPORTS = frozenset({"looked", "not_looked"})
KEPT_MAX = 20_000
AT_ONCE_MAX = 100
# How soon it is tried again when another balancer looks, or Redis is away.
AGAIN_S = 0.25
# An order that expires in the queue is answered a moment later.
ANSWER_MARGIN_S = 0.5
ID_MAX = 40
FAR_FUTURE_S = 4_102_444_800  # the year 2100

_log = log.get(__name__)
Key = tuple[str, str]  # bot, trade id


@dataclass(frozen=True, slots=True)
class Sight:
    """What an offer looked like: the status that a trade with such an offer has, ``None`` if Steam showed nothing clear.

    ``changed_at`` in Steam's unix seconds, ``at_ms`` in Redis' time.
    """

    offer_id: str | None
    status: TradeStatus | None
    changed_at: int | None
    at_ms: int


@dataclass(slots=True)
class _Wanted:
    trade: WatchedTrade
    since: int
    until_s: float  # monotonic; who asked last gives up then
    answer: asyncio.Future[Sight | None]
    request_id: str | None  # of the HTTP request that asked first


@dataclass(slots=True)
class _Line:
    """What is asked of one bot."""

    wanted: dict[str, _Wanted] = field(default_factory=dict)
    next_at_s: float = 0.0
    task: asyncio.Task[None] | None = None


def _one(asked_by: Sequence[str | None]) -> str | None:
    """The request that a look is for; ``None`` if it serves several."""
    return asked_by[0] if len(asked_by) == 1 else None


class Sights:
    """The looks of one balancer; used in the event loop's thread."""

    def __init__(
        self,
        orders: Orders,
        outbox: Outbox,
        client: redis.Redis,
        clock: Clock,
        server_clock: ServerClock,
        times: TradeSettings,
        away: RedisAway,
    ) -> None:
        self._orders = orders
        self._outbox = outbox
        self._redis = client
        self._clock = clock
        self._server_clock = server_clock
        self.times = times
        self._away = away
        self._me = secrets.token_hex(8)
        self._seen: OrderedDict[Key, Sight] = OrderedDict()
        self._lines: dict[str, _Line] = {}
        self._asked: dict[str, tuple[str, int, asyncio.Future[None]]] = {}  # by order: bot, when in Redis' ms, its answer

    async def of(self, bot: str, trade: WatchedTrade, since: int) -> Sight | None:
        """The trade's offer as its bot saw it at most ``look_s`` ago; ``None`` if it cannot be seen in that time.

        ``since`` is when the trade was made, in unix seconds.
        """
        look_s = self.times.look_s
        fresh = self._fresh((bot, trade.trade_id))
        if fresh is not None:
            return fresh
        line = self._lines.setdefault(bot, _Line())
        wanted = line.wanted.get(trade.trade_id)
        if wanted is None:
            wanted = _Wanted(trade, since, 0.0, asyncio.get_running_loop().create_future(), request_ids.current())
            line.wanted[trade.trade_id] = wanted
        wanted.until_s = self._clock.monotonic() + look_s
        if line.task is None:
            line.task = asyncio.create_task(self._work(bot, line), context=Context())  # for all who ask, not for the first
        try:
            async with asyncio.timeout(look_s):
                return await asyncio.shield(wanted.answer)
        except TimeoutError:
            return None

    def note(self, report: Report) -> None:
        """A bot has looked, or could not; whoever waits for it is answered. Twice is harmless."""
        asked = self._asked.get(report.order_id or "")
        mine = asked is not None and asked[0] == report.bot
        if report.kind == "looked":
            # A bot's clock may be off; what we have asked for was seen after we did.
            at_ms = min(self._server_clock.now_ms(), max(report.at_ms, asked[1] if mine and asked else 0))
            self._take(report.bot, report.data, at_ms)
            if report.bot in self._lines:
                self._answer(report.bot, self._lines[report.bot])
        if mine and asked and not asked[2].done():
            asked[2].set_result(None)

    def close(self) -> None:
        """Ask nothing more."""
        for line in self._lines.values():
            if line.task is not None:
                line.task.cancel()

    def _fresh(self, key: Key) -> Sight | None:
        seen = self._seen.get(key)
        if seen is None or self._server_clock.now_ms() - seen.at_ms >= self.times.look_s * 1000:
            return None
        return seen

    def _take(self, bot: str, data: Mapping[str, Any], at_ms: int) -> None:
        for trade_id, sight in _read(data, at_ms):
            before = self._seen.get((bot, trade_id))
            if before is not None and before.at_ms > at_ms:
                continue
            self._seen[bot, trade_id] = sight
            self._seen.move_to_end((bot, trade_id))
        while len(self._seen) > KEPT_MAX:
            self._seen.popitem(last=False)

    # --- asking -----------------------------------------------------------------------------------

    async def _work(self, bot: str, line: _Line) -> None:
        """Ask until nobody wants to know anything of this bot."""
        try:
            while self._answer(bot, line):
                await asyncio.sleep(max(0.0, line.next_at_s - self._clock.monotonic()))
                await self._ask(bot, line)
        except Exception:  # whoever asked is told that nothing was seen
            _log.exception("looks failed", action="look", bot=bot)
        finally:
            line.task = None

    def _answer(self, bot: str, line: _Line) -> bool:
        """Answer those whose trade has been seen, forget those who gave up; whether anybody still waits."""
        now_s = self._clock.monotonic()
        for trade_id, wanted in list(line.wanted.items()):
            seen = self._fresh((bot, trade_id))
            if seen is not None or now_s >= wanted.until_s:
                wanted.answer.set_result(seen)
                del line.wanted[trade_id]
        return bool(line.wanted)

    async def _ask(self, bot: str, line: _Line) -> None:
        """One order for all that are wanted, as far as no other balancer has asked for them; wait for its answer."""
        wanted = list(line.wanted.values())[:AT_ONCE_MAX]
        if not wanted:
            return
        claimed = await asyncio.to_thread(self._claim, [each.trade.trade_id for each in wanted])
        mine = [each for each in wanted if each.trade.trade_id in claimed]
        look_s = self.times.look_s
        if not mine:
            await asyncio.sleep(AGAIN_S)
            return
        payload = WatchOrder([each.trade for each in mine], min(each.since for each in mine))
        order = self._orders.build("look", bot, payload, lifetime_s=look_s, request_id=_one([each.request_id for each in mine]))
        answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._asked[order.order_id] = (bot, order.issued_at_ms, answer)
        try:
            if not await self._outbox.give([order]):
                await asyncio.sleep(AGAIN_S)
                return
            await asyncio.wait_for(answer, look_s + ANSWER_MARGIN_S)
        except TimeoutError:
            return
        finally:
            del self._asked[order.order_id]
            line.next_at_s = self._clock.monotonic() + self.times.look_pause_s

    def _claim(self, trade_ids: Iterable[str]) -> set[str]:
        """Which of these trades no other balancer looks at now."""
        wanted = list(trade_ids)
        pipe: Any = self._redis.pipeline(transaction=False)
        for trade_id in wanted:
            pipe.set(wire.look_key(trade_id), self._me, nx=True, px=int(self.times.look_s * 1000))
            pipe.get(wire.look_key(trade_id))
        try:
            answers = pipe.execute()
        except redis.RedisError as error:
            self._away.noticed(error, "look")
            return set()
        holders = dict(zip(wanted, answers[1::2], strict=True))
        return {trade_id for trade_id, holder in holders.items() if holder == self._me.encode()}


def _read(data: Mapping[str, Any], at_ms: int) -> Iterable[tuple[str, Sight]]:
    """What a report says of each trade. Whoever has a bot's keys can write anything into it: nonsense is left out."""
    rows = data.get("seen")
    for row in rows[:AT_ONCE_MAX] if isinstance(rows, list) else ():
        if not isinstance(row, dict) or not _is_text(row.get("trade_id")):
            continue
        offer_id = row.get("offer_id")
        yield row["trade_id"], Sight(offer_id if _is_text(offer_id) else None, _status(row), _changed_at(row), at_ms)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and len(value) <= ID_MAX


def _changed_at(row: Mapping[str, Any]) -> int | None:
    at = row.get("changed_at")
    return at if type(at) is int and 0 < at < FAR_FUTURE_S else None


def _status(row: Mapping[str, Any]) -> TradeStatus | None:
    try:
        return leads_to(TradeEvent(str(row.get("sees"))))
    except ValueError:
        return None
