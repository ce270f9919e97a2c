"""Signing in: bound to the browser, used once, believed only after Steam was asked."""

from __future__ import annotations

import json
import logging
import threading
import urllib.request
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from custody import Custody
from django.test import Client, override_settings
from steam_stub import PLAYER, SteamStub, come_back, leave, spoken

from fleet_client import openid
from website import limits
from website.accounts import services, sessions, sign_in, steam
from website.accounts.models import Player, PlayerSession, SignInNonce
from website.engine.models import Feed

KEY = "A" * 32
OTHER = 76561198000000102


@pytest.fixture
def at_steam(one_database: str) -> Iterator[SteamStub]:
    limits._buckets.forget()
    with SteamStub() as stub, override_settings(SITE_STEAM_URL=stub.url, SITE_STEAM_API_URL=stub.url):
        yield stub


@pytest.fixture
def browser(at_steam: SteamStub) -> Client:
    return Client(SERVER_NAME="localhost")


def signed_in(browser: Client) -> Player | None:
    found = sessions.find(browser.cookies[sessions.COOKIE].value, 0) if sessions.COOKIE in browser.cookies else None
    return None if found is None else found.player


def test_there_and_back(browser: Client, at_steam: SteamStub) -> None:
    page = browser.get("/sign-in?next=/inventory").content.decode()
    assert page.count('action="/sign-in"') == 1 and 'value="/inventory"' in page
    answer = browser.post("/sign-in", {"next": "/inventory"})
    query = parse_qs(urlsplit(answer["Location"]).query)
    assert answer["Location"].startswith(f"{at_steam.url}/openid/login?") and query["openid.realm"] == ["http://127.0.0.1:8430"]
    kept = answer.cookies[sign_in.COOKIE]
    assert kept["httponly"] and kept["samesite"] == "Lax" and kept["path"] == "/sign-in"
    back = come_back(browser, spoken(at_steam, query["openid.return_to"][0]))
    assert (back.status_code, back["Location"]) == (303, "/inventory")
    key = back.cookies[sessions.COOKIE]
    assert key["httponly"] and key["samesite"] == "Lax" and key.value not in str(list(PlayerSession.objects.values()))
    player = signed_in(browser)
    assert player is not None and player.steam_id == PLAYER and player.name == "Player 00101"
    assert at_steam.asked[0]["openid.mode"] == ["check_authentication"]
    assert set(at_steam.asked[0]) == {f"openid.{name}" for name in openid.FIELDS}
    assert not browser.cookies[sign_in.COOKIE].value


def test_an_answer_works_once_and_in_one_browser(browser: Client, at_steam: SteamStub) -> None:
    pairs = spoken(at_steam, leave(browser))
    kept = browser.cookies[sign_in.COOKIE].value
    stranger = Client(SERVER_NAME="localhost")
    assert come_back(stranger, pairs).status_code == 403
    leave(stranger)
    assert come_back(stranger, pairs).status_code == 403 and signed_in(stranger) is None
    assert not at_steam.asked
    assert come_back(browser, pairs).status_code == 303
    browser.cookies[sign_in.COOKIE] = kept
    again = come_back(browser, pairs)
    assert again.status_code == 403 and "used before" in again.content.decode() and len(at_steam.asked) == 1
    assert Player.objects.count() == 1 and SignInNonce.objects.count() == 1


