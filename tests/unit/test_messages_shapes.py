"""Orders, reports and heartbeats in other shapes than expected under a good seal: of another release, of a host taken over."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from odd_shapes import check, odd, odd_text

from balancer.fleet.heartbeats import is_sane
from shared import wire
from shared.domain.items import Asset, HeldAsset
from shared.orders import OfferOrder, Order
from shared.reports import Heartbeat, Report
from shared.sealing import MasterKey, SealBroken, seal

KEYS = MasterKey(b"m" * 32).bot("red-1")
HELD = HeldAsset(Asset(730, "2", "77"), "11", "0", 1, "AK-47 | Redline", True, wear="0.2")
ORDER = json.loads(
    Order("or_1", "cancel", "red-1", "tr_1", 1, 1, 2, OfferOrder("t", "7", "5", [Asset(730, "2", "77")], [])).dumps()
)
REPORT = json.loads(Report("red-1", "red-1/a", 1, "offer_active", "or_1", "tr_1", 1, 1, {"offer_id": "5", "state": 2}).dumps())
BEAT = json.loads(Heartbeat("red-1", "red-1/a", 1, "host", "76561198000000001", "online", 1, 3, 2).dumps())


def opens(sealed: str, kind: str) -> Any:
    if kind == "order":
        return wire.open_order(sealed, KEYS)
    if kind == "report":
        return wire.open_report("red-1", sealed, KEYS)
    return wire.open_heartbeat("red-1", sealed, KEYS)


SEALED = {"order": (ORDER, KEYS.order), "report": (REPORT, KEYS.report), "heartbeat": (BEAT, KEYS.report)}


@pytest.mark.parametrize("kind", SEALED)
def test_what_is_sealed_and_odd_is_a_broken_seal_and_nothing_else(kind: str, shapes: int) -> None:
    good, key = SEALED[kind]

    def read(text: bytes) -> Any:
        return opens(seal(key, text, purpose=f"{kind}:red-1"), kind)

    def met(text: bytes) -> None:
        try:
            found = read(text)
        except SealBroken:
            return
        # An order is sealed for its bot by the balancer; what it names is looked at by whoever carries it out.
        assert found.bot == "red-1" or kind == "order"
        if isinstance(found, Heartbeat):
            is_sane(found)

    read(json.dumps(copy.deepcopy(good)).encode())
    assert check(odd_text(good), met, shapes) >= shapes


def test_what_a_bot_says_of_an_asset_is_read_or_refused(shapes: int) -> None:
    good = HELD.to_json()
    reader: Callable[[Any], HeldAsset] = HeldAsset.from_json

    def met(row: Any) -> None:
        try:
            found = reader(row)
        except (ValueError, TypeError, KeyError):
            return
        json.dumps(found.to_json())
        assert isinstance(found.market_hash_name, str)

    assert reader(good) == HELD
    assert check(odd(good), met, shapes) >= shapes
