"""`GET /events/stream`: the feed as it happens, for any number of listeners, at any balancer."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient
from balancer_http.harness import ONE_DATABASE, READY_S, Server, Service

from balancer.app import build
from balancer.journal import events
from balancer.journal.by import By
from balancer.outward import Outward
from balancer.web import auth, clients, problems
from balancer.web.handlers import webhooks
from balancer.web.handlers.events import STREAMS
from shared.settings import Settings

POSTGRES = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


class Listener:
    """A client for server-sent events, as the specification of HTML has them read."""

    def __init__(self, response: ClientResponse) -> None:
        self.response = response
        self.last_id: str | None = None
        self.comments: list[str] = []

    async def event(self) -> dict[str, Any] | None:
        """The next event; ``None`` when the stream has ended."""
        data: list[str] = []
        async with asyncio.timeout(READY_S):
            while line := (await self.response.content.readline()).decode():
                name, _, value = line.rstrip("\n").partition(":")
                value = value.removeprefix(" ")
                if not name and value:
                    self.comments.append(value)
                elif name == "id":
                    self.last_id = value
                elif name == "data":
                    data.append(value)
                elif not name and data:
                    found: dict[str, Any] = json.loads("\n".join(data))
                    assert self.last_id == str(found["number"])
                    return found
        return None

    async def kinds(self, *wanted: str) -> None:
        """The next events are of these kinds; others of this balancer's own may lie between."""
        for kind in wanted:
            while (found := await self.event()) is not None and found["kind"] != kind:
                assert found["kind"] not in wanted, f"{found['kind']} came before {kind}"
            assert found is not None, f"it ended before {kind}"


@asynccontextmanager
async def listening(service: Service, query: str = "", last_id: str | None = None, **call: Any) -> AsyncIterator[Listener]:
    headers = {} if last_id is None else {"Last-Event-ID": last_id}
    response = await service.call("GET", f"/events/stream{query}", headers=headers, timeout=None, **call)
    try:
        assert response.status == 200, await response.text()
        yield Listener(response)
    finally:
        response.close()


async def tell(service: Service, *kinds: str, reason: str = "") -> None:
    for kind in kinds:
        await service.ctx.db.run(events.append, events.row(kind, {"reason": reason}, By("test", service.ctx.clock.now())))


async def last(service: Service) -> int:
    number: int = await service.ctx.db.read(events.settled)
    return number


async def test_a_stream_has_the_same_events_as_the_feed_and_goes_on_with_new_ones(service: Service) -> None:
    await service.deposit("1")
    page = await (await service.call("GET", "/events?limit=500")).json()
    async with listening(service) as listener:
        assert [await listener.event() for _ in page["events"]] == page["events"]
        assert listener.response.headers["Content-Type"] == "text/event-stream; charset=utf-8"
        assert listener.response.headers["Cache-Control"] == "no-store"
        await tell(service, "paused", "resumed")
        await listener.kinds("paused", "resumed")


@ONE_DATABASE
async def test_a_listener_goes_on_behind_the_last_event_it_had(service: Service) -> None:
    await tell(service, "paused")
    async with listening(service) as listener:
        await listener.kinds("paused")
        last_id = listener.last_id
    await tell(service, "resumed")
    async with listening(service, "?after=0", last_id=last_id) as listener:
        first = await listener.event()
    assert first is not None and first["kind"] == "resumed"
    for odd in ("x", "-1", "1e3", "9" * 30, ""):
        response = await service.call("GET", "/events/stream", headers={"Last-Event-ID": odd})
        problem = await response.json()
        assert (response.status, problem["errors"][0]["field"]) == (400, "header.Last-Event-ID"), odd


@ONE_DATABASE
async def test_with_kind_other_events_are_passed_over_and_need_not_be_read_again(service: Service) -> None:
    await tell(service, "paused", "resumed", "paused", "resumed")
    end = await last(service)
    page = await (await service.call("GET", "/events?kind=paused&limit=500")).json()
    assert [event["kind"] for event in page["events"]] == ["paused", "paused"]
    assert page["next"] == end
    async with listening(service, f"?kind=paused&kind=alarm&after={end}") as listener:
        await tell(service, "resumed", "paused")
        found = await listener.event()
    assert found is not None and found["kind"] == "paused"


