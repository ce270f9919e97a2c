"""Orders, reports and heartbeats, held to those of the last release: the two may run side by side while one is replaced.

``last_release.json`` was written by the last release's own code (docs/upgrade.md). When there is a new release, it is written
anew. `flow/test_upgrade.py` lets the two programs themselves work together.
"""

from __future__ import annotations

import json
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import pytest

from shared import messages, orders, reports
from shared.domain.items import Asset, HeldAsset
from shared.orders import PAYLOADS, Order
from shared.reports import REPORT_KINDS, Heartbeat, Report

LAST: dict[str, Any] = json.loads((Path(__file__).parent / "last_release.json").read_text(encoding="utf-8"))
CLASSES: dict[str, type[Any]] = {
    **{
        name: kind
        for module in (orders, reports)
        for name, kind in vars(module).items()
        if hasattr(kind, "__dataclass_fields__")
    },
    "Asset": Asset,
    "HeldAsset": HeldAsset,
}
TOLD = ("Report", "Heartbeat", "HeldAsset")  # of these, what is not known is left out


def names(message: Any) -> set[tuple[str, str]]:
    """Every field that is written of a message and of its parts, with its class."""
    written = {(type(message).__name__, name) for name in json.loads(messages.dumps(message))}
    for each in fields(message):
        value = getattr(message, each.name)
        for part in value if isinstance(value, list) else (value,):
            if hasattr(part, "__dataclass_fields__"):
                written |= names(part)
    return written


@pytest.mark.parametrize("kind", sorted(LAST["orders"]))
def test_an_order_of_the_last_release_is_read(kind: str) -> None:
    """By a new worker, from a balancer that is not replaced yet."""
    order = Order.loads(LAST["orders"][kind].encode())
    assert (order.kind, order.bot, order.run) == (kind, "red-1", "run-1")
    assert type(order.payload) is PAYLOADS[kind]


@pytest.mark.parametrize("kind", sorted(LAST["orders"]))
def test_the_last_release_knows_all_that_is_written_of_an_order(kind: str) -> None:
    """By an old worker, which refuses an order with a field that it does not know: it would not do all that is asked."""
    for cls, name in names(Order.loads(LAST["orders"][kind].encode())):
        assert name in LAST["fields"][cls], f"{cls}.{name}: give it a default, and leave it there for old workers"


def test_no_new_field_of_a_message_is_needed() -> None:
    for cls, known in LAST["fields"].items():
        now = {each.name: each.default is MISSING and each.default_factory is MISSING for each in fields(CLASSES[cls])}
        needed = {name for name, is_needed in now.items() if is_needed}
        assert needed <= set(known), f"{cls}: the last release does not write {needed - set(known)}"
        if cls not in TOLD:
            assert set(known) <= set(now), f"{cls}: the last release still writes {set(known) - set(now)}"


def test_reports_and_heartbeats_of_the_last_release_are_read() -> None:
    for text in LAST["reports"]:
        report = Report.loads(text.encode())
        assert [HeldAsset.from_json(row).wear for row in report.data.get("assets", ())] in ([], ["0.1"])
    assert [Heartbeat.loads(text.encode()).items for text in LAST["heartbeats"]] == [3]
    assert set(LAST["report_kinds"]) <= REPORT_KINDS


def test_what_a_later_release_tells_more_is_left_out_and_what_it_asks_more_is_refused() -> None:
    for text in LAST["reports"]:
        more = json.loads(text) | {"weather": "fine"}
        assert Report.loads(json.dumps(more).encode()) == Report.loads(text.encode())
    held = HeldAsset(Asset(730, "2", "1"), "1", "0", 1, "name", True)
    assert HeldAsset.from_json(held.to_json() | {"smell": "none"}) == held
    more = json.loads(LAST["orders"]["send"]) | {"twice": True}
    with pytest.raises(TypeError):
        Order.loads(json.dumps(more).encode())


def test_what_is_as_usual_is_not_written() -> None:
    """So a field that is new and not used yet is nothing to a peer that does not know it."""
    payload = orders.InventoryOrder("76561198000000001", None)
    assert set(json.loads(messages.dumps(payload))) == {"steam_id", "trade_token"}
    changed = orders.InventoryOrder("76561198000000001", None, own_rows=0, with_hold=False, bans_of=["7"])
    assert set(json.loads(messages.dumps(changed))) == {"steam_id", "trade_token", "own_rows", "with_hold", "bans_of"}
    assert orders.InventoryOrder.from_json(json.loads(messages.dumps(changed))) == changed
