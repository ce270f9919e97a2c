"""Simulated people: they deposit items of their Steam accounts, bet them in whatever round is open, and withdraw the rest.

Their hands are those of a page: a bet is written down by the site's own service, an engine decides it.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, TypeVar

from django.db import DatabaseError, connections

from fleet_client import AsyncClient, errors
from fleet_client.answers import FINAL, Deposit
from scripts.lab.calls import get_json
from website.accounts import services as accounts
from website.accounts.models import Player
from website.care import gate
from website.rooms import services
from website.rooms.models import Bet, Lane, Round

T = TypeVar("T")
P = TypeVar("P", bound="Person")
ITEMS = 6
AT_ONCE_MAX = 3
LOOK_S = 0.25
PATIENCE_S = 600.0
DECIDED = (Bet.PLACED, Bet.REFUSED, Bet.OVER)
tokens = itertools.count(1)
Stopped = asyncio.Event | threading.Event


def now_ms() -> int:
    return time.time_ns() // 1_000_000


async def in_thread(work: Callable[..., T], *arguments: Any) -> T:
    """The site's database, as a page uses it: a connection for one piece of work."""

    def closing() -> T:
        try:
            return work(*arguments)
        finally:
            connections.close_all()

    return await asyncio.to_thread(closing)


@dataclass
class Tally:
    bets: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    kills: Counter[str] = field(default_factory=Counter)
    errands: Counter[str] = field(default_factory=Counter)
    interrupted: Counter[str] = field(default_factory=Counter)
    withdrawn: int = 0
    problems: list[str] = field(default_factory=list)


@dataclass
class Person:
    """One account at Steam and the player whose it is."""

    player: Player
    steam_id: str
    trade_url: str
    chance: random.Random
    stake: int

    async def deposit(self, fleet: AsyncClient) -> None:
        """Brings items in, and waits until they are settled: before that nobody may bet them."""
        seen = await fleet.inventory(self.steam_id, trade_url=self.trade_url)
        good = sorted((item for item in seen.items if item.acceptable), key=lambda item: item.value_cents or 0)
        ids = [item.asset_id for item in good[:ITEMS]]
        await fleet.deposit(
            user_id=self.player.user_id,
            steam_id=self.steam_id,
            trade_url=self.trade_url,
            asset_ids=ids,
            wait=20,
            key=f"deposit-{self.player.id}",
        )
        await until(lambda: self._settled(fleet, len(ids)), f"the items of {self.player} are settled")

    async def _settled(self, fleet: AsyncClient, count: int) -> bool:
        return len(await self.free(fleet)) >= count

    async def free(self, fleet: AsyncClient) -> list[Deposit]:
        """What this player may bet or withdraw now."""
        rows = [row async for row in fleet.each_deposit(user_id=self.player.user_id, status="active")]
        return [row for row in rows if row.settled_at and not row.locked_by and not row.frozen_by]

    async def play(self, fleet: AsyncClient, tally: Tally, stopped: Stopped) -> None:
        """Bets once in a round, and waits for its end, until told to stop."""
        while not stopped.is_set():
            await asyncio.sleep(self.chance.uniform(0.1, 1.0))
            await self.bet(fleet, tally)

    async def bet(self, fleet: AsyncClient, tally: Tally) -> None:
        """One bet in the round that is open, if there is one, to the end of that round."""
        at = await in_thread(open_round)
        mine = [] if at is None else sorted(await self.free(fleet), key=lambda row: row.deposit_id)
        if at is None or not mine:
            return
        wanted = self._wanted(at, self.chance.sample(mine, min(len(mine), self.chance.randint(1, self.stake))))
        bet = await until(lambda: in_thread(services.place_bet, self.player, wanted, now_ms()), "a bet is written down")
        decided = await until(lambda: in_thread(decision, bet), f"bet {bet.bet_id} is decided")
        tally.bets[decided.state] += 1
        if decided.state == Bet.REFUSED:
            tally.refused[decided.code] += 1
            return
        await until(lambda: in_thread(is_sealed, at), f"{at.lane}/{at.round} is sealed")

    def _wanted(self, at: Round, chosen: Sequence[Deposit]) -> services.Wanted:
        cents = sum(row.value_cents for row in chosen)
        ids = [row.deposit_id for row in chosen]
        seed = f"{self.chance.getrandbits(64):x}"
        return services.Wanted(at.lane, at.round, ids, cents, f"{self.player.id}-{next(tokens)}", seed)

    async def withdraw(self, fleet: AsyncClient, tally: Tally) -> None:
        """Takes everything home, and waits until Steam has given it."""
        rows = await self.free(fleet)
        if not rows:
            return
        ids = [row.deposit_id for row in rows]
        try:
            made = await fleet.withdraw(
                user_id=self.player.user_id,
                steam_id=self.steam_id,
                trade_url=self.trade_url,
                deposit_ids=ids,
                wait=20,
                key=f"withdraw-{self.player.id}",
            )
        except errors.Problem as problem:
            tally.problems.append(f"{self.player} cannot withdraw: {problem}")
            return
        trades = [trade.trade_id for trade in made.trades]
        await until(lambda: self._ended(fleet, trades), f"the withdrawals of {self.player} end")
        ended = (await fleet.look_up(trade_ids=trades)).trades
        tally.withdrawn += sum(len(trade.items) for trade in ended if trade.status in ("accepted", "settled"))
        tally.problems += [f"{trade.trade_id} ended as {trade.status}" for trade in ended if trade.failure]

    async def _ended(self, fleet: AsyncClient, trades: list[str]) -> bool:
        found = (await fleet.look_up(trade_ids=trades)).trades
        return all(trade.status in FINAL for trade in found)


