"""A player brings items and takes them home through pages without scripts, with a real bot against the simulated Steam."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from custody import Custody
from django.test import Client, override_settings
from test_items import NO_INLINE, forget, signed_in

from scripts.lab.calls import get_json
from scripts.lab.stack import Wish
from website.accounts import trade_links
from website.accounts.models import Player
from website.accounts.services import register
from website.custody import swaps
from website.engine.clock import wall_ms

PATIENCE_S = 120.0
pytestmark = pytest.mark.long


@pytest.fixture
def fleet_with_a_bot(tmp_path: Path, one_database: str) -> Iterator[Custody]:
    wish = Wish(tmp_path / "fleet", bots_per_group=1, players=2, protection_s=3)
    wish.directory.mkdir()
    with (
        Custody(wish) as custody,
        override_settings(
            SITE_FLEET_URLS=[custody.balancer_url],
            SITE_FLEET_KEY=custody.api_key,
            SITE_SEAL_KEY="00" * 32,
            SITE_PICTURES_URL=f"{custody.steam_url}/economy/image/",
            SITE_PICTURES_DIR=str(tmp_path / "pictures"),
        ),
    ):
        forget()
        yield custody
        forget()


def seen(browser: Client, address: str, *words: str) -> str:
    """The page, when it says one of these."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        page = browser.get(address, follow=True).content.decode()
        assert not NO_INLINE.search(page)
        if any(word in page for word in words):
            return page
        assert time.monotonic() < deadline, page
        time.sleep(0.2)


def a_player(custody: Custody) -> Player:
    """The account of the sandbox that takes every offer."""
    account = next(
        row for row in get_json(f"{custody.control_url}/sandbox/players")["players"] if row["steam_id"] == "76561197980265729"
    )
    player = register(int(account["steam_id"]), "ana", wall_ms())
    trade_links.set_trade_url(player, account["trade_url"])
    return player


def test_items_come_and_go_by_forms(fleet_with_a_bot: Custody) -> None:
    swaps._prices.clear()
    browser = signed_in(a_player(fleet_with_a_bot))
    page = seen(browser, "/inventory?tab=steam", 'name="ids"')
    asset = re.findall(r'name="ids" value="(\w+)"', page)[0]
    icon = re.findall(r'src="(/pictures/[\w-]+)"', page)[0]
    picture = browser.get(icon)
    assert picture.headers["Content-Type"] == "image/svg+xml" and b"<title>" in picture.content
    form = {"token": re.findall(r'name="token" value="([\w-]+)"', page)[0], "ids": [asset]}
    first = browser.post("/deposits", form)
    assert browser.post("/deposits", form)["Location"] == first["Location"]
    trade = seen(browser, first["Location"], "The items are here")
    assert trade.count('class="item ') == 1
    here = seen(browser, "/inventory", 'name="ids"')
    (deposit,) = re.findall(r'name="ids" value="(\w+)"', here)
    form = {"token": "the-way-home-1", "ids": [deposit], "when_settled": "1"}
    home = browser.post("/withdrawals", form)["Location"]
    seen(browser, home, "The items are on Steam")
    assert "Nothing is here yet" in seen(browser, "/inventory", "Nothing is here yet")
