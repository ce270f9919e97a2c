"""A balancer over HTTP in a thread of its own, and what is asked of each of its answers."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import itertools
import json
import socket
import threading
from collections import Counter
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests
import schemathesis
from aiohttp import web
from balancer_http.harness import BOTS, PLAYER, PRICES, TRADE_URL, FakeBots, held
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.core.transport import Response
from schemathesis.specs.openapi import checks
from sqlalchemy import select
from support import wait_until

from balancer import app
from balancer.db import tables
from balancer.web import api, clients, openapi
from balancer.web.routes import ROUTES
from balancer.web.server import Runner
from shared import settings as settings_module
from shared.sealing import MasterKey
from shared.settings import Settings

DOCUMENT = openapi.build(ROUTES)
SCHEMA = schemathesis.openapi.from_dict(DOCUMENT)


def _known(found: Any) -> Any:
    return found.ok()


OPERATIONS = {f"{each.method.upper()} {each.path}": each for each in map(_known, SCHEMA.get_all_operations())}
CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.negative_data_rejection,
]
CALL_S = 120
numbers = itertools.count(1)


def balancer_settings(redis_url: str, database_url: str, folder: Path) -> Settings:
    """No request waits long, and nothing is done by the clock meanwhile."""
    master, prices = folder / "master.key", folder / "prices.json"
    MasterKey.create(master)
    prices.write_text(json.dumps(PRICES))
    values: dict[str, dict[str, Any]] = {
        "redis": {"url": redis_url, "timeout_s": 60.0},
        "database": {"url": database_url},
        "balancer": {
            "port": 0,
            "master_key_file": str(master),
            "prices_file": str(prices),
            "site_url": "http://127.0.0.1:8420",
            "wait_max_s": 0.02,
            "heartbeat_read_s": 0.5,
        },
        "listening": {"stream_life_s": 0.02},
        "group": {"offline_after_s": 86400.0},
        "rates": {f"{bucket}_per_minute": 0 for bucket in ("key", "player", "player_reads", "stranger_reads", "address")},
        "trades": {"inventory_wait_s": 50.0, "sweep_s": 86400.0, "watch_s": 86400.0},
        "limits": {
            "offers_per_partner_max": 1000,
            "offers_per_bot_max": 1000,
            "offers_per_player_max": 1000,
            "pending_deposits_per_player_max": 1000,
            "inventory_limit": 1000,
        },
    }
    return settings_module.load(None, values)


@dataclass(frozen=True)
class Raw:
    status: int
    problem: dict[str, Any]


class Fuzzed:
    """The balancer, a key that may do everything, and a look at all rows of its database."""

    def __init__(self, built: web.Application, loop: asyncio.AbstractEventLoop, url: str, api_key: str) -> None:
        self.ctx = built[api.CONTEXT]
        self.url = url
        self._loop = loop
        self.key = f"Bearer {api_key}"
        self.seen: Counter[tuple[str, int]] = Counter()
        self.rows = self.look()

    def do(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Run something in the balancer's own loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(CALL_S)

    def look(self) -> dict[str, tuple[int, str]]:
        """How many rows each table has, and a sum over all that stands in them."""

        def sums(connection: Any) -> dict[str, tuple[int, str]]:
            found = {}
            for table in (one for one in tables.metadata.sorted_tables if one is not tables.probes):
                rows = sorted(repr(tuple(row)) for row in connection.execute(select(table)))
                found[table.name] = len(rows), hashlib.sha256("\n".join(rows).encode()).hexdigest()
            return found

        rows: dict[str, tuple[int, str]] = self.do(self.ctx.db.read(sums))
        return rows

    def try_(self, case: Any) -> Response:
        """One request with the key: a documented answer, and no row changed if it is refused."""
        answer = case.call(base_url=self.url, headers={"Authorization": self.key}, allow_redirects=False, timeout=CALL_S)
        self.seen[f"{case.method} {case.path}", answer.status_code] += 1
        # A color that no bot has is asked for like any other; the operator may add some.
        strange_color = answer.status_code == 503 and answer.json()["code"] == "no_bot_available" and case.body.get("color")
        wanted = [check for check in CHECKS if not (strange_color and check is not_a_server_error)]
        if _lost_on_the_way(case, answer):
            wanted.remove(checks.negative_data_rejection)
        case.validate_response(answer, checks=wanted)
        self._same_rows_if_refused(case, answer)
        return answer  # type: ignore[no-any-return]

    def calm(self) -> None:
        """Undo what good requests may have done: let bots and the fleet go on."""
        body: Any
        for path, body in (
            ("/switches", {"switch": "deposits", "paused": False}),
            ("/switches", {"switch": "withdrawals", "paused": False}),
            *((f"/bots/{bot.replace('-', '/')}/resume", {}) for bot in BOTS),
        ):
            answer = requests.post(self.url + path, json=body, headers={"Authorization": self.key}, timeout=CALL_S)
            assert answer.status_code == 200, answer.text
        self.rows = self.look()

    def raw(self, head: str, body: str = "") -> Raw:
        """Whatever these bytes are, sent as they stand, and the answer."""
        parts = urlsplit(self.url)
        with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=CALL_S) as door:
            door.sendall(f"{head}\r\nHost: x\r\nConnection: close\r\n\r\n{body}".encode("latin-1"))
            text = b""
            with contextlib.suppress(ConnectionResetError):  # it may close before it has read everything
                while piece := door.recv(65536):
                    text += piece
        first, _, rest = text.partition(b"\r\n")
        return Raw(int(first.split()[1]), json.loads(rest.partition(b"\r\n\r\n")[2]))

    def try_without_key(self, case: Any, header: str | None) -> None:
        """The same as a stranger: 401, and no row changed. Each from another address, as wrong keys are counted."""
        number = next(numbers)
        headers = {"X-Forwarded-For": f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"}
        answer = case.call(base_url=self.url, headers=headers | ({"Authorization": header} if header else {}), timeout=CALL_S)
        assert answer.status_code == 401, (answer.status_code, answer.text)
        assert answer.json()["code"] == "bad_key"
        self._same_rows_if_refused(case, answer)

    def _same_rows_if_refused(self, case: Any, answer: Response) -> None:
        if answer.status_code < 400:
            self.do(self.ctx.outbox.drain())
        rows = self.look()
        if answer.status_code >= 400 or case.method == "GET":
            assert rows == self.rows, f"{case.method} {answer.request.url} changed rows with {answer.status_code}"
        self.rows = rows


def _lost_on_the_way(case: Any, answer: Response) -> bool:
    """Whether what was wrong in the query did not become part of the address: an empty list is written as nothing, and what
    is neither a list nor text is text there."""
    sent = parse_qs(urlsplit(str(answer.request.url)).query, keep_blank_values=True)
    return any(name not in sent or isinstance(value, bool) for name, value in case.query.items())


@contextmanager
def running(settings: Settings) -> Iterator[Fuzzed]:
    """Serve in a thread until the block ends."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    def do(work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, loop).result(CALL_S)

    built = app.build(settings)
    ctx, runner = built[api.CONTEXT], Runner(built, settings)
    bots = FakeBots(settings.redis.url, ctx.master, sends="")
    bots.inventories[PLAYER] = [held(number) for number in range(1, 200)]

    async def start() -> str:
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        key = clients.new_key(livemode=True)
        key_hash, now = ctx.master.api_key_hash(key), ctx.clock.now()
        scopes = ("trade", "read", "operate", "play")
        await ctx.db.run(lambda connection: clients.create(connection, "site", scopes, key_hash, now=now))
        return key

    api_key = do(start())
    working = asyncio.run_coroutine_threadsafe(bots.work(), loop)
    try:
        wait_until(lambda: len(ctx.fleet.online()) == len(BOTS), CALL_S)
        host, port = runner.addresses[0][:2]
        yield Fuzzed(built, loop, f"http://{host}:{port}", api_key)
    finally:
        working.cancel()
        do(runner.cleanup())
        loop.call_soon_threadsafe(loop.stop)
        thread.join(CALL_S)
        loop.close()