def open_round() -> Round | None:
    """The round that takes bets and closes last."""
    rows = Round.objects.filter(phase="game").order_by("-time_start_ms")
    soon = now_ms() + 1500  # as the page does it: in the last moment it takes no bet any more
    return next((row for row in rows if row.deadline_ms is None or row.deadline_ms > soon), None)


def decision(bet: Bet) -> Bet | None:
    return Bet.objects.filter(id=bet.id, state__in=DECIDED).first()


def is_sealed(at: Round) -> bool:
    return Round.objects.filter(lane=at.lane, round=at.round).exclude(sealed_ms=None).exists()


def sealed() -> int:
    """Rounds that were drawn and are over."""
    return Round.objects.exclude(sealed_ms=None).filter(void_reason="").count()


def rest_of_play() -> list[str]:
    """What is still under way: bets that are not decided, and rounds with bets in them."""
    bets = [f"bet {bet.bet_id} is {bet.state}" for bet in Bet.objects.filter(state__in=(*Bet.OPEN, Bet.UNLOCKING))]
    rounds = Round.objects.filter(sealed_ms=None, items__gt=0)
    return bets + [f"{row.lane}/{row.round} is in phase {row.phase}" for row in rounds]


def pause() -> None:
    """No new round begins, no new bet is taken; what goes on ends."""
    Lane.objects.update(state=Lane.PAUSED, paused_why="the play is over")


async def until(found: Callable[[], Any], what: str) -> Any:
    """Looks again and again. Raises TimeoutError that says what never came."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            if answer := await found():
                return answer
        except (errors.FleetError, DatabaseError):
            pass
        if time.monotonic() > deadline:
            raise TimeoutError(f"it never came to this: {what}")
        await asyncio.sleep(LOOK_S)


def settle_down(control_url: str, seed: int, count: int, kind: type[P]) -> list[P]:
    """The sandbox's players register at the site and say how old they are."""
    found = get_json(f"{control_url}/control/credentials?kind=player")["accounts"][:count]
    made = []
    for number, account in enumerate(found):
        player = accounts.register(int(account["steam_id"]), account["account_name"], now_ms())
        gate.declare(player, date(1990, 1, 1), "LV", now_ms())
        chance = random.Random(f"{seed}:{number}")  # noqa: S311 - a script of play, no secret
        trade_url = get_json(f"{control_url}/control/accounts/{account['steam_id']}")["trade_url"]
        made.append(kind(player, account["steam_id"], trade_url, chance, AT_ONCE_MAX))
    return made
