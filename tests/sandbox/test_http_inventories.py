"""Inventories as the sandbox serves them: pages, contexts, what strangers see, and the shapes of each address."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from requests.models import Response
from requests.sessions import Session
from sandbox_lab import Bench, Person
from steampy.client import SteamClient

COMMUNITY = "https://steamcommunity.com"


API = "https://api.steampowered.com"


def inventory(session: Session, steam_id: str, context: int = 2, **query: Any) -> Response:
    asked: dict[str, Any] = {"l": "english", "count": 2000} | query
    return session.get(f"{COMMUNITY}/inventory/{steam_id}/730/{context}", params=asked)


def test_an_inventory_has_assets_descriptions_and_properties(bench: Bench, bot: SteamClient, player: Person) -> None:
    content = inventory(bot._session, player["steam_id"]).json()
    described = {(d["classid"], d["instanceid"]): d for d in content["descriptions"]}
    record = {a["asset_id"]: a for a in bench.control("GET", "/control/record?part=assets")["assets"]}

    assert (content["success"], content["total_inventory_count"], content["rwgrsn"]) == (1, 6, -2)
    assert "more_items" not in content
    assert "last_assetid" not in content
    assert len(described) == len(content["descriptions"])
    for asset in content["assets"]:
        assert isinstance(asset["appid"], int)
        assert all(isinstance(asset[k], str) for k in ("contextid", "assetid", "classid", "instanceid", "amount"))
        description = described[asset["classid"], asset["instanceid"]]
        assert description["market_hash_name"] == record[asset["assetid"]]["market_hash_name"]
        assert description["tradable"] in (0, 1)
    for entry in content["asset_properties"]:
        values = {p["propertyid"]: p for p in entry["asset_properties"]}
        known = record[entry["assetid"]]
        if known["wear"] is not None:
            assert values[1]["int_value"] == str(known["pattern"])
            assert Decimal(values[2]["float_value"]) == Decimal(known["wear"])


def test_an_inventory_is_paged_by_the_last_asset(bench: Bench, bot: SteamClient, player: Person) -> None:
    seen, start = [], None
    for _ in range(3):
        query = {"count": 2} | ({"start_assetid": start} if start else {})
        page = inventory(bot._session, player["steam_id"], **query).json()
        seen += [asset["assetid"] for asset in page["assets"]]
        start = page.get("last_assetid")
    assert start is None
    assert len(set(seen)) == 6


def test_pages_do_not_overlap_when_old_ids_came_back_to_the_front(bench: Bench, bot: SteamClient, player: Person) -> None:
    """A settled item keeps its id and lies in front of newer ones, so order and ids do not agree."""
    me = bot.steam_guard["steamid"]
    offer = bench.deposit(bot, player, bench.stock(player["steam_id"])[:2])["tradeofferid"]
    bench.act(player["steam_id"], offer, "accept")
    bench.control("POST", f"/control/accounts/{me}/items", {"count": 3}, 201)
    bench.advance(604_801)

    seen: list[str] = []
    query: dict[str, Any] = {}
    for _ in range(6):
        page = inventory(bot._session, me, count=2, **query).json()
        seen += [asset["assetid"] for asset in page["assets"]]
        if not page.get("more_items"):
            break
        query = {"start_assetid": page["last_assetid"]}

    assert len(seen) == len(set(seen)) == page["total_inventory_count"] == 9
    assert seen != sorted(seen, key=int, reverse=True)


def test_an_empty_inventory_has_no_lists(bench: Bench, bot: SteamClient) -> None:
    someone = bench.control("POST", "/control/accounts", {"kind": "player"}, 201)

    assert inventory(bot._session, someone["steam_id"]).json() == {
        "total_inventory_count": 0,
        "success": 1,
        "rwgrsn": -2,
    }


@pytest.mark.parametrize("count", [2001, 5000, 0, -1])
def test_a_count_out_of_range_is_400_null(bench: Bench, bot: SteamClient, player: Person, count: int) -> None:
    answer = inventory(bot._session, player["steam_id"], count=count)

    assert (answer.status_code, answer.content) == (400, b"null")


def test_a_private_inventory_is_403_null_but_not_for_its_owner(bench: Bench, bot: SteamClient, player: Person) -> None:
    bench.patch(player["steam_id"], private=True)
    bench.patch(bot.steam_guard["steamid"], private=True)

    answer = inventory(bot._session, player["steam_id"])
    assert (answer.status_code, answer.content) == (403, b"null")
    assert inventory(bot._session, bot.steam_guard["steamid"]).json()["success"] == 1
    assert inventory(bench.session(), bot.steam_guard["steamid"]).status_code == 403


@pytest.fixture
def delivered(bench: Bench, bot: SteamClient, player: Person) -> dict[str, Any]:
    """The record of an item that the bot has just got."""
    wanted = bench.stock(player["steam_id"])[0]
    offer = bench.deposit(bot, player, [wanted])["tradeofferid"]
    bench.act(player["steam_id"], offer, "accept")
    assets = bench.control("GET", "/control/record?part=assets")["assets"]
    return next(a for a in assets if a["item_uid"] == wanted["item_uid"])


def test_context_16_is_its_owners_only_and_says_until_when(bench: Bench, bot: SteamClient, delivered: dict[str, Any]) -> None:
    mine = bot.steam_guard["steamid"]
    content = inventory(bot._session, mine, 16, preserve_bbcode=1).json()
    (description,) = content["descriptions"]

    assert content["assets"][0]["assetid"] == delivered["asset_id"]
    assert (description["sealed"], description["sealed_type"], description["tradable"]) == (1, 0, 0)
    assert f"[date]{delivered['protected_until']}[/date]" in description["owner_descriptions"][0]["value"]
    assert "trade-protected" in inventory(bot._session, mine, 16).text
    assert inventory(bench.client("red-2")._session, mine, 16).status_code == 403
    assert inventory(bench.session(), mine, 16).status_code == 403


def test_tradable_in_16_is_a_switch(bench: Bench, bot: SteamClient, delivered: dict[str, Any]) -> None:
    bench.change(tradable_in_16=True)

    assert inventory(bot._session, bot.steam_guard["steamid"], 16).json()["descriptions"][0]["tradable"] == 1


def test_some_protected_items_have_no_properties(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(items_per_player=(12, 12))
    bot, player = bench.client("red-1"), bench.accounts("player")[0]
    offer = bench.deposit(bot, player, bench.stock(player["steam_id"]))["tradeofferid"]
    before = inventory(bot._session, player["steam_id"]).json()
    bench.act(player["steam_id"], offer, "accept")
    after = inventory(bot._session, bot.steam_guard["steamid"], 16).json()

    assert len(after["asset_properties"]) < len(before["asset_properties"])
    assert after["asset_properties"]


def test_items_just_traded_are_hidden_from_others_for_ten_days(
    bench: Bench, bot: SteamClient, player: Person, delivered: dict[str, Any]
) -> None:
    bench.advance(8 * 86400)
    mine = bot.steam_guard["steamid"]
    other = bench.client("red-2")

    def seen(session: Session) -> set[str]:
        return {asset["assetid"] for asset in inventory(session, mine).json()["assets"]}

    assert delivered["asset_id"] in seen(bot._session)
    assert delivered["asset_id"] not in seen(other._session)
    bench.advance(2 * 86400)
    assert delivered["asset_id"] in seen(other._session)


def test_a_partners_inventory_shows_young_items_and_only_tradable_ones(
    bench: Bench, bot: SteamClient, player: Person, delivered: dict[str, Any]
) -> None:
    bench.control("POST", f"/control/accounts/{bot.steam_guard['steamid']}/items", {
        "items": [{"market_hash_name": "AK-47 | Redline (Field-Tested)", "tradable": 0}]
    }, 201)  # fmt: skip
    bench.advance(8 * 86400)
    other = bench.client("red-2")
    url = f"{COMMUNITY}/tradeoffer/new/partnerinventory/"
    query = {"sessionid": other._get_session_id(), "partner": bot.steam_guard["steamid"], "appid": 730, "contextid": 2}
    page = {"Referer": f"{COMMUNITY}/tradeoffer/new/?partner=1"}

    content = other._session.get(url, params=query, headers=page).json()
    assert content["success"] is True
    assert delivered["asset_id"] in content["rgInventory"]
    tradable = {a["asset_id"] for a in bench.stock(bot.steam_guard["steamid"])}
    assert set(content["rgInventory"]) == tradable
    entry = content["rgInventory"][delivered["asset_id"]]
    assert f"{entry['classid']}_{entry['instanceid']}" in content["rgDescriptions"]
    assert (content["more"], content["more_start"]) == (False, False)

    assert other._session.get(url, params=query).status_code == 400
    assert other._session.get(url, params=query | {"sessionid": "x"}, headers=page).status_code == 400
    assert bench.session().get(url, params=query, headers=page).status_code == 401
    assert other._session.get(url, params=query | {"contextid": 16}, headers=page).json()["success"] is False


def test_a_partners_inventory_is_paged_by_offset(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(partner_page_size=4)
    bot, player = bench.client("red-1"), bench.accounts("player")[0]
    url = f"{COMMUNITY}/tradeoffer/new/partnerinventory/"
    query = {"sessionid": bot._get_session_id(), "partner": player["steam_id"], "appid": 730, "contextid": 2}
    page = {"Referer": f"{COMMUNITY}/tradeoffer/new/?partner=1"}

    first = bot._session.get(url, params=query, headers=page).json()
    second = bot._session.get(url, params=query | {"start": first["more_start"]}, headers=page).json()
    assert (len(first["rgInventory"]), first["more"], first["more_start"]) == (4, True, 4)
    assert not second["more"]
    assert not set(first["rgInventory"]) & set(second["rgInventory"])


def test_the_legacy_inventory_has_the_old_shape(bench: Bench, bot: SteamClient, player: Person) -> None:
    url = f"{COMMUNITY}/profiles/{player['steam_id']}/inventory/json/730/2"
    content = bench.session().get(url).json()
    description = next(iter(content["rgDescriptions"].values()))

    assert content["success"] is True
    assert len(content["rgInventory"]) == 6
    assert description["appid"] == "730"
    assert {"category_name", "name"} <= set(description["tags"][0])
    empty = bench.control("POST", "/control/accounts", {"kind": "player"}, 201)["steam_id"]
    content = bench.session().get(f"{COMMUNITY}/profiles/{empty}/inventory/json/730/2").json()
    assert (content["rgInventory"], content["rgDescriptions"]) == ([], [])
    bench.patch(player["steam_id"], private=True)
    assert bench.session().get(url).json() == {"success": False, "Error": "This profile is private."}


def test_ones_own_inventory_is_read_by_token_on_the_api_host(bench: Bench, bot: SteamClient, delivered: dict[str, Any]) -> None:
    mine = bot.steam_guard["steamid"]
    query = {"steamid": mine, "appid": 730, "count": 2000, "get_asset_properties": "true"}

    plain = bench.api(bot, "GetInventoryItemsWithDescriptions", contextid=2, **query)
    sealed = bench.api(bot, "GetInventoryItemsWithDescriptions", contextid=16, get_descriptions=True, **query)
    assert plain["total_inventory_count"] == 4
    assert "descriptions" not in plain
    assert sealed["assets"][0]["assetid"] == delivered["asset_id"]
    assert f"[date]{delivered['protected_until']}" in sealed["descriptions"][0]["owner_descriptions"][0]["value"]
    first = bench.api(bot, "GetInventoryItemsWithDescriptions", contextid=2, **(query | {"count": 3}))
    assert (len(first["assets"]), first["more_items"]) == (3, True)
    rest = bench.api(bot, "GetInventoryItemsWithDescriptions", contextid=2, start_assetid=first["last_assetid"], **query)
    assert len(rest["assets"]) == 1
    assert bench.api(bot, "GetInventoryItemsWithDescriptions", contextid=2, **(query | {"count": 5000})) == {}
    other = bench.accounts("player")[0]["steam_id"]
    assert bench.api(bot, "GetInventoryItemsWithDescriptions", contextid=2, **(query | {"steamid": other})) == {}
    assert bot.adapter.eresult == "15"


def test_a_certificate_is_the_games_own_message_about_the_asset(bench: Bench, bot: SteamClient, player: Person) -> None:
    """Key, message and check as in texts that Steam made; read here by hand, and the same again after the asset has moved."""
    names = ["★ Karambit | Doppler (Factory New) - Sapphire", "StatTrak™ AK-47 | Redline (Field-Tested)"]
    body = {"items": [{"market_hash_name": name, "name_tag": "mine"} for name in names]}
    made = bench.control("POST", f"/control/accounts/{player['steam_id']}/items", body)["assets"]
    page = inventory(bot._session, player["steam_id"]).json()
    told = {row["assetid"]: {each["propertyid"]: each for each in row["asset_properties"]} for row in page["asset_properties"]}
    for asset, (def_index, paint) in zip(made, ((507, 416), (7, None)), strict=True):
        said = told[asset["asset_id"]]
        fields = fields_of(said[6]["string_value"])
        assert said[6]["name"] == "Item Certificate"
        assert (fields[2], fields[3], fields[8]) == (int(asset["asset_id"]), def_index, int(said[1]["int_value"]))
        assert struct.unpack("<f", struct.pack("<I", fields[7]))[0] == pytest.approx(float(asset["wear"]), rel=1e-6)
        assert fields[11] == b"mine" and fields[4] == (paint or fields[4])
    assert {row["market_hash_name"] for row in made} == {"★ Karambit | Doppler (Factory New)", names[1]}


def fields_of(text: str) -> dict[int, Any]:
    sealed = bytes.fromhex(text)
    plain = bytes(byte ^ sealed[0] for byte in sealed)
    message, check = plain[1:-4], int.from_bytes(plain[-4:], "big")
    crc = zlib.crc32(sealed[:1] + message)
    assert check == (crc & 0xFFFF ^ len(message) * crc) & 0xFFFFFFFF
    found: dict[int, Any] = {}
    at = 0

    def number() -> int:
        nonlocal at
        total = shift = 0
        while True:
            byte, at = message[at], at + 1
            total, shift = total | (byte & 0x7F) << shift, shift + 7
            if byte < 0x80:
                return total

    while at < len(message):
        tag = number()
        found[tag >> 3] = number()
        if tag & 7 == 2:
            length = found[tag >> 3]
            found[tag >> 3], at = message[at : at + length], at + length
    return found