# What makes a request of any sense, put in place of what was generated, now and then: else nothing gets past the first check.
REAL: dict[str, Any] = {"steam_id": PLAYER, "trade_url": TRADE_URL, "user_id": "player-1", "color": None, "message": "hello"}


FIELDS = frozenset({*REAL, "asset_ids"})


def realistic(case: Any, fields: frozenset[str], number: int) -> Any:
    """The case with these fields of its body as a real site would fill them."""
    if isinstance(case.body, dict):
        body = {name: REAL[name] if name in fields and name in REAL else value for name, value in case.body.items()}
        if "asset_ids" in fields and "asset_ids" in body:
            body["asset_ids"] = [str(number)]
        case.body = body
    return case


def positive(name: str) -> st.SearchStrategy[Any]:
    """Requests as the document wants them."""
    return _filled(name, st.frozensets(st.sampled_from(sorted(FIELDS))) | st.just(FIELDS))


def sensible(name: str) -> st.SearchStrategy[Any]:
    """Requests as a site makes them."""
    return _filled(name, st.just(FIELDS))


def _filled(name: str, fields: st.SearchStrategy[frozenset[str]]) -> st.SearchStrategy[Any]:
    made = OPERATIONS[name].as_strategy(schemathesis.GenerationMode.POSITIVE)
    return st.builds(realistic, made, fields, st.integers(1, 199))


def negative(name: str) -> st.SearchStrategy[Any]:
    """Requests that the document does not allow."""
    made: st.SearchStrategy[Any] = OPERATIONS[name].as_strategy(schemathesis.GenerationMode.NEGATIVE)
    return made
