"""One simulated player: brings items in, bets them in all rooms, swaps some for tickets, takes them home.

Their hands are those of a page: a bet and an exchange are written down by the site's own services, an engine carries them out.
They ask again while everything around them fails, and do something else when they are refused.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, TypeVar

from django.db import DatabaseError

from fleet_client import AsyncClient, errors
from fleet_client.answers import FINAL, Deposit, Trade
from scripts.lab.calls import get_json
from scripts.site_run import own_limits, people
from scripts.site_run.people import Stopped, Tally, asked, in_thread, until
from shared.domain.ids import STEAM_ID_BASE
from website.accounts import services as accounts
from website.accounts.models import Player
from website.accounts.steam import SteamProfile
from website.care import gate
from website.custody import services as exchanges
from website.custody.models import Exchange
from website.ledger import coins
from website.raffles import purchases
from website.rooms import services
from website.rooms.models import TICKET_NAMES, Bet, Round

CHEAP, DEAR = 5, 3
"""Items that somebody brings in at first: so many of the cheapest, so many worth a bet by themselves."""
WORTH_A_BET = (100, 1_500)
POOR = 4
ERRANDS = 0.06
TRIES = 6
TICKET_CENTS = 100
TICKET_OF = {"sit-n-go": "SnG Ticket", "giveaway": "Raffle Ticket"}
LEAST = {"classic-unlimited": 100, "5v5": 100, "global-pot": 100}
MOST_ITEMS = {"classic-limited": 2}
AT_ONCE_MAX = 3
MOST_CENTS = 2_000
LIMITED_CENTS = 500
LEFT_CENTS = (300, 3_000)
"""What a limit leaves to who sets it."""
GOOD = ("accepted", "settled")
tokens = itertools.count(1)
P = TypeVar("P", bound="Person")


@dataclass
class Person:
    """One account at Steam and the player whose it is."""

    player: Player
    steam_id: str
    trade_url: str
    chance: random.Random
    joined: set[tuple[str, int]] = field(default_factory=set)
    rest_s: tuple[float, float] = (0.1, 1.0)
    tries_luck: float = 0.0
    """How often tickets of a raffle are bought instead of a bet made."""
    decides: str = ""
    """What they decide about their own play (`own_limits`), once, after `steps` of it."""
    steps: int = 0
    bounds: list[own_limits.Bound] = field(default_factory=list)

    # ---- items in and out

    async def arrive(self, fleet: AsyncClient) -> None:
        """Brings some items in, and waits until they are settled: before that nobody may bet them."""
        seen = await fleet.inventory(self.steam_id, trade_url=self.trade_url)
        good = sorted((item for item in seen.items if item.acceptable), key=lambda item: item.value_cents or 0)
        dear = [item for item in good[CHEAP:] if WORTH_A_BET[0] <= (item.value_cents or 0) <= WORTH_A_BET[1]]
        ids = [item.asset_id for item in (*good[:CHEAP], *dear[:DEAR])]
        await fleet.deposit(**self._who(), asset_ids=ids, wait=20, key=f"deposit-{self.player.id}")
        await until(lambda: self._settled(fleet, len(ids)), f"the items of {self.player} are settled")

    def _who(self) -> dict[str, Any]:
        return {"user_id": self.player.user_id, "steam_id": self.steam_id, "trade_url": self.trade_url}

    async def _settled(self, fleet: AsyncClient, count: int) -> bool:
        return len(await self.free(fleet)) >= count

    async def free(self, fleet: AsyncClient) -> list[Deposit]:
        """What this player may bet or withdraw now, in the order of ids."""
        rows = [row async for row in fleet.each_deposit(user_id=self.player.user_id, status="active")]
        mine = [row for row in rows if row.settled_at and not row.locked_by and not row.frozen_by]
        return sorted(mine, key=lambda row: row.deposit_id)

    async def bring_in(self, fleet: AsyncClient, tally: Tally) -> None:
        """One more item from Steam, to the end of its trade."""
        seen = await fleet.inventory(self.steam_id, trade_url=self.trade_url)
        good = sorted(item.asset_id for item in seen.items if item.acceptable)
        if not good:
            return
        chosen, key = [self.chance.choice(good)], f"errand-{self.player.id}-{next(tokens)}"
        made = await asked(
            lambda: fleet.deposit(**self._who(), asset_ids=chosen, wait=5, key=key), f"deposit {key} is answered"
        )
        tally.errands.update(
            [f"in: {made.error_code}"]
            if isinstance(made, errors.Problem)
            else [f"in: {one.status}" for one in await self._ends(fleet, [trade.trade_id for trade in made.trades])]
        )

    async def take_home(self, fleet: AsyncClient, tally: Tally) -> None:
        """One item out, to the end of its trade."""
        rows = [row.deposit_id for row in without_tickets(await self.free(fleet))]
        if len(rows) > POOR:
            await self._out(fleet, tally, [self.chance.choice(rows)])

    async def withdraw(self, fleet: AsyncClient, tally: Tally) -> None:
        """Takes everything home but tickets; what did not go is tried again, a few times."""
        for _ in range(TRIES):
            rows = await asked(lambda: self.free(fleet), f"the items of {self.player} are told")
            mine = [] if isinstance(rows, errors.Problem) else without_tickets(rows)
            if not mine:
                return
            await self._out(fleet, tally, [row.deposit_id for row in mine])
        tally.problems.append(f"{self.player} cannot take everything home")

    async def _out(self, fleet: AsyncClient, tally: Tally, ids: list[str]) -> None:
        key = f"errand-{self.player.id}-{next(tokens)}"
        made = await asked(
            lambda: fleet.withdraw(**self._who(), deposit_ids=ids, wait=5, key=key), f"withdrawal {key} is answered"
        )
        if isinstance(made, errors.Problem):
            tally.errands[f"out: {made.error_code}"] += 1
            return
        for trade in await self._ends(fleet, [trade.trade_id for trade in made.trades]):
            tally.errands[f"out: {trade.status}"] += 1
            tally.withdrawn += len(trade.items) if trade.status in GOOD else 0

    async def _ends(self, fleet: AsyncClient, ids: list[str]) -> list[Trade]:
        """These trades, once nothing more becomes of them."""

        async def ended() -> list[Trade]:
            found = (await fleet.look_up(trade_ids=ids)).trades
            return found if all(trade.status in FINAL for trade in found) else []

        found: list[Trade] = await until(ended, f"trades {ids} end") if ids else []
        return found

    # ---- play

    async def play(self, fleet: AsyncClient, tally: Tally, stopped: Stopped, wanted: set[str]) -> None:
        """Bets in the rooms that are `wanted` still, and runs errands, until told to stop."""
        while not stopped.is_set():
            await asyncio.sleep(self.chance.uniform(*self.rest_s))
            self.steps -= 1
            try:
                if self.decides and self.steps < 0:
                    await self.bind(tally)
                elif self.chance.random() < self.tries_luck:
                    await self.buy(tally)
                elif self.chance.random() < ERRANDS:
                    await self.chance.choice((self.bring_in, self.take_home))(fleet, tally)
                else:
                    await self.bet(fleet, tally, wanted)
            except (errors.FleetError, DatabaseError) as error:
                tally.interrupted[type(error).__name__] += 1
            except TimeoutError as error:
                tally.problems.append(str(error))

    async def bet(self, fleet: AsyncClient, tally: Tally, wanted: set[str]) -> None:
        """One bet in a round that takes some and has none of this player, until it is decided."""
        found = [row for row in await in_thread(people.open_rounds) if row.room in wanted and self._may_join(row)]
        if not found:
            return
        at = self.chance.choice(found)
        mine = await self.free(fleet)
        chosen = await self._tickets(tally, fleet, at.room, mine) if at.room in TICKET_OF else self._items(at.room, mine)
        if not chosen:
            if len(without_tickets(mine)) < POOR:
                await self.bring_in(fleet, tally)
            return
        team = await in_thread(people.smaller_team, at) if at.room == "5v5" else 0
        asked_for = self._wanted(at, chosen, team)
        bet = await until(lambda: in_thread(services.place_bet, self.player, asked_for, people.now_ms()), "a bet is kept")
        self.joined.add((at.lane, at.round))
        decided: Bet = await until(lambda: in_thread(people.decision, bet), f"bet {bet.bet_id} is decided")
        tally.bets[f"{at.room}: {'placed' if decided.state != Bet.REFUSED else 'refused'}"] += 1
        if decided.state == Bet.REFUSED:
            tally.refused[decided.code] += 1
            self.joined.discard((at.lane, at.round))

    async def bind(self, tally: Tally) -> None:
        """They decide about their own play. If nobody knows whether it was kept, they decide the same again."""
        bound = await in_thread(own_limits.decide, self.player, self.decides, self.chance.randint(*LEFT_CENTS))
        self.bounds.append(bound)
        self.decides = ""
        tally.errands[f"own {bound.kind}"] += 1

    async def buy(self, tally: Tally) -> None:
        """Some tickets of a raffle, with the coins that everybody gets; nothing while no raffle runs."""
        found = await in_thread(people.open_raffles)
        if not found:
            return
        at = self.chance.choice(found)
        wanted = purchases.Wanted(at.lane, at.round, self.chance.randint(1, 3), f"{self.player.id}-{next(tokens)}")
        await in_thread(take_coins, self.player)
        made = await until(lambda: in_thread(purchases.buy, self.player, wanted, people.now_ms()), "a purchase is kept")
        done = await until(lambda: in_thread(people.answered_purchase, made), f"purchase {made.purchase_id} is answered")
        tally.bets[f"raffles: {'placed' if done.state != done.REFUSED else 'refused'}"] += 1
        if done.state == done.REFUSED:
            tally.refused[f"raffle: {done.code}"] += 1

    def _may_join(self, at: Round) -> bool:
        return (at.lane, at.round) not in self.joined

    def _wanted(self, at: Round, chosen: Sequence[Deposit], team: int) -> services.Wanted:
        cents = sum(row.value_cents for row in chosen)
        ids = [row.deposit_id for row in chosen]
        seed = f"{self.chance.getrandbits(64):x}"
        return services.Wanted(at.lane, at.round, ids, cents, f"{self.player.id}-{next(tokens)}", seed, team)

    def _items(self, room: str, mine: Sequence[Deposit]) -> list[Deposit]:
        """Some items that a room would take; none when this player has no such."""
        rows = without_tickets(mine)
        self.chance.shuffle(rows)
        least, most = LEAST.get(room, 0), LIMITED_CENTS if room == "classic-limited" else MOST_CENTS
        count = self.chance.randint(1, MOST_ITEMS.get(room, AT_ONCE_MAX))
        chosen: list[Deposit] = []
        for row in rows:
            cents = sum(each.value_cents for each in chosen)
            if len(chosen) >= MOST_ITEMS.get(room, 10) or (len(chosen) >= count and cents >= least):
                break
            if cents + row.value_cents <= most:
                chosen.append(row)
        return chosen if chosen and sum(each.value_cents for each in chosen) >= least else []

    # ---- tickets

    async def _tickets(self, tally: Tally, fleet: AsyncClient, room: str, mine: Sequence[Deposit]) -> list[Deposit]:
        """A ticket for this room; without one, some are got by an exchange, for the next time."""
        tickets = [row for row in mine if row.market_hash_name == TICKET_OF[room]]
        if not tickets:
            await self._swap(tally, fleet, TICKET_OF[room], without_tickets(mine))
        return tickets[:1]

    async def _swap(self, tally: Tally, fleet: AsyncClient, ticket: str, rows: list[Deposit]) -> None:
        """Items for tickets, what is over is credited; credit for tickets where there is enough of it."""
        credit = (await fleet.credits(self.player.user_id, limit=1)).balance_cents
        if credit >= TICKET_CENTS:
            asked_for = exchanges.Swap(
                (), credit, f"{self.player.id}-{next(tokens)}", ticket, credit // TICKET_CENTS, (), credit
            )
        else:
            chosen = sorted((row for row in rows if row.value_cents >= TICKET_CENTS), key=lambda row: row.value_cents)[:1]
            cents = sum(row.value_cents for row in chosen)
            if not chosen:
                return
            ids = [row.deposit_id for row in chosen]
            token = f"{self.player.id}-{next(tokens)}"
            asked_for = exchanges.Swap(ids, cents, token, ticket, min(cents // TICKET_CENTS, 5))
        made = await until(lambda: in_thread(exchanges.exchange, self.player, asked_for, people.now_ms()), "a swap is kept")
        row: Exchange = await until(lambda: in_thread(answered, made), f"exchange {made.exchange_id} is answered")
        with_what = "credit" if asked_for.credit_cents else "items"
        tally.errands[f"{with_what} for tickets: {row.code or row.state}"] += 1


def take_coins(player: Player) -> None:
    """What a player gets for nothing, as far as there is any today."""
    for give in (coins.welcome, coins.daily):
        with contextlib.suppress(coins.CoinsError):
            give(player, people.now_ms())


def answered(made: Exchange) -> Exchange | None:
    return Exchange.objects.filter(id=made.id).exclude(state=Exchange.ASKED).first()


def without_tickets(rows: Sequence[Deposit]) -> list[Deposit]:
    return [row for row in rows if row.market_hash_name not in TICKET_NAMES]


def picture_of(steam_id: int) -> str:
    """The name that the simulated Steam gives to the picture of one of its accounts."""
    return f"{steam_id - STEAM_ID_BASE:040x}"


def settle_down(control_url: str, seed: int, count: int, kind: type[P]) -> list[P]:
    """The sandbox's players register at the site, most of them invited by somebody, and say how old they are."""
    found = get_json(f"{control_url}/control/credentials?kind=player")["accounts"][:count]
    made: list[P] = []
    for number, account in enumerate(found):
        inviter = made[number // 3].player if number else None
        player = accounts.register(int(account["steam_id"]), account["account_name"], people.now_ms(), inviter)
        accounts.saw(player, SteamProfile(account["account_name"], picture_of(int(account["steam_id"]))))
        gate.declare(player, date(1990, 1, 1), "LV", people.now_ms())
        chance = random.Random(f"{seed}:{number}")  # noqa: S311 - a script of play, no secret
        trade_url = get_json(f"{control_url}/control/accounts/{account['steam_id']}")["trade_url"]
        made.append(kind(player, account["steam_id"], trade_url, chance))
    return made
