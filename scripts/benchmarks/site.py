"""A balancer of its own with a fake fleet, and beside it the bare server: what the HTTP rows are measured on."""

from __future__ import annotations

import itertools
import json
import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, func, insert
from sqlalchemy import select as select_rows
from sqlalchemy.engine import Engine

from balancer.db import migrate, tables
from scripts.benchmarks.fake_fleet import BOT_BASE, FakeFleet, held
from scripts.benchmarks.load import Ask, fire
from scripts.benchmarks.raw_sql import BOTS, Item
from scripts.benchmarks.rows import BenchError
from scripts.lab.parts import Part
from scripts.lab.quick import NEVER_REACHED
from scripts.lab.stack import Stack, Wish
from shared.clock import Clock
from shared.domain.ids import STEAM_ID_BASE, SteamId, TradeUrl
from shared.domain.items import HeldAsset, item_id_of
from shared.sealing import MasterKey

ITEMS = 10
FIRST_ASSET = 40_000_000_000
CONNECTIONS = 64
READY_S = 30.0
Say = Callable[[str], None]

# Limits are lifted, as one machine's fake bots take thousands of offers; looks at Steam and their sweep are left out, as the
# fake fleet would not answer them.
LIFTED: dict[str, dict[str, Any]] = {
    "limits": {
        "inventory_limit": 1_000_000,
        "offers_per_partner_max": 1_000_000,
        "offers_per_bot_max": 1_000_000,
        "offers_per_player_max": 1_000_000,
        "pending_deposits_per_player_max": 1_000_000,
        "pending_items_per_player_max": 1_000_000,
        "bot_items_max": 10_000_000,
    },
    "balancer": {"request_max_s": 120.0},
    "rates": NEVER_REACHED,
    "trades": {
        "inventory_wait_s": 60.0,
        "inventory_cache_s": 3600.0,
        "order_expiry_s": 3600.0,
        "watch_s": 3600.0,
        "sweep_s": 3600.0,
    },
}


@dataclass(frozen=True, slots=True)
class Player:
    """A player who deposits once, so that the inventory can be known before the clock starts."""

    number: int

    @property
    def steam_id(self) -> SteamId:
        return SteamId(STEAM_ID_BASE + 1000 + self.number)

    def inventory(self) -> dict[str, str]:
        return {"steam_id": str(int(self.steam_id)), "trade_url": str(TradeUrl(self.steam_id, "AbCd_123"))}

    def assets(self) -> range:
        first = FIRST_ASSET + self.number * ITEMS
        return range(first, first + ITEMS)

    def deposit(self) -> Ask:
        body = {"user_id": f"user-{self.number}", **self.inventory(), "asset_ids": [str(one) for one in self.assets()]}
        return Ask("POST", "/deposit?wait=0", body, key=f"bench-{self.number}")


class Players:
    """Fresh players, their user rows in every database that is named."""

    def __init__(self, engines: list[Engine]) -> None:
        self._engines = engines
        self._numbers = itertools.count(1)

    def take(self, count: int) -> list[Player]:
        players = [Player(next(self._numbers)) for _ in range(count)]
        now = Clock().now()
        rows = [{"user_id": f"user-{one.number}", "steam_id": int(one.steam_id), "created_at": now} for one in players]
        for engine in self._engines:
            with engine.begin() as connection:
                connection.execute(insert(tables.users), rows)
        return players


def inventory_of(item: Item) -> Callable[[str], list[HeldAsset]]:
    """What the fake bots see of a player: ten items."""

    def read(steam_id: str) -> list[HeldAsset]:
        return [held(asset_id, item.name) for asset_id in Player(int(steam_id) - STEAM_ID_BASE - 1000).assets()]

    return read