@pytest.mark.parametrize(
    ("changes", "asked"),
    [
        pytest.param({"mode": "checkid_setup"}, 0, id="another mode"),
        pytest.param({"ns": "http://openid.net/signon/1.1"}, 0, id="another version"),
        pytest.param({"op_endpoint": "https://evil.example/openid/login"}, 0, id="an endpoint out of the answer"),
        pytest.param({"claimed_id": "https://evil.example/openid/id/76561198000000102"}, 0, id="an id of elsewhere"),
        pytest.param({"identity": "https://steamcommunity.com/openid/id/76561198000000102"}, 0, id="two ids"),
        pytest.param({"signed": "signed,op_endpoint,return_to,response_nonce,assoc_handle"}, 0, id="an id that is not signed"),
        pytest.param({"return_to": "http://127.0.0.1:8430/sign-in/return?state=other"}, 0, id="another state"),
        pytest.param({"return_to": "https://evil.example/sign-in/return"}, 0, id="another site"),
        pytest.param({"response_nonce": "2020-01-01T00:00:00Zold"}, 0, id="an old one"),
        pytest.param({"response_nonce": "2999-01-01T00:00:00Znew"}, 0, id="one of the future"),
        pytest.param({"response_nonce": "nonsense"}, 0, id="no time"),
        pytest.param({"extra": "1"}, 0, id="a field too many"),
        pytest.param({"sig": "\0"}, 0, id="a NUL"),
    ],
)
def test_an_answer_with_something_wrong_signs_nobody_in(
    browser: Client, at_steam: SteamStub, changes: dict[str, str], asked: int
) -> None:
    answer = come_back(browser, spoken(at_steam, leave(browser), **changes))
    assert answer.status_code == 403 and 'action="/sign-in"' in answer.content.decode()
    assert (len(at_steam.asked), Player.objects.count(), signed_in(browser)) == (asked, 0, None)


def test_fields_that_are_doubled_added_or_missing_spoil_an_answer(browser: Client, at_steam: SteamStub) -> None:
    for number in range(4):
        pairs = spoken(at_steam, leave(browser))
        spoiled = [[*pairs, pairs[4]], [*pairs, ("evil", "1")], pairs[:-1], [pair for pair in pairs if pair[0] != "state"]]
        assert come_back(browser, spoiled[number]).status_code == 403
    assert not at_steam.asked


@pytest.mark.parametrize(
    "said",
    [
        "ns:http://specs.openid.net/auth/2.0\nis_valid:false\n",
        "is_valid:true\n",
        "",
        "x:is_valid:true\nns:http://specs.openid.net/auth/2.0\n",
        "ns:http://specs.openid.net/auth/2.0\nis_valid:false\nis_valid:true\n",
        "ns:http://specs.openid.net/auth/2.0\nis_valid:true2\n",
    ],
)
def test_steam_says_no(browser: Client, at_steam: SteamStub, said: str) -> None:
    at_steam.answers = [(200, said)]
    assert come_back(browser, spoken(at_steam, leave(browser))).status_code == 403
    assert Player.objects.count() == 0


def test_steam_is_away_and_the_player_may_begin_again(browser: Client, at_steam: SteamStub) -> None:
    at_steam.answers = [(502, "is_valid:true"), (502, ""), (200, openid.NS)]
    answer = come_back(browser, spoken(at_steam, leave(browser)))
    assert answer.status_code == 503 and answer["Retry-After"] == "60" and "does not answer" in answer.content.decode()
    with override_settings(SITE_STEAM_URL="http://127.0.0.1:9"):
        nowhere = SteamStub(url="http://127.0.0.1:9")
        assert come_back(browser, spoken(nowhere, leave(browser))).status_code == 503
    assert Player.objects.count() == 0


