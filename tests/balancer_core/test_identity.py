"""Who each bot is in Steam, as the balancer keeps it."""

from __future__ import annotations

from typing import Any

from balancer_core.core_world import MASTER, World

from balancer.fields import plain
from balancer.fleet import identity
from balancer.fleet.bot import Bot
from balancer.fleet.snapshot import Fleet
from shared import wire

HASH = "0123456789abcdef0123456789abcdef01234567"
WHOLE = {"name": "Evenly keeper 8", "avatar": HASH, "level": 24, "since": 1_614_556_800}
SHOWN = {
    "name": "Evenly keeper 8",
    "avatar_url": f"https://avatars.steamstatic.com/{HASH}_full.jpg",
    "level": 24,
    "since": "2021-03-01T00:00:00Z",
}


async def kept(world: World) -> None:
    """A round of the loop that writes down what is new."""
    await identity.keep([each for bot in world.ctx.fleet.bots() if (each := bot.identity_news)], world.ctx.db)
    await world.ctx.fleet.refresh()


def shown(fleet: Fleet, name: str = "red-1") -> Any:
    bot: Bot | None = fleet.get(name)
    assert bot is not None
    return plain(bot)["identity"]


async def test_what_was_known_last_survives_worker_redis_and_balancer(world: World) -> None:
    ctx = world.ctx
    await world.online("red-1")
    assert shown(ctx.fleet) is None, "a worker of the release before says nothing of it"
    await world.online("red-1", identity=WHOLE)
    assert shown(ctx.fleet) == SHOWN
    await kept(world)
    assert [bot.identity_news for bot in ctx.fleet.bots()] == [None] * ctx.fleet.count

    ctx.redis.delete(wire.heartbeat_key("red-1"))
    again = Fleet(ctx.settings, ctx.clock, ctx.server_clock, MASTER, ctx.redis, ctx.db)
    await again.refresh()
    assert shown(again) == SHOWN
    await world.online("red-1", identity={"name": "Evenly 8"})
    assert shown(ctx.fleet) == SHOWN | {"name": "Evenly 8"}


async def test_a_host_that_was_taken_over_makes_nobody_of_a_bot_and_says_nothing_odd(world: World) -> None:
    await world.online("red-1", identity=WHOLE)
    await kept(world)
    await world.online("red-1", identity={"name": "\u202e\ud800", "avatar": "//evil.example/x", "level": 10**30, "since": -1})
    assert shown(world.ctx.fleet) == SHOWN
    await kept(world)
    assert shown(world.ctx.fleet) == SHOWN
