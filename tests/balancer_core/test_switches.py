"""Kill switches: what an operator has turned holds at once, whatever was being read meanwhile."""

from __future__ import annotations

from typing import Any

from balancer_core.core_world import World, between

from balancer.fleet import switches


async def test_a_look_that_began_before_a_switch_was_turned_does_not_turn_it_back(world: World) -> None:
    async def overtaken(do: Any, work: Any, *args: Any) -> Any:
        found = await do(work, *args)
        if work is switches.read:
            await mine.turn(switches.DEPOSITS, "operator", "stop", paused=True)
        return found

    mine = switches.Switches(between(world.ctx.db, overtaken), world.ctx.fleet, world.ctx.clock)
    await mine.refresh()
    assert mine.paused(switches.DEPOSITS) is not None
    await world.ctx.switches.refresh()
    assert world.ctx.switches.paused(switches.DEPOSITS) is not None