def test_no_redirect_of_steam_is_followed_and_no_proxy_is_used(
    browser: Client, at_steam: SteamStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    with SteamStub() as evil:
        at_steam.answers, at_steam.location = [(302, "")], f"{evil.url}/openid/login"
        assert come_back(browser, spoken(at_steam, leave(browser))).status_code == 503
        assert at_steam.asked and not evil.asked and not evil.read


def test_who_comes_back_without_signing_in_is_told_so(browser: Client) -> None:
    leave(browser, "/odds")
    answer = browser.get("/sign-in/return", {"openid.mode": "cancel"})
    assert (answer.status_code, answer["Location"]) == (302, "/odds")
    assert browser.get("/sign-in/return", {"openid.mode": "cancel"}).status_code == 403


def test_a_forged_or_an_old_cookie_begins_nothing(
    browser: Client, at_steam: SteamStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs = spoken(at_steam, leave(browser))
    kept = browser.cookies[sign_in.COOKIE].value
    for forged in ("", "x", kept[:-1], '{"state":"a","back":"/"}'):
        browser.cookies[sign_in.COOKIE] = forged
        assert come_back(browser, pairs).status_code == 403
    browser.cookies[sign_in.COOKIE] = kept
    monkeypatch.setattr(sign_in, "BEGUN_S", -1)
    assert come_back(browser, pairs).status_code == 403 and not at_steam.asked


def test_nobody_is_led_elsewhere(browser: Client, at_steam: SteamStub) -> None:
    for back in (
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
        "no-such-view",
        "a\r\nb: c",
    ):
        limits._buckets.forget()
        assert come_back(browser, spoken(at_steam, leave(browser, back)))["Location"] == "/"


def test_each_sign_in_has_a_new_key_and_ends_the_one_before(browser: Client, at_steam: SteamStub) -> None:
    keys = set()
    for _ in range(2):
        keys.add(come_back(browser, spoken(at_steam, leave(browser))).cookies[sessions.COOKIE].value)
    assert len(keys) == 2 and PlayerSession.objects.count() == 1


def test_signing_out_here_and_everywhere(browser: Client, at_steam: SteamStub) -> None:
    other = Client(SERVER_NAME="localhost")
    for each in (browser, other):
        come_back(each, spoken(at_steam, leave(each)))
    assert browser.get("/sign-out").status_code == 405
    assert browser.post("/sign-out").status_code == 303 and PlayerSession.objects.count() == 1
    other.post("/sign-out/everywhere")
    assert PlayerSession.objects.count() == 0


def test_w30_signing_in_and_out_takes_a_form_of_this_site(at_steam: SteamStub) -> None:
    browser = Client(SERVER_NAME="localhost", enforce_csrf_checks=True)
    for route in ("/sign-in", "/sign-out", "/sign-out/everywhere"):
        assert browser.post(route).status_code == 403
        browser.get("/sign-in")
        token = browser.cookies["csrftoken"].value
        foreign = {"csrfmiddlewaretoken": token}
        assert browser.post(route, foreign, headers={"origin": "https://evil.example"}).status_code == 403
        assert browser.post(route, foreign).status_code == 303


def test_w31_ten_sign_ins_a_minute_from_one_address(
    browser: Client, at_steam: SteamStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "_buckets", limits._Buckets(lambda: 1_000_000))
    for _ in range(10):
        leave(browser)
    answer = browser.post("/sign-in")
    assert answer.status_code == 429 and 1 <= int(answer["Retry-After"]) <= 60 and "Try again in" in answer.content.decode()
    assert browser.post("/sign-in", REMOTE_ADDR="192.0.2.7").status_code == 303
    # Somebody who only makes browsers come to the return address uses up nothing.
    for _ in range(30):
        assert Client(SERVER_NAME="localhost").get("/sign-in/return?x=1", REMOTE_ADDR="192.0.2.9").status_code == 403
    assert browser.post("/sign-in", REMOTE_ADDR="192.0.2.9").status_code == 303


def test_w31_steam_is_asked_about_few_sign_ins_at_once(
    browser: Client, at_steam: SteamStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = threading.BoundedSemaphore(1)
    full.acquire()
    monkeypatch.setattr(steam, "_asking", full)
    answer = come_back(browser, spoken(at_steam, leave(browser)))
    assert answer.status_code == 503 and answer["Retry-After"] == "5" and not at_steam.asked


@pytest.mark.parametrize(
    "query", ["", "%", "state=%00", "openid.mode=id_res", "a=" + "b" * 20_000, "openid.mode=cancel&openid.mode=x"]
)
def test_anything_in_the_query_is_a_page_and_never_an_error(browser: Client, query: str) -> None:
    leave(browser)
    assert browser.get(f"/sign-in/return?{query}").status_code in (302, 403)


def test_name_picture_and_level_are_steams_and_the_key_is_in_no_address(browser: Client, at_steam: SteamStub) -> None:
    picture = "ab" * 20
    shown = {"personaname": " a\u202en\u200ba ", "avatarhash": picture, "timecreated": 1_500_000_000}
    at_steam.api = {
        "GetPlayerSummaries": {"response": {"players": [shown]}},
        "GetSteamLevel": {"response": {"player_level": 12}},
    }
    with override_settings(SITE_STEAM_API_KEY=KEY):
        come_back(browser, spoken(at_steam, leave(browser)))
    player = Player.objects.get()
    assert (player.name, player.steam_name, player.avatar, player.steam_level) == ("ana", "ana", picture, 12)
    assert player.steam_made_ms == 1_500_000_000_000
    assert len(at_steam.read) == 2 and all(key == KEY and KEY not in path for path, key in at_steam.read)
    services.call(player, "somebody")
    at_steam.api = {"GetPlayerSummaries": b"<html>", "GetSteamLevel": {"response": {"player_level": "x" * 9}}}
    with override_settings(SITE_STEAM_API_KEY=KEY):
        come_back(browser, spoken(at_steam, leave(browser)))
    player.refresh_from_db()
    assert (player.name, player.steam_name, player.steam_level) == ("somebody", "ana", 12)
    assert player.steam_made_ms == 1_500_000_000_000


def test_an_inviter_is_fixed_when_somebody_registers(browser: Client, at_steam: SteamStub) -> None:
    ana, bo = services.register(OTHER, "ana", 1_000), services.register(OTHER + 1, "bo", 1_000)
    assert browser.get(f"/r/{ana.code}")["Location"] == "/"
    assert "ana has invited you" in browser.get("/").content.decode()
    assert browser.get("/r/none").status_code == 302 and browser.get("/r/%00\N{SNOWMAN}").status_code == 302
    come_back(browser, spoken(at_steam, leave(browser)))
    player = Player.objects.get(steam_id=PLAYER)
    assert player.inviter == ana and not browser.cookies["invited"].value
    browser.get(f"/r/{player.code}")
    browser.post("/sign-out")
    browser.get(f"/r/{bo.code}")
    come_back(browser, spoken(at_steam, leave(browser)))
    player.refresh_from_db()
    assert player.inviter == ana
    later = services.register(OTHER + 2, "cy", 5_000)
    assert services.register(OTHER + 3, "di", 5_000, later).inviter is None  # who comes in the same moment is not earlier


def test_secrets_are_in_no_log(browser: Client, at_steam: SteamStub, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with override_settings(SITE_STEAM_API_KEY=KEY):
        come_back(browser, spoken(at_steam, leave(browser)))
        come_back(browser, spoken(at_steam, leave(browser), sig="bm90IG91cnM", ns="x"))
    key = browser.cookies[sessions.COOKIE].value
    assert caplog.text and not any(secret in caplog.text for secret in (KEY, key, "c2ln", "bm90IG91cnM"))


def test_the_page_says_when_steam_is_simulated(browser: Client) -> None:
    assert "simulated" not in browser.get("/sign-in").content.decode()
    Feed.objects.create(reader="site", livemode=False)
    assert "simulated" in browser.get("/sign-in").content.decode()


def test_the_sandbox_signs_in_its_players_and_tells_their_names(shared_custody: Custody, one_database: str) -> None:
    browser = Client(SERVER_NAME="localhost")
    made = urllib.request.Request(f"{shared_custody.control_url}/control/accounts", data=b'{"kind": "player", "name": "Nora"}')
    made.add_header("Content-Type", "application/json")
    with urllib.request.urlopen(made, timeout=60) as answer:
        steam_id = json.load(answer)["steam_id"]
    addresses = {"SITE_STEAM_URL": shared_custody.control_url, "SITE_STEAM_API_URL": shared_custody.steam_url}
    with override_settings(**addresses, SITE_STEAM_API_KEY="0" * 32):
        there = browser.post("/sign-in", {"next": "/inventory"})["Location"]
        back = urllib.request.build_opener(_Stay()).open(f"{there}&auto={steam_id}", timeout=60).headers["Location"]
        parts = urlsplit(back)
        answer = browser.get(f"{parts.path}?{parts.query}")
    assert answer.status_code == 303, answer.content
    player = Player.objects.get(steam_id=int(steam_id))
    assert player.name == "Nora" and player.steam_level is not None


class _Stay(urllib.request.HTTPErrorProcessor):
    """Follows no redirect."""

    def http_response(self, request, response):  # type: ignore[no-untyped-def]
        return response
