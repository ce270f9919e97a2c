"""What the tests of the HTTP side share: bots that answer over the real wire, and the site that calls."""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, TypeVar

import jsonschema
import pytest
import redis.asyncio
from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient, TestServer
from narrowed import payload
from sqlalchemy import event, func, select

from balancer.context import Context
from balancer.db import tables
from balancer.web import api, clients, openapi
from balancer.web.routes import ROUTES
from balancer.web.server import CHECK_S, Runner
from shared import wire
from shared.domain.items import Asset, HeldAsset
from shared.orders import InventoryOrder, Order, WatchOrder
from shared.reports import Heartbeat, Report
from shared.sealing import MasterKey
from shared.settings import Settings

BOTS = ("red-1", "red-2")
PLAYER = "76561198000000002"
TRADE_URL = "https://steamcommunity.com/tradeoffer/new/?partner=39734274&token=AbCd_123"
OTHER = "76561198000000003"
OTHER_URL = "https://steamcommunity.com/tradeoffer/new/?partner=39734275&token=AbCd_124"
GOOD = "AK-47 | Redline (Field-Tested)"
PRICES = {GOOD: 1200, "Sticker | Cheap": 3, "Souvenir AWP | Dragon Lore (Factory New)": 900_000, "Case": 55}
READY_S = 120
# For what has nothing to do with the database.
ONE_DATABASE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def held(asset_id: int, name: str = GOOD, **changes: Any) -> HeldAsset:
    values = {"class_id": "11", "instance_id": "0", "amount": 1, "tradable": True, "wear": f"0.{asset_id}", **changes}
    return HeldAsset(asset=Asset(730, "2", str(asset_id)), market_hash_name=name, **values)


def items_of(trade: dict[str, Any]) -> list[dict[str, Any]]:
    """The trade's items by asset id; they come in no order of their own."""
    return sorted(trade["items"], key=lambda item: int(item["asset_id"]))


Part = TypeVar("Part")


