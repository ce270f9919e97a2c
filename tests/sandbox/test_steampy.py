"""Unmodified steampy 1.2.0 against the sandbox over real HTTP: everything a trade bot asks of it."""

import base64
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from sandbox_lab import Bench, Person
from steampy import guard
from steampy.client import SteamClient
from steampy.exceptions import ApiException, ConfirmationExpected, SevenDaysHoldException
from steampy.login import InvalidCredentials
from steampy.models import GameOptions, PredefinedOptions

PROTECTED = PredefinedOptions("730", "16")


def claims_of(token: str) -> dict[str, Any]:
    body = token.split(".")[1]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return found


def test_sign_in_gives_a_live_session_on_five_hosts(bench: Bench, bot: SteamClient) -> None:
    domains = {cookie.domain for cookie in bot._session.cookies if cookie.name == "steamLoginSecure"}
    claims = claims_of(bot._access_token)

    assert bot.is_session_alive()
    assert str(bot.get_steam_id()) == bot.steam_guard["steamid"] == claims["sub"]
    assert claims["aud"] == ["web:community"]
    assert claims["iss"].startswith("r:")
    assert domains == {
        "steamcommunity.com",
        "store.steampowered.com",
        "help.steampowered.com",
        "checkout.steampowered.com",
        "steam.tv",
    }


def test_wrong_password_gets_result_5_and_no_session(bench: Bench) -> None:
    client = bench.unsigned("red-1", password="wrong")

    with pytest.raises(KeyError, match="client_id"):
        client.login()
    assert client.adapter.eresult == "5"


def test_unknown_account_is_refused_like_a_wrong_password(bench: Bench) -> None:
    client = bench.unsigned("red-1", account_name="nobody")

    with pytest.raises(KeyError, match="client_id"):
        client.login()
    assert client.adapter.eresult == "5"


