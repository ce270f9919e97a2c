"""Seeded players of the demo: what each of them wants, in which order, and how they answer their offers.

A player is a list of rounds, fixed by the seed. In a round the player's Steam account has one habit (accept, decline …) and
the site asks for one or a few trades. Which assets take part is chosen by name and wear, as asset ids depend on who was first.
"""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import aiohttp

from fleet_client import AsyncClient, Patience, errors
from fleet_client.answers import FINAL, Trade

DEPOSITS_PER_PLAYER = 11
WITHDRAWALS_PER_PLAYER = 10  # two times `AT_ONCE`: what is not yet there for a whole round is left out of a plan
AT_ONCE = 5  # as people do who move more than one thing; Steam allows five open offers to one partner
OTHER_ENDS = ("declined", "countered", "expired", "canceled", "failed")
HABITS = {"accepted": "accept", "declined": "decline", "countered": "counter", "failed": "accept"}
POLL_S = 0.4
CONTENT_AFTER = 60  # looks, after which a player withdraws what there is; more may settle until then
DONE = FINAL | {"accepted"}
LOOK_UP_MAX = 200
# Players of a demo wait for a minute while bots are busy.
PATIENCE = Patience(patience_s=60.0)


@dataclass(frozen=True)
class Round:
    """One thing that a player does: ``count`` requests at once, each of ``items`` items, all meant to end as ``end``."""

    direction: str
    end: str
    count: int
    items: int
    delay_s: float


def plan(seed: int, player: int) -> list[Round]:
    """The rounds of one player, the same for the same seed: deposits, withdrawals and other ends, mixed."""
    chance = random.Random(f"{seed}:{player}")  # noqa: S311 - a script of play, no secret

    def one(direction: str, end: str, count: int = 1) -> Round:
        return Round(direction, end, count, chance.randint(1, 3), round(chance.uniform(0.1, 0.8), 2))

    def small(round_: Round) -> Round:
        return replace(round_, items=min(round_.items, 2))

    deposits = [one("deposit", "accepted", count) for count in _at_once(DEPOSITS_PER_PLAYER)]
    withdrawals = [small(one("withdraw", "accepted", count)) for count in _at_once(WITHDRAWALS_PER_PLAYER)]
    others = [one("withdraw" if end == "failed" or chance.random() < 0.4 else "deposit", end) for end in OTHER_ENDS]
    rest = deposits + withdrawals + others
    chance.shuffle(rest)
    return _in_a_possible_order(rest)


def _at_once(count: int) -> list[int]:
    """So many trades in rounds of `AT_ONCE`, and what is left over in a smaller one."""
    full, rest = divmod(count, AT_ONCE)
    return [AT_ONCE] * full + [rest] * bool(rest)


def _in_a_possible_order(rounds: list[Round]) -> list[Round]:
    """The same rounds, a withdrawal put off until enough was deposited before; if it never is, it is left out."""
    ordered: list[Round] = []
    waiting: list[Round] = []
    stock = 0
    for round_ in rounds:
        waiting.append(round_)
        for other in list(waiting):
            moved = other.count * other.items
            if other.direction == "withdraw" and moved > stock:
                continue
            waiting.remove(other)
            ordered.append(other)
            if other.end == "accepted":
                stock += moved if other.direction == "deposit" else -moved
    return ordered


