"""`scripts/shots`: pictures of every screen of a running site, as people see it. Look at them before and after a change."""

from __future__ import annotations

import re
import secrets
import shutil
import sys
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click
import pyotp
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
OFFICE = (
    "",
    "rooms",
    "rooms/classic-unlimited/rules",
    "do/change_rules?room=classic-unlimited",
    "raffles",
    "do/draft_raffle",
    "players",
    "texts",
    "do/change_text?name=help",
    "approvals",
    "ledger",
    "stock",
    "typing",
    "log",
    "lists",
    "lists/rooms/round/",
    "staff",
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
@click.option("--join", "join", default="", help="A link to join the office: its screens too, as its new member.")
def cli(address: str, folder: Path, kinds: tuple[str, ...], only: str, join: str) -> None:
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
        if join:
            shoot_office(browser, join, folder, [kind for kind in KINDS if not kinds or kind.name in kinds], only)
        browser.close()


def shoot_office(browser: Browser, join: str, folder: Path, kinds: list[Kind], only: str) -> None:
    """Joins once, and looks at every screen of the office."""
    office, state = join.partition("/join/")[0], folder / "office.json"
    context = browser.new_context()
    page = context.new_page()
    page.goto(join)
    page.screenshot(path=folder / "office-join.png", full_page=True)
    page.fill("input[name=code]", str(pyotp.TOTP(page.locator(".secret code").inner_text().replace(" ", "")).now()))
    page.fill("input[name=password]", secrets.token_urlsafe(16))
    page.click("main button.go")
    context.storage_state(path=state)
    context.close()
    for kind in kinds:
        with looking(browser, office.removesuffix("/office"), kind, state) as looked:
            for path in OFFICE:
                name = f"office-{re.sub(r'[^a-z0-9]+', '-', path).strip('-') or 'overview'}"
                if only in name:
                    shoot(looked, f"{office}/{path}" if path else office, folder / f"{name}-{kind.name}.png")
    state.unlink()


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
