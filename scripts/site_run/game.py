"""What happens from the first deposit to the last withdrawal, in all rooms at once."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable

from fleet_client import AsyncClient
from fleet_client.calls import Move
from scripts.site_run import people, person, seed_rooms
from scripts.site_run.nemesis import Nemesis
from scripts.site_run.people import LOOK_S, Stopped, Tally, in_thread, until
from scripts.site_run.person import Person
from scripts.site_run.start import PATRONS, Site
from scripts.site_run.steward import Steward
from website.rooms.models import Guarantee

GIFT, GIVEN = "site:gift", "site:given"
TELL_S = 15.0
Enough = Callable[[set[str]], Awaitable[bool]]
"""Asked with the rooms that are still played, which it may make fewer; true ends the play."""


async def run(site: Site, rounds: int, players: int, seed: int, *, kills: bool = False) -> Tally:
    """Plays until so many rounds of each room are drawn. With `kills`, engines die meanwhile."""
    tally = Tally()
    nemesis = Nemesis(site, seed)
    killing: list[asyncio.Task[None]] = []

    def began(_crowd: list[Person]) -> None:
        if kills:
            killing.append(asyncio.create_task(nemesis.run()))

    async def enough(wanted: set[str]) -> bool:
        done = await counted()
        wanted &= {room for room in seed_rooms.names() if done[room] < rounds}
        return not wanted

    try:
        await whole(site, seed, players, tally, began, enough)
    finally:
        for task in killing:
            task.cancel()
        await asyncio.gather(*killing, return_exceptions=True)
    tally.kills = nemesis.done
    return tally


async def whole(
    site: Site,
    seed: int,
    players: int,
    tally: Tally,
    began: Callable[[list[Person]], object],
    enough: Enough,
    staff: Callable[[Stopped], Awaitable[None]] | None = None,
) -> None:
    """Everybody comes, plays until it is `enough`, and goes home.

    `began` is called with those who play, when they begin; `staff` work as long as they play.
    Raises TimeoutError that says what never came.
    """
    say = site.stack.say
    everybody = await in_thread(person.settle_down, site.stack.control_url, seed, players + PATRONS, Person)
    async with AsyncClient(site.fleet_urls or site.stack.balancer_url, site.stack.api_key) as fleet:
        say(f"{len(everybody)} people deposit items; protection takes some seconds")
        await asyncio.gather(*(each.arrive(fleet) for each in everybody))
        crowd, patrons = everybody[:-PATRONS], everybody[-PATRONS:]
        for patron in patrons:
            await give_to_the_house(fleet, patron)
        chance = random.Random(f"steward:{seed}")  # noqa: S311 - a script of play, no secret
        steward, ended = Steward(fleet, tally, chance), asyncio.Event()
        stewarding = asyncio.create_task(steward.work(ended))
        try:
            began(crowd)
            await play(fleet, crowd, tally, enough, say, staff)
            await until(lambda: in_thread(people.pause), "no new round begins")
            say("no new round begins; what goes on ends")
            await until(lambda: over(steward), "all rounds are over")
        finally:
            ended.set()
            await asyncio.gather(stewarding, return_exceptions=True)
        say("everybody withdraws")
        await asyncio.gather(*(each.withdraw(fleet, tally) for each in crowd))


async def give_to_the_house(fleet: AsyncClient, patron: Person) -> None:
    """Somebody leaves the house what they have, so that there is change to give and a prize to win."""
    ids = [row.deposit_id for row in await patron.free(fleet)]
    await fleet.lock(f"{GIFT}:{patron.player.id}", user_id=patron.player.user_id, deposit_ids=ids)
    moves = [Move(each, patron.player.user_id, "house") for each in ids]
    await fleet.transfer(f"{GIVEN}:{patron.player.id}", locks=[f"{GIFT}:{patron.player.id}"], moves=moves)


async def play(
    fleet: AsyncClient,
    crowd: list[Person],
    tally: Tally,
    enough: Enough,
    say: Callable[[str], None],
    staff: Callable[[Stopped], Awaitable[None]] | None,
) -> None:
    stopped, wanted = asyncio.Event(), set(seed_rooms.names())
    games = [asyncio.create_task(each.play(fleet, tally, stopped, wanted)) for each in crowd]
    if staff is not None:
        games.append(asyncio.ensure_future(staff(stopped)))
    telling = asyncio.create_task(tell(say))
    try:
        while not await enough(wanted):
            await asyncio.sleep(LOOK_S)
            for game in games:
                if game.done():
                    game.result()
        stopped.set()
        await asyncio.gather(*games)
    finally:
        for task in (*games, telling):
            task.cancel()
        await asyncio.gather(*games, telling, return_exceptions=True)


async def tell(say: Callable[[str], None]) -> None:
    while True:
        await asyncio.sleep(TELL_S)
        done = await counted()
        say(", ".join(f"{room} {done[room]}" for room in seed_rooms.names()) + " rounds drawn")


async def counted() -> Counter[str]:
    """Rounds that were drawn, by room; asked for until the database answers."""

    async def once() -> list[Counter[str]]:
        return [await in_thread(people.drawn)]

    answer: list[Counter[str]] = await until(once, "rounds are counted")
    return answer[0]


async def over(steward: Steward) -> bool:
    await in_thread(steward.end_rounds)
    return not await in_thread(people.rest_of_play) and not await in_thread(refused_prizes)


def refused_prizes() -> bool:
    return Guarantee.objects.filter(state=Guarantee.REFUSED).exists()
