"""A bad day at Steam: whatever is lost on the way, each trade ends with one live offer, as Steam's own record says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
from bot_lab import FAST, Lab, SteamWorld

from shared.orders import Order, SendOrder
from shared.reports import Report

ROUNDS_MAX = 400
TROUBLE: list[dict[str, Any]] = [
    {"route": "send", "kind": "cut", "after": True, "probability": 0.2},
    {"route": "send", "kind": "cut", "probability": 0.2},
    {"route": "send", "kind": "str_error", "code": 16, "status": 500, "after": True, "probability": 0.15},
    {"route": "send", "kind": "str_error", "code": 20, "status": 500, "probability": 0.15},
    {"route": "send,getlist,ajaxop,partnerinventory", "kind": "dead_cookie", "probability": 0.05},
    {"route": "GetTradeOffers,GetTradeHistory", "kind": "html", "probability": 0.2},
    {"route": "GetTradeOffers", "kind": "glitched", "probability": 0.1},
    {"route": "partnerinventory,GetInventoryItemsWithDescriptions", "kind": "empty_inventory", "probability": 0.2},
    {"route": "getlist", "kind": "no_conf", "probability": 0.2},
    {"route": "ajaxop", "kind": "success_false", "after": True, "probability": 0.2},
    {"route": "ajaxop", "kind": "success_false", "probability": 0.2},
]

# Lists that are empty by mistake, at random and so also three times in a row, while everything else is true.
EMPTY = {"route": "GetTradeOffers", "kind": "maintenance", "shape": "empty", "times": None, "probability": 0.3}

# What a balancer makes of a report, as far as it concerns an offer that nobody answers.
MOVES = {
    "picked_up": "sending",
    "try_later": "queued",
    "order_dropped": "queued",
    "answer_lost": "in_doubt",
    "confirmation_needed": "confirming",
    "offer_active": "sent",
}


@dataclass
class Trade:
    order: Order
    status: str = "queued"
    offer_id: str | None = None

    def hear(self, report: Report) -> None:
        if report.attempt != self.order.attempt:
            assert report.kind in MOVES, "nothing ends by an older attempt"
            return
        self.offer_id = report.data.get("offer_id", self.offer_id)
        if report.kind == "offer_absent":
            assert self.status == "in_doubt"
            self.status = "queued"
        elif report.kind in MOVES and self.status != "sent":
            self.status = MOVES[report.kind]
        else:
            assert report.kind in ("find_inconclusive", "order_failed", "offer_active"), report.kind
        if self.status == "queued":
            self.order = replace(self.order, attempt=self.order.attempt + 1)

    def next_order(self, lab: Lab, number: int) -> Order:
        if self.status == "queued":
            return replace(self.order, order_id=f"or_send_{number}")
        watched = lab.watched(self.order, self.offer_id, self.status)
        return lab.find_order(watched) if self.status == "in_doubt" else lab.watch_order(watched)


@pytest.mark.parametrize("empty", [False, True])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_each_trade_ends_with_one_live_offer(make_lab: Callable[..., Lab], world: SteamWorld, seed: int, empty: bool) -> None:
    """Without lists that are empty by mistake nothing is even made twice; with them, what was is canceled when it is seen."""
    lab = make_lab(steam={"maintenance_hold_s": 0.02}, pace={**FAST, "retry_s": 0.002})
    trades: dict[str, Trade] = {}
    for partner in (world.account("player", items=4) for _ in range(3)):
        for asset in partner.assets(3):
            order = lab.send_order(partner, [], [asset])
            trades[order.trade_id or ""] = Trade(order)
    partner = world.account("player", items=0)
    for asset in lab.me.assets(3):
        order = lab.send_order(partner, [asset], [])
        trades[order.trade_id or ""] = Trade(order)
    for number, trouble in enumerate([*TROUBLE, EMPTY] if empty else TROUBLE):
        lab.me.fault(**{"seed": 100 * seed + number, **trouble})
    heard: Counter[str] = Counter()
    for number in range(ROUNDS_MAX):
        waiting = [trade for trade in trades.values() if trade.status != "sent"]
        if not waiting:
            break
        for report in lab.do(waiting[number % len(waiting)].next_order(lab, number)):
            heard[report.kind] += 1
            if report.trade_id in trades and report.kind != "order_failed":
                trades[report.trade_id].hear(report)
        if lab.bot.needs_sign_in:
            assert lab.worker.sign_in()
    world.clear_faults()
    assert Counter(trade.status for trade in trades.values()) == {"sent": 12}
    assert heard["answer_lost"]
    lab.do(lab.watch_order(*(lab.watched(trade.order, trade.offer_id) for trade in trades.values())))
    offers = lab.me.offers()
    for trade in trades.values():
        payload = trade.order.payload
        assert isinstance(payload, SendOrder)
        mine = [offer for offer in offers if payload.token in offer["message"]]
        assert [offer["offer_id"] for offer in mine if offer["state"] == 2] == [trade.offer_id]
        assert len(mine) == 1 or empty, "an offer that existed was never made again"
