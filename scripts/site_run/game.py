"""What happens from the first deposit to the last withdrawal."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from fleet_client import AsyncClient
from fleet_client.calls import Move
from scripts.site_run import people
from scripts.site_run.nemesis import Nemesis
from scripts.site_run.people import Person, Tally, in_thread, until
from scripts.site_run.start import Site

GIFT, GIVEN = "site:gift", "site:given"
TELL_EVERY = 5


async def run(site: Site, rounds: int, players: int, seed: int, *, kills: bool = False) -> Tally:
    """Plays until so many rounds are drawn; everybody takes home what they have then. With `kills`, engines die meanwhile."""
    tally, say = Tally(), site.stack.say
    everybody = await in_thread(people.settle_down, site.stack.control_url, seed, players + 1, Person)
    async with AsyncClient(site.stack.balancer_url, site.stack.api_key) as fleet:
        say(f"{len(everybody)} people deposit items; protection takes some seconds")
        await asyncio.gather(*(person.deposit(fleet) for person in everybody))
        *crowd, patron = everybody
        await give_to_the_house(fleet, patron)
        nemesis = Nemesis(site, seed)
        killing = asyncio.create_task(nemesis.run()) if kills else None
        try:
            await play(fleet, crowd, tally, rounds, say=say)
        finally:
            if killing is not None:
                killing.cancel()
                await asyncio.gather(killing, return_exceptions=True)
        tally.kills = nemesis.done
        await until(nothing_goes_on, "all rounds are over")
        say("everybody withdraws")
        await asyncio.gather(*(person.withdraw(fleet, tally) for person in crowd))
    return tally


async def give_to_the_house(fleet: AsyncClient, patron: Person) -> None:
    """Somebody leaves the house small items, so that there is change to give."""
    ids = [row.deposit_id for row in await patron.free(fleet)]
    await fleet.lock(GIFT, user_id=patron.player.user_id, deposit_ids=ids)
    moves = [Move(each, patron.player.user_id, "house") for each in ids]
    await fleet.transfer(GIVEN, locks=[GIFT], moves=moves)


async def play(fleet: AsyncClient, crowd: list[Person], tally: Tally, rounds: int, *, say: Callable[[str], None]) -> None:
    stopped = asyncio.Event()
    games = [asyncio.create_task(person.play(fleet, tally, stopped)) for person in crowd]
    told = 0
    try:
        while (done := await in_thread(people.sealed)) < rounds:
            for game in games:
                if game.done():
                    game.result()
            if done >= told + TELL_EVERY:
                told = done
                say(f"{done} of {rounds} rounds")
            await asyncio.sleep(people.LOOK_S)
        stopped.set()
        await in_thread(people.pause)
        await asyncio.gather(*games)
    finally:
        for game in games:
            game.cancel()
        await asyncio.gather(*games, return_exceptions=True)


async def nothing_goes_on() -> bool:
    return not await in_thread(people.rest_of_play)
