"""The page of a token: what a player, another one and a link preview see, and what a link that is not whole leads to."""

from __future__ import annotations

import base64
import hashlib
import re
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import redis.asyncio
from balancer_http.harness import OTHER, PLAYER, Service
from balancer_http.verifying import check, form_of, no_longer_fresh, press, reason, show, sign_in
from sqlalchemy import update

from balancer.db import tables
from balancer.web import pages, sessions
from balancer.web.handlers.verify import links, people

# --- the player's page ------------------------------------------------------------------------------------------


async def test_a_link_preview_uses_nothing_up(service: Service) -> None:
    trade = await service.deposit("1")
    before = await service.rows()
    for method in ("GET", "HEAD"):
        response = await service.client.request(method, f"/verify/{trade['token']}")
        assert response.status == 200
    assert await service.rows() == before
    assert service.bots.looks == []
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
    assert "Yes, this offer is ours." in text and trade["bot"] in text and "2 items" in text and "12.00 USD" in text
    assert f'href="https://steamcommunity.com/tradeoffer/{trade["offer_id"]}/"' in text and trade["offer_id"] in text


async def test_a_phone_that_loads_the_answer_again_sees_it_again(service: Service) -> None:
    trade = await service.deposit("1")
    await sign_in(service)
    form = await form_of(service, trade["token"])
    for _ in range(2):  # the form may be sent again too
        response = await service.client.post("/verify", data=form)
        assert "Yes, this offer is ours." in await response.text()
    assert response.request_info.method == "POST"
    first = await service.client.get(f"/verify/{trade['token']}")
    assert "Yes, this offer is ours." in await first.text()
    assert await reason(service, trade["token"]) == "used"


async def test_what_is_loaded_again_shows_the_offer_as_it_is_then(service: Service) -> None:
    trade = await service.deposit("1")
    await sign_in(service)
    await press(service, trade["token"])
    service.bots.sees[trade["trade_id"]] = "offer_declined"
    await no_longer_fresh(service)
    text = await show(service, trade["token"])
    assert "Our offer is over." in text and "Yes" not in text
    await service.report("offer_accepted", trade, {"offer_id": trade["offer_id"], "exchange_id": "1", "moved": []})
    await service.until(trade["trade_id"], "accepted")
    text = await show(service, trade["token"])
    assert "Our offer is over." in text and "It was accepted at" in text


async def test_another_player_does_not_see_the_answer_again(service: Service) -> None:
    trade = await service.deposit("1")
    assert (await check(service, trade["token"]))["ok"]
    await sign_in(service, OTHER)
    assert "Check this offer" in await show(service, trade["token"])
    status, text = await press(service, trade["token"])
    assert status == 200 and "cannot confirm" in text


OVER = ("Our offer is over. Do not accept anything.", "not ours", "https://steamcommunity.com/dev/apikey", "authorizeddevices")


NO: list[tuple[str | None, tuple[str, ...]]] = [
    ("offer_declined", (*OVER, "It was declined at")),
    ("offer_accepted", (*OVER, "It was accepted at")),
    ("offer_canceled", (*OVER, "It was taken back at")),
    ("confirmation_needed", ("not out yet", "Do not accept it", "Check again")),
    ("offer_held", ("accepted our offer already", "do not accept it")),
    (None, ("Do not accept yet.", "Check again")),
]


async def test_the_pages_of_no(service: Service) -> None:
    trade = await service.deposit("1")
    await sign_in(service)
    for sees, texts in NO:
        service.bots.sees[trade["trade_id"]] = sees
        await no_longer_fresh(service)
        status, text = await press(service, trade["token"])
        assert status == 200 and "Yes" not in text
        assert [each for each in texts if each not in text] == []


async def test_a_decline_within_seconds_is_told_on_the_page(service: Service) -> None:
    trade = await service.deposit("1")
    await service.report(
        "offer_declined",
        trade,
        {"offer_id": trade["offer_id"], "state": 7, "made_at": 1_700_000_000, "changed_at": 1_700_000_002},
    )
    await service.until(trade["trade_id"], "declined")
    await sign_in(service)
    _, text = await press(service, trade["token"])
    assert re.search(r"It was declined at .*, (\d seconds?|1 second) after we sent it\.", text.replace("\n", " "))


async def test_the_wrong_player_at_the_page(service: Service) -> None:
    trade = await service.deposit("1")
    await sign_in(service, OTHER)
    _, foreign = await press(service, trade["token"])
    _, unknown = await press(service, "x" * 22)
    assert foreign.replace(trade["token"], "T") == unknown.replace("x" * 22, "T")
    assert "cannot confirm" in foreign
    assert (await check(service, trade["token"]))["ok"]


