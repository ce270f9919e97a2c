"""A feed from a real server, at a whole balancer: fetched, shown, held back, accepted at the command line, and its history."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from balancer_http.harness import GOOD, ONE_DATABASE, PRICES, READY_S, Service
from balancer_http.test_commands import fleet
from sqlalchemy import update

from balancer.db import tables
from balancer.web.handlers import health
from shared.sections import PriceSettings
from shared.settings import Settings

pytestmark = ONE_DATABASE

CATALOGUE = {GOOD: "9.99", "Glove": "77", **{f"Item {number}": f"{number}.05" for number in range(1, 20)}}


class Shop:
    """A server with a list in market.csgo.com's shape."""

    def __init__(self) -> None:
        self.prices = dict(CATALOGUE)
        self.status = 200
        self.calls = 0
        self.url = ""

    async def handle(self, _request: web.Request) -> web.Response:
        self.calls += 1
        rows = [{"market_hash_name": name, "volume": "3", "price": price} for name, price in self.prices.items()]
        body = gzip.compress(json.dumps({"success": True, "currency": "USD", "items": [*rows, None, 5]}).encode())
        return web.Response(body=body, status=self.status, headers={"Content-Encoding": "gzip"})


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    made, app = Shop(), web.Application()
    app.router.add_get("/list", made.handle)
    async with TestServer(app) as server:
        made.url = f"http://127.0.0.1:{server.port}/list?key=secret"
        yield made


@pytest.fixture
def settings(settings: Settings, shop: Shop) -> Settings:
    told = {
        **settings.prices.model_dump(),
        "sources": ["file", "shop"],
        "feeds": {"shop": {"address": shop.url, "preset": "market_csgo"}},
        "private_addresses": True,
    }
    balancer = settings.balancer.model_copy(update={"prices_check_s": 0.05})
    return settings.model_copy(update={"prices": PriceSettings.model_validate(told), "balancer": balancer})


@pytest.fixture
def config(settings: Settings, shop: Shop, tmp_path: Path) -> Path:
    path, balancer = tmp_path / "fleet.toml", settings.balancer
    path.write_text(
        f'[redis]\nurl = "{settings.redis.url}"\n[database]\nurl = "{settings.database.url}"\n'
        f'[balancer]\nmaster_key_file = "{balancer.master_key_file}"\nprices_file = "{balancer.prices_file}"\n'
        '[prices]\nsources = ["file", "shop"]\nprivate_addresses = true\n'
        f'[prices.feeds.shop]\naddress = "{shop.url}"\npreset = "market_csgo"\n'
    )
    return path


async def until(what: Callable[[], bool]) -> None:
    async with asyncio.timeout(READY_S):
        while not what():
            await asyncio.sleep(0.02)


async def fetched(service: Service) -> None:
    """The feed's time has come once more."""
    await service.ctx.db.run(
        lambda connection: connection.execute(update(tables.price_feeds).values(next_at=service.ctx.clock.now()))
    )
    await service.part(health.LOOPS).feeds.round()
    await service.part(health.LOOPS).feeds.idle()


async def ready(service: Service) -> dict[str, Any]:
    told: dict[str, Any] = (await (await service.client.get("/readyz")).json())["checks"]["prices"]
    return told


async def said(config: Path, *arguments: str) -> tuple[int, Any]:
    done = await asyncio.to_thread(fleet, config, "prices", *arguments, "--json")
    assert "secret" not in done.output
    return done.exit_code, json.loads(done.stdout) if done.stdout else done.output


async def test_a_feed_is_fetched_held_back_and_accepted(service: Service, shop: Shop, config: Path) -> None:
    prices = service.ctx.prices
    await until(lambda: prices.value("Glove") == 7700)
    assert prices.value(GOOD) == PRICES[GOOD]  # the file is trusted first
    told = await ready(service)
    assert told["ok"] and told["sources"]["shop"]["known"] == 21 and told["sources"]["file"]["known"] == len(PRICES)

    code, status = await said(config, "status")
    file, feed = status["sources"]
    assert (code, file["source"], feed["source"], feed["place"]) == (0, "file", "shop", "127.0.0.1")
    assert (feed["usable"], feed["names"], feed["left_out"], feed["error"], feed["held"]) == (True, 21, 2, None, None)

    shop.prices = {name: str(float(price) * 100) for name, price in CATALOGUE.items()}
    await fetched(service)
    await until(lambda: not prices.standing(service.ctx.clock.now())["ok"])
    assert prices.value("Glove") == 7700
    assert (await ready(service))["error"].startswith("held back: 20 of 21") or (await ready(service))["error"].startswith(
        "held back: 21 of 21"
    )
    code, status = await said(config, "status")
    assert code == 1 and "factor 3" in status["sources"][1]["held"]["why"]
    text = (await asyncio.to_thread(fleet, config, "prices", "status")).stdout
    assert "fleet prices accept shop --digest" in text and "held back" in text

    digest = status["sources"][1]["held"]["digest"]
    assert (await said(config, "accept", "shop", "--reason", "x", "--digest", "0000"))[0] == 1
    code, taken = await said(config, "accept", "shop", "--reason", "they price in cents now", "--digest", digest[:10])
    assert (code, taken["names"], taken["reason"]) == (0, 21, "they price in cents now")
    await until(lambda: prices.value("Glove") == 770_000)
    rows = (await (await service.call("GET", "/events?limit=500")).json())["events"]
    [event] = [row for row in rows if row["kind"] == "prices_accepted"]
    assert event["data"]["feed"] == "shop" and event["data"]["reason"] == "they price in cents now"

    async def history() -> list[int]:
        _, told = await said(config, "history", "Glove")
        return [row["value_cents"] for row in told["values"]]

    async with asyncio.timeout(READY_S):
        while await history() != [770_000, 7700]:
            await asyncio.sleep(0.05)
    found = (await (await service.call("GET", "/items?limit=500")).json())["items"]
    assert {row["market_hash_name"]: row["value_source"] for row in found}.items() >= {"Glove": "shop", GOOD: "file"}.items()


async def test_a_feed_that_is_away_is_told_and_its_last_list_stays(service: Service, shop: Shop, config: Path) -> None:
    prices = service.ctx.prices
    await until(lambda: prices.value("Glove") == 7700)
    shop.status = 503
    await fetched(service)
    await until(lambda: not prices.standing(service.ctx.clock.now())["ok"])
    assert prices.value("Glove") == 7700
    assert (await ready(service))["sources"]["shop"]["error"] == "not fetched: it answered 503"
    code, status = await said(config, "status")
    assert code == 1 and status["sources"][1]["failing_since"] and status["sources"][1]["names"] == 21
    calls = shop.calls
    await service.part(health.LOOPS).feeds.round()
    assert shop.calls == calls  # not before its time
    code, tried = await said(config, "try", "shop")
    assert (code, tried["error"], tried["place"]) == (1, "not fetched: it answered 503", "127.0.0.1")
    shop.status = 200
    code, tried = await said(config, "try", "shop")
    assert (code, tried["names"], tried["left_out"]) == (0, 21, {"name": 2})
    await fetched(service)
    await until(lambda: prices.standing(service.ctx.clock.now())["ok"])
