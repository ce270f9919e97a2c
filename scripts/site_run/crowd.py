"""Simulated people for whoever looks on: they come, play in all rooms, bring things and take them home until all is stopped."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass

from fleet_client import AsyncClient
from scripts.site_run import game, person, seed_rooms
from scripts.site_run.people import Stopped, Tally, in_thread
from scripts.site_run.person import Person
from scripts.site_run.start import PATRONS, Site
from scripts.site_run.steward import Steward


@dataclass
class Visitor(Person):
    """Plays at a pace that a person can follow."""

    rest_s: tuple[float, float] = (1.0, 8.0)
    tries_luck: float = 0.1

    async def come(self, fleet: AsyncClient, tally: Tally, stopped: Stopped) -> None:
        """Not everybody at once; then for ever. What cannot be done now is tried again later."""
        await asyncio.sleep(self.chance.uniform(0, 20))
        await self.arrive(fleet)
        await self.play(fleet, tally, stopped, set(seed_rooms.names()))


async def forever(site: Site, players: int, seed: int) -> None:
    """Ends only with an error: TimeoutError when what should happen never does."""
    everybody = await in_thread(person.settle_down, site.stack.control_url, seed, players + PATRONS, Visitor)
    tally, never = Tally(), asyncio.Event()
    chance = random.Random(f"steward:{seed}")  # noqa: S311 - a script of play, no secret
    async with AsyncClient(site.stack.balancer_url, site.stack.api_key) as fleet:
        crowd, patrons = everybody[:-PATRONS], everybody[-PATRONS:]
        async with asyncio.TaskGroup() as group:
            for each in crowd:
                group.create_task(each.come(fleet, tally, never))
            for patron in patrons:
                await patron.arrive(fleet)
                await game.give_to_the_house(fleet, patron)
            group.create_task(Steward(fleet, tally, chance).work(never))
