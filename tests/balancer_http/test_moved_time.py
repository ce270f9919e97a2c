"""A balancer whose fleet was moved on for a month: what others date, or compare with their own clocks, is in their time."""

from __future__ import annotations

import asyncio
import struct
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from balancer_http import test_sign_in
from balancer_http.harness import ONE_DATABASE, READY_S, Service
from balancer_http.receiver import write_config
from balancer_http.test_commands import fleet

from balancer.web.handlers.verify import links
from shared.clock import Clock
from shared.settings import Settings

at_page, provider = test_sign_in.at_page, test_sign_in.provider
MOVED_S = 30 * 86400
pytestmark = ONE_DATABASE


@pytest.fixture
def settings(settings: Settings, tmp_path: Path) -> Settings:
    file = tmp_path / "moved-time"
    file.write_bytes(struct.pack("<d", MOVED_S))
    clock = settings.clock.model_copy(update={"moved_file": str(file)})
    return settings.model_copy(update={"clock": clock})


async def test_it_is_ready_and_its_events_are_dated_in_its_time(service: Service) -> None:
    body = await (await service.client.get("/readyz")).json()
    assert body["checks"]["clock"] == {"ok": True, "off_s": 0.0, "corrected_s": 0.0}
    await service.deposit("1")
    [event] = (await (await service.call("GET", "/events?kind=trade_created")).json())["events"]
    assert (datetime.fromisoformat(event["at"]) - Clock().now()).total_seconds() == pytest.approx(MOVED_S, abs=3600)
    # A bot that gives signs of life is no less alive.
    assert {bot["state"] for bot in (await (await service.call("GET", "/bots")).json())["bots"]} == {"online"}


async def test_a_webhook_is_dated_in_the_time_of_its_receiver(service: Service) -> None:
    """Who checks a signature refuses what is more than five minutes away."""
    stamps: list[int] = []

    async def take(request: web.Request) -> web.Response:
        stamps.append(int(request.headers["webhook-timestamp"]))
        return web.Response()

    app = web.Application()
    app.router.add_post("/hooks", take)
    async with TestServer(app) as receiver:
        await service.call("POST", "/webhooks", {"url": str(receiver.make_url("/hooks")), "kinds": ["trade_created"]})
        await service.deposit("1")
        async with asyncio.timeout(READY_S):
            while not stamps:
                await asyncio.sleep(0.02)
    assert stamps[0] == pytest.approx(datetime.now(UTC).timestamp(), abs=200)


async def test_a_player_signs_in(at_page: Service, provider: Any) -> None:
    taken = await test_sign_in.leave(at_page)
    nonce = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") + "nonce"  # as Steam dates it
    response = await test_sign_in.back(at_page, test_sign_in.answer(at_page, taken, response_nonce=nonce))
    assert response.status == 303 and links.SESSION_COOKIE in response.cookies


async def test_what_an_operator_does_is_dated_in_its_time(service: Service, settings: Settings, tmp_path: Path) -> None:
    """At the command line too: it writes into the same database."""
    config = write_config(settings, tmp_path)
    config.write_text(f'{config.read_text()}[clock]\nmoved_file = "{settings.clock.moved_file}"\n')
    done = await asyncio.to_thread(fleet, config, "switches", "pause", "deposits", "--reason", "a test")
    assert done.exit_code == 0, done.output
    [event] = (await (await service.call("GET", "/events?kind=paused")).json())["events"]
    assert (datetime.fromisoformat(event["at"]) - Clock().now()).total_seconds() == pytest.approx(MOVED_S, abs=3600)
