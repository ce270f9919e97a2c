"""All figures of one balancer, and when they are asked for.

What has to be asked of the database or of Redis is asked when somebody wants the figures, at most once in `EVERY_S` for all
askers; nothing that players wait for is involved. What cannot be asked is left out, so that an old figure is never taken for
a new one, and ``fleet_database_up`` or ``fleet_redis_up`` is 0.
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter as Tally
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import prometheus_client as prometheus
import redis
from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

import shared
from balancer.context import Context
from balancer.fleet import capacity
from balancer.fleet.bot import Bot
from balancer.fleet.forecast import Forecast
from balancer.fleet.reads import Turns
from balancer.loops import Loops
from balancer.metrics import figures, words
from balancer.metrics.figures import Figures
from balancer.metrics.steam import SteamCalls
from shared import log, wire
from shared.domain.health import May
from shared.domain.status import Direction, TradeStatus
from shared.errors import DatabaseUnavailable

EVERY_S = 10.0
DATABASE_S = 5.0
OFFER_BUCKETS_S = (0.5, 1.0, 2.0, 3.0, 5.0, 8.0, 13.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0)

_log = log.get(__name__)

Rows = Mapping[Any, float]  # by the values of the labels, in their order


def gauge(name: str, text: str, labels: tuple[str, ...], rows: Rows) -> GaugeMetricFamily:
    """One gauge with a value for each set of labels; none at all if nothing is known."""
    family = GaugeMetricFamily(name, text, labels=labels)
    for values, value in rows.items():
        family.add_metric(values, value)
    return family


def single(name: str, text: str, value: float | None) -> GaugeMetricFamily:
    return gauge(name, text, (), {} if value is None else {(): value})


@dataclass(frozen=True, slots=True)
class RedisFigures:
    """``behind``: reports that no balancer has applied yet; ``ahead_s``: how long a player's inventory would wait now."""

    behind: int
    ahead_s: float | None


