import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain import ids
from shared.domain.ids import BotName, SteamId, TradeUrl

GOOD_URL = "https://steamcommunity.com/tradeoffer/new/?partner=39734274&token=AbCd_-9z"


def test_steam_id_is_taken_from_digits_and_gives_the_account_id() -> None:
    assert SteamId("76561198000000002").account_id == 39734274
    assert SteamId.from_account_id(39734274) == 76561198000000002


@pytest.mark.parametrize(
    "value", ["", "abc", "-5", "76561197960265728", "76561202255233024", "７６", 0, True, "7656119800000000x"]
)
def test_what_is_no_account_is_no_steam_id(value: str | int) -> None:
    with pytest.raises(ValueError, match="SteamID64"):
        SteamId(value)


def test_trade_url_is_taken_apart_and_put_together_again() -> None:
    url = TradeUrl.parse(GOOD_URL)
    assert (url.partner, url.trade_token) == (76561198000000002, "AbCd_-9z")
    assert TradeUrl.parse(str(url)) == url


@pytest.mark.parametrize(
    "text",
    [
        GOOD_URL.replace("https", "http"),
        GOOD_URL.replace("steamcommunity.com", "steamcommunity.com.evil.example"),
        GOOD_URL.replace("steamcommunity.com", "evil@steamcommunity.com"),
        GOOD_URL.replace("/new/", "/old/"),
        GOOD_URL + "&token=AbCd_-9z",
        GOOD_URL + "&for=me",
        GOOD_URL + "#x",
        GOOD_URL.replace("39734274", "0"),
        GOOD_URL.replace("39734274", "4294967296"),
        GOOD_URL.replace("39734274", "-1"),
        GOOD_URL.replace("AbCd_-9z", "AbCd"),
        GOOD_URL.replace("AbCd_-9z", "AbCd%2F-9z"),
        "nonsense",
        "",
    ],
)
def test_what_is_no_trade_url_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"trade URL|partner|token"):
        TradeUrl.parse(text)


def test_trade_token_stays_out_of_repr() -> None:
    assert "AbCd" not in repr(TradeUrl.parse(GOOD_URL))


def test_bot_names_and_groups() -> None:
    assert str(BotName.parse("red-7")) == "red-7"
    assert [str(name) for name in ids.bots_of_group("red", 2)][::9] == ["red-11", "red-20"]
    assert [ids.group_of(bot_id) for bot_id in (1, 10, 11, 20, 21)] == [1, 1, 2, 2, 3]


@pytest.mark.parametrize("text", ["red", "red-0", "Red-1", "red-01", "-1", "red-1 ", "red--1", "röt-1"])
def test_what_names_no_bot_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a bot name"):
        BotName.parse(text)


@given(st.integers(0, 2**48 - 2), st.binary(min_size=7, max_size=7), st.binary(min_size=7, max_size=7))
def test_record_ids_are_ordered_by_time(now_ms: int, noise: bytes, other: bytes) -> None:
    earlier, later = ids.record_id("tr", now_ms, noise), ids.record_id("tr", now_ms + 1, other)
    assert earlier < later
    assert re.fullmatch(r"tr_[0-9a-hjkmnp-tv-z]{20}", earlier)
