"""Simulated people for whoever looks on: they come, play, bring things and take them home until everything is stopped."""

from __future__ import annotations

import asyncio

from fleet_client import AsyncClient, errors
from scripts.site_run import game, people
from scripts.site_run.guests import Guest
from scripts.site_run.people import Tally, in_thread
from scripts.site_run.start import Site

FEW = 2


class Visitor(Guest):
    """Plays at a pace that a person can follow, and brings new items when few are left."""

    async def come(self, fleet: AsyncClient, tally: Tally) -> None:
        """Not everybody at once; then for ever. What cannot be done now is tried again later."""
        await asyncio.sleep(self.chance.uniform(0, 20))
        await self.deposit(fleet)
        while True:
            await asyncio.sleep(self.chance.uniform(1, 8))
            try:
                await self._something(fleet, tally)
            except (errors.FleetError, TimeoutError) as error:
                tally.interrupted[type(error).__name__] += 1

    async def _something(self, fleet: AsyncClient, tally: Tally) -> None:
        mine = await self.free(fleet)
        if len(mine) <= FEW:
            await self.bring_in(fleet, tally)
        elif len(mine) > 4 * FEW and self.chance.random() < 0.2:
            await self.take_home(fleet, tally)
        else:
            await self.bet(fleet, tally)


async def forever(site: Site, players: int, seed: int) -> None:
    """Ends only with an error: TimeoutError when what should happen never does."""
    everybody = await in_thread(people.settle_down, site.stack.control_url, seed, players + 1, Visitor)
    tally = Tally()
    async with AsyncClient(site.stack.balancer_url, site.stack.api_key) as fleet:
        *crowd, patron = everybody
        async with asyncio.TaskGroup() as group:
            for person in crowd:
                group.create_task(person.come(fleet, tally))
            await patron.deposit(fleet)
            await game.give_to_the_house(fleet, patron)
