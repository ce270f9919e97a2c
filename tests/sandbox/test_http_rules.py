"""What steamcommunity.com refuses and in which shape, asked with a plain HTTP session."""

import json
from typing import Any

import pytest
from requests.models import Response
from sandbox_lab import Bench, Person
from steampy.client import SteamClient

COMMUNITY = "https://steamcommunity.com"


class Sender:
    """The form and the headers of a good request to send an offer, to be spoiled one by one."""

    def __init__(self, bench: Bench, bot: SteamClient, player: Person) -> None:
        self.bench, self.bot, self.player = bench, bot, player
        self.asset = {"appid": 730, "contextid": "2", "amount": 1, "assetid": bench.stock(player["steam_id"])[0]["asset_id"]}
        self.headers = {"Referer": f"{COMMUNITY}/tradeoffer/new/"}
        self.token = player["trade_token"]
        self.form = {
            "sessionid": bot._get_session_id(),
            "serverid": "1",
            "partner": player["steam_id"],
            "tradeoffermessage": "hi",
            "captcha": "",
        }

    def post(self, **changes: Any) -> Response:
        offer = {
            "newversion": True,
            "version": 4,
            "me": {"assets": [], "currency": [], "ready": False},
            "them": {"assets": [self.asset], "currency": [], "ready": False},
        }
        params = {"trade_offer_access_token": self.token} if self.token else {}
        form = {"json_tradeoffer": json.dumps(offer), "trade_offer_create_params": json.dumps(params)} | self.form | changes
        found: Response = self.bot._session.post(f"{COMMUNITY}/tradeoffer/new/send", data=form, headers=self.headers)
        return found

    def code(self, **changes: Any) -> int:
        answer = self.post(**changes)
        text = answer.json()["strError"]
        assert answer.status_code == 500
        return int(text.rpartition("(")[2].rstrip(")"))

    def says(self, **changes: Any) -> tuple[int, str]:
        answer = self.post(**changes)
        return answer.status_code, answer.json()["strError"]


@pytest.fixture
def sender(bench: Bench, bot: SteamClient, player: Person) -> Sender:
    return Sender(bench, bot, player)


def test_a_good_request_is_taken(sender: Sender) -> None:
    assert list(sender.post().json()) == ["tradeofferid"]


@pytest.mark.parametrize("referer", [None, COMMUNITY, "https://example.com/tradeoffer/new/"])
def test_send_wants_the_referer_of_a_trade_page(sender: Sender, referer: str | None) -> None:
    sender.headers = {"Referer": referer} if referer else {}

    answer = sender.post()
    assert (answer.status_code, answer.content) == (400, b"null")


def test_send_wants_the_session_id_of_the_cookie(sender: Sender) -> None:
    answer = sender.post(sessionid="0123456789abcdef01234567")

    assert (answer.status_code, answer.content) == (400, b"null")


def test_any_session_id_will_do_when_cookie_and_form_agree(sender: Sender) -> None:
    jar = sender.bot._session.cookies
    jar.set("sessionid", "feedfeedfeedfeedfeedfeed", domain="steamcommunity.com", path="/")

    assert "tradeofferid" in sender.post(sessionid="feedfeedfeedfeedfeedfeed").json()


def test_nobody_signed_in_gets_null(bench: Bench, bot: SteamClient, player: Person) -> None:
    offer = bench.deposit(bot, player, bench.stock(player["steam_id"])[:1])["tradeofferid"]
    session = bench.session()
    session.cookies.set("sessionid", "ab" * 12, domain="steamcommunity.com", path="/")
    form = {"sessionid": "ab" * 12}
    seen = {
        action: session.post(f"{COMMUNITY}/tradeoffer/{offer}/{action}", data=form, headers={"Referer": COMMUNITY})
        for action in ("cancel", "decline", "accept")
    }
    seen["send"] = session.post(f"{COMMUNITY}/tradeoffer/new/send", data=form)

    assert {name: answer.status_code for name, answer in seen.items()} == {
        "cancel": 401,
        "decline": 401,
        "accept": 403,
        "send": 401,
    }
    assert {answer.content for answer in seen.values()} == {b"null"}


