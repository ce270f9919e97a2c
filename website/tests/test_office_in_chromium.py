"""The office in a real browser under its policy: two people come in, one changes a rule, the other approves it."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import needs
import pyotp
import pytest
from django.db import connections
from paper import Paper, record_of
from playwright.sync_api import Browser, Page, expect, sync_playwright
from web import Web

from website.engine.clock import wall_ms
from website.office import door
from website.office.models import Staff
from website.rooms.models import Round

pytestmark = [pytest.mark.e2e, pytest.mark.long, pytest.mark.skipif(needs.browser() is None, reason="Chromium is not here")]
PATIENCE_MS = 60_000
ROOM = "classic-unlimited"
PASSWORD = "a long word for the door"


@pytest.fixture
def served(migrated_file: Path, tmp_path: Path, lead: Callable[[str], None]) -> Iterator[Web]:
    shutil.copy(migrated_file, tmp_path / "site.sqlite3")
    url = f"sqlite://{tmp_path / 'site.sqlite3'}"
    lead(url)
    web = Web(
        tmp_path, {"SITE_DATABASE_URL": url, "SITE_REDIS_URL": "", "DJANGO_SETTINGS_MODULE": "website.settings.dev_office"}
    )
    web.start()
    yield web
    web.end()


@pytest.fixture
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=needs.browser(), args=["--no-sandbox"])
        yield browser
        browser.close()


def elsewhere(work: Callable[[], Any]) -> Any:
    """Runs in a thread: the browser's driver has a loop in this one."""

    def closing() -> Any:
        try:
            return work()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as threads:
        return threads.submit(closing).result()


class Person:
    """One member of the staff in a browser of their own, with an app for codes; scripts are off, and nothing may be refused."""

    def __init__(self, chromium: Browser, address: str, name: str) -> None:
        word = elsewhere(lambda: door.invite(Staff.objects.create(username=name, roles="rooms owner", password="!"), wall_ms()))
        self.page: Page = chromium.new_context(java_script_enabled=False, locale="en-US").new_page()
        self.page.set_default_timeout(PATIENCE_MS)
        self.complaints: list[str] = []
        self.page.on("console", lambda said: self.complaints.append(said.text) if "Policy" in said.text else None)
        self.address = address
        self.page.goto(f"{address}/office/join/{word}")
        self.codes = pyotp.TOTP(self.page.locator(".secret code").inner_text().replace(" ", ""))
        self.used = 0
        self.page.fill("input[name=code]", self.code())
        self.page.fill("input[name=password]", PASSWORD)
        self.page.click("main button.go")
        expect(self.page.locator("h1")).to_have_text("Overview")

    def code(self) -> str:
        """One that was not used yet: it may be of the next half minute, and is waited for."""
        while time.time() // 30 + 1 <= self.used:
            self.page.wait_for_timeout(500)
        self.used = max(self.used + 1, int(time.time() // 30))
        return str(self.codes.generate_otp(self.used))

    def go(self, path: str) -> Page:
        self.page.goto(f"{self.address}/office{path}")
        return self.page


def test_w23_w25_two_people_change_a_rule_in_the_browser(served: Web, chromium: Browser) -> None:
    paper = elsewhere(lambda: Paper(now_ms=wall_ms()))
    elsewhere(lambda: paper.open(ROOM))
    running = elsewhere(lambda: paper.game(ROOM))
    ana, bo = (Person(chromium, served.address, name) for name in ("ana", "bo"))
    page = ana.go("/rooms")
    page.click(f"a[href='/office/rooms/{ROOM}/rules']:has-text('Rules')")
    page.click("a:has-text('Change the rules')")
    page.fill("input[name=bet_value_min]", "7.77")
    page.fill("input[name=why]", "dearer rounds")
    page.click("button[value=look]")
    expect(page.locator(".meaning")).to_contain_text("1.00 → 7.77")
    page.fill("input[name=code]", ana.code())
    page.click("button[value=do]")
    expect(page.locator("h1")).to_have_text("Approvals")
    assert page.locator("button[value=approve]").count() == 0 and page.locator("button[value=withdraw]").count() == 1
    page = bo.go("/approvals")
    page.fill("input[name=code]", bo.code())
    page.click("button[value=approve]")
    expect(page.locator(".said")).to_contain_text("Approved and done.")

    def played() -> Round:
        for player in (paper.player(), paper.player()):
            assert paper.bet(player, running, paper.items(player, 150)).state == "placed"
        sealed: Round = paper.until_sealed(running)
        return sealed

    sealed = elsewhere(played)
    assert elsewhere(lambda: record_of(sealed))["rules"]["bet_value_min"] == 100
    expect(bo.go(f"/rooms/{ROOM}/rules").locator("main")).to_contain_text("dearer rounds")
    assert ana.complaints == bo.complaints == []
