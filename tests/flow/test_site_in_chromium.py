"""A player's whole way in a real browser, with scripts and without, on a wide screen and a phone: from the sign-in at Steam to
the item that is back there. Fleet, sandbox, engines, pages and the other players are the real parts of `scripts/site`.
"""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import axe
import pytest
from playwright.sync_api import Browser, Locator, Page, sync_playwright

from scripts.site_run import shots

pytestmark = [pytest.mark.e2e, pytest.mark.long, pytest.mark.timeout(1200)]
READY_S = 300
ROOM = "/rooms/classic-unlimited"
FREE = "label.item:has(input:not([disabled]))"
# What has the focus lies on the screen, and it or what it lies in has an outline; of an input without a look, its label has it.
SEEN_FOCUS = """() => {
  const box = document.activeElement.getBoundingClientRect();
  if (box.bottom <= 0 || box.top >= innerHeight) return false;
  for (let at = document.activeElement, up = 0; at && up < 2; at = at.parentElement, up++) {
    const style = getComputedStyle(at);
    if (style.opacity !== "0" && style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0) return true;
  }
  return false;
}"""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("site")
    command = [
        sys.executable,
        "-P",
        "-m",
        "scripts.site_run",
        "--players",
        "12",
        "--port",
        "0",
        "--directory",
        str(folder / "run"),
    ]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None
        found = None
        while found is None:
            line = running.stderr.readline()
            assert line, "scripts/site ended before it had an address"
            found = re.match(r"the site: (\S+)", line)
        yield found[1]
        running.send_signal(signal.SIGINT)
        assert running.wait(120) == 130


@pytest.fixture(scope="module")
def chromium_browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        browser.close()


class Visit:
    """One browser of one person."""

    def __init__(self, browser: Browser, address: str, **look: Any) -> None:
        self.context = browser.new_context(color_scheme="dark", **look)
        self.page: Page = self.context.new_page()
        self.address = address
        self.complaints: list[str] = []
        self.foreign: list[str] = []
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self._asked(request.url))

    def _asked(self, url: str) -> None:
        if self.page.url.startswith(self.address) and not url.startswith((self.address, "data:")) and "/openid/" not in url:
            self.foreign.append(url)

    def go(self, path: str) -> None:
        self.page.goto(self.address + path)

    def until(self, seen: Callable[[], object], what: str) -> None:
        """Looks again and again, with a page that is loaded anew each time."""
        deadline = time.monotonic() + READY_S
        while not seen():
            assert time.monotonic() < deadline, (
                f"it never came to this: {what}\n{self.page.locator('main').inner_text()[:2000]}"
            )
            time.sleep(1)

    def free(self, path: str, where: str = "main") -> Locator:
        self.go(path)
        return self.page.locator(f"{where} {FREE}")

    def sign_in(self) -> None:
        self.go("/")
        self.page.get_by_role("banner").get_by_role("link", name="Sign in").click()
        self.page.get_by_role("button", name="Continue at Steam").click()
        self.page.get_by_role("button", name=re.compile("new player", re.I)).click()
        self.page.wait_for_url(f"{self.address}/**")

    def declare(self) -> None:
        self.go("/me/declaration")
        self.page.locator("[name=born]").fill("1990-01-01")
        self.page.locator("[name=country]").select_option("LV")
        self.page.locator("[name=sure]").check()
        self.page.get_by_role("button", name="Declare").click()
        self.page.get_by_text("You may play.").wait_for()

    def deposit(self, count: int) -> None:
        items = self.free("/inventory?tab=steam")
        for number in range(count):
            items.nth(number).click()  # the dearest ones: the room asks for a least value
        self.page.get_by_role("button", name="Deposit what is chosen").click()
        self.page.wait_for_url(re.compile(r"/trades/|/errands/"))
        self.until(lambda: self.free("/inventory").count() >= count, "the items are here")
        self.until(lambda: self.free(ROOM, "#bet").count() >= count, "the items are settled and may be bet")

    def bet(self) -> str:
        """One item in the round that takes bets; the address of that round."""
        tried: list[str] = []

        def placed() -> bool:
            items = self.free(ROOM, "#bet")
            go = self.page.locator("#bet [data-part=go]")
            if not items.count() or go.is_disabled():
                return False
            items.first.click()
            lane = self.page.locator("[data-lane]").first
            tried.append(f"{ROOM}/{lane.get_attribute('data-lane')}/{lane.get_attribute('data-round')}")
            go.click()
            self.page.wait_for_timeout(6000)  # the answer: a page of its own without scripts, this page with them
            self.go(tried[-1])
            return self.page.locator(".players .you, .teams .you, [data-part=players] .you").count() > 0

        self.until(placed, "a bet is placed")
        return tried[-1]

    def withdraw(self) -> None:
        self.until(lambda: self.free("/inventory").count() > 0, "something is here")
        self.page.locator(f"main {FREE}").first.click()
        self.page.get_by_role("button", name="Withdraw to Steam").click()
        self.page.wait_for_url(re.compile(r"/trades/|/errands/"))

        def home() -> bool:
            self.go("/inventory?tab=way")
            return self.page.get_by_text("The items are on Steam").count() > 0

        self.until(home, "the item is on Steam")


