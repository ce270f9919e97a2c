"""Looking up single trades, many requests at once: what comes while a look is under way shares the next one.

A look of one trade costs two statements and a change of threads; of thirty trades hardly more. Nobody waits for company: with
nothing under way a look begins at once. Each request is answered by a look that began after it came, so it sees what was
committed by then.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Row

from balancer.db.engine import Database
from balancer.journal import views

AT_ONCE = 2
IDS_MAX = 64

Found = tuple[Row[Any], list[Row[Any]]]  # a trade's row, its items' rows


class Looks:
    """Shared looks of one process; used in the event loop's thread."""

    def __init__(self) -> None:
        self._wanted: dict[str, asyncio.Future[Found | None]] = {}
        self._under_way: set[asyncio.Task[None]] = set()

    async def trade(self, db: Database, trade_id: str) -> Found | None:
        """The rows of one trade, ``None`` if there is none.

        Raises:
            DatabaseUnavailable.
        """
        future = self._wanted.get(trade_id)
        if future is None:
            future = self._wanted[trade_id] = asyncio.get_running_loop().create_future()
        if len(self._under_way) < AT_ONCE:
            self._under_way.add(asyncio.create_task(self._until_none_wanted(db)))
        return await asyncio.shield(future)

    async def _until_none_wanted(self, db: Database) -> None:
        # Taken off the list in the same step in which it found nothing more wanted: who comes later starts another.
        try:
            await self._look_on(db)
        finally:
            self._under_way.discard(asyncio.current_task())

    async def _look_on(self, db: Database) -> None:
        while self._wanted:
            ids = list(self._wanted)[:IDS_MAX]
            futures = {trade_id: self._wanted.pop(trade_id) for trade_id in ids}
            try:
                found = _by_trade(*await db.look(views.by_ids, ids))
            except Exception as error:  # everybody who waits is told; the next batch has its own turn
                _fail(futures.values(), error)
                continue
            for trade_id, future in futures.items():
                future.set_result(found.get(trade_id))


def _fail(futures: Iterable[asyncio.Future[Found | None]], error: Exception) -> None:
    for future in futures:
        future.set_exception(error)
        future.exception()  # a request that was given up does not ask for it


def _by_trade(rows: list[Row[Any]], items: list[Row[Any]]) -> dict[str, Found]:
    found: dict[str, Found] = {row.trade_id: (row, []) for row in rows}
    for item in items:
        found[item.trade_id][1].append(item)
    return found