class Watch(Collector):
    """The figures of one balancer. `fresh` asks what has to be asked, then gives all of them as text."""

    def __init__(self, ctx: Context, loops: Loops, registry: CollectorRegistry) -> None:
        self._ctx = ctx
        self._loops = loops
        self._registry = registry
        self._turns = Turns(ctx.redis)
        self._asking = asyncio.Lock()
        self._asked_s = -math.inf
        self._after: int | None = None
        self._figures: Figures | None = None
        self._redis: RedisFigures | None = None
        self._standing: dict[str, Any] = {}
        self._forecasts: list[Forecast] = []
        self._steam = SteamCalls(registry)
        self._moves = Counter(
            "fleet_trade_moves",
            "Trades that came to a status; why, if they moved nothing",
            ("direction", "status", "reason"),
            registry=registry,
        )
        self._alarms = Counter(
            "fleet_alarms", "Alarms that were raised, each once for its cause", ("alarm",), registry=registry
        )
        self._offers = Histogram(
            "fleet_trade_offer_seconds",
            "From a request to its offer at Steam; of a withdrawal that had to wait, from when its turn had come",
            ("direction",),
            buckets=OFFER_BUCKETS_S,
            registry=registry,
        )
        self._begin()
        registry.register(self)

    def _begin(self) -> None:
        """Counts begin at 0, or their first step could not be seen."""
        for alarm in sorted({*words.ALARM_NAMES, words.OTHER}):
            self._alarms.labels(alarm)
        for direction in Direction:
            self._offers.labels(direction.value)
            for status in TradeStatus:
                self._moves.labels(direction.value, status.value, "")

    async def fresh(self) -> bytes:
        """The figures of now, those that have to be asked for at most `EVERY_S` old."""
        async with self._asking:
            if self._ctx.clock.monotonic() - self._asked_s >= EVERY_S:
                await self._ask()
                self._asked_s = self._ctx.clock.monotonic()
        return prometheus.generate_latest(self._registry)

    async def _ask(self) -> None:
        self._figures, self._redis, self._standing, self._forecasts = await asyncio.gather(
            self._of_database(), self._of_redis(), self._loops.standing(), self._of_forecasts()
        )
        self._steam.take(self._ctx.fleet.beats())
        if self._figures is not None:
            self._count(self._figures)

    async def _of_database(self) -> Figures | None:
        try:
            async with asyncio.timeout(DATABASE_S):
                return await self._ctx.db.read(figures.read, self._after, self._ctx.clock.now())
        except (DatabaseUnavailable, TimeoutError) as error:
            _log.warning("no figures from the database", action="metrics", reason=type(error).__name__)
            return None

    async def _of_forecasts(self) -> list[Forecast]:
        """None while the database does not answer: an old pace would be told as that of today."""
        try:
            async with asyncio.timeout(DATABASE_S):
                return await self._ctx.forecasts.read()
        except (DatabaseUnavailable, TimeoutError):  # `_of_database` says so
            return []

    def _count(self, counted: Figures) -> None:
        self._after = counted.number
        for move, n in counted.moves.items():
            self._moves.labels(*move).inc(n)
        for alarm, n in counted.alarms.items():
            self._alarms.labels(alarm).inc(n)
        for direction, seconds in counted.offers:
            self._offers.labels(direction).observe(seconds)

    async def _of_redis(self) -> RedisFigures | None:
        try:
            return await asyncio.to_thread(self._look_at_redis)
        except redis.RedisError:  # that Redis is away is told by the loops
            return None

    def _look_at_redis(self) -> RedisFigures:
        client: Any = self._ctx.redis
        client.ping()
        try:
            groups = client.xinfo_groups(wire.REPORTS)
        except redis.ResponseError:  # no bot has told anything yet
            groups = []
        mine = [row for row in groups if row["name"] == wire.REPORT_GROUP.encode()]
        behind = sum(int(row["pending"]) + int(row.get("lag") or 0) for row in mine)
        return RedisFigures(behind, min((self._turns.ahead_s(lane) for lane in self._ctx.fleet.lanes), default=None))

    # --- what stands in the answer besides what is counted ---------------------------------------

    def describe(self) -> list[Any]:
        return []  # what is told depends on what can be asked

    def collect(self) -> Iterator[GaugeMetricFamily]:
        mode = str(self._ctx.settings.balancer.livemode).lower()
        rows: Rows = {(shared.__version__, mode): 1}
        yield gauge("fleet_build_info", "1, with the version and whether it is live", ("version", "livemode"), rows)
        yield from self._bots(self._ctx.fleet.bots())
        yield from _forecasts(self._forecasts)
        yield from self._here()
        yield from self._redis_families(self._redis)
        yield single("fleet_database_up", "Whether the database answered", int(self._figures is not None))
        # Without a reading every family is there and empty: a board that is held to the names stays true.
        yield from _trades(self._figures or Figures(0))
        yield from _webhooks_and_audits(self._figures or Figures(0))

    def _bots(self, bots: list[Bot]) -> Iterator[GaugeMetricFamily]:
        states = Tally((bot.color, words.known(bot.state, words.STATES)) for bot in bots)
        yield gauge("fleet_bots", "Bots by their state (offline: not heard of lately)", ("color", "state"), states)
        able = {(color, what.value): 0.0 for color in {bot.color for bot in bots} for what in May}
        for bot in bots:
            for what in bot.may:
                able[bot.color, what.value] += 1
        yield gauge("fleet_bots_able", "Bots that may look, take items in, give items out", ("color", "may"), able)
        why = Tally((words.known(each.reason, words.WHY_NOT),) for bot in bots for each in bot.why_not)
        yield gauge("fleet_bots_kept", "Bots that may not do everything, by each reason", ("reason",), why)
        frozen = sum(bot.frozen_by is not None for bot in bots)
        yield single("fleet_bots_frozen", "Bots that give and take nothing until an operator has looked", frozen)
        paused = Tally((words.known(bot.paused.reason, words.PAUSES),) for bot in bots if bot.paused is not None)
        paused_rows: Rows = {(reason,): paused[(reason,)] for reason in sorted({*words.PAUSES, *(key[0] for key in paused)})}
        yield gauge("fleet_bots_throttled", "Bots that Steam allows no calls now", ("reason",), paused_rows)
        ctx = self._ctx
        can = capacity.of(bots, ctx.fleet.lanes, ctx.fleet.limits, ctx.inventories.waiting, ctx.fleet.groups_known)
        yield single("fleet_slots_free", "Items that bots which take deposits have room for", can.slots_free)
        yield single("fleet_slots_used", "Items that bots hold or have reserved room for", sum(bot.used for bot in bots))
        yield single("fleet_offers_free", "Open offers that deposits may still make", can.offers_free)
        yield single("fleet_offers_open", "Open offers of all bots", sum(bot.open_offers for bot in bots))
        text = "Inventories of players that may be read in a minute, over all addresses; none: no limit"
        yield single("fleet_inventory_reads_per_minute", text, can.reads_per_minute)
        yield single("fleet_inventory_reads_waiting", "Reads that this balancer has begun or keeps in line", can.reads_waiting)

    def _here(self) -> Iterator[GaugeMetricFamily]:
        """What this balancer knows by itself."""
        ctx = self._ctx
        sources = ctx.prices.standing(ctx.clock.now())["sources"]
        ages: Rows = {(name,): source["age_s"] for name, source in sources.items() if source["age_s"] is not None}
        yield gauge("fleet_price_age_seconds", "Age of the list in use, by source", ("source",), ages)
        bad: Rows = {(name,): int(source["error"] is not None) for name, source in sources.items()}
        yield gauge("fleet_price_trouble", "1: something is wrong with this source", ("source",), bad)
        yield single("fleet_price_items", "Items that have a value", len(ctx.prices))
        yield single(
            "fleet_clock_off_seconds", "How far this clock is ahead of Redis' time, if too far", ctx.server_clock.off_s
        )
        ages_s = self._standing.get("last_ran_s", {})
        ran: Rows = {(name,): age for name, age in ages_s.items() if age is not None}
        text = "Time since a loop's round last went well"
        yield gauge("fleet_loop_age_seconds", text, ("loop",), ran)
        late: Rows = {(name,): int(name in self._standing.get("late", ())) for name in ages_s}
        yield gauge("fleet_loop_late", "1: this loop has stopped", ("loop",), late)

    def _redis_families(self, counted: RedisFigures | None) -> Iterator[GaugeMetricFamily]:
        yield single("fleet_redis_up", "Whether Redis answered", int(counted is not None))
        yield single(
            "fleet_reports_behind", "Reports of bots that are not applied yet", None if counted is None else counted.behind
        )
        text = "How long the next read of a player's inventory has to wait"
        yield single("fleet_inventory_reads_ahead_seconds", text, None if counted is None else counted.ahead_s)


