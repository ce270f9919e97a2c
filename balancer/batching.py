"""Deposits of many requests at the same moment: what comes while a transaction is under way shares the next one.

A deposit alone costs five statements and two changes of threads; thirty together hardly more. Nobody waits for company: with
nothing under way a request begins at once. Each is answered after the commit that its rows are in.

Only what goes well goes together. A request that cannot be granted as it stands, and all of them if the transaction fails in
any way, are tried again each in a transaction of its own, so that a request never fails for what another one asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from balancer.trades import draft
from balancer.trades.requests import DepositWish, Request
from shared import log
from shared.errors import DatabaseUnavailable

if TYPE_CHECKING:
    from balancer.context import Context

logger = log.get(__name__)

AT_ONCE = 2
REQUESTS_MAX = 32


@dataclass(frozen=True, slots=True, eq=False)
class _Asked:
    request: Request
    wish: DepositWish
    made: asyncio.Future[draft.Made]

    @property
    def marks(self) -> set[Hashable]:
        """Requests that have one of these in common must see each other's rows, so they do not go together."""
        return {self.wish.user_id, self.wish.trade_url.partner, (self.request.caller.client_id, self.request.key)}


class Together:
    """Shared transactions of one process; used in the event loop's thread."""

    def __init__(self) -> None:
        self._waiting: list[_Asked] = []
        self._workers = 0
        self._under_way: set[asyncio.Task[None]] = set()

    async def deposit(self, ctx: Context, request: Request, wish: DepositWish) -> draft.Made:
        """What `opening.deposit` makes of it, committed.

        Raises:
            whatever `opening.deposit` raises; then nothing of it was written.
        """
        asked = _Asked(request, wish, asyncio.get_running_loop().create_future())
        self._waiting.append(asked)
        if self._workers < AT_ONCE:
            self._workers += 1
            self._start(self._work(ctx))
        try:
            return await asyncio.shield(asked.made)
        except asyncio.CancelledError:
            # Whoever gave up before his turn is not served; once a transaction has begun, it goes on without him.
            if asked in self._waiting:
                self._waiting.remove(asked)
            raise

    async def drain(self) -> None:
        """Wait until everything asked so far has been answered."""
        while self._under_way:
            await asyncio.gather(*self._under_way, return_exceptions=True)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _work(self, ctx: Context) -> None:
        try:
            while self._waiting:
                await self._share(ctx, self._take())
        finally:
            self._workers -= 1

    def _take(self) -> list[_Asked]:
        """The next requests, at most one of each user, partner and key; the others keep their turn."""
        taken: list[_Asked] = []
        left: list[_Asked] = []
        marks: set[Hashable] = set()
        for asked in self._waiting:
            if len(taken) < REQUESTS_MAX and marks.isdisjoint(asked.marks):
                taken.append(asked)
                marks |= asked.marks
            else:
                left.append(asked)
        self._waiting = left
        return taken

    async def _share(self, ctx: Context, batch: list[_Asked]) -> None:
        """Answer all of a batch, or leave some to transactions of their own."""
        made: Sequence[draft.Made | None]
        try:
            made = await ctx.db.run(draft.deposit_many, ctx, [(asked.request, asked.wish) for asked in batch])
        except DatabaseUnavailable as error:  # nobody is served better alone
            for asked in batch:
                _fail(asked, error)
            return
        except Exception as error:  # whatever it was, each is told its own
            logger.info("not together", action="deposit", requests=len(batch), reason=type(error).__name__)
            made = [None] * len(batch)
        for asked, one in zip(batch, made, strict=True):
            if one is None:
                self._start(self._alone(ctx, asked))
            else:
                asked.made.set_result(one)

    async def _alone(self, ctx: Context, asked: _Asked) -> None:
        try:
            asked.made.set_result(await ctx.db.run(draft.deposit, ctx, asked.request, asked.wish))
        except Exception as error:  # the request's own
            _fail(asked, error)


def _fail(asked: _Asked, error: Exception) -> None:
    asked.made.set_exception(error)
    asked.made.exception()  # a request that was given up does not ask for it