async def test_an_expired_token_at_the_page(service: Service) -> None:
    times = service.ctx.settings.trades.model_copy(update={"token_lifetime_s": 5400.0})
    service.ctx.settings = service.ctx.settings.model_copy(update={"trades": times})
    trade = await service.deposit("1")
    await service.move_clock(5401)
    await sign_in(service)
    _, text = await press(service, trade["token"])
    assert "too old" in text and "the 90 minutes in which it can be checked" in text


@pytest.mark.parametrize(
    ("seconds", "said"), [(1800, "30 minutes"), (7200, "2 hours"), (90, "90 seconds"), (1, "1 second"), (0, "0 seconds")]
)
def test_lengths_in_words(seconds: float, said: str) -> None:
    assert people.length(seconds) == said


async def test_a_form_without_the_word_of_its_session_is_refused(service: Service) -> None:
    trade = await service.deposit("1")
    await sign_in(service)
    for csrf in ("", "x" * 64, sessions.csrf_of("another session")):
        response = await service.client.post("/verify", data={"token": trade["token"], "csrf": csrf})
        assert response.status == 403
    assert (await check(service, trade["token"]))["ok"]


async def test_a_form_without_a_session_is_refused(service: Service) -> None:
    trade = await service.deposit("1")
    response = await service.client.post("/verify", data={"token": trade["token"], "csrf": "x"})
    assert response.status == 403
    text = await response.text()
    assert "not signed in" in text and f"/verify/{trade['token']}/sign-in" in text
    assert (await check(service, trade["token"]))["ok"]


async def test_a_session_ends(service: Service) -> None:
    await sign_in(service)
    assert "Signed in as" in await show(service, "x" * 22)
    await service.move_clock(service.ctx.settings.openid.session_s + 1)
    assert "Sign in through Steam" in await show(service, "x" * 22)


# --- links that are not whole -------------------------------------------------------------------------------------


BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


async def test_what_stands_behind_a_token_does_no_harm(service: Service) -> None:
    token = "A" * 22
    for behind in ("/", ".", ",", ")", "//", "/).", "%20"):
        response = await service.client.get(f"/verify/{token}{behind}", headers=BROWSER)
        assert (response.status, response.content_type) == (200, "text/html"), behind
        assert f"/verify/{token}/sign-in" in await response.text()


async def test_a_browser_gets_a_page_whatever_the_link(service: Service) -> None:
    for path in ("/verify", "/verify/", "/verify//", "/verify/a/b", "/verify/x/sign-in/", "/verify/" + "x" * 22 + "/y"):
        response = await service.client.get(path, headers=BROWSER)
        assert (response.status, response.content_type) == (404 if path != "/verify" else 405, "text/html")
        assert response.headers["Content-Security-Policy"]
        assert "<h1>" in await response.text()


async def test_a_program_gets_a_problem_document(service: Service) -> None:
    response = await service.client.get("/verify", headers={"Accept": "application/json"})
    assert (response.status, response.content_type) == (405, "application/problem+json")


async def test_what_fails_inside_is_a_page_too(service: Service) -> None:
    now = service.ctx.clock.now()
    row = {"id_hash": sessions.hash_of("inside"), "steam_id": 1, "created_at": now, "expires_at": now + timedelta(hours=1)}
    await service.ctx.db.run(lambda connection: connection.execute(tables.sessions.insert().values(row)))
    service.client.session.cookie_jar.update_cookies({links.SESSION_COOKIE: "inside"}, service.client.make_url("/verify"))
    response = await service.client.get("/verify/" + "x" * 22, headers=BROWSER)  # 1 is no account's id: nobody expects that
    assert (response.status, response.content_type) == (500, "text/html")
    text = await response.text()
    assert "Do not accept" in text and "inside" not in text


async def test_a_check_with_a_form_needs_no_key_but_a_session(service: Service) -> None:
    response = await service.client.post("/verify", json={"token": "x", "steam_id": PLAYER})
    assert (response.status, (await response.json())["code"]) == (401, "bad_key")


# --- the site that the pages speak for ---------------------------------------------------------------------


def with_site(service: Service, **changes: Any) -> None:
    settings = service.ctx.settings
    service.ctx.settings = settings.model_copy(update={"balancer": settings.balancer.model_copy(update=changes)})


async def test_the_pages_name_the_site_by_name_and_domain(service: Service) -> None:
    trade = await service.deposit("1")
    domain = urlsplit(service.ctx.settings.balancer.site_url).netloc
    without = await show(service, trade["token"])
    with_site(service, site_name="Even & <ly>")
    await sign_in(service)
    named = await show(service, trade["token"])
    _, answer = await press(service, trade["token"])

    assert f'<p class="mark"><span>{domain}</span></p>' in without
    assert f'<p class="mark"><b>Even &amp; &lt;ly&gt;</b><span>{domain}</span></p>' in named
    assert f"Even &amp; &lt;ly&gt; ({domain}) made it for you" in answer


