"""The end of the feed, in memory: one look at the database per tick, however many listen.

`Tail` reads on behind the last event with `events.behind`, so it is as gapless as the feed itself: no number appears below one
that was read. What it has read is written as JSON once and kept for a while. A listener who is at the end reads from memory;
one who is further back reads pages from the database until it has caught up, a few of them at a time. So nobody waits for a
slow listener. All of it runs in the event loop's thread, and only while somebody listens.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import Context
from dataclasses import dataclass

from balancer import fields
from balancer.changes import Changes
from balancer.db.engine import Database
from balancer.journal import events
from shared import log
from shared.errors import DatabaseUnavailable

TICK_S = 0.04
AWAY_S = 0.5  # between two tries while the database does not answer
PAGE = 500
KEPT_MAX = 4000
CATCHING_UP_MAX = 2

_log = log.get(__name__)


@dataclass(frozen=True, slots=True)
class Line:
    """One event as JSON."""

    number: int
    kind: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Page:
    """Lines in order, and the number from which to read on: there is nothing else up to it."""

    lines: list[Line]
    next: int


class Tail:
    """Follows the feed while somebody is `listening`."""

    def __init__(self, db: Database, changes: Changes, livemode: bool) -> None:
        self._db = db
        self._changes = changes
        self._livemode = livemode
        self._listeners = 0
        self._following: asyncio.Task[None] | None = None
        self._catching_up = asyncio.Semaphore(CATCHING_UP_MAX)
        self._kept: list[Line] = []
        self._since: int | None = None  # everything behind this number is kept, up to …
        self._end = 0
        self._read_at = 0.0
        self._ticked = asyncio.Event()

    @property
    def age_s(self) -> float:
        """How long ago the feed was read to its end."""
        return asyncio.get_running_loop().time() - self._read_at

    @contextmanager
    def listening(self) -> Iterator[None]:
        """The feed is followed inside of this block."""
        if not self._listeners:
            self._read_at = asyncio.get_running_loop().time()
            self._following = asyncio.create_task(self._follow(), name="tail", context=Context())
        self._listeners += 1
        try:
            yield
        finally:
            self._listeners -= 1
            if not self._listeners and self._following is not None:
                self._following.cancel()
                self._kept, self._since = [], None

    async def read(self, after: int, wait_s: float) -> Page:
        """What comes behind ``after``: one page at once, or what comes first within ``wait_s``; no lines if nothing does.

        Raises:
            DatabaseUnavailable: somebody who is behind could not be given the next page.
        """
        until = asyncio.get_running_loop().time() + wait_s
        while True:
            since, ticked = self._since, self._ticked
            if since is not None and after >= since:
                page = self._remembered(after)
            else:
                page = await self._looked_up(after, since)
            left_s = until - asyncio.get_running_loop().time()
            if page.lines or left_s <= 0 or self._changes.ended:
                return page
            after = page.next
            await _within(left_s, ticked)

    def _remembered(self, after: int) -> Page:
        first = bisect_right(self._kept, after, key=lambda line: line.number)
        lines = self._kept[first : first + PAGE]
        return Page(lines, lines[-1].number if lines else after)

    async def _looked_up(self, after: int, since: int | None) -> Page:
        async with self._catching_up:
            page = await self._db.read(events.behind, after, PAGE, self._livemode)
        if page:
            return Page([line(event) for event in page], page[-1].number)
        # What is in memory began before this look, and there is nothing in between.
        return Page([], after if since is None else max(after, since))

    async def _follow(self) -> None:
        while not self._changes.ended:
            try:
                more = await self._tick()
                self._read_at = asyncio.get_running_loop().time()
            except DatabaseUnavailable:  # told by the database itself
                await asyncio.sleep(AWAY_S)
            except Exception:  # it must outlive any tick
                _log.exception("feed not read", action="tail")
                await asyncio.sleep(AWAY_S)
            else:
                await asyncio.sleep(0 if more else TICK_S)
        self._wake()

    async def _tick(self) -> bool:
        """Read what is new. Whether there may be more at once."""
        if self._since is None:
            self._end = await self._db.read(events.settled)
            self._since = self._end
            self._wake()
        if await self._db.read(events.newest) <= self._end:
            return False
        page = await self._db.read(events.behind, self._end, PAGE, self._livemode)
        if page:
            self._kept += [line(event) for event in page]
            self._end = page[-1].number
            self._forget()
            self._wake()
        return len(page) == PAGE

    def _forget(self) -> None:
        """Keep the last ones only; in steps, as each moves all that is kept."""
        if len(self._kept) > 2 * KEPT_MAX:
            self._since = self._kept[-KEPT_MAX - 1].number
            self._kept = self._kept[-KEPT_MAX:]

    def _wake(self) -> None:
        self._ticked.set()
        self._ticked = asyncio.Event()


def line(event: events.Event) -> Line:
    """An event as the feed, a stream and a webhook show it."""
    return Line(event.number, event.kind, fields.to_json(event))


async def _within(wait_s: float, ticked: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(wait_s):
            await ticked.wait()
    except TimeoutError:
        return
