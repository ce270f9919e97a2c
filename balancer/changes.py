"""Who in this process waits for a trade to change or for an inventory to be read.

A wait that begins after the look may miss the change between them. So whoever looks first and waits then, opens the wait with
`Waiters.expect` *before* looking. All of it runs in the event loop's thread.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any


class Expectation:
    """An open wait for any of some trades; `wait` returns at once if one changed since it was opened."""

    def __init__(self) -> None:
        self._changed = asyncio.Event()

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


class Waiters:
    """Waits by trade id and by the Steam id of an inventory. ``ended``: nobody is to wait for a trade any more."""

    def __init__(self) -> None:
        self.ended = False
        self._trades: dict[str, set[Expectation]] = defaultdict(set)
        self._inventories: dict[str, set[asyncio.Future[Any]]] = defaultdict(set)

    def notify(self, trade_ids: Iterable[str]) -> None:
        """These trades changed: end every wait for one of them."""
        for trade_id in trade_ids:
            for expectation in self._trades.get(trade_id, ()):
                expectation.changed()

    def end(self) -> None:
        """The service stops: wake everybody who waits for a trade, to answer with what there is."""
        self.ended = True
        for expectations in self._trades.values():
            for expectation in expectations:
                expectation.changed()

    @contextmanager
    def expect(self, trade_ids: Iterable[str]) -> Iterator[Expectation]:
        """Open a wait for any of these trades: changes count from here on."""
        expectation = Expectation()
        wanted = set(trade_ids)
        for trade_id in wanted:
            self._trades[trade_id].add(expectation)
        try:
            yield expectation
        finally:
            for trade_id in wanted:
                self._trades[trade_id].discard(expectation)
                if not self._trades[trade_id]:
                    del self._trades[trade_id]

    async def wait(self, trade_ids: Iterable[str], timeout_s: float) -> bool:
        """Whether any of these trades changed within ``timeout_s`` from now."""
        with self.expect(trade_ids) as expectation:
            return await expectation.wait(timeout_s)

    def notify_inventory(self, steam_id: str, result: Any) -> None:
        """The inventory of ``steam_id`` was read, or could not be: give ``result`` to everyone who waits for it."""
        for future in self._inventories.pop(steam_id, ()):
            if not future.done():
                future.set_result(result)

    def expect_inventory(self, steam_id: str) -> asyncio.Future[Any]:
        """A future of the next result for this inventory; open it before the order is given."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._inventories[steam_id].add(future)
        return future

    async def wait_inventory(self, steam_id: str, timeout_s: float) -> Any:
        """The next result for this inventory.

        Raises:
            TimeoutError: none came within ``timeout_s``.
        """
        future = self.expect_inventory(steam_id)
        try:
            return await asyncio.wait_for(future, timeout_s)
        finally:
            waiting = self._inventories.get(steam_id)
            if waiting is not None:
                waiting.discard(future)
                if not waiting:
                    del self._inventories[steam_id]
