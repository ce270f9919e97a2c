"""The website's side during the run: players who deposit, withdraw and cancel all the time, over every balancer.

A request is sent with its own key until it has an answer, to one balancer after the other, now and then to all at once. Which
trades a key was told of is kept for the audit. Runs in a thread with a loop of its own.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import threading
from collections.abc import Coroutine, Sequence
from typing import Any

import aiohttp

from scripts.chaos_run.asking import CALL_S, PAUSE_S, Balancers, Reply, Told
from scripts.chaos_run.games import Games

HANDS = 2  # that play games with what players have
CONNECT_S = 2.0
THINK_S = (0.5, 6.0)
UNBLOCK_AFTER_S = 2.0
FEED_WAIT_S = 2
PROBE_AGAIN_S = 0.5

# What a player does with offers, and how often of twenty.
HABITS = ("accept",) * 10 + ("decline",) * 2 + ("ignore",) * 2 + ("counter",) * 3 + ("take_back",) * 2 + ("manual",)
# Deposits that a player asks for after one look at the inventory, at most: looks are what Steam limits most.
DEPOSITS_MAX = 3
# What a player wants, and how often of twenty.
WISHES = ("deposit",) * 10 + ("withdraw",) * 7 + ("cancel",) * 3


class Player:
    """One player: wants something again and again, and changes habits."""

    def __init__(self, number: int, account: dict[str, Any], workload: Workload) -> None:
        self.user_id = f"player-{number}"
        self.steam_id: str = account["steam_id"]
        self._body = {"user_id": self.user_id, "steam_id": self.steam_id, "trade_url": account["trade_url"]}
        self._workload = workload
        self._chance = random.Random(f"chaos:{workload.seed}:{number}")  # noqa: S311 - a script of play, no secret
        self._keys = itertools.count(1)
        self._live: list[str] = []

    async def play(self) -> None:
        """Until the run ends."""
        chance, api = self._chance, self._workload.api
        while not api.stopping.is_set():
            await asyncio.sleep(chance.uniform(*THINK_S))
            if chance.random() < 0.3:
                habit, delay_s = chance.choice(HABITS), round(chance.uniform(0.1, 4), 2)
                await self._workload.account(self.steam_id, habit=habit, delay_s=delay_s, take_back_s=chance.randint(1, 6))
            wish = chance.choice(WISHES)
            if wish == "deposit":
                await self._deposit()
            elif wish == "withdraw":
                await self._withdraw()
            elif self._live:
                await self.cancel(self._live.pop())

    def _key(self, what: str) -> str:
        return f"{self.user_id}-{what}-{next(self._keys)}"

    async def _deposit(self) -> None:
        body = {name: self._body[name] for name in ("steam_id", "trade_url")}
        reply = await self._workload.api.once("POST", "/inventory", body)
        if reply is None or reply.status != 200:
            return
        ids = sorted((row["asset_id"] for row in reply.body["items"] if row["acceptable"]), key=int)
        for _ in range(self._chance.randint(1, DEPOSITS_MAX)):
            if ids and not self._workload.api.stopping.is_set():
                picked = self._chance.sample(ids, min(len(ids), self._chance.randint(1, 4)))
                ids = [asset_id for asset_id in ids if asset_id not in picked]
                await self._move("deposit", {**self._body, "asset_ids": picked})

    async def _withdraw(self) -> None:
        reply = await self._workload.api.once("GET", f"/deposits?user_id={self.user_id}&status=active")
        if reply is None or reply.status != 200:
            return
        early = self._chance.random() < 0.15
        rows = [row for row in reply.body["deposits"] if row["bot"] and (row["settled_at"] or early)]
        ids = sorted(row["deposit_id"] for row in rows if not row["locked_by"] and not row["frozen_by"])
        if ids:
            picked = self._chance.sample(ids, min(len(ids), self._chance.randint(1, 3)))
            await self._move("withdraw", {**self._body, "deposit_ids": picked, "when_settled": early})

    async def _move(self, what: str, body: dict[str, Any]) -> None:
        """One request in one of three ways: until it is answered, at all balancers at once, or twice with two keys."""
        path, key, way = f"/{what}?wait={self._chance.choice((0, 2, 10))}", self._key(what), self._chance.random()
        workload = self._workload
        workload.unanswered[key] = (path, body)
        if way < 0.15:
            for one in await workload.api.at_all("POST", path, body, key):
                workload.note(key, one)
        elif way < 0.2:
            other = self._key(what)
            workload.unanswered[other] = (path, body)
            replies = await asyncio.gather(*(workload.api.once("POST", path, body, each) for each in (key, other)))
            for each, twin in zip((key, other), replies, strict=True):
                workload.note(each, twin)
        workload.unanswered[key] = (path, body)  # asked once more, whatever the answers above were
        reply = await workload.api.ask(self._chance, "POST", path, body, key)
        self._live += workload.note(key, reply)
        self._live = self._live[-5:]
        if reply is not None and reply.code == "partner_blocked":
            await asyncio.sleep(UNBLOCK_AFTER_S)
            await workload.api.ask(self._chance, "POST", f"/users/{self.user_id}/unblock", {}, self._key("unblock"))

    async def cancel(self, trade_id: str) -> None:
        """The wish to cancel a trade, repeated until it is answered."""
        await self._workload.api.ask(self._chance, "POST", f"/trade/{trade_id}/cancel", {}, f"cancel-{trade_id}")

    async def probe(self) -> None:
        """One deposit that is accepted as soon as it is offered."""
        api = self._workload.api
        await self._workload.account(self.steam_id, habit="accept", delay_s=0.1)
        found = await api.once("POST", "/inventory", {name: self._body[name] for name in ("steam_id", "trade_url")})
        ids = [row["asset_id"] for row in found.body["items"] if row["acceptable"]] if found and found.status == 200 else []
        if ids:
            key, body = self._key("probe"), {**self._body, "asset_ids": ids[:1]}
            self._workload.unanswered[key] = ("/deposit?wait=5", body)
            self._workload.note(key, await api.once("POST", "/deposit?wait=5", body, key))


class Workload:
    """All players, the reader of the feed and the prober, in a thread of their own."""

    def __init__(self, seed: int, urls: Sequence[str], api_key: str, control: str, accounts: Sequence[dict[str, Any]]) -> None:
        self.seed = seed
        self.told = Told()
        self.unanswered: dict[str, tuple[str, Any]] = {}
        self.bot_accounts = [row for row in accounts if row["kind"] == "bot"]
        self._players = sorted((row for row in accounts if row["kind"] == "player"), key=lambda row: int(row["steam_id"]))
        self._urls, self._api_key, self._control = urls, api_key, control
        self._probe = threading.Event()
        self._probe.set()
        self._made_since: set[str] = set()
        self._after = 0
        self._loop = asyncio.new_event_loop()
        self._reading = threading.Event()
        self._thread = threading.Thread(target=self._loop.run_forever, name="workload", daemon=True)
        self.api: Balancers
        self.games: Games
        self.http: aiohttp.ClientSession
        self._tasks: list[asyncio.Task[None]] = []

    # --- called by the nemesis' thread ---------------------------------------------------------------------------

    def start(self) -> None:
        """Let the players begin."""
        self._thread.start()
        self._wait(self._open())

    def probe(self, after: int) -> threading.Event:
        """What is set when a deposit was accepted that was asked for after event number ``after``."""
        self._probe, self._made_since, self._after = threading.Event(), set(), after
        return self._probe

    def stop_asking(self) -> None:
        """No new requests; those under way end by themselves or stay unanswered."""
        self._wait(self._stop_players())

    def finish(self) -> int:
        """Ask once more for every request that has a try without answer: its trades are told now. How many keys have some.

        A refusal is no last word while an earlier try is still at work in another balancer.
        """
        self._wait(self._ask_again())
        return len(self.told.trades_of)

    def close(self) -> None:
        """Read the feed to its end, then end the thread."""
        self._wait(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def note(self, key: str, reply: Reply | None) -> list[str]:
        """Keep what an answer said about a key; the trades it named."""
        if reply is None:
            return []
        if reply.final and (reply.status < 400 or key not in self.told.lost_keys):
            self.unanswered.pop(key, None)
        if reply.status >= 400:
            return []
        trades = [trade["trade_id"] for trade in reply.body["trades"]]
        self.told.trades_of[key].append(frozenset(trades))
        return trades

    async def account(self, steam_id: str, **changes: object) -> None:
        """Change a player's account at the sandbox."""
        async with self.http.patch(f"{self._control}/control/accounts/{steam_id}", json=changes) as answer:
            answer.raise_for_status()

    # --- in the thread -----------------------------------------------------------------------------------------------

    def _wait(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _open(self) -> None:
        timeout = aiohttp.ClientTimeout(total=CALL_S, sock_connect=CONNECT_S)
        self.http = aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(limit=0))
        self.api = Balancers(self._urls, self._api_key, self.told)
        players = [Player(number, row, self) for number, row in enumerate(self._players[:-1], 1)]
        prober = Player(len(self._players), self._players[-1], self)
        self._tasks = [asyncio.create_task(player.play()) for player in players]
        self._tasks.append(asyncio.create_task(self._keep_probing(prober)))
        self.games = Games(self.seed, self.api, {player.user_id: player.steam_id for player in players})
        self._tasks += [asyncio.create_task(self.games.play()) for _ in range(HANDS)]
        self._feed = asyncio.create_task(self._read_feed())

    async def _keep_probing(self, prober: Player) -> None:
        while not self.api.stopping.is_set():
            if not self._probe.is_set():
                await prober.probe()
            await asyncio.sleep(PROBE_AGAIN_S)

    async def _read_feed(self) -> None:
        """Read on from the last number, from any balancer, until told to stop and nothing is left."""
        after = 0
        while True:
            last = self._reading.is_set()
            reply = await self.api.once("GET", f"/events?after={after}&limit=500&wait={0 if last else FEED_WAIT_S}")
            if reply is None or reply.status != 200:
                await asyncio.sleep(PAUSE_S[0])
                continue
            self.told.events += [row["number"] for row in reply.body["events"]]
            if not self._probe.is_set():
                self._look_for_service(reply.body["events"])
            if reply.body["next"] < after:
                self.told.wrong.append(f"the feed went back from {after} to {reply.body['next']}")
            after = reply.body["next"]
            if last and not reply.body["events"]:
                return

    def _look_for_service(self, events: list[dict[str, Any]]) -> None:
        """Whether a deposit was accepted that was asked for since the probe began."""
        for row in events:
            if row["kind"] == "trade_created" and row["number"] > self._after and row["data"]["direction"] == "deposit":
                self._made_since.add(row["trade_id"])
            elif row["kind"] == "offer_accepted" and row["trade_id"] in self._made_since:
                self._probe.set()

    async def _stop_players(self) -> None:
        self.api.stopping.set()
        # What is at work in a balancer now is still carried out, though nobody waits for its answer.
        self.told.lost_keys |= self.unanswered.keys()
        for task in self._tasks:
            task.cancel()
        for outcome in await asyncio.gather(*self._tasks, return_exceptions=True):
            if isinstance(outcome, Exception):
                self.told.wrong.append(f"a client failed: {outcome!r}")

    async def _ask_again(self) -> None:
        async def again(key: str, path: str, body: Any) -> None:
            reply = await self.api.once("POST", path.partition("?")[0] + "?wait=0", body, key)
            self.note(key, reply)
            if reply is None:
                self.told.wrong.append(f"{key} has no answer although everything was healed")

        await asyncio.gather(*(again(key, path, body) for key, (path, body) in list(self.unanswered.items())))
        self.told.wrong += await self.games.finish()

    async def _close(self) -> None:
        self._reading.set()
        await self._feed
        await self.api.close()
        await self.http.close()
