"""Balancers that are asked until they answer, and what they said."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from fleet_client import AsyncClient
from fleet_client.errors import FleetError

PAUSE_S = (0.2, 0.8)
CALL_S = 30.0


@dataclass
class Told:
    """What the clients were told; read after the load has ended."""

    trades_of: defaultdict[str, list[frozenset[str]]] = field(default_factory=lambda: defaultdict(list))
    refusals: Counter[str] = field(default_factory=Counter)
    answers: Counter[int] = field(default_factory=Counter)
    lost_answers: int = 0
    lost_keys: set[str] = field(default_factory=set)
    events: list[int] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Reply:
    """One answer of a balancer."""

    status: int
    body: Any

    @property
    def code(self) -> str:
        """The problem's word; empty for a good answer."""
        return str(self.body.get("code", "")) if self.status >= 400 and isinstance(self.body, dict) else ""

    @property
    def final(self) -> bool:
        """Whether asking again with the same key changes nothing."""
        return self.status < 400 or not (self.status >= 500 or self.body.get("retryable"))


class Balancers:
    """The balancers as one address that is asked until it answers."""

    def __init__(self, urls: Sequence[str], api_key: str, told: Told) -> None:
        self._all = [AsyncClient(url, api_key, timeout_s=CALL_S) for url in urls]
        self._told = told
        self._turn = itertools.count()
        self.stopping = asyncio.Event()

    async def close(self) -> None:
        for one in self._all:
            await one.close()

    async def once(
        self, method: str, path: str, body: Any = None, key: str | None = None, one: AsyncClient | None = None
    ) -> Reply | None:
        """One try at one balancer; ``None`` when no answer came."""
        one = one or self._all[next(self._turn) % len(self._all)]
        try:
            answer = await one.send(method, path, body=body, key=key)
            reply = Reply(answer.status, json.loads(answer.body))
        except (FleetError, ValueError):
            self._told.lost_answers += 1
            if key is not None:
                self._told.lost_keys.add(key)
            return None
        self._told.answers[reply.status] += 1
        if reply.code:
            self._told.refusals[reply.code] += 1
        return reply

    async def ask(
        self, chance: random.Random, method: str, path: str, body: Any = None, key: str | None = None
    ) -> Reply | None:
        """Until there is a final answer; ``None`` when the run ends before."""
        while not self.stopping.is_set():
            reply = await self.once(method, path, body, key)
            if reply is not None and reply.final:
                return reply
            await asyncio.sleep(chance.uniform(*PAUSE_S))
        return None

    async def at_all(self, method: str, path: str, body: Any, key: str | None = None) -> list[Reply]:
        """The same request at every balancer in the same moment."""
        replies = await asyncio.gather(*(self.once(method, path, body, key, one) for one in self._all))
        return [reply for reply in replies if reply is not None]
