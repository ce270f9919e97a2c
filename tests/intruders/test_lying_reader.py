"""The host of red-1 was taken over and calls a player's cheap item a dear one; the item goes in at another host's bot."""

from __future__ import annotations

import json
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from flow_site import Player, Website
from intruders import trading
from intruders.intruder import Intruder, held, pid_of
from support import wait_until

from scripts.lab.calls import get_json
from shared import wire
from shared.clock import Clock
from shared.orders import InventoryOrder, Order
from shared.reports import Report

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("intruders"), pytest.mark.timeout(600)]

TURN_S = 0.03
QUEUE = "rq:queue:red-1"
IN_HAND = f"{QUEUE}:intermediate"


class FalseWorker:
    """What the intruder runs in the place of red-1's worker: it lives, takes its orders, and lies about what players hold.

    All of it goes through the Redis user of that host and is sealed with its keys.
    """

    def __init__(self, intruder: Intruder, called: str) -> None:
        self.intruder, self.called = intruder, called
        self.lies = 0
        self._seen: set[bytes] = set()
        self._over = threading.Event()

    @contextmanager
    def at_work(self) -> Iterator[None]:
        with held([pid_of(self.intruder.stack, "red-1")]):
            thread = threading.Thread(target=self._run)
            thread.start()
            try:
                yield
            finally:
                self._over.set()
                thread.join()

    def _run(self) -> None:
        host, keys = self.intruder.host, self.intruder.keys
        text: Any = host.get(wire.heartbeat_key("red-1"))
        beat = wire.open_heartbeat("red-1", text, keys)
        while not self._over.wait(TURN_S):
            wire.put_heartbeat(host, replace(beat, at_ms=Clock().now_ms()), keys)
            # Redis may have handed an order to the worker that stands still: its hand is turned round and round.
            job: Any = host.lmove(QUEUE, IN_HAND, "RIGHT", "LEFT") or host.lmove(IN_HAND, IN_HAND, "RIGHT", "LEFT")
            if job is not None and job not in self._seen:
                self._seen.add(job)
                fields: Any = host.hmget(b"rq:job:" + job, ["data"])
                if fields[0] is not None:
                    self._answer(wire.open_order(json.loads(zlib.decompress(fields[0]))[2][0], keys))

    def _answer(self, order: Order) -> None:
        payload = order.payload
        if not isinstance(payload, InventoryOrder) or payload.own_rows is not None:
            return
        mine = [row for row in self.intruder.site.record()["assets"] if row["owner"] == payload.steam_id]
        shown = {"class_id": "1", "instance_id": "0", "amount": 1, "market_hash_name": self.called, "tradable": True}
        assets = [{"asset": {"app_id": 730, "context_id": "2", "asset_id": row["asset_id"]}, **shown} for row in mine]
        bans = dict.fromkeys(payload.bans_of, False)
        data = {"steam_id": payload.steam_id, "assets": assets, "hold_days": 0, "bans": bans}
        self.lies += 1
        told = Report("red-1", "run", self.lies, "inventory_read", order.order_id, None, 0, Clock().now_ms(), data)
        wire.append_reports(self.intruder.host, [told], self.intruder.keys)


READ_ONCE_CENTS = 50_000  # [limits] dear_item_cents: what is worth more is read by bots of two hosts


def cheapest_and_dearest(site: Website, most_cents: int) -> tuple[tuple[str, int], tuple[str, int]]:
    """Names and prices in cents, of items that can be traded and cost at most so much."""
    rows = get_json(f"{site.stack.control_url}/control/catalogue")["items"]
    priced = sorted(
        (row["price_cents"], row["market_hash_name"])
        for row in rows
        if row["tradable"] and 0 < (row["price_cents"] or 0) <= most_cents
    )
    (low, cheap), (high, dear) = priced[0], priced[-1]
    return (cheap, low), (dear, high)


def lied_about(site: Website, name: str, called: str) -> Player:
    """A player with one such item, which the balancer holds for another as red-1's host was asked about it."""
    player = site.player(items=[name], habit="accept")
    answer = site.call("POST", "/inventory", {"steam_id": player.steam_id, "trade_url": player.trade_url})
    shown = [row["market_hash_name"] for row in answer.body.get("items", [])]
    return player if shown == [called] else lied_about(site, name, called)


def test_a_cheap_item_that_a_host_calls_dear_is_booked_as_what_another_hosts_bot_received(
    intruder: Intruder, site: Website
) -> None:
    (cheap, cents), (dear, dear_cents) = cheapest_and_dearest(site, READ_ONCE_CENTS)
    assert cents < 10 < 10_000 < dear_cents, "the cheap one is not even accepted by its own name"
    with FalseWorker(intruder, dear).at_work():
        player = lied_about(site, cheap, dear)
        [trade] = site.deposit(player, 1, color="blue").body["trades"]
    assert trade["bot"].startswith("blue-")
    trade = site.until(trade["trade_id"], "settled", timeout_s=trading.LONG_S)
    [row] = site.deposits(player).values()
    assert (row["market_hash_name"], row["value_cents"], row["frozen_by"]) == (cheap, cents, "swapped")
    [alarm] = [event["data"] for event in intruder.events("alarm", trade["bot"]) if event["trade_id"] == trade["trade_id"]]
    assert (alarm["alarm"], alarm["said"], alarm["is"]) == ("item_swapped", dear, cheap)
    assert (alarm["value_cents_said"], alarm["value_cents"]) == (dear_cents, cents)
    refused = site.withdraw(player, [row["deposit_id"]], wait=0)
    assert (refused.status, refused.body["code"]) == (409, "item_frozen")
    wait_until(lambda: not site.differences(), trading.LONG_S, 0.5)


def test_what_it_calls_dearer_than_one_host_is_believed_is_not_taken(intruder: Intruder, site: Website) -> None:
    (cheap, _), (dear, dear_cents) = cheapest_and_dearest(site, 10**9)
    assert dear_cents > READ_ONCE_CENTS
    with FalseWorker(intruder, dear).at_work():
        player = lied_about(site, cheap, dear)
        answer = site.deposit(player, 1, color="blue")
    assert (answer.status, answer.body["code"], answer.body["retryable"]) == (503, "readings_differ", True)
    assert site.deposits(player) == {}
    told = [event["data"] for event in intruder.events("alarm", "red-1") if event["data"]["alarm"] == "readings_differ"]
    [first, second] = told[-1]["bots"]
    assert (first, second.partition("-")[0]) == ("red-1", "blue")
