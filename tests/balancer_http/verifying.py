"""How tests check a token: as a site does, and as a player does on the page."""

from __future__ import annotations

import asyncio
import re
from typing import Any

from balancer_http.harness import PLAYER, Service, assert_fits
from sqlalchemy import update

from balancer.db import tables
from balancer.web import sessions, tries
from balancer.web.handlers.verify import links
from shared.domain.ids import SteamId


async def check(service: Service, token: str, steam_id: str = PLAYER, client: str = "site") -> dict[str, Any]:
    response = await service.call("POST", "/verify", {"token": token, "steam_id": steam_id}, client=client)
    body: dict[str, Any] = await response.json()
    assert response.status == 200, body
    assert_fits(body, "VerifyAnswer")
    assert body.pop("livemode") is True
    return body


async def reason(service: Service, token: str, steam_id: str = PLAYER) -> str | None:
    found: str | None = (await check(service, token, steam_id)).get("reason")
    return found


async def sign_in(service: Service, steam_id: str = PLAYER) -> None:
    """As if Steam had vouched for this player."""
    session_id = await sessions.begin(service.ctx, SteamId(steam_id), None)
    service.client.session.cookie_jar.update_cookies({links.SESSION_COOKIE: session_id}, service.client.make_url("/verify"))


async def show(service: Service, token: str) -> str:
    response = await service.client.get(f"/verify/{token}")
    assert response.status == 200
    return await response.text()


async def form_of(service: Service, token: str) -> dict[str, str]:
    return dict(re.findall(r'name="(\w+)" value="([^"]*)"', await show(service, token)))


async def press(service: Service, token: str) -> tuple[int, str]:
    """Press the button on the page of this token."""
    response = await service.client.post("/verify", data=await form_of(service, token))
    return response.status, await response.text()


async def no_longer_fresh(service: Service) -> None:
    """What bots have seen is too old to be believed, and nobody claims to look."""
    service.ctx.sights._seen.clear()
    for key in service.ctx.redis.scan_iter("fleet:look:*"):
        service.ctx.redis.delete(key)


async def change(service: Service, trade: dict[str, Any], **values: Any) -> None:
    """What the trade's row says by now, without a bot's report."""
    statement = update(tables.trades).where(tables.trades.c.trade_id == trade["trade_id"]).values(**values)
    await service.ctx.db.run(lambda connection: connection.execute(statement))


def impatient(service: Service, look_s: float = 0.3) -> None:
    """Nobody waits five seconds for a bot that says nothing."""
    settings = service.ctx.settings
    service.ctx.sights.times = settings.trades.model_copy(update={"look_s": look_s})


async def events_of(service: Service, trade: dict[str, Any]) -> list[dict[str, Any]]:
    body = await (await service.call("GET", "/events?limit=500")).json()
    return [event for event in body["events"] if event["trade_id"] == trade["trade_id"]]


async def look_under_way(service: Service) -> None:
    async with asyncio.timeout(60):
        while not service.bots.looks:
            await asyncio.sleep(0.01)


def never_back(service: Service) -> None:
    """No try comes back with time, however slow the machine is."""
    service.part(tries.TRIES).back_s = 10**9
