"""The frame of every page: what it sends along, what it refuses, what it never shows."""

from __future__ import annotations

import re
from pathlib import Path

from django.db import connection
from django.test import Client

from website.accounts import sessions
from website.accounts.services import register
from website.pages.templatetags import site

NOW_MS = 1_780_000_000_000


def test_nothing_foreign_and_nothing_inline(browser: Client) -> None:
    page = browser.get("/")
    policy = page.headers["Content-Security-Policy"]
    assert "unsafe" not in policy and "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
    text = page.content.decode()
    assert not re.search(r"<script(?![^>]*\bsrc=)|\sstyle=|\son\w+=|javascript:", text)
    assert not re.findall(r"""(?:src|href)=["'](?:https?:)?//""", text)
    assert page.headers["X-Frame-Options"] == "DENY" and page.headers["X-Content-Type-Options"] == "nosniff"


def test_a_form_from_elsewhere_changes_nothing(one_database: str) -> None:
    browser = Client(enforce_csrf_checks=True, SERVER_NAME="localhost")
    answer = browser.post("/calm", {"next": "/"})
    assert answer.status_code == 403 and "calm" not in answer.cookies


def test_no_form_leads_away(browser: Client) -> None:
    for address in ("https://example.com/", "//example.com/", "javascript:alert(1)", "/\\example.com"):
        assert browser.post("/language", {"language": "ru", "next": address})["Location"] == "/"


def test_the_language_stays_and_the_address_too(browser: Client) -> None:
    browser.post("/language", {"language": "ru", "next": "/"})
    page = browser.get("/")
    assert '<html lang="ru"' in page.content.decode() and page.headers["Content-Language"] == "ru"
    assert browser.post("/language", {"language": "xx", "next": "/"}).cookies.get("language") is None


def test_calm_is_a_switch(browser: Client) -> None:
    browser.post("/calm", {"next": "/"})
    assert "data-calm" in browser.get("/").content.decode()
    browser.post("/calm", {"next": "/"})
    assert "data-calm" not in browser.get("/").content.decode()


def test_what_does_not_exist_says_so_in_both_forms(browser: Client) -> None:
    page = browser.get("/no-such-page")
    assert page.status_code == 404 and "<h1>" in page.content.decode()
    assert browser.get("/no-such-page", headers={"accept": "application/json"}).json()["status"] == 404


def test_a_session_ends_when_it_should(one_database: str) -> None:
    player = register(76561198000000001, "ana", NOW_MS)
    key, other = sessions.start(player, "a browser", NOW_MS), sessions.start(player, "x" * 500, NOW_MS)
    found = sessions.find(key, NOW_MS)
    assert found is not None and found.player == player and key not in found.key_hash
    assert sessions.find(key, found.expires_ms) is None and sessions.find("", NOW_MS) is None
    sessions.end(found)
    assert sessions.find(key, NOW_MS) is None and sessions.find(other, NOW_MS) is not None
    assert sessions.end_all(player) == 1 and sessions.find(other, NOW_MS) is None


def test_amounts_hashes_and_people() -> None:
    assert (site.cents(1234), site.cents(-123), site.cents(None), site.cents(0)) == ("12.34", "−1.23", "", "0.00")
    assert site.per_cent(0.1096) == "10.96\N{NARROW NO-BREAK SPACE}%"
    assert (site.short("5f3c" + "0" * 56 + "a1d0"), site.short("short")) == ("5f3c…a1d0", "short")
    assert {site.look_of(user_id) for user_id in range(200)} == set(range(1, 9))
    assert site.rarity("D32CE6") == "rarity-d32ce6" and site.rarity('x" onload="') == "rarity-none"
    css = (Path(site.__file__).parents[2] / "static/site/look.css").read_text()
    assert all(f".rarity-{color} " in css for color in site.RARITIES)


def test_s10_pages_without_their_database_say_so(one_database: str) -> None:
    """Who is signed in is not known then either, so the page must not ask."""
    browser = Client(SERVER_NAME="localhost", raise_request_exception=False)
    browser.cookies["player"] = "a key that nobody can look up now"
    connection.close()
    path = connection.settings_dict["NAME"]
    connection.settings_dict["NAME"] = "/nowhere/site.sqlite3"
    try:
        assert browser.get("/help").status_code == 200, "what needs no database is there"
        for address in ("/", "/me", "/inventory", "/odds"):
            page = browser.get(address)
            text = page.content.decode()
            assert page.status_code == 503 and "<h1>" in text and "Retry-After" in page.headers, address
        told = browser.get("/", headers={"accept": "application/json"})
        assert told.status_code == 503 and told.json()["status"] == 503
        assert browser.get("/healthz").status_code == 200
    finally:
        connection.settings_dict["NAME"] = path
