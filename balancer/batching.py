"""Requests that arrive while work is under way share the next unit of work.

Thirty deposits in one transaction, trades in one query or orders in one round trip cost hardly more than one. No request waits
for others: with nothing under way it begins at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Hashable, Sequence
from contextvars import Context
from dataclasses import dataclass
from typing import Generic, TypeVar

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting(Generic[Asked, Answer]):
    what: Asked
    answer: asyncio.Future[Answer]


class Batch(Generic[Asked, Answer]):
    """One kind of work of this process; used in the event loop's thread.

    ``work`` takes up to ``most`` things and answers each, in their order; ``at_once`` such units run side by side. Things that
    have one of their ``marks`` in common do not share a unit. When a unit fails, all who shared it are told, and nobody else;
    when it goes well, ``then`` is called after all were answered.
    """

    def __init__(
        self,
        work: Callable[[list[Asked]], Awaitable[Sequence[Answer]]],
        *,
        most: int,
        at_once: int = 1,
        marks: Callable[[Asked], Collection[Hashable]] = lambda _: (),
        then: Callable[[list[Asked], Sequence[Answer]], None] = lambda _, __: None,
    ) -> None:
        self._work = work
        self._most = most
        self._at_once = at_once
        self._marks = marks
        self._then = then
        self._waiting: list[_Waiting[Asked, Answer]] = []
        self._under_way: set[asyncio.Task[None]] = set()

    async def ask(self, what: Asked) -> Answer:
        """The answer to this. Who gives up before the work began is left out; what was begun goes on.

        Raises:
            whatever the work raises.
        """
        waiting = self._add(what)
        try:
            return await asyncio.shield(waiting.answer)
        except asyncio.CancelledError:
            if waiting in self._waiting:
                self._waiting.remove(waiting)
            raise

    def put(self, what: Asked) -> asyncio.Future[Answer]:
        """Have this done, whether or not anybody waits for the answer."""
        return self._add(what).answer

    async def drain(self) -> None:
        """Wait until everything asked so far has been answered."""
        while self._under_way:
            await asyncio.gather(*self._under_way, return_exceptions=True)

    def _add(self, what: Asked) -> _Waiting[Asked, Answer]:
        waiting: _Waiting[Asked, Answer] = _Waiting(what, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        if len(self._under_way) < self._at_once:
            # Work for all who wait: it does not go on in the name of the one who came first.
            task = asyncio.create_task(self._until_none_wait(), context=Context())
            self._under_way.add(task)
        return waiting

    async def _until_none_wait(self) -> None:
        # Taken off in the same step in which it found nothing more to do: who comes later starts another.
        try:
            while self._waiting:
                await self._share(self._take())
        finally:
            self._under_way.discard(asyncio.current_task())

    def _take(self) -> list[_Waiting[Asked, Answer]]:
        """The next ones that may go together; the others keep their places."""
        taken: list[_Waiting[Asked, Answer]] = []
        left: list[_Waiting[Asked, Answer]] = []
        marks: set[Hashable] = set()
        for waiting in self._waiting:
            mine = self._marks(waiting.what)
            if len(taken) < self._most and marks.isdisjoint(mine):
                taken.append(waiting)
                marks.update(mine)
            else:
                left.append(waiting)
        self._waiting = left
        return taken

    async def _share(self, batch: list[_Waiting[Asked, Answer]]) -> None:
        asked = [waiting.what for waiting in batch]
        try:
            answers = await self._work(asked)
        except Exception as error:  # theirs; the next ones have their own turn
            for waiting in batch:
                _fail(waiting.answer, error)
            return
        for waiting, answer in zip(batch, answers, strict=True):
            if not waiting.answer.done():
                waiting.answer.set_result(answer)
        self._then(asked, answers)


def _fail(answer: asyncio.Future[Answer], error: Exception) -> None:
    if not answer.done():
        answer.set_exception(error)
        answer.exception()  # a request that was given up does not ask for it
