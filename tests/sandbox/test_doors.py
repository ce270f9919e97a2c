"""The same questions through both doors: over HTTP, and in process through `Steam.answer`."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from requests.sessions import Session
from sandbox_lab import Bench

from sandbox.clock import Clock
from sandbox.server import RunningSandbox
from sandbox.settings import SandboxSettings
from sandbox.steam import Steam
from sandbox.steam_api import router
from sandbox.world.state import World

SMALL = SandboxSettings(bots=("red-1",), players=1, items_per_bot=(3, 3), items_per_player=(3, 3), player_habit="manual")
API = "api.steampowered.com"
COMMUNITY = "steamcommunity.com"


class InProcess:
    """Calls the handlers without a socket."""

    def __init__(self, steam: Steam) -> None:
        self.steam = steam

    def ask(
        self,
        method: str,
        host: str,
        path: str,
        query: dict[str, Any] | None = None,
        form: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> tuple[Any, ...]:
        asked, sent = ({name: [str(value)] for name, value in (given or {}).items()} for given in (query, form))
        answer = router.answer(router.call(self.steam, method, host, path, asked, sent, headers or {}))
        return answer.status, answer.headers.get("x-eresult"), answer.body

    def look(self, action: Callable[..., Any]) -> Any:
        return action(self.steam)


class OverHttp:
    """The same over a real socket."""

    def __init__(self, running: RunningSandbox, session: Session) -> None:
        self.running, self.session = running, session

    def ask(
        self,
        method: str,
        host: str,
        path: str,
        query: dict[str, Any] | None = None,
        form: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> tuple[Any, ...]:
        answer = self.session.request(
            method, f"https://{host}{path}", params=query, data=form, headers=headers or {}, allow_redirects=False
        )
        return answer.status_code, answer.headers.get("x-eresult"), answer.content

    def look(self, action: Callable[..., Any]) -> Any:
        return self.running.on_loop(lambda: action(self.running.steam))


@pytest.fixture(params=["in process", "http"])
def door(request: Any, make_bench: Callable[..., Bench]) -> Any:
    if request.param == "in process":
        clock = Clock()
        return InProcess(Steam(World(SMALL, clock.now()), clock, router.ROUTE_NAMES))
    bench = make_bench(**{name: getattr(SMALL, name) for name in ("bots", "players", "items_per_bot", "items_per_player")})
    return OverHttp(bench.running, bench.session())


def tokens_of(steam: Steam) -> tuple[int, str]:
    """The bot's SteamID64 and a community token for it, made without a sign-in."""
    (account,) = [a for a in steam.world.accounts if a.kind == "bot"]
    now = steam.clock.real()
    refresh = steam.tokens.read(steam.tokens.refresh(account.steam_id, "web", now), now)
    assert refresh is not None
    return account.steam_id, steam.tokens.access(refresh, "web:community", now)


def sending(steam: Steam) -> dict[str, Any]:
    (player,) = [a for a in steam.world.accounts if a.kind == "player"]
    item = next(i for i in steam.world.items.at((player.steam_id, 730, 2)) if i.tradable)
    asset = {"appid": 730, "contextid": "2", "amount": 1, "assetid": str(item.asset_id)}
    offer = {"newversion": True, "version": 2, "me": {"assets": []}, "them": {"assets": [asset]}}
    return {
        "sessionid": "ab",
        "serverid": "1",
        "partner": player.steam_id,
        "json_tradeoffer": json.dumps(offer),
        "trade_offer_create_params": json.dumps({"trade_offer_access_token": player.trade_token}),
    }


def test_an_offer_is_sent_read_and_cancelled(door: Any) -> None:
    steam_id, token = door.look(tokens_of)
    form = door.look(sending)
    headers = {
        "cookie": f"sessionid=ab; steamLoginSecure={steam_id}%7C%7C{token}",
        "referer": "https://steamcommunity.com/tradeoffer/new/",
    }

    status, _, body = door.ask("POST", COMMUNITY, "/tradeoffer/new/send", form=form, headers=headers)
    offer_id = json.loads(body)["tradeofferid"]
    query = {"access_token": token, "get_sent_offers": 1, "active_only": 1}
    _, eresult, read = door.ask("GET", API, "/IEconService/GetTradeOffers/v1", query)
    cancelled = door.ask("POST", COMMUNITY, f"/tradeoffer/{offer_id}/cancel", form={"sessionid": "ab"}, headers=headers)

    assert (status, eresult) == (200, "1")
    assert [o["tradeofferid"] for o in json.loads(read)["response"]["trade_offers_sent"]] == [offer_id]
    assert json.loads(cancelled[2]) == {"tradeofferid": offer_id}


@pytest.mark.parametrize(
    ("method", "host", "path", "query", "status"),
    [
        ("GET", API, "/IEconService/GetTradeOffers/v1", {"key": "0" * 32}, 200),
        ("GET", API, "/IEconService/GetTradeOffers/v1", {"access_token": "a.b.c"}, 401),
        ("GET", API, "/IEconService/GetTradeOffers/v1", {}, 403),
        ("GET", API, "/ISteamUser/GetPlayerBans/v1", {"key": "0" * 32, "steamids": "²,--1," + "9" * 30}, 200),
        ("GET", COMMUNITY, "/inventory/76561197960265729/730/2", {"count": 10}, 400),
        ("GET", COMMUNITY, "/mobileconf/getlist", {"t": "--5", "tag": "conf"}, 200),
        ("GET", COMMUNITY, "/tradeoffer/1", {}, 302),
        ("POST", COMMUNITY, "/trade/new/acknowledge", {}, 401),
        ("GET", "elsewhere.example", "/", {}, 404),
    ],
)
def test_refusals_are_the_same(door: Any, method: str, host: str, path: str, query: dict[str, Any], status: int) -> None:
    assert door.ask(method, host, path, query)[0] == status


@pytest.mark.parametrize("deep", ["[" * 100_000, '{"me":' * 5000, "9" * 5000])
def test_forms_meant_to_break_a_parser_are_8(door: Any, deep: str) -> None:
    steam_id, token = door.look(tokens_of)
    headers = {
        "cookie": f"sessionid=ab; steamLoginSecure={steam_id}%7C%7C{token}",
        "referer": "https://steamcommunity.com/tradeoffer/new/",
    }
    form = door.look(sending) | {"json_tradeoffer": deep}

    status, _, body = door.ask("POST", COMMUNITY, "/tradeoffer/new/send", form=form, headers=headers)

    assert (status, json.loads(body)["strError"][-3:]) == (500, "(8)")
