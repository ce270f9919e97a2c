"""Brings what the sources know to this balancer: the price file as it lies here, feeds as they were fetched by anybody."""

from __future__ import annotations

from balancer.db.engine import Database
from balancer.items import catalogue, price_lists
from balancer.items.feeds import kept
from balancer.items.feeds.sources import FILE
from balancer.items.prices import Prices
from balancer.journal import alarms
from shared import log
from shared.clock import Clock
from shared.errors import DatabaseUnavailable

_log = log.get(__name__)


async def refresh(db: Database, prices: Prices, clock: Clock) -> bool:
    """Look at every source, and put new values into the table of items, beside the requests. Whether the database could be
    asked; what was read before stays in use."""
    try:
        await read_lists(db, prices, clock)
        await _tell_of_file(db, prices, clock)
        await catalogue.write(db, prices)
    except DatabaseUnavailable as error:
        _log.warning("prices not checked", action="prices", reason=error.error_code)
        return False
    return True


async def read_lists(db: Database, prices: Prices, clock: Clock) -> None:
    """The same without writing anything.

    Raises:
        DatabaseUnavailable.
    """
    if prices.file is not None:
        await prices.file.check(await db.read(price_lists.known, price_lists.FILE))
    if prices.feeds:
        standings = await db.read(kept.standings)
        prices.troubles({name: each.trouble for name, each in standings.items() if name in prices.feeds and each.trouble})
        known = prices.versions()
        for name in prices.feeds & standings.keys():
            if (standings[name].digest, standings[name].good_at) != known.get(name, (None, None)):
                good = await db.read(kept.good_list, name)
                if good is not None:
                    prices.take(good)
    if prices.combine(clock.now()):
        _log.info("prices in use", action="prices", known=len(prices), sources=[each.source for each in prices.values.parts])


async def _tell_of_file(db: Database, prices: Prices, clock: Clock) -> None:
    """What is wrong with the price file, or held back, is written down."""
    if prices.file is None:
        return
    if prices.file.held is not None:
        await db.run(price_lists.hold, FILE, prices.file.held, clock.now())
    if prices.file.error is not None:
        await db.run(alarms.of_prices, prices.file.error, clock.now())
