"""Balancers that are asked until they answer, and what they said."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp

PAUSE_S = (0.2, 0.8)


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

    def __init__(self, http: aiohttp.ClientSession, urls: Sequence[str], api_key: str, told: Told) -> None:
        self._http = http
        self._urls = urls
        self._headers = {"Authorization": f"Bearer {api_key}"}
        self._told = told
        self._turn = itertools.count()
        self.stopping = asyncio.Event()

    async def once(
        self, method: str, path: str, body: Any = None, key: str | None = None, url: str | None = None
    ) -> Reply | None:
        """One try at one balancer; ``None`` when no answer came."""
        url = url or self._urls[next(self._turn) % len(self._urls)]
        headers = self._headers | ({"Idempotency-Key": key} if key else {})
        try:
            async with self._http.request(method, url + path, json=body, headers=headers) as answer:
                reply = Reply(answer.status, await answer.json(content_type=None))
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
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
        replies = await asyncio.gather(*(self.once(method, path, body, key, url) for url in self._urls))
        return [reply for reply in replies if reply is not None]
