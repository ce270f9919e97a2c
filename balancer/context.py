"""What every service of the balancer needs, built once by `balancer.app` and passed down."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Any

import redis

from balancer.batching import Together
from balancer.changes import Waiters
from balancer.db.engine import Database
from balancer.fleet.snapshot import Fleet
from balancer.fleet.switches import Switches
from balancer.journal.read_together import Looks
from balancer.orders.build import Outbox
from balancer.orders.sights import Sights
from shared.away import RedisAway
from shared.clock import Clock, ServerClock
from shared.domain.ids import record_id
from shared.sealing import MasterKey
from shared.settings import Settings


@dataclass
class Context:
    """``redis`` is the synchronous client, used in threads only. ``prices`` and ``inventories`` belong to the HTTP side."""

    settings: Settings
    clock: Clock
    server_clock: ServerClock
    master: MasterKey
    db: Database
    redis: redis.Redis
    fleet: Fleet
    prices: Any
    inventories: Any
    waiters: Waiters
    # Items that are known to stand in the table, so that a deposit does not write them again. They are never removed.
    known_items: set[str] = field(default_factory=set)
    outbox: Outbox = field(default_factory=Outbox)
    looks: Looks = field(default_factory=Looks)
    sights: Sights = field(default_factory=Sights)
    switches: Switches = field(default_factory=Switches)
    together: Together = field(default_factory=Together)
    redis_away: RedisAway = field(init=False)

    def __post_init__(self) -> None:
        self.redis_away = RedisAway(self.settings.redis.url, self.clock)

    def new_id(self, prefix: str) -> str:
        """A fresh record id, as in ``trd_01j…``."""
        return record_id(prefix, self.clock.now_ms(), secrets.token_bytes(7))
