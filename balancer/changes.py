"""Who in this process waits for a trade to change.

A wait that begins after a read may miss a change between the two. So a caller that reads and then waits opens the wait with
`Changes.expect` *before* it reads. All of it runs in the event loop's thread.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager


class Expectation:
    """An open wait for any of some trades; `wait` returns at once if one changed since it was opened."""

    def __init__(self, waits: defaultdict[str, set[Expectation]]) -> None:
        self.trade_ids: set[str] = set()
        self._waits = waits
        self._changed = asyncio.Event()

    def add(self, trade_ids: Iterable[str]) -> None:
        """Wait for these trades too, from now on."""
        for trade_id in trade_ids:
            self.trade_ids.add(trade_id)
            self._waits[trade_id].add(self)

    def changed(self) -> None:
        self._changed.set()

    async def wait(self, timeout_s: float) -> bool:
        """Whether one changed within ``timeout_s``. A second call waits for the next change."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._changed.wait()
        except TimeoutError:
            return False
        self._changed.clear()
        return True


class Changes:
    """Waits by trade id. ``ended``: nobody is to wait for a trade any more."""

    def __init__(self) -> None:
        self.ended = False
        self._trades: defaultdict[str, set[Expectation]] = defaultdict(set)
        self._listeners: list[Callable[[Iterable[str]], None]] = []

    def listen(self, listener: Callable[[Iterable[str]], None]) -> None:
        """Call this with the ids of all trades that change from now on."""
        self._listeners.append(listener)

    def notify(self, trade_ids: Iterable[str]) -> None:
        """These trades changed: end every wait for one of them."""
        trade_ids = list(trade_ids)
        for trade_id in trade_ids:
            for expectation in self._trades.get(trade_id, ()):
                expectation.changed()
        for listener in self._listeners:
            listener(trade_ids)

    def end(self) -> None:
        """The service stops: wake everybody who waits for a trade, to answer with what there is."""
        self.ended = True
        for expectations in self._trades.values():
            for expectation in expectations:
                expectation.changed()

    @contextmanager
    def expect(self, trade_ids: Iterable[str] = ()) -> Iterator[Expectation]:
        """Open a wait for any of these trades, and of those that are added: changes count from there on."""
        expectation = Expectation(self._trades)
        expectation.add(trade_ids)
        try:
            yield expectation
        finally:
            for trade_id in expectation.trade_ids:
                self._trades[trade_id].discard(expectation)
                if not self._trades[trade_id]:
                    del self._trades[trade_id]

    async def wait(self, trade_ids: Iterable[str], timeout_s: float) -> bool:
        """Whether any of these trades changed within ``timeout_s`` from now."""
        with self.expect(trade_ids) as expectation:
            return await expectation.wait(timeout_s)
