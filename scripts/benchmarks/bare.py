"""The baseline's server, a process of its own: `python -m scripts.benchmarks.bare DATABASE_URL ITEM_ID NAME CENTS UNITS`.

Bare aiohttp handlers in front of `raw_sql`. Prints one line of JSON with its address when it is ready.
"""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

from aiohttp import web
from sqlalchemy.engine import make_url

from scripts.benchmarks.raw_sql import Item, RawPostgres, RawSqlite, values

HEADERS = {"Content-Type": "application/json"}
_OK = b'{"status":"ok"}'


class Bare:
    """The three handlers."""

    def __init__(self, database: RawPostgres | RawSqlite, item: Item) -> None:
        self._database = database
        self._item = item

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


def _plain(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(type(value).__name__)


async def serve(url: str, item: Item, units: int) -> None:
    """Serve on a free port until the process is ended."""
    parsed = make_url(url)
    sqlite = parsed.get_backend_name() == "sqlite"
    bare = Bare(RawSqlite(Path(str(parsed.database)), "FULL") if sqlite else RawPostgres(url, units), item)
    app = web.Application()
    app.router.add_get("/healthz", bare.health)
    app.router.add_post("/deposit", bare.deposit)
    app.router.add_get("/trade/{trade_id}", bare.trade)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(json.dumps({"bare": site.name}), flush=True)
    await asyncio.Event().wait()


def main(arguments: list[str]) -> int:
    url, item_id, name, cents, units = arguments
    asyncio.run(serve(url, Item(item_id, name, int(cents)), int(units)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