@dataclass
class Tally:
    """What happened, as the website sees it."""

    statuses: dict[str, str] = field(default_factory=dict)
    directions: dict[str, str] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)
    offer_s: list[float] = field(default_factory=list)
    players_done: int = 0
    reasons: dict[str, str] = field(default_factory=dict)
    meant: dict[str, str] = field(default_factory=dict)

    def note(self, trade: Trade, meant: str | None = None) -> None:
        """``meant`` is how its player wants it to end."""
        self.statuses[trade.trade_id] = trade.status
        self.directions[trade.trade_id] = trade.direction
        if failure := trade.failure:
            code, reason = failure.code, failure.reason or ""
            self.reasons[trade.trade_id] = code if code in reason or not reason else f"{code}: {reason}"
        if meant:
            self.meant[trade.trade_id] = meant

    def note_refusal(self, refused: errors.Problem) -> None:
        self.refused[refused.error_code] = self.refused.get(refused.error_code, 0) + 1

    def as_meant(self, trade_id: str) -> bool:
        """Whether a trade ended as its player wanted; one that was accepted may have settled since."""
        status, meant = self.statuses[trade_id], self.meant.get(trade_id)
        return status == meant or (status == "settled" and meant == "accepted")

    def failures(self) -> dict[str, dict[str, int]]:
        """Why trades failed: reason → how many, and how many of them were meant to."""
        table: dict[str, dict[str, int]] = {}
        for trade_id, status in self.statuses.items():
            if status == "failed":
                row = table.setdefault(self.reasons.get(trade_id, "no reason told"), {"trades": 0, "meant": 0})
                row["trades"] += 1
                row["meant"] += self.as_meant(trade_id)
        return table

    def otherwise(self) -> dict[str, int]:
        """Ends that no player wanted: ``accepted → failed`` → how many."""
        table: dict[str, int] = {}
        for trade_id, meant in self.meant.items():
            if not self.as_meant(trade_id):
                change = f"{meant} → {self.statuses[trade_id]}"
                table[change] = table.get(change, 0) + 1
        return table

    def by_outcome(self) -> dict[str, dict[str, int]]:
        """direction → status → number of trades."""
        table: dict[str, dict[str, int]] = {"deposit": {}, "withdraw": {}}
        for trade_id, status in self.statuses.items():
            row = table[self.directions[trade_id]]
            row[status] = row.get(status, 0) + 1
        return table

    def unfinished(self) -> list[str]:
        return [trade_id for trade_id, status in self.statuses.items() if status not in DONE]


class NothingToTradeError(Exception):
    """A player has none of the items that the plan wants."""


class Site:
    """The website's view of the balancer, and the players' hands on the sandbox."""

    def __init__(self, http: aiohttp.ClientSession, fleet: AsyncClient, control: str) -> None:
        self.fleet = fleet
        self._http = http
        self._control = control

    async def account(self, steam_id: str, **changes: object) -> dict[str, Any]:
        """Read or change a player's account in the sandbox."""
        url = f"{self._control}/control/accounts/{steam_id}"
        async with self._http.request("PATCH" if changes else "GET", url, json=changes or None) as answer:
            answer.raise_for_status()
            account: dict[str, Any] = await answer.json()
            return account


