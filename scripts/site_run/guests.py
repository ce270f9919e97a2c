"""People who play while everything around them fails: they ask again, and do something else when they are refused."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Awaitable, Callable
from typing import TypeVar

from django.db import DatabaseError

from fleet_client import AsyncClient, errors
from fleet_client.answers import FINAL, Trade
from scripts.site_run import game, people
from scripts.site_run.people import Person, Stopped, Tally, in_thread, until
from scripts.site_run.start import Site
from website.engine.models import Alarm, Call

T = TypeVar("T")
ERRANDS = 0.25
TRIES = 6
GOOD = ("accepted", "settled")
errands = itertools.count(1)


async def asked(call: Callable[[], Awaitable[T]], what: str) -> T | errors.Problem:
    """Asks until there is an answer that holds: what was asked for, or a refusal that asking again will not change."""

    async def once() -> list[T | errors.Problem]:
        try:
            return [await call()]
        except errors.Problem as problem:
            if isinstance(problem, errors.NotNow) or problem.retryable or problem.status >= 500:
                raise
            return [problem]

    answers: list[T | errors.Problem] = await until(once, what)
    return answers[0]


class Guest(Person):
    """Bets, and now and then brings an item in or takes one home."""

    async def play(self, fleet: AsyncClient, tally: Tally, stopped: Stopped) -> None:
        while not stopped.is_set():
            await asyncio.sleep(self.chance.uniform(0.1, 1.0))
            try:
                if self.chance.random() < ERRANDS:
                    await self.chance.choice((self.bring_in, self.take_home))(fleet, tally)
                else:
                    await self.bet(fleet, tally)
            except (errors.FleetError, DatabaseError) as error:
                tally.interrupted[type(error).__name__] += 1

    async def bring_in(self, fleet: AsyncClient, tally: Tally) -> None:
        """One more item from Steam, to the end of its trade."""
        seen = await fleet.inventory(self.steam_id, trade_url=self.trade_url)
        good = sorted(item.asset_id for item in seen.items if item.acceptable)
        if not good:
            return
        chosen, key = [self.chance.choice(good)], f"errand-{self.player.id}-{next(errands)}"
        made = await asked(
            lambda: fleet.deposit(
                user_id=self.player.user_id,
                steam_id=self.steam_id,
                trade_url=self.trade_url,
                asset_ids=chosen,
                wait=5,
                key=key,
            ),
            f"deposit {key} is answered",
        )
        tally.errands.update(
            [f"in: {made.error_code}"]
            if isinstance(made, errors.Problem)
            else [f"in: {one.status}" for one in await self.ends(fleet, [trade.trade_id for trade in made.trades])]
        )

    async def take_home(self, fleet: AsyncClient, tally: Tally) -> None:
        """One item out, to the end of its trade."""
        rows = sorted(row.deposit_id for row in await self.free(fleet))
        if rows:
            await self._out(fleet, tally, [self.chance.choice(rows)])

    async def withdraw(self, fleet: AsyncClient, tally: Tally) -> None:
        """Takes everything home; what did not go is tried again, a few times."""
        for _ in range(TRIES):
            rows = await asked(lambda: self.free(fleet), f"the items of {self.player} are told")
            if isinstance(rows, errors.Problem) or not rows:
                return
            await self._out(fleet, tally, [row.deposit_id for row in rows])
        tally.problems.append(f"{self.player} cannot take everything home")

    async def _out(self, fleet: AsyncClient, tally: Tally, ids: list[str]) -> None:
        key = f"errand-{self.player.id}-{next(errands)}"
        made = await asked(
            lambda: fleet.withdraw(
                user_id=self.player.user_id,
                steam_id=self.steam_id,
                trade_url=self.trade_url,
                deposit_ids=ids,
                wait=5,
                key=key,
            ),
            f"withdrawal {key} is answered",
        )
        if isinstance(made, errors.Problem):
            tally.errands[f"out: {made.error_code}"] += 1
            return
        for trade in await self.ends(fleet, [trade.trade_id for trade in made.trades]):
            tally.errands[f"out: {trade.status}"] += 1
            tally.withdrawn += len(trade.items) if trade.status in GOOD else 0

    async def ends(self, fleet: AsyncClient, ids: list[str]) -> list[Trade]:
        """These trades, once nothing more becomes of them."""

        async def ended() -> list[Trade]:
            found = (await fleet.look_up(trade_ids=ids)).trades
            return found if all(trade.status in FINAL for trade in found) else []

        found: list[Trade] = await until(ended, f"trades {ids} end") if ids else []
        return found


async def run(site: Site, seed: int, players: int, began: threading.Event, stopped: threading.Event, tally: Tally) -> None:
    """From the first deposit to the last withdrawal; `began` is set when people play, `stopped` by who ends it.

    Raises TimeoutError that says what never came.
    """
    everybody = await in_thread(people.settle_down, site.stack.control_url, seed, players + 1, Guest)
    async with AsyncClient(site.fleet_urls, site.stack.api_key) as fleet:
        site.stack.say(f"{len(everybody)} people deposit items; protection takes some seconds")
        await asyncio.gather(*(person.deposit(fleet) for person in everybody))
        *crowd, patron = everybody
        await game.give_to_the_house(fleet, patron)
        began.set()
        await asyncio.gather(*(person.play(fleet, tally, stopped) for person in crowd))
        await until(paused, "no new round begins")
        await until(game.nothing_goes_on, "all rounds are over")
        site.stack.say("everybody withdraws")
        await asyncio.gather(*(person.withdraw(fleet, tally) for person in crowd))


async def paused() -> bool:
    await in_thread(people.pause)
    return True


def under_way() -> list[str]:
    """What has not ended, each with the reason that the site tells."""
    calls = Call.objects.filter(state__in=(Call.DUE, Call.WAITS))
    alarms = Alarm.objects.filter(ended_ms=None)
    return [
        *people.rest_of_play(),
        *(f"{call.kind} {call.ref} is {call.state} after {call.tries} tries: {call.code or 'no answer'}" for call in calls),
        *(f"alarm {alarm.kind} about {alarm.about}: {alarm.text}" for alarm in alarms),
    ]
