"""Steam's answers in other shapes than expected: only the readers' own errors come out, good rows beside a bad one are kept.

Two hundred generated shapes for each reader; eight thousand with ``-m long``.
"""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
import requests
from hypothesis import strategies as st
from odd_shapes import check, odd, odd_text

from bot_worker.steam import answers, inventories, sign_in, transport
from bot_worker.steam.shapes import Confirmation, Exchange, HistoryPage, Hold, Offer, OfferPage, Sent, banned_of
from shared.errors import FleetError
from shared.strict import BadShape

OWNER = "76561198000000002"
ROW = {"appid": 730, "contextid": "2", "assetid": "77", "classid": "11", "instanceid": "3", "amount": "1"}
ABOUT = {
    "appid": 730,
    "classid": "11",
    "instanceid": "3",
    "icon_url": "-9a81",
    "tradable": 1,
    "name": "AK-47 | Redline",
    "name_color": "D2D2D2",
    "type": "Classified Rifle",
    "market_name": "AK-47 | Redline (Field-Tested)",
    "market_hash_name": "AK-47 | Redline (Field-Tested)",
    "actions": [{"link": "steam://run/730//+csgo_econ_action_preview%20%propid:6%", "name": "Inspect in Game..."}],
    "tags": [{"category": "Rarity", "internal_name": "x", "color": "d32ce6"}],
}
PROPERTIES = [
    {"propertyid": 1, "int_value": "661"},
    {"propertyid": 2, "float_value": "0.231"},
    {"propertyid": 6, "string_value": "ABCD"},
]
PAGE = {
    "assets": [ROW],
    "descriptions": [ABOUT],
    "asset_properties": [{"appid": 730, "contextid": "2", "assetid": "77", "asset_properties": PROPERTIES}],
    "more_items": 1,
    "last_assetid": "77",
    "total_inventory_count": 1,
    "success": 1,
}
LEGACY = {
    "success": True,
    "rgInventory": {"77": {"id": "77", "classid": "11", "instanceid": "3", "amount": "1", "pos": 1}},
    "rgCurrency": [],
    "rgDescriptions": {"11_3": ABOUT},
    "rgAssetProperties": {"77": PROPERTIES},
    "more": True,
    "more_start": 2000,
}
ASSET = {"appid": 730, "contextid": "2", "assetid": "77", "classid": "11", "instanceid": "3", "amount": "1", "missing": False}
OFFER = {
    "tradeofferid": "7012345678",
    "accountid_other": 39734274,
    "message": "https://x.example/verify/abc hello",
    "expiration_time": 1787209600,
    "trade_offer_state": 3,
    "items_to_give": [ASSET],
    "items_to_receive": [ASSET],
    "is_our_offer": True,
    "time_created": 1786000000,
    "time_updated": 1786000004,
    "tradeid": "6123456789012345678",
}
OFFERS = {"trade_offers_sent": [OFFER], "trade_offers_received": [OFFER], "next_cursor": 0}
MOVED = {**ASSET, "new_assetid": "78", "new_contextid": "16"}
EXCHANGE = {
    "tradeid": "6123456789012345678",
    "steamid_other": OWNER,
    "time_init": 1786000100,
    "time_settlement": 1786604900,
    "status": 3,
    "assets_given": [MOVED],
    "assets_received": [MOVED],
    "rollback_trade": "5",
}
HISTORY = {"trades": [EXCHANGE], "more": True}
CONFIRMATION = {"type": 2, "id": "15512345678", "creator_id": "7012345678", "nonce": "9912345678901234567", "multi": False}
HOLDS = {"my_escrow": {"escrow_end_duration_seconds": 0}, "their_escrow": {"escrow_end_duration_seconds": 1296000}}
BANS = {"players": [{"SteamId": OWNER, "CommunityBanned": False, "EconomyBan": "none"}]}

Parse = Callable[[Any], Any]


def parse_page(data: Any) -> Any:
    return inventories.parse(data, OWNER, "2")


def parse_legacy(data: Any) -> Any:
    return inventories.parse_legacy(data, OWNER, "2")


