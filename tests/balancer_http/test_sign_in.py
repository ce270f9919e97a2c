"""Signing in from the page: bound to the browser, used once, believed only after Steam was asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from balancer_http.harness import PLAYER, Service
from balancer_http.verifying import never_back

from balancer.web import sign_in_states, tries
from balancer.web.handlers.verify import links
from balancer.web.handlers.verify import sign_in as pages
from fleet_client import openid
from shared.settings import Settings

TOKEN = "A" * 22
VALID = f"ns:{openid.NS}\nis_valid:true\n"
PREFIX = "https://steamcommunity.com/openid/id/"


@dataclass
class Provider:
    """A provider whose word the test chooses; keeps what it was asked."""

    answers: list[tuple[int, str]] = field(default_factory=lambda: [(200, VALID)])
    asked: list[dict[str, str]] = field(default_factory=list)
    endpoint: str = ""
    gate: asyncio.Event | None = None

    def says(self, *answers: tuple[int, str]) -> None:
        """Its answers from now on; the last one again and again."""
        self.answers = list(answers)

    async def login(self, request: web.Request) -> web.Response:
        self.asked.append({name: str(value) for name, value in (await request.post()).items()})
        if self.gate is not None:
            await self.gate.wait()
        status, text = self.answers[min(len(self.asked), len(self.answers)) - 1]
        return web.Response(status=status, text=text)


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    made = Provider()
    app = web.Application()
    app.router.add_post("/openid/login", made.login)
    async with TestServer(app) as server:
        made.endpoint = str(server.make_url("/openid/login"))
        yield made


@pytest.fixture
async def at_page(service: Service, provider: Provider) -> Service:
    """The balancer, with its sign-in pointed at the provider of the test."""
    section = service.ctx.settings.openid.model_copy(update={"endpoint": provider.endpoint})
    service.ctx.settings = service.ctx.settings.model_copy(update={"openid": section})
    return service


async def leave(service: Service) -> dict[str, list[str]]:
    """Press the sign-in button; what the browser takes to Steam."""
    response = await service.client.get(f"/verify/{TOKEN}/sign-in", allow_redirects=False)
    assert response.status == 302
    location = response.headers["Location"]
    assert location.startswith(service.ctx.settings.openid.endpoint + "?")
    return parse_qs(urlsplit(location).query)


def answer(service: Service, taken: dict[str, list[str]], **changes: str) -> list[tuple[str, str]]:
    """What Steam sends the browser back with."""
    return_to = taken["openid.return_to"][0]
    fields = {
        "ns": openid.NS,
        "mode": "id_res",
        "op_endpoint": service.ctx.settings.openid.endpoint,
        "claimed_id": PREFIX + PLAYER,
        "identity": PREFIX + PLAYER,
        "return_to": return_to,
        "response_nonce": service.ctx.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ") + "nonce",
        "assoc_handle": "1234567890",
        "signed": openid.SIGNED,
        "sig": "c2ln",
        **changes,
    }
    return [*parse_qsl(urlsplit(return_to).query), *((f"openid.{name}", value) for name, value in fields.items())]


async def back(service: Service, pairs: list[tuple[str, str]]) -> Any:
    return await service.client.get(f"/verify/signed-in?{urlencode(pairs)}", allow_redirects=False)


async def page(service: Service) -> str:
    return await (await service.client.get(f"/verify/{TOKEN}")).text()


async def test_there_and_back(at_page: Service, provider: Provider) -> None:
    taken = await leave(at_page)
    assert taken["openid.realm"] == ["http://127.0.0.1:8420"]
    response = await back(at_page, answer(at_page, taken))
    assert (response.status, response.headers["Location"]) == (303, f"/verify/{TOKEN}")
    cookie = response.cookies[links.SESSION_COOKIE]
    assert cookie["httponly"] and cookie["samesite"] == "Lax" and cookie["path"] == "/verify"
    assert not cookie["secure"]
    assert f"Signed in as Steam account {PLAYER}" in await page(at_page)
    assert provider.asked[0]["openid.mode"] == "check_authentication"
    assert set(provider.asked[0]) == {f"openid.{name}" for name in openid.FIELDS}
    rows = await at_page.ctx.db.read(lambda connection: connection.exec_driver_sql("SELECT id_hash FROM sessions").all())
    assert cookie.value not in str(rows)


async def test_an_answer_works_once(at_page: Service) -> None:
    pairs = answer(at_page, await leave(at_page))
    state = at_page.client.session.cookie_jar.filter_cookies(at_page.client.make_url("/verify"))[links.STATE_COOKIE].value
    assert (await back(at_page, pairs)).status == 303
    at_page.client.session.cookie_jar.clear()
    assert (await back(at_page, pairs)).status == 403
    at_page.client.session.cookie_jar.update_cookies({links.STATE_COOKIE: state}, at_page.client.make_url("/verify"))
    assert (await back(at_page, pairs)).status == 403
    assert "Sign in through Steam" in await page(at_page)


FORGED: dict[str, dict[str, str]] = {
    "op_endpoint": {"op_endpoint": "https://evil.example/openid/login"},
    "claimed id": {"claimed_id": "https://evil.example/openid/id/" + PLAYER},
    "signed list": {"signed": "signed,op_endpoint,identity"},
    "return_to": {"return_to": "https://other.example/verify/signed-in?state=x"},
    "old nonce": {"response_nonce": "2020-01-01T00:00:00Zx"},
    "mode": {"mode": "cancel"},
}


@pytest.mark.parametrize("name", FORGED)
async def test_forged_answers_open_no_session_and_ask_nobody(at_page: Service, provider: Provider, name: str) -> None:
    taken = await leave(at_page)
    before = await at_page.rows()
    response = await back(at_page, answer(at_page, taken, **FORGED[name]))
    assert response.status == 403
    assert links.SESSION_COOKIE not in response.cookies
    assert provider.asked == []
    assert await at_page.rows() == before


TWISTED: dict[str, Callable[[list[tuple[str, str]]], list[tuple[str, str]]]] = {
    "doubled field": lambda pairs: [*pairs, ("openid.claimed_id", PREFIX + PLAYER)],
    "doubled state": lambda pairs: [pairs[0], *pairs],
    "another state": lambda pairs: [("state", "x" * 43), *pairs[1:]],
    "no state": lambda pairs: pairs[1:],
}


@pytest.mark.parametrize("name", TWISTED)
async def test_twisted_queries(at_page: Service, provider: Provider, name: str) -> None:
    pairs = answer(at_page, await leave(at_page))
    assert (await back(at_page, TWISTED[name](pairs))).status == 403
    assert provider.asked == []


async def test_another_browsers_answer_is_refused(at_page: Service) -> None:
    pairs = answer(at_page, await leave(at_page))
    at_page.client.session.cookie_jar.clear()
    assert (await back(at_page, pairs)).status == 403
    await leave(at_page)
    assert (await back(at_page, pairs)).status == 403


@pytest.mark.parametrize(
    "text", [f"ns:{openid.NS}\nis_valid:false\n", f"ns:{openid.NS}\nis_valid:false\nnote:is_valid:true\n", "is_valid:true", ""]
)
async def test_steam_must_say_yes_exactly(at_page: Service, provider: Provider, text: str) -> None:
    provider.answers = [(200, text)]
    response = await back(at_page, answer(at_page, await leave(at_page)))
    assert response.status == 403
    assert links.SESSION_COOKIE not in response.cookies


async def test_steam_may_be_asked_again(at_page: Service, provider: Provider) -> None:
    provider.answers = [(429, ""), (403, ""), (200, VALID)]
    assert (await back(at_page, answer(at_page, await leave(at_page)))).status == 303
    assert len(provider.asked) == 3


async def test_when_steam_does_not_answer_the_player_may_try_again(at_page: Service, provider: Provider) -> None:
    provider.answers = [(503, VALID)]
    response = await back(at_page, answer(at_page, await leave(at_page)))
    assert response.status == 503
    assert "Try again" in await response.text()
    assert links.SESSION_COOKIE not in response.cookies


async def test_many_forged_answers_at_once_do_not_all_go_out_to_steam(at_page: Service, provider: Provider) -> None:
    never_back(at_page)
    provider.answers = [(200, f"ns:{openid.NS}\nis_valid:false\n")]
    taken = await leave(at_page)
    nonce = at_page.ctx.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")
    forged = [answer(at_page, taken, response_nonce=f"{nonce}{number}") for number in range(60)]
    statuses = sorted([response.status for response in await asyncio.gather(*(back(at_page, pairs) for pairs in forged))])
    assert statuses == [403] * tries.TRIES_MAX + [429] * (60 - tries.TRIES_MAX)
    assert len(provider.asked) == tries.TRIES_MAX


async def test_no_more_than_so_many_sign_ins_are_checked_at_the_same_time(at_page: Service, provider: Provider) -> None:
    """Whoever has many addresses makes many tries; what goes out to Steam is bounded in all."""
    checks = at_page.part(pages.CHECKS)
    for _ in range(at_page.ctx.settings.openid.checks_max - 2):
        await checks.acquire()
    provider.gate = asyncio.Event()
    taken = await leave(at_page)
    nonce = at_page.ctx.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")
    waiting = [
        asyncio.create_task(back(at_page, answer(at_page, taken, response_nonce=f"{nonce}{number}"))) for number in (1, 2)
    ]
    async with asyncio.timeout(60):
        while len(provider.asked) < 2:
            await asyncio.sleep(0.01)
    busy = await back(at_page, answer(at_page, taken, response_nonce=f"{nonce}3"))
    assert busy.status == 429 and int(busy.headers["Retry-After"]) > 0
    text = await busy.text()
    assert "Many players are signing in now" in text and f"/verify/{TOKEN}/sign-in" in text
    provider.gate.set()
    assert [(await one).status for one in waiting] == [303, 303]
    assert len({asked["openid.response_nonce"] for asked in provider.asked}) == 2  # a slow answer is asked for again


async def test_a_busy_moment_and_a_right_answer_take_no_try(at_page: Service) -> None:
    never_back(at_page)
    checks, places = at_page.part(pages.CHECKS), at_page.ctx.settings.openid.checks_max
    second = at_page.ctx.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")
    for _ in range(places):
        await checks.acquire()
    for status in (429, 303):
        for number in range(tries.TRIES_MAX + 2):
            response = await back(at_page, answer(at_page, await leave(at_page), response_nonce=f"{second}{number}"))
            assert response.status == status
            assert "Too many tries" not in await response.text()
        if checks.locked():
            for _ in range(places):
                checks.release()


async def test_a_picture_on_any_page_takes_no_try(at_page: Service, provider: Provider) -> None:
    """Any page can make a browser ask for this address, but not send the cookie of a sign-in."""
    never_back(at_page)
    forged = answer(at_page, await leave(at_page))
    at_page.client.session.cookie_jar.clear()
    for pairs in [forged, [], [("openid.mode", "id_res")]] * 10:
        assert (await back(at_page, pairs)).status == 403
    assert provider.asked == []
    assert (await back(at_page, answer(at_page, await leave(at_page)))).status == 303


MADE_UP = ["x" * 43, f"{'x' * 22}.1.{TOKEN}.{'y' * 22}", "", "a.b.c.d", "." * 60, "\u0442"]


async def test_a_state_that_we_did_not_make_is_worth_nothing(at_page: Service, provider: Provider) -> None:
    taken = await leave(at_page)
    url = at_page.client.make_url("/verify")
    right = taken["openid.return_to"][0].partition("state=")[2]
    for state in [*MADE_UP, right[:-1] + ("A" if right[-1] != "A" else "B"), right.replace(TOKEN, "B" * 22)]:
        pairs = answer(at_page, {"openid.return_to": [f"http://127.0.0.1:8420/verify/signed-in?state={state}"]})
        at_page.client.session.cookie_jar.update_cookies({links.STATE_COOKIE: state}, url)
        assert (await back(at_page, pairs)).status in (403, 429), state
    assert provider.asked == []


async def test_a_state_is_good_for_a_quarter_of_an_hour(at_page: Service, provider: Provider) -> None:
    taken = await leave(at_page)
    await at_page.move_clock(sign_in_states.LIFETIME_S + 1)
    assert (await back(at_page, answer(at_page, taken))).status == 403
    assert provider.asked == []


async def test_a_failed_sign_in_has_a_way_on(at_page: Service) -> None:
    """Also in a browser that lost the cookie: the state that came back says where it began."""
    pairs = answer(at_page, await leave(at_page), mode="cancel")
    for _ in range(2):
        response = await back(at_page, pairs)
        assert response.status == 403
        assert f'href="/verify/{TOKEN}/sign-in"' in await response.text()
        at_page.client.session.cookie_jar.clear()
    assert "Open the link in the trade offer" in await (await back(at_page, [])).text()


async def test_a_sign_in_from_an_address_without_a_token_is_one_all_the_same(at_page: Service) -> None:
    response = await at_page.client.get("/verify/nonsense/sign-in", allow_redirects=False)
    taken = parse_qs(urlsplit(response.headers["Location"]).query)
    response = await back(at_page, answer(at_page, taken))
    assert response.status == 200 and links.SESSION_COOKIE in response.cookies
    assert "open the link in the trade offer" in await response.text()


async def test_many_forged_answers_slow_the_address_down(at_page: Service) -> None:
    never_back(at_page)
    taken = await leave(at_page)
    statuses = [(await back(at_page, answer(at_page, taken, mode="cancel"))).status for _ in range(12)]
    assert statuses[0] == 403 and statuses[-1] == 429


def test_cookies_are_secure_under_https(settings: Settings) -> None:
    section = settings.balancer.model_copy(update={"site_url": "https://site.example/t"})
    https = settings.model_copy(update={"balancer": section})
    response = web.Response()
    links.set_cookie(https, response, links.SESSION_COOKIE, "x", 10)
    cookie = response.cookies[links.SESSION_COOKIE]
    assert cookie["secure"] and cookie["path"] == "/t/verify"
    assert links.return_to(https, "s") == "https://site.example/t/verify/signed-in?state=s"
