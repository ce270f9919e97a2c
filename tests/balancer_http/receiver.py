"""A site that takes webhooks, or does not, and balancers that send them to it."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer
from balancer_http.harness import READY_S, Service
from balancer_http.test_stream import balancer

from balancer.journal import events
from balancer.journal.by import By
from balancer.outward import Outward
from shared.settings import Settings

RULES = {
    "private_targets": True,
    "poll_s": 0.02,
    # A busy machine may answer late; what was given up is sent twice.
    "timeout_s": 60.0,
    "lease_s": 180.0,
    "retry_min_s": 0.05,
    "retry_max_s": 0.2,
    "away_look_s": 0.1,
}


# For receivers that do not answer, and senders that are gone.
HASTY = {"timeout_s": 0.5, "lease_s": 1.5}


class Receiver:
    """A site that takes webhooks, or does not: ``mood`` answers each of them."""

    def __init__(self) -> None:
        self.secret = ""
        self.mood: Callable[[dict[str, Any]], int | float] = lambda _: 200
        self.tried: list[dict[str, Any]] = []
        self.taken: list[dict[str, Any]] = []
        self.ids: list[str] = []
        self.signatures: list[str] = []
        self.url = ""

    def answers(self, mood: Callable[[dict[str, Any]], int | float]) -> None:
        """From now on: a status, or seconds to wait first."""
        self.mood = mood

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.verify(request, body)
        event = json.loads(body)
        self.tried.append(event)
        answer = self.mood(event)
        if isinstance(answer, float):
            await asyncio.sleep(answer)
            answer = 200
        elif 200 <= answer < 300:
            self.taken.append(event)
            self.ids.append(request.headers["webhook-id"])
        return web.Response(status=answer, text="what a receiver says is its own business")

    def verify(self, request: web.Request, body: bytes) -> None:
        """By hand, as the specification of Standard Webhooks says."""
        self.signatures.append(request.headers["webhook-signature"])
        signed = f"{request.headers['webhook-id']}.{request.headers['webhook-timestamp']}.".encode() + body
        key = base64.b64decode(self.secret.removeprefix("whsec_"))
        wanted = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        assert wanted in request.headers["webhook-signature"].split(" ")

    @asynccontextmanager
    async def open(self, port: int = 0, tls: ssl.SSLContext | None = None) -> AsyncIterator[Receiver]:
        app = web.Application()
        app.router.add_post("/hooks", self.handle)
        server = TestServer(app, port=port, scheme="https" if tls else "http")
        await server.start_server(ssl=tls)
        try:
            self.url = str(server.make_url("/hooks").with_host("localhost") if tls else server.make_url("/hooks"))
            yield self
        finally:
            await server.close()

    async def until(self, number: int) -> None:
        """Until so many were taken."""
        async with asyncio.timeout(READY_S):
            while len(self.taken) < number:
                await asyncio.sleep(0.01)

    def numbers(self) -> list[int]:
        """In the order in which each was taken first."""
        return list(dict.fromkeys(event["number"] for event in self.taken))


def with_rules(settings: Settings, **values: Any) -> Settings:
    return settings.model_copy(update={"webhooks": settings.webhooks.model_copy(update={**RULES, **values})})


@asynccontextmanager
async def operated(settings: Settings, outward: Outward | None = None) -> AsyncIterator[Service]:
    async with balancer(settings, outward) as service:
        await service.add_client("operator", "operate")
        yield service


async def json_of(service: Service, method: str, path: str, body: Any = None, status: int = 200) -> Any:
    response = await service.call(method, path, body, client="operator")
    found = await response.json()
    assert response.status == status, found
    return found


async def add(service: Service, receiver: Receiver, **more: Any) -> str:
    made = await json_of(service, "POST", "/webhooks", {"url": receiver.url, **more}, 201)
    receiver.secret = made["secret"]
    return str(made["target"]["target_id"])


async def tell(service: Service, *rows: tuple[str, str | None], data: dict[str, Any] | None = None) -> None:
    """Events of these kinds about these trades."""
    now = service.ctx.clock.now()
    made = [events.row(kind, data or {}, By("test", now), trade_id, "player-1", None) for kind, trade_id in rows]
    await service.ctx.db.run(events.append, *made)


async def owed(service: Service, target_id: str, number: int) -> dict[str, Any]:
    """The target, once it is owed so many events and no more."""
    async with asyncio.timeout(READY_S):
        while True:
            found: dict[str, Any] = await json_of(service, "GET", f"/webhooks/{target_id}")
            if found["waiting"] == number and found["sent_to"] >= await service.ctx.db.read(events.newest):
                return found
            await asyncio.sleep(0.02)


async def deliveries_of(service: Service, target_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await json_of(service, "GET", f"/webhooks/{target_id}/deliveries"))["deliveries"]
    return found


def write_config(settings: Settings, tmp_path: Path) -> Path:
    config = tmp_path / "fleet.toml"
    rules = "\n".join(f"{name} = {json.dumps(value)}" for name, value in settings.webhooks.model_dump().items())
    config.write_text(
        f'[redis]\nurl = "{settings.redis.url}"\n[database]\nurl = "{settings.database.url}"\n'
        f'[balancer]\nmaster_key_file = "{settings.balancer.master_key_file}"\n[webhooks]\n{rules}\n'
    )
    return config