READERS: dict[str, tuple[Any, Parse]] = {
    "inventory": (PAGE, parse_page),
    "partner inventory": (LEGACY, parse_legacy),
    "offers": (OFFERS, OfferPage.parse),
    "offer": (OFFER, Offer.parse),
    "trade history": (HISTORY, HistoryPage.parse),
    "exchange": (EXCHANGE, Exchange.parse),
    "send": ({"tradeofferid": "7012345678", "needs_mobile_confirmation": True}, Sent.parse),
    "confirmation": (CONFIRMATION, Confirmation.parse),
    "hold": (HOLDS, Hold.parse),
    "bans": (BANS, lambda data: banned_of(data, [OWNER])),
}


def only_bad_shapes(parse: Parse) -> Callable[[Any], None]:
    """What is read must also fit into a report."""

    def read(data: Any) -> None:
        try:
            found = parse(data)
        except BadShape:
            return
        json.dumps([repr(found), _told(found)]).encode()

    return read


def _told(found: Any) -> Any:
    held = getattr(found, "held", [])
    exchanges = getattr(found, "exchanges", [])
    return [[each.to_json() for each in held], [each.moved_json() for each in exchanges]]


@pytest.mark.parametrize("reader", READERS)
def test_a_reader_meets_odd_shapes_with_its_own_error_only(reader: str, shapes: int) -> None:
    good, parse = READERS[reader]
    parse(copy.deepcopy(good))
    assert check(odd(good), only_bad_shapes(parse), shapes) >= shapes


# --- good rows beside a bad one -----------------------------------------------------------------------------

GOOD_ROW, GOOD_ABOUT = {**ROW, "assetid": "1", "classid": "12"}, {**ABOUT, "classid": "12", "market_hash_name": "Case"}


def keeps_good_asset(row: Any, about: Any, properties: Any) -> None:
    page = {
        "assets": [GOOD_ROW, row],
        "descriptions": [about, GOOD_ABOUT],
        "asset_properties": [{"assetid": "1", "asset_properties": PROPERTIES}, properties],
        "total_inventory_count": 2,
    }
    held = {each.asset.asset_id: each for each in parse_page(page).held}
    assert (held["1"].market_hash_name, held["1"].tradable, held["1"].wear) == ("Case", True, "0.231")


def keeps_good_legacy_asset(row: Any, about: Any, properties: Any) -> None:
    page = {
        "success": True,
        "rgInventory": {"77": row, "1": {"id": "1", "classid": "12", "instanceid": "3", "amount": "1"}},
        "rgDescriptions": {"11_3": about, "12_3": GOOD_ABOUT},
        "rgAssetProperties": {"77": properties, "1": PROPERTIES},
    }
    held = {each.asset.asset_id: each for each in parse_legacy(page).held}
    if held["1"].class_id == "12":  # the odd row may claim the good one's id
        assert (held["1"].market_hash_name, held["1"].wear) == ("Case", "0.231")


def keeps_good_offer(row: Any) -> None:
    good = {**OFFER, "tradeofferid": "1"}
    page = OfferPage.parse({"trade_offers_sent": [row, good], "next_cursor": 0})
    assert page.sent[1] == Offer.parse(good) and page.sent[1].whole and len(page.sent) == 2


def keeps_good_exchange(row: Any) -> None:
    good = {**EXCHANGE, "tradeid": "1"}
    page = HistoryPage.parse({"trades": [row, good], "more": True})
    assert page.exchanges[1] == Exchange.parse(good) and page.exchanges[1].complete and len(page.exchanges) == 2
    assert page.last.exchange_id == "1"


BESIDE: dict[str, tuple[st.SearchStrategy[Any], Callable[..., None]]] = {
    "inventory": (st.tuples(odd(ROW), odd(ABOUT), odd(PAGE["asset_properties"])), lambda odd_one: keeps_good_asset(*odd_one)),
    "partner inventory": (
        st.tuples(odd(LEGACY["rgInventory"]["77"]), odd(ABOUT), odd(PROPERTIES)),  # type: ignore[index]
        lambda odd_one: keeps_good_legacy_asset(*odd_one),
    ),
    "offers": (odd(OFFER), keeps_good_offer),
    "trade history": (odd(EXCHANGE), keeps_good_exchange),
}


