"""Kill switches: what an operator has turned holds at once, whatever was being read meanwhile."""

from __future__ import annotations

from typing import Any

import pytest
from balancer_core.core_world import World

from balancer.fleet import switches


async def test_a_look_that_began_before_a_switch_was_turned_does_not_turn_it_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = world.ctx.db.look

    async def overtaken(*asked: Any) -> Any:
        found = await look(*asked)
        await world.ctx.switches.turn(switches.DEPOSITS, "operator", "stop", paused=True)
        return found

    with monkeypatch.context() as patch:
        patch.setattr(world.ctx.db, "look", overtaken)
        await world.ctx.switches.refresh()
    assert world.ctx.switches.paused(switches.DEPOSITS) is not None
    await world.ctx.switches.refresh()
    assert world.ctx.switches.paused(switches.DEPOSITS) is not None
