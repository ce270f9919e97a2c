"""Pages that clients cut scripts out of: trade offers, receipts, inventories; and requests in the forms that clients send."""

import json
import re
from typing import Any

import pytest
from sandbox_lab import Bench, Person
from steampy.client import SteamClient

COMMUNITY = "https://steamcommunity.com"
API = "https://api.steampowered.com"
CONTENT = re.compile(r'<div class="pagecontent">\s*<script type="text/javascript">(.*?)</script>', re.S)
FIRST = re.compile(r'\n\W*<script type="text/javascript">\W*\r?\n?(\W*var g_rgAppContextData[\s\S]*)</script>')
"""How node-steam-tradeoffer-manager finds the script."""


def found(match: re.Match[str] | None) -> str:
    """The first group of what was searched for."""
    assert match is not None
    return match[1]


def variables(page: str) -> dict[str, Any]:
    """The variables of the page's script."""
    script = found(CONTENT.search(page))
    assert FIRST.search(page)
    return {m[1]: json.loads(m[2].replace("'", '"')) for m in re.finditer(r"var (\w+) = (.*);\n", script)}


def test_the_trade_page_has_contexts_in_a_script_below_its_content(bench: Bench, bot: SteamClient, player: Person) -> None:
    """ArchiSteamFarm reads the first script of `div.pagecontent`, node-steam-tradeoffer-manager runs it."""
    bench.accepted(bot, player)
    page = bot._session.get(player["trade_url"]).text
    found, mine = variables(page), bot.steam_guard["steamid"]

    own, theirs = found["g_rgAppContextData"]["730"], found["g_rgPartnerAppContextData"]["730"]
    assert {context: entry["asset_count"] for context, entry in own["rgContexts"].items()} == {"2": 4, "16": 1}
    assert {context: entry["asset_count"] for context, entry in theirs["rgContexts"].items()} == {"2": 5}
    assert (own["asset_count"], own["name"], own["rgContexts"]["2"]["name"]) == (5, "Counter-Strike 2", "Backpack")
    assert (found["g_strTradePartnerPersonaName"], found["g_strYourPersonaName"]) == (player["name"], "red-1")
    assert (found["g_ulTradePartnerSteamID"], found["g_daysTheirEscrow"]) == (player["steam_id"], 0)
    for account_id in (player["account_id"], int(mine) - 76561197960265728):
        assert re.search(rf'<img src="[^"]+\.jpg" data-miniprofile="{account_id}">', page)


def test_nothing_to_trade_is_an_empty_list(bench: Bench, bot: SteamClient) -> None:
    empty = bench.control("POST", "/control/accounts", {"kind": "player", "name": "</script><b>"}, 201)
    found = variables(bot._session.get(empty["trade_url"]).text)

    assert found["g_rgPartnerAppContextData"] == []
    assert found["g_strTradePartnerPersonaName"] == "</script><b>"


def test_the_page_of_an_offer_shows_both_sides(bench: Bench, bot: SteamClient, player: Person) -> None:
    offer = bench.ask(bot, player)
    found = variables(bot._session.get(f"{COMMUNITY}/tradeoffer/{offer}/").text)

    status = found["g_rgCurrentTradeStatus"]
    assert (status["version"], status["me"]["assets"]) == (2, [])
    assert status["them"]["assets"][0]["assetid"] == bench.offer(offer)["receive"][0]["asset_id"]


@pytest.mark.parametrize("private", [False, True])
def test_an_inventory_page_names_games_and_contexts(bench: Bench, bot: SteamClient, player: Person, private: bool) -> None:
    bench.patch(player["steam_id"], private=private)
    page = bot._session.get(f"{COMMUNITY}/profiles/{player['steam_id']}/inventory/").text
    mine = bot._session.get(f"{COMMUNITY}/profiles/{bot.steam_guard['steamid']}/inventory").text

    (contexts,) = re.findall(r"var g_rgAppContextData = ([^\n]+);\r?\n", page)
    assert (
        (list(json.loads(contexts)), "inventory is currently private." in page) == ([], True) if private else (["730"], False)
    )
    assert json.loads(found(re.search(r"g_rgWalletInfo = (.+);", mine)))["success"] == 1
    assert "g_rgWalletInfo" not in page


def test_a_receipt_hands_each_item_to_build_hover(bench: Bench, bot: SteamClient, player: Person) -> None:
    """node-steam-tradeoffer-manager runs it from `var oItem` to the last `</script>` and keeps what BuildHover is given."""
    _, tradeid = bench.accepted(bot, player)
    page = bot._session.get(f"{COMMUNITY}/trade/{tradeid}/receipt/").text

    script = found(re.search(r"(var oItem;[\s\S]*)</script>", page))
    assert "</script>" not in script
    assert len(re.findall(r"BuildHover\( 'trade_item_\d+', oItem, UserYou \);", script)) == 1
    assert [item["id"] for item in bot.get_trade_receipt(tradeid)] == [bench.exchanges()[0]["moves"][0]["new_asset_id"]]


