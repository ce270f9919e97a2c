"""What tests of the sweep share: trades whose order Redis never took."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import redis
from balancer_core.core_world import World
from redis.backoff import NoBackoff
from redis.retry import Retry

Make = Callable[..., Awaitable[World]]


def bot_of(world: World, trade_id: str) -> str:
    trade = world.trade(trade_id)
    return f"{trade.color}-{trade.bot_id}"


async def without_redis(world: World, work: Callable[[], Awaitable[Any]]) -> Any:
    """What ``work`` gives while Redis takes nothing."""
    client = world.ctx.redis  # the one that all parts share
    there = client.connection_pool
    once = Retry(NoBackoff(), 0)
    client.connection_pool = redis.Redis(unix_socket_path="/nowhere/redis.sock", retry=once).connection_pool
    try:
        return await work()
    finally:
        client.connection_pool = there


async def deposit_without_redis(world: World) -> str:
    made = await without_redis(world, lambda: world.deposit(1))
    return str(made[0])
