"""Reading what a player could trade."""

from __future__ import annotations

from typing import Any

import pytest
from bot_lab import Lab, SteamAccount, SteamWorld

from bot_worker.steam import inventories, shapes
from shared.domain.items import HeldAsset
from shared.orders import InventoryOrder
from shared.reports import Report
from shared.strict import BadShape


def read(lab: Lab, player: SteamAccount, trade_token: str | None = None) -> Report:
    payload = InventoryOrder(player.steam_id, trade_token, bans_of=[player.steam_id] if trade_token else [])
    (report,) = lab.do(lab.order("inventory", payload, trade_id=None))
    assert report.data["steam_id"] == player.steam_id
    return report


@pytest.mark.parametrize("with_token", [True, False])
def test_every_asset_is_told_with_what_it_is(lab: Lab, player: SteamAccount, with_token: bool) -> None:
    player.give_items("AK-47 | Redline (Field-Tested)")
    report = read(lab, player, player.trade_token if with_token else None)
    assert report.kind == "inventory_read"
    assert report.data["hold_days"] == (0 if with_token else None)
    told = {each.asset.asset_id: each for each in map(HeldAsset.from_json, report.data["assets"])}
    rows = {row["asset_id"]: row for row in player.items()}
    young = set(rows) - set(told)
    assert young == set() or not with_token
    for asset_id, each in told.items():
        row = rows[asset_id]
        assert each.market_hash_name == row["market_hash_name"]
        assert each.tradable == bool(row["tradable"])
        assert (each.wear is not None) == (row["wear"] is not None)
        assert each.icon_url.startswith("https://")
        assert len(each.color) == 6 and len(each.name_color) == 6
        assert each.inspect_link is None or "%" not in each.inspect_link.replace("%20", "")


def test_a_hold_is_told(lab: Lab, player: SteamAccount) -> None:
    player.change(hold_days=15)
    assert read(lab, player, player.trade_token).data["hold_days"] == 15


def test_a_ban_is_told_before_any_offer(lab: Lab, player: SteamAccount) -> None:
    player.change(banned=True)
    report = read(lab, player, player.trade_token)
    assert (report.kind, report.data["code"]) == ("inventory_failed", "partner_banned")


def test_many_are_asked_for_in_one_call_and_what_is_known_is_not_asked_again(
    lab: Lab, world: SteamWorld, player: SteamAccount
) -> None:
    banned, other = world.account("player"), world.account("player")
    banned.change(banned=True)
    asked = [banned.steam_id, other.steam_id, "76561198999999999"]
    before = lab.me.requests()
    order = InventoryOrder(player.steam_id, player.trade_token, None, with_hold=False, bans_of=asked)
    (report,) = lab.do(lab.order("inventory", order, trade_id=None))
    assert report.kind == "inventory_read" and report.data["hold_days"] is None
    assert report.data["bans"][banned.steam_id] is True and report.data["bans"][other.steam_id] is False
    after = lab.me.requests()
    spent = {name: after[name] - before.get(name, 0) for name in after if after[name] != before.get(name, 0)}
    assert spent == {"GetPlayerBans": 1, "partnerinventory": 1}


def test_a_bot_that_would_be_held_itself_says_so(lab: Lab, player: SteamAccount) -> None:
    lab.bot.health.is_now("online")
    lab.me.change(hold_days=3)
    assert read(lab, player, player.trade_token).data["hold_days"] == 0
    assert lab.bot.health.as_reported()[:2] == ("restricted", "own_hold")
    lab.me.change(hold_days=0)
    read(lab, player, player.trade_token)
    assert lab.bot.health.as_reported()[0] == "online"


@pytest.mark.parametrize("with_token", [True, False])
def test_a_private_inventory_is_told(lab: Lab, player: SteamAccount, with_token: bool) -> None:
    player.change(private=True)
    report = read(lab, player, player.trade_token if with_token else None)
    assert (report.kind, report.data["code"]) == ("inventory_failed", "inventory_private")


def test_an_account_that_does_not_exist_is_told_after_two_calls(lab: Lab) -> None:
    nobody = "76561198999999999"
    before = lab.bot.session.observer.total
    (report,) = lab.do(lab.order("inventory", InventoryOrder(nobody, None), trade_id=None))
    assert (report.kind, report.data["code"]) == ("inventory_failed", "unknown_player")
    assert lab.bot.session.observer.total - before == 2


def test_an_inventory_that_steam_does_not_show_is_not_called_an_unknown_account(lab: Lab, player: SteamAccount) -> None:
    lab.me.fault("inventory", "null", status=400)
    report = read(lab, player)
    assert (report.kind, report.data["code"]) == ("inventory_failed", "inventory_unavailable")


def test_a_wrong_trade_url_is_told(lab: Lab, player: SteamAccount) -> None:
    report = read(lab, player, "AAAAAAAA")
    assert (report.kind, report.data["code"]) == ("inventory_failed", "trade_url_wrong")


@pytest.mark.parametrize(
    "fault",
    [{"kind": "html"}, {"kind": "null", "status": 429}, {"kind": "status", "status": 502}, {"kind": "null", "status": 400}],
)
def test_trouble_is_not_the_players_fault(lab: Lab, player: SteamAccount, fault: dict[str, Any]) -> None:
    lab.me.fault("partnerinventory", times=4, **fault)
    report = read(lab, player, player.trade_token)
    code = "steam_throttled" if fault.get("status") == 429 else "inventory_unavailable"
    assert (report.kind, report.data["code"]) == ("inventory_failed", code)


