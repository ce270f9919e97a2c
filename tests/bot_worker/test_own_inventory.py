"""All of the bot's own inventory, told for an audit: whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import requests
from bot_lab import Lab, SteamAccount, SteamWorld, ask, twist

from shared import wire
from shared.orders import InventoryOrder
from shared.reports import Report


def read(lab: Lab, rows: int = 0) -> Report:
    (report,) = lab.do(lab.order("inventory", InventoryOrder(lab.me.steam_id, None, own_rows=rows), trade_id=None))
    return report


def told(report: Report) -> dict[str, dict[str, Any]]:
    assert report.kind == "custody_read", report
    return {row["asset_id"]: row for row in report.data["assets"]}


def take(lab: Lab, player: SteamAccount, count: int) -> None:
    """The bot gets items of a player, which are protected from then on."""
    (active,) = [each for each in lab.do(lab.send_order(player, [], player.assets(count))) if each.kind == "offer_active"]
    player.act(active.data["offer_id"], "accept")


def test_both_contexts_are_told_with_what_each_asset_is(lab: Lab, player: SteamAccount) -> None:
    take(lab, player, 2)
    report = read(lab, rows=3)
    assert report.data["steam_id"] == lab.me.steam_id
    rows = {row["asset_id"]: row for context in (2, 16) for row in lab.me.items(context)}
    assert {row["context_id"] for row in rows.values()} == {2, 16}
    found = told(report)
    assert set(found) == set(rows)
    for asset_id, each in found.items():
        row = rows[asset_id]
        assert (each["name"], each["context_id"]) == (row["market_hash_name"], str(row["context_id"]))
        assert (each["class_id"], each["instance_id"]) == (row["classid"], row["instanceid"])
        if each["context_id"] == "2":  # some items in context 16 lack their properties
            assert (each["fingerprint"] is not None) == (row["wear"] is not None)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ({"kind": "html"}, "steam_unavailable"),
        ({"kind": "truncated"}, "steam_unavailable"),
        ({"kind": "cut_middle"}, "steam_unavailable"),
        ({"kind": "null", "status": 429}, "steam_throttled"),
        ({"kind": "status", "status": 502}, "steam_unavailable"),
        ({"kind": "eresult"}, "steam_unavailable"),
    ],
)
def test_trouble_is_told_as_unread(lab: Lab, fault: dict[str, Any], reason: str) -> None:
    lab.me.fault("GetInventoryItemsWithDescriptions", times=4, **fault)
    report = read(lab)
    assert (report.kind, report.data["reason"]) == ("custody_unread", reason)


def test_an_empty_answer_is_believed_only_when_it_stays(make_lab: Callable[..., Lab]) -> None:
    lab = make_lab(trades={"absent_after_s": 3600.0})
    lab.me.fault("GetInventoryItemsWithDescriptions", "empty_inventory", times=4)
    first = read(lab, rows=3)
    assert (first.kind, first.data["reason"]) == ("custody_unread", "inventory_not_believed")
    assert read(lab, rows=3).kind == "custody_unread"
    assert len(told(read(lab, rows=3))) == 3
    lab.bot.memory.suspicious.forget(("inventory", frozenset()))
    lab.bot.memory.suspicious.add(("inventory", frozenset()), lab.bot.clock.monotonic() - 3600)
    lab.me.fault("GetInventoryItemsWithDescriptions", "empty_inventory", times=2)
    assert told(read(lab, rows=3)) == {}


def test_maintenance_is_told_as_unread(lab: Lab) -> None:
    lab.me.fault("GetInventoryItemsWithDescriptions", "status", status=502, times=20)
    reasons = [read(lab).data["reason"] for _ in range(3)]
    assert reasons[-1] == "steam_maintenance"


def test_an_asset_without_its_description_makes_the_answer_half(lab: Lab) -> None:
    """Steam has answered assets without descriptions; the sandbox never does, so the answer is cut here."""

    def half(response: requests.Response) -> None:
        answer = response.json()
        if described := answer["response"].get("descriptions"):
            described.pop()
        response._content = json.dumps(answer).encode()

    with twist(lab, "GetInventoryItemsWithDescriptions", half):
        report = read(lab, rows=3)
    assert (report.kind, report.data["reason"]) == ("custody_unread", "inventory_half")


def test_a_full_inventory_fits_into_a_report(lab: Lab, world: SteamWorld) -> None:
    ask(f"{lab.me.url}/items", "POST", {"count": 2497})
    found = told(read(lab, rows=2500))
    assert len(found) == 2500
    rows: Any = lab.redis.xrevrange(wire.REPORTS, count=1)
    sealed = rows[0][1][b"sealed"]
    assert len(sealed) < wire.SEALED_MAX_BYTES / 2