@POSTGRES
async def test_what_commits_late_with_a_lower_number_comes_first(service: Service) -> None:
    now = service.ctx.clock.now()
    async with listening(service, f"?after={await last(service)}") as listener, listening(service) as other:
        with service.ctx.db.engine.begin() as slow:
            events.append(slow, events.row("paused", {}, By("slow", now)))
            await tell(service, "resumed")
            waiting = [asyncio.create_task(one.kinds("paused", "resumed")) for one in (listener, other)]
            page = await (await service.call("GET", f"/events?after={now.year}")).json()
            assert page["events"] == []
        await asyncio.gather(*waiting)


@ONE_DATABASE
async def test_one_that_does_not_read_is_cut_off_and_keeps_up_nobody(settings: Settings) -> None:
    async with balancer(settings.model_copy(update={"http": settings.http.model_copy(update={"unread_s": 1.0})})) as service:
        address: Any = service.client.server
        lazy = socket.socket()
        lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        lazy.connect((address.host, address.port))
        lazy.sendall(f"GET /events/stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {service.keys['site']}\r\n\r\n".encode())
        async with listening(service) as listener:
            for _ in range(20):
                await tell(service, *["gift_accepted"] * 5, reason="x" * 40_000)
                await listener.kinds(*["gift_accepted"] * 5)
            async with asyncio.timeout(READY_S):
                while service.part(STREAMS).open > 1:
                    await asyncio.sleep(0.05)
            await tell(service, "paused")
            await listener.kinds("paused")
        lazy.close()


@ONE_DATABASE
async def test_a_client_may_have_so_many_streams_and_each_is_given_back(settings: Settings) -> None:
    async with balancer(_listening(settings, streams_per_client_max=2, heartbeat_s=0.1)) as service:
        async with listening(service), listening(service):
            response = await service.call("GET", "/events/stream")
            problem = await response.json()
            assert (response.status, problem["code"], problem["retryable"]) == (429, "too_many_streams", True)
            await service.add_client("other", "read")
            async with listening(service, client="other"):
                assert service.part(STREAMS).open == 3
        async with asyncio.timeout(READY_S):
            while service.part(STREAMS).open:
                await asyncio.sleep(0.02)


@ONE_DATABASE
async def test_a_silent_stream_says_how_far_it_has_read_and_ends_with_its_key(settings: Settings) -> None:
    async with balancer(_listening(settings, heartbeat_s=0.1)) as service:
        await service.add_client("guest", "read")
        await tell(service, "paused", "resumed")
        end = await last(service)
        async with listening(service, "?kind=alarm", client="guest") as listener:
            ended = asyncio.create_task(listener.event())
            async with asyncio.timeout(READY_S):
                while listener.last_id != str(end):
                    await asyncio.sleep(0.02)
            assert str(end) in listener.comments
            service.part(auth.KEYS).believed_s = 0.0
            now = service.ctx.clock.now()
            await service.ctx.db.run(lambda connection: clients.revoke(connection, "guest", now=now))
            assert await ended is None


@ONE_DATABASE
async def test_a_stream_ends_in_time_and_when_its_balancer_stops_and_another_goes_on(settings: Settings) -> None:
    async with balancer(settings) as first, balancer(_listening(settings, stream_life_s=0.5)) as second:
        second.keys = first.keys
        async with listening(first, f"?after={await last(first)}") as listener:
            await tell(second, "paused")
            await listener.kinds("paused")
            first.part(problems.STOPPING).begun = True
            first.ctx.changes.end()
            assert await listener.event() is None and listener.comments[-1].startswith("end")
        await tell(second, "resumed")
        async with listening(second, last_id=listener.last_id) as again:
            await again.kinds("resumed")
            assert await again.event() is None


def _listening(settings: Settings, **values: Any) -> Settings:
    return settings.model_copy(update={"listening": settings.listening.model_copy(update=values)})


@asynccontextmanager
async def balancer(settings: Settings, outward: Outward | None = None) -> AsyncIterator[Service]:
    """A balancer whose bots do nothing. ``outward`` is what it calls the addresses of others with."""
    app = build(settings)
    if outward is not None:
        app[webhooks.OUTWARD] = outward
    async with TestClient(Server(app, settings)) as client:
        service = Service(client, bots=None)  # type: ignore[arg-type]
        await service.add_client(f"site-{id(service)}", "read")
        service.keys["site"] = service.keys.pop(f"site-{id(service)}")
        yield service
