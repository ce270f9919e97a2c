"""Reversed exchanges: told with what carried them back, and booked from what is there now."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from bot_lab import Lab, SteamAccount, SteamWorld, ask, kinds

from bot_worker.orders.rollback import find_items, rollbacks_of
from bot_worker.steam.shapes import Exchange, Moved
from shared.domain.items import Asset, HeldAsset
from shared.orders import SettleCheck, SettleOrder, WantedAsset, WatchedTrade
from shared.reports import Report

PARTNER = "76561198000000002"


def _unnamed(asset: dict[str, Any]) -> dict[str, Any]:
    """Without its name and class, which are not the subject here."""
    return {name: value for name, value in asset.items() if name not in ("name", "class_id")}


def moved(asset_id: str, new_id: str | None, *, given: bool = False) -> Moved:
    return Moved(given, "2", asset_id, "16" if new_id else None, new_id, None, None)


def exchange(exchange_id: str, *assets: Moved, status: int = 3, rolls_back: str | None = None) -> Exchange:
    return Exchange(exchange_id, PARTNER, status, 1000, None, assets, rolls_back)


def held(asset_id: str, name: str = "AK") -> HeldAsset:
    return HeldAsset(Asset(730, "2", asset_id), "1", "0", 1, name, True)


def wanted(asset_id: str) -> WantedAsset:
    return WantedAsset("d1", Asset(730, "2", asset_id), "AK", None)


# --- pure ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("named_on", ["rollback", "original", "both"])
def test_either_end_may_name_the_other(named_on: str) -> None:
    original = exchange("1", status=12, rolls_back="2" if named_on in ("original", "both") else None)
    back = exchange("2", rolls_back="1" if named_on in ("rollback", "both") else None)
    other = exchange("3", status=12)
    assert rollbacks_of([original, other], [other, back, original, exchange("4", rolls_back="77")]) == {"1": back}


def test_a_deposit_taken_back_is_gone_whatever_else_has_its_name() -> None:
    deposit, back = exchange("1", moved("5", "6"), status=12), exchange("2", moved("6", "7", given=True), rolls_back="1")
    assert find_items([wanted("6")], deposit, back, [held("9"), held("10")], []) == {}
    still = find_items([wanted("6")], deposit, None, [held("6"), held("9")], [])
    assert still["d1"].held.asset.asset_id == "6"


def test_a_withdrawal_that_came_back_is_followed_through_both_receipts() -> None:
    withdrawal = exchange("1", moved("5", "6", given=True), status=12)
    back = exchange("2", moved("6", "7"), rolls_back="1")
    found = find_items([wanted("5")], withdrawal, back, [held("7"), held("9")], [])
    assert (found["d1"].held.asset.asset_id, found["d1"].matched) == ("7", "receipt")
    assert find_items([wanted("5")], withdrawal, back, [held("9")], []) == {}


# --- against the sandbox -------------------------------------------------------------------------


@pytest.fixture(params=["rollback", "original"])
def naming(request: pytest.FixtureRequest, world: SteamWorld) -> str:
    """Which of the two exchanges of a reversal names the other."""
    world.change_rules(rollback_trade_on=request.param)
    request.addfinalizer(lambda: world.change_rules(rollback_trade_on="rollback"))
    name: str = request.param
    return name


def accepted(lab: Lab, player: SteamAccount, *, give: bool) -> tuple[Report, WantedAsset]:
    """An accepted trade of one item, and the item as its row knows it."""
    asset = lab.me.assets()[0] if give else player.assets()[0]
    name = next(row for row in (lab.me if give else player).items() if row["asset_id"] == asset.asset_id)["market_hash_name"]
    order = lab.send_order(player, [asset] if give else [], [] if give else [asset])
    offer_id = lab.do(order)[-1].data["offer_id"]
    player.act(offer_id, "accept")
    (report,) = lab.do(lab.watch_order(lab.watched(order, offer_id)))
    (row,) = report.data["moved"]
    mine = asset if give else Asset(730, row["new_context_id"], row["new_asset_id"])
    return report, WantedAsset("d1", mine, name, None)


def settle(lab: Lab, *checks: SettleCheck, known: tuple[str, ...] = ()) -> list[Report]:
    return lab.do(lab.order("settle", SettleOrder(list(checks), list(known)), trade_id=None))


def check(report: Report, item: WantedAsset, *, reversal: bool = False) -> SettleCheck:
    return SettleCheck(report.trade_id or "", 1, report.data["exchange_id"], [item], reversal)


def reverse(player: SteamAccount) -> dict[str, list[str]]:
    done: dict[str, list[str]] = ask(f"{player.url}/reverse", "POST", {})
    return done


@pytest.mark.parametrize("marks_offer", [False, True])
def test_a_reversed_deposit_is_told_and_its_item_is_gone(
    lab: Lab, world: SteamWorld, player: SteamAccount, naming: str, marks_offer: bool
) -> None:
    world.change_rules(reversal_marks_offer=marks_offer)
    try:
        report, item = accepted(lab, player, give=False)
        done = reverse(player)
    finally:
        world.change_rules(reversal_marks_offer=False)
    (told,) = settle(lab, check(report, item))
    assert (told.kind, told.data["exchange_status"]) == ("exchange_reversed", 12)
    assert told.data["rollback"]["exchange_id"] == done["rollbacks"][0]
    assert [row["asset_id"] for row in told.data["rollback"]["moved"]] == [item.asset.asset_id]
    (gone,) = settle(lab, check(report, item, reversal=True))
    assert (gone.kind, gone.data) == ("items_gone", {"deposit_ids": ["d1"]})
    assert lab.me.items(16) == []


def test_a_reversed_withdrawal_comes_back_under_a_new_id(lab: Lab, player: SteamAccount, naming: str) -> None:
    report, item = accepted(lab, player, give=True)
    left = {row["asset_id"] for row in lab.me.items()}
    reverse(player)
    (back,) = {row["asset_id"] for row in lab.me.items()} - left
    (told,) = settle(lab, check(report, item))
    assert told.kind == "exchange_reversed"
    (seen,) = settle(lab, check(report, item, reversal=True), known=tuple(left))
    assert seen.kind == "items_seen"
    assert [_unnamed(each) for each in seen.data["assets"]] == [
        {"deposit_id": "d1", "asset_id": back, "context_id": "2", "matched": "receipt", "phase": None}
    ]


def test_one_history_serves_many_reversed_exchanges(lab: Lab, player: SteamAccount) -> None:
    trades = [accepted(lab, player, give=False) for _ in range(3)]
    reverse(player)
    before = lab.me.requests()
    assert kinds(settle(lab, *(check(*trade) for trade in trades))) == ["exchange_reversed"] * 3
    after = lab.me.requests()
    spent = {name: count - before.get(name, 0) for name, count in after.items() if count != before.get(name, 0)}
    assert spent == {"GetTradeHistory": 2, "GetPlayerBans": 1, "tradepage": 1}


@pytest.mark.parametrize("status", [5, 6, 7, 8, 9, 12])
def test_every_way_to_be_reversed_is_told(lab: Lab, player: SteamAccount, status: int) -> None:
    report, item = accepted(lab, player, give=False)
    read: Callable[[str], Exchange | None] = lab.bot.session.exchange

    def with_status(exchange_id: str) -> Exchange | None:
        found = read(exchange_id)
        return replace(found, status=status) if found else None

    with lab.steam_does(exchange=with_status):
        (told,) = settle(lab, check(report, item))
    assert (told.kind, told.data["exchange_status"], told.data["rollback"]) == ("exchange_reversed", status, None)


# --- holds ---------------------------------------------------------------------------------------


def held_trade(lab: Lab, player: SteamAccount) -> tuple[WatchedTrade, str]:
    order = lab.send_order(player, [], player.assets())
    offer_id = lab.do(order)[-1].data["offer_id"]
    player.change(hold_days=15)
    player.act(offer_id, "accept")
    trade = lab.watched(order, offer_id)
    assert kinds(lab.do(lab.watch_order(trade))) == ["offer_held"]
    return trade, offer_id


def test_a_hold_is_followed_until_the_items_are_here(lab: Lab, world: SteamWorld, player: SteamAccount) -> None:
    trade, _ = held_trade(lab, player)
    trade = replace(trade, status="held")
    world.pass_time(14 * 86400)
    assert lab.do(lab.watch_order(trade)) == []
    world.pass_time(86400 + 60)
    (report,) = lab.do(lab.watch_order(trade))
    assert report.kind == "offer_accepted"
    assert [row["new_asset_id"] for row in report.data["moved"]] == [row["asset_id"] for row in lab.me.items(16)]


def test_a_hold_that_is_called_off_ends_the_trade(lab: Lab, player: SteamAccount) -> None:
    trade, offer_id = held_trade(lab, player)
    trade = replace(trade, status="held")
    lab.bot.session.cancel(offer_id)
    assert kinds(lab.do(lab.watch_order(trade))) == ["offer_canceled"]
    assert lab.me.items(16) == []