def _forecasts(forecasts: list[Forecast]) -> Iterator[GaugeMetricFamily]:
    free: Rows = {(each.color,): each.free for each in forecasts}
    yield gauge("fleet_color_slots_free", "Items that the color's bots which take deposits have room for", ("color",), free)
    full: Rows = {(each.color,): each.full_in_s for each in forecasts if each.full_in_s is not None}
    text = "Until the color is full, at the pace of the last day; none: it does not fill"
    yield gauge("fleet_color_full_seconds", text, ("color",), full)


def _trades(counted: Figures) -> Iterator[GaugeMetricFamily]:
    labels = ("direction", "status", "reason")
    n: Rows = {key: each[0] for key, each in counted.live.items()}
    yield gauge("fleet_trades", "Trades under way; reason: what they wait for", labels, n)
    oldest: Rows = {key: each[1] for key, each in counted.live.items()}
    yield gauge("fleet_trades_oldest_seconds", "Since the last change of the oldest of them", labels, oldest)
    n = {(key,): each[0] for key, each in counted.orders.items()}
    yield gauge("fleet_orders_waiting", "Orders: given and not begun by a bot, or due and not given", ("state",), n)
    oldest = {(key,): each[1] for key, each in counted.orders.items()}
    yield gauge("fleet_orders_oldest_seconds", "Age of the oldest of them", ("state",), oldest)
    rows: Rows = {(key,): each for key, each in counted.paused.items()}
    yield gauge("fleet_paused", "1: an operator or a limit has paused it for all", ("switch",), rows)


def _webhooks_and_audits(counted: Figures) -> Iterator[GaugeMetricFamily]:
    n: Rows = {(key,): each[0] for key, each in counted.owed.items()}
    yield gauge("fleet_webhook_deliveries_owed", "Events that targets are still owed", ("target",), n)
    oldest: Rows = {(key,): each[1] for key, each in counted.owed.items()}
    yield gauge("fleet_webhook_oldest_seconds", "Age of the oldest of them", ("target",), oldest)
    rows: Rows = {(key,): counted.targets[key] for key in counted.owed}
    yield gauge("fleet_webhook_targets", "Targets of webhooks", ("target",), rows)
    rows = {(key,): each for key, each in counted.verdicts.items()}
    yield gauge("fleet_audits", "Bots by what their last audit says", ("verdict",), rows)
    rows = {(key,): counted.differences[key] for key in (("true", "false") if counted.owed else ())}
    yield gauge("fleet_audit_differences", "Between bots' inventories and rows; seen: known to an operator", ("seen",), rows)
    yield single("fleet_audit_oldest_seconds", "Since the bot was audited that was audited longest ago", counted.audit_s)


WATCH: web.AppKey[Watch] = web.AppKey("watch", Watch)
