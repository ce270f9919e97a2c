"""A site made of `fleet_client.aiohttp_site`: who gets in, what a browser may send, and what it is told."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import socket
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest
from aiohttp import web

from fleet_client import errors, openid
from fleet_client.aiohttp_site import Asked, Site, WrongBody
from fleet_client.answers import Event
from fleet_client.players import NotSignedIn, Player, Players

PLAYER = "76561198000000002"
SECRET = "whsec_" + base64.b64encode(b"only for this one test of it").decode()


@dataclass
class Steam:
    """A provider that answers the question as it is told to."""

    url: str = ""
    says: str = "true"
    status: int = 200
    asked: list[dict[str, str]] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(dict(await request.post()))  # type: ignore[arg-type]
        return web.Response(status=self.status, text=f"ns:{openid.NS}\nis_valid:{self.says}\n")

    def sends_back(self, left: str, **changes: str) -> str:
        """Where a browser is sent to that came by this address, signed in as the player."""
        return_to = parse_qs(urlsplit(left).query)["openid.return_to"][0]
        claimed = f"{self.url}/openid/id/{PLAYER}"
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        fields = {"ns": openid.NS, "mode": "id_res", "op_endpoint": f"{self.url}/openid/login", "return_to": return_to}
        fields |= {"claimed_id": claimed, "identity": claimed, "response_nonce": f"{now}{len(self.asked)}x"}
        fields |= {"assoc_handle": "1", "signed": openid.SIGNED, "sig": "c2ln", **changes}
        return f"{return_to}&{urlencode({f'openid.{name}': value for name, value in fields.items()})}"


@dataclass
class Place:
    """A running site, its Steam, and a browser."""

    steam: Steam
    browser: httpx.AsyncClient
    events: list[Event] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)

    async def sign_in(self) -> httpx.Response:
        left = await self.browser.get("/")
        assert left.status_code == 303
        return await self.browser.get(self.steam.sends_back(left.headers["location"]))


async def serve(app: web.Application, listener: socket.socket) -> web.AppRunner:
    runner = web.AppRunner(app)
    await runner.setup()
    await web.SockSite(runner, listener).start()
    return runner


def listening() -> tuple[socket.socket, str]:
    listener = socket.create_server(("127.0.0.1", 0))
    return listener, f"http://127.0.0.1:{listener.getsockname()[1]}"


def event(kind: str) -> Event:
    return Event(
        number=1, at=datetime(2026, 11, 30, tzinfo=UTC), kind=kind, trade_id=None, user_id=None, bot=None, who="site", data={}
    )


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    steam, provider = Steam(), web.Application()
    provider.router.add_post("/openid/login", steam.answer)
    theirs, steam.url = listening()
    ours, url = listening()
    site = Site(url, SECRET, steam=steam.url, home="/me")
    runners = [await serve(provider, theirs)]
    async with httpx.AsyncClient(base_url=url, trust_env=False) as browser:
        found = Place(steam, browser)

        @site.get("/me")
        async def me(player: Player, _asked: Asked) -> Event:
            return event(player.user_id)

        @site.post("/do")
        async def do(_player: Player, asked: Asked) -> Event:
            found.asked.append(asked.only(name=str, ids=list))
            if found.asked[-1]["name"] == "boom":
                raise errors.Unreachable("nobody is there, which is no business of a player's")
            return event("done")

        @site.webhook("/webhooks")
        async def told(what: Event) -> None:
            found.events.append(what)

        runners.append(await serve(site.app, ours))
        yield found
    for each in runners:
        await each.cleanup()


async def test_a_player_who_signs_in_is_known_until_another_cookie(place: Place) -> None:
    assert (await place.browser.get("/me")).status_code == 403
    back = await place.sign_in()
    assert (back.status_code, back.headers["location"]) == (303, "/me")
    for cookie in place.browser.cookies.jar:
        assert cookie.has_nonstandard_attr("HttpOnly") and cookie.get_nonstandard_attr("SameSite") == "Lax"
    assert (await place.browser.get("/me")).json()["kind"] == f"player-{PLAYER}"
    assert [asked["openid.mode"] for asked in place.steam.asked] == ["check_authentication"]
    place.browser.cookies.set("session", "x" * 43)
    assert (await place.browser.get("/me")).json() == {"code": "not_signed_in", "message": "Sign in first."}


async def test_an_answer_works_once_and_where_it_was_asked_for(place: Place) -> None:
    left = (await place.browser.get("/")).headers["location"]
    back = place.steam.sends_back(left)
    async with httpx.AsyncClient(base_url=place.browser.base_url, trust_env=False) as other:
        assert (await other.get(back)).status_code == 403
    assert (await place.browser.get(back)).status_code == 303
    assert (await place.browser.get(back)).status_code == 403
    assert len(place.steam.asked) == 1


@pytest.mark.parametrize(("says", "status"), [("false", 200), ("true", 500), ("true", 302), ("", 200)])
async def test_nobody_is_signed_in_whom_steam_does_not_confirm(place: Place, says: str, status: int) -> None:
    place.steam.says, place.steam.status = says, status
    assert (await place.sign_in()).status_code == 403
    assert (await place.browser.get("/me")).status_code == 403


async def test_a_steam_that_is_away_signs_nobody_in() -> None:
    gone, url = listening()
    gone.close()
    players = Players("https://mysite.example", url)
    left = players.leave()
    assert left["Set-Cookie"].endswith("; Secure")
    state = left["Set-Cookie"].partition("=")[2].partition(";")[0]
    query = urlsplit(Steam(url).sends_back(left["Location"])).query
    with pytest.raises(NotSignedIn, match="Steam said nothing"):
        await players.back(query, {"state": state})


NESTED = b'{"name": "a", "ids": ' + b"[" * 100_000


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"{}", b"null", b"[]", b"7", b"\xff\xfe", b"{", NESTED, b'{"name": NaN, "ids": []}'),
        *(b'{"name": "a"}', b'{"name": 1, "ids": []}', b'{"name": true, "ids": []}', b'{"name": "", "ids": []}'),
        *(b'{"name": "a", "ids": "dep_1"}', b'{"name": "a", "ids": {"0": "x"}}', b'{"name": "a", "ids": [1]}'),
        *(b'{"name": "a", "ids": [null]}', b'{"name": "a\\u0000", "ids": []}', b'{"name": "a\\r\\nX-Y: 1", "ids": []}'),
        *(b'{"name": "\\ud800", "ids": []}', b'{"name": "\\u202e", "ids": []}', b'{"name": "a", "ids": ["\\n"]}'),
        *(b'{"name": ["a"], "ids": []}', b'{"name": "' + b"a" * 1001 + b'", "ids": []}'),
    ],
    ids=lambda body: repr(body[:40]),
)
async def test_what_no_page_of_the_site_sends_is_refused(place: Place, body: bytes) -> None:
    await place.sign_in()
    answer = await place.browser.post("/do", content=body)
    assert (answer.status_code, answer.json()["code"]) == (400, "wrong_body")
    assert place.asked == []


async def test_fields_that_nobody_wants_go_nowhere(place: Place) -> None:
    await place.sign_in()
    sent = {"name": "Ünï", "ids": ["dep_1"], "user_id": "player-1", "steam_id": "7"}
    assert (await place.browser.post("/do", json=sent)).status_code == 200
    assert place.asked == [{"name": "Ünï", "ids": ["dep_1"]}]


async def test_an_error_says_to_players_what_is_theirs_to_know(place: Place) -> None:
    await place.sign_in()
    answer = await place.browser.post("/do", json={"name": "boom", "ids": []})
    assert (answer.status_code, answer.json()) == (503, {"code": "not_now", "message": errors.NOT_NOW})


async def test_webhooks_are_taken_from_the_fleet_only(place: Place) -> None:
    body = json.dumps({"number": 7, "at": "2026-11-30T12:00:00Z", "kind": "settled", "trade_id": None, "who": "x", "data": {}})
    at, key = str(int(time.time())), base64.b64decode(SECRET.removeprefix("whsec_"))
    digest = base64.b64encode(hmac.digest(key, f"msg_1.{at}.{body}".encode(), hashlib.sha256)).decode()
    headers = {"webhook-id": "msg_1", "webhook-timestamp": at, "webhook-signature": f"v1,{digest}"}
    assert (await place.browser.post("/webhooks", content=body, headers=headers)).status_code == 204
    assert (await place.browser.post("/webhooks", content=body + " ", headers=headers)).status_code == 400
    assert [each.number for each in place.events] == [7]
    with pytest.raises(ValueError, match="secret"):
        Site("http://127.0.0.1").webhook("/webhooks")


def test_a_session_is_not_kept_as_it_is_sent() -> None:
    with pytest.raises(NotSignedIn):
        Players("http://127.0.0.1").of({"session": "\ud800"})
    with pytest.raises(WrongBody):
        Asked(b'{"name": 1}').only(name=str)
