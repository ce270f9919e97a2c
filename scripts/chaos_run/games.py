"""The third hand of the run: games that lock what players have, hand it over, exchange it and owe cents, at random.

Each call goes out under a ref of its own until it has a final answer: to one balancer after the other, now and then to all at
once, or together with the release of the same lock. What a ref was answered is kept: it must be one answer.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import random
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from scripts.crosscheck import Difference

if TYPE_CHECKING:
    from scripts.chaos_run.asking import Balancers, Reply

THINK_S = (0.1, 1.5)
TICKET, TICKET_CENTS = "Chaos Ticket", 7
SEATS = 4  # players of a round, at most
ROUND, EXCHANGE, CREDIT = ("round",) * 6, ("exchange",) * 4, ("credit",) * 2


class Games:
    """One client that plays with the rows of all players."""

    def __init__(self, seed: int, api: Balancers, players: dict[str, str]) -> None:
        self._chance = random.Random(f"games:{seed}")  # noqa: S311 - a script of play, no secret
        self._api = api
        self._players = players  # user id → Steam id
        self._numbers = itertools.count(1)
        self._waiting: dict[tuple[str, str], Any] = {}
        self._told: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
        self.done: Counter[str] = Counter()

    async def play(self) -> None:
        """Until the run ends."""
        for user_id, steam_id in self._players.items():
            await self._api.ask(self._chance, "PUT", f"/users/{user_id}", {"steam_id": steam_id})
        await self._post("/issues", {"market_hash_name": TICKET, "value_cents": TICKET_CENTS, "count": 20})
        while not self._api.stopping.is_set():
            await asyncio.sleep(self._chance.uniform(*THINK_S))
            await {"round": self._round, "exchange": self._exchange, "credit": self._credit}[
                self._chance.choice(ROUND + EXCHANGE + CREDIT)
            ]()

    async def finish(self) -> list[str]:
        """Ask once more for every ref without a final answer; those that still have none."""
        left = []
        for (path, _), body in list(self._waiting.items()):
            reply = await self._api.once("POST", path, body)
            self._keep(path, body, reply)
            if reply is None or not reply.final:
                left.append(f"{path} {body['ref']} has no answer although everything was healed")
        return left

    def differences(self) -> Iterator[Difference]:
        """Refs that were answered in two ways."""
        for (path, ref), texts in self._told.items():
            if len(texts) > 1:
                yield Difference("ref", f"{path} {ref} was answered in {len(texts)} ways: {' / '.join(sorted(texts))}")

    # --- what is played -----------------------------------------------------------------------------------------------

    async def _round(self) -> None:
        """Some bet, one wins all but a part that the house keeps; or the round is given up."""
        bets: dict[str, tuple[str, list[str]]] = {}
        rows = await self._rows(self._chance.sample(sorted(self._players), self._chance.randint(2, SEATS)))
        for user_id, ids in rows.items():
            if (ref := await self._bet(user_id, ids)) is not None:
                bets[ref] = user_id, ids
        if not bets or self._chance.random() < 0.25:
            for ref in bets:
                await self._release(ref)
            return
        winner = self._chance.choice([user_id for user_id, _ in bets.values()])
        moves = [{"deposit_id": each, "from": owner, "to": winner} for owner, ids in bets.values() for each in ids]
        if len(moves) > 2:
            moves[0]["to"] = "house"
            moves.pop()  # freed as the rest
        lines = [{"user_id": winner, "cents": self._chance.randint(1, 40), "kind": "rest"}]
        body = {"locks": sorted(bets), "moves": moves, "release": "rest", "credits": lines}
        if self._chance.random() < 0.2:  # somebody gives the round up in the same moment
            await asyncio.gather(self._post("/transfers", body), self._release(self._chance.choice(sorted(bets))))
            for ref in bets:
                await self._release(ref)
        else:
            await self._post("/transfers", body)

    async def _bet(self, user_id: str, ids: list[str]) -> str | None:
        """The ref of the lock, if it holds these rows now."""
        body = {"user_id": user_id, "deposit_ids": ids, "unsettled": self._chance.random() < 0.5, "note": "chaos"}
        reply = await self._post("/locks", body, at_all=self._chance.random() < 0.2)
        return str(reply.body["ref"]) if reply is not None and reply.status < 400 else None

    async def _release(self, ref: str) -> None:
        await self._api.ask(self._chance, "DELETE", f"/locks/{ref}")
        self.done["released"] += 1

    async def _exchange(self) -> None:
        """For tickets what a player has, or for something of the house what the player has in tickets or is owed."""
        user_id = self._chance.choice(sorted(self._players))
        give = (await self._rows([user_id])).get(user_id, [])
        cents = 0 if give else await self._balance(user_id)
        if not give and cents <= 0:
            return
        take: dict[str, Any] = {"market_hash_name": TICKET, "count": self._chance.randint(1, 4)}
        stock = await self._api.once("GET", "/stock?limit=20")
        if self._chance.random() < 0.5 and stock is not None and stock.status == 200 and stock.body["items"]:
            take = {"deposit_ids": [self._chance.choice(stock.body["items"])["deposit_id"]]}
        body = {"user_id": user_id, "give": give, "give_credit_cents": cents, "take": take, "rest": "credit"}
        await self._post("/exchanges", body, at_all=self._chance.random() < 0.2)

    async def _credit(self) -> None:
        lines = [
            {"user_id": each, "cents": self._chance.choice((5, 20, 60, -10)), "kind": "referral"}
            for each in self._chance.sample(sorted(self._players), 2)
        ]
        await self._post("/credits", {"lines": lines}, at_all=self._chance.random() < 0.2)

    # --- asking -------------------------------------------------------------------------------------------------------

    async def _rows(self, user_ids: list[str]) -> dict[str, list[str]]:
        """Some rows of each of these that look free; by now they may not be."""
        query = "&".join(f"user_ids={each}" for each in user_ids)
        reply = await self._api.once("GET", f"/deposits?{query}&status=active&limit=200")
        found: defaultdict[str, list[str]] = defaultdict(list)
        for row in reply.body["deposits"] if reply is not None and reply.status == 200 else ():
            if row["locked_by"] is None or self._chance.random() < 0.05:
                found[row["user_id"]].append(row["deposit_id"])
        return {each: self._chance.sample(ids, min(len(ids), self._chance.randint(1, 3))) for each, ids in found.items()}

    async def _balance(self, user_id: str) -> int:
        reply = await self._api.once("GET", f"/credits?user_id={user_id}&limit=1")
        return int(reply.body["balance_cents"]) if reply is not None and reply.status == 200 else 0

    async def _post(self, path: str, body: dict[str, Any], *, at_all: bool = False) -> Reply | None:
        """Under a new ref until there is a final answer; with ``at_all`` first at every balancer in the same moment."""
        body = {"ref": f"chaos-{next(self._numbers)}", **body}
        self._waiting[path, body["ref"]] = body
        if at_all:
            for one in await self._api.at_all("POST", path, body):
                self._keep(path, body, one)
        reply = await self._api.ask(self._chance, "POST", path, body)
        self._keep(path, body, reply)
        return reply

    def _keep(self, path: str, body: dict[str, Any], reply: Reply | None) -> None:
        if reply is None:
            return
        if reply.final:
            self._waiting.pop((path, body["ref"]), None)
        if reply.status < 400:
            self._told[path, body["ref"]].add(json.dumps(reply.body, sort_keys=True))
        self.done[f"{path} {reply.code or reply.status}"] += 1