@pytest.mark.parametrize("reader", BESIDE)
def test_good_rows_beside_a_bad_one_are_kept(reader: str, shapes: int) -> None:
    strategy, keeps = BESIDE[reader]
    assert check(strategy, keeps, shapes) >= shapes


# --- the outside of an answer ---------------------------------------------------------------------------------

HEADERS = {
    "Content-Type": "application/json; charset=utf-8",
    "x-eresult": "1",
    "Retry-After": "30",
    "Date": "Tue, 04 Aug 2026 12:00:00 GMT",
}
HEADER_VALUES = st.one_of(
    st.text(st.characters(max_codepoint=255), max_size=30),
    st.sampled_from(["²", "9" * 400, "-1", "nan", "Mon, 01 Jan 99999999999 00:00:00 GMT", "Mon, 01 Jan 0001 00:00:00 +9999"]),
)


@st.composite
def odd_answers(draw: st.DrawFn) -> requests.Response:
    response = requests.Response()
    response.status_code = draw(st.sampled_from([200, 200, 200, 302, 400, 401, 403, 404, 407, 429, 500, 502, 503, 999]))
    response.url = "https://api.steampowered.com/IEconService/GetTradeOffers/v1"
    for name, value in HEADERS.items():
        if draw(st.booleans()):
            response.headers[name] = draw(HEADER_VALUES) if draw(st.booleans()) else value
    pages = [b"null", b"", b"<html>key=</html>", b'{"error":"failed with EResult 55"}', b"EResult 9999"]
    response._content = draw(odd_text({"response": OFFERS}) | st.sampled_from(pages))
    return response


def reads_answer(response: requests.Response) -> None:
    seen = transport.Observer(_Maintenance())  # type: ignore[arg-type]
    seen.begin(response.url)
    seen.end(response.url, response, 1.0)
    seen.told_time(response, 1_786_000_000_000)
    assert abs(seen.steam_ahead_s) < 2**33
    assert seen.last_retry_after_s is None or 0 <= seen.last_retry_after_s <= transport.WAIT_MAX_S
    try:
        transport.read_json(response)
    except FleetError:
        return


class _Maintenance:
    def saw(self, *_: Any) -> None:
        """Nothing is kept."""


def test_an_answer_with_odd_headers_and_bodies_is_steams_error_only(shapes: int) -> None:
    assert check(odd_answers(), reads_answer, shapes) >= shapes


def test_every_word_of_refusal_is_an_error_of_ours(shapes: int) -> None:
    words = st.text(max_size=60) | st.sampled_from(["(15)", "(999)", "( 15 )", "(²)", "a ban (15) (26)"])

    def read(text: str) -> None:
        assert isinstance(answers.send_failure(text), FleetError)

    assert check(words, read, shapes) >= shapes


def test_a_token_of_any_shape_says_what_it_says_or_nothing(shapes: int) -> None:
    claims = odd({"iat": 1, "exp": 2, "sub": OWNER}).map(lambda value: base64.urlsafe_b64encode(json.dumps(value).encode()))
    middles = claims.map(bytes.decode) | st.text(max_size=9)
    tokens = st.text(max_size=20) | middles.map(lambda text: f"a.{text}.b")

    def read(token: str) -> None:
        assert all(0 <= moment < 2**33 for moment in sign_in.token_times(token))

    assert check(tokens, read, shapes) >= shapes


# --- single shapes, as they were met ---------------------------------------------------------------------------


def test_what_is_no_asset_of_this_inventory_is_left_out() -> None:
    rows = [
        ROW,
        {"appid": 730, "contextid": "2", "currencyid": "1", "classid": "11", "amount": "20"},
        {**ROW, "assetid": "78", "appid": 440},
        {**ROW, "assetid": "79", "contextid": "6"},
        {**ROW, "assetid": None},
        ROW,
        "nothing",
    ]
    page = parse_page({**PAGE, "assets": rows, "more_items": 0})
    assert [each.asset.asset_id for each in page.held] == ["77"]
    assert page.left_out == {"currency": 1, "other_app": 1, "other_context": 1, "no_asset_id": 2, "doubled": 1}
    assert page.unclear == 2, "a currency and another app's items are no assets that could be ours"