class Player:
    """One player going through the plan."""

    def __init__(self, number: int, account: dict[str, Any], rounds: list[Round], site: Site, tally: Tally, seed: int) -> None:
        self.steam_id: str = account["steam_id"]
        self.trade_url: str = account["trade_url"]
        self.user_id = f"player-{number}"
        self._rounds = rounds
        self._site = site
        self._fleet = site.fleet
        self._tally = tally
        self._chance = random.Random(f"{seed}:{number}:items")  # noqa: S311
        self._requests = 0
        self._run = f"{seed}-{number}"

    async def play(self) -> None:
        """Go through all rounds, one after the other."""
        for round_ in self._rounds:
            habit = HABITS.get(round_.end, "ignore")
            await self._site.account(self.steam_id, habit=habit, delay_s=round_.delay_s)
            asks = await self._choose(round_)
            trades = [trade for made in await asyncio.gather(*(self._ask(round_, ask) for ask in asks)) for trade in made]
            if round_.end == "canceled":
                await self._cancel(trades)
            await self._wait_done([trade.trade_id for trade in trades])
        self._tally.players_done += 1

    async def _choose(self, round_: Round) -> list[list[str]]:
        """Asset or deposit ids for each request of the round; waits until there are enough."""
        wanted = round_.count * round_.items
        for tried in range(300):
            ids = await (self._withdrawable() if round_.direction == "withdraw" else self._depositable())
            if len(ids) >= wanted or (ids and round_.direction == "withdraw" and tried >= CONTENT_AFTER):
                picked = self._chance.sample(ids, min(wanted, len(ids)))
                return [picked[start :: round_.count] for start in range(round_.count) if picked[start :: round_.count]]
            await asyncio.sleep(POLL_S)
        raise NothingToTradeError(f"{self.user_id} wants {wanted} for {round_}")

    async def _withdrawable(self) -> list[str]:
        rows = [row async for row in self._fleet.each_deposit(user_id=self.user_id, status="active")]
        free = [row for row in rows if row.settled_at and not row.locked_by and not row.frozen_by]
        return [row.deposit_id for row in sorted(free, key=lambda row: (row.market_hash_name, row.wear or ""))]

    async def _depositable(self) -> list[str]:
        try:
            seen = await self._fleet.inventory(self.steam_id, trade_url=self.trade_url)
        except errors.NotNow:
            return []
        good = [item for item in seen.items if item.acceptable]
        return [item.asset_id for item in sorted(good, key=lambda item: (item.market_hash_name, item.wear or ""))]

    async def _ask(self, round_: Round, ids: list[str]) -> list[Trade]:
        """One request; the client repeats it with its key while trying again helps."""
        self._requests += 1
        url = self.trade_url
        if round_.end == "failed":  # an address that the player has renewed since: Steam refuses it
            url = url[:-8] + "OldToken"
        started = asyncio.get_running_loop().time()
        try:
            made = await self._move(round_.direction, url, ids, f"{self._run}-{self._requests}")
        except errors.Problem as refused:
            self._tally.note_refusal(refused)
            return []
        if all(trade.offer_id for trade in made):
            self._tally.offer_s.append(asyncio.get_running_loop().time() - started)
        for trade in made:
            self._tally.note(trade, round_.end)
        return made

    async def _move(self, direction: str, url: str, ids: list[str], key: str) -> list[Trade]:
        user_id, steam_id = self.user_id, self.steam_id
        if direction == "withdraw":
            moved = self._fleet.withdraw(user_id=user_id, steam_id=steam_id, trade_url=url, deposit_ids=ids, wait=20, key=key)
        else:
            moved = self._fleet.deposit(user_id=user_id, steam_id=steam_id, trade_url=url, asset_ids=ids, wait=20, key=key)
        return (await moved).trades

    async def _cancel(self, trades: list[Trade]) -> None:
        for trade in trades:
            try:
                await self._fleet.cancel(trade.trade_id)
            except errors.Problem as refused:
                self._tally.note_refusal(refused)

    async def _wait_done(self, trade_ids: list[str]) -> None:
        """Until each of the trades has come to an end (accepted counts: protection runs on by itself)."""
        while trade_ids:
            found = (await self._fleet.look_up(trade_ids=trade_ids)).trades
            for trade in found:
                self._tally.note(trade)
            trade_ids = [trade.trade_id for trade in found if trade.status not in DONE]
            await asyncio.sleep(POLL_S)


async def play(stack: Any, seed: int, tally: Tally, beat: Callable[[], None]) -> None:
    """Let every player of the sandbox play; ``beat`` is called a few times a second to redraw."""
    timeout = aiohttp.ClientTimeout(total=60)
    async with (
        aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(limit=0)) as http,
        AsyncClient(stack.balancer_url, stack.api_key, patience=PATIENCE) as fleet,
    ):
        async with http.get(f"{stack.control_url}/control/accounts") as answer:
            accounts = [row for row in (await answer.json())["accounts"] if row["kind"] == "player"]
        accounts.sort(key=lambda row: int(row["steam_id"]))
        site = Site(http, fleet, stack.control_url)
        players = [Player(number, row, plan(seed, number), site, tally, seed) for number, row in enumerate(accounts, 1)]
        games = [asyncio.create_task(player.play()) for player in players]
        try:
            while not all(game.done() for game in games):
                await asyncio.wait(games, timeout=0.3, return_when=asyncio.FIRST_EXCEPTION)
                for game in games:
                    if game.done():
                        game.result()
                beat()
            await settle(fleet, [player.user_id for player in players], tally, beat)
        finally:
            for game in games:
                game.cancel()


async def settle(
    fleet: AsyncClient, users: list[str], tally: Tally, beat: Callable[[], None], patience_s: float = 90.0
) -> None:
    """Wait until protection has passed for every accepted trade, so that the books can be closed."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + patience_s
    while loop.time() < deadline:
        waiting = [trade_id for trade_id, status in tally.statuses.items() if status not in FINAL]
        for start in range(0, len(waiting), LOOK_UP_MAX):
            for trade in (await fleet.look_up(trade_ids=waiting[start : start + LOOK_UP_MAX])).trades:
                tally.note(trade)
        pending = 0
        for user_id, status in itertools.product(users, ("deposit_pending", "withdraw_pending")):
            pending += len((await fleet.deposits(user_id=user_id, status=status)).deposits)
        beat()
        if not waiting and not pending:
            return
        await asyncio.sleep(POLL_S)
