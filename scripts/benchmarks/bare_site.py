"""The baselines of the site, a process of its own: one bare Django view that writes a row, one that writes a page, and a bare
fan-out from Redis to sockets. It has uvicorn and Django as the site has, and nothing else.

`python -m scripts.benchmarks.bare_site PORT DATABASE_URL REDIS_URL`.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from typing import Any

import django
import redis.asyncio
import uvicorn
from asgiref.sync import sync_to_async
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template import Context, Engine
from django.urls import path

from website.settings import environment

CHANNEL = "bare"
TABLE = "CREATE TABLE IF NOT EXISTS bare (id bigserial PRIMARY KEY, body text NOT NULL)"
PAGE = Engine().from_string(
    "<!doctype html><title>{{ title }}</title><ul>{% for each in items %}<li>{{ each.name }} {{ each.cents }}{% endfor %}</ul>"
)
ITEMS = [{"name": f"item {number}", "cents": number} for number in range(100)]


def kept(request: HttpRequest) -> int:
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO bare (body) VALUES (%s) RETURNING id", [str(request.POST.dict())])
        row = cursor.fetchone()
    return int(row[0])


async def bets(request: HttpRequest) -> JsonResponse:
    """One row, committed."""
    return JsonResponse({"number": await sync_to_async(kept)(request)})


def page(_request: HttpRequest) -> HttpResponse:
    """A hundred lines from memory."""
    return HttpResponse(PAGE.render(Context({"title": "bare", "items": ITEMS})))


class Sockets:
    """Everybody who listens gets everything that Redis tells, as it is."""

    def __init__(self, pages: Any, redis_url: str) -> None:
        self._pages, self._redis_url = pages, redis_url
        self._queues: set[asyncio.Queue[str]] = set()
        self._hearing: asyncio.Task[None] | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "websocket":
            await self._pages(scope, receive, send)
            return
        await receive()
        if self._hearing is None:
            self._hearing = asyncio.create_task(self._hear())
        queue: asyncio.Queue[str] = asyncio.Queue()
        self._queues.add(queue)
        await send({"type": "websocket.accept", "subprotocol": "site.v1"})
        sending = asyncio.create_task(self._send(queue, send))
        try:
            while (await receive())["type"] != "websocket.disconnect":
                pass
        finally:
            self._queues.discard(queue)
            sending.cancel()

    async def _send(self, queue: asyncio.Queue[str], send: Any) -> None:
        await send({"type": "websocket.send", "text": '{"is":"sub"}'})
        with contextlib.suppress(OSError):
            while True:
                await send({"type": "websocket.send", "text": await queue.get()})

    async def _hear(self) -> None:
        async with redis.asyncio.from_url(self._redis_url, decode_responses=True).pubsub() as listening:
            await listening.subscribe(CHANNEL)
            async for said in listening.listen():
                if said["type"] == "message":
                    for queue in self._queues:
                        queue.put_nowait(said["data"])


urlpatterns = [path("bets", bets), path("page", page)]


def main(port: str, database_url: str, redis_url: str) -> None:
    settings.configure(
        ALLOWED_HOSTS=["*"],
        ROOT_URLCONF=__name__,
        DATABASES={"default": environment.database(database_url)},
        SECRET_KEY="bare",  # noqa: S106 - it signs nothing
    )
    django.setup()
    with connection.cursor() as cursor:
        cursor.execute(TABLE)
    connection.close()
    options: dict[str, Any] = {"access_log": False, "lifespan": "off", "log_level": "warning", "ws_per_message_deflate": False}
    uvicorn.run(Sockets(get_asgi_application(), redis_url), host="127.0.0.1", port=int(port), **options)


if __name__ == "__main__":
    main(*sys.argv[1:])