def test_what_cannot_be_read_of_an_asset_is_empty() -> None:
    row = {**ROW, "amount": None, "classid": None}
    about = {**ABOUT, "classid": None, "tags": {"0": ABOUT["tags"][0]}, "actions": None, "name_color": 7}  # type: ignore[index]
    [held] = parse_page({**PAGE, "assets": [row], "descriptions": [about, None]}).held
    assert (held.amount, held.class_id, held.color, held.name_color, held.inspect_link) == (0, "", "d32ce6", "", None)


def test_a_property_without_its_number_is_left_out() -> None:
    told = [{"float_value": "0.5"}, {"propertyid": 1, "int_value": "661"}, None]
    [held] = parse_page({**PAGE, "asset_properties": [{"assetid": "77", "asset_properties": told}]}).held
    assert (held.wear, held.pattern) == (None, "661")


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ({"market_hash_name": None}, "AK-47 | Redline (Field-Tested)"),
        ({"market_hash_name": "", "market_name": None}, "AK-47 | Redline"),
        ({"market_hash_name": 5, "market_name": " ", "name": None}, ""),
    ],
)
def test_a_name_that_is_missing_falls_back_and_never_is_the_word_none(said: dict[str, Any], name: str) -> None:
    [held] = parse_page({**PAGE, "descriptions": [{**ABOUT, **said}]}).held
    assert held.market_hash_name == name


def test_a_next_page_without_its_start_begins_after_the_last_asset() -> None:
    assert parse_page({key: value for key, value in PAGE.items() if key != "last_assetid"}).start == "77"
    with pytest.raises(BadShape):
        parse_page({"total_inventory_count": 3, "more_items": 1})


@pytest.mark.parametrize("flag", ["0", "", None, 2, [1], "true"])
def test_only_a_plain_yes_is_tradable(flag: Any) -> None:
    [held] = parse_page({**PAGE, "descriptions": [{**ABOUT, "tradable": flag}]}).held
    assert not held.tradable


TWO = [ROW, {**ROW, "assetid": "78"}]


@pytest.mark.parametrize(
    "descriptions",
    [
        [{**ABOUT, "assetid": "78", "tradable": 0}, {**ABOUT, "assetid": "77", "tradable": 1}],
        [{**ABOUT, "tradable": 1}, {**ABOUT, "tradable": 0}],
    ],
    ids=["named by asset", "in the assets' order"],
)
def test_two_assets_of_one_class_each_have_their_own_description(descriptions: list[dict[str, Any]]) -> None:
    held = parse_page({**PAGE, "assets": TWO, "descriptions": descriptions}).held
    assert [(each.asset.asset_id, each.tradable) for each in held] == [("77", True), ("78", False)]


def test_descriptions_that_cannot_be_told_apart_make_nothing_tradable_that_one_calls_bound() -> None:
    said = [{**ABOUT, "tradable": 1}, {**ABOUT, "tradable": 0}, {**ABOUT, "tradable": 1}]
    assert not any(each.tradable for each in parse_page({**PAGE, "assets": TWO, "descriptions": said}).held)


def test_items_of_other_apps_are_no_part_of_an_exchange() -> None:
    other = {**MOVED, "appid": 440, "assetid": "900"}
    currency = {"appid": 99900, "contextid": "2", "currencyid": "1", "amount": "5"}
    exchange = Exchange.parse({**EXCHANGE, "assets_received": [other, currency, MOVED]})
    assert [(each.asset_id, each.given) for each in exchange.moved] == [("77", True), ("77", False)]
    assert (exchange.others, exchange.complete) == (2, True)


def test_an_exchange_that_could_not_be_read_in_full_is_never_complete() -> None:
    assert not Exchange.parse({**EXCHANGE, "time_settlement": "soon"}).complete
    assert not Exchange.parse({**EXCHANGE, "assets_given": [{**MOVED, "assetid": None}]}).complete


def test_a_hold_that_steam_does_not_tell_is_not_none() -> None:
    with pytest.raises(BadShape):
        Hold.parse({"my_escrow": {"escrow_end_duration_seconds": 0}})
    with pytest.raises(BadShape):
        banned_of({"players": []}, [OWNER])
