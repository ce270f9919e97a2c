"""A balancer in this process, with a real database and Redis."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient
from balancer_http.harness import BOTS, PLAYER, PRICES, READY_S, FakeBots, Server, Service, held

from balancer.app import build
from balancer.web import api, server
from balancer.web.handlers import health
from shared import settings as settings_module
from shared.sealing import MasterKey
from shared.settings import Settings


@pytest.fixture
def settings(database_url: str, redis_url: str, tmp_path: Path) -> Settings:
    master = tmp_path / "master.key"
    MasterKey.create(master)
    prices = tmp_path / "prices.json"
    prices.write_text(json.dumps(PRICES))
    return settings_module.load(
        None,
        {
            "redis": {"url": redis_url, "timeout_s": 60.0},
            "database": {"url": database_url},
            "balancer": {
                "port": 0,
                "master_key_file": str(master),
                "prices_file": str(prices),
                "site_url": "http://127.0.0.1:8420",
                "heartbeat_read_s": 0.05,
            },
            "limits": {"request_items_max": 20},
            "webhooks": {"private_targets": True},
            # Everything is about one player from one address; tests of the limits set their own.
            "rates": {
                "player_per_minute": 0,
                "player_reads_per_minute": 0,
                "stranger_reads_per_minute": 0,
                "address_per_minute": 0,
                "redis_wait_s": 5.0,
            },
            "trades": {"inventory_wait_s": 60.0, "look_pause_s": 0.0, "look_s": 60.0},
            "group": {"offline_after_s": 86400.0},
        },
    )


@pytest.fixture
def check_s() -> float:
    """How often connections are looked for that are over their time."""
    return server.CHECK_S


async def short_waits(app: web.Application) -> AsyncIterator[None]:
    """A reader ends only when its wait for reports does, so already the first one is short: the loops have not begun yet."""
    app[health.LOOPS].reader.block_ms = 50
    yield


@pytest.fixture
def bot_names() -> tuple[str, ...]:
    """The bots that are online."""
    return BOTS


@pytest.fixture
async def service(settings: Settings, check_s: float, bot_names: tuple[str, ...]) -> AsyncIterator[Service]:
    """A balancer with its bots online and a site that may do everything."""
    app = build(settings)
    app.cleanup_ctx.append(short_waits)
    ctx = app[api.CONTEXT]
    bots = FakeBots(settings.redis.url, ctx.master, names=bot_names)
    bots.inventories[PLAYER] = [held(number) for number in range(1, 31)]
    working = asyncio.create_task(bots.work())
    async with TestClient(Server(app, settings, check_s)) as client:
        made = Service(client, bots)
        await made.add_client("site", "trade", "read", "operate", "play")
        async with asyncio.timeout(READY_S):
            while len(ctx.fleet.online()) < len(bot_names):
                await asyncio.sleep(0.02)
        yield made
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
