"""Pages that are kept up to date by their scripts, in a real browser, with a process that serves pages."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import axe
import needs
import pytest
from django.db import connections
from paper import HOUSE, Paper
from playwright.sync_api import Browser, Page, expect, sync_playwright
from test_rooms_on_paper import type_both
from web import Web

from scripts.lab.gate import Gate
from website.accounts import sessions
from website.accounts.models import Player
from website.engine.clock import wall_ms
from website.rooms import guarantees
from website.rooms.models import Bet, Round

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


@pytest.fixture
def served_alone(migrated_file: Path, tmp_path: Path) -> Iterator[tuple[Web, str]]:
    shutil.copy(migrated_file, tmp_path / "site.sqlite3")
    url = f"sqlite://{tmp_path / 'site.sqlite3'}"
    web = Web(tmp_path, {"SITE_DATABASE_URL": url, "SITE_REDIS_URL": ""})
    web.start()
    yield web, url
    web.end()


def bets(paper: Paper, at: Round, count: int, *cents: int, name: str = "") -> Iterator[Round]:
    """One after the other, of so many players."""
    for _ in range(count):
        player = paper.player()
        bet = paper.bet(player, at, paper.items(player, *cents, name=name))
        assert bet.state == Bet.PLACED, bet.code
        yield at


def typed(paper: Paper, at: Round) -> Iterator[Round]:
    people = [paper.operator(name) for name in ("typist", "second")]
    paper.run(3)
    yield at
    for number, digits in ((1, "17"), (2, "612")):
        type_both(paper, at.lane, number, digits, people)
        yield at


def play(paper: Paper, room: str) -> Iterator[Round]:
    """A round from before its first bet to its seal; yields after everything that somebody does."""
    changes: dict[str, dict[str, Any]] = {
        "global-pot": {"global_pot_limit": 1_000, "shares": [5, 3]},
        "giveaway": {"item_limit_max": 3, "bet_item_limit_max": 2},
    }
    if room == "giveaway":
        (prize,) = paper.fleet.add(HOUSE, "Knife", 50_000)
    paper.open(room, **changes.get(room, {}))
    if room == "giveaway":
        guarantees.set_aside(room, [prize], paper.operator("ana"), "the week's prize", paper.now_ms)
    at = paper.game(room)
    yield at
    match room:
        case "giveaway":
            yield from bets(paper, at, 3, 100, name="Raffle Ticket")
        case "global-pot":
            yield from bets(paper, at, 2, 400, 100)
            yield from typed(paper, at)
    sealed = paper.until_sealed(at)
    assert sealed.phase == "sealed"
    yield sealed


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("room", ["global-pot", "giveaway"])
def test_w20_a_page_whose_socket_is_cut_at_random_moments_is_the_page_made_later(
    served_alone: tuple[Web, str], chromium: Browser, lead: Callable[[str], None], room: str
) -> None:
    """While connections are cut things happen that the page hears of only when it comes back."""
    web, url = served_alone
    lead(url)
    chance = random.Random(f"cuts:{room}")
    paper = elsewhere(lambda: Paper(now_ms=wall_ms()))
    steps = play(paper, room)
    at = elsewhere(lambda: next(steps))
    path = f"/rooms/{at.room}/{at.lane}/{at.round}"
    with Gate(("127.0.0.1", web.port)) as gate:
        kept = opened(chromium, f"http://{gate.host}:{gate.port}{path}")
        last, cuts = at, 0
        while (done := elsewhere(lambda: next(steps, None))) is not None:
            last = done
            if gate.open and chance.random() < 0.5:
                gate.cut()
                cuts += 1
            elif not gate.open:
                gate.mend()
                same(kept, chromium, f"{web.address}{path}")
        gate.mend()
        same(kept, chromium, f"{web.address}{path}")
        assert last.phase == "sealed" and cuts
        kept.context.close()


SCREENS = ("", "sign-in", "me/limits")
"""Of each kind one; `tests/flow/test_site_in_chromium.py` (long) looks at every screen of a whole site in both languages."""


@pytest.mark.node
def test_axe_finds_nothing_in_dark_light_and_on_a_phone(
    served: tuple[Web, str], chromium: Browser, lead: Callable[[str], None]
) -> None:
    web, url = served
    lead(url)
    sealed, opened_one, player, key = elsewhere(_a_player_in_the_middle)
    context = chromium.new_context(reduced_motion="reduce")
    context.add_cookies([{"name": sessions.COOKIE, "value": key, "url": web.address}])
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    bet = elsewhere(lambda: Bet.objects.filter(player=player, lane=sealed.lane).latest("id").bet_id)
    rounds = [f"rooms/{at.room}/{at.lane}/{at.round}" for at in (sealed, opened_one)]
    found = []
    for path in (*SCREENS, *rounds, f"rooms/{opened_one.room}", f"bets/{bet}"):
        page.goto(f"{web.address}/{path}")
        found += [f"{path} {each}" for each in axe.everywhere(page)]
    context.close()
    assert found == []


def _a_player_in_the_middle() -> tuple[Round, Round, Player, str]:
    """A round that is over and one that goes on, both with a bet of a player, who is signed in."""
    paper = Paper(now_ms=wall_ms())
    paper.open("5v5", time_limit=2, team_limit=2, player_limit=4, min_players=4)
    paper.open("classic-limited")
    players = [paper.player() for _ in range(4)]
    over, on = paper.game("5v5"), paper.game("classic-limited")
    for place, player in enumerate(players):
        paper.bet(player, over, paper.items(player, 300 + place), 1 + place % 2)
        paper.bet(player, on, paper.items(player, 100 + place, 30))
    return paper.until_sealed(over), on, players[0], sessions.start(players[0], "a test", wall_ms())
