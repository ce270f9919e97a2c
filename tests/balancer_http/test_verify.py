"""Tokens: who is told what, what uses one up, and that no yes is said without a look at the offer."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import redis.asyncio
from balancer_http.harness import OTHER, PLAYER, Service, assert_fits
from narrowed import payload
from sqlalchemy import update

from balancer.db import tables
from balancer.web import pages, sessions, tries
from balancer.web.handlers.verify import links, people
from shared.domain.ids import SteamId
from shared.orders import WatchedTrade, WatchOrder


async def check(service: Service, token: str, steam_id: str = PLAYER, client: str = "site") -> dict[str, Any]:
    response = await service.call("POST", "/verify", {"token": token, "steam_id": steam_id}, client=client)
    body: dict[str, Any] = await response.json()
    assert response.status == 200, body
    assert_fits(body, "VerifyAnswer")
    assert body.pop("livemode") is True
    return body


async def reason(service: Service, token: str, steam_id: str = PLAYER) -> str | None:
    found: str | None = (await check(service, token, steam_id)).get("reason")
    return found


async def sign_in(service: Service, steam_id: str = PLAYER) -> None:
    """As if Steam had vouched for this player."""
    session_id = await sessions.begin(service.ctx, SteamId(steam_id), None)
    service.client.session.cookie_jar.update_cookies({links.SESSION_COOKIE: session_id}, service.client.make_url("/verify"))


async def show(service: Service, token: str) -> str:
    response = await service.client.get(f"/verify/{token}")
    assert response.status == 200
    return await response.text()


async def form_of(service: Service, token: str) -> dict[str, str]:
    return dict(re.findall(r'name="(\w+)" value="([^"]*)"', await show(service, token)))


async def press(service: Service, token: str) -> tuple[int, str]:
    """Press the button on the page of this token."""
    response = await service.client.post("/verify", data=await form_of(service, token))
    return response.status, await response.text()


async def no_longer_fresh(service: Service) -> None:
    """What bots have seen is too old to be believed, and nobody claims to look."""
    service.ctx.sights._seen.clear()
    for key in service.ctx.redis.scan_iter("fleet:look:*"):
        service.ctx.redis.delete(key)


async def change(service: Service, trade: dict[str, Any], **values: Any) -> None:
    """What the trade's row says by now, without a bot's report."""
    statement = update(tables.trades).where(tables.trades.c.trade_id == trade["trade_id"]).values(**values)
    await service.ctx.db.run(lambda connection: connection.execute(statement))


def impatient(service: Service, look_s: float = 0.3) -> None:
    """Nobody waits five seconds for a bot that says nothing."""
    settings = service.ctx.settings
    service.ctx.sights.times = settings.trades.model_copy(update={"look_s": look_s})


# --- the site's check --------------------------------------------------------------------------------------


async def test_a_yes_names_the_offer_and_is_said_once(service: Service) -> None:
    trade = await service.deposit("1", "2")
    said = await check(service, trade["token"])
    assert said.pop("seen_at") and said.pop("verified_at")
    assert said == {
        "ok": True,
        "retryable": False,
        "player_message": None,
        "trade_id": trade["trade_id"],
        "direction": "deposit",
        "status": "sent",
        "bot": trade["bot"],
        "bot_steam_id": trade["bot_steam_id"],
        "bot_identity": None,
        "items": 2,
        "offer_id": trade["offer_id"],
        "offer_url": f"https://steamcommunity.com/tradeoffer/{trade['offer_id']}/",
        "ended_at": None,
    }
    again = await check(service, trade["token"])
    assert (again["ok"], again["reason"], again["offer_id"]) == (False, "used", trade["offer_id"])
    assert again["verified_at"] is not None


async def test_no_yes_without_a_look(service: Service) -> None:
    trade = await service.deposit("1")
    assert (await check(service, trade["token"]))["ok"]
    [order] = service.bots.looks
    assert [(one.trade_id, one.offer_id) for one in payload(order, WatchOrder).trades] == [
        (trade["trade_id"], trade["offer_id"])
    ]


async def test_a_yes_deletes_the_token_and_is_written_down(service: Service) -> None:
    trade = await service.deposit("1")
    before = await service.rows()
    assert (await check(service, trade["token"]))["ok"]
    after = await service.rows()
    assert (after["tokens"], after["events"]) == (before["tokens"] - 1, before["events"] + 1)
    shown = await (await service.call("GET", f"/trade/{trade['trade_id']}")).json()
    assert shown["verified_at"] is not None
    [event] = [one for one in await events_of(service, trade) if one["kind"] == "offer_verified"]
    assert (event["who"], event["data"]) == ("client:site", {"offer_id": trade["offer_id"]})


async def events_of(service: Service, trade: dict[str, Any]) -> list[dict[str, Any]]:
    body = await (await service.call("GET", "/events?limit=500")).json()
    return [event for event in body["events"] if event["trade_id"] == trade["trade_id"]]


SEEN: list[tuple[str | None, str, bool, str]] = [
    ("offer_declined", "over", False, "declined"),
    ("offer_countered", "over", False, "countered"),
    ("offer_expired", "over", False, "expired"),
    ("offer_canceled", "over", False, "canceled"),
    ("offer_accepted", "over", False, "accepted"),
    ("items_missing", "over", False, "failed"),
    ("exchange_reversed", "over", False, "reversed"),
    ("confirmation_needed", "not_yet", True, "sent"),
    ("offer_held", "in_hold", False, "sent"),
    (None, "cannot_tell", True, "sent"),
    ("nonsense", "cannot_tell", True, "sent"),
]


async def test_what_the_look_shows_counts_and_not_what_is_booked(service: Service) -> None:
    trade = await service.deposit("1")
    before = await service.rows()
    for sees, expected, retryable, status in SEEN:
        service.bots.sees[trade["trade_id"]] = sees
        await no_longer_fresh(service)
        said = await check(service, trade["token"])
        assert (said["ok"], said["reason"], said["retryable"], said["status"]) == (False, expected, retryable, status), sees
        assert "not accept" in said["player_message"]
        assert (said["ended_at"] is not None) == (expected == "over")
    assert await service.rows() == before


BOOKED = [
    ("queued", "not_yet"),
    ("sending", "not_yet"),
    ("in_doubt", "cannot_tell"),
    ("confirming", "not_yet"),
    ("held", "in_hold"),
    ("accepted", "over"),
    ("settled", "over"),
    ("declined", "over"),
    ("countered", "over"),
    ("expired", "over"),
    ("canceled", "over"),
    ("failed", "over"),
    ("reversed", "over"),
]


async def test_what_is_booked_as_no_open_offer_troubles_no_bot(service: Service) -> None:
    trade = await service.deposit("1")
    before = await service.rows()
    for status, expected in BOOKED:
        await change(service, trade, status=status)
        said = await check(service, trade["token"])
        assert (said["ok"], said["reason"], said["status"]) == (False, expected, status)
    assert service.bots.looks == []
    assert await service.rows() == before


async def test_the_end_is_told_with_its_time(service: Service) -> None:
    trade = await service.deposit("1")
    await service.report("offer_declined", trade, {"offer_id": trade["offer_id"], "state": 7})
    await service.until(trade["trade_id"], "declined")
    said = await check(service, trade["token"])
    [ended] = [event for event in await events_of(service, trade) if event["kind"] == "offer_declined"]
    assert (said["reason"], said["status"], said["ended_at"]) == ("over", "declined", ended["at"])


async def test_another_offer_of_the_trade_than_the_known_one_proves_nothing(service: Service) -> None:
    trade = await service.deposit("1")
    first = await check(service, trade["token"])
    assert first["ok"]
    await change(service, trade, offer_id="7999999999")
    assert await reason(service, trade["token"]) == "cannot_tell"


async def test_an_offer_that_is_being_taken_back_gets_no_yes(service: Service) -> None:
    trade = await service.deposit("1")
    assert (await service.call("POST", f"/trade/{trade['trade_id']}/cancel")).status == 200
    assert await reason(service, trade["token"]) == "cannot_tell"


async def test_a_bot_that_says_nothing_is_waited_for_in_vain(service: Service) -> None:
    trade = await service.deposit("1")
    impatient(service)
    service.bots.blind = ""
    said = await check(service, trade["token"])
    assert (said["ok"], said["reason"], said["retryable"]) == (False, "cannot_tell", True)
    service.bots.blind = None
    await no_longer_fresh(service)
    impatient(service, 60.0)
    assert (await check(service, trade["token"]))["ok"]


async def test_a_look_that_fails_is_tried_again_while_somebody_waits(service: Service) -> None:
    trade = await service.deposit("1")
    impatient(service, 60.0)
    service.bots.blind = "steam_throttled"
    asking = asyncio.create_task(check(service, trade["token"]))
    await look_under_way(service)
    service.bots.blind = None
    assert (await asking)["ok"]


# --- looks are shared and bounded ------------------------------------------------------------------------------


async def test_all_who_ask_at_once_share_one_look_and_one_of_them_gets_the_yes(service: Service) -> None:
    trade = await service.deposit("1")
    said = await asyncio.gather(*(check(service, trade["token"]) for _ in range(tries.TRIES_MAX)))
    assert sorted(str(one.get("reason")) for one in said) == ["None", *["used"] * (tries.TRIES_MAX - 1)]
    assert len(service.bots.looks) == 1
    await check(service, trade["token"])
    assert len(service.bots.looks) == 1
    await no_longer_fresh(service)
    await check(service, trade["token"])
    assert len(service.bots.looks) == 2


async def test_trades_of_one_bot_that_are_asked_about_together_share_one_look(service: Service) -> None:
    impatient(service, 60.0)
    asked = [WatchedTrade(f"trd_{number}", 1, "t" * 22, PLAYER, str(number), "sent", [], []) for number in range(5)]
    seen = await asyncio.gather(*(service.ctx.sights.of("red-1", trade, 0) for trade in asked))
    assert [sight and (sight.offer_id, sight.status) for sight in seen] == [(str(number), "sent") for number in range(5)]
    [order] = service.bots.looks
    assert [trade.trade_id for trade in payload(order, WatchOrder).trades] == [trade.trade_id for trade in asked]


async def look_under_way(service: Service) -> None:
    async with asyncio.timeout(60):
        while not service.bots.looks:
            await asyncio.sleep(0.01)


async def test_a_bot_is_asked_for_one_look_at_a_time(service: Service) -> None:
    """However many players ask: what moves items waits behind one look at most."""
    made = [await service.deposit(str(number)) for number in range(1, 6)]
    impatient(service, 0.6)
    service.bots.blind = ""
    await asyncio.gather(*(check(service, trade["token"]) for trade in made))
    for bot in ("red-1", "red-2"):
        assert len([order for order in service.bots.looks if order.bot == bot]) <= 1


async def test_a_look_under_way_at_another_balancer_is_waited_for(service: Service) -> None:
    trade = await service.deposit("1")
    impatient(service, 60.0)
    service.ctx.redis.set(f"fleet:look:{trade['trade_id']}", "another")
    asking = asyncio.create_task(check(service, trade["token"]))
    await asyncio.sleep(0.1)
    assert service.bots.looks == []
    row = {"trade_id": trade["trade_id"], "offer_id": trade["offer_id"], "sees": "offer_active", "changed_at": None}
    await service.report("looked", trade, {"seen": [row]}, at_ms=service.ctx.server_clock.now_ms())
    assert (await asking)["ok"]
    assert service.bots.looks == []


async def test_an_old_look_that_is_played_again_says_nothing(service: Service) -> None:
    trade = await service.deposit("1")
    impatient(service, 2.0)
    service.bots.blind = ""
    row = {"trade_id": trade["trade_id"], "offer_id": trade["offer_id"], "sees": "offer_active", "changed_at": None}
    asking = asyncio.create_task(check(service, trade["token"]))
    await look_under_way(service)
    await service.report("looked", trade, {"seen": [row]}, at_ms=service.ctx.server_clock.now_ms() - 6000)
    assert (await asking)["reason"] == "cannot_tell"


async def test_a_bots_word_about_another_bots_offer_says_nothing(service: Service) -> None:
    trade = await service.deposit("1")
    impatient(service, 2.0)
    service.bots.blind = ""
    other = {**trade, "bot": "red-2" if trade["bot"] == "red-1" else "red-1"}
    row = {"trade_id": trade["trade_id"], "offer_id": trade["offer_id"], "sees": "offer_active", "changed_at": None}
    asking = asyncio.create_task(check(service, trade["token"]))
    await look_under_way(service)
    await service.report("looked", other, {"seen": [row]}, at_ms=service.ctx.server_clock.now_ms())
    assert (await asking)["reason"] == "cannot_tell"


async def test_a_look_that_makes_no_sense_answers_nobody(service: Service) -> None:
    trade = await service.deposit("1")
    impatient(service, 2.0)
    service.bots.blind = ""
    asking = asyncio.create_task(check(service, trade["token"]))
    await look_under_way(service)
    odd: list[dict[str, Any]] = [{}, {"seen": 5}, {"seen": [1, None, {"trade_id": 1}, {"trade_id": "x" * 99}]}, {"seen": {}}]
    for data in odd:
        await service.report("looked", trade, data, at_ms=service.ctx.server_clock.now_ms())
    assert (await asking)["reason"] == "cannot_tell"


# --- who is told what -------------------------------------------------------------------------------------------


async def test_an_expired_token(service: Service) -> None:
    trade = await service.deposit("1")
    await service.move_clock(1799)
    other = await service.deposit("2")
    await service.move_clock(2)
    assert await check(service, trade["token"]) == {"ok": False, "reason": "expired"}
    assert (await check(service, other["token"]))["ok"]


async def test_an_unknown_token(service: Service) -> None:
    for token in ("x" * 22, "short", "x" * 23, "ё" * 22, "../../etc/passwd"):
        assert await check(service, token) == {"ok": False, "reason": "unknown"}


async def test_a_wrong_player_learns_nothing_and_uses_nothing_up(service: Service) -> None:
    trade = await service.deposit("1")
    assert await check(service, trade["token"], OTHER) == {"ok": False, "reason": "unknown"}
    assert (await check(service, trade["token"]))["ok"]
    assert await check(service, trade["token"], OTHER) == {"ok": False, "reason": "unknown"}
    await service.move_clock(1801)
    assert await check(service, trade["token"], OTHER) == {"ok": False, "reason": "unknown"}


async def test_a_wrong_player_asks_no_bot(service: Service) -> None:
    trade = await service.deposit("1")
    await check(service, trade["token"], OTHER)
    assert service.bots.looks == []


async def test_a_token_that_a_release_before_marked_as_used_is_used(service: Service) -> None:
    trade = await service.deposit("1")
    mark = update(tables.tokens).values(used_at=service.ctx.clock.now())
    await service.ctx.db.run(lambda connection: connection.execute(mark))
    assert await reason(service, trade["token"]) == "used"


async def test_what_was_verified_is_known_for_as_long_as_the_token_would_have_lived(service: Service) -> None:
    trade = await service.deposit("1")
    await service.move_clock(600)
    assert (await check(service, trade["token"]))["ok"]
    await service.move_clock(1190)
    await no_longer_fresh(service)
    assert await reason(service, trade["token"]) == "used"
    await service.move_clock(20)
    assert await reason(service, trade["token"]) == "expired"
    await service.move_clock(1800)
    assert await reason(service, trade["token"]) == "unknown"


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


# --- tries ------------------------------------------------------------------------------------------------------


def never_back(service: Service) -> None:
    """No try comes back with time, however slow the machine is."""
    service.part(tries.TRIES).back_s = 10**9


async def test_wrong_tries_slow_down_the_address_and_not_the_token(service: Service) -> None:
    trade = await service.deposit("1")
    never_back(service)
    await sign_in(service, OTHER)
    for _ in range(tries.TRIES_MAX):
        status, _ = await press(service, trade["token"])
        assert status == 200
    status, text = await press(service, trade["token"])
    assert status == 429 and "Too many tries" in text
    assert (await check(service, trade["token"]))["ok"]


async def test_many_wrong_tries_at_once_are_no_more_than_the_bucket_holds(service: Service) -> None:
    never_back(service)
    body = {"token": "x" * 22, "steam_id": PLAYER}
    with service.selects("tokens") as looked:
        answers = await asyncio.gather(*(service.call("POST", "/verify", body) for _ in range(60)))
    assert sorted(answer.status for answer in answers) == [200] * tries.TRIES_MAX + [429] * (60 - tries.TRIES_MAX)
    assert len(looked) == tries.TRIES_MAX


async def test_right_tries_are_never_too_many(service: Service) -> None:
    trade = await service.deposit("1")
    never_back(service)
    for _ in range(3 * tries.TRIES_MAX):
        assert (await check(service, trade["token"]))["trade_id"]


async def test_a_site_is_slowed_down_per_player(service: Service) -> None:
    never_back(service)
    for _ in range(tries.TRIES_MAX):
        await check(service, "x" * 22)
    response = await service.call("POST", "/verify", {"token": "x" * 22, "steam_id": PLAYER})
    problem = await response.json()
    assert (response.status, problem["code"]) == (429, "too_many_tries")
    assert int(response.headers["Retry-After"]) >= 1
    assert await check(service, "x" * 22, OTHER) == {"ok": False, "reason": "unknown"}


def test_tries_come_back_with_time_and_are_bounded() -> None:
    bucket = tries.Tries()
    for _ in range(tries.TRIES_MAX):
        bucket.take("a", 0.0)
    with pytest.raises(Exception, match="Too many") as caught:
        bucket.take("a", 1.0)
    assert getattr(caught.value, "retry_after_s", None) == 5
    bucket.take("a", tries.TRY_BACK_S)
    bucket.take("b", 0.0)
    bucket.give_back("b", 0.0)
    for _ in range(tries.TRIES_MAX):
        bucket.give_back("b", 0.0)
        bucket.take("b", 0.0)
    for number in range(tries.ADDRESSES_MAX + 5):
        bucket.take(f"c{number}", 1.0)
    assert len(bucket._left) == tries.ADDRESSES_MAX


async def test_bad_checks_of_the_site(service: Service) -> None:
    for body in (
        {},
        {"token": "x"},
        {"steam_id": PLAYER},
        {"token": "x", "steam_id": "1"},
        {"token": "x", "steam_id": "1" * 17},
    ):
        response = await service.call("POST", "/verify", body)
        assert (response.status, (await response.json())["code"]) == (400, "invalid_request")


async def test_a_check_with_a_form_needs_no_key_but_a_session(service: Service) -> None:
    response = await service.client.post("/verify", json={"token": "x", "steam_id": PLAYER})
    assert (response.status, (await response.json())["code"]) == (401, "bad_key")


# --- whose the token is ---------------------------------------------------------------------------------------------


PLACES: dict[str, Callable[[dict[str, Any]], tuple[str, str, Any]]] = {
    "one trade": lambda trade: ("GET", f"/trade/{trade['trade_id']}", None),
    "the list": lambda trade: ("GET", "/trade", None),
    "by offer": lambda trade: ("GET", f"/trade?offer_id={trade['offer_id']}", None),
    "several": lambda trade: ("POST", "/trade", {"trade_ids": [trade["trade_id"]]}),
    "the story": lambda trade: ("GET", f"/trade/{trade['trade_id']}/story", None),
    "a cancel": lambda trade: ("POST", f"/trade/{trade['trade_id']}/cancel", None),
    "the feed": lambda trade: ("GET", "/events", None),
}


async def test_only_the_client_that_made_the_trade_sees_its_token(service: Service) -> None:
    trade = await service.deposit("1")
    await service.add_client("other", "read", "trade", "operate")
    for name, place in PLACES.items():
        method, path, body = place(trade)
        foreign = await (await service.call(method, path, body, client="other")).text()
        assert trade["trade_id"] in foreign and trade["token"] not in foreign, name
        own = await (await service.call(method, path, body)).text()
        assert trade["token"] in own or name == "the feed", name


async def test_another_client_may_check_it_all_the_same(service: Service) -> None:
    """Whoever has the token from the offer's message may ask; it is the player who must be right."""
    trade = await service.deposit("1")
    await service.add_client("other", "trade")
    assert (await check(service, trade["token"], client="other"))["ok"]


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