@dataclass
class FakeBots:
    """Bots that take orders from the real queues and tell sealed reports; what they find is set by the test."""

    url: str
    master: MasterKey
    inventories: dict[str, list[HeldAsset]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    hold_days: int | None = 0
    level: int | None = 10
    sends: str = "offer_active"  # or "" for a bot that never answers
    silent: bool = False
    ignores: set[str] = field(default_factory=set)  # kinds of orders that no bot answers
    sees: dict[str, str | None] = field(default_factory=dict)  # by trade id, what a look shows; offer_active if not said
    blind: str | None = None  # why a look fails; "" for a bot that never answers one
    banned: set[str] = field(default_factory=set)
    egress: dict[str, str] = field(default_factory=dict)  # by bot; all behind one address if not said
    read_every_s: float = 0.0
    identity: dict[str, Any] | None = None  # of every bot, as players see it in Steam
    told: dict[str, dict[str, Any]] = field(default_factory=dict)  # by bot, what else its heartbeat says
    names: tuple[str, ...] = BOTS
    lies: dict[str, dict[str, list[HeldAsset] | str]] = field(default_factory=dict)  # by bot and player, what it tells instead
    lies_second: dict[str, list[HeldAsset] | str] = field(default_factory=dict)  # by player, whichever bot reads a second time
    throttled: set[str] = field(default_factory=set)  # bots whose address Steam lets read nothing
    reads: int = 0
    orders: list[Order] = field(default_factory=list)
    _numbers: Any = field(default_factory=lambda: itertools.count(1))

    async def beat(self, client: Any) -> None:
        """Say of every bot that it is online."""
        seconds, micros = await client.time()
        for number, bot in enumerate(self.names, 1):
            beat = Heartbeat(
                bot,
                "run-1",
                1,
                "host-1",
                str(76561198000000100 + number),
                "online",
                seconds * 1000 + micros // 1000,
                items=0,
                offers=0,
                egress=self.egress.get(bot, "host-1"),
                read_every_s=self.read_every_s,
                identity=self.identity,
            )
            pipe = client.pipeline()
            wire.put_heartbeat(pipe, replace(beat, **self.told.get(bot, {})), self.master.bot(bot))
            await pipe.execute()

    async def work(self) -> None:
        """Answer orders until canceled."""
        async with redis.asyncio.Redis.from_url(self.url, socket_timeout=None) as client:
            while True:
                if not self.silent:
                    await self.beat(client)
                found: Any = await client.blpop([f"rq:queue:{bot}" for bot in self.names], timeout=0.5)
                if found is not None:
                    await self._answer(client, found[0].decode().removeprefix("rq:queue:"), found[1].decode())

    async def _answer(self, client: Any, bot: str, job: str) -> None:
        data = await client.hget(f"rq:job:{job}", "data")
        sealed = json.loads(zlib.decompress(data))[2][0]
        keys = self.master.bot(bot)
        order = wire.open_order(sealed, keys)
        self.orders.append(order)
        told = self._tell(order)
        if told is not None:
            kind, found = told
            report = Report(
                bot,
                "run-1",
                next(self._numbers),
                kind,
                order.order_id,
                order.trade_id,
                order.attempt,
                order.issued_at_ms,
                found,
            )
            pipe = client.pipeline()
            wire.append_reports(pipe, [report], keys)
            await pipe.execute()

    def _tell(self, order: Order) -> tuple[str, dict[str, Any]] | None:
        if order.kind in self.ignores:
            return None
        if order.kind == "inventory":
            self.reads += 1
            if order.bot in self.throttled:
                return "inventory_failed", {"steam_id": None, "code": "steam_throttled", "reason": "429", "retry_after_s": 600}
            asked_for = payload(order, InventoryOrder)
            steam_id = asked_for.steam_id
            lie = self.lies.get(order.bot, {}).get(steam_id)
            if asked_for.second:
                lie = self.lies_second.get(steam_id, lie)
            if code := lie if isinstance(lie, str) else self.failures.get(steam_id):
                return "inventory_failed", {"steam_id": steam_id, "code": code, "reason": code}
            # As Steam does: what a partner may offer holds tradable items only, the public inventory all.
            with_url = asked_for.trade_token is not None
            there = lie if isinstance(lie, list) else self.inventories.get(steam_id, [])
            assets = [one.to_json() for one in there if one.tradable or not with_url]
            asked = {each: each in self.banned for each in asked_for.bans_of}
            hold_days = self.hold_days if with_url and asked_for.with_hold else None
            told = {"steam_id": steam_id, "assets": assets, "hold_days": hold_days, "bans": asked}
            return "inventory_read", told | ({"level": self.level} if asked_for.with_level else {})
        if order.kind == "look":
            return self._look(order)
        if order.kind == "send" and self.sends:
            return self.sends, {"offer_id": str(7_000_000_000 + next(self._numbers)), "state": 2}
        return None

    def _look(self, order: Order) -> tuple[str, dict[str, Any]] | None:
        if self.blind is not None:
            return ("not_looked", {"reason": self.blind}) if self.blind else None
        trades = payload(order, WatchOrder).trades
        return "looked", {
            "seen": [
                {
                    "trade_id": trade.trade_id,
                    "offer_id": trade.offer_id,
                    "sees": self.sees.get(trade.trade_id, "offer_active"),
                    "changed_at": order.issued_at_ms // 1000,
                }
                for trade in trades
            ]
        }

    @property
    def looks(self) -> list[Order]:
        return [order for order in self.orders if order.kind == "look"]


def assert_fits(body: Any, name: str) -> None:
    """That an answer is what the document at `/openapi.json` says of a schema of this name."""
    schema = {"$ref": f"#/components/schemas/{name}", "components": _document()["components"]}
    jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker()).validate(body)


@cache
def _document() -> dict[str, Any]:
    return openapi.build(ROUTES)


class Server(TestServer):
    """A test server whose connections are the product's own."""

    def __init__(self, app: web.Application, settings: Settings, check_s: float = CHECK_S) -> None:
        super().__init__(app)
        self._settings = settings
        self._check_s = check_s

    async def _make_runner(self, **options: Any) -> Runner:
        return Runner(self.app, self._settings, self._check_s, **options)


