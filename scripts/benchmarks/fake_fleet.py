"""A fleet that is not there: sealed heartbeats of many bots, and answers to orders that read inventories.

For measuring the balancer alone. Orders to send are left in the queues, as a worker on another machine would take them.
"""

from __future__ import annotations

import json
import threading
import time
import zlib
from collections.abc import Callable
from typing import Any

import redis

from shared import wire
from shared.domain.ids import STEAM_ID_BASE
from shared.domain.items import CONTEXT_NORMAL, CS2_APP_ID, Asset, HeldAsset
from shared.orders import InventoryOrder, Order
from shared.reports import Heartbeat, Report
from shared.sealing import MasterKey

BEAT_S = 1.0
BOTS_PER_HOST = 10
BOT_BASE = STEAM_ID_BASE + 900_000_000
Inventory = Callable[[str], list[HeldAsset]]


def wear_of(asset_id: int) -> str:
    return f"0.{asset_id % 10**12:012d}"


def pattern_of(asset_id: int) -> str:
    return str(asset_id % 1000)


def inspect_link(asset_id: int) -> str:
    return f"steam://rungame/730/{STEAM_ID_BASE}/+csgo_econ_action_preview%20S{STEAM_ID_BASE}A{asset_id}D1"


def held(asset_id: int, name: str) -> HeldAsset:
    """One tradable copy of an item, with all that a real inventory tells of it."""
    return HeldAsset(
        asset=Asset(CS2_APP_ID, CONTEXT_NORMAL, str(asset_id)),
        class_id="310776767",
        instance_id="302028390",
        amount=1,
        market_hash_name=name,
        tradable=True,
        type="Mil-Spec Grade Rifle",
        color="4b69ff",
        name_color="D2D2D2",
        icon_url="i0CoZ81Ui0m-9KwlBY1L_18myuGuq1wfhWSaZgMttyVfPaERSR0Wqmu7LAocGIGz3UqlXOLrxM",
        wear=wear_of(asset_id),
        pattern=pattern_of(asset_id),
        inspect_link=inspect_link(asset_id),
    )


class FakeFleet:
    """Two threads: one beats for all bots, one answers. Use as a context manager."""

    def __init__(self, redis_url: str, master: MasterKey, bots: int, inventory: Inventory) -> None:
        self.names = [f"red-{number}" for number in range(1, bots + 1)]
        self._url = redis_url
        self._master = master
        self._inventory = inventory
        self._stop = threading.Event()
        self._may_answer = threading.Event()
        self._may_answer.set()
        self._numbers = dict.fromkeys(self.names, 0)
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._beat, self._answer)]

    def __enter__(self) -> FakeFleet:
        with wire.connect(self._url) as client:
            self.beat_once(client)
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        self._may_answer.set()
        for thread in self._threads:
            thread.join()

    def pause(self) -> None:
        """Answer nothing and cost nothing while something is measured; orders wait in the queues."""
        self._may_answer.clear()

    def resume(self) -> None:
        """Forget the orders that piled up, then answer again."""
        client = wire.connect(self._url)
        queues = [f"rq:queue:{name}" for name in self.names]
        orders = [order for queue in queues for order in _strings(client.lrange(queue, 0, -1))]
        pipe = client.pipeline(transaction=False)
        for start in range(0, len(orders), 500):
            pipe.delete(*(f"rq:job:{order}" for order in orders[start : start + 500]))
        pipe.delete(*queues)
        pipe.execute()
        client.close()
        self._may_answer.set()

    def beat_once(self, client: redis.Redis) -> None:
        """One heartbeat of every bot."""
        pipe = client.pipeline(transaction=False)
        now_ms = int(time.time() * 1000)
        for number, name in enumerate(self.names, 1):
            host, steam_id = f"bench-{number // BOTS_PER_HOST}", str(BOT_BASE + number)
            beat = Heartbeat(name, "bench", 1, host, steam_id, "online", now_ms, items=0, offers=0)
            wire.put_heartbeat(pipe, beat, self._master.bot(name))
        pipe.execute()

    def _beat(self) -> None:
        client = wire.connect(self._url)
        while not self._stop.wait(BEAT_S):
            self.beat_once(client)
        client.close()

    def _answer(self) -> None:
        client = wire.connect(self._url, blocking=True)
        queues = [f"rq:queue:{name}" for name in self.names]
        while not self._stop.is_set():
            self._may_answer.wait()
            popped: Any = client.blpop(queues, timeout=1)
            if popped:
                self._carry_out(client, popped[1].decode())
        client.close()

    def _carry_out(self, client: redis.Redis, order_id: str) -> None:
        data: Any = client.hmget(f"rq:job:{order_id}", "data", "origin")
        client.delete(f"rq:job:{order_id}")
        if data[0] is None:
            return
        keys = self._master.bot(data[1].decode())
        sealed: str = json.loads(zlib.decompress(data[0]))[2][0]
        order = wire.open_order(sealed, keys)
        if isinstance(order.payload, InventoryOrder):
            wire.append_reports(client, [self._report(order, order.payload.steam_id)], keys)

    def _report(self, order: Order, steam_id: str) -> Report:
        self._numbers[order.bot] += 1
        assets = [one.to_json() for one in self._inventory(steam_id)]
        data: dict[str, Any] = {"steam_id": steam_id, "assets": assets, "hold_days": 0}
        now_ms = int(time.time() * 1000)
        return Report(
            order.bot, "bench", self._numbers[order.bot], "inventory_read", order.order_id, None, order.attempt, now_ms, data
        )


def _strings(values: Any) -> list[str]:
    return [value.decode() for value in values]
