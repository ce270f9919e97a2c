"""Trouble that changes what Steam shows: inventories, confirmations, offers and exchanges."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from sandbox_lab import Bench, Person
from steampy.client import SteamClient
from steampy.confirmation import Confirmation, ConfirmationExecutor
from steampy.exceptions import ConfirmationExpected
from steampy.models import GameOptions

COMMUNITY = "https://steamcommunity.com"

# --- inventories ---------------------------------------------------------------------------------


def test_an_empty_inventory_lies(bench: Bench, bot: SteamClient, player: Person) -> None:
    truth = bench.inventories(bot, player)
    bench.fault("@inventories", "empty_inventory", times=4)

    assert bench.inventories(bot, player) == ([0, 0, 0, 0], [0, 0])
    assert bench.inventories(bot, player) == truth
    assert truth[1] == [6, 4]
    assert len(bench.control("GET", "/control/record?part=assets")["assets"]) == 2 * 4 + 3 * 6


def test_a_stale_inventory_shows_what_was(bench: Bench, bot: SteamClient, player: Person) -> None:
    before = set(bot.get_partner_inventory(player["steam_id"], GameOptions.CS, count=2000))
    item = bench.stock(player["steam_id"])[0]
    bench.advance(600)
    bench.accepted(bot, player)
    bench.advance(60)
    bench.fault("inventory", "stale_inventory", age_s=120, times=2)

    stale = bot._session.get(f"{COMMUNITY}/inventory/{player['steam_id']}/730/2?count=2000").json()
    mine = bot._session.get(f"{COMMUNITY}/inventory/{bot.steam_guard['steamid']}/730/16?count=2000").json()
    assert {asset["assetid"] for asset in stale["assets"]} == before
    assert item["asset_id"] in before
    assert mine["total_inventory_count"] == 0
    assert len(bench.stock(bot.steam_guard["steamid"], 16)) == 1

    bench.fault("inventory", "stale_inventory", age_s=30)
    fresh = bot._session.get(f"{COMMUNITY}/inventory/{player['steam_id']}/730/2?count=2000").json()
    assert {asset["assetid"] for asset in fresh["assets"]} == before - {item["asset_id"]}


# --- confirmations -------------------------------------------------------------------------------


def test_a_late_confirmation_is_neither_listed_nor_answered(
    bench: Bench, bot: SteamClient, player: Person, phone_key: Callable[[dict[str, str], int, str], dict[str, str]]
) -> None:
    sent = bench.give(bot, player)["tradeofferid"]
    known = bench.credentials("red-1")

    def phone(path: str, tag: str, **more: Any) -> dict[str, Any]:
        query = phone_key(known, int(time.time()) - 5, tag) | more
        found: dict[str, Any] = bot._session.get(f"{COMMUNITY}/mobileconf/{path}", params=query).json()
        return found

    (entry,) = phone("getlist", "conf")["conf"]
    bench.order({"kind": "late_confirmation", "late_s": 30})

    assert phone("getlist", "conf") == {"success": True, "conf": []}
    with pytest.raises(ConfirmationExpected):
        bot._confirm_transaction(sent)
    assert phone("ajaxop", "allow", op="allow", cid=entry["id"], ck=entry["nonce"])["success"] is False
    assert bench.offer(sent)["state"] == 9
    bench.advance(31)
    assert bot._confirm_transaction(sent) == {"success": True}


def test_only_a_share_of_the_confirmations_is_late_and_always_the_same(bench: Bench, bot: SteamClient, player: Person) -> None:
    for asset in bench.stock(bot.steam_guard["steamid"]):
        bench.withdraw(bot, player, [asset])
    order = {"kind": "late_confirmation", "late_s": 300, "probability": 0.5, "seed": 4}
    bench.order(order)

    lists = [{c.data_confid for c in bot_confirmations(bot)} for _ in range(3)]

    assert lists[0] == lists[1] == lists[2]
    assert 0 < len(lists[0]) < 4


def bot_confirmations(bot: SteamClient) -> list[Confirmation]:
    guard = bot.steam_guard
    found: list[Confirmation] = ConfirmationExecutor(
        guard["identity_secret"], guard["steamid"], bot._session
    )._get_confirmations()
    return found


# --- offers and exchanges ------------------------------------------------------------------------


def test_an_accepted_offer_flaps_back_to_active_once(bench: Bench, bot: SteamClient, player: Person) -> None:
    offer_id, tradeid = bench.accepted(bot, player)
    bench.order({"kind": "flap", "subject": offer_id})

    shown = [bench.seen(bot, offer_id) for _ in range(4)]

    assert [offer["trade_offer_state"] for offer in shown] == [3, 2, 3, 3]
    assert [offer.get("tradeid") for offer in shown] == [tradeid, None, tradeid, tradeid]
    assert bench.offer(offer_id)["state"] == 3
    (fault,) = bench.control("GET", "/control/faults")["faults"]
    assert fault["hits"] == 1


def test_offers_that_are_not_meant_do_not_flap(bench: Bench, bot: SteamClient, player: Person) -> None:
    first, _ = bench.accepted(bot, player)
    second, _ = bench.accepted(bot, player)
    bench.order({"kind": "flap", "subject": second})

    shown = [(bench.seen(bot, first)["trade_offer_state"], bench.seen(bot, second)["trade_offer_state"]) for _ in range(2)]

    assert shown[0] == (3, 2)
    assert shown[1] == (3, 3)


@pytest.mark.parametrize("number", [42, 13, 0])
def test_an_unknown_state_is_shown_for_an_offer_that_is_well(
    bench: Bench, bot: SteamClient, player: Person, number: int
) -> None:
    offer_id = bench.ask(bot, player)
    bench.fault("GetTradeOffers", "odd_state", state=number)

    assert bench.seen(bot, offer_id)["trade_offer_state"] == number
    assert bench.seen(bot, offer_id)["trade_offer_state"] == 2
    assert bench.offer(offer_id)["state"] == 2


def test_a_state_that_steampy_does_not_know_stops_its_accept(bench: Bench, bot: SteamClient) -> None:
    other = bench.client("red-2")
    bench.withdraw(other, bench.accounts("bot")[0], bench.stock(other.steam_guard["steamid"])[:1], confirm=True)
    (offer,) = bench.offers()
    bench.fault("GetTradeOffer", "odd_state", state=12)

    with pytest.raises(ValueError, match="12"):
        bot.accept_trade_offer(offer["offer_id"])

    assert bench.offers()[0]["state"] == 2


@pytest.mark.parametrize("shape", ["no_items", "no_partner", "half_assets", None])
def test_a_glitched_offer_is_half_filled(bench: Bench, bot: SteamClient, player: Person, shape: str | None) -> None:
    offer_id = bench.ask(bot, player)
    whole = bench.seen(bot, offer_id)
    bench.fault("GetTradeOffers", "glitched", shape=shape)

    glitched = bench.seen(bot, offer_id)

    lost = {
        "no_items": "items_to_receive" not in glitched,
        "no_partner": "accountid_other" not in glitched,
        "half_assets": any("assetid" not in asset for asset in glitched.get("items_to_receive", [])),
    }
    assert sum(lost.values()) == 1
    assert shape is None or lost[shape]
    assert bench.seen(bot, offer_id) == whole


def test_one_exchange_stays_at_2_and_another_one_does_not(bench: Bench, bot: SteamClient, player: Person) -> None:
    (_, stuck), (_, good) = bench.accepted(bot, player), bench.accepted(bot, player)
    bench.order({"kind": "stuck_status", "subject": stuck})

    def status(tradeid: str) -> dict[str, Any]:
        found: dict[str, Any] = bench.api(bot, "GetTradeStatus", tradeid=tradeid)["trades"][0]
        return found

    bench.advance(30 * 86400)
    assert (status(stuck)["status"], status(good)["status"]) == (2, 3)
    assert "new_assetid" in status(stuck)["assets_received"][0]
    history = bench.api(bot, "GetTradeHistory", max_trades=10)["trades"]
    assert {trade["tradeid"]: trade["status"] for trade in history} == {stuck: 2, good: 3}
    assert {entry["status"] for entry in bench.exchanges()} == {3}
    bench.heal()
    assert status(stuck)["status"] == 3


def test_a_stuck_exchange_still_shows_its_reversal(bench: Bench, bot: SteamClient, player: Person) -> None:
    _, tradeid = bench.accepted(bot, player)
    bench.order({"kind": "stuck_status"})
    assert bench.api(bot, "GetTradeStatus", tradeid=tradeid)["trades"][0]["status"] == 2
    bench.control("POST", f"/control/accounts/{player['steam_id']}/reverse", {}, 200)

    assert bench.api(bot, "GetTradeStatus", tradeid=tradeid)["trades"][0]["status"] == 12


def test_new_ids_are_late_for_the_exchanges_that_are_struck(bench: Bench, bot: SteamClient, player: Person) -> None:
    _, tradeid = bench.accepted(bot, player)
    bench.order({"kind": "late_ids", "late_s": 40})

    early = bench.api(bot, "GetTradeStatus", tradeid=tradeid)["trades"][0]
    bench.advance(41)
    late = bench.api(bot, "GetTradeStatus", tradeid=tradeid)["trades"][0]

    assert (early["status"], late["status"]) == (2, 3)
    assert not {"new_assetid", "new_contextid"} & set(early["assets_received"][0])
    assert late["assets_received"][0]["new_contextid"] == "16"
    assert bench.exchanges()[0]["moves"][0]["new_context_id"] == 16
