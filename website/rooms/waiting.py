"""Waiting for the answer to a bet: one look for everybody who waits, so that none of them holds a thread or a connection."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from weakref import WeakKeyDictionary

from asgiref.sync import sync_to_async
from django.db import Error, connections

from website.rooms.models import Bet

LOOK_S = 0.02
AWAY_S = 0.5
ANSWERED = (Bet.PLACED, Bet.REFUSED, Bet.OVER)

_log = logging.getLogger(__name__)


async def answered(row: Bet, patience_s: float) -> Bet:
    """The bet once it is answered, or as it is after so long."""
    if row.state in ANSWERED:
        return row
    loop = asyncio.get_running_loop()
    watch = _watches.get(loop) or _watches.setdefault(loop, _Watch())
    waiting = watch.ask(row.pk)
    await asyncio.wait({waiting}, timeout=patience_s)
    if waiting.done():
        return waiting.result()
    watch.forget(row.pk, waiting)
    return await sync_to_async(_as_it_is)(row.pk)


class _Watch:
    """Who waits in one loop. It looks while somebody does, in a thread whose connection is closed with the last of them."""

    def __init__(self) -> None:
        self._waiting: dict[int, list[asyncio.Future[Bet]]] = defaultdict(list)
        self._looking: asyncio.Task[None] | None = None

    def ask(self, key: int) -> asyncio.Future[Bet]:
        made = asyncio.get_running_loop().create_future()
        self._waiting[key].append(made)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        return made

    def forget(self, key: int, waiting: asyncio.Future[Bet]) -> None:
        self._waiting[key].remove(waiting)
        if not self._waiting[key]:
            del self._waiting[key]

    async def _look(self) -> None:
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(1, "bets") as thread:
            while self._waiting:
                await asyncio.sleep(LOOK_S)
                try:
                    found = await loop.run_in_executor(thread, _found, list(self._waiting))
                except Error as error:
                    _log.warning("bets are not looked at: %s", type(error).__name__)
                    await loop.run_in_executor(thread, connections.close_all)
                    await asyncio.sleep(AWAY_S)
                    continue
                for row in found:
                    for each in self._waiting.pop(row.pk, ()):
                        if not each.done():
                            each.set_result(row)
            self._looking = None  # whoever asks from now on begins another look
            await loop.run_in_executor(thread, connections.close_all)


_watches: WeakKeyDictionary[asyncio.AbstractEventLoop, _Watch] = WeakKeyDictionary()


def _found(keys: Collection[int]) -> list[Bet]:
    return list(Bet.objects.filter(pk__in=keys, state__in=ANSWERED).select_related("player"))


def _as_it_is(key: int) -> Bet:
    return Bet.objects.select_related("player").get(pk=key)
