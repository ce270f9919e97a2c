"""Whose is what: matching assets that change their ids, and looking whether a trade is settled."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import narrowed
import pytest
from bot_lab import Lab, SteamAccount, SteamWorld, kinds
from hypothesis import given
from hypothesis import strategies as st
from narrowed import payload

from bot_worker.orders.matching import match_assets
from bot_worker.steam.inventory_reads import Inventory
from shared.domain.items import Asset, HeldAsset
from shared.orders import SendOrder, SettleCheck, SettleOrder, WantedAsset
from shared.reports import Report


def held(asset_id: str, name: str = "AK", wear: str | None = None, context_id: str = "2") -> HeldAsset:
    return HeldAsset(Asset(730, context_id, asset_id), "1", "0", 1, name, True, wear=wear)


def wanted(deposit_id: str, asset_id: str, name: str = "AK", wear: str | None = None) -> WantedAsset:
    return WantedAsset(deposit_id, Asset(730, "2", asset_id), name, f"{name}|{wear}||" if wear else None)


def found(items: Any, rows: Any, known: Any = (), receipts: Any = None) -> dict[str, tuple[str, str]]:
    matches = match_assets(items, rows, known, receipts or {})
    return {deposit_id: (match.held.asset.asset_id, match.matched) for deposit_id, match in matches.items()}


# --- pure ----------------------------------------------------------------------------------------


def test_an_id_counts_before_all_else() -> None:
    assert found([wanted("d1", "5", wear="0.1")], [held("5", wear="0.9"), held("6", wear="0.1")]) == {"d1": ("5", "id")}


def test_a_receipt_counts_before_a_fingerprint() -> None:
    receipts = {"5": Asset(730, "16", "7")}
    rows = [held("6", wear="0.1"), held("7", wear="0.1")]
    assert found([wanted("d1", "5", wear="0.1")], rows, receipts=receipts) == {"d1": ("7", "receipt")}


def test_a_changed_id_is_found_by_its_fingerprint() -> None:
    rows = [held("6", wear="0.2"), held("7", wear="0.1"), held("8", name="AWP", wear="0.1")]
    assert found([wanted("d1", "5", wear="0.1")], rows) == {"d1": ("7", "fingerprint")}


def test_the_name_is_the_last_resort_and_is_marked() -> None:
    assert found([wanted("d1", "5")], [held("6", name="AWP"), held("7")]) == {"d1": ("7", "name")}
    assert found([wanted("d1", "5", wear="0.1")], [held("7")]) == {"d1": ("7", "name")}  # Steam left the wear out


def test_another_copy_is_not_taken_for_it() -> None:
    assert found([wanted("d1", "5", wear="0.1")], [held("7", wear="0.2")]) == {}
    assert found([wanted("d1", "5")], [held("7", name="AWP")]) == {}


def test_what_belongs_to_another_row_is_never_taken() -> None:
    rows = [held("5"), held("6"), held("7")]
    assert found([wanted("d1", "4")], rows, known=["5", "6", "7"]) == {}
    assert found([wanted("d1", "5")], rows, known=["5", "6"]) == {"d1": ("7", "name")}


def test_identical_copies_are_shared_out_in_any_order_but_once() -> None:
    both = [wanted("d1", "1"), wanted("d2", "2")]
    assert found(both, [held("11"), held("12")]) == {"d1": ("11", "name"), "d2": ("12", "name")}
    assert len(found(both, [held("11")])) == 1


def test_a_guess_never_takes_what_another_item_knows_surely() -> None:
    items = [wanted("guess", "1"), wanted("sure", "7")]
    assert found(items, [held("7")]) == {"sure": ("7", "id")}
    items = [wanted("guess", "1"), wanted("finger", "2", wear="0.1")]
    assert found(items, [held("9", wear="0.1")]) == {"finger": ("9", "fingerprint")}


ids = st.integers(1, 12).map(str)
wears = st.sampled_from([None, "0.1", "0.2"])


@given(
    st.lists(st.tuples(ids, wears), max_size=6),
    st.lists(st.tuples(ids, wears), unique_by=lambda row: row[0], max_size=8),
    st.sets(ids),
)
def test_no_asset_is_matched_twice_or_taken_from_others(
    want: list[tuple[str, str | None]], have: list[tuple[str, str | None]], known: set[str]
) -> None:
    items = [wanted(f"d{number}", asset_id, wear=wear) for number, (asset_id, wear) in enumerate(want)]
    rows = [held(asset_id, wear=wear) for asset_id, wear in have]
    matches = found(items, rows, known=known)
    taken = [asset_id for asset_id, _ in matches.values()]
    assert len(taken) == len(set(taken))
    assert not set(taken) & known
    for item in items:
        how = matches.get(item.deposit_id, ("", ""))[1]
        assert how in ("", "id", "fingerprint", "name")
        if how == "id":
            assert matches[item.deposit_id][0] == item.asset.asset_id


# --- against the sandbox -------------------------------------------------------------------------


def deposited(lab: Lab, player: SteamAccount, count: int = 1) -> tuple[Report, list[WantedAsset]]:
    """An accepted deposit, and its items as the balancer would ask for them."""
    theirs = {
        each.asset.asset_id: each for each in lab.bot.session.inventories.partner_inventory(player.steam_id, player.trade_token)
    }
    order = lab.send_order(player, [], player.assets(count))
    offer_id = lab.do(order)[-1].data["offer_id"]
    player.act(offer_id, "accept")
    (accepted,) = lab.do(lab.watch_order(lab.watched(order, offer_id)))
    items = []
    for number, moved in enumerate(accepted.data["moved"]):
        before = theirs[moved["asset_id"]]
        asset = Asset(730, "16", moved["new_asset_id"])
        items.append(WantedAsset(f"d{number}", asset, before.market_hash_name, before.fingerprint))
    return accepted, items


def settle_order(lab: Lab, *checks: SettleCheck, known: tuple[str, ...] = ()) -> Any:
    return lab.order("settle", SettleOrder(list(checks), list(known)), trade_id=None)


def check(accepted: Report, items: list[WantedAsset], *, exchange: bool = True, waited_until: int | None = None) -> SettleCheck:
    exchange_id = accepted.data["exchange_id"] if exchange else None
    return SettleCheck(accepted.trade_id or "", 1, exchange_id, items, waited_until=waited_until)


@pytest.mark.parametrize("ids_change", [False, True])
def test_a_trade_is_settled_when_its_items_are_seen_free(
    lab: Lab, world: SteamWorld, player: SteamAccount, ids_change: bool
) -> None:
    world.change_rules(settle_changes_ids=ids_change)
    try:
        accepted, items = deposited(lab, player, 2)
        (early,) = lab.do(settle_order(lab, check(accepted, items)))
        assert (early.kind, early.data["reason"]) == ("not_settled", "still_protected")
        assert early.data["settles_at"] == accepted.data["settles_at"]
        world.pass_time(7 * 86400 + 60)
        (report,) = lab.do(settle_order(lab, check(accepted, items, waited_until=accepted.data["settles_at"])))
    finally:
        world.change_rules(settle_changes_ids=False)
    assert (report.kind, report.trade_id) == ("settled", accepted.trade_id)
    assert [each["deposit_id"] for each in report.data["assets"]] == ["d0", "d1"]
    assert {each["context_id"] for each in report.data["assets"]} == {"2"}
    in_place = {row["asset_id"] for row in lab.me.items(2)}
    assert {each["asset_id"] for each in report.data["assets"]} <= in_place
    assert {each["matched"] for each in report.data["assets"]} <= ({"fingerprint", "name"} if ids_change else {"id"})


def test_a_reversed_exchange_is_told(lab: Lab, player: SteamAccount) -> None:
    accepted, items = deposited(lab, player)
    exchange = lab.bot.session.exchange
    with lab.steam_does(exchange=lambda number: replace(narrowed.known(exchange(number)), status=12)):
        (report,) = lab.do(settle_order(lab, check(accepted, items)))
    assert (report.kind, report.data["exchange_id"]) == ("exchange_reversed", accepted.data["exchange_id"])


def test_items_are_looked_for_without_an_exchange(lab: Lab) -> None:
    asset, other, _ = lab.me.assets(3)
    rows = {row["asset_id"]: row["market_hash_name"] for row in lab.me.items()}
    items = [
        WantedAsset("d1", asset, rows[asset.asset_id], None),
        WantedAsset("d2", Asset(730, "2", "1"), "No such thing", None),
    ]
    seen, gone = lab.do(settle_order(lab, SettleCheck("tr_1", 2, None, items), known=(other.asset_id,)))
    assert (seen.kind, seen.attempt) == ("items_seen", 2)
    told = [{name: value for name, value in row.items() if name not in ("name", "class_id")} for row in seen.data["assets"]]
    assert told == [{"deposit_id": "d1", "asset_id": asset.asset_id, "context_id": "2", "matched": "id", "phase": None}]
    assert [row["name"] for row in seen.data["assets"]] == [
        row["market_hash_name"] for row in lab.me.items() if row["asset_id"] == asset.asset_id
    ]
    assert (gone.kind, gone.data) == ("items_gone", {"deposit_ids": ["d2"]})
    assert lab.bot.health.items == 3


def test_a_withdrawal_is_settled_by_its_exchange_alone(lab: Lab, player: SteamAccount) -> None:
    order = lab.send_order(player, lab.me.assets(), [])
    offer_id = lab.do(order)[-1].data["offer_id"]
    player.act(offer_id, "accept")
    (accepted,) = lab.do(lab.watch_order(lab.watched(order, offer_id)))
    before = lab.me.requests().get("GetInventoryItemsWithDescriptions", 0)
    settles_at = accepted.data["settles_at"]
    for items in ([], [WantedAsset("d1", payload(order, SendOrder).give[0], "AK", None)]):
        for too_early in (None, 0, settles_at - 1):
            (report,) = lab.do(settle_order(lab, check(accepted, items, waited_until=too_early)))
            assert (report.kind, report.data["reason"]) == ("not_settled", "still_protected")
            assert report.data["settles_at"] == settles_at
        assert kinds(lab.do(settle_order(lab, check(accepted, items, waited_until=settles_at)))) == ["settled"]
    assert lab.me.requests().get("GetInventoryItemsWithDescriptions", 0) == before


@pytest.mark.parametrize("fault", [{"kind": "html"}, {"kind": "eresult", "code": 2}, {"kind": "null", "status": 500}])
def test_an_unreadable_inventory_is_never_truth(lab: Lab, fault: dict[str, Any]) -> None:
    lab.me.fault("GetInventoryItemsWithDescriptions", times=5, **fault)
    items = [WantedAsset("d1", lab.me.assets()[0], "AK", None)]
    (report,) = lab.do(settle_order(lab, SettleCheck("tr_1", 1, None, items)))
    assert (report.kind, report.data["retryable"]) == ("order_failed", True)


def test_an_inventory_that_is_suddenly_empty_is_looked_at_again_later(make_lab: Callable[..., Lab]) -> None:
    lab = make_lab(trades={"absent_after_s": 1800.0})
    order = settle_order(lab, SettleCheck("tr_1", 1, None, [wanted("d1", "5")]), known=("1", "2", "3"))
    with lab.steam_does(own_inventory=lambda: Inventory([])):
        for later_s in (0, 500, 500):
            lab.clock.pass_time(later_s)
            (report,) = lab.do(order)
            assert (report.kind, report.data["reason"]) == ("order_failed", "inventory_not_believed")
        lab.clock.pass_time(900)
        assert kinds(lab.do(order)) == ["items_gone"]


def test_one_look_serves_many_checks_and_the_inventory_is_read_when_their_time_has_come(
    lab: Lab, world: SteamWorld, player: SteamAccount
) -> None:
    first, items = deposited(lab, player)
    second, more = deposited(lab, player)
    more = [WantedAsset("other", each.asset, each.market_hash_name, each.fingerprint) for each in more]

    def spent(waited_until: int | None) -> tuple[list[str], dict[str, int]]:
        before = Counter(lab.me.requests())
        checks = [check(told, of, waited_until=waited_until) for told, of in ((first, items), (second, more))]
        return kinds(lab.do(settle_order(lab, *checks))), dict(Counter(lab.me.requests()) - before)

    assert spent(None) == (["not_settled"] * 2, {"GetTradeHistory": 1})
    settles_at = second.data["settles_at"]
    # Steam is late: they are not outside protection, so all is read.
    assert spent(settles_at) == (["not_settled"] * 2, {"GetTradeHistory": 1, "GetInventoryItemsWithDescriptions": 3})
    world.pass_time(7 * 86400 + 60)
    assert spent(settles_at) == (["settled"] * 2, {"GetTradeHistory": 1, "GetInventoryItemsWithDescriptions": 1})


def test_items_that_never_went_are_found_with_one_call(lab: Lab) -> None:
    asset = lab.me.assets()[0]
    before = Counter(lab.me.requests())
    items = [WantedAsset("d1", asset, "AK", None)]
    assert kinds(lab.do(settle_order(lab, SettleCheck("tr_1", 1, None, items)))) == ["items_seen"]
    assert dict(Counter(lab.me.requests()) - before) == {"GetInventoryItemsWithDescriptions": 1}


@pytest.mark.parametrize("gives", [False, True], ids=["deposit", "withdrawal"])
def test_an_exchange_that_fails_moves_nothing_and_its_items_are_found_under_their_new_ids(
    lab: Lab, world: SteamWorld, player: SteamAccount, gives: bool
) -> None:
    """Steam's status 4: the offer is accepted all the same, and whoever gave has the items back with other ids."""
    mine = [row for row in lab.bot.session.inventories.own_inventory().held if row.tradable][:1]
    assets = [each.asset for each in mine] if gives else player.assets()[:1]
    order = lab.send_order(player, assets, []) if gives else lab.send_order(player, [], assets)
    sent = lab.do(order)[-1]
    assert sent.kind == "offer_active"
    world.change_rules(exchanges_fail=True)
    try:
        player.act(sent.data["offer_id"], "accept")
    finally:
        world.change_rules(exchanges_fail=False)
    [told] = lab.do(lab.watch_order(lab.watched(order, sent.data["offer_id"])))
    assert (told.kind, told.data["exchange_status"]) == ("exchange_failed", 4)
    if gives:
        item = WantedAsset("d1", assets[0], mine[0].market_hash_name, mine[0].fingerprint)
        [seen] = lab.do(settle_order(lab, SettleCheck(order.trade_id or "", 1, None, [item])))
        [where] = seen.data["assets"]
        assert (seen.kind, where["deposit_id"]) == ("items_seen", "d1")
        assert where["asset_id"] != assets[0].asset_id
