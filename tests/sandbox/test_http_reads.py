"""Shapes of what Steam gives to read beside inventories: offers, trades, players."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sandbox_lab import Bench, Person
from steampy.client import SteamClient

from sandbox.world import people, trading

COMMUNITY = "https://steamcommunity.com"


API = "https://api.steampowered.com"


# --- offers and trades ---------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["v1", "v1/", "v0001", "v0001/"])
@pytest.mark.parametrize(("yes", "no"), [("1", "0"), ("true", "false"), ("True", "False")])
def test_versions_slashes_and_booleans_are_read_in_all_their_forms(
    bench: Bench, bot: SteamClient, player: Person, path: str, yes: str, no: str
) -> None:
    bench.deposit(bot, player, bench.stock(player["steam_id"])[:1])
    query = {"access_token": bot._access_token, "get_sent_offers": yes, "get_descriptions": no, "active_only": yes}

    content = bench.session().get(f"{API}/IEconService/GetTradeOffers/{path}", params=query).json()["response"]

    assert len(content["trade_offers_sent"]) == 1
    assert "descriptions" not in content
    assert content["next_cursor"] == 0


def test_an_offer_has_the_types_that_steam_gives(bench: Bench, bot: SteamClient, player: Person) -> None:
    item = bench.stock(player["steam_id"])[0]
    offer_id = bench.deposit(bot, player, [item], "token-1")["tradeofferid"]

    sent = bench.api(bot, "GetTradeOffers", get_sent_offers=1, active_only=1)["trade_offers_sent"][0]

    assert sent["tradeofferid"] == offer_id
    assert sent["expiration_time"] - sent["time_created"] == 1_209_600
    assert (sent["is_our_offer"], sent["from_real_time_trade"], sent["escrow_end_date"]) == (True, False, 0)
    assert sent["trade_offer_state"] == 2
    assert "items_to_give" not in sent
    assert "tradeid" not in sent
    (asset,) = sent["items_to_receive"]
    assert (asset["appid"], asset["contextid"], asset["amount"], asset["missing"]) == (730, "2", "1", False)
    assert (asset["assetid"], asset["classid"]) == (item["asset_id"], item["classid"])
    one = bench.api(bot, "GetTradeOffer", tradeofferid=offer_id, get_descriptions=1)
    assert one["offer"] == sent
    assert one["descriptions"][0]["market_hash_name"] == item["market_hash_name"]


def test_a_recipient_sees_an_offer_once_it_is_confirmed(bench: Bench, bot: SteamClient) -> None:
    other = bench.client("red-2")
    me = next(a for a in bench.accounts("bot") if a["name"] == "red-2")
    query = {"get_received_offers": 1, "get_sent_offers": 1}
    sent = bench.withdraw(bot, me, bench.stock(bot.steam_guard["steamid"])[:1])["tradeofferid"]

    assert bench.api(other, "GetTradeOffers", **query) == {"next_cursor": 0}
    assert bench.api(other, "GetTradeOffer", tradeofferid=sent) == {}
    assert bench.api(bot, "GetTradeOffers", active_only=1, **query)["trade_offers_sent"][0]["trade_offer_state"] == 9
    bot._confirm_transaction(sent)
    received = bench.api(other, "GetTradeOffers", **query)["trade_offers_received"][0]
    assert (received["trade_offer_state"], received["is_our_offer"]) == (2, False)
    assert "items_to_receive" in received
    assert "items_to_give" not in received


def test_active_only_takes_a_cutoff_for_what_changed(bench: Bench, bot: SteamClient, player: Person) -> None:
    first = bench.deposit(bot, player, bench.stock(player["steam_id"])[:1])["tradeofferid"]
    bot.cancel_trade_offer(first)
    bench.advance(3600)
    second = bench.deposit(bot, player, bench.stock(player["steam_id"])[:1])["tradeofferid"]
    now = int(bench.control("GET", "/control/clock")["now"])

    def ids(**query: Any) -> list[str]:
        found = bench.api(bot, "GetTradeOffers", get_sent_offers=1, **query).get("trade_offers_sent", [])
        return [offer["tradeofferid"] for offer in found]

    assert ids(active_only=1) == [second]
    assert ids(active_only=1, time_historical_cutoff=now - 7200) == [second, first]
    assert ids(active_only=1, time_historical_cutoff=now - 60) == [second]
    assert ids(active_only=1, time_historical_cutoff=now + 86400) == [second]
    assert ids(historical_only=1) == [first]
    assert ids() == [second, first]


@pytest.mark.parametrize("obeys", [False, True])
def test_only_active_only_knows_the_cutoff(bench: Bench, bot: SteamClient, player: Person, obeys: bool) -> None:
    """Valve describes `time_historical_cutoff` for `active_only`; a client that wants no old history has to stop by itself."""
    old = bench.ask(bot, player)
    bot.cancel_trade_offer(old)
    bench.change(historical_obeys_cutoff=obeys)
    later = int(bench.control("GET", "/control/clock")["now"]) + 3600

    found = bench.api(bot, "GetTradeOffers", get_sent_offers=1, historical_only=1, time_historical_cutoff=later)

    assert [offer["tradeofferid"] for offer in found.get("trade_offers_sent", [])] == ([] if obeys else [old])


def test_offers_are_sorted_by_the_time_that_is_set(bench: Bench, bot: SteamClient, player: Person) -> None:
    first = bench.ask(bot, player)
    bench.advance(60)
    second = bench.ask(bot, player)
    bench.advance(60)
    bot.cancel_trade_offer(first)

    def ids() -> list[str]:
        return [o["tradeofferid"] for o in bench.api(bot, "GetTradeOffers", get_sent_offers=1)["trade_offers_sent"]]

    assert ids() == [first, second]
    bench.change(offers_sorted_by="created")
    assert ids() == [second, first]
    bench.control("PATCH", "/control/settings", {"offers_sorted_by": "chance"}, 400)


def test_what_is_not_there_is_42(bench: Bench, bot: SteamClient, player: Person) -> None:
    """An offer or an exchange that nobody made, and other people's."""
    offer, tradeid = bench.accepted(bot, player)
    other = bench.client("red-2")

    for client, method, query in (
        (bot, "GetTradeOffer", {"tradeofferid": 1}),
        (other, "GetTradeOffer", {"tradeofferid": offer}),
        (bot, "GetTradeStatus", {"tradeid": 1}),
        (other, "GetTradeStatus", {"tradeid": tradeid}),
    ):
        assert (bench.api(client, method, **query), client.adapter.eresult) == ({}, "42")


