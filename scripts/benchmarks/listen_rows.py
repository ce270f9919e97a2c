"""Event streams to 200 listeners, and webhooks, each against the same without a database, a lease and an order."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import itertools
import json
import select
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from aiohttp import ClientSession, web
from sqlalchemy import Engine, create_engine, func
from sqlalchemy import select as select_rows

from balancer.db import tables
from balancer.journal import events
from balancer.journal.by import By
from scripts.benchmarks.options import Options
from scripts.benchmarks.rows import BenchError, Floor, Row, interleaved, median, percentile
from scripts.benchmarks.running import folder
from scripts.lab.postgres import EmbeddedPostgres
from scripts.lab.quick import NEVER_REACHED
from scripts.lab.stack import Stack, Wish
from shared.clock import Clock

Say = Callable[[str], None]
LISTENERS, LAZY = 200, 20
READY_S = 30.0
# Events come one by one, this far apart: it is how soon each is there that counts, not how many.
APART_S = 0.05
AT_ONCE = 8
TRADES = 200
PATIENCE_S = 120.0
OVERRIDES: dict[str, dict[str, Any]] = {
    "rates": NEVER_REACHED,
    "http": {"connections_per_address_max": 1000},
    "listening": {"streams_per_client_max": 1000},
    "webhooks": {"private_targets": True, "at_once": AT_ONCE},
}


def listening(options: Options, say: Say) -> Iterator[Row]:
    """Streams and webhooks of a balancer on PostgreSQL."""
    say("streams and webhooks on PostgreSQL")
    with EmbeddedPostgres(durable=options.durable) as server, folder() as place:
        wish = Wish(
            place,
            groups=[],
            players=1,
            database_url=server.create_database("ours"),
            log_level="warning",
            overrides=OVERRIDES,
        )
        with Stack(wish, say=say) as stack:
            engine = create_engine(stack.database_url)
            try:
                yield from stream_rows(stack, engine, options)
                yield from webhook_rows(stack, engine, options)
            finally:
                engine.dispose()


def write(engine: Engine, count: int) -> int:
    """So many events, each trade's in turn, in one transaction; the number of the last."""
    now = Clock().now()
    made = [
        events.row("paused", {"switch": "bench", "reason": ""}, By("bench", now), f"trd_{n % TRADES}") for n in range(count)
    ]
    with engine.begin() as connection:
        events.append(connection, *made)
        return connection.scalar(select_rows(func.max(tables.events.c.number))) or 0


# --- streams ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Place:
    """Where to listen: its address, the request's path and the key."""

    url: str
    path: str
    key: str = ""

    @property
    def where(self) -> tuple[str, int]:
        parts = urlsplit(self.url)
        return parts.hostname or "", parts.port or 0

    def head(self) -> bytes:
        lines = [f"GET {self.path} HTTP/1.1", f"Host: {urlsplit(self.url).netloc}", f"Authorization: Bearer {self.key}"]
        return ("\r\n".join(lines) + "\r\n\r\n").encode()


Tell = Callable[[], Coroutine[Any, Any, int]]


def stream_rows(stack: Stack, engine: Engine, options: Options) -> Iterator[Row]:
    """How long an event takes until it is there, at all listeners; with and without some that do not read."""
    count = 10 if options.quick else 60

    def ours(lazy: int) -> list[float]:
        place = Place(stack.balancer_url, f"/events/stream?after={write(engine, 1)}", stack.api_key)
        return asyncio.run(_delays(place, count, lambda: asyncio.to_thread(write, engine, 1), lazy))

    with _bare() as url:
        sides = {"ours": lambda _: ours(0), "lazy": lambda _: ours(LAZY), "raw": lambda _: asyncio.run(_raw(url, count))}
        found = interleaved(min(options.rounds, 3), sides)
    p99 = {side: median([percentile(delays, 0.99) for delays in rounds]) for side, rounds in found.items()}
    p50 = {side: median([percentile(delays, 0.5) for delays in rounds]) for side, rounds in found.items()}
    name = f"event stream, {LISTENERS} listeners: p99"
    note = f"from before its transaction to the listener; p50 {p50['ours']:.0f} / {p50['raw']:.0f} ms; raw: handed on in memory"
    yield Row(name, "ms", p99["ours"], p99["raw"], Floor.most(100), "≤ 100", note)
    note = f"baseline: the same without them; p50 {p50['lazy']:.0f} / {p50['ours']:.0f} ms"
    yield Row(f"{name}, {LAZY} more do not read", "ms", p99["lazy"], p99["ours"], Floor.most(100), "as without", note)


async def _raw(url: str, count: int) -> list[float]:
    numbers = itertools.count(1)
    async with ClientSession() as session:

        async def tell() -> int:
            number = next(numbers)
            async with session.post(f"{url}/tell", data=b"x" * 200, headers={"X-Number": str(number)}):
                return number

        return await _delays(Place(url, "/events/stream"), count, tell, 0)


