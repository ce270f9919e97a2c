"""What the tests of the balancer's core are written in: a context, players, items, and bots that report."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, cast

from hand_clock import HandClock
from sqlalchemy import Table, select, text

from balancer import context
from balancer.context import Context
from balancer.db import tables
from balancer.db.engine import Database
from balancer.journal.rules import Rules
from balancer.reports import apply
from balancer.trades import withdraw
from balancer.trades.deposit import Deposits
from balancer.trades.requests import Caller, DepositWish, Request, Wanted, WithdrawWish
from shared import wire
from shared.clock import Clock
from shared.domain.ids import SteamId, TradeUrl
from shared.domain.items import Asset, HeldAsset
from shared.orders import Order
from shared.reports import Heartbeat, Report
from shared.sealing import MasterKey
from shared.settings import load

MASTER = MasterKey(bytes(range(32)))
SITE = Caller("cli_test", "site", frozenset({"trade"}))


def player(number: int) -> SteamId:
    return SteamId.from_account_id(1000 + number)


def bot_account(name: str) -> SteamId:
    color, _, bot_id = name.rpartition("-")
    return SteamId.from_account_id(900_000_000 + sum(map(ord, color)) * 10_000 + int(bot_id))


@dataclass
class World:
    ctx: Context
    numbers: Any = field(default_factory=lambda: itertools.count(1))
    keys: Any = field(default_factory=lambda: itertools.count(1))
    reported: Any = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        self.deposits = Deposits(self.ctx)

    async def close(self) -> None:
        await self.ctx.outbox.drain()
        self.ctx.db.close()
        self.ctx.redis.close()

    # --- bots -------------------------------------------------------------------------------------

    def beat(self, *names: str, state: str = "online", **more: Any) -> None:
        for name in names:
            beat = Heartbeat(
                bot=name,
                run="run",
                pid=1,
                host="host",
                steam_id=str(int(bot_account(name))),
                state=state,
                at_ms=self.ctx.server_clock.now_ms(),
                **more,
            )
            wire.put_heartbeat(self.ctx.redis, beat, MASTER.bot(name))

    async def online(self, *names: str, **more: Any) -> None:
        self.beat(*names, **more)
        await self.ctx.fleet.refresh()

    def orders(self, bot: str = "red-1") -> list[Order]:
        """The orders in this bot's queue, oldest first; they stay there."""
        client: Any = self.ctx.redis
        found = []
        for job_id in client.lrange(f"rq:queue:{bot}", 0, -1):
            data = client.hget(f"rq:job:{job_id.decode()}", "data")
            found.append(wire.open_order(_sealed(data), MASTER.bot(bot)))
        return found

    def taken(self, bot: str = "red-1") -> list[Order]:
        """The same, taken out of the queue and done with."""
        found = self.orders(bot)
        self.ctx.redis.delete(f"rq:queue:{bot}", *(wire.job_key(bot, order.order_id) for order in found))
        return found

    # --- players ----------------------------------------------------------------------------------

    def assets(self, n: int, name: str = "P250 | Sand Dune (Field-Tested)") -> list[Wanted]:
        return [Wanted(_held(next(self.numbers), name), 250) for _ in range(n)]

    def wish(self, n: int = 1, who: int = 1, **more: Any) -> DepositWish:
        wanted = more.pop("wanted", None) or self.assets(n)
        return DepositWish(f"user-{who}", TradeUrl(player(who), "abcdefgh"), wanted, **more)

    async def deposit(self, n: int = 1, who: int = 1, key: str | None = None, body: str = "body", **more: Any) -> list[str]:
        wish = more.pop("wish", None) or self.wish(n, who, **more)
        return await self.bring(SITE, key or f"key-{next(self.keys)}", body, wish)

    async def withdraw(self, deposit_ids: list[str], who: int = 1, key: str | None = None) -> list[str]:
        wish = WithdrawWish(f"user-{who}", TradeUrl(player(who), "abcdefgh"), deposit_ids, "")
        return await self.give(SITE, key or f"key-{next(self.keys)}", "body", wish)

    async def bring(self, caller: Caller, key: str, body: str, wish: DepositWish) -> list[str]:
        return (await self.deposits.make(Request(caller, key, body, self.ctx.clock.now()), wish)).trade_ids

    async def give(self, caller: Caller, key: str, body: str, wish: WithdrawWish) -> list[str]:
        return (await withdraw.withdraw(self.ctx, Request(caller, key, body, self.ctx.clock.now()), wish)).trade_ids

    async def held(self, n: int = 1, who: int = 1, **more: Any) -> list[str]:
        """Deposits that are in, settled, and may be given back; their ids."""
        trade_ids = await self.deposit(n, who, **more)
        for trade_id in trade_ids:
            await self.accept(trade_id)
            await self.settle(trade_id)
        self.clear_queues()
        return [row.deposit_id for trade_id in trade_ids for row in self.deposits_of(trade_id)]

    def clear_queues(self) -> None:
        for key in self.ctx.redis.scan_iter("rq:*"):
            self.ctx.redis.delete(key)

    # --- reports ----------------------------------------------------------------------------------

    def report(
        self, trade_id: str | None, kind: str, /, bot: str | None = None, attempt: int | None = None, **data: Any
    ) -> Report:
        trade = None if trade_id is None else self.trade(trade_id)
        return Report(
            bot=bot or _bot_of(trade),
            run="run",
            number=next(self.reported),
            kind=kind,
            order_id=None,
            trade_id=trade_id,
            attempt=trade.attempt if attempt is None and trade is not None else attempt or 0,
            at_ms=self.ctx.server_clock.now_ms(),
            data=data,
        )

    async def tell(self, trade_id: str, kind: str, /, **more: Any) -> bool:
        """A bot reports this, and it is applied."""
        report = self.report(trade_id, kind, **more)
        return await self.ctx.db.run(apply.apply, report, self.ctx.clock.now(), Rules.of(self.ctx.settings))

    async def accept(self, trade_id: str) -> bool:
        moved = [
            {
                "asset_id": str(row.asset_id),
                "context_id": row.context_id,
                "new_asset_id": str(row.asset_id + 1_000_000),
                "new_context_id": "16",
            }
            for row in self.items_of(trade_id)
        ]
        settles_at = int(self.ctx.clock.now().timestamp()) + 7 * 86400
        return await self.tell(
            trade_id, "offer_accepted", offer_id="77", state=3, exchange_id=f"x-{trade_id}", settles_at=settles_at, moved=moved
        )

    def seen(self, trade_id: str, add: int = 2_000_000) -> list[dict[str, Any]]:
        return [
            {"deposit_id": row.deposit_id, "asset_id": str(row.asset_id + add), "context_id": "2", "matched": "receipt"}
            for row in self.items_of(trade_id)
        ]

    async def settle(self, trade_id: str) -> bool:
        return await self.tell(trade_id, "settled", assets=self.seen(trade_id))

    # --- what stands in the database -------------------------------------------------------------------

    def rows(self, query: Any) -> list[Any]:
        with self.ctx.db.transaction() as connection:
            return list(connection.execute(query))

    def trade(self, trade_id: str) -> Any:
        return self.rows(select(tables.trades).where(tables.trades.c.trade_id == trade_id))[0]

    def items_of(self, trade_id: str) -> list[Any]:
        columns = tables.trade_items.c
        return self.rows(select(tables.trade_items).where(columns.trade_id == trade_id).order_by(columns.deposit_id))

    def deposits_of(self, trade_id: str) -> list[Any]:
        ids = [row.deposit_id for row in self.items_of(trade_id)]
        table = tables.deposits
        return self.rows(select(table).where(table.c.deposit_id.in_(ids)).order_by(table.c.deposit_id))

    def statuses(self, trade_id: str) -> tuple[str, set[str]]:
        return self.trade(trade_id).status, {row.status for row in self.deposits_of(trade_id)}

    def bot(self, name: str = "red-1") -> Any:
        color, _, bot_id = name.rpartition("-")
        table = tables.bots
        return self.rows(select(table).where(table.c.color == color, table.c.bot_id == int(bot_id)))[0]

    def counters(self, name: str = "red-1") -> tuple[int, int, int]:
        """Slots held, slots reserved, open offers."""
        row = self.bot(name)
        return row.slots_held, row.slots_reserved, row.open_offers

    def events(self, kind: str | None = None) -> list[Any]:
        query = select(tables.events).order_by(tables.events.c.number)
        return [row for row in self.rows(query) if kind in (None, row.kind)]

    def count(self, table: str) -> int:
        return int(self.rows(text(f"SELECT count(*) FROM {table}"))[0][0])

    def change(self, statement: Any) -> None:
        with self.ctx.db.transaction() as connection:
            connection.execute(statement)

    def clone(self, table: Table, row: Any, n: int, **other: Callable[[int], Any] | None) -> None:
        """So many more rows like this one: for what takes more than fits into one batch.

        ``other`` makes what must differ of the clone's number; ``None`` leaves it to the database.
        """
        same = {name: value for name, value in row._mapping.items() if name not in other}
        made = {name: value for name, value in other.items() if value is not None}
        rows = [{**same, **{name: value(number) for name, value in made.items()}} for number in range(n)]
        with self.ctx.db.transaction() as connection:
            connection.execute(table.insert(), rows)

    def later(self, seconds: float) -> None:
        """Time passes, for the balancer and for Redis alike."""
        clock = self.ctx.clock
        assert isinstance(clock, HandClock)
        clock.pass_time(seconds)


