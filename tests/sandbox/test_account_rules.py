"""What keeps an account from trading, what it may change of itself, and how its authenticator is described."""

import json
from typing import Any

import pytest
from requests.models import Response
from sandbox_lab import Bench, Person
from steampy.client import SteamClient

COMMUNITY = "https://steamcommunity.com"
API = "https://api.steampowered.com"


def bans(bench: Bench, steam_id: str) -> dict[str, Any]:
    query = {"key": "0" * 32, "steamids": steam_id}
    found: dict[str, Any] = bench.session().get(f"{API}/ISteamUser/GetPlayerBans/v1", params=query).json()["players"][0]
    return found


def post(bot: SteamClient, path: str, **form: Any) -> Response:
    profile = f"{COMMUNITY}/profiles/{bot.steam_guard['steamid']}"
    found: Response = bot._session.post(f"{profile}/{path}", data={"sessionid": bot._get_session_id()} | form)
    return found


@pytest.mark.parametrize("side", ["cancel", "decline"])
def test_who_calls_off_a_held_trade_cannot_trade_for_seven_days(
    bench: Bench, bot: SteamClient, player: Person, side: str
) -> None:
    bench.patch(player["steam_id"], hold_days=15)
    offer, _ = bench.accepted(bot, player)
    assert bench.offer(offer)["state"] == 11
    guilty = bot.steam_guard["steamid"] if side == "cancel" else player["steam_id"]
    bench.act(guilty, offer, side)

    locked = bench.control("GET", f"/control/accounts/{guilty}")["trade_locked_until"]
    now = bench.control("GET", "/control/clock")["now"]
    assert 604_600 < locked - now <= 604_800
    told = bench.give(bot, player)["strError"]
    assert told.endswith("(24)") if side == "cancel" else ("is not available to trade" in told)
    bench.advance(604_801)
    assert "tradeofferid" in bench.give(bot, player)


def test_a_vac_ban_is_shown_and_refused(bench: Bench, bot: SteamClient, player: Person) -> None:
    bench.patch(player["steam_id"], vac_banned=True)

    assert (bans(bench, player["steam_id"])["VACBanned"], bans(bench, player["steam_id"])["EconomyBan"]) == (True, "none")
    assert bench.give(bot, player)["strError"].endswith("(15)")


def test_probation_is_shown_and_trades(bench: Bench, bot: SteamClient, player: Person) -> None:
    bench.patch(player["steam_id"], probation=True)

    assert bans(bench, player["steam_id"])["EconomyBan"] == "probation"
    assert "var g_bTradePartnerProbation = true;" in bot._session.get(player["trade_url"]).text
    assert "tradeofferid" in bench.give(bot, player)


def test_nobody_trades_with_a_name_of_today(bench: Bench, bot: SteamClient) -> None:
    """Changed on the profile's page; a name given by the control API is no change."""
    renamed = bench.client("red-2")
    me = next(a for a in bench.accounts("bot") if a["name"] == "red-2")
    bench.patch(me["steam_id"], name="other")
    assert post(renamed, "edit/", personaName="x").json()["success"] == 8
    assert "tradeofferid" in bench.give(bot, me)
    assert post(renamed, "edit/", personaName="New Name").json()["success"] == 1

    told = bench.give(bot, me)["strError"]
    assert told.endswith("<br><br>You cannot trade with New Name. (34)")
    bench.advance(14_401)
    assert "tradeofferid" in bench.give(bot, me)


def test_an_accepted_offer_tells_when_it_settles(bench: Bench, bot: SteamClient, player: Person) -> None:
    offer, tradeid = bench.accepted(bot, player)
    settles = bench.api(bot, "GetTradeStatus", tradeid=tradeid)["trades"][0]["time_settlement"]
    seen = bench.api(bot, "GetTradeOffer", tradeofferid=offer)["offer"]

    assert (seen["delay_settlement"], seen["settlement_date"]) == (True, settles)
    bench.change(offers_tell_settlement=False)
    assert "settlement_date" not in bench.api(bot, "GetTradeOffer", tradeofferid=offer)["offer"]


def test_privacy_is_changed_by_its_owner(bench: Bench, bot: SteamClient) -> None:
    mine = bot.steam_guard["steamid"]
    hidden = json.dumps({"PrivacyProfile": 3, "PrivacyInventory": 1})

    assert post(bot, "ajaxsetprivacy/", Privacy=hidden).json()["success"] == 1
    assert bench.control("GET", f"/control/accounts/{mine}")["private"] is True
    assert post(bot, "ajaxsetprivacy/", Privacy="[]").json()["success"] == 8
    assert post(bot, "ajaxsetprivacy/", Privacy=hidden, sessionid="no").status_code == 400
    other = bench.client("red-2")
    form = {"sessionid": other._get_session_id(), "Privacy": hidden}
    assert other._session.post(f"{COMMUNITY}/profiles/{mine}/ajaxsetprivacy/", data=form).status_code == 401
    assert bench.session().get(f"{COMMUNITY}/profiles/{mine}/edit/info", allow_redirects=False).status_code == 302


def test_the_authenticator_is_described_to_its_account(bench: Bench, bot: SteamClient) -> None:
    url, known = f"{API}/ITwoFactorService/QueryStatus/v1", bench.credentials("red-1")
    query = {"access_token": bot._access_token}

    told = bot._session.post(url, params=query, data={"steamid": known["steam_id"]}).json()["response"]
    assert (told["state"], told["device_identifier"]) == (1, known["device_id"])
    assert bot._session.post(url, data={"steamid": known["steam_id"]}).status_code == 401


@pytest.mark.parametrize(("form", "part"), [("payload", "%propid:6%"), ("classic", "S%owner_steamid%A%assetid%D")])
def test_items_are_looked_at_in_either_form(bench: Bench, bot: SteamClient, player: Person, form: str, part: str) -> None:
    bench.change(inspect_links=form)
    content = bot._session.get(f"{COMMUNITY}/inventory/{player['steam_id']}/730/2?count=100").json()

    links = [action["link"] for each in content["descriptions"] for action in each["actions"]]
    assert links
    assert all(part in link for link in links)


def test_trouble_of_an_inventory_names_its_result(bench: Bench, bot: SteamClient, player: Person) -> None:
    """node-steamcommunity reads the EResult out of the sentence."""
    bench.fault("inventory", "str_error", code=55)
    answer = bot._session.get(f"{COMMUNITY}/inventory/{player['steam_id']}/730/2")

    assert answer.status_code == 500
    assert answer.json() == {"success": False, "error": "EYldRefreshAppIfNecessary failed with EResult 55"}
