"""The loops of one balancer: reports, watching, the sweep, the custody audit, the fleet's snapshot, Redis' time, feeds of
prices.

Each runs its function again and again until shutdown; an exception is logged and the next round comes all the same. Watching
and the sweep are done by one balancer at a time, so that several of them do not ask Steam several times: whoever holds a short
key in Redis. That is only for economy; two at once would do no harm.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import redis

from balancer.context import Context
from balancer.custody.audit import ask as audit_ask
from balancer.db import write_probe
from balancer.fleet import health_events, identity
from balancer.notices.telling import Teller
from balancer.outward import Outward
from balancer.reports.stream import Reader
from balancer.trades import dear
from balancer.upkeep import feeds
from balancer.upkeep.sweep import Sweep
from balancer.upkeep.watch import Watcher
from balancer.webhooks.sending import Senders
from shared import log, turns, wire
from shared.errors import DatabaseUnavailable

logger = log.get(__name__)

MEASURE_S = 15.0
NOTICES_S = 5.0
FAILED_WAIT_S = 1.0
STOP_S = 10.0
# How many rounds a leader may miss before another takes over.
LEAD_ROUNDS = 3.0
# A loop of which no round went well for so many of its times, and this long on top, has stopped: `/readyz` says so.
LATE_ROUNDS, LATE_S = 10, 60.0
FUTURE_MS = 60_000  # two balancers' ideas of Redis' time may differ a little


@dataclass(frozen=True, slots=True)
class Loop:
    """``work`` is called every ``every_s`` seconds; with ``led`` only by the balancer that leads in it."""

    name: str
    work: Callable[[], Awaitable[object]]
    every_s: float
    led: bool = False
    redis: bool = True  # whether a round that went well shows that Redis answers

    @property
    def late_s(self) -> float:
        """The age of its last good round from which on something is wrong."""
        return LATE_ROUNDS * self.every_s + LATE_S


def measure(ctx: Context, *, starting: bool = False) -> None:
    """Ask Redis for its time. If this machine's clock is off when we start, we go by Redis' from then on.

    So tokens and deadlines mean the same at every balancer. A clock that jumps later is told, here and by `/readyz`.

    Raises:
        redis.RedisError: it could not be asked.
    """
    wire.measure_time(ctx.redis, ctx.clock, ctx.server_clock)
    off_s = ctx.server_clock.off_s
    if not off_s:
        return
    corrected = starting or ctx.server_clock.corrected_s != 0
    if corrected:
        ctx.server_clock.correct()
        wire.measure_time(ctx.redis, ctx.clock, ctx.server_clock)
    logger.error("this machine's clock is off: set it", action="clock", off_s=round(off_s, 1), goes_by_redis=corrected)


class Loops:
    """All loops of one balancer."""

    def __init__(self, ctx: Context, outward: Outward | None = None) -> None:
        self._ctx = ctx
        self._me = secrets.token_hex(8)
        self._stop = asyncio.Event()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._leads: dict[str, bool] = {}
        self._knows_bots = False
        self._started_ms = ctx.server_clock.unmoved_ms()
        self._ran_ms: dict[str, int] = {}
        self.reader = Reader(ctx, self._me)
        self.watcher = Watcher(ctx)
        self.sweep = Sweep(ctx)
        self.probe = write_probe.WriteProbe(ctx.clock)
        self.feeds = feeds.Fetcher(ctx.db, ctx.clock, ctx.prices, ctx.settings)
        outward = outward or Outward(private=ctx.settings.webhooks.private_targets)
        self.teller = Teller(ctx.db, ctx.clock, ctx.master, ctx.settings)
        self.senders = Senders(ctx.db, ctx.clock, ctx.master, ctx.settings, outward)

    def all(self) -> list[Loop]:
        settings = self._ctx.settings
        return [
            Loop("reports", self.reader.round, 0.0),
            Loop("changes", self.reader.listen_round, 0.0),
            Loop("fleet", self._look_at_fleet, settings.balancer.heartbeat_read_s),
            Loop("health", self._tell_health, settings.balancer.heartbeat_read_s, led=True),
            Loop("watching", self.watcher.round, settings.trades.watch_s, led=True),
            Loop("sweep", self.sweep.round, settings.trades.sweep_s, led=True),
            Loop("audits", self._audit, settings.trades.sweep_s, led=True),
            Loop("clock", self._measure, MEASURE_S),
            Loop("disk", self._probe, write_probe.EVERY_S, redis=False),
            Loop("webhooks", self.senders.round, settings.webhooks.poll_s, redis=False),
            Loop("notices", self.teller.round, NOTICES_S, redis=False),
            Loop("feeds", self.feeds.round, feeds.EVERY_S, redis=False),
        ]

    def start(self) -> None:
        """Start every loop; their first rounds come at once."""
        for loop in self.all():
            self._tasks[loop.name] = asyncio.create_task(self._run(loop), name=f"loop-{loop.name}")

    async def stop(self) -> None:
        """Let each loop finish its round, then end; orders and reports in hand are written down first."""
        self._stop.set()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks.values(), timeout=STOP_S)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        await self.senders.close()
        await self.feeds.close()
        await self._give_leads()
        await self._ctx.outbox.drain()
        await self.reader.close()

    def running(self) -> dict[str, bool]:
        """Which loops still run, by name."""
        return {name: not task.done() for name, task in self._tasks.items()}

    async def standing(self) -> dict[str, Any]:
        """Whether all loops run, which do, and how long ago each last went well: one that is led, at any balancer."""
        running, now_ms = self.running(), self._ctx.server_clock.unmoved_ms()
        loops = self.all()
        anywhere = await asyncio.to_thread(self._ran_anywhere, [loop.name for loop in loops if loop.led])
        last_ms = {**self._ran_ms, **anywhere}
        ages_s = {loop.name: (now_ms - last_ms.get(loop.name, self._started_ms)) / 1000 for loop in loops}
        late = [loop.name for loop in loops if ages_s[loop.name] > loop.late_s]
        shown = {name: round(max(age_s, 0.0), 1) if name in last_ms else None for name, age_s in ages_s.items()}
        return {"ok": all(running.values()) and not late, "running": running, "last_ran_s": shown, "late": late}

    def _ran_anywhere(self, names: list[str]) -> dict[str, int]:
        """When these loops last went well, as far as Redis tells. A time in the future is passed over."""
        client: Any = self._ctx.redis
        try:
            values = client.mget([wire.ran_key(name) for name in names])
        except redis.RedisError:  # that Redis is away is told by itself
            return {}
        latest_ms = self._ctx.server_clock.unmoved_ms() + FUTURE_MS
        ran = {name: int(value) for name, value in zip(names, values, strict=True) if value and value[:20].isdigit()}
        return {name: at_ms for name, at_ms in ran.items() if at_ms <= latest_ms}

    async def _run(self, loop: Loop) -> None:
        while not self._stop.is_set():
            wait_s = loop.every_s
            if not await self._round(loop):
                wait_s = max(wait_s, FAILED_WAIT_S)
            await self._pause(wait_s)

    async def _round(self, loop: Loop) -> bool:
        """One round; whether it went well."""
        try:
            if not loop.led or await self._lead(loop):
                await loop.work()
                await self._note(loop)
        except redis.RedisError as error:
            self._ctx.redis_away.noticed(error, loop.name)
            return False
        except Exception as error:  # the loop must outlive any round; what went wrong is logged in full unless it is known
            logger.warning("round failed", action=loop.name, reason=repr(error), exc_info=not _known(error))
            return False
        if loop.redis:
            self._ctx.redis_away.back()
        return True

    async def _note(self, loop: Loop) -> None:
        """That a round went well."""
        self._ran_ms[loop.name] = now_ms = self._ctx.server_clock.unmoved_ms()
        if loop.led:
            await asyncio.to_thread(self._ctx.redis.set, wire.ran_key(loop.name), now_ms)

    async def _pause(self, wait_s: float) -> None:
        if wait_s <= 0:
            await asyncio.sleep(0)
            return
        try:
            await asyncio.wait_for(self._stop.wait(), wait_s)
        except TimeoutError:
            return

    async def _lead(self, loop: Loop) -> bool:
        leads = await asyncio.to_thread(self._take_lead, wire.leader_key(loop.name), int(loop.every_s * LEAD_ROUNDS * 1000))
        if leads != self._leads.get(loop.name):
            logger.info("this balancer leads" if leads else "another balancer leads", action=loop.name)
            self._leads[loop.name] = leads
        return leads

    def _take_lead(self, key: str, ttl_ms: int) -> bool:
        """Lead, or go on leading. A key that lives longer than ours do is cut, or nobody would ever lead again."""
        client: Any = self._ctx.redis
        return bool(client.eval(turns.TAKE, 1, key, self._me, ttl_ms, ttl_ms))

    async def _give_leads(self) -> None:
        """Let another balancer lead now, not when our time has run out."""
        keys = [wire.leader_key(name) for name, leads in self._leads.items() if leads]
        self._leads.clear()
        try:
            await asyncio.to_thread(self._drop, keys)
        except redis.RedisError as error:  # then they run out by themselves
            logger.warning("lead not handed over", action="stop", reason=type(error).__name__)

    def _drop(self, keys: list[str]) -> None:
        client: Any = self._ctx.redis
        for key in keys:
            client.eval(turns.RELEASE, 1, key, self._me)

    async def _look_at_fleet(self) -> None:
        """The bots, and what an operator has stopped; the one is read although the other fails."""
        try:
            await self._ctx.fleet.refresh()
            if self._ctx.fleet.count and not self._knows_bots:
                self._knows_bots = True
                dear.tell_if_single(self._ctx)
        finally:
            await self._ctx.switches.refresh()

    async def _tell_health(self) -> None:
        await health_events.round_of(self._ctx.fleet, self._ctx.db, self._ctx.clock)
        await identity.keep([each for bot in self._ctx.fleet.bots() if (each := bot.identity_news)], self._ctx.db)

    async def _audit(self) -> None:
        await audit_ask.round_of(self._ctx)

    async def _probe(self) -> None:
        await self.probe.round(self._ctx.db)

    async def _measure(self) -> None:
        await asyncio.to_thread(measure, self._ctx)


def _known(error: BaseException) -> bool:
    """Whether this needs no traceback: Redis or the database is away."""
    if isinstance(error, BaseExceptionGroup):
        return all(_known(one) for one in error.exceptions)
    return isinstance(error, redis.RedisError | DatabaseUnavailable)