def _bot_of(trade: Any) -> str:
    return f"{trade.color}-{trade.bot_id}"


def _sealed(data: bytes) -> str:
    import json
    import zlib

    return str(json.loads(zlib.decompress(data))[2][0])


def _held(number: int, name: str) -> HeldAsset:
    return HeldAsset(
        asset=Asset(730, "2", str(30_000_000_000 + number)),
        class_id=str(500 + number),
        instance_id="0",
        amount=1,
        market_hash_name=name,
        tradable=True,
        type="Pistol",
        color="b0c3d9",
        wear=f"0.{number:08d}",
        pattern=str(number % 1000),
    )


class _Between:
    def __init__(self, real: Database, way: Callable[..., Awaitable[Any]]) -> None:
        self._real = real
        self._way = way

    async def run(self, work: Any, *args: Any) -> Any:
        return await self._way(self._real.run, work, *args)

    async def read(self, work: Any, *args: Any) -> Any:
        return await self._way(self._real.read, work, *args)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


def between(real: Database, way: Callable[..., Awaitable[Any]]) -> Database:
    """The database for a part to which something happens on the way: ``await way(do, work, *args)`` for each unit of work.

    ``do(work, *args)`` does it. The ``way`` may raise instead, count, or let something else come first.
    """
    return cast(Database, _Between(real, way))


async def make_world(
    database_url: str,
    redis_url: str,
    bots: tuple[str, ...] = ("red-1", "red-2"),
    clock: Clock | None = None,
    **overrides: dict[str, Any],
) -> World:
    """``overrides`` are sections of settings, as in ``limits={"bot_items_max": 20}``. Without a ``clock`` time stands still."""
    database = {"url": database_url, "sqlite_synchronous": "NORMAL", **overrides.pop("database", {})}
    settings = load(overrides={"redis": {"url": redis_url, "timeout_s": 60.0}, "database": database, **overrides})
    ctx = context.build(settings, MASTER, clock or HandClock())
    wire.measure_time(ctx.redis, ctx.clock, ctx.server_clock)
    made = World(ctx)
    await made.online(*bots)
    return made
