"""The baseline's server, a process of its own.

`python -m scripts.benchmarks.bare DATABASE_URL ITEM_ID NAME CENTS UNITS [REDIS_URL]`: bare aiohttp handlers in front of
`raw_sql`, and with a Redis the bare path of an order: insert, push to RQ, wait for the worker's entry in a stream, update,
answer. Prints one line of JSON with its address when it is ready.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
import threading
from concurrent.futures import Future
from datetime import datetime
from pathlib import Path
from typing import Any

import redis
from aiohttp import web
from sqlalchemy.engine import make_url

from scripts.benchmarks import bare_worker, raw_games
from scripts.benchmarks.raw_sql import Item, RawPostgres, RawSqlite, values

HEADERS = {"Content-Type": "application/json"}
_OK = b'{"status":"ok"}'


class Orders:
    """Pushes jobs to the bare worker and hears of them: one thread reads the stream."""

    def __init__(self, url: str) -> None:
        self._queue = bare_worker.queue(url)
        self._stream = redis.Redis.from_url(url, socket_timeout=None, protocol=2)
        self._waiting: dict[str, Future[None]] = {}
        threading.Thread(target=self._read, daemon=True).start()

    def give(self, trade_id: str) -> Future[None]:
        """Push one job; done when its entry was read."""
        done = self._waiting[trade_id] = Future()
        self._queue.enqueue(bare_worker.JOB, trade_id, result_ttl=0)
        return done

    def _read(self) -> None:
        last: Any = "$"
        while True:
            found: Any = self._stream.xread({bare_worker.STREAM: last}, block=0)
            for entry_id, fields in itertools.chain.from_iterable(entries for _, entries in found):
                last = entry_id
                self._waiting.pop(fields[b"trade_id"].decode()).set_result(None)


class Bare:
    """The handlers; `orders` is there if a Redis was named."""

    def __init__(self, database: RawPostgres | RawSqlite, item: Item, orders: Orders | None) -> None:
        self._database = database
        self._item = item
        self._orders = orders

    async def health(self, _request: web.Request) -> web.Response:
        return web.Response(body=_OK, headers=HEADERS)

    async def deposit(self, request: web.Request) -> web.Response:
        row = values(json.loads(await request.read()), request.headers["Idempotency-Key"], self._item)
        await asyncio.wrap_future(self._database.deposit(row))
        return web.Response(status=202, body=json.dumps({"trade_id": row["trade_id"]}).encode(), headers=HEADERS)

    async def trade(self, request: web.Request) -> web.Response:
        if not isinstance(self._database, RawPostgres):
            raise web.HTTPNotFound
        rows = await asyncio.wrap_future(self._database.read(request.match_info["trade_id"]))
        return web.Response(body=json.dumps(rows, default=_plain).encode(), headers=HEADERS)

    async def lock(self, request: web.Request) -> web.Response:
        row = raw_games.lock_values(json.loads(await request.read()))
        return await self._played(row, raw_games.POSTGRES_LOCK, raw_games.SQLITE_LOCK)

    async def transfer(self, request: web.Request) -> web.Response:
        row = raw_games.transfer_values(json.loads(await request.read()))
        return await self._played(row, raw_games.POSTGRES_TRANSFER, raw_games.SQLITE_TRANSFER)

    async def _played(self, row: dict[str, Any], postgres: str, sqlite: tuple[str, ...]) -> web.Response:
        if isinstance(self._database, RawPostgres):
            done = self._database.run(raw_games.on_postgres(postgres, row))
        else:
            done = self._database.run(raw_games.on_sqlite(sqlite, row))
        await asyncio.wrap_future(done)
        return web.Response(status=201, body=row["answer"].encode(), headers=HEADERS)

    async def order(self, request: web.Request) -> web.Response:
        """The same steps as a whole order, and nothing else."""
        if self._orders is None:
            raise web.HTTPNotFound
        row = values(json.loads(await request.read()), request.headers["Idempotency-Key"], self._item)
        await asyncio.wrap_future(self._database.deposit(row))
        await asyncio.wrap_future(await asyncio.to_thread(self._orders.give, row["trade_id"]))
        await asyncio.wrap_future(self._database.sent(row["trade_id"]))
        return web.Response(status=201, body=json.dumps({"trade_id": row["trade_id"]}).encode(), headers=HEADERS)


def _plain(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(type(value).__name__)


async def serve(url: str, item: Item, units: int, redis_url: str | None) -> None:
    """Serve on a free port until the process is ended."""
    parsed = make_url(url)
    sqlite = parsed.get_backend_name() == "sqlite"
    database = RawSqlite(Path(str(parsed.database)), "FULL") if sqlite else RawPostgres(url, units)
    bare = Bare(database, item, Orders(redis_url) if redis_url else None)
    app = web.Application(client_max_size=2**24)
    app.router.add_get("/healthz", bare.health)
    app.router.add_post("/deposit", bare.deposit)
    app.router.add_post("/order", bare.order)
    app.router.add_post("/locks", bare.lock)
    app.router.add_post("/transfers", bare.transfer)
    app.router.add_get("/trade/{trade_id}", bare.trade)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(json.dumps({"bare": site.name}), flush=True)
    await asyncio.Event().wait()


def main(arguments: list[str]) -> int:
    url, item_id, name, cents, units, *more = arguments
    asyncio.run(serve(url, Item(item_id, name, int(cents)), int(units), more[0] if more else None))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
