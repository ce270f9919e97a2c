"""What no client of Steam's sends, and what a tester mistypes: refused, never an error of the sandbox's own."""

import json
from typing import Any
from urllib.parse import urlencode

import pytest
import requests
from requests.models import Response
from sandbox_lab import Bench, Person
from steampy.client import SteamClient

from sandbox import __main__ as program
from sandbox.settings import SandboxSettings
from sandbox.steam_api.openid import NS, SELECT

COMMUNITY = "https://steamcommunity.com"
SEND = f"{COMMUNITY}/tradeoffer/new/send"
NO_HOST = "http://["


def sending(bot: SteamClient, player: Person, assets: str, referer: str = f"{COMMUNITY}/tradeoffer/new/?partner=1") -> Response:
    """A request to send an offer; `assets` is the JSON of what the player gives."""
    form = {
        "sessionid": bot._get_session_id(),
        "serverid": "1",
        "partner": player["steam_id"],
        "tradeoffermessage": "hi",
        "json_tradeoffer": f'{{"newversion":true,"version":2,"me":{{"assets":[]}},"them":{{"assets":{assets}}}}}',
        "trade_offer_create_params": json.dumps({"trade_offer_access_token": player["trade_token"]}),
    }
    found: Response = bot._session.post(SEND, data=form, headers={"Referer": referer})
    return found


@pytest.mark.parametrize(
    "change",
    ['"appid":1e999', '"amount":1e999', '"assetid":" 5"', '"assetid":"1_000"', '"assetid":"٣"', '"contextid":"-2"'],
)
def test_assets_that_are_none_are_8(bench: Bench, bot: SteamClient, player: Person, change: str) -> None:
    asset = {"appid": 730, "contextid": "2", "amount": 1, "assetid": bench.stock(player["steam_id"])[0]["asset_id"]}
    text = json.dumps([asset])[:-2] + f", {change}}}]"

    answer = sending(bot, player, text)

    assert (answer.status_code, answer.json()["strError"][-3:]) == (500, "(8)")


def test_a_page_whose_address_only_begins_alike_is_no_trade_page(bot: SteamClient, player: Person) -> None:
    answer = sending(bot, player, "[]", f"{COMMUNITY}/tradeoffer/newer")

    assert (answer.status_code, answer.content) == (400, b"null")


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/x-www-form-urlencoded", b"sessionid=\xff"),
        ("application/x-www-form-urlencoded; charset=none", b"sessionid=1"),
        ("application/x-www-form-urlencoded; charset=utf-16", b"a"),
        ("multipart/form-data", b"a"),
        ("multipart/form-data; boundary=x", b"--x\r\na"),
    ],
)
def test_a_form_that_cannot_be_read_has_no_fields(bot: SteamClient, kind: str, body: bytes) -> None:
    answer = bot._session.post(SEND, data=body, headers={"Content-Type": kind, "Referer": f"{COMMUNITY}/tradeoffer/new/"})

    assert (answer.status_code, answer.content) == (400, b"null")


def test_an_address_that_is_none_leads_nowhere(bench: Bench, bot: SteamClient) -> None:
    setup = {"openid.ns": NS, "openid.mode": "checkid_setup", "openid.identity": SELECT, "openid.claimed_id": SELECT}
    query = urlencode({**setup, "openid.return_to": NO_HOST, "openid.realm": NO_HOST})
    refreshed = bot._session.get(
        f"https://login.steampowered.com/jwt/refresh?{urlencode({'redir': NO_HOST})}", allow_redirects=False
    )

    assert requests.get(f"{bench.running.control_url}/openid/login?{query}", timeout=120).status_code == 400
    assert bench.session().get(f"{COMMUNITY}/openid/login?{query}").status_code == 400
    assert refreshed.headers["Location"] == f"{COMMUNITY}/login/home/?goto="
    bench.control("POST", "/control/clock", {"advance_s": 1}, 403, headers={"Origin": NO_HOST})


@pytest.mark.parametrize(
    "change",
    [
        {"protection_s": float("nan")},
        {"protection_s": 1.5},
        {"exchange_ids_delay_s": float("nan")},
        {"confirmation_delay_s": float("inf")},
        {"confirmation_delay_s": -1},
        {"offers_total_max": -5},
    ],
)
def test_a_rule_that_is_no_number_is_refused_and_the_old_one_stays(bench: Bench, change: dict[str, Any]) -> None:
    before = bench.control("GET", "/control/settings")

    bench.control("PATCH", "/control/settings", None, 400, data=json.dumps(change))

    assert bench.control("GET", "/control/settings") == before


def test_a_delay_may_be_a_fraction(bench: Bench) -> None:
    bench.change(exchange_ids_delay_s=0.5)

    assert bench.control("GET", "/control/settings")["exchange_ids_delay_s"] == 0.5


@pytest.mark.parametrize("limit", ["3", None, 1.5, -1, True])
def test_a_limit_is_a_count(bench: Bench, player: Person, limit: Any) -> None:
    bench.control("PATCH", f"/control/accounts/{player['steam_id']}", {"limits": {"total": limit}}, 400)

    assert bench.control("GET", f"/control/accounts/{player['steam_id']}")["limits"] == {}


@pytest.mark.parametrize(
    "change", [{"tradable": "no"}, {"tradable": None}, {"name_tag": 5}, {"app_id": -1}, {"app_id": True}, {"color": "red"}]
)
def test_an_item_that_cannot_be_made_is_refused_with_all_others(bench: Bench, player: Person, change: dict[str, Any]) -> None:
    before = bench.stock(player["steam_id"])
    item = {"market_hash_name": "Kilowatt Case"}

    bench.control("POST", f"/control/accounts/{player['steam_id']}/items", {"items": [item, item | change]}, 400)

    assert bench.stock(player["steam_id"]) == before


def test_bodies_and_numbers_that_cannot_be_read_are_refused(bench: Bench, player: Person) -> None:
    bench.control("POST", "/control/clock", None, 400, data="[" * 100_000)
    bench.control("POST", "/control/clock", None, 400, data="{}", headers={"Content-Type": "text/plain; charset=none"})
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    bench.control("POST", f"/play/{player['steam_id']}/habit", None, 400, data=b"habit=\xff", headers=form)
    for path in ("/control/accounts/", "/play/"):
        assert requests.get(f"{bench.running.control_url}{path}{'9' * 5000}", timeout=120).status_code == 404


@pytest.mark.parametrize(
    "argv",
    [
        ["--players", "-5"],
        ["--port", "99999"],
        ["--control-port", "-1"],
        ["--player-habit", "dance"],
        ["--player-delay-s", "nan"],
        ["--take-back-s", "-1"],
        ["--protection-s", "-1"],
    ],
)
def test_an_option_that_does_not_fit_is_named(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main(argv) == 2
    assert capsys.readouterr().err.startswith(f"sandbox: {argv[0][2:].replace('-', '_')} is ")


def test_an_address_that_cannot_be_had_is_said_plainly(capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main(["--host", "203.0.113.5", "--players", "0", "--bots", ""]) == 1
    assert "sandbox: cannot listen on 203.0.113.5" in capsys.readouterr().err


def test_any_seed_will_do() -> None:
    assert SandboxSettings(seed=-(2**70)).seed == -(2**70)
