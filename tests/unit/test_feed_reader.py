"""A feed of any shape is prices in whole cents, or a trouble of its own; a bad row leaves the good ones beside it."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as settings_of
from hypothesis import strategies as st
from odd_shapes import VALUES, check, odd_text

from balancer.items.feeds import documents, money, paths, reader, shapes
from balancer.items.price_list import BadPrices, PriceList
from shared.domain import phases

KARAMBIT = "★ Karambit | Doppler (Factory New)"
AK, CASE = "AK-47 | Redline (Field-Tested)", "Fever Case"


def read(document: Any, preset: str = "plain", rate: str = "1", **parts: Any) -> PriceList:
    data = document if isinstance(document, bytes) else json.dumps(document).encode()
    return reader.read(data, shapes.of(preset, parts), Decimal(rate))


# --- paths ----------------------------------------------------------------------------------------------------------

ROW = {"a": {"b": 1, "c.d": 2}, "list": [{"k": "x", "v": 3}, {"k": "y", "v": 4}], "none": None}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("a.b", [1]),
        ('a."c.d"', [2]),
        ("a.*", [1, 2]),
        ("list.*.v", [3, 4]),
        ("list[k=y].v", [4]),
        ("list[k=z].v", []),
        ("none", []),
        ("none|a.b", [1]),
        ("missing | a.b", [1]),
        ("@key", ["key"]),
        ("@", [ROW]),
        ("", [ROW]),
        ("a.b.c", []),
        ("list.v", []),
    ],
)
def test_a_path_finds_what_stands_there(path: str, found: list[Any]) -> None:
    assert paths.parse(path).find(ROW, "key") == found


@pytest.mark.parametrize(
    "path", ["a..b", ".a", "a.", "a[", "a[k]", "a[k=]", 'a."', "a|", "|a", "a**", "@@", "a" * 400, "a]b", "/a"]
)
def test_a_text_that_is_no_path_is_refused(path: str) -> None:
    with pytest.raises(paths.BadPath):
        paths.parse(path)


@given(st.text(max_size=40) | st.text('ab.|*[]="@/ ', max_size=20))
def test_any_text_is_a_path_or_a_bad_one(text: str) -> None:
    try:
        found = paths.parse(text).find(ROW, "key")
    except paths.BadPath:
        return
    assert isinstance(found, list)


# --- money ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "unit", "rate", "cents"),
    [
        ("0.36", "dollars", "1", 36),
        (Decimal("12.345"), "dollars", "1", 1235),  # half a cent goes up
        (Decimal("12.3449999"), "dollars", "1", 1234),
        (Decimal("0.005"), "dollars", "1", 1),
        (Decimal(1234), "cents", "1", 1234),
        (1234, "cents", "1", 1234),
        (Decimal(1234), "mills", "1", 123),
        (Decimal(1235), "mills", "1", 124),
        (Decimal("10.10"), "dollars", "1.0825", 1093),  # 1093.325
        (Decimal("0.1") + Decimal("0.2"), "dollars", "1", 30),
        ("99999999.99", "dollars", "1", 9_999_999_999),
    ],
)
def test_a_price_is_rounded_once_to_the_nearest_cent(value: Any, unit: str, rate: str, cents: int) -> None:
    assert money.cents_of(value, money.UNITS[unit] * Decimal(rate)) == cents


@pytest.mark.parametrize(
    "value", [None, "", "null", "None", Decimal(0), Decimal(-1), "0", "0.00", Decimal("0.0049"), Decimal("1e-999999")]
)
def test_nothing_is_no_price(value: Any) -> None:
    with pytest.raises(money.NoPrice):
        money.cents_of(value, Decimal(100))


@pytest.mark.parametrize(
    "value",
    [
        "free",
        "-1",
        "1,5",
        "1e3",
        "$5",
        "１",
        "9" * 30,
        True,
        [],
        {},
        Decimal("NaN"),
        Decimal("Infinity"),
        Decimal("1e30"),
        5.0,
        10**30,
    ],
)
def test_what_is_no_price_is_bad(value: Any) -> None:
    with pytest.raises(money.BadPrice):
        money.cents_of(value, Decimal(100))


# --- the well-known shapes -----------------------------------------------------------------------------------------------

KNOWN: list[tuple[str, Any, dict[str, int]]] = [
    (
        "skinport",
        [
            {"market_hash_name": AK, "currency": "USD", "suggested_price": 13.18, "min_price": 11.33, "quantity": 25},
            {"market_hash_name": CASE, "currency": "USD", "suggested_price": 0.8, "min_price": None, "quantity": 0},
            {"market_hash_name": "Nobody's", "currency": "USD", "suggested_price": None, "min_price": None, "quantity": 0},
            {"market_hash_name": "Euro's", "currency": "EUR", "suggested_price": 5, "min_price": 4},
        ],
        {AK: 1133, CASE: 80},
    ),
    (
        "market_csgo",
        {"success": True, "time": 1, "currency": "USD", "items": [{"market_hash_name": AK, "volume": "9", "price": "11.3"}]},
        {AK: 1130},
    ),
    (
        "csgotrader",
        {
            AK: {"price": 12.5},
            KARAMBIT: {"price": 900.0, "doppler": {"Phase 1": 850, "Ruby": 4000.5, "Phase 3": "null"}},
            CASE: None,
        },
        {AK: 1250, KARAMBIT: 85_000, f"{KARAMBIT} - Phase 1": 85_000, f"{KARAMBIT} - Ruby": 400_050},
    ),
    (
        "csgotrader_market",
        {
            AK: {"starting_at": {"price": 9.5}, "highest_order": {"price": 9}},
            KARAMBIT: {"starting_at": {"price": 1, "doppler": None}},
        },
        {AK: 950, KARAMBIT: 100},
    ),
    (
        "csgotrader_steam",
        {AK: {"last_24h": 15, "last_7d": 14.2}, CASE: {"last_7d": None, "last_30d": 1}},
        {AK: 1420, CASE: 100},
    ),
    ("csgotrader_skinport", {AK: {"starting_at": 12.5, "suggested_price": 12}}, {AK: 1200}),
    ("csgotrader_names", {AK: "11.05", CASE: 0.9, "x": "null"}, {AK: 1105, CASE: 90}),
    (
        "pricempire",
        [
            {
                "market_hash_name": AK,
                "prices": [{"provider_key": "steam", "price": 1500}, {"provider_key": "buff163", "price": 1066}],
            }
        ],
        {AK: 1066},
    ),
    (
        "pricempire_v3",
        {AK: {"liquidity": 90, "buff163": {"price": 1066, "count": 3}}, CASE: {"buff": {"price": 90}}},
        {AK: 1066, CASE: 90},
    ),
    (
        "steamanalyst",
        [
            {"market_name": AK, "avg_price_7_days": "10.50", "avg_price_7_days_raw": 10.5, "phases": 0},
            {
                "market_name": KARAMBIT,
                "suggested_amount_avg_raw": 1200,
                "phases": {"p1": {"min": 1, "avg": 900}, "ruby": {"avg": 5000}},
            },
        ],
        {AK: 1050, KARAMBIT: 90_000, f"{KARAMBIT} - Phase 1": 90_000, f"{KARAMBIT} - Ruby": 500_000},
    ),
    ("plain", {AK: 1234}, {AK: 1234}),
    ("plain", {"source": "x", "prices": {AK: 1234, CASE: 0}}, {AK: 1234}),
]


@pytest.mark.parametrize(("preset", "document", "cents"), KNOWN)
def test_the_well_known_feeds_are_read(preset: str, document: Any, cents: dict[str, int]) -> None:
    assert read(document, preset).cents == cents


def test_each_preset_is_read_by_a_test() -> None:
    assert {preset for preset, _, _ in KNOWN} | {"table"} == set(shapes.PRESETS)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_table_is_read_line_by_line(delimiter: str) -> None:
    lines = [
        ["market_hash_name", "price", "note"],
        [AK, "11.50", "x"],
        ['"unclosed', "5.00", "x"],
        [CASE, "0.8", '"a ""b"" c"'],
        ["short", "1"],
        ["shifted", "a", "9.00", "x"],
        ["free", "none", ""],
        ["odd", "cheap", ""],
    ]
    found = read("\r\n".join(delimiter.join(line) for line in lines).encode("utf-8-sig"), "table")
    assert found.cents == {AK: 1150, CASE: 80}
    assert found.left_out == {"row": 3, "no_price": 1, "value": 1}


@pytest.mark.parametrize("data", [b"", b"name,price\nx,1", b"market_hash_name,price,price\nx,1,2", b"\xff\xfe", b"\x00" * 9])
def test_what_is_no_such_table_is_refused(data: bytes) -> None:
    with pytest.raises(BadPrices):
        read(data, "table")


# --- what is left out, and what is refused -------------------------------------------------------------------------------


def test_a_bad_row_leaves_the_good_ones_beside_it() -> None:
    bad = (
        b'"a":-1,"b":"free","c":[],"d":1e400,"e":'
        + b"9" * 5000
        + b',"f":NaN,"":5,"g\\u0000":5,"h":true,"i":null,"same":9,"same":7'
    )
    found = read(b'{"prices":{' + bad + b',"Good":1}}')
    assert found.cents == {"Good": 1, "same": 7}
    assert found.left_out == {"no_price": 2, "value": 6, "name": 2}


def test_a_row_in_which_a_field_is_there_twice_says_nothing() -> None:
    rows = (
        b'[{"market_hash_name":"A","price":1,"price":2},{"market_hash_name":"B","market_hash_name":"C","price":1},'
        b'{"market_hash_name":"D","price":3}]'
    )
    found = read(rows, "market_csgo", rows="@", currency_at="")
    assert (found.cents, found.left_out) == ({"D": 300}, {"no_price": 1, "name": 1})


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[1]",
        b"null",
        b"5",
        b'{"status":503}',
        b'{"prices":{}}',
        b"<html>",
        b"[" * 100_000,
        b"\xff",
        b'{"prices":[]}',
    ],
)
def test_what_holds_no_prices_is_refused(data: bytes) -> None:
    with pytest.raises(BadPrices):
        read(data) if data != b'{"status":503}' else read(data, "csgotrader")


def test_more_values_than_any_list_has_are_refused_before_they_cost_memory() -> None:
    with pytest.raises(BadPrices, match="values"):
        read(b"[" + b"[]," * documents.VALUES_MAX + b"0]")
    with pytest.raises(BadPrices, match="rows"):
        read(b"[" + b"0," * documents.ROWS_MAX + b"0]")
    with pytest.raises(BadPrices, match="lines"):
        read(b"market_hash_name,price\n" * (documents.ROWS_MAX + 2), "table")


def test_another_currency_than_was_told_is_refused() -> None:
    document = {"currency": "RUB", "items": [{"market_hash_name": AK, "price": "900"}]}
    with pytest.raises(BadPrices, match="currency"):
        read(document, "market_csgo")
    assert read(document, "market_csgo", currency="RUB", rate="0.0125").cents == {AK: 1125}


@pytest.mark.parametrize(
    ("said", "at"),
    [
        (1_700_000_000, 1_700_000_000.0),
        (1_700_000_000_500, 1_700_000_000.5),
        ("2023-11-14T22:13:20Z", 1_700_000_000.0),
        ("2023-11-14T23:13:20+01:00", 1_700_000_000.0),
        ("2023-11-14 22:13:20", 1_700_000_000.0),
        *((None, None), ("yesterday", None), ("", None), (0, None), (-5, None), (10**39, None), (1e400, None), (True, None)),
        *(([], None), ({}, None), ("9" * 5000, None)),
    ],
)
def test_a_list_says_what_time_it_is_from_or_nothing(said: Any, at: float | None) -> None:
    document = {"time": said, "items": [{"market_hash_name": AK, "price": "1"}]}
    assert read(document, "market_csgo").at == at
    assert read({AK: 1}).at is None
    bomb = b'{"time":1e999999999,"items":[{"market_hash_name":"a","price":1},{"market_hash_name":"b","price":1e999999999}]}'
    assert (read(bomb, "market_csgo").at, read(bomb, "market_csgo").cents) == (None, {"a": 100})


# --- phases ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "phase"),
    [
        ("★ Karambit | Doppler (Factory New) - Ruby", "Ruby"),
        ("★ Karambit | Doppler (Factory New) Phase 2", "Phase 2"),
        ("★ Karambit | Doppler (Factory New) - Phase 4", "Phase 4"),
        ("★ Karambit | Doppler Phase 1 (Factory New)", "Phase 1"),
        ("★ Karambit | Doppler (Black Pearl) (Factory New)", "Black Pearl"),
        ("★ Karambit | Doppler Sapphire (Factory New)", "Sapphire"),
    ],
)
def test_a_name_with_a_phase_is_steams_name_and_the_phase(name: str, phase: str) -> None:
    assert phases.split(name) == (KARAMBIT, phase)


@pytest.mark.parametrize(
    "name", [KARAMBIT, "Ruby", "Sticker | Doppler Poison Frog (Foil)", "Glock-18 | Gamma Doppler (Factory New)", ""]
)
def test_a_name_without_one_stays(name: str) -> None:
    assert phases.split(name) is None


PHASED = [
    {"market_hash_name": f"{KARAMBIT} - Ruby", "price": "4000"},
    {"market_hash_name": f"{KARAMBIT} - Phase 2", "price": "800.5"},
    {"market_hash_name": KARAMBIT, "price": "900"},
    {"market_hash_name": "Twice", "price": "2"},
    {"market_hash_name": "Twice", "price": "3"},
    {"market_hash_name": AK, "price": "11"},
    {"market_hash_name": AK, "price": "11.00"},
]


def test_of_several_prices_of_a_name_the_lowest_counts_and_each_phase_has_its_own() -> None:
    of_phases = {f"{KARAMBIT} - Ruby": 400_000, f"{KARAMBIT} - Phase 2": 80_050}
    assert read({"items": PHASED}, "market_csgo").cents == {KARAMBIT: 80_050, "Twice": 200, AK: 1100, **of_phases}


def test_phases_that_stand_beside_a_name_are_read_however_they_are_spelled() -> None:
    told = {
        "Phase 1": 900,
        "phase2": 950,
        "p3": 930,
        "blackpearl": 3000,
        "Ruby": "5000",
        "Opal": 1,
        "min": 0.5,
        "Sapphire": None,
    }
    found = read({KARAMBIT: {"price": 880, "doppler": told}}, "csgotrader").cents
    cents = {"Phase 1": 90_000, "Phase 2": 95_000, "Phase 3": 93_000, "Black Pearl": 300_000, "Ruby": 500_000}
    assert found == {KARAMBIT: 50, **{f"{KARAMBIT} - {phase}": each for phase, each in cents.items()}}


def test_names_with_several_prices_can_be_left_out() -> None:
    found = read({"items": PHASED}, "market_csgo", phases="leave_out")
    of_phases = {f"{KARAMBIT} - Ruby": 400_000, f"{KARAMBIT} - Phase 2": 80_050}  # of which nothing is unclear
    assert (found.cents, found.left_out) == ({AK: 1100, **of_phases}, {"phases": 2})
    shapely = {KARAMBIT: {"price": 900, "doppler": {"Phase 1": 900}}, AK: {"price": 1}}
    assert read(shapely, "csgotrader", phases="leave_out").cents == {AK: 100, f"{KARAMBIT} - Phase 1": 90_000}


# --- shapes --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("preset", "parts", "said"),
    [
        ("skinprot", {}, "no preset"),
        ("", {}, "name is missing"),
        ("", {"name": "n"}, "price is missing"),
        ("plain", {"unit": "euros"}, "unit"),
        ("plain", {"row": "x"}, "row is no part"),
        ("plain", {"rows": "a["}, "rows"),
        ("plain", {"price": ["a", "b.."]}, "price"),
    ],
)
def test_a_shape_that_cannot_be_is_refused(preset: str, parts: dict[str, Any], said: str) -> None:
    with pytest.raises(shapes.BadShape, match=said):
        shapes.of(preset, parts)


# --- anything ------------------------------------------------------------------------------------------------------------


def is_good(found: PriceList) -> bool:
    return all(
        type(cents) is int and 0 < cents <= money.VALUE_MAX_CENTS and name.strip() for name, cents in found.cents.items()
    )


def test_a_feed_of_any_shape_is_prices_or_bad_ones(shapes: int) -> None:
    def one(case: tuple[str, bytes]) -> None:
        preset, content = case
        try:
            found = read(content, preset)
        except BadPrices:
            return
        assert is_good(found)

    cases = [st.tuples(st.just(preset), odd_text(document)) for preset, document, _ in KNOWN]
    count = 2 * shapes  # for all presets together
    assert check(st.one_of(cases), one, count) >= count


@given(st.binary(max_size=60) | st.text('ab,;"\t\r\n1.0', max_size=60).map(str.encode))
def test_a_table_of_any_bytes_is_prices_or_bad_ones(tail: bytes) -> None:
    found = read(b"market_hash_name,price\nGood,1.5\n" + tail.replace(b"Good", b""), "table") if _is_text(tail) else None
    assert found is None or (is_good(found) and found.cents["Good"] == 150)


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        with pytest.raises(BadPrices):
            read(b"market_hash_name,price\nGood,1.5\n" + data, "table")
        return False
    return True


@settings_of(max_examples=200, deadline=None)
@given(
    st.lists(
        st.one_of(VALUES, st.dictionaries(st.sampled_from(["market_hash_name", "price", "currency", "x"]), VALUES)), max_size=8
    )
)
def test_whatever_rows_stand_beside_them_good_rows_stay(rows: list[Any]) -> None:
    good = [{"market_hash_name": f"Good {number}", "price": "1.25"} for number in range(3)]
    found = read({"items": [good[0], *rows, good[1], *rows, good[2]]}, "market_csgo")
    assert is_good(found)
    assert [found.cents[f"Good {number}"] for number in range(3)] == [125, 125, 125]


def test_a_list_as_long_as_a_real_one_is_read_whole() -> None:
    """A real one, where it lies beside the repository."""
    path = Path(__file__).parents[3] / "shared" / "data" / "cs2-prices.json"
    made = {"prices": {f"Item {number}": number + 1 for number in range(35_000)}}
    found = read(path.read_bytes() if path.exists() else made)
    assert len(found.cents) > 10_000 and is_good(found) and not found.left_out