def test_classes_are_known_when_their_last_copy_is_gone(bench: Bench, bot: SteamClient, player: Person) -> None:
    """In the old shape: maps for lists, strings for numbers; without an instance by the class alone."""
    made = {"items": [{"market_hash_name": "AWP | Dragon Lore (Factory New)"}]}
    (item,) = bench.control("POST", f"/control/accounts/{player['steam_id']}/items", made, 201)["assets"]
    bench.control("DELETE", f"/control/items/730/2/{item['asset_id']}?owner={player['steam_id']}")
    query = {"access_token": bot._access_token, "appid": 730, "class_count": 2, "classid0": item["classid"]}
    query |= {"instanceid0": item["instanceid"], "classid1": item["classid"]}

    result = bot._session.get(f"{API}/ISteamEconomy/GetAssetClassInfo/v1", params=query).json()["result"]
    full, short = result[f"{item['classid']}_{item['instanceid']}"], result[item["classid"]]
    assert result["success"] is True
    assert full["market_hash_name"] == short["market_hash_name"] == item["market_hash_name"]
    assert (full["tradable"], full["tags"]["0"]["category"], full["fraudwarnings"]) == ("1", "Type", "")
    other = bot._session.get(f"{API}/ISteamEconomy/GetAssetClassInfo/v1", params=query | {"appid": 440}).json()["result"]
    assert other == {"success": False}


# --- forms that clients send ----------------------------------------------------------------------


@pytest.fixture
def countered(bench: Bench, bot: SteamClient, player: Person) -> dict[str, Any]:
    """An offer of the player's to the bot, by hand."""
    body = {"partner": bot.steam_guard["steamid"], "give": [bench.stock(player["steam_id"])[0]["asset_id"]]}
    found: dict[str, Any] = bench.control("POST", f"/control/people/{player['steam_id']}/offers", body, 201)
    return found


def test_a_counter_offer_comes_from_the_page_of_the_offer(
    bench: Bench, bot: SteamClient, player: Person, countered: dict[str, Any]
) -> None:
    """aiosteampy sends the Referer of the offer that it counters, and no token."""
    wanted = [{"appid": 730, "contextid": "2", "amount": "1", "assetid": countered["give"][0]["asset_id"]}]
    sides = {"me": {"assets": [], "currency": [], "ready": False}, "them": {"assets": wanted, "currency": [], "ready": False}}
    form = {
        "sessionid": bot._get_session_id(),
        "serverid": 1,
        "partner": player["steam_id"],
        "tradeoffermessage": "",
        "json_tradeoffer": json.dumps({"newversion": True, "version": 3} | sides),
        "captcha": "",
        "trade_offer_create_params": "{}",
        "tradeofferid_countered": countered["offer_id"],
    }
    page = f"{COMMUNITY}/tradeoffer/{countered['offer_id']}/"

    sent = bot._session.post(f"{COMMUNITY}/tradeoffer/new/send", data=form, headers={"Referer": page}).json()
    assert bench.offer(countered["offer_id"])["state"] == 4
    assert bench.offer(sent["tradeofferid"])["state"] == 2
    elsewhere = {"Referer": f"{COMMUNITY}/tradeoffer/x/"}
    assert bot._session.post(f"{COMMUNITY}/tradeoffer/new/send", data=form, headers=elsewhere).status_code == 400


def test_two_slashes_are_one(bench: Bench) -> None:
    """node-steamcommunity acknowledges trade protection at `//trade/new/acknowledge`."""
    client = bench.client("red-1", acknowledge=False)
    form = {"sessionid": client._get_session_id(), "message": 1}

    assert client._session.post(f"{COMMUNITY}//trade/new/acknowledge", data=form).status_code == 200
    assert bench.control("GET", f"/control/accounts/{client.steam_guard['steamid']}")["acknowledged"] is True


def test_a_received_offer_tells_that_its_acceptance_must_be_confirmed(bench: Bench, bot: SteamClient, player: Person) -> None:
    """node-steam-tradeoffer-manager says "pending" of an offer accepted with a `confirmation_method`."""
    asked = {"partner": bot.steam_guard["steamid"], "receive": [bench.stock(bot.steam_guard["steamid"])[0]["asset_id"]]}
    offer_id = bench.control("POST", f"/control/people/{player['steam_id']}/offers", asked, 201)["offer_id"]

    def method() -> int:
        found: int = bench.api(bot, "GetTradeOffer", tradeofferid=offer_id)["offer"]["confirmation_method"]
        return found

    assert method() == 0
    page = f"{COMMUNITY}/tradeoffer/{offer_id}"
    form = {"sessionid": bot._get_session_id(), "serverid": "1", "tradeofferid": offer_id, "captcha": ""}
    form |= {"partner": player["steam_id"]}
    answer = bot._session.post(f"{page}/accept", data=form, headers={"Referer": f"{page}/"}).json()
    assert answer["needs_mobile_confirmation"] is True
    assert method() == 2


@pytest.mark.parametrize(
    ("agent", "more", "status"),
    [
        ("okhttp/4.9.2", {}, 200),
        ("Mozilla/5.0 (X11)", {"Accept-Language": "en", "Accept-Encoding": "gzip, br"}, 200),
        ("Mozilla/5.0 (X11)", {"Accept-Encoding": "gzip, br"}, 429),
        ("node-fetch", {"Accept-Language": "en", "Accept-Encoding": "gzip, br"}, 429),
    ],
)
def test_the_edge_lets_the_phones_app_through(
    bench: Bench, bot: SteamClient, agent: str, more: dict[str, Any], status: int
) -> None:
    bench.order({"kind": "edge_filter"})
    headers = {"User-Agent": agent, "Accept-Language": None, "Accept-Encoding": "gzip"} | more

    assert bot._session.get(f"{COMMUNITY}/my/inventory/", headers=headers).status_code == status