def test_a_short_trouble_is_read_over(lab: Lab, player: SteamAccount) -> None:
    lab.me.fault("partnerinventory", "html", times=2)
    assert read(lab, player, player.trade_token).kind == "inventory_read"


def test_all_pages_are_read(lab: Lab, world: SteamWorld) -> None:
    world.change_rules(partner_page_size=4)
    try:
        player = world.account("player", items=11)
        told = {row["asset"]["asset_id"] for row in read(lab, player, player.trade_token).data["assets"]}
        assert told >= {row["asset_id"] for row in player.items() if row["tradable"]}  # bound ones do not show on this page
        assert len(told) > 8
    finally:
        world.change_rules(partner_page_size=2000)


def test_inspect_links_are_ready_to_use() -> None:
    def link(template: str, properties: list[dict[str, Any]]) -> str | None:
        page = {
            "assets": [{"appid": 730, "contextid": "2", "assetid": "77", "classid": "1", "instanceid": "0", "amount": "1"}],
            "descriptions": [{"classid": "1", "instanceid": "0", "actions": [{"link": template, "name": "Inspect"}]}],
            "asset_properties": [{"appid": 730, "contextid": "2", "assetid": "77", "asset_properties": properties}],
        }
        (held,) = inventories.parse(page, "76561198000000002", "2").held
        return held.inspect_link

    classic = "steam://rungame/730/76561202255233023/+csgo_econ_action_preview%20S%owner_steamid%A%assetid%D123"
    assert link(classic, []) == ("steam://rungame/730/76561202255233023/+csgo_econ_action_preview%20S76561198000000002A77D123")
    newer = "steam://run/730//+csgo_econ_action_preview%20%propid:6%"
    assert link(newer, [{"propertyid": 6, "string_value": "ABCD"}]) == "steam://run/730//+csgo_econ_action_preview%20ABCD"
    assert link(newer, []) is None
    assert link("steam://other", []) is None


def test_wear_pattern_and_name_tag_stay_steams_own_text() -> None:
    properties = [
        {"propertyid": 1, "int_value": "661", "name": "Pattern Template"},
        {"propertyid": 2, "float_value": "0.23100000619888306", "name": "Wear Rating"},
        {"propertyid": 5, "string_value": "Мой"},
    ]
    page = {
        "assets": [{"appid": 730, "contextid": "16", "assetid": "77", "classid": "1", "instanceid": "0", "amount": "1"}],
        "descriptions": [{"classid": "1", "instanceid": "0", "market_hash_name": "AK", "tradable": 1}],
        "asset_properties": [{"assetid": "77", "asset_properties": properties}],
    }
    (held,) = inventories.parse(page, "76561198000000002", "16").held
    assert (held.wear, held.pattern, held.name_tag) == ("0.23100000619888306", "661", "Мой")
    assert not held.tradable  # whatever the flag says in context 16
    assert held.fingerprint == "AK|0.23100000619888306|661|Мой"


def test_empty_maps_that_steam_writes_as_lists_are_empty() -> None:
    empty: dict[str, Any] = {"success": True, "rgInventory": [], "rgDescriptions": [], "rgAssetProperties": [], "more": False}
    assert inventories.parse_legacy(empty, "76561198000000002", "2").held == []


def test_the_level_is_read_where_it_is_wanted(lab: Lab, player: SteamAccount) -> None:
    payload = InventoryOrder(player.steam_id, player.trade_token, with_level=True)
    (report,) = lab.do(lab.order("inventory", payload, trade_id=None))
    assert report.data["level"] > 0
    (report,) = lab.do(lab.order("inventory", InventoryOrder(player.steam_id, player.trade_token), trade_id=None))
    assert report.data["level"] is None


@pytest.mark.parametrize(("data", "level"), [({"response": {"player_level": 7}}, 7), ({"response": {}}, None)])
def test_a_private_profile_shows_no_level(data: dict[str, Any], level: int | None) -> None:
    assert shapes.level_of(data) == level


@pytest.mark.parametrize(
    "data", [None, [], {}, {"response": []}, {"response": {"player_level": "x"}}, {"response": {"player_level": -1}}]
)
def test_a_level_of_another_shape_is_none_to_be_believed(data: object) -> None:
    with pytest.raises(BadShape):
        shapes.level_of(data)


def test_the_phase_of_a_doppler_is_read_from_its_certificate(lab: Lab, player: SteamAccount) -> None:
    """As the owner's copies lie in two shapes of inventories, and with the bot itself."""
    names = [f"★ Karambit | Doppler (Factory New) - {phase}" for phase in ("Ruby", "Phase 1", "Black Pearl")]
    for giver in (player, lab.me):
        giver.give_items(*names, "AK-47 | Redline (Field-Tested)")
    for reading in (read(lab, player, player.trade_token), read(lab, player)):
        told = [HeldAsset.from_json(each) for each in reading.data["assets"]]
        assert {each.priced_name for each in told if "Doppler" in each.market_hash_name} >= set(names)
        assert {each.phase for each in told if "Doppler" not in each.market_hash_name} == {None}
        classes = {each.class_id for each in told if each.priced_name in names}
        assert len(classes) >= 3  # a phase is a class of its own
    (own,) = lab.do(lab.order("inventory", InventoryOrder(lab.me.steam_id, None, own_rows=0), trade_id=None))
    assert own.kind == "custody_read"
    assert {each["phase"] for each in own.data["assets"] if "phase" in each} >= {"Ruby", "Phase 1", "Black Pearl"}