@dataclass
class Site:
    """Both servers, running; ``pids`` are theirs, as ``ours`` and ``raw``."""

    stack: Stack
    fleet: FakeFleet
    players: Players
    ours: Engine
    raw: Engine
    raw_url: str
    pids: dict[str, int]
    units: int
    item_id: str

    def warm(self, players: list[Player]) -> None:
        """Let the balancer read these players' inventories and forget the orders that came of the last round."""
        self.fleet.resume()
        asks = [Ask("POST", "/inventory", one.inventory()) for one in players]
        fire(self.stack.balancer_url, asks, connections=32, api_key=self.stack.api_key).require(200)
        self.fleet.pause()

    def rows_written(self, engine: Engine) -> dict[str, int]:
        """How many rows each table has."""
        with engine.connect() as connection:
            return {
                table.name: connection.execute(select_rows(func.count()).select_from(table)).scalar_one()
                for table in tables.metadata.sorted_tables
            }

    def trade_ids(self, engine: Engine, count: int) -> list[str]:
        with engine.connect() as connection:
            return list(connection.execute(select_rows(tables.trades.c.trade_id).limit(count)).scalars())


def known_item(directory: Path) -> Item:
    """One item that the balancer takes: a name with a price, no Souvenir."""
    prices: dict[str, int] = json.loads((directory / "prices.json").read_text())
    name = next(name for name, cents in sorted(prices.items()) if cents >= 100 and "Souvenir" not in name and name.isascii())
    return Item(item_id_of(name), name, prices[name])


def prepare_raw(url: str, item: Item) -> Engine:
    """The balancer's own tables, with the bots and the item that the bare server writes about."""
    migrate.upgrade(url)
    engine, now = create_engine(url), Clock().now()
    bots = [
        {"color": "red", "bot_id": number, "steam_id": BOT_BASE + number, "created_at": now, "touched": now}
        for number in range(1, BOTS + 1)
    ]
    row = {"item_id": item.item_id, "market_hash_name": item.name, "value_cents": item.cents}
    with engine.begin() as connection:
        connection.execute(insert(tables.bots), bots)
        connection.execute(insert(tables.items), [row])
    return engine


@contextmanager
def bare_server(url: str, item: Item, units: int, *redis_url: str) -> Iterator[tuple[str, int]]:
    """The bare aiohttp server, with a Redis also for orders; gives its address and its process."""
    about = (url, item.item_id, item.name, str(item.cents), str(units), *redis_url)
    command = [sys.executable, "-P", "-m", "scripts.benchmarks.bare", *about]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True) as process:
        try:
            if process.stdout is None or not select.select([process.stdout], [], [], READY_S)[0]:
                raise BenchError("the bare server did not start")
            line = process.stdout.readline()
            if not line:
                raise BenchError("the bare server ended")
            yield json.loads(line)["bare"], process.pid
        finally:
            process.terminate()


@contextmanager
def site(ours_url: str, raw_url: str, say: Say) -> Iterator[Site]:
    """A balancer on ``ours_url`` with a hundred fake bots, and the bare server on ``raw_url``; both databases are new."""
    with tempfile.TemporaryDirectory(prefix="fleet-bench-", ignore_cleanup_errors=True) as folder:
        wish = Wish(Path(folder), groups=[], players=1, database_url=ours_url, log_level="warning", overrides=LIFTED)
        with Stack(wish, say=say) as stack:
            settings = stack.settings()
            item = known_item(wish.directory)
            raw = prepare_raw(raw_url, item)
            master = MasterKey.read(settings.balancer.master_key_file)
            ours = create_engine(stack.database_url)
            units = settings.database.units_of_work_max
            fleet = FakeFleet(stack.redis_url, master, BOTS, inventory_of(item))
            with fleet, bare_server(raw_url, item, units) as (bare, bare_pid):
                wait_for_bots(stack)
                try:
                    pids = {"ours": _balancer(stack).process.pid, "raw": bare_pid}
                    yield Site(stack, fleet, Players([ours, raw]), ours, raw, bare, pids, units, item.item_id)
                finally:
                    ours.dispose()
                    raw.dispose()


def _balancer(stack: Stack) -> Part:
    return next(part for part in stack.parts if part.name == "balancer")


def cpu_s(pid: int) -> float | None:
    """Processor time that a process has used so far; ``None`` where the system does not tell (other than Linux)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def wait_for_bots(stack: Stack) -> None:
    """Until the balancer believes in every fake bot.

    Raises:
        BenchError: it does not.
    """
    deadline = time.monotonic() + READY_S
    while sum(bot.state == "online" for bot in stack.bots()) < BOTS:
        if time.monotonic() > deadline:
            raise BenchError("the balancer does not see the fake bots")
        time.sleep(0.1)
