"""What players read is in the language that they want most; codes, and what programs read, never change."""

from __future__ import annotations

import re
from typing import Any

import pytest
from balancer_http.harness import PLAYER, Service
from balancer_http.verifying import change, check, form_of, sign_in
from sqlalchemy import update

from balancer import spoken
from balancer.db import tables
from balancer.web import chosen

RUSSIAN = {"Accept-Language": "ru-RU,ru;q=0.9,en;q=0.8"}
CYRILLIC = re.compile("[\u0430-\u044f]")
# What stays as it is in any language: names of the site and of things, and addresses.
ENGLISH_LEFT = re.compile(r"[A-Za-z]{3,}")
NAMES = {"Steam", "UTC", "Web", "API", "Case", "USD", "site", "example", "red", "Guard"}


async def page_of(service: Service, token: str, **headers: str) -> Any:
    response = await service.client.get(f"/verify/{token}", headers=headers)
    return response.status, response.headers["Content-Language"], await response.text()


def without_switch(page: str) -> str:
    """The page without the links to it in other languages, which stand in theirs."""
    return re.sub(r'<a class="chip".*?</a>', " ", page)


def words(page: str) -> set[str]:
    """The words in Latin letters that a reader of this page sees."""
    body = re.sub(r"<style>.*?</style>|<script>.*?</script>|<[^>]*>", " ", without_switch(page), flags=re.DOTALL)
    return set(ENGLISH_LEFT.findall(body)) - NAMES


@pytest.mark.parametrize("headers", [{}, RUSSIAN], ids=["en", "ru"])
async def test_the_verify_pages_speak_one_language_each(service: Service, headers: dict[str, str]) -> None:
    code = "ru" if headers else "en"
    trade = await service.deposit("1", "2")
    pages = [await page_of(service, trade["token"], **headers)]
    await sign_in(service)
    pages.append(await page_of(service, trade["token"], **headers))
    form = await form_of(service, trade["token"])
    answer = await service.client.post("/verify", data=form, headers=headers)
    pages.append((answer.status, answer.headers["Content-Language"], await answer.text()))
    await change(service, trade, status="declined")
    service.ctx.sights._seen.clear()
    pages.append(await page_of(service, trade["token"], **headers))
    pages.append(await page_of(service, "x" * 22, **headers))
    wrong = await service.client.get("/verify/a/b/c", headers={"Accept": "text/html", **headers})
    pages.append((wrong.status, wrong.headers["Content-Language"], await wrong.text()))
    items = {name for each in trade["items"] for name in ENGLISH_LEFT.findall(each["market_hash_name"])}
    for status, said, page in pages:
        assert (said, f'<html lang="{code}">' in page) == (code, True), (status, page)
        assert bool(CYRILLIC.search(without_switch(page))) == (code == "ru")
        assert code == "en" or not words(page) - items, words(page) - items
    heading = spoken.language(code).say("Yes, this offer is ours.")
    assert heading in pages[2][2] and spoken.language(code).counted(2, "item") in pages[2][2]


async def test_a_problem_is_told_in_the_players_language_under_the_same_code(service: Service) -> None:
    body = service.deposit_body("1", trade_url="https://steamcommunity.com/tradeoffer/new/?partner=1&token=AbCd_123")
    told = {}
    for headers in ({}, RUSSIAN):
        response = await service.call("POST", "/deposit", body, headers=headers)
        problem = await response.json()
        assert (response.status, problem["code"]) == (422, "foreign_trade_url")
        told[response.headers["Content-Language"]] = problem
    assert told["ru"]["player_message"] == spoken.language("ru").say(told["en"]["player_message"])
    own = {"player_message": "", "request_id": ""}  # each request has an id of its own
    assert told["ru"] | own == told["en"] | own


async def test_the_next_request_of_a_connection_has_its_own_language(service: Service) -> None:
    body = service.deposit_body("1", trade_url="https://steamcommunity.com/tradeoffer/new/?partner=1&token=AbCd_123")
    for headers, russian in ((RUSSIAN, True), ({}, False), (RUSSIAN, True)):
        problem = await (await service.call("POST", "/deposit", body, headers=headers)).json()
        assert bool(CYRILLIC.search(problem["player_message"])) == russian


async def test_what_was_kept_with_a_trade_is_told_in_the_language_of_whoever_reads_it(service: Service) -> None:
    trade = await service.deposit("1")
    kept = "Steam says that your account has a trade ban."
    values = {"status": "failed", "failure_code": "partner_banned", "player_message": kept}
    await service.ctx.db.run(lambda connection: connection.execute(update(tables.trades).values(values)))
    for headers, expected in (({}, kept), (RUSSIAN, spoken.language("ru").say(kept))):
        found = await (await service.call("GET", f"/trade/{trade['trade_id']}", headers=headers)).json()
        assert found["failure"] == {"code": "partner_banned", "reason": None, "player_message": expected, "retryable": False}


async def test_the_sites_check_speaks_to_the_player_too(service: Service) -> None:
    trade = await service.deposit("1")
    await change(service, trade, status="declined")
    body = {"token": trade["token"], "steam_id": PLAYER}
    english = await check(service, trade["token"])
    russian = await (await service.call("POST", "/verify", body, headers=RUSSIAN)).json()
    assert english["reason"] == russian["reason"] == "over"
    assert russian["player_message"] == spoken.language("ru").say(english["player_message"]) != english["player_message"]


async def test_a_player_switches_the_language_of_the_pages_and_it_stays(service: Service) -> None:
    trade = await service.deposit("1")
    other = f"/verify/{trade['token']}"
    first = await page_of(service, trade["token"])
    assert (first[1], 'href="?lang=ru" hreflang="ru" lang="ru"' in first[2], ">Русский</a>" in first[2]) == ("en", True, True)

    switched = await service.client.get(f"{other}?lang=ru")
    cookie = switched.cookies[chosen.COOKIE]
    assert (switched.headers["Content-Language"], cookie.value, cookie["path"], cookie["samesite"]) == (
        "ru",
        "ru",
        "/verify",
        "Lax",
    )
    assert ">English</a>" in await switched.text()

    assert (await page_of(service, trade["token"]))[1] == "ru"
    assert (await page_of(service, trade["token"], **{"Accept-Language": "en"}))[1] == "ru"
    await sign_in(service)
    answer = await service.client.post("/verify", data=await form_of(service, trade["token"]))
    text = await answer.text()
    assert f'href="/verify/{trade["token"]}?lang=en"' in text
    assert spoken.language("ru").say("Yes, this offer is ours.") in text
    # The choice is the pages': what programs are told goes by their own header.
    body = service.deposit_body("2", trade_url="https://steamcommunity.com/tradeoffer/new/?partner=1&token=AbCd_123")
    assert (await service.call("POST", "/deposit", body)).headers["Content-Language"] == "en"


@pytest.mark.parametrize("query", ["?lang=", "?lang=de", "?lang=../ru", "?lang=%3Cscript%3E", "?language=ru"])
async def test_a_language_that_there_is_not_changes_nothing(service: Service, query: str) -> None:
    response = await service.client.get(f"/verify/{'x' * 22}{query}")
    assert (response.status, response.headers["Content-Language"]) == (200, "en")
    assert chosen.COOKIE not in response.cookies
    assert "script>" not in (await response.text())
