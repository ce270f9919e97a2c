"""Tokens: who is told what, and what uses one up."""

from __future__ import annotations

import re
from typing import Any

import pytest
from balancer_http.harness import OTHER, PLAYER, Service

from balancer import schemas, verify
from balancer.handlers import verify as pages
from shared.domain.ids import SteamId


async def check(service: Service, token: str, steam_id: str = PLAYER) -> dict[str, Any]:
    response = await service.call("POST", "/verify", {"token": token, "steam_id": steam_id})
    body: dict[str, Any] = await response.json()
    assert response.status == 200, body
    schemas.VerifyAnswer.model_validate(body)
    return body


async def sign_in(service: Service, steam_id: str = PLAYER) -> None:
    """As if Steam had vouched for this player."""
    session_id = await verify.open_session(service.ctx, SteamId(steam_id), None)
    service.client.session.cookie_jar.update_cookies({pages.SESSION_COOKIE: session_id}, service.client.make_url("/verify"))


async def show(service: Service, token: str) -> str:
    response = await service.client.get(f"/verify/{token}")
    assert response.status == 200
    return await response.text()


async def press(service: Service, token: str) -> tuple[int, str]:
    """Press the button on the page of this token."""
    fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', await show(service, token)))
    response = await service.client.post("/verify", data=fields)
    return response.status, await response.text()


async def test_the_sites_check_answers_once(service: Service) -> None:
    trade = await service.deposit("1", "2")
    assert await check(service, trade["token"]) == {
        "ok": True,
        "trade_id": trade["trade_id"],
        "direction": "deposit",
        "bot": trade["bot"],
        "items": 2,
    }
    assert await check(service, trade["token"]) == {"ok": False, "reason": "used"}


async def test_an_expired_token(service: Service) -> None:
    trade = await service.deposit("1")
    await service.move_clock(1799)
    other = await service.deposit("2")
    await service.move_clock(2)
    assert await check(service, trade["token"]) == {"ok": False, "reason": "expired"}
    assert (await check(service, other["token"]))["ok"]


@pytest.mark.parametrize("token", ["x" * 22, "short", "x" * 23, "ё" * 22, "../../etc/passwd"])
async def test_an_unknown_token(service: Service, token: str) -> None:
    assert await check(service, token) == {"ok": False, "reason": "unknown"}


async def test_a_wrong_player_learns_nothing_and_uses_nothing_up(service: Service) -> None:
    trade = await service.deposit("1")
    assert await check(service, trade["token"], OTHER) == {"ok": False, "reason": "unknown"}
    assert (await check(service, trade["token"]))["ok"]
    assert await check(service, trade["token"], OTHER) == {"ok": False, "reason": "unknown"}
    await service.move_clock(1801)
    assert await check(service, trade["token"], OTHER) == {"ok": False, "reason": "unknown"}


async def test_a_link_preview_uses_nothing_up(service: Service) -> None:
    trade = await service.deposit("1")
    before = await service.rows()
    for method in ("GET", "HEAD"):
        response = await service.client.request(method, f"/verify/{trade['token']}")
        assert response.status == 200
    assert await service.rows() == before
    assert (await check(service, trade["token"]))["ok"]


async def test_the_page_shows_the_same_for_every_token(service: Service) -> None:
    trade = await service.deposit("1")
    pages_seen = [(await show(service, token)).replace(token, "T") for token in (trade["token"], "x" * 22, "nonsense")]
    assert len(set(pages_seen)) == 1
    assert "Sign in through Steam" in pages_seen[0]


async def test_the_page_is_kept_by_nobody_and_loads_nothing(service: Service) -> None:
    response = await service.client.get("/verify/" + "x" * 22)
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Referrer-Policy"] == "no-referrer"
    assert "noindex" in response.headers["X-Robots-Tag"]
    policy = response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy
    text = await response.text()
    assert "<script" not in text and "http://" not in text and "https://" not in text


async def test_the_right_player_gets_an_answer_with_what_the_offer_holds(service: Service) -> None:
    trade = await service.deposit("1", "2")
    await sign_in(service)
    shown = await show(service, trade["token"])
    assert PLAYER in shown and trade["bot"] not in shown
    status, text = await press(service, trade["token"])
    assert status == 200
    assert "Yes, this offer is from us." in text and trade["bot"] in text and "2 items" in text
    status, text = await press(service, trade["token"])
    assert status == 200 and "checked before" in text
    assert await check(service, trade["token"]) == {"ok": False, "reason": "used"}