@pytest.mark.parametrize(
    "change",
    [
        {"json_tradeoffer": "{"},
        {"json_tradeoffer": "[]"},
        {"json_tradeoffer": '{"newversion":true,"version":1,"me":{"assets":[]},"them":{"assets":[]}}'},
        {"serverid": "2"},
        {"partner": "nobody"},
        {"trade_offer_create_params": "{"},
        {"tradeoffermessage": "x" * 129},
    ],
)
def test_malformed_requests_are_8(sender: Sender, change: dict[str, str]) -> None:
    assert sender.code(**change) == 8


@pytest.mark.parametrize("change", [{"assetid": "0"}, {"assetid": 12}, {"amount": 0}, {"contextid": 2}])
def test_malformed_assets_are_8(sender: Sender, change: dict[str, Any]) -> None:
    sender.asset |= change

    assert sender.code() == 8


@pytest.mark.parametrize("change", [{"assetid": "12"}, {"contextid": "16"}, {"appid": 570}, {"amount": 2}])
def test_assets_that_are_not_there_are_26(sender: Sender, change: dict[str, Any]) -> None:
    sender.asset |= change

    assert sender.code() == 26


@pytest.mark.parametrize(
    ("token", "words"), [(None, "can only be sent to friends"), ("wrong123", "Trade URL is no longer valid")]
)
def test_the_token_must_be_the_partners(sender: Sender, token: str | None, words: str) -> None:
    sender.token = token

    status, text = sender.says()
    assert (status, words in text) == (500, True)
    sender.bench.change(refusal_words="numbers")
    assert sender.code() == 15


def test_unknown_partners_and_oneself_are_15(sender: Sender) -> None:
    assert sender.code(partner="76561197960265729") == 15
    assert sender.code(partner=sender.bot.steam_guard["steamid"]) == 15


def test_what_accounts_may_not_do_has_its_sentence_or_its_number(sender: Sender) -> None:
    mine, theirs, name = sender.bot.steam_guard["steamid"], sender.player["steam_id"], sender.player["name"]
    for account, change, words, code in (
        (theirs, "banned", f"You cannot trade with {name} because they have a trade ban.", 15),
        (theirs, "private", f'{name}\'s inventory privacy is set to "Private"', 15),
        (mine, "banned", "There was an error sending your trade offer.  Please try again later. (15)", 15),
        (mine, "device_locked", "You have logged in from a new device", 24),
    ):
        sender.bench.patch(account, **{change: True})
        status, text = sender.says()
        assert (status, text[: len(words)]) == (500, words)
        sender.bench.change(refusal_words="numbers")
        assert sender.code() == code
        sender.bench.change(refusal_words="sentences")
        sender.bench.patch(account, **{change: False})
    assert "tradeofferid" in sender.post().json()


def test_the_sixth_offer_to_a_partner_is_too_many(sender: Sender) -> None:
    """The sentence is what Steam says today, 25 and 50 what it said before (alex7kom/node-steam-tradeoffers#76)."""
    assert ["tradeofferid" in sender.post().json() for _ in range(5)] == [True] * 5
    name, error = sender.player["name"], "There was an error sending your trade offer.  Please try again later."

    status, text = sender.says()
    assert (status, text[:38]) == (500, "You have sent too many trade offers, o")
    assert f"outstanding trade offers with {name}. Please cancel some before sending more." in text
    sender.bench.change(offer_limit_says="25")
    assert sender.says() == (500, f"{error} (25)")
    sender.bench.change(offer_limit_says="50")
    assert sender.says() == (500, f"{error}<br><br>You cannot trade with {name}. (50)")


