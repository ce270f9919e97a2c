"""Trade links: read strictly, sealed at rest, and in nothing that anybody else reads."""

from __future__ import annotations

import logging
import sqlite3

import pytest
from django.core import checks
from django.test import override_settings

from website.accounts import trade_links
from website.accounts.apps import seal_key
from website.accounts.models import Player
from website.accounts.services import register
from website.accounts.trade_links import STEAM_ID_BASE, TradeLinkError

TOKEN = "aB3_-xYz"
ACCOUNT = 1_000_101
LINK = f"https://steamcommunity.com/tradeoffer/new/?partner={ACCOUNT}&token={TOKEN}"


@pytest.fixture
def player(one_database: str) -> Player:
    return register(STEAM_ID_BASE + ACCOUNT, "ana", 1_000)


def test_a_link_is_kept_and_comes_back(player: Player) -> None:
    assert trade_links.trade_url_of(player) is None
    for text in (
        LINK,
        f"  {LINK}\n",
        LINK.replace("new/?", "new?"),
        f"https://steamcommunity.com/tradeoffer/new/?token={TOKEN}&partner={ACCOUNT}",
    ):
        trade_links.set_trade_url(player, text)
        assert trade_links.trade_url_of(Player.objects.get()) == LINK
    trade_links.set_trade_url(player, "  ")
    assert trade_links.trade_url_of(Player.objects.get()) is None


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (LINK.replace(str(ACCOUNT), str(ACCOUNT + 1)), "not_yours"),
        (LINK.replace(str(ACCOUNT), "9999999999"), "not_yours"),
        (LINK.replace("https", "http"), "no_link"),
        (LINK.replace("steamcommunity.com", "steamcommunity.com.evil.example"), "no_link"),
        (LINK.replace("steamcommunity.com", "ana@steamcommunity.com"), "no_link"),
        (LINK.replace("steamcommunity.com", "steamcommunity.com:8443"), "no_link"),
        (LINK.replace("new/", "other/"), "no_link"),
        (LINK + "&token=aaaaaaaa", "no_link"),
        (LINK + "&x=1", "no_link"),
        (LINK + "#x", "no_link"),
        (LINK.replace(TOKEN, "short"), "no_link"),
        (LINK.replace(TOKEN, "aB3_-xY%00"), "no_link"),
        (LINK.replace(str(ACCOUNT), f"0{ACCOUNT}"), "no_link"),
        (LINK.replace(str(ACCOUNT), "\N{ARABIC-INDIC DIGIT ONE}"), "no_link"),
        ("https://[", "no_link"),
        ("nonsense", "no_link"),
        (LINK + "a" * 1_000, "no_link"),
    ],
)
def test_what_is_no_link_of_the_player_is_not_kept(player: Player, text: str, code: str) -> None:
    trade_links.set_trade_url(player, LINK)
    with pytest.raises(TradeLinkError) as refusal:
        trade_links.set_trade_url(player, text)
    assert refusal.value.code == code and text not in str(refusal.value) + repr(refusal.value)
    assert trade_links.trade_url_of(Player.objects.get()) == LINK


def test_the_database_has_no_token_and_a_copied_row_opens_nothing(player: Player, one_database: str) -> None:
    trade_links.set_trade_url(player, LINK)
    with sqlite3.connect(one_database.removeprefix("sqlite://")) as file:
        assert TOKEN not in "".join(file.iterdump())
    file.close()
    other = register(STEAM_ID_BASE + ACCOUNT + 1, "bo", 1_000)
    other.trade_url_sealed = player.trade_url_sealed
    assert trade_links.trade_url_of(other) is None and trade_links.trade_url_of(player) == LINK


def test_another_key_loses_the_link_and_nothing_else(player: Player, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    trade_links.set_trade_url(player, LINK)
    with override_settings(SITE_SEAL_KEY="ab" * 32):
        assert trade_links.trade_url_of(player) is None
        trade_links.set_trade_url(player, LINK)
        assert trade_links.trade_url_of(player) == LINK
    for key in ("not a key", ""):
        with override_settings(SITE_SEAL_KEY=key), pytest.raises(TradeLinkError) as error:
            trade_links.set_trade_url(player, LINK)
        with override_settings(SITE_SEAL_KEY=key):
            (told,) = seal_key()
        assert error.value.code == "no_key" and told.level == (checks.ERROR if key else checks.INFO)
    assert seal_key() == [] and "lost until it is given again" in caplog.text
    assert TOKEN not in caplog.text + str(error.value) + repr(player) + str(player)