async def test_the_wrong_player_at_the_page(service: Service) -> None:
    trade = await service.deposit("1")
    await sign_in(service, OTHER)
    _, foreign = await press(service, trade["token"])
    _, unknown = await press(service, "x" * 22)
    assert foreign.replace(trade["token"], "T") == unknown.replace("x" * 22, "T")
    assert "cannot confirm" in foreign
    assert (await check(service, trade["token"]))["ok"]


async def test_an_expired_token_at_the_page(service: Service) -> None:
    trade = await service.deposit("1")
    await service.move_clock(1801)
    await sign_in(service)
    _, text = await press(service, trade["token"])
    assert "too old" in text


async def test_a_form_without_the_word_of_its_session_is_refused(service: Service) -> None:
    trade = await service.deposit("1")
    await sign_in(service)
    for csrf in ("", "x" * 64, verify.csrf_of("another session")):
        response = await service.client.post("/verify", data={"token": trade["token"], "csrf": csrf})
        assert response.status == 403
    assert (await check(service, trade["token"]))["ok"]


async def test_a_form_without_a_session_is_refused(service: Service) -> None:
    trade = await service.deposit("1")
    response = await service.client.post("/verify", data={"token": trade["token"], "csrf": "x"})
    assert response.status == 403
    assert "not signed in" in await response.text()
    assert (await check(service, trade["token"]))["ok"]


async def test_a_session_ends(service: Service) -> None:
    await sign_in(service)
    assert "Signed in as" in await show(service, "x" * 22)
    await service.move_clock(service.ctx.settings.openid.session_s + 1)
    assert "Sign in through Steam" in await show(service, "x" * 22)


async def test_wrong_tries_slow_down_the_address_and_not_the_token(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    trade = await service.deposit("1")
    monkeypatch.setattr(service.ctx.clock, "monotonic", lambda: 1000.0)  # tries come back with time
    await sign_in(service, OTHER)
    for _ in range(verify.TRIES_MAX):
        status, _ = await press(service, trade["token"])
        assert status == 200
    status, text = await press(service, trade["token"])
    assert status == 429 and "Too many tries" in text
    assert (await check(service, trade["token"]))["ok"]


async def test_a_site_is_slowed_down_per_player(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service.ctx.clock, "monotonic", lambda: 1000.0)
    for _ in range(verify.TRIES_MAX):
        await check(service, "x" * 22)
    response = await service.call("POST", "/verify", {"token": "x" * 22, "steam_id": PLAYER})
    problem = await response.json()
    assert (response.status, problem["code"]) == (429, "too_many_tries")
    assert int(response.headers["Retry-After"]) >= 1
    assert await check(service, "x" * 22, OTHER) == {"ok": False, "reason": "unknown"}


def test_tries_come_back_with_time_and_are_bounded() -> None:
    tries = verify.Tries()
    for _ in range(verify.TRIES_MAX):
        tries.check("a", 0.0)
        tries.wrong("a", 0.0)
    with pytest.raises(Exception, match="Too many") as caught:
        tries.check("a", 1.0)
    assert getattr(caught.value, "retry_after_s", None) == 5
    tries.check("a", verify.TRY_BACK_S)
    tries.check("b", 0.0)
    for number in range(verify.ADDRESSES_MAX + 5):
        tries.wrong(f"c{number}", 1.0)
    assert len(tries._left) == verify.ADDRESSES_MAX


@pytest.mark.parametrize(
    "body", [{}, {"token": "x"}, {"steam_id": PLAYER}, {"token": "x", "steam_id": "1"}, {"token": "x", "steam_id": "1" * 17}]
)
async def test_bad_checks_of_the_site(service: Service, body: dict[str, str]) -> None:
    response = await service.call("POST", "/verify", body)
    assert (response.status, (await response.json())["code"]) == (400, "invalid_request")


async def test_a_check_with_a_form_needs_no_key_but_a_session(service: Service) -> None:
    response = await service.client.post("/verify", json={"token": "x", "steam_id": PLAYER})
    assert (response.status, (await response.json())["code"]) == (401, "bad_key")