def test_refusals_come_in_the_language_of_the_client(sender: Sender) -> None:
    """Who sets no cookie reads the account's language, in which no sentence can be recognised and numbers stay."""
    sender.bench.change(language="german")
    sender.bench.patch(sender.player["steam_id"], banned=True)
    jar = sender.bot._session.cookies

    assert "trade ban" not in sender.says()[1]
    assert sender.says(serverid="2")[1].endswith("(8)")
    jar.set("Steam_Language", "english", domain="steamcommunity.com", path="/")
    assert "because they have a trade ban" in sender.says()[1]


def test_a_refusal_may_come_with_200(sender: Sender) -> None:
    sender.bench.change(str_error_status=200)

    assert sender.says(serverid="2") == (200, "There was an error sending your trade offer.  Please try again later. (8)")


@pytest.mark.parametrize(
    ("code", "why"), [(50, "<br><br>You cannot trade with {}."), (34, "<br><br>You cannot trade with {}."), (16, "")]
)
def test_an_ordered_refusal_has_the_words_of_its_number(sender: Sender, code: int, why: str) -> None:
    """With the partner's name where Steam names the partner (alex7kom/node-steam-tradeoffers#226)."""
    sender.bench.fault("send", "str_error", code=code)

    named = why.format(sender.player["name"])
    assert sender.says() == (500, f"There was an error sending your trade offer.  Please try again later.{named} ({code})")


def test_an_offer_that_is_taken_back_frees_its_place(sender: Sender) -> None:
    ids = [sender.post().json()["tradeofferid"] for _ in range(5)]
    sender.bot.cancel_trade_offer(ids[0])

    assert "tradeofferid" in sender.post().json()


def test_accept_needs_the_referer_of_the_offer(bench: Bench, bot: SteamClient) -> None:
    """Whether the partner is checked is a setting: aiosteampy 1.0 names the accepting account itself and gets through."""
    bench.change(accept_checks_partner=True)
    giver = bench.client("red-2")
    me = next(a for a in bench.accounts("bot") if a["name"] == "red-1")
    offer = bench.withdraw(giver, me, bench.stock(giver.steam_guard["steamid"])[:1], confirm=True)["tradeofferid"]
    url = f"{COMMUNITY}/tradeoffer/{offer}/accept"
    form = {"sessionid": bot._get_session_id(), "serverid": "1", "tradeofferid": offer, "captcha": ""}
    good = form | {"partner": giver.steam_guard["steamid"]}
    page = {"Referer": f"{COMMUNITY}/tradeoffer/{offer}/"}

    assert bot._session.post(url, data=good).status_code == 400
    assert bot._session.post(url, data=good | {"sessionid": "no"}, headers=page).status_code == 400
    assert "(8)" in bot._session.post(url, data=form | {"partner": me["steam_id"]}, headers=page).json()["strError"]
    bench.change(accept_checks_partner=False)
    assert list(bot._session.post(url, data=form | {"partner": me["steam_id"]}, headers=page).json()) == ["tradeid"]
    assert "(28)" in bot._session.post(url, data=good, headers=page).json()["strError"]


def test_a_session_of_a_forged_token_is_none(bench: Bench, bot: SteamClient) -> None:
    steam_id, token = bot.steam_guard["steamid"], bot._access_token
    head, body, signature = token.split(".")
    other = bench.accounts("player")[0]["steam_id"]
    for value in (
        f"{other}%7C%7C{token}",
        f"{steam_id}%7C%7C{head}.{body}.{signature[::-1]}",
        f"{steam_id}%7C%7C{head}.{body[:-4]}.{signature}",
        f"{steam_id}%7C%7C",
        token,
    ):
        session = bench.session()
        session.cookies.set("steamLoginSecure", value, domain="steamcommunity.com", path="/")
        assert "g_steamID = false;" in session.get(COMMUNITY).text


