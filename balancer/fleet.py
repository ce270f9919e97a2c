"""The bots as they are now: rows of the database joined with the workers' sealed heartbeats, refreshed every second or so.

The snapshot serves choosing and showing. It may be a moment old, so nothing relies on it: the guarded UPDATE of the
transaction decides whether a bot takes a trade (`balancer.orders`, `balancer.trades`).
"""

from __future__ import annotations

from dataclasses import dataclass

import redis

from balancer.db import Database
from shared.clock import Clock, ServerClock
from shared.sealing import MasterKey
from shared.settings import Settings


@dataclass(frozen=True, slots=True)
class BotView:
    """One bot. ``state`` is the worker's word, or ``offline`` when its last heartbeat is too old (or there was none)."""

    color: str
    bot_id: int
    steam_id: str
    mode: str
    state: str
    reason: str | None
    action: str | None
    slots_held: int
    slots_reserved: int
    open_offers: int
    heartbeat_age_s: float | None
    frozen_by: str | None
    host: str | None
    orders_done: int
    steam_calls: int
    latency_ms: float | None

    @property
    def name(self) -> str:
        return f"{self.color}-{self.bot_id}"


class Fleet:
    """The snapshot. `refresh` is called by a loop; everything else reads what it left."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        server_clock: ServerClock,
        master: MasterKey,
        client: redis.Redis,
        db: Database,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._server_clock = server_clock
        self._master = master
        self._redis = client
        self._db = db
        self._bots: dict[str, BotView] = {}

    async def refresh(self) -> None:
        """Read all heartbeats and all bot rows; a bot that is heard of for the first time gets a row. Repeatable."""
        raise NotImplementedError

    def bots(self) -> list[BotView]:
        """Every known bot, ordered by color and number."""
        return [self._bots[name] for name in sorted(self._bots)]

    def online(self) -> list[BotView]:
        """Those whose worker is signed in and was heard of lately, whatever their mode."""
        return [bot for bot in self.bots() if bot.state == "online"]

    async def set_mode(self, color: str, bot_id: int, mode: str) -> BotView:
        """Set what the operator wants of a bot (`BotMode`); setting it again changes nothing.

        Raises:
            NotFound: no such bot.
        """
        raise NotImplementedError

    def pick_reader(self, steam_id: str) -> BotView:
        """An online bot to read this player's inventory with; players are spread over the bots, one player stays with one.

        Raises:
            NoBotAvailable: none is online.
        """
        raise NotImplementedError