async def test_a_picture_is_shown_for_what_bots_have_seen_and_for_nothing_else(service: Service) -> None:
    trade = await service.deposit("1", "2")
    name = trade["items"][0]["market_hash_name"]
    known = "https://community.akamai.steamstatic.com/economy/image/"
    odd = ("javascript:alert(1)", "https://evil.example/x.png", f"{known}a b", f'{known}a"onload="x', "")

    async def shown_for(icon: str, color: str = "") -> tuple[str, str]:
        values = {"icon_url_large": icon, "color": color}
        statement = update(tables.items).where(tables.items.c.market_hash_name == name).values(**values)
        await service.ctx.db.run(lambda connection: connection.execute(statement))
        response = await service.client.get(f"/verify/{trade['token']}")
        return response.headers["Content-Security-Policy"], await response.text()

    await sign_in(service)
    await press(service, trade["token"])
    policy, text = await shown_for(f"{known}abc_-9", "d32ce6")
    assert f'<img src="{known}abc_-9/256fx256f" alt=""' in text and 'fill="#d32ce6"' in text
    assert "img-src data: https://community.akamai.steamstatic.com;" in policy
    for icon in odd:
        _, text = await shown_for(icon, '"/><script>')
        assert "<img" not in text and "<rect" not in text and text.count("<script>") == 1
    with_site(service, pictures_url="")
    policy, text = await shown_for(f"{known}abc")
    assert "img-src data:;" in policy and "<img" not in text


async def test_the_answer_says_who_the_bot_is_in_steam_as_far_as_it_is_known(service: Service) -> None:
    trade, other = await service.deposit("1"), await service.deposit("2")
    avatar = "0123456789abcdef0123456789abcdef01234567"
    picture = f"https://avatars.steamstatic.com/{avatar}_full.jpg"

    async def told(**identity: Any) -> None:
        service.bots.identity = identity
        async with redis.asyncio.Redis.from_url(service.bots.url) as client:
            await service.bots.beat(client)
        await service.ctx.fleet.refresh()

    await sign_in(service)
    _, before = await press(service, trade["token"])
    assert "Our bot red-" in before and '<svg class="face"' in before and "level" not in before.split("</style>")[1]
    await told(name="Even <b>ly</b> 8")
    named = await show(service, trade["token"])
    assert "<bdi>Even &lt;b&gt;ly&lt;/b&gt; 8</bdi>" in named and '<svg class="face"' in named and "since" not in named
    await told(name="Evenly keeper 8", avatar=avatar, level=24, since=1_614_556_800)
    response = await service.client.get(f"/verify/{trade['token']}")
    text, policy = await response.text(), response.headers["Content-Security-Policy"]
    assert f'<img class="face" src="{picture}" alt=""' in text and "https://avatars.steamstatic.com" in policy
    assert 'aria-label="Steam level 24">24<' in text and "on Steam since 2021" in text
    said = await check(service, other["token"])
    assert said["bot_identity"] == {
        "name": "Evenly keeper 8",
        "avatar_url": picture,
        "level": 24,
        "since": "2021-03-01T00:00:00Z",
    }


async def test_only_an_answer_that_was_given_asks_for_itself_again(service: Service) -> None:
    trade = await service.deposit("1")
    await sign_in(service)
    before = await service.client.get(f"/verify/{trade['token']}")
    assert "script-src" not in before.headers["Content-Security-Policy"] and "<script" not in await before.text()
    await press(service, trade["token"])

    after = await service.client.get(f"/verify/{trade['token']}")

    policy, text = after.headers["Content-Security-Policy"], await after.text()
    [script] = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'; connect-src 'self';" in policy
    assert f'data-page="/verify/{trade["token"]}" data-state="ok sent"' in text


def test_a_logo_is_an_image_of_a_small_file(tmp_path: Path) -> None:
    assert pages.logo("") == ""
    good = tmp_path / "logo.SVG"
    good.write_bytes(b"<svg/>")
    assert pages.logo(str(good)) == "data:image/svg+xml;base64,PHN2Zy8+"
    for name, content in (("logo.gif", b"GIF89a"), ("large.png", b"x" * 65_537), ("empty.png", b"")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match="at most 64 KiB"):
            pages.logo(str(tmp_path / name))
    with pytest.raises(ValueError, match="cannot be read"):
        pages.logo(str(tmp_path / "none.svg"))


async def test_every_page_has_a_way_on(service: Service) -> None:
    trade = await service.deposit("1")
    await sign_in(service)
    for path in ("a/b", trade["token"], "y" * 22, "signed-in"):
        response = await service.client.get(f"/verify/{path}", headers=BROWSER)
        main = (await response.text()).partition("<main")[2]
        assert re.search(r"<a |<button ", main), path