@pytest.mark.parametrize(("how", "most"), [("token", 100), ("key", 500)])
def test_a_page_of_the_history_holds_less_by_token(bench: Bench, bot: SteamClient, player: Person, how: str, most: int) -> None:
    """aiosteampy `webapi/services/econ.py`: the effective limit is 100 with a token, 500 with a key."""
    bench.running.on_loop(lambda: history_of(bench.running.world, bot, player, 101))
    auth = {"access_token": bot._access_token} if how == "token" else {"key": bench.credentials("red-1")["api_key"]}
    query = auth | {"max_trades": 500}
    page = bench.session().get(f"{API}/IEconService/GetTradeHistory/v1", params=query).json()["response"]

    assert (len(page["trades"]), page["more"]) == ((100, True) if most == 100 else (101, False))


def history_of(world: Any, bot: SteamClient, player: Person, count: Any) -> None:
    """So many finished exchanges, made without any request."""
    owner, other = (world.accounts.get(int(who)) for who in (bot.steam_guard["steamid"], player["steam_id"]))
    for number in range(count):
        (item,) = world.add_random_items(other, 1, 0.0)
        item.tradable = True
        wanted = [trading.Wanted(item.app_id, item.context_id, item.asset_id)]
        offer = trading.send(world, owner, trading.Proposal(other.steam_id, [], wanted, "", other.trade_token), 1e9 + number)
        people.act(world, other, offer, "accept", 1e9 + number)