async def _delays(place: Place, count: int, tell: Tell, lazy: int) -> list[float]:
    """Milliseconds for each event and listener."""
    began: dict[int, float] = {}
    readers = [await _listen(place) for _ in range(LISTENERS)]
    stuck = [socket.create_connection(place.where) for _ in range(lazy)]
    for each in stuck:
        each.sendall(place.head())
    following = [asyncio.create_task(_follow(reader, count, began)) for reader, _ in readers]
    for _ in range(count):
        at = time.monotonic()
        began[await tell()] = at
        await asyncio.sleep(APART_S)
    async with asyncio.timeout(PATIENCE_S):
        delays = await asyncio.gather(*following)
    for _, writer in readers:
        writer.close()
    for each in stuck:
        each.close()
    return [delay for found in delays for delay in found]


async def _listen(place: Place) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection(*place.where)
    writer.write(place.head())
    async with asyncio.timeout(PATIENCE_S):
        await reader.readuntil(b"\n\n")  # of the first comment; the head ends otherwise
    return reader, writer


async def _follow(reader: asyncio.StreamReader, count: int, began: dict[int, float]) -> list[float]:
    number, at = 0, 0.0
    found: list[float] = []
    while len(found) < count:
        line = await reader.readline()
        if line.startswith(b"id: "):
            at, number = time.monotonic(), int(line[4:])
        elif line.startswith(b"data: "):
            while number not in began:  # it is there before the writer has its answer
                await asyncio.sleep(0.001)
            found.append((at - began[number]) * 1000)
        elif not line:
            raise BenchError("a stream ended")
    return found


@contextmanager
def _bare() -> Iterator[str]:
    command = [sys.executable, "-P", "-m", "scripts.benchmarks.bare_stream"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True) as process:
        try:
            if process.stdout is None or not select.select([process.stdout], [], [], READY_S)[0]:
                raise BenchError("the bare server did not start")
            yield json.loads(process.stdout.readline())["bare"]
        finally:
            process.terminate()


# --- webhooks --------------------------------------------------------------------------------------------------


class Receiver:
    """Takes everything."""

    def __init__(self) -> None:
        self.taken = 0

    async def handle(self, request: web.Request) -> web.Response:
        await request.read()
        self.taken += 1
        return web.Response(status=204)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[str]:
        app = web.Application()
        app.router.add_post("/hooks", self.handle)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            host, port = runner.addresses[0][:2]
            yield f"http://{host}:{port}/hooks"
        finally:
            await runner.cleanup()

    async def until(self, number: int) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while self.taken < number:
                await asyncio.sleep(0.005)


def webhook_rows(stack: Stack, engine: Engine, options: Options) -> Iterator[Row]:
    """Events per second to one receiver, from their commit on; against a client that only signs and posts."""
    count = 200 if options.quick else 2000
    rates = asyncio.run(_webhooks(stack, engine, count, min(options.rounds, 3)))
    note = (
        f"{count} events of {TRADES} trades, {AT_ONCE} at once, in order for each trade; raw: signed and posted, nothing kept"
    )
    yield Row("webhooks", "per s", median(rates["ours"]), median(rates["raw"]), None, "", note)


async def _webhooks(stack: Stack, engine: Engine, count: int, rounds: int) -> dict[str, list[float]]:
    rates: dict[str, list[float]] = {"ours": [], "raw": []}
    receiver = Receiver()
    async with receiver.open() as url, ClientSession() as session:
        headers = {"Authorization": f"Bearer {stack.api_key}", "Idempotency-Key": "bench"}
        async with session.post(f"{stack.balancer_url}/webhooks", json={"url": url}, headers=headers) as response:
            if response.status != 201:
                raise BenchError(f"no target was made: {response.status}")
        await receiver.until(1)  # its own beginning
        for turn in range(rounds):
            for side in ("ours", "raw") if turn % 2 == 0 else ("raw", "ours"):
                wanted, at = receiver.taken + count, time.monotonic()
                if side == "ours":
                    await asyncio.to_thread(write, engine, count)
                else:
                    await _post(session, url, count)
                await receiver.until(wanted)
                rates[side].append(count / (time.monotonic() - at))
    return rates


async def _post(session: ClientSession, url: str, count: int) -> None:
    left = deque(range(count))
    body = b"x" * 200

    async def work() -> None:
        while left:
            number = left.popleft()
            signed = base64.b64encode(hmac.digest(b"k" * 32, b"evt_%d.%d." % (number, number) + body, hashlib.sha256)).decode()
            async with session.post(url, data=body, headers={"webhook-signature": signed}) as response:
                await response.read()

    await asyncio.gather(*(work() for _ in range(AT_ONCE)))
