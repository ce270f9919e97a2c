"""What every service of the balancer above it is given: built once, in order, and passed down.

Nothing that is made here knows the context itself: each part gets what it needs when it is made.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import redis

from balancer.changes import Changes
from balancer.db.engine import Database
from balancer.fleet.forecast import Forecasts
from balancer.fleet.snapshot import Fleet
from balancer.fleet.switches import Switches
from balancer.items.inventory import Inventories
from balancer.items.prices import Prices
from balancer.journal.views import Views
from balancer.orders.build import Orders, new_id
from balancer.orders.outbox import Outbox
from balancer.orders.sights import Sights
from balancer.rates import Rates
from shared import wire
from shared.away import RedisAway
from shared.clock import Clock, ServerClock
from shared.sealing import MasterKey
from shared.settings import Settings


@dataclass
class Context:
    """``redis`` is the synchronous client, used in threads only."""

    settings: Settings
    clock: Clock
    server_clock: ServerClock
    master: MasterKey
    db: Database
    redis: redis.Redis
    redis_away: RedisAway
    fleet: Fleet
    switches: Switches
    orders: Orders
    outbox: Outbox
    sights: Sights
    views: Views
    prices: Prices
    inventories: Inventories
    forecasts: Forecasts
    changes: Changes
    new_id: Callable[[str], str]  # by its prefix a fresh record id, as in ``trd_01j…``
    # Items that are known to stand in the table, so that a deposit does not write them again. They are never removed.
    known_items: set[str] = field(default_factory=set)


async def close(ctx: Context) -> None:
    """Close what `build` opened; what still waits to be given is given first."""
    ctx.inventories.close()
    ctx.sights.close()
    await ctx.outbox.drain()
    ctx.redis.close()
    await asyncio.to_thread(ctx.db.close)


def build(settings: Settings, master: MasterKey, clock: Clock, rates: Rates | None = None) -> Context:
    """Everything, in order. Without ``rates`` a player's inventory is read at will."""
    times, server_clock = settings.trades, ServerClock(clock)
    client, away = wire.connect(settings.redis.url, timeout_s=settings.redis.timeout_s), RedisAway(settings.redis.url, clock)
    db, changes = Database(settings.database), Changes()
    fleet = Fleet(settings, clock, server_clock, master, client, db)
    orders = Orders(settings, clock, server_clock, master, fleet.run_of, fleet.reads)
    outbox = Outbox(client, master, clock, db, away, times.order_expiry_s)
    inventories = Inventories(settings, clock, client, fleet, orders, outbox, rates)
    changes.listen(inventories.changed)
    return Context(
        settings=settings,
        clock=clock,
        server_clock=server_clock,
        master=master,
        db=db,
        redis=client,
        redis_away=away,
        fleet=fleet,
        switches=Switches(db, fleet, clock),
        orders=orders,
        outbox=outbox,
        sights=Sights(orders, outbox, client, clock, server_clock, times, away),
        views=Views(db, master, settings, clock),
        prices=Prices(settings),
        inventories=inventories,
        forecasts=Forecasts(db, fleet, clock),
        changes=changes,
        new_id=partial(new_id, clock),
    )
