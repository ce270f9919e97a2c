"""`scripts/shots`: pictures of every screen of a running site, as people see it. Look at them before and after a change."""

from __future__ import annotations

import re
import shutil
import sys
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

WIDE, PHONE = (1280, 900), (390, 844)
PUBLIC = (
    "",
    "odds",
    "fairness",
    "rules",
    "help",
    "types",
    "contacts",
    "terms",
    "privacy",
    "status",
    "custody",
    "sign-in",
    "no-such-page",
)
OWN = (
    "inventory",
    "inventory?tab=steam",
    "inventory?tab=way",
    "exchange",
    "me",
    "me/declaration",
    "me/play",
    "me/limits",
    "me/referral",
)
ROOM_LINK, ROUND_LINK = re.compile(r"^/rooms/[\w-]+$"), re.compile(r"^/rooms/[\w-]+/[\w-]+/\d+$")
SEVERAL = 6


@dataclass(frozen=True)
class Kind:
    """How somebody looks at a page."""

    name: str
    size: tuple[int, int]
    scheme: str
    language: str = "en"


KINDS = (Kind("dark", WIDE, "dark"), Kind("light", WIDE, "light"), Kind("phone", PHONE, "dark"), Kind("ru", WIDE, "dark", "ru"))


@click.command()
@click.argument("address")
@click.option("--to", "folder", type=click.Path(file_okay=False, path_type=Path), required=True, help="Where the pictures go.")
@click.option("--kind", "kinds", multiple=True, type=click.Choice([kind.name for kind in KINDS]), help="Only these.")
@click.option("--only", "only", default="", help="Only screens whose name holds this.")
def cli(address: str, folder: Path, kinds: tuple[str, ...], only: str) -> None:
    """Take a picture of every screen of the site at ADDRESS, which `scripts/site` prints."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        raise click.ClickException("there is no Chromium: apt-get install chromium")
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        state = folder / "signed-in.json"
        signed_in(browser, address, state)
        paths = list(screens(browser, address, state))
        for kind in KINDS:
            if not kinds or kind.name in kinds:
                with looking(browser, address, kind, state) as page:
                    for name, path in paths:
                        if only in name:
                            shoot(page, f"{address}/{path}", folder / f"{name}-{kind.name}.png")
        state.unlink()
        browser.close()


def signed_in(browser: Browser, address: str, state: Path) -> None:
    """Signs in as a new player, whom the sandbox's page makes at a click."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{address}/sign-in")
    page.locator("main form button").first.click()
    page.locator("button[name=pick]").first.click()
    page.wait_for_url(f"{address}/**")
    context.storage_state(path=state)
    context.close()


def screens(browser: Browser, address: str, state: Path) -> Iterator[tuple[str, str]]:
    """Every screen by name: fixed ones, each room, some rounds, and what belongs to the player who is signed in."""
    for path in (*PUBLIC, *OWN):
        yield re.sub(r"\W+", "-", path) or "lobby", path
    context = browser.new_context(storage_state=state)
    page = context.new_page()
    page.goto(address)
    links = [urllib.parse.urlsplit(link).path for link in page.locator("a[href]").evaluate_all("all => all.map(a => a.href)")]
    rooms = sorted({link for link in links if ROOM_LINK.match(link)})
    rounds = [link for link in dict.fromkeys(links) if ROUND_LINK.match(link)][:SEVERAL]
    context.close()
    for link in (*rooms, *rounds):
        yield link.strip("/").replace("/", "-"), link.strip("/")


@contextmanager
def looking(browser: Browser, address: str, kind: Kind, state: Path) -> Iterator[Page]:
    context: BrowserContext = browser.new_context(
        storage_state=state,
        viewport={"width": kind.size[0], "height": kind.size[1]},
        color_scheme="light" if kind.scheme == "light" else "dark",
        device_scale_factor=1,
    )
    context.add_cookies([{"name": "language", "value": kind.language, "url": address}])
    yield context.new_page()
    context.close()


def shoot(page: Page, url: str, path: Path) -> None:
    page.goto(url, wait_until="load")
    page.wait_for_timeout(300)
    page.screenshot(path=path, full_page=True)
    click.echo(path)


if __name__ == "__main__":
    cli(prog_name="scripts/shots", args=sys.argv[1:])