@pytest.mark.parametrize("look", ["scripts", "no-scripts", "phone"])
def test_from_the_first_sign_in_to_the_item_that_is_back(chromium_browser: Browser, address: str, look: str) -> None:
    size = {"width": 390, "height": 844} if look == "phone" else {"width": 1280, "height": 900}
    visit = Visit(chromium_browser, address, viewport=size, java_script_enabled=look != "no-scripts")
    page = visit.page
    visit.sign_in()
    visit.declare()
    visit.deposit(3)
    at = visit.bet()

    def drawn() -> bool:
        if look == "no-scripts":
            visit.go(at)
        return "was drawn" in page.locator("main").inner_text()

    visit.until(drawn, "the round is drawn")

    def sealed() -> bool:
        visit.go(at)
        return page.get_by_text("paid out and sealed").count() > 0

    visit.until(sealed, "the round is sealed")
    if look != "no-scripts":
        visit.until(lambda: page.locator("#proof .checks li").count() >= 10, "the browser has checked the record")
        assert page.locator('#proof .checks [data-state="lie"]').count() == 0
    if look == "phone":
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
    visit.withdraw()
    assert visit.complaints == [] and visit.foreign == []


def test_a_bet_by_keyboard_only(chromium_browser: Browser, address: str) -> None:
    """Tab, space and enter: everything that a bet needs is reached, and one sees where one is."""
    visit = Visit(chromium_browser, address, viewport={"width": 1280, "height": 900})
    page = visit.page
    visit.sign_in()
    visit.declare()
    visit.deposit(1)

    def placed() -> bool:
        if not visit.free(ROOM, "#bet").count() or page.locator("#bet [data-part=go]").is_disabled():
            return False
        tab_to(page, "input[name=deposit_ids], #bet label.item input")
        page.keyboard.press("Space")
        tab_to(page, "#bet [data-part=go]")
        page.keyboard.press("Enter")
        page.wait_for_timeout(6000)
        visit.go("/inventory")
        return page.locator("main").get_by_role("link", name=re.compile("round|lock", re.I)).count() > 0

    visit.until(placed, "the item is in a round")


def tab_to(page: Page, selector: str) -> None:
    """Presses Tab until what has the focus is this; it must be seen to have it."""
    for _ in range(120):
        page.keyboard.press("Tab")
        if page.evaluate("s => document.activeElement !== null && document.activeElement.matches(s)", selector):
            assert page.evaluate(SEEN_FOCUS), f"nobody sees that {selector} has the focus"
            return
    raise AssertionError(f"no way by keyboard to {selector}")


@pytest.mark.node
@pytest.mark.parametrize("language", ["en", "ru"])
def test_axe_finds_nothing_on_any_screen(chromium_browser: Browser, address: str, language: str, tmp_path: Path) -> None:
    """Every screen that `scripts/shots` knows, of a player with items and a bet: dark, light and 390 px wide."""
    visit = Visit(chromium_browser, address, reduced_motion="reduce")
    visit.sign_in()
    visit.declare()
    visit.deposit(1)
    at = visit.bet()
    state = tmp_path / "state.json"
    visit.context.storage_state(path=state)
    visit.context.add_cookies([{"name": "language", "value": language, "url": address}])
    paths = [path for _name, path in shots.screens(chromium_browser, address, state)]
    found = []
    for path in (*paths, at.lstrip("/")):
        visit.go(f"/{path}")
        found += [f"{path} {each}" for each in axe.everywhere(visit.page)]
    assert found == [] and visit.foreign == []