def test_many_wrong_passwords_are_throttled(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(sign_in_failures_max=2)
    client = bench.unsigned("red-1", password="wrong")
    seen = []
    for _ in range(3):
        client._session.cookies.clear()
        with pytest.raises(KeyError):
            client.login()
        seen.append(client.adapter.eresult)

    assert seen == ["5", "5", "87"]


def test_wrong_guard_code_gets_result_88_and_no_token(bench: Bench) -> None:
    other = bench.credentials("red-2")["shared_secret"]
    client = bench.unsigned("red-1", shared_secret=other)

    with pytest.raises(KeyError, match="refresh_token"):
        client.login()


def test_a_guard_code_is_good_for_one_sign_in(bench: Bench) -> None:
    secret = bench.credentials("red-1")["shared_secret"]
    for attempt in range(10):  # half a minute may end at any moment
        code = guard.generate_one_time_code(secret)
        bench.unsigned("red-1").login()
        try:
            bench.unsigned("red-1").login()
        except KeyError as error:
            assert "refresh_token" in str(error)
            return
        assert code != guard.generate_one_time_code(secret), f"the same code was good twice (try {attempt})"
    pytest.fail("no two sign-ins came within half a minute")


def test_a_session_is_restored_from_a_refresh_token_without_password_or_code(bench: Bench, bot: SteamClient) -> None:
    refresh_token = bot._session.cookies.get_dict(domain="steamcommunity.com")["steamRefresh_steam"].split("%7C%7C")[1]
    fresh = bench.unsigned("red-1", password="unused")

    bench.restore(fresh, refresh_token)

    assert fresh.is_session_alive()
    assert fresh._access_token != bot._access_token
    assert "GetTradeOffers" not in bench.control("GET", "/control/requests")["counts"]
    assert bench.api(fresh, "GetTradeOffers", get_sent_offers=1, active_only=1) == {"next_cursor": 0}


def test_signing_out_everywhere_ends_tokens_and_refresh_tokens(bench: Bench, bot: SteamClient) -> None:
    refresh_token = bot._session.cookies.get_dict(domain="steamcommunity.com")["steamRefresh_steam"].split("%7C%7C")[1]

    bench.patch(bot.steam_guard["steamid"], revoke_tokens=True)

    assert not bot.is_session_alive()
    with pytest.raises(InvalidCredentials):
        bench.api(bot, "GetTradeOffers")
    with pytest.raises(Exception, match="no parameters fetched"):
        bench.restore(bench.unsigned("red-1"), refresh_token)


def test_access_tokens_end_and_are_renewed_by_the_refresh_token(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(access_token_s=0)
    bot = bench.client("red-1", acknowledge=False)
    assert not bot.is_session_alive()
    refresh_token = bot._session.cookies.get_dict(domain="steamcommunity.com")["steamRefresh_steam"].split("%7C%7C")[1]

    bench.change(access_token_s=600)
    bench.restore(bot, refresh_token)

    assert bot.is_session_alive()


def test_logout_ends_the_session(bench: Bench, bot: SteamClient) -> None:
    bot.logout()

    assert not bot.was_login_executed


def test_inventories_of_oneself_and_of_a_partner_are_read(bench: Bench, bot: SteamClient, player: Person) -> None:
    mine = bot.get_my_inventory(GameOptions.CS, count=2000)
    theirs = bot.get_partner_inventory(player["steam_id"], GameOptions.CS, count=2000)
    record = {a["asset_id"]: a for a in bench.control("GET", "/control/record?part=assets")["assets"]}

    assert len(mine) == 4
    assert len(theirs) == 6
    for asset_id, item in (mine | theirs).items():
        assert item["market_hash_name"] == record[asset_id]["market_hash_name"]
        assert item["tradable"] == record[asset_id]["tradable"]


def test_the_default_count_of_steampy_is_refused(bench: Bench, bot: SteamClient) -> None:
    with pytest.raises(ApiException):
        bot.get_my_inventory(GameOptions.CS)


def test_a_deposit_moves_the_item_into_the_protected_context(bench: Bench, bot: SteamClient, player: Person) -> None:
    wanted = bench.stock(player["steam_id"])[0]

    sent = bench.deposit(bot, player, [wanted], "please")
    assert sent == {"tradeofferid": sent["tradeofferid"]}
    assert bench.offer(sent["tradeofferid"])["state"] == 2
    bench.act(player["steam_id"], sent["tradeofferid"], "accept")

    offer = bench.api(bot, "GetTradeOffer", tradeofferid=sent["tradeofferid"])["offer"]
    trade = bench.api(bot, "GetTradeStatus", tradeid=offer["tradeid"])["trades"][0]
    (moved,) = trade["assets_received"]
    arrived = bot.get_my_inventory(PROTECTED, count=2000)
    assert offer["trade_offer_state"] == 3
    assert (moved["assetid"], moved["contextid"]) == (wanted["asset_id"], "2")
    assert moved["new_contextid"] == "16"
    assert moved["new_assetid"] != wanted["asset_id"]
    assert arrived[moved["new_assetid"]]["market_hash_name"] == wanted["market_hash_name"]
    assert (arrived[moved["new_assetid"]]["sealed"], arrived[moved["new_assetid"]]["sealed_type"]) == (1, 0)
    assert trade["steamid_other"] == player["steam_id"]


def test_a_withdrawal_is_confirmed_by_steampys_own_code(bench: Bench, bot: SteamClient, player: Person) -> None:
    given = bench.stock(bot.steam_guard["steamid"])[0]

    sent = bench.withdraw(bot, player, [given], confirm=True)

    assert sent["needs_mobile_confirmation"] is True
    assert sent["success"] is True
    assert bench.offer(sent["tradeofferid"])["state"] == 2
    bench.act(player["steam_id"], sent["tradeofferid"], "accept")
    assert bench.offer(sent["tradeofferid"])["state"] == 3


def test_steampy_picks_the_right_one_of_several_confirmations(bench: Bench, bot: SteamClient, player: Person) -> None:
    first, second = bench.stock(bot.steam_guard["steamid"])[:2]
    waiting = bench.withdraw(bot, player, [first])
    confirmed = bench.withdraw(bot, player, [second], confirm=True)

    assert bench.offer(waiting["tradeofferid"])["state"] == 9
    assert bench.offer(confirmed["tradeofferid"])["state"] == 2


def test_steampy_polls_active_offers_with_descriptions(bench: Bench, bot: SteamClient, player: Person) -> None:
    wanted = bench.stock(player["steam_id"])[0]
    sent = bench.deposit(bot, player, [wanted], "hello there")

    offers = bot.get_trade_offers(use_webtoken=True)["response"]["trade_offers_sent"]

    assert [offer["tradeofferid"] for offer in offers] == [sent["tradeofferid"]]
    assert offers[0]["message"] == "hello there"
    assert offers[0]["accountid_other"] == player["account_id"]
    assert offers[0]["items_to_receive"][wanted["asset_id"]]["market_hash_name"] == wanted["market_hash_name"]


def test_a_bot_accepts_what_another_one_gives(bench: Bench, bot: SteamClient) -> None:
    giver = bench.client("red-2")
    me = next(a for a in bench.accounts("bot") if a["name"] == "red-1")
    sent = bench.withdraw(giver, me, bench.stock(giver.steam_guard["steamid"])[:1], confirm=True)

    answer = bot.accept_trade_offer(sent["tradeofferid"])

    assert answer == {"tradeid": bench.offer(sent["tradeofferid"])["tradeid"]}
    assert bench.offer(sent["tradeofferid"])["state"] == 3


def test_accepting_and_giving_needs_the_phone_of_the_one_who_accepts(bench: Bench, bot: SteamClient) -> None:
    asker = bench.client("red-2")
    me = next(a for a in bench.accounts("bot") if a["name"] == "red-1")
    sent = bench.deposit(asker, me, bench.stock(me["steam_id"])[:1])

    unconfirmed = bot._session.post(
        f"https://steamcommunity.com/tradeoffer/{sent['tradeofferid']}/accept",
        data={
            "sessionid": bot._get_session_id(),
            "serverid": "1",
            "tradeofferid": sent["tradeofferid"],
            "partner": asker.steam_guard["steamid"],
            "captcha": "",
        },
        headers={"Referer": f"https://steamcommunity.com/tradeoffer/{sent['tradeofferid']}/"},
    ).json()
    assert unconfirmed["needs_mobile_confirmation"] is True
    assert bench.offer(sent["tradeofferid"])["state"] == 2
    assert bot.accept_trade_offer(sent["tradeofferid"]) == {"success": True}
    done = bench.offer(sent["tradeofferid"])
    assert (done["state"], done["tradeid"]) == (3, unconfirmed["tradeid"])


def test_decline_and_cancel_answer_with_the_offers_id_and_refuse_a_second_time(bench: Bench, bot: SteamClient) -> None:
    asker = bench.client("red-2")
    me = next(a for a in bench.accounts("bot") if a["name"] == "red-1")
    first = bench.deposit(asker, me, bench.stock(me["steam_id"])[:1])["tradeofferid"]
    second = bench.deposit(asker, me, bench.stock(me["steam_id"])[:1])["tradeofferid"]

    assert bot.decline_trade_offer(first) == {"tradeofferid": first}
    assert asker.cancel_trade_offer(second) == {"tradeofferid": second}
    assert [bench.offer(o)["state"] for o in (first, second)] == [7, 6]
    assert asker.cancel_trade_offer(second)["strError"].endswith("(11)")
    assert bot.decline_trade_offer(second)["strError"].endswith("(11)")


def test_escrow_duration_is_read_from_the_trade_page(bench: Bench, bot: SteamClient, player: Person) -> None:
    assert bot.get_escrow_duration(player["trade_url"]) == 0

    bench.patch(player["steam_id"], hold_days=15)

    assert bot.get_escrow_duration(player["trade_url"]) == 15
    holds = bench.api(
        bot,
        "GetTradeHoldDurations",
        steamid_target=player["steam_id"],
        trade_offer_access_token=player["trade_token"],
    )
    assert holds["their_escrow"]["escrow_end_duration_seconds"] == 15 * 86400
    assert holds["my_escrow"] == {"escrow_end_duration_seconds": 0}


def wait_for_the_next_second() -> None:
    """steampy signs a key with the second of its clock, and two actions in one are refused."""
    time.sleep(1 - time.time() % 1)


def test_confirmations_do_not_work_before_trade_protection_is_acknowledged(bench: Bench, player: Person) -> None:
    client = bench.client("red-1", acknowledge=False)
    given = bench.stock(client.steam_guard["steamid"])[:1]

    refused = bench.withdraw(client, player, given, confirm=True)
    assert refused["success"] is False
    assert bench.offer(refused["tradeofferid"])["state"] == 9

    assert bench.acknowledge(client).status_code == 200
    wait_for_the_next_second()
    assert client._confirm_transaction(refused["tradeofferid"]) == {"success": True}
    assert bench.offer(refused["tradeofferid"])["state"] == 2


def test_a_wrong_identity_secret_is_told_apart(bench: Bench, player: Person) -> None:
    wrong = bench.credentials("red-2")["identity_secret"]
    client = bench.unsigned("red-1", identity_secret=wrong)
    client.login()

    with pytest.raises(InvalidCredentials):
        bench.withdraw(client, player, bench.stock(client.steam_guard["steamid"])[:1], confirm=True)


def test_a_confirmation_that_is_late_is_not_listed_yet(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(confirmation_delay_s=60)
    bot, player = bench.client("red-1"), bench.accounts("player")[0]
    sent = bench.withdraw(bot, player, bench.stock(bot.steam_guard["steamid"])[:1])

    with pytest.raises(ConfirmationExpected):
        bot._confirm_transaction(sent["tradeofferid"])
    bench.advance(61)
    assert bot._confirm_transaction(sent["tradeofferid"]) == {"success": True}


def test_a_device_lock_is_seen_on_the_offers_page(bench: Bench, bot: SteamClient) -> None:
    giver = bench.client("red-2")
    me = next(a for a in bench.accounts("bot") if a["name"] == "red-1")
    sent = bench.withdraw(giver, me, bench.stock(giver.steam_guard["steamid"])[:1], confirm=True)
    bench.patch(me["steam_id"], device_locked=True)

    with pytest.raises(SevenDaysHoldException):
        bot.accept_trade_offer(sent["tradeofferid"])


def test_reads_by_key_hide_counter_strike_offers(bench: Bench, bot: SteamClient, player: Person) -> None:
    bench.deposit(bot, player, bench.stock(player["steam_id"])[:1])

    by_key = bot.api_call("GET", "IEconService", "GetTradeOffers", "v1", {"key": bot._api_key, "get_sent_offers": 1})
    summary = bot.get_trade_offers_summary()["response"]

    assert by_key.json() == {"response": {"next_cursor": 0}}
    assert summary["pending_sent_count"] == 0
    assert "trade_offers_sent" in bench.api(bot, "GetTradeOffers", get_sent_offers=1)


def test_history_and_receipt_are_read(bench: Bench, bot: SteamClient, player: Person) -> None:
    sent = bench.deposit(bot, player, bench.stock(player["steam_id"])[:2])
    bench.act(player["steam_id"], sent["tradeofferid"], "accept")
    tradeid = bench.offer(sent["tradeofferid"])["tradeid"]

    history = bot.get_trade_history()["response"]
    receipt = bot.get_trade_receipt(tradeid)

    assert [trade["tradeid"] for trade in history["trades"]] == [tradeid]
    assert history["total_trades"] == 1
    new_ids = {asset["new_assetid"] for asset in history["trades"][0]["assets_received"]}
    assert {item["id"] for item in receipt} == new_ids
    assert all(item["contextid"] == "16" for item in receipt)


def test_a_wrong_key_gets_the_page_that_steampy_recognises(bench: Bench) -> None:
    client = bench.unsigned("red-1")

    for bad in ({"key": "short"}, {"access_token": "a.b.c"}, {}):
        with pytest.raises(InvalidCredentials):
            client.api_call("GET", "IEconService", "GetTradeOffers", "v1", bad)


def test_friends_need_no_token(bench: Bench, bot: SteamClient, player: Person) -> None:
    item = bench.stock(player["steam_id"])[0]
    from steampy.models import Asset

    wanted = [Asset(item["asset_id"], GameOptions.CS)]
    assert bot.make_offer([], wanted, player["steam_id"]) == {"strError": "Trade offers can only be sent to friends."}

    bench.patch(player["steam_id"], friends=[bot.steam_guard["steamid"]])

    assert "tradeofferid" in bot.make_offer([], wanted, player["steam_id"])
    friends = bot.get_friend_list(bot.steam_guard["steamid"])
    assert [friend["steamid"] for friend in friends] == [player["steam_id"]]


def test_the_client_is_unmodified() -> None:
    import steampy

    assert SteamClient.login.__module__ == "steampy.client"
    assert "site-packages" in steampy.__file__ or "dist-packages" in steampy.__file__
