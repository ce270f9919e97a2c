"""When each color will be full if items go on coming in and going out as they did in the last day.

Counted are the bots that take deposits now: room in another one helps nobody who brings an item in.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, func, select

from balancer.db.engine import Database
from balancer.db.tables import trade_items, trades
from balancer.fleet.bot import Bot
from balancer.fleet.snapshot import Fleet
from shared.clock import Clock
from shared.domain.health import May
from shared.domain.ids import record_id
from shared.domain.status import Direction, TradeStatus

WINDOW_S = 24 * 3600.0
# A fleet that began a moment ago has no pace yet: what it did is spread over this long at least.
LEAST_S = 3600.0
# How long what was counted is good: it reads all trades of a day.
KEPT_S = 60.0
_MOVED = (TradeStatus.ACCEPTED.value, TradeStatus.SETTLED.value)


@dataclass(frozen=True, slots=True)
class Flow:
    """Items that came into a color and left it, by trades that were made within the last ``over_s`` seconds."""

    came_in: int
    went_out: int
    over_s: float


@dataclass(frozen=True, slots=True)
class Forecast:
    """One color: how many items its bots that take deposits hold at most (``slots``), and for how many they have room.

    ``full_in_s`` is null if it does not fill.
    """

    color: str
    slots: int
    free: int
    came_in: int
    went_out: int
    over_s: float
    full_in_s: float | None


def of(bots: Iterable[Bot], items_max: int, flows: Mapping[str, Flow]) -> list[Forecast]:
    """Of every color that has a bot, in order of their names; ``items_max`` fit into one bot."""
    every = list(bots)
    taking = [bot for bot in every if May.TAKE in bot.may]
    free = dict.fromkeys(sorted({bot.color for bot in every}), 0)
    slots = dict(free)
    for bot in taking:
        slots[bot.color] += items_max
        free[bot.color] += max(0, items_max - bot.used)
    nothing = Flow(0, 0, WINDOW_S)
    return [_of_one(color, slots[color], free[color], flows.get(color, nothing)) for color in free]


def _of_one(color: str, slots: int, free: int, flow: Flow) -> Forecast:
    return Forecast(color, slots, free, flow.came_in, flow.went_out, flow.over_s, _full_in_s(free, flow))


def _full_in_s(free: int, flow: Flow) -> float | None:
    more = flow.came_in - flow.went_out
    if free == 0:
        return 0.0
    return free / more * flow.over_s if more > 0 else None


def flows(connection: Connection, now: datetime) -> dict[str, Flow]:
    """What moved in the last day, by color. What was taken back moved nothing."""
    since = now - timedelta(seconds=WINDOW_S)
    first = record_id("trd", int(since.timestamp() * 1000), bytes(7))
    t = trades.c
    query = (
        select(t.color, t.direction, func.count().label("n"), func.min(t.created_at).label("first"))
        .join_from(trades, trade_items, trade_items.c.trade_id == t.trade_id)
        .where(t.trade_id > first, t.status.in_(_MOVED))
        .group_by(t.color, t.direction)
    )
    counts: dict[str, dict[str, int]] = {}
    begun: dict[str, datetime] = {}
    for row in connection.execute(query):
        counts.setdefault(row.color, {})[row.direction] = row.n
        begun[row.color] = min(row.first, begun.get(row.color, row.first))
    return {
        color: Flow(
            mine.get(Direction.DEPOSIT.value, 0),
            mine.get(Direction.WITHDRAW.value, 0),
            max(LEAST_S, (now - begun[color]).total_seconds()),
        )
        for color, mine in counts.items()
    }


class Pace:
    """What was counted last, for whoever shows it every few seconds."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._counted_s: float | None = None
        self.flows: dict[str, Flow] = {}

    @property
    def due(self) -> bool:
        """Whether it is too old, or was never counted."""
        return self._counted_s is None or self._clock.monotonic() - self._counted_s >= KEPT_S

    def counted(self, flows: dict[str, Flow]) -> None:
        self.flows, self._counted_s = flows, self._clock.monotonic()


class Forecasts:
    """Those of one balancer."""

    def __init__(self, db: Database, fleet: Fleet, clock: Clock) -> None:
        self._db = db
        self._fleet = fleet
        self._clock = clock
        self._pace = Pace(clock)

    async def read(self) -> list[Forecast]:
        """Of every color, with the room of now and a pace of at most a minute ago.

        Raises:
            DatabaseUnavailable.
        """
        if self._pace.due:
            self._pace.counted(await self._db.read(flows, self._clock.now()))
        return of(self._fleet.bots(), self._fleet.limits.items_max, self._pace.flows)
