"""Feeds in the database: one balancer fetches, all use; the last good list stays; what is not believed waits."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from balancer_core.core_world import World
from sqlalchemy import select, update

from balancer.db import tables
from balancer.items import catalogue, price_refresh
from balancer.items.feeds import kept
from balancer.items.price_list import PriceList
from balancer.items.prices import Prices
from balancer.journal import alarms
from balancer.journal.by import By
from balancer.upkeep import purge
from balancer.upkeep.feeds import Fetcher
from shared.errors import NotFound
from shared.settings import Settings

Make = Callable[..., Awaitable[World]]
ONE_DATABASE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
OLD = {f"Item {number}": 1000 + number for number in range(20)}
WILD = {name: cents * 100 for name, cents in OLD.items()}


class Shop:
    """A world whose values come from one feed, a file that the test writes."""

    def __init__(self, world: World, path: Path, prices: Prices) -> None:
        self.world = world
        self.path = path
        self.prices = prices
        self.settings = _with_feed(world.ctx.settings, path)
        self.fetcher = Fetcher(world.ctx.db, world.ctx.clock, prices, self.settings)

    async def gives(self, cents: dict[str, int] | bytes) -> None:
        """Its time comes, and it gives this."""
        self.path.write_bytes(cents if isinstance(cents, bytes) else json.dumps(cents).encode())
        self.world.change(update(tables.price_feeds).values(next_at=self.now()))
        await self.fetcher.round()
        await self.fetcher.idle()
        await price_refresh.refresh(self.world.ctx.db, self.prices, self.world.ctx.clock)

    def now(self) -> datetime:
        return self.world.ctx.clock.now()

    def standing(self) -> kept.Standing:
        with self.world.ctx.db.transaction() as connection:
            return kept.standings(connection)["shop"]

    def accept(self, digest: str = "") -> kept.Standing:
        with self.world.ctx.db.transaction() as connection:
            return kept.accept(connection, "shop", digest, "they renamed all", By("cli:ann", self.now()))

    def alarms(self) -> list[dict[str, Any]]:
        return [json.loads(event.data) for event in self.world.events("alarm")]


def _with_feed(settings: Settings, path: Path) -> Settings:
    feed = {"file": str(path), "preset": "plain"}
    told = {**settings.prices.model_dump(), "sources": ["shop"], "feeds": {"shop": feed}}
    return settings.model_copy(update={"prices": type(settings.prices).model_validate(told)})


@pytest.fixture
def shop(world: World, tmp_path: Path) -> Shop:
    path = tmp_path / "list.json"
    return Shop(world, path, Prices(_with_feed(world.ctx.settings, path)))


@pytest.mark.both_databases
async def test_a_feeds_list_is_used_by_every_balancer_and_after_a_restart(shop: Shop) -> None:
    await shop.gives(OLD)
    assert shop.prices.value("Item 3") == 1003
    world, other = shop.world, Prices(shop.settings)
    await price_refresh.read_lists(world.ctx.db, other, world.ctx.clock)  # another balancer, or this one after a restart
    assert other.value("Item 3") == 1003 and other.standing(shop.now())["ok"]
    [row] = world.rows(select(tables.items).where(tables.items.c.market_hash_name == "Item 3"))
    assert (row.value_cents, row.value_source, row.valued_at) == (1003, "shop", shop.standing().good_at)


@pytest.mark.both_databases
async def test_one_balancer_fetches_in_each_round(shop: Shop) -> None:
    await shop.gives(OLD)
    db, clock, rules = shop.world.ctx.db, shop.world.ctx.clock, shop.settings.prices
    assert shop.standing().next_at == shop.standing().good_at + timedelta(seconds=rules.feed_every_s)  # type: ignore[operator]
    now, until = clock.now(), clock.now() + timedelta(seconds=90)
    assert not await db.run(kept.claim, "shop", now, until)
    later = now + timedelta(seconds=rules.feed_every_s + 1)
    assert await db.run(kept.claim, "shop", later, later + timedelta(seconds=90))
    assert not await db.run(kept.claim, "shop", later, later + timedelta(seconds=90))  # another one; the first may have died:
    assert await db.run(kept.claim, "shop", later + timedelta(seconds=90), later + timedelta(seconds=180))


@pytest.mark.both_databases
async def test_a_list_that_is_not_believed_waits_for_an_operator_with_an_alarm(shop: Shop) -> None:
    await shop.gives(OLD)
    await shop.gives(WILD)
    assert shop.prices.value("Item 3") == 1003
    standing = shop.standing()
    assert standing.held is not None and standing.held.why == "20 of 20 prices have moved by more than the factor 3"
    told = shop.prices.standing(shop.now())
    assert not told["ok"] and told["error"].startswith("held back: 20 of 20")
    [alarm] = shop.alarms()
    assert (alarm["alarm"], alarm["feed"]) == ("prices", "shop") and "fleet prices accept shop" in alarm["action"]
    await shop.gives({**WILD, "new": 5})
    assert len(shop.alarms()) == 1  # once a day
    with pytest.raises(NotFound, match="another list"):
        shop.accept(standing.held.digest)  # the one that was looked at is not held back any more
    assert shop.accept().digest == shop.standing().digest
    await price_refresh.refresh(shop.world.ctx.db, shop.prices, shop.world.ctx.clock)
    assert (shop.prices.value("Item 3"), shop.prices.value("new")) == (100_300, 5)
    assert shop.prices.standing(shop.now())["ok"]
    [event] = shop.world.events("prices_accepted")
    data = json.loads(event.data)
    assert (event.who, data["feed"], data["reason"], data["names"]) == ("cli:ann", "shop", "they renamed all", 21)
    with pytest.raises(NotFound, match="no list"):
        shop.accept()
    await shop.gives({**WILD, "new": 6})  # and what comes next is compared with what was accepted
    assert shop.prices.value("new") == 6 and shop.standing().held is None


@pytest.mark.both_databases
async def test_a_list_that_was_compared_with_another_one_than_is_in_use_by_now_changes_nothing(shop: Shop) -> None:
    await shop.gives(OLD)
    await shop.gives(WILD)
    old, now = shop.standing().digest, shop.now()
    new = kept.NewList.of(PriceList({**OLD, "new": 1}))  # this is on its way, compared with the old list …
    accepted = shop.accept()  # … and somebody accepts the wild one
    run = shop.world.ctx.db.run
    assert not await run(kept.note_good, "shop", new, old, now, now + timedelta(hours=6))
    assert not await run(kept.note_held, "shop", new, "moved", old, now, now, now + timedelta(hours=6))
    assert shop.standing() == accepted and len(shop.alarms()) == 1


@ONE_DATABASE
async def test_a_good_list_puts_one_that_was_held_back_aside(shop: Shop) -> None:
    await shop.gives(OLD)
    await shop.gives({name: OLD[name] for name in list(OLD)[:9]})
    assert shop.standing().held is not None
    await shop.gives({**OLD, "Item 3": 1004})
    assert shop.standing().held is None and shop.prices.value("Item 3") == 1004


@ONE_DATABASE
async def test_a_first_list_is_compared_with_the_prices_in_use(shop: Shop, tmp_path: Path) -> None:
    await shop.gives(OLD)
    other = tmp_path / "other.json"
    other.write_text(json.dumps(WILD))
    feeds = {"shop": {"file": str(shop.path), "preset": "plain"}, "new": {"file": str(other), "preset": "plain"}}
    told = {**shop.settings.prices.model_dump(), "sources": ["new", "shop"], "feeds": feeds}
    settings = shop.settings.model_copy(update={"prices": type(shop.settings.prices).model_validate(told)})
    prices, ctx = Prices(settings), shop.world.ctx
    await price_refresh.refresh(ctx.db, prices, ctx.clock)
    fetcher = Fetcher(ctx.db, ctx.clock, prices, settings)
    await fetcher.round()
    await fetcher.idle()
    await price_refresh.refresh(ctx.db, prices, ctx.clock)
    with ctx.db.transaction() as connection:
        held = kept.standings(connection)["new"].held
    assert held is not None and "first list" in held.why and prices.value("Item 3") == 1003


BAD = [b"", b"{", b'{"status":{}}', b"[1,2]", b'{"prices":{"a":null}}', b"<html>", b"\x1f\x8bno gzip", b"[" * 100_000]


@ONE_DATABASE
@pytest.mark.parametrize("body", BAD)
async def test_a_feed_that_cannot_be_read_keeps_its_last_good_list(shop: Shop, body: bytes) -> None:
    await shop.gives(OLD)
    await shop.gives(body)
    standing = shop.standing()
    assert standing.error and standing.failing_since is not None and shop.prices.value("Item 3") == 1003
    assert shop.alarms() == []  # one try that fails is nothing to get up for
    assert standing.next_at == standing.failing_since + timedelta(seconds=shop.settings.prices.feed_retry_s)
    await shop.gives(OLD)
    assert shop.standing().error is None and shop.standing().failing_since is None


@ONE_DATABASE
async def test_a_feed_that_stays_away_or_never_came_is_an_alarm(shop: Shop) -> None:
    await shop.gives(b"nothing")
    [alarm] = shop.alarms()
    assert alarm["reason"] == "JSON is wanted" and "fleet prices try shop" in alarm["action"]
    await shop.gives(OLD)
    long_ago = shop.now() - timedelta(seconds=2 * shop.settings.prices.feed_every_s + 1)
    shop.world.change(update(tables.price_feeds).values(good_at=long_ago))
    await shop.gives(b"<html>")
    assert len(shop.alarms()) == 1  # the same reason on the same day
    shop.world.change(tables.alarms.delete())
    await shop.gives(b"<html>")
    assert len(shop.alarms()) == 2


@ONE_DATABASE
async def test_a_feed_that_takes_its_time_holds_up_no_other_and_is_given_up_at_the_end(world: World, tmp_path: Path) -> None:
    async def never(_request: web.Request) -> web.Response:
        await asyncio.sleep(3600)
        return web.Response()

    app, path = web.Application(), tmp_path / "list.json"
    app.router.add_get("/", never)
    path.write_text(json.dumps(OLD))
    async with TestServer(app) as server:
        feeds = {
            "slow": {"address": f"http://127.0.0.1:{server.port}/", "preset": "plain"},
            "shop": {"file": str(path), "preset": "plain"},
        }
        told = {"sources": ["slow", "shop"], "feeds": feeds, "private_addresses": True}
        ctx = world.ctx
        rules = type(ctx.settings.prices).model_validate({**ctx.settings.prices.model_dump(), **told})
        settings = ctx.settings.model_copy(update={"prices": rules})
        prices = Prices(settings)
        fetcher = Fetcher(ctx.db, ctx.clock, prices, settings)
        async with asyncio.timeout(60):
            await fetcher.round()
            while prices.value("Item 3") is None:
                await price_refresh.read_lists(ctx.db, prices, ctx.clock)
                await asyncio.sleep(0.01)
            await fetcher.round()  # and goes on being asked once only
            await fetcher.close()
        assert prices.value("Item 3") == 1003


@ONE_DATABASE
async def test_a_list_is_as_old_as_it_says_itself(shop: Shop) -> None:
    feed = {"file": str(shop.path), "preset": "plain", "time_at": "updated_at"}
    told = {**shop.settings.prices.model_dump(), "feeds": {"shop": feed}}
    rules = type(shop.settings.prices).model_validate(told)
    shop.fetcher = Fetcher(
        shop.world.ctx.db, shop.world.ctx.clock, shop.prices, shop.settings.model_copy(update={"prices": rules})
    )
    old = shop.now() - timedelta(days=3)
    await shop.gives(json.dumps({"updated_at": old.isoformat(), "prices": OLD}).encode())
    assert shop.standing().good_at == old and shop.prices.standing(shop.now())["age_s"] == pytest.approx(3 * 86400, abs=60)
    [row] = shop.world.rows(select(tables.items).where(tables.items.c.market_hash_name == "Item 3"))
    assert row.valued_at == old  # so no game locks at this value
    await shop.gives(json.dumps({"updated_at": "2999-01-01T00:00:00Z", "prices": OLD}).encode())
    good_at = shop.standing().good_at
    assert good_at is not None and good_at <= shop.now()


@ONE_DATABASE
async def test_good_rows_beside_bad_ones_are_used(shop: Shop) -> None:
    await shop.gives(b'{"Knife": 5, "Bad": "free", "": 1, "Nothing": null}')
    assert dict(shop.prices.all()) == {"Knife": 5} and shop.standing().left_out == 3


# --- the table of items -------------------------------------------------------------------------------------------------


def values(world: World, name: str) -> list[tuple[int, str]]:
    with world.ctx.db.transaction() as connection:
        return [(each.value_cents, each.source) for each in catalogue.history(connection, name)]


@pytest.mark.both_databases
async def test_what_changed_is_kept_with_its_time_and_source(world: World) -> None:
    clock = world.ctx.clock
    t0 = clock.now()
    run = world.ctx.db.run
    await run(catalogue.upsert, {"Knife": 5, "Glove": 7}, "file", t0)
    await run(catalogue.upsert, {"Knife": 5, "Glove": 7}, "file", t0)
    await run(catalogue.upsert, {"Knife": 5, "Glove": 8}, "file", t0 + timedelta(hours=6))
    await run(catalogue.upsert, {"Knife": 4}, "file", t0 - timedelta(hours=1))  # of an earlier time: nothing
    await run(catalogue.upsert, {"Glove": 8}, "shop", t0 + timedelta(hours=1))  # another source decides now, whatever its time
    assert values(world, "Knife") == [(5, "file")]
    assert sorted(values(world, "Glove")) == [(7, "file"), (8, "file"), (8, "shop")]
    rows = {row.market_hash_name: row for row in world.rows(select(tables.items))}
    assert (rows["Knife"].value_cents, rows["Knife"].valued_at) == (5, t0 + timedelta(hours=6))  # as new as its list
    assert (rows["Glove"].value_source, rows["Glove"].valued_at) == ("shop", t0 + timedelta(hours=1))


@pytest.mark.both_databases
async def test_what_the_house_has_set_stays(world: World) -> None:
    now = world.ctx.clock.now()
    await world.ctx.db.run(catalogue.upsert, {"Ticket": 100}, tables.HOUSE, now)
    await world.ctx.db.run(catalogue.upsert, {"Ticket": 5}, "shop", now + timedelta(days=1))
    assert values(world, "Ticket") == [(100, tables.HOUSE)]


@ONE_DATABASE
async def test_history_goes_in_its_time(world: World) -> None:
    now, run = world.ctx.clock.now(), world.ctx.db.run
    days = world.ctx.settings.retention.values_days
    for age, cents in ((days + 1, 5), (days - 1, 6), (0, 7)):
        await run(catalogue.upsert, {"Knife": cents}, "file", now - timedelta(days=age))
    await purge.purge(world.ctx)
    assert values(world, "Knife") == [(7, "file"), (6, "file")]


def test_each_alarm_says_what_to_do() -> None:
    for words in ("fleet prices status", "fleet prices try shop", "fleet prices accept shop", "key"):
        assert words in alarms.FEED_ACTION.format(source="shop")
