"""Pages that are kept up to date by their scripts, in a real browser, with a process that serves pages."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import needs
import pytest
from django.db import connections
from paper import Paper
from playwright.sync_api import Browser, Page, expect, sync_playwright
from web import Web

from website.engine.clock import wall_ms

pytestmark = [pytest.mark.e2e, pytest.mark.skipif(needs.browser() is None, reason="Chromium is not here")]
PATIENCE_MS = 60_000
REGIONS = """() => ['section.pot', '#round > .left', '#proof'].map((name) => {
  const copy = document.querySelector(name).cloneNode(true);
  const other = 'template, [data-part=clock], [data-part=status], .aside, [data-check-again], .verdict, .checks, .unchecked';
  for (const gone of copy.querySelectorAll(other)) gone.remove();
  const sorted = (each) => [...each.attributes].sort((a, b) => a.name < b.name ? -1 : 1);
  for (const each of copy.querySelectorAll('*')) for (const attribute of sorted(each)) {
    each.removeAttribute(attribute.name);
    if (attribute.name === 'data-state') continue;
    each.setAttribute(attribute.name, attribute.value);
  }
  return copy.innerHTML.replace(/\\s+/g, ' ').replace(/> /g, '>').replace(/ </g, '<');
})"""


@pytest.fixture(scope="module")
def served(migrated_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Web, str]]:
    folder = tmp_path_factory.mktemp("pages")
    shutil.copy(migrated_file, folder / "site.sqlite3")
    url = f"sqlite://{folder / 'site.sqlite3'}"
    web = Web(folder, {"SITE_DATABASE_URL": url, "SITE_REDIS_URL": ""})
    web.start()
    yield web, url
    web.end()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=needs.browser(), args=["--no-sandbox"])
        yield browser
        browser.close()


def opened(chromium: Browser, address: str) -> Page:
    page = chromium.new_context(locale="en-US", reduced_motion="reduce").new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.on("pageerror", lambda error: pytest.fail(str(error)))
    page.goto(address)
    return page


def elsewhere(work: Callable[[], Any]) -> Any:
    """Runs in a thread: the browser's driver has a loop in this one."""

    def closing() -> Any:
        try:
            return work()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as threads:
        return threads.submit(closing).result()


def regions(page: Page) -> list[str]:
    found: list[str] = page.evaluate(REGIONS)
    return found


def same(kept: Page, chromium: Browser, address: str) -> None:
    """The page that was kept by messages is the one that the server makes now."""
    fresh = opened(chromium, address)
    made = regions(fresh)
    seq = fresh.locator("#round").get_attribute("data-seq")
    expect(kept.locator("#round")).to_have_attribute("data-seq", seq or "", timeout=PATIENCE_MS)
    for _ in range(60):
        if regions(kept) == made:
            break
        kept.wait_for_timeout(200)
    for now, due in zip(regions(kept), made, strict=True):
        assert now.split("<") == due.split("<")
    fresh.context.close()


def test_w20_a_page_and_the_messages_after_it_are_the_page_made_later(
    served: tuple[Web, str], chromium: Browser, lead: Callable[[str], None]
) -> None:
    """Bets of three players, one of them twice, the clock, the close, the draw, the seal; looked at after each."""
    web, url = served
    lead(url)
    paper = elsewhere(lambda: Paper(now_ms=wall_ms()))
    elsewhere(lambda: paper.open("classic-unlimited"))
    at = elsewhere(lambda: paper.game("classic-unlimited"))
    address = f"{web.address}/rooms/{at.room}/{at.lane}/{at.round}"
    kept = opened(chromium, address)
    people = elsewhere(lambda: [paper.player() for _ in range(3)])
    for player, worth in ((0, (250, 1210)), (1, (340,)), (0, (199,)), (2, (5_000, 12_000, 107))):
        ids = paper.items(people[player], *worth)
        bet = elsewhere(partial(paper.bet, people[player], at, ids))
        assert bet.state == "placed"
        same(kept, chromium, address)
    sealed = elsewhere(lambda: paper.until_sealed(at))
    assert sealed.phase == "sealed"
    same(kept, chromium, address)
    expect(kept.locator("[data-part=status]")).to_contain_text("Paid out")