class Service:
    """One balancer and the site that calls it."""

    def __init__(self, client: TestClient[Any, Any], bots: FakeBots) -> None:
        self.client = client
        self.bots = bots
        self.app = client.app
        self.ctx: Context = client.app[api.CONTEXT]
        self.keys: dict[str, str] = {}
        self._numbers = itertools.count(1)

    def part(self, key: web.AppKey[Part]) -> Part:
        """One part of the application."""
        app: web.Application = self.app
        return app[key]

    @contextmanager
    def selects(self, table: str) -> Iterator[list[str]]:
        """The statements that read this table meanwhile, and change nothing."""
        seen: list[str] = []
        pattern = re.compile(rf"(FROM|JOIN) {table}\b")

        def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
            if statement.startswith("SELECT") and pattern.search(statement):
                seen.append(statement)

        event.listen(self.ctx.db.engine, "before_cursor_execute", note)
        try:
            yield seen
        finally:
            event.remove(self.ctx.db.engine, "before_cursor_execute", note)

    async def add_client(self, name: str, *scopes: str) -> str:
        key = clients.new_key(self.ctx.settings.balancer.livemode)
        key_hash = self.ctx.master.api_key_hash(key)
        now = self.ctx.clock.now()
        await self.ctx.db.run(lambda connection: clients.create(connection, name, scopes, key_hash, now=now))
        self.keys[name] = key
        return key

    async def call(
        self, method: str, path: str, body: Any = None, *, key: str | None = "", client: str = "site", **options: Any
    ) -> ClientResponse:
        """``key`` is the Idempotency-Key: a new one by default, none if ``None``."""
        headers = {"Authorization": f"Bearer {self.keys[client]}"} if client else {}
        if method == "POST" and key is not None:
            headers["Idempotency-Key"] = key or f"key-{next(self._numbers)}"
        headers |= options.pop("headers", {})
        if path in ("/deposit", "/withdraw"):
            path += "?wait=25"  # the longest; whoever asks for another time says so
        if body is not None:
            options["json"] = body
        return await self.client.request(method, path, headers=headers, allow_redirects=False, **options)

    def deposit_body(self, *asset_ids: Any, **more: Any) -> dict[str, Any]:
        assets = list(asset_ids) or ["1"]
        return {"user_id": "player-1", "steam_id": PLAYER, "trade_url": TRADE_URL, "asset_ids": assets, **more}

    async def deposit(self, *asset_ids: Any, **more: Any) -> dict[str, Any]:
        """A deposit that goes well; its only trade."""
        response = await self.call("POST", "/deposit", self.deposit_body(*asset_ids, **more))
        body = await response.json()
        assert response.status == 201, body
        assert len(body["trades"]) == 1
        trade: dict[str, Any] = body["trades"][0]
        return trade

    async def move_clock(self, seconds: float) -> None:
        """Let the balancer's wall clock jump; Redis' time stays, and it is measured at once."""
        self.ctx.clock.offset_s += seconds
        await asyncio.to_thread(wire.measure_time, self.ctx.redis, self.ctx.clock, self.ctx.server_clock)
        # A look at the fleet between the jump and the measurement finds every heartbeat old; wait for the next one.
        async with asyncio.timeout(READY_S):
            while not self.bots.silent and len(self.ctx.fleet.online()) < len(self.bots.names):
                await asyncio.sleep(0.02)

    async def rows(self) -> dict[str, int]:
        """How many rows each table has; without what is written by itself."""
        return await self.ctx.db.read(
            lambda connection: {
                table.name: connection.scalar(select(func.count()).select_from(table)) or 0
                for table in tables.metadata.sorted_tables
                if table not in (tables.audits, tables.probes)
            }
        )

    async def until_ready(self, wanted: Callable[[dict[str, Any]], bool] = lambda body: bool(body["ready"])) -> dict[str, Any]:
        """What `/readyz` says once this is true of it: on a busy machine a check may pass its own time-out before."""
        async with asyncio.timeout(READY_S):
            while True:
                answer = await self.client.get("/readyz")
                body: dict[str, Any] = await answer.json()
                assert answer.status == (200 if body["ready"] else 503), body
                if wanted(body):
                    return body
                await asyncio.sleep(0.02)

    async def report(self, kind: str, trade: dict[str, Any], data: dict[str, Any], at_ms: int = 0) -> None:
        """What the trade's bot tells of it."""
        keys = self.ctx.master.bot(trade["bot"])
        report = Report(
            trade["bot"], "run-1", 10_000 + next(self._numbers), kind, None, trade["trade_id"], trade["attempt"], at_ms, data
        )
        await asyncio.to_thread(wire.append_reports, self.ctx.redis, [report], keys)

    async def accepted(self, trade: dict[str, Any]) -> dict[str, Any]:
        """The trade, once its offer was accepted."""
        moved = [
            {
                "asset_id": item["asset_id"],
                "context_id": "2",
                "new_asset_id": str(int(item["asset_id"]) + 90_000),
                "new_context_id": "16",
            }
            for item in trade["items"]
        ]
        data = {"offer_id": trade["offer_id"], "state": 3, "exchange_id": "5001", "settles_at": None, "moved": moved}
        await self.report("offer_accepted", trade, data)
        return await self.until(trade["trade_id"], "accepted")

    async def until(self, trade_id: str, status: str) -> dict[str, Any]:
        async with asyncio.timeout(READY_S):
            while True:
                found = await (await self.call("GET", f"/trade/{trade_id}")).json()
                if found["status"] == status:
                    return dict(found)
                await asyncio.sleep(0.02)
