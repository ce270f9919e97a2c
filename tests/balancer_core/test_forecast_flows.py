"""What moved in the last day, by color, out of the database."""

from __future__ import annotations

from datetime import timedelta

import pytest
from balancer_core.core_world import World

from balancer.fleet import forecast
from balancer.fleet.forecast import Flow

DAY_S = 86_400.0


async def flows(world: World, later_s: float = 0.0) -> dict[str, Flow]:
    return await world.ctx.db.read(forecast.flows, world.ctx.clock.now() + timedelta(seconds=later_s))


@pytest.mark.both_databases
async def test_what_came_in_and_went_out_is_counted_and_nothing_else(world: World) -> None:
    await world.online("red-1")
    assert await flows(world) == {}
    [first] = await world.deposit(3)
    [second] = await world.deposit(2, who=2)
    assert await flows(world) == {}  # nothing has moved yet
    await world.accept(first)
    [mine] = (await flows(world)).values()
    assert (mine.came_in, mine.went_out, mine.over_s) == (3, 0, forecast.LEAST_S)
    await world.accept(second)
    await world.settle(second)
    ids = [row.deposit_id for row in world.deposits_of(second)]
    [out] = await world.withdraw(ids[:1], who=2)
    await world.accept(out)
    counted = (await flows(world, 7200.0))["red"]
    assert (counted.came_in, counted.went_out) == (5, 1) and 7200 <= counted.over_s < 7300
    assert await flows(world, DAY_S + 60) == {}
    [red] = await world.ctx.forecasts.read()
    assert (red.color, red.came_in, red.went_out) == ("red", 5, 1) and red.full_in_s
    assert red.full_in_s == pytest.approx(red.free / 4 * forecast.LEAST_S)
