"""Giving orders: batched, written down afterwards, and nobody waits for ever."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any, cast

import pytest
from balancer_core.core_world import World

from shared.orders import InventoryOrder, Order

pytestmark = pytest.mark.both_databases


def an_order(world: World, bot: str = "red-1") -> Order:
    return world.ctx.orders.build("inventory", bot, InventoryOrder("1", None))


async def test_orders_given_at_any_moment_all_go_out(world: World) -> None:
    async def give(turns: int) -> bool:
        for _ in range(turns):
            await asyncio.sleep(0)
        return await world.ctx.outbox.give([an_order(world)])

    for number in range(40):  # the next comes in each of the steps in which the one before comes to its end
        given = asyncio.gather(*(give(turns) for turns in range(number)))
        assert await asyncio.wait_for(given, 120) == [True] * number
    assert len(world.orders("red-1")) == sum(range(40))


async def test_one_that_comes_in_the_step_in_which_the_one_before_ends_goes_out(world: World) -> None:
    async def one_after_the_other() -> list[bool]:
        return [await world.ctx.outbox.give([an_order(world)]) for _ in range(50)]

    assert await asyncio.wait_for(one_after_the_other(), 120) == [True] * 50


def transactions(world: World) -> int:
    """How many Redis has done so far."""
    client: Any = world.ctx.redis
    return int(client.info("commandstats").get("cmdstat_exec", {}).get("calls", 0))


async def test_orders_that_come_together_share_a_round_trip(world: World) -> None:
    before = transactions(world)
    await asyncio.gather(*(world.ctx.outbox.give([an_order(world)]) for _ in range(30)))
    assert (transactions(world) - before, len(world.orders("red-1"))) == (1, 30)


async def test_an_order_that_cannot_be_built_into_a_job_fails_its_giver_only(world: World) -> None:
    no_text = replace(an_order(world), run=cast(str, object()))
    with pytest.raises(TypeError):
        await asyncio.wait_for(world.ctx.outbox.give([no_text]), 120)
    await asyncio.sleep(0)
    await world.ctx.outbox.drain()
    assert await world.ctx.outbox.give([an_order(world)])
