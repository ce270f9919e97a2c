"""A whole bot at a Steam that answers in another shape than expected: what is odd is left out, the bot goes on."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import requests
from bot_lab import Lab, SteamAccount, kinds, twist

from shared.errors import SteamError, SteamRefused, SteamUnavailable
from shared.orders import InventoryOrder, SettleCheck, SettleOrder, WantedAsset
from shared.reports import Report

EDGE = b"<html><head><title>Access Denied</title></head><body>Reference #18.2</body></html>"
CURRENCY = {"appid": 730, "contextid": "2", "currencyid": "1", "classid": "1", "instanceid": "0", "amount": "20"}


def change(edit: Callable[[Any], Any]) -> Callable[[requests.Response], None]:
    """An answer whose JSON is edited."""

    def apply(response: requests.Response) -> None:
        response._content = json.dumps(edit(response.json())).encode()

    return apply


def say(status: int, body: bytes, content_type: str = "text/html", **headers: str) -> Callable[[requests.Response], None]:
    """Another answer instead."""

    def apply(response: requests.Response) -> None:
        response.status_code, response._content = status, body
        response.headers.update({"Content-Type": content_type, **headers})

    return apply


def with_row(row: Any) -> Callable[[requests.Response], None]:
    """One more row in an inventory."""

    def edit(data: Any) -> Any:
        response = data["response"]
        return {"response": {**response, "assets": [*response.get("assets", []), row]}}

    return change(edit)


def read(lab: Lab, player: SteamAccount, trade_token: str | None = None) -> Report:
    (report,) = lab.do(lab.order("inventory", InventoryOrder(player.steam_id, trade_token), trade_id=None))
    return report


def audited(lab: Lab) -> Report:
    (report,) = lab.do(lab.order("inventory", InventoryOrder(lab.me.steam_id, None, own_rows=0), trade_id=None))
    return report


# --- the bot's own inventory ----------------------------------------------------------------------------------


def test_an_odd_row_in_the_own_inventory_does_not_end_the_start(lab: Lab) -> None:
    rows: list[object] = [CURRENCY, {**CURRENCY, "currencyid": None}, None, {"assetid": {}}]
    for row in rows:
        lab.bot.health.items = None
        with twist(lab, "GetInventoryItemsWithDescriptions", with_row(row)):
            assert lab.worker.sign_in()
        assert lab.bot.health.items == 3


def test_a_start_goes_on_where_the_own_inventory_is_none_at_all(lab: Lab) -> None:
    lab.bot.health.items = None
    with twist(lab, "GetInventoryItemsWithDescriptions", change(lambda data: {"response": {"assets": 7}})):
        assert lab.worker.sign_in()
    assert lab.bot.health.items is None


def test_a_currency_is_no_item_and_no_trouble_for_an_audit(lab: Lab) -> None:
    with twist(lab, "GetInventoryItemsWithDescriptions", with_row(CURRENCY)):
        report = audited(lab)
    assert report.kind == "custody_read" and len(report.data["assets"]) == 3


def test_a_row_that_may_be_any_item_makes_an_audit_inconclusive_and_nothing_gone(lab: Lab) -> None:
    (asset,) = lab.me.assets()
    there = WantedAsset("dep_1", asset, "", None)
    gone = WantedAsset("dep_2", type(asset)(730, "2", "999"), "", None)
    order = lab.order("settle", SettleOrder([SettleCheck("tr_1", 1, None, [there, gone])], []), trade_id=None)
    with twist(lab, "GetInventoryItemsWithDescriptions", with_row({"assetid": None})):
        assert (audited(lab).kind, audited(lab).data["reason"]) == ("custody_unread", "inventory_half")
        (report,) = lab.do(order)
    assert report.kind == "items_seen" and [each["deposit_id"] for each in report.data["assets"]] == ["dep_1"]
    assert kinds(lab.do(order)) == ["items_seen", "items_gone"]


# --- a player's inventory ---------------------------------------------------------------------------------------


def test_a_players_good_items_are_shown_beside_an_odd_one(lab: Lab, player: SteamAccount) -> None:
    whole = {row["asset"]["asset_id"] for row in read(lab, player, player.trade_token).data["assets"]}
    for odd in ({"amount": None}, {"id": None}, {"amount": "many"}):

        def edit(data: Any, odd: dict[str, Any] = odd) -> Any:
            data["rgInventory"][next(iter(data["rgInventory"]))] |= odd
            return data

        with twist(lab, "partnerinventory", change(edit)):
            report = read(lab, player, player.trade_token)
        assert report.kind == "inventory_read"
        assert len(whole) - 1 == len({row["asset"]["asset_id"] for row in report.data["assets"]} & whole)


def test_a_status_is_read_with_its_body(lab: Lab, player: SteamAccount) -> None:
    """A 403 is a private inventory only in the four bytes in which Steam says so; an edge that turns us away says it too."""
    trouble = b'{"success":false,"error":"EYldRefreshAppIfNecessary failed with EResult 55"}'
    for status, body, content_type, code in (
        (403, b"null", "application/json", "inventory_private"),
        (403, EDGE, "text/html", "inventory_unavailable"),
        (500, trouble, "application/json", "inventory_unavailable"),
    ):
        with twist(lab, "inventory", say(status, body, content_type)):
            report = read(lab, player)
        assert (report.kind, report.data["code"]) == ("inventory_failed", code)
    assert lab.bot.session.observer.calls["finalizelogin"] == 1, "nobody signed in anew because of it"


def test_a_result_in_a_body_says_whether_to_try_again(lab: Lab, player: SteamAccount) -> None:
    final = b'{"success":false,"error":"EYldRefreshAppIfNecessary failed with EResult 42"}'
    before = lab.bot.session.observer.calls["inventory"]
    with twist(lab, "inventory", say(500, final, "application/json")), pytest.raises(SteamRefused):
        lab.bot.session.inventories.partner_inventory(player.steam_id, None)
    assert lab.bot.session.observer.calls["inventory"] == before + 1


# --- offers and exchanges -----------------------------------------------------------------------------------------


def test_an_offer_that_is_not_there_is_none_however_steam_says_so(lab: Lab) -> None:
    for answer in (
        say(200, b'{"response":{}}', "application/json", **{"x-eresult": "1"}),
        say(200, b'{"response":{}}', "application/json", **{"x-eresult": "42"}),
        say(500, b"{}", "application/json", **{"x-eresult": "42"}),
        say(500, b"<html>oops</html>", "text/html", **{"x-eresult": "42"}),
        say(200, b'{"response":{"offer":null}}', "application/json"),
    ):
        with twist(lab, "GetTradeOffer", answer):
            assert lab.bot.session.offer("7012345678") is None


def test_another_offer_than_the_one_that_was_asked_for_says_nothing(lab: Lab, player: SteamAccount) -> None:
    offer_id = lab.do(lab.send_order(player, [], player.assets()))[-1].data["offer_id"]
    found = lab.bot.session.offer(offer_id)
    assert found is not None and found.whole
    with twist(
        lab, "GetTradeOffer", change(lambda data: {"response": {"offer": {**data["response"]["offer"], "tradeofferid": "5"}}})
    ):
        other = lab.bot.session.offer(offer_id)
    assert other is not None and not other.whole and other.offer_id == offer_id


def test_an_unreadable_offer_in_a_list_is_half_filled_and_the_others_are_seen(lab: Lab, player: SteamAccount) -> None:
    order = lab.send_order(player, [], player.assets())
    offer_id = lab.do(order)[-1].data["offer_id"]
    player.act(offer_id, "decline")

    def edit(data: Any) -> Any:
        data["response"]["trade_offers_sent"].insert(0, {"tradeofferid": None, "items_to_give": "none"})
        return data

    with twist(lab, "GetTradeOffers", change(edit)):
        (report,) = lab.do(lab.watch_order(lab.watched(order, offer_id)))
        assert report.kind == "offer_declined"
        (report,) = lab.do(lab.find_order(lab.watched(lab.send_order(player, [], player.assets()))))
    assert (report.kind, report.data["reason"]) == ("find_inconclusive", "half_filled")


def test_a_look_at_an_edge_page_is_no_reason_to_sign_in_anew(lab: Lab, player: SteamAccount) -> None:
    order = lab.watch_order(lab.watched(lab.send_order(player, [], player.assets())))
    for answer in (say(403, EDGE), say(503, EDGE), say(200, b"[]", "application/json")):
        with twist(lab, "GetTradeOffers", answer):
            (report,) = lab.do(order)
        assert (report.kind, report.data["reason"], report.data["retryable"]) == ("order_failed", "steam_unavailable", True)
    assert lab.bot.session.observer.calls["finalizelogin"] == 1 and not lab.bot.needs_sign_in


def test_an_answer_of_another_shape_is_named_and_not_repeated(lab: Lab) -> None:
    before = lab.bot.session.observer.calls["GetTradeOffers"]
    odd = change(lambda data: {"response": {"trade_offers_sent": {"a": 1}}})
    with twist(lab, "GetTradeOffers", odd), pytest.raises(SteamUnavailable) as caught:
        lab.bot.session.sent_offers(1)
    assert (caught.value.error_code, caught.value.reason) == ("unreadable_answer", "sent: a list is wanted")
    assert lab.bot.session.observer.calls["GetTradeOffers"] == before + 1


# --- sending -------------------------------------------------------------------------------------------------------


def test_what_an_unreadable_answer_to_a_send_means(lab: Lab, player: SteamAccount) -> None:
    for answer, kind in (
        (say(401, b"null", "application/json"), "try_later"),
        (say(403, b"null", "application/json"), "try_later"),
        (say(403, EDGE), "answer_lost"),
        (say(200, b"[" * 5000, "application/json"), "answer_lost"),
        (say(200, b'{"tradeofferid":null}', "application/json"), "answer_lost"),
        (say(200, b'{"tradeofferid":{"id":1},"strError":0}', "application/json"), "answer_lost"),
        (say(500, b'{"strError":["(15)"]}', "application/json"), "answer_lost"),
        (say(407, b"who are you?"), "try_later"),
    ):
        with twist(lab, "send", answer):
            reports = lab.do(lab.send_order(player, [], player.assets()))
        assert kinds(reports) == ["picked_up", kind]


def test_a_sign_in_meets_odd_answers_with_errors_of_ours(lab: Lab) -> None:
    lab.stop.waiting = lambda _: False  # until the next Guard code
    calls = ("GetPasswordRSAPublicKey", "BeginAuthSessionViaCredentials", "PollAuthSessionStatus", "finalizelogin")
    for call in calls:
        for answer in (say(200, b"[" * 5000, "application/json"), say(200, b"\xff\xfe", "application/json")):
            lab.bot.session.connection._remember(refresh_token=None)
            with twist(lab, call, answer), pytest.raises(SteamError):
                lab.bot.session.sign_in()


def test_an_accepted_offer_without_its_exchange_is_found_in_the_history(lab: Lab, player: SteamAccount) -> None:
    """Steam leaves `tradeid` out at times, for good: the items have moved all the same."""
    assets = player.assets(2)
    order, other = (lab.send_order(player, [], [asset]) for asset in assets)
    offer_id, other_id = (lab.do(each)[-1].data["offer_id"] for each in (order, other))
    for each in (other_id, offer_id):
        player.act(each, "accept")

    def edit(data: Any) -> Any:
        for row in data["response"].get("trade_offers_sent", []):
            row.pop("tradeid", None)
        return data

    with twist(lab, "GetTradeOffers", change(edit)):
        (report,) = lab.do(lab.watch_order(lab.watched(order, offer_id)))
        (found,) = lab.do(lab.find_order(lab.watched(other, other_id)))
    assert (report.kind, found.kind) == ("offer_accepted", "offer_accepted")
    assert [each["asset_id"] for each in report.data["moved"]] == [assets[0].asset_id]
    assert report.data["exchange_id"] != found.data["exchange_id"]
