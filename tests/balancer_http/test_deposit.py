"""`POST /deposit`: what comes back, and what is refused without leaving a row."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from balancer_http.harness import GOOD, OTHER, OTHER_URL, PLAYER, READY_S, TRADE_URL, Service, assert_fits, held, items_of

from shared.domain.ids import SteamId


async def test_every_offer_is_there_when_201_comes(service: Service) -> None:
    response = await service.call("POST", "/deposit", service.deposit_body("1", "2", message="Welcome"))
    body = await response.json()
    assert response.status == 201, body
    trade = body["trades"][0]
    assert_fits(body, "Trades")
    assert (trade["direction"], trade["status"], trade["steam_id"]) == ("deposit", "sent", PLAYER)
    assert trade["offer_id"].startswith("7") and trade["bot"] in ("red-1", "red-2")
    assert len(trade["token"]) == 22
    assert trade["verify_url"] == f"http://127.0.0.1:8420/verify/{trade['token']}"
    assert [(item["asset_id"], item["value_cents"], item["deposit_status"]) for item in items_of(trade)] == [
        ("1", 1200, "deposit_pending"),
        ("2", 1200, "deposit_pending"),
    ]
    assert trade["currency"] == "USD"


async def test_202_when_the_bot_is_slow(service: Service) -> None:
    service.bots.sends = ""
    response = await service.call("POST", "/deposit?wait=0.1", service.deposit_body("1"))
    body = await response.json()
    assert response.status == 202
    assert body["trades"][0]["offer_id"] is None
    assert body["trades"][0]["token"]


async def test_the_trade_token_of_the_player_is_never_shown(service: Service) -> None:
    response = await service.call("POST", "/deposit", service.deposit_body("1"))
    assert response.status == 201
    assert TRADE_URL[-8:] not in await response.text()


async def test_same_key_and_body_give_the_same_trade_as_it_is_now(service: Service) -> None:
    first = await (await service.call("POST", "/deposit", service.deposit_body("1", "2"), key="k1")).json()
    rows = await service.rows()
    shuffled = dict(reversed(service.deposit_body("1", "2").items()))
    again = await service.call("POST", "/deposit", shuffled, key="k1")
    body = await again.json()
    assert again.status == 201
    assert [trade["trade_id"] for trade in body["trades"]] == [trade["trade_id"] for trade in first["trades"]]
    assert body["trades"][0]["token"] == first["trades"][0]["token"]
    assert await service.rows() == rows


async def test_a_repeat_needs_no_inventory(service: Service) -> None:
    await service.call("POST", "/deposit", service.deposit_body("1"), key="k1")
    reads = service.bots.reads
    service.bots.failures[PLAYER] = "inventory_private"
    assert (await service.call("POST", "/deposit", service.deposit_body("1"), key="k1")).status == 201
    assert service.bots.reads == reads


async def test_another_body_under_the_same_key_is_refused(service: Service) -> None:
    await service.call("POST", "/deposit", service.deposit_body("1"), key="k1")
    response = await service.call("POST", "/deposit", service.deposit_body("2"), key="k1")
    assert (response.status, (await response.json())["code"]) == (422, "idempotency_mismatch")


async def test_keys_of_two_sites_are_apart(service: Service) -> None:
    await service.add_client("other", "trade")
    first = await (await service.call("POST", "/deposit", service.deposit_body("1"), key="k1")).json()
    response = await service.call("POST", "/deposit", service.deposit_body("2"), key="k1", client="other")
    body = await response.json()
    assert response.status == 201
    assert body["trades"][0]["trade_id"] != first["trades"][0]["trade_id"]


async def test_assets_may_be_named_in_full(service: Service) -> None:
    whole = {"app_id": 730, "context_id": "2", "asset_id": "4"}
    trade = await service.deposit("3", whole, {"asset_id": "5"})
    assert [item["asset_id"] for item in items_of(trade)] == ["3", "4", "5"]


async def test_the_color_is_kept(service: Service) -> None:
    assert (await service.deposit("1", color="red"))["color"] == "red"
    response = await service.call("POST", "/deposit", service.deposit_body("2", color="blue"))
    assert (response.status, (await response.json())["code"]) == (503, "no_bot_available")


BAD_BODIES: dict[str, tuple[dict[str, Any], int, str, str | None]] = {
    "user_id missing": ({"user_id": None}, 400, "invalid_request", "body.user_id"),
    "user_id a number": ({"user_id": 17}, 400, "invalid_request", "body.user_id"),
    "user_id empty": ({"user_id": ""}, 400, "invalid_request", "body.user_id"),
    "steam_id missing": ({"steam_id": None}, 400, "invalid_request", "body.steam_id"),
    "steam_id a number": ({"steam_id": int(PLAYER)}, 400, "invalid_request", "body.steam_id"),
    "steam_id of a group": ({"steam_id": "10358279100000000"}, 400, "invalid_request", "body.steam_id"),
    "trade_url missing": ({"trade_url": None}, 400, "invalid_request", "body.trade_url"),
    "trade_url of another host": (
        {"trade_url": TRADE_URL.replace("steamcommunity", "steamcornmunity")},
        400,
        "invalid_request",
        "body.trade_url",
    ),
    "trade_url with a short token": ({"trade_url": TRADE_URL[:-1]}, 400, "invalid_request", "body.trade_url"),
    "trade_url of another player": ({"trade_url": OTHER_URL}, 422, "foreign_trade_url", None),
    "asset_ids missing": ({"asset_ids": None}, 400, "invalid_request", "body.asset_ids"),
    "asset_ids empty": ({"asset_ids": []}, 400, "invalid_request", "body.asset_ids"),
    "asset_ids of text": ({"asset_ids": "1"}, 400, "invalid_request", "body.asset_ids"),
    "an asset id as a number": ({"asset_ids": ["1", 2]}, 400, "invalid_request", "body.asset_ids[1]"),
    "an asset without id": ({"asset_ids": [{"app_id": 730}]}, 400, "invalid_request", "body.asset_ids[0].asset_id"),
    "an asset twice": ({"asset_ids": ["1", "2", "1"]}, 400, "invalid_request", "body.asset_ids[2]"),
    "too many assets": ({"asset_ids": [str(n) for n in range(1, 22)]}, 400, "invalid_request", "body.asset_ids"),
    "unknown field": ({"steamid": PLAYER}, 400, "invalid_request", "body.steamid"),
    "color with a capital": ({"color": "Red"}, 400, "invalid_request", "body.color"),
    "message with a line break": ({"message": "a\nb"}, 400, "invalid_request", "body.message"),
    "message too long": ({"message": "x" * 120}, 422, "message_too_long", None),
    "unknown asset": ({"asset_ids": ["1", "404"]}, 422, "unknown_asset", None),
    "another app": ({"asset_ids": [{"app_id": 570, "asset_id": "1"}]}, 422, "item_not_accepted", None),
    "the protected context": ({"asset_ids": [{"context_id": "16", "asset_id": "1"}]}, 422, "unknown_asset", None),
}


async def test_refused_with_its_own_code_and_no_row(service: Service) -> None:
    for name, (changes, status, code, field) in BAD_BODIES.items():
        body = {**service.deposit_body("1"), **changes}
        body = {key: value for key, value in body.items() if value is not None}
        before = await service.rows()
        response = await service.call("POST", "/deposit?wait=0", body)
        problem = await response.json()
        assert (response.status, problem["code"]) == (status, code), (name, problem)
        assert response.headers["Content-Type"] == "application/problem+json"
        if field is not None:
            assert field in [error["field"] for error in problem["errors"]], name
        assert await service.rows() == before, name


REASONS = {
    "souvenir": held(90, "Souvenir AWP | Dragon Lore (Factory New)"),
    "below_minimum": held(91, "Sticker | Cheap"),
    "no_value": held(92, "Nobody knows what this is worth"),
    "not_tradable": held(93, tradable=False),
    "amount": held(94, amount=3),
}


@pytest.mark.parametrize("reason", REASONS)
async def test_items_that_are_not_taken(service: Service, reason: str) -> None:
    service.bots.inventories[PLAYER].append(REASONS[reason])
    asset_id = REASONS[reason].asset.asset_id
    before = await service.rows()
    response = await service.call("POST", "/deposit", service.deposit_body("1", asset_id))
    problem = await response.json()
    assert (response.status, problem["code"], problem["reason"]) == (422, "item_not_accepted", reason)
    assert problem["assets"] == [{"asset_id": asset_id, "reason": reason}]
    assert problem["actor"] == "player" and problem["player_message"]
    assert await service.rows() == before


FAILURES = {
    "inventory_private": (422, "inventory_private", "player"),
    "partner_banned": (422, "partner_banned", "player"),
    "partner_hold": (422, "partner_hold", "player"),
    "trade_url_wrong": (422, "trade_url_wrong", "player"),
    "steam_throttled": (503, "steam_throttled", "steam"),
    "steam_maintenance": (503, "steam_maintenance", "steam"),
    "anything_else": (503, "inventory_unavailable", "steam"),
}


@pytest.mark.parametrize("told", FAILURES)
async def test_an_inventory_that_cannot_be_read(service: Service, told: str) -> None:
    service.bots.failures[PLAYER] = told
    before = await service.rows()
    response = await service.call("POST", "/deposit", service.deposit_body("1"))
    problem = await response.json()
    assert (response.status, problem["code"], problem["actor"]) == FAILURES[told]
    assert problem["retryable"] is (response.status == 503)
    assert ("Retry-After" in response.headers) is (response.status == 503)
    assert await service.rows() == before


async def test_a_hold_is_told_before_an_offer_is_made(service: Service) -> None:
    service.bots.hold_days = 15
    before = await service.rows()
    response = await service.call("POST", "/deposit", service.deposit_body("1"))
    problem = await response.json()
    assert (response.status, problem["code"], problem["hold_days"]) == (422, "partner_hold", 15)
    assert "15 days" in problem["player_message"]
    assert await service.rows() == before


async def test_over_the_players_limit(service: Service) -> None:
    limit = service.ctx.settings.limits.inventory_limit
    service.bots.inventories[PLAYER] = [held(number) for number in range(1, limit + 30)]
    for start in range(1, limit, 20):
        response = await service.call(
            "POST", "/deposit?wait=0", service.deposit_body(*[str(n) for n in range(start, start + 20)], color="red")
        )
        problem = await response.json()
        if response.status not in (201, 202):
            break
        for trade in problem["trades"]:
            await service.accepted(await service.until(trade["trade_id"], "sent"))
    before = await service.rows()
    over = await service.call("POST", "/deposit", service.deposit_body("201", "202"))
    assert (over.status, (await over.json())["code"]) == (422, "inventory_full")
    assert await service.rows() == before


async def test_an_asset_in_a_live_trade_is_refused(service: Service) -> None:
    await service.deposit("1")
    before = await service.rows()
    response = await service.call("POST", "/deposit", service.deposit_body("1", "2"))
    assert (response.status, (await response.json())["code"]) == (409, "asset_in_trade")
    assert await service.rows() == before


async def test_a_user_is_bound_to_his_steam_account(service: Service) -> None:
    await service.deposit("1")
    service.bots.inventories[OTHER] = [held(500)]
    before = await service.rows()
    body = {**service.deposit_body("500"), "steam_id": OTHER, "trade_url": OTHER_URL}
    response = await service.call("POST", "/deposit", body)
    assert (response.status, (await response.json())["code"]) == (409, "user_mismatch")
    assert await service.rows() == before


async def test_too_many_open_deposits_of_one_player(service: Service) -> None:
    """The refusal says what there is too much of, and whose limit it is."""
    limit = service.ctx.settings.limits.pending_deposits_per_player_max
    for number in range(1, limit + 1):
        await service.deposit(str(number))
    response = await service.call("POST", "/deposit", service.deposit_body("20"))
    problem = await response.json()
    assert (response.status, problem["code"], problem["reason"]) == (422, "too_many_offers", "pending_deposits")
    assert (problem["limit"], problem["have"], problem["whose_limit"]) == (limit, limit, "service")
    assert str(limit) in problem["player_message"]


async def test_the_inventory_is_read_once_for_many_requests_and_anew_after_a_deposit(service: Service) -> None:
    refused = service.deposit_body("404")
    for _ in range(3):
        await service.call("POST", "/deposit", refused)
    assert service.bots.reads == 2  # an item that is not there is looked for among the untradable ones too
    await service.deposit("1")
    assert service.bots.reads == 2
    await service.call("POST", "/deposit", refused)
    assert service.bots.reads == 4


async def test_an_accepted_deposit_makes_the_inventory_be_read_anew(service: Service) -> None:
    trade = await service.deposit("1")
    await service.call("POST", "/deposit", service.deposit_body("404"))
    service.bots.inventories[PLAYER] = [held(number, GOOD) for number in range(2, 31)]
    await service.accepted(trade)
    # The trade is seen accepted as soon as that is written; whoever waits, and what is remembered, is told a moment later.
    async with asyncio.timeout(READY_S):
        while service.ctx.inventories.known(SteamId(PLAYER), TRADE_URL[-8:]):
            await asyncio.sleep(0.02)
    response = await service.call("POST", "/deposit", service.deposit_body("1"))
    assert (response.status, (await response.json())["code"]) == (422, "unknown_asset")


async def kinds(service: Service) -> dict[str, Any]:
    """What the catalogue knows, by name."""
    rows = (await (await service.call("GET", "/items")).json())["items"]
    return {row["market_hash_name"]: row for row in rows}


async def test_a_kind_that_a_price_list_named_first_gets_its_looks_from_the_first_deposit(service: Service) -> None:
    """Whoever binds or shows an item later shows its picture; a price list has none."""
    icon = "https://community.akamai.steamstatic.com/economy/image/abc"
    before = await kinds(service)
    assert (before[GOOD]["icon_url"], before[GOOD]["color"]) == ("", "")
    looks = {"icon_url": icon, "icon_url_large": icon, "color": "d32ce6", "type": "Classified Rifle"}
    service.bots.inventories[PLAYER] = [held(1, **looks)]
    await service.deposit("1")
    after = await kinds(service)
    assert {name: after[GOOD][name] for name in looks} == looks
    assert after[GOOD]["value_cents"] == before[GOOD]["value_cents"]