def test_tokens_are_good_for_their_own_host_only(bench: Bench, bot: SteamClient) -> None:
    jar = {c.domain: c.value for c in bot._session.cookies if c.name == "steamLoginSecure"}
    session = bench.session()
    session.cookies.set("steamLoginSecure", jar["store.steampowered.com"], domain="steamcommunity.com", path="/")
    session.cookies.set("steamLoginSecure", jar["store.steampowered.com"], domain="store.steampowered.com", path="/")

    assert "g_steamID = false;" in session.get(COMMUNITY).text
    assert session.head("https://store.steampowered.com/account", allow_redirects=False).status_code == 200
    lost = bench.session().head("https://store.steampowered.com/account", allow_redirects=False)
    assert (lost.status_code, "/login" in lost.headers["Location"]) == (302, True)


def test_codes_go_by_the_real_clock_too(bench: Bench) -> None:
    bench.advance(40 * 86400)

    assert bench.client("red-2").is_session_alive()


def test_the_trade_page_says_why_there_can_be_no_offer(bench: Bench, bot: SteamClient, player: Person) -> None:
    url = player["trade_url"]
    assert f"var g_ulTradePartnerSteamID = '{player['steam_id']}';" in bot._session.get(url).text
    assert "no longer valid" in bot._session.get(url[:-3] + "xxx").text
    bench.patch(player["steam_id"], banned=True)
    assert "because they have a trade ban" in bot._session.get(url).text
    assert bench.session().get(url).url.startswith(f"{COMMUNITY}/login/home/")


def test_the_page_of_an_offer_is_shown_to_its_two_sides_only(bench: Bench, bot: SteamClient, player: Person) -> None:
    offer = bench.deposit(bot, player, bench.stock(player["steam_id"])[:1])["tradeofferid"]

    assert "g_ulTradePartnerSteamID" in bot._session.get(f"{COMMUNITY}/tradeoffer/{offer}").text
    stranger = bench.client("red-2")._session.get(f"{COMMUNITY}/tradeoffer/{offer}").text
    assert "g_ulTradePartnerSteamID" not in stranger
    assert "error_msg" in stranger


def test_signed_in_pages_carry_the_community_token_and_the_trade_url(bench: Bench, bot: SteamClient) -> None:
    me = next(a for a in bench.accounts("bot") if a["name"] == "red-1")
    page = bot._session.get(f"{COMMUNITY}/my/tradeoffers/privacy")

    assert page.url == f"{COMMUNITY}/profiles/{me['steam_id']}/tradeoffers/privacy"
    assert f'value="{me["trade_url"]}" readonly' in page.text
    assert f'data-loyalty_webapi_token="&quot;{bot._access_token}&quot;"' in page.text


def test_a_new_trade_url_makes_the_old_one_worthless(bench: Bench, bot: SteamClient) -> None:
    me = next(a for a in bench.accounts("bot") if a["name"] == "red-1")
    url = f"{COMMUNITY}/profiles/{me['steam_id']}/tradeoffers/newtradeurl"

    token = bot._session.post(url, data={"sessionid": bot._get_session_id()}).json()
    assert len(token) == 8
    assert token != me["trade_token"]
    told = bench.deposit(bench.client("red-2"), me, bench.stock(me["steam_id"])[:1])["strError"]
    assert told == f"This Trade URL is no longer valid for sending a trade offer to {me['name']}."


def test_unknown_hosts_and_paths_are_404_and_wrong_methods_405(bench: Bench) -> None:
    session = bench.session()

    assert session.get("https://example.com/").status_code == 404
    assert session.get(f"{COMMUNITY}/nothing/here").status_code == 404
    assert session.get("https://api.steampowered.com/IEconService/Nothing/v1").status_code == 404
    assert session.get("https://api.steampowered.com/IEconService/GetTradeOffers/v2").status_code == 404
    assert session.get(f"{COMMUNITY}/tradeoffer/new/send").status_code == 405
    assert session.post("https://api.steampowered.com/IEconService/GetTradeOffers/v1").status_code == 405