def test_offers_are_paged_by_a_cursor(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(offers_page_size=2)
    bot, player = bench.client("red-1"), bench.accounts("player")[0]
    sent = [bench.deposit(bot, player, bench.stock(player["steam_id"])[:1])["tradeofferid"] for _ in range(5)]
    seen, cursor = [], 0
    for _ in range(3):
        page = bench.api(bot, "GetTradeOffers", get_sent_offers=1, active_only=1, cursor=cursor)
        seen += [offer["tradeofferid"] for offer in page["trade_offers_sent"]]
        cursor = page["next_cursor"]

    assert cursor == 0
    assert sorted(seen) == sorted(sent)


def test_the_trade_status_shows_new_ids_when_they_are_known(bench: Bench, bot: SteamClient, player: Person) -> None:
    bench.change(exchange_ids_delay_s=60)
    offer = bench.deposit(bot, player, bench.stock(player["steam_id"])[:1])["tradeofferid"]
    bench.act(player["steam_id"], offer, "accept")
    tradeid = bench.offer(offer)["tradeid"]

    early = bench.api(bot, "GetTradeStatus", tradeid=tradeid)["trades"][0]
    bench.advance(61)
    late = bench.api(bot, "GetTradeStatus", tradeid=tradeid, get_descriptions=1)
    assert early["status"] == 2
    assert "new_assetid" not in early["assets_received"][0]
    assert late["trades"][0]["status"] == 3
    assert late["trades"][0]["assets_received"][0]["new_contextid"] == "16"
    assert late["trades"][0]["time_settlement"] == late["trades"][0]["time_init"] + 604_800
    assert late["descriptions"]
    assert bench.api(bench.client("red-2"), "GetTradeStatus", tradeid=tradeid) == {}


def test_a_status_may_stay_2_for_ever(bench: Bench, bot: SteamClient, player: Person) -> None:
    bench.change(exchanges_stay_committed=True)
    offer = bench.deposit(bot, player, bench.stock(player["steam_id"])[:1])["tradeofferid"]
    bench.act(player["steam_id"], offer, "accept")
    bench.advance(40 * 86400)

    trade = bench.api(bot, "GetTradeStatus", tradeid=bench.offer(offer)["tradeid"])["trades"][0]
    assert (trade["status"], "new_assetid" in trade["assets_received"][0]) == (2, True)


def test_a_held_trade_is_11_and_10_until_the_hold_is_over(bench: Bench, bot: SteamClient, player: Person) -> None:
    bench.patch(player["steam_id"], hold_days=15)
    offer = bench.deposit(bot, player, bench.stock(player["steam_id"])[:1])["tradeofferid"]
    bench.act(player["steam_id"], offer, "accept")
    seen = bench.api(bot, "GetTradeOffer", tradeofferid=offer)["offer"]
    trade = bench.api(bot, "GetTradeStatus", tradeid=seen["tradeid"])["trades"][0]

    assert (seen["trade_offer_state"], trade["status"]) == (11, 10)
    assert seen["escrow_end_date"] == int(trade["time_escrow_end"])
    assert "new_assetid" not in trade["assets_received"][0]
    bench.advance(15 * 86400 + 1)
    trade = bench.api(bot, "GetTradeStatus", tradeid=seen["tradeid"])["trades"][0]
    assert (trade["status"], "new_assetid" in trade["assets_received"][0]) == (3, True)
    assert bench.offer(offer)["state"] == 3


def test_the_history_is_paged_from_newest_to_oldest_and_back(bench: Bench, bot: SteamClient, player: Person) -> None:
    trades = []
    for _ in range(3):
        offer = bench.deposit(bot, player, bench.stock(player["steam_id"])[:1])["tradeofferid"]
        bench.act(player["steam_id"], offer, "accept")
        trades.append(bench.offer(offer)["tradeid"])
        bench.advance(10)

    page = bench.api(bot, "GetTradeHistory", max_trades=2, include_total=1)
    last = page["trades"][-1]
    after = {"start_after_time": last["time_init"], "start_after_tradeid": last["tradeid"]}
    older = bench.api(bot, "GetTradeHistory", max_trades=2, **after)
    newer = bench.api(bot, "GetTradeHistory", max_trades=2, navigating_back=1, **after)
    assert [t["tradeid"] for t in page["trades"]] == trades[:0:-1]
    assert (page["more"], page["total_trades"]) == (True, 3)
    assert [t["tradeid"] for t in older["trades"]] == trades[:1]
    assert older["more"] is False
    assert [t["tradeid"] for t in newer["trades"]] == trades[2:]


def test_hold_durations_want_the_right_token(bench: Bench, bot: SteamClient, player: Person) -> None:
    wrong = bench.api(bot, "GetTradeHoldDurations", steamid_target=player["steam_id"], trade_offer_access_token="nope")

    assert (wrong, bot.adapter.eresult) == ({}, "15")
    good = bench.api(
        bot, "GetTradeHoldDurations", steamid_target=player["steam_id"], trade_offer_access_token=player["trade_token"]
    )
    assert set(good) == {"my_escrow", "their_escrow", "both_escrow"}


def test_the_own_trade_token_is_told_and_renewed(bench: Bench, bot: SteamClient) -> None:
    me = next(a for a in bench.accounts("bot") if a["name"] == "red-1")

    assert bench.api(bot, "GetTradeOfferAccessToken")["trade_offer_access_token"] == me["trade_token"]
    assert bench.api(bot, "GetTradeOfferAccessToken", generate_new_token=1)["trade_offer_access_token"] != me["trade_token"]


# --- players -------------------------------------------------------------------------------------


def test_players_are_described_by_any_well_formed_key(bench: Bench, player: Person) -> None:
    session = bench.session()
    ids = f"{player['steam_id']},76561197960265729,oops"
    query = {"key": "0" * 32, "steamids": ids}

    people = session.get(f"{API}/ISteamUser/GetPlayerSummaries/v0002/", params=query).json()["response"]["players"]
    bans = session.get(f"{API}/ISteamUser/GetPlayerBans/v1", params=query).json()
    level = session.get(f"{API}/IPlayerService/GetSteamLevel/v1", params={"key": "0" * 32, "steamid": player["steam_id"]})
    assert [(p["steamid"], p["personaname"], p["communityvisibilitystate"]) for p in people] == [
        (player["steam_id"], player["name"], 3)
    ]
    assert bans["players"][0]["EconomyBan"] == "none"
    assert level.json()["response"]["player_level"] > 0
    bench.patch(player["steam_id"], private=True, banned=True)
    people = session.get(f"{API}/ISteamUser/GetPlayerSummaries/v2", params=query).json()["response"]["players"]
    bans = session.get(f"{API}/ISteamUser/GetPlayerBans/v1", params=query).json()
    assert people[0]["communityvisibilitystate"] == 1
    assert "timecreated" not in people[0]
    assert bans["players"][0]["EconomyBan"] == "banned"
    refused = session.get(f"{API}/ISteamUser/GetPlayerBans/v1", params=query | {"key": "short"})
    assert refused.status_code == 403
    assert "<pre>key=</pre>" in refused.text


def test_item_classes_are_described(bench: Bench, bot: SteamClient, player: Person) -> None:
    item = bench.stock(player["steam_id"])[0]
    query = {"key": "0" * 32, "appid": 730, "class_count": 1, "classid0": item["classid"], "instanceid0": item["instanceid"]}

    result = bench.session().get(f"{API}/ISteamEconomy/GetAssetClassInfo/v1", params=query).json()["result"]

    assert result["success"] is True
    assert result[f"{item['classid']}_{item['instanceid']}"]["market_hash_name"] == item["market_hash_name"]
