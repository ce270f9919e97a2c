"""Fetches the feeds of prices when their time has come, each by one balancer, and decides whether what came is believed."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import partial

from sqlalchemy import Connection

from balancer.db.engine import Database
from balancer.items import belief
from balancer.items.feeds import kept, reader, sources
from balancer.items.feeds.fetch import fetch
from balancer.items.feeds.kept import NewList
from balancer.items.feeds.sources import Feed
from balancer.items.price_list import BadPrices, PriceList
from balancer.items.prices import Prices
from balancer.items.trust import SourceList
from balancer.outward import Outward
from shared import log
from shared.clock import Clock
from shared.errors import DatabaseUnavailable
from shared.sections import PriceSettings
from shared.settings import Settings

EVERY_S = 30.0
# A balancer that dies while it fetches: another one does it after this, on top of the time that an answer may take.
CLAIMED_S = 60.0
# A feed that fails is told of when its list is older than so many of its rounds.
ROUNDS_MISSED = 2

_log = log.get(__name__)


class Fetcher:
    """`round` is called again and again; `close` in the end."""

    def __init__(self, db: Database, clock: Clock, prices: Prices, settings: Settings) -> None:
        self._db = db
        self._clock = clock
        self._prices = prices
        self._rules: PriceSettings = settings.prices
        self._feeds = sources.feeds(settings)
        self._outward = Outward(private=settings.prices.private_addresses)
        self._under_way: dict[str, asyncio.Task[None]] = {}
        self._reading = asyncio.Lock()  # a long list takes memory while it is read: one at a time

    async def round(self) -> None:
        """Begin to fetch what is due. A feed that takes its time holds up no other, and not this round.

        Raises:
            DatabaseUnavailable.
        """
        for feed in self._feeds:
            if feed.name in self._under_way:
                continue
            now = self._clock.now()
            until = now + timedelta(seconds=self._rules.feed_timeout_s + CLAIMED_S)
            if await self._db.run(kept.claim, feed.name, now, until):
                self._under_way[feed.name] = task = asyncio.create_task(self._fetch(feed), name=f"feed-{feed.name}")
                task.add_done_callback(partial(self._ended, feed.name))

    def _ended(self, name: str, done: asyncio.Task[None]) -> None:
        """It is tried again when the claim is over, whatever ended it."""
        self._under_way.pop(name, None)
        error = None if done.cancelled() else done.exception()
        if error is not None:
            known = isinstance(error, DatabaseUnavailable)
            _log.warning("feed not taken", action="prices", feed=name, reason=repr(error), exc_info=None if known else error)

    async def idle(self) -> None:
        """When nothing is under way any more."""
        await asyncio.gather(*self._under_way.values(), return_exceptions=True)

    async def _fetch(self, feed: Feed) -> None:
        rules, again = self._rules, timedelta(seconds=self._rules.feed_retry_s)
        try:
            data = await fetch(feed, self._outward, rules.feed_bytes_max, rules.feed_timeout_s)
            async with self._reading:
                prices = await asyncio.to_thread(reader.read, data, feed.shape, feed.rate)
            del data
        except BadPrices as error:
            now = self._clock.now()
            missed = now - timedelta(seconds=ROUNDS_MISSED * rules.feed_every_s)
            _log.warning("feed not read", action="prices", feed=feed.name, reason=str(error))
            await self._db.run(kept.note_failed, feed.name, str(error), now, now + again, missed)
            return
        before = await self._db.read(kept.good_list, feed.name)
        new, why = await asyncio.to_thread(judged, prices, before, dict(self._prices.all()), rules)
        now, digest = self._clock.now(), before.digest if before is not None else None
        # A shop that serves an old list for days, without being away, must not make it look new.
        at = now if prices.at is None else min(now, datetime.fromtimestamp(prices.at, UTC))
        taken = await self._db.run(_note, feed.name, new, why, digest, at, now, now + timedelta(seconds=rules.feed_every_s))
        _log.info(
            "feed read" if taken else "feed read, and another list was accepted meanwhile",
            action="prices",
            feed=feed.name,
            names=new.names,
            left_out=dict(prices.left_out),
            held=why,
        )

    async def close(self) -> None:
        """What is under way is given up; another balancer fetches it when the claim is over."""
        for task in list(self._under_way.values()):
            task.cancel()
        await self.idle()
        await self._outward.close()


def judged(
    prices: PriceList, before: SourceList | None, others: Mapping[str, int], rules: PriceSettings
) -> tuple[NewList, str | None]:
    """A feed's new list, and why it is held back, if so. ``others`` are the prices in use, for a feed's first list."""
    if before is not None:
        why = belief.why_not(before.cents, prices.cents, rules)
    else:
        why = belief.why_not_first(others, prices.cents, rules)
    return NewList.of(prices), why


def _note(
    connection: Connection,
    source: str,
    new: NewList,
    why: str | None,
    before: str | None,
    at: datetime,
    now: datetime,
    next_at: datetime,
) -> bool:
    if why is None:
        return kept.note_good(connection, source, new, before, at, next_at)
    return kept.note_held(connection, source, new, why, before, at, now, next_at)
