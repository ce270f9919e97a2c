"""The proof in a real browser: a page that holds to the contract of page.js, under the site's policy; the page of one file."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import needs
import pytest
from django.conf import settings
from playwright.sync_api import Browser, Page, expect, sync_playwright

from website import proof

pytestmark = [pytest.mark.e2e, pytest.mark.skipif(needs.browser() is None, reason="Chromium is not here")]
EXAMPLES = Path(__file__).resolve().parents[2] / "lottery_core" / "examples"
GOOD = (EXAMPLES / "classic-unlimited.json").read_bytes()
PATIENCE_MS = 60_000
STEPS = ("commitment", "closed", "secret", "beacon", "drawn", "paid")
PAGE = """<!doctype html><html lang="{language}"><meta charset="utf-8"><title>Round</title>
<ol>{steps}</ol><p data-check="winners"></p><p data-check="payout"></p><a data-proved="classic-unlimited/40">it</a>
<section id="proof"{record}><p class="verdict" role="status"></p><ol class="checks"></ol><ul class="unchecked"></ul>
<ul class="unproven"></ul><ul class="program-only"></ul><button type="button" data-check-again hidden>again</button></section>
<script type="module" src="/page.js"></script></html>"""


class Site(ThreadingHTTPServer):
    """Serves the scripts beside each other, one page, and the records that a test gives it."""

    daemon_threads = True

    def __init__(self) -> None:
        self.records: dict[str, bytes] = {}
        self.page = ""
        super().__init__(("127.0.0.1", 0), Answers)

    def shows(self, record: str | None, language: str = "en") -> str:
        """Set the page up; the answer is its address."""
        steps = "".join(f'<li data-step="{step}">{step}</li>' for step in STEPS)
        named = "" if record is None else f' data-record="{record}"'
        self.page = PAGE.format(language=language, steps=steps, record=named)
        return f"http://127.0.0.1:{self.server_port}/"


class Answers(BaseHTTPRequestHandler):
    server: Site

    def do_GET(self) -> None:
        body, kind = self.body()
        self.send_response(404 if body is None else 200)
        self.send_header("Content-Type", kind)
        directives = settings.CONTENT_SECURITY_POLICY["DIRECTIVES"]
        self.send_header("Content-Security-Policy", "; ".join(f"{name} {' '.join(to)}" for name, to in directives.items()))
        self.end_headers()
        self.wfile.write(body or b"")

    def body(self) -> tuple[bytes | None, str]:
        if self.path == "/":
            return self.server.page.encode(), "text/html; charset=utf-8"
        script = proof.SCRIPTS / self.path.lstrip("/")
        if script.suffix == ".js" and script.is_file():
            return script.read_bytes(), "text/javascript"
        return self.server.records.get(self.path), "application/json"

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with Site() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=needs.browser(), args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """A page that may complain about nothing but a missing icon or record."""
    context = chromium.new_context(locale="en-US")
    page, complaints = context.new_page(), []
    page.set_default_timeout(PATIENCE_MS)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" and "404" not in said.text else None)
    yield page
    context.close()
    assert complaints == []


def state(page: Page, selector: str, due: str) -> None:
    expect(page.locator(selector)).to_have_attribute("data-state", due, timeout=PATIENCE_MS)


def test_w22_a_page_checks_its_round_by_itself_under_the_policy_of_the_site(site: Site, page: Page) -> None:
    site.records = {"/good.json": GOOD, "/spoiled.json": GOOD.replace(b'"price":', b'"price":1', 1)}
    page.goto(site.shows("/good.json"))
    state(page, "#proof", "good")
    assert page.locator("#proof .verdict").inner_text() == "Everything that this record can prove holds."
    assert page.locator("#proof .checks li").count() == page.locator("#proof .checks li[data-state=good]").count() > 40
    assert [page.locator(f"li[data-step={step}]:not([data-name])").get_attribute("data-state") for step in STEPS] == [
        "good"
    ] * 6
    assert "Who won" in page.locator("[data-check=winners]").inner_text()
    assert "What a player gets" in page.locator("[data-check=payout]").inner_text()
    assert page.locator("#proof .unproven li").count() >= 6 and page.locator("#proof .program-only li").count() == 3
    # A live page names another record: it is checked without anybody asking.
    page.evaluate("addEventListener('proof', (event) => { window.found = event.detail.verdict; })")
    page.locator("#proof").evaluate("(section) => { section.dataset.record = '/spoiled.json'; }")
    state(page, "#proof", "lie")
    assert page.evaluate("window.found") == "lie"
    assert page.locator("#proof .checks li").last.get_attribute("data-state") == "lie"
    assert page.locator("li[data-step=paid]:not([data-name])").get_attribute("data-state") == "open"
    page.locator("#proof").evaluate("(section) => { section.dataset.record = '/nowhere.json'; }")
    state(page, "#proof", "waiting")
    # A live page puts a part, or the section itself, in the place of another.
    page.locator("#proof").evaluate(
        "(old) => { const next = old.cloneNode(); next.dataset.record = '/good.json'; old.replaceWith(next); }"
    )
    state(page, "#proof", "good")
    page.locator("ol:has(> [data-step=paid]:not([data-name]))").evaluate(
        "(old) => { old.innerHTML = '<li data-step=paid></li>'; }"
    )
    state(page, "li[data-step=paid]:not([data-name])", "good")


def test_a_page_whose_round_is_not_sealed_waits_and_the_browser_remembers(site: Site, page: Page) -> None:
    site.records = {"/good.json": GOOD}
    page.goto(site.shows("", language="ru"))
    page.wait_for_load_state("networkidle")
    assert page.locator("#proof").get_attribute("data-state") is None and page.locator("#proof .verdict").inner_text() == ""
    page.locator("#proof").evaluate("(section) => { section.dataset.record = '/good.json'; }")
    state(page, "#proof", "good")
    assert page.locator("#proof .verdict").inner_text() == "Всё, что эта запись может доказать, верно."
    page.goto(site.shows(None))
    state(page, "[data-proved]", "good")


def test_the_page_of_one_file_works_without_a_network(page: Page) -> None:
    asked = list[str]()
    page.on("request", lambda request: asked.append(request.url))
    page.goto(proof.PAGE.as_uri())
    page.set_input_files("#record", EXAMPLES / "classic-unlimited.json")
    state(page, "section", "good")
    page.get_by_role("button", name="Русский").click()
    expect(page.locator(".verdict")).to_have_text("Всё, что эта запись может доказать, верно.", timeout=PATIENCE_MS)
    page.set_input_files("#record", EXAMPLES / "house-failure.json")
    state(page, "section", "lie")
    page.evaluate(
        """(text) => { const files = new DataTransfer(); files.items.add(new File([text], "dropped.json"));
        document.dispatchEvent(new DragEvent("drop", { dataTransfer: files })); }""",
        "{}",
    )
    state(page, "section", "unreadable")
    assert {url.partition(":")[0] for url in asked} == {"file"}
