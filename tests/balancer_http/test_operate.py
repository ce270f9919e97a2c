"""Kill switches, approvals, blocked users, stories, bad keys and slow requests, over HTTP."""

from __future__ import annotations

import asyncio
from typing import Any

from balancer_http.harness import PLAYER, TRADE_URL, Service
from sqlalchemy import update

from balancer.db import tables
from shared.settings import Settings


def with_settings(service: Service, section: str, **values: Any) -> None:
    """Change settings of the running balancer."""
    settings: Settings = service.ctx.settings
    changed = getattr(settings, section).model_copy(update=values)
    service.ctx.settings = settings.model_copy(update={section: changed})


async def settled(service: Service, *asset_ids: str) -> list[str]:
    """Deposits that may be given back."""
    trade = await service.accepted(await service.deposit(*asset_ids))
    ids = [item["deposit_id"] for item in trade["items"]]
    now = service.ctx.clock.now()
    change = update(tables.deposits).where(tables.deposits.c.deposit_id.in_(ids)).values(settled_at=now)
    await service.ctx.db.run(lambda connection: connection.execute(change).rowcount)
    return ids


def body(ids: list[str], **more: Any) -> dict[str, Any]:
    return {"user_id": "player-1", "steam_id": PLAYER, "trade_url": TRADE_URL, "deposit_ids": ids, **more}


async def json_of(response: Any) -> Any:
    return response.status, await response.json()


async def test_a_switch_stops_new_trades_until_it_is_turned_back(service: Service) -> None:
    switch = {"switch": "deposits", "paused": True, "reason": "looking at prices"}
    status, answer = await json_of(await service.call("POST", "/switches", switch))
    assert (status, answer["paused"][0]["who"], answer["steam_maintenance"]) == (200, "client:site", False)
    before = await service.rows()
    response = await service.call("POST", "/deposit", service.deposit_body("1"))
    status, problem = await json_of(response)
    assert (status, problem["code"], problem["actor"], problem["retryable"]) == (503, "fleet_paused", "operator", True)
    assert response.headers["Retry-After"] and problem["reason"] == "looking at prices"
    assert await service.rows() == before
    assert (await json_of(await service.call("GET", "/switches")))[1]["paused"][0]["switch"] == "deposits"
    await service.call("POST", "/switches", {"switch": "deposits", "paused": False})
    assert (await service.deposit("1"))["status"] == "sent"


async def test_one_clients_withdrawals_are_stopped_and_shown(service: Service) -> None:
    await service.add_client("other", "trade", "read")
    ids = await settled(service, "1")
    switch = {"switch": "withdrawals", "client": "site", "paused": True, "reason": "a key was stolen"}
    status, answer = await json_of(await service.call("POST", "/switches", switch))
    assert (status, answer["paused"][0]["switch"], answer["paused"][0]["client"]) == (200, "withdrawals", "site")
    status, problem = await json_of(await service.call("POST", "/withdraw", body(ids)))
    assert (status, problem["code"], problem["reason"]) == (503, "fleet_paused", "a key was stolen")
    assert (await service.call("POST", "/withdraw", body(ids), client="other")).status == 201
    for wrong in ({"client": "nobody"}, {"switch": "deposits"}):
        status, problem = await json_of(await service.call("POST", "/switches", switch | wrong))
        assert (status, problem["code"]) == (404, "not_found")
    await service.call("POST", "/switches", switch | {"paused": False})
    assert (await json_of(await service.call("GET", "/switches")))[1]["paused"] == []


async def test_a_limit_of_what_goes_out_pauses_and_tells_the_site(service: Service) -> None:
    with_settings(service, "limits", fleet_withdrawals_max=1)
    first, second = await settled(service, "1"), await settled(service, "2")
    assert (await service.call("POST", "/withdraw", body(first))).status == 201
    status, problem = await json_of(await service.call("POST", "/withdraw", body(second)))
    assert (status, problem["code"], problem["actor"], problem["reason"]) == (
        503,
        "fleet_paused",
        "operator",
        "fleet_withdrawals_max",
    )
    assert (await json_of(await service.call("GET", "/switches")))[1]["paused"][0]["who"] == "limits"


async def test_operators_calls_need_the_scope(service: Service) -> None:
    await service.add_client("plain", "trade", "read")
    before = await service.rows()
    for method, path, data in (
        ("POST", "/switches", {"switch": "deposits", "paused": True}),
        ("GET", "/approvals", None),
        ("POST", "/approvals/trd_1/approve", None),
        ("POST", "/users/player-1/unblock", None),
        ("POST", "/deposits/dep_1/thaw", {"reason": "seen"}),
        ("POST", "/deposits/dep_1/decision", {"decision": "release", "reason": "seen"}),
        ("POST", "/trade/trd_1/doubt", {"offer_id": None, "reason": "looked"}),
    ):
        status, problem = await json_of(await service.call(method, path, data, client="plain"))
        assert (status, problem["code"]) == (403, "scope_missing"), path
    assert await service.rows() == before


async def test_a_dear_withdrawal_needs_another_client_and_shows_it(service: Service) -> None:
    with_settings(service, "limits", approval_above_cents=1000)
    await service.add_client("boss", "operate", "read")
    ids = await settled(service, "1")
    status, answer = await json_of(await service.call("POST", "/withdraw?wait=20", body(ids)))
    [trade] = answer["trades"]
    assert (status, trade["status"], trade["approval_needed"], trade["waits_for"]) == (202, "queued", True, "approval")
    listed = await json_of(await service.call("GET", "/approvals", client="boss"))
    assert [one["trade_id"] for one in listed[1]["trades"]] == [trade["trade_id"]]
    path = f"/approvals/{trade['trade_id']}"
    status, problem = await json_of(await service.call("POST", f"{path}/approve"))
    assert (status, problem["code"]) == (403, "own_request")
    status, approved = await json_of(await service.call("POST", f"{path}/approve", client="boss"))
    assert (status, approved["approval_needed"]) == (200, False)
    assert (await service.until(trade["trade_id"], "sent"))["offer_id"]
    status, problem = await json_of(await service.call("POST", f"{path}/reject", client="boss"))
    assert (status, problem["code"]) == (409, "too_late")
    story = (await json_of(await service.call("GET", f"/trade/{trade['trade_id']}/story")))[1]["story"]
    kinds = [step["kind"] for step in story]
    assert kinds[:3] == ["trade_created", "withdrawal_approved", "withdrawal_released"]
    assert story[1]["who"] == "client:boss" and "waits for its approval" in story[0]["text"]


async def test_withdraw_when_settled_waits_and_can_be_canceled(service: Service) -> None:
    trade = await service.accepted(await service.deposit("1"))
    ids = [item["deposit_id"] for item in trade["items"]]
    status, problem = await json_of(await service.call("POST", "/withdraw", body(ids)))
    assert (status, problem["code"]) == (409, "item_unsettled") and "settles_at" in problem
    status, answer = await json_of(await service.call("POST", "/withdraw", body(ids, when_settled=True)))
    [waits] = answer["trades"]
    assert (status, waits["waits_for"], waits["next_try_at"] is not None) == (202, "settlement", True)
    status, canceled = await json_of(await service.call("POST", f"/trade/{waits['trade_id']}/cancel"))
    assert (status, canceled["status"], canceled["items"][0]["deposit_status"]) == (200, "canceled", "active")
    assert not [order for order in service.bots.orders if order.trade_id == waits["trade_id"]]


async def test_a_blocked_player_is_told_and_unblocked(service: Service) -> None:
    trade = await service.accepted(await service.deposit("1"))
    await service.report("exchange_reversed", trade, {"exchange_id": "5001", "exchange_status": 12})
    await service.until(trade["trade_id"], "reversed")
    before = await service.rows()
    status, problem = await json_of(await service.call("POST", "/deposit", service.deposit_body("2")))
    assert (status, problem["code"], problem["actor"]) == (409, "partner_blocked", "operator")
    assert await service.rows() == before
    status, answer = await json_of(await service.call("POST", "/users/player-1/unblock"))
    assert (status, answer) == (200, {"user_id": "player-1", "blocked": False, "livemode": True})
    status, problem = await json_of(await service.call("POST", "/users/player-1/unblock"))
    assert (status, problem["code"]) == (404, "not_found")
    assert (await service.deposit("2"))["status"] == "sent"


async def test_an_operators_word_about_a_doubt(service: Service) -> None:
    service.bots.sends = "answer_lost"
    response = await service.call("POST", "/deposit?wait=0", service.deposit_body("1"))
    [made] = (await response.json())["trades"]
    trade = await service.until(made["trade_id"], "in_doubt")
    path, none = f"/trade/{trade['trade_id']}/doubt", {"offer_id": None, "reason": "I have looked"}
    status, problem = await json_of(await service.call("POST", path, none))
    assert (status, problem["code"], problem["searches_needed"]) == (409, "doubt_too_young", 13)
    for wrong in ({"offer_id": None}, {"reason": "x"}, {"offer_id": "x", "reason": "x"}, {"offer_id": None, "reason": ""}):
        status, problem = await json_of(await service.call("POST", path, wrong))
        assert (status, problem["code"]) == (400, "invalid_request"), wrong
    status, named = await json_of(await service.call("POST", path, {"offer_id": "4711", "reason": "seen on Steam"}))
    assert (status, named["status"]) == (200, "in_doubt")
    await service.report("find_inconclusive", trade, {"reason": "items_not_in_place"})
    enough = update(tables.trades).where(tables.trades.c.trade_id == trade["trade_id"]).values(find_tries=13)
    await service.ctx.db.run(lambda connection: connection.execute(enough).rowcount)
    service.bots.sends = "offer_active"

    async def believed() -> bool:
        status, answer = await json_of(await service.call("POST", path, none))
        return bool(status == 200 and answer["attempt"] == 2)

    async with asyncio.timeout(60):
        while not await believed():  # until the search's word was applied
            await asyncio.sleep(0.05)
    assert (await service.until(trade["trade_id"], "sent"))["offer_id"]
    status, problem = await json_of(await service.call("POST", path, none))
    assert (status, problem["code"]) == (409, "too_late")
    status, problem = await json_of(await service.call("POST", "/trade/trd_none/doubt", none))
    assert (status, problem["code"]) == (404, "not_found")


async def test_a_frozen_item_is_used_again_by_an_operators_word(service: Service) -> None:
    [deposit_id] = await settled(service, "1")
    path, seen = f"/deposits/{deposit_id}/thaw", {"reason": "it lies there"}
    status, problem = await json_of(await service.call("POST", path, seen))
    assert (status, problem["code"]) == (409, "not_frozen")
    freeze = update(tables.deposits).where(tables.deposits.c.deposit_id == deposit_id).values(frozen_by="reversal")
    await service.ctx.db.run(lambda connection: connection.execute(freeze).rowcount)
    status, problem = await json_of(await service.call("POST", path, {"reason": ""}))
    assert (status, problem["code"]) == (400, "invalid_request")
    status, thawed = await json_of(await service.call("POST", path, seen))
    assert (status, thawed["deposit_id"], thawed["frozen_by"]) == (200, deposit_id, None)
    status, problem = await json_of(await service.call("POST", "/deposits/dep_none/thaw", seen))
    assert (status, problem["code"]) == (404, "not_found")


async def test_a_row_that_stays_frozen_is_released_by_two_clients_and_the_bots_reading(service: Service) -> None:
    [deposit_id] = await settled(service, "1")
    path, release = f"/deposits/{deposit_id}/decision", {"decision": "release", "reason": "it lies there"}
    status, problem = await json_of(await service.call("POST", path, release))
    assert (status, problem["code"]) == (409, "not_frozen")
    freeze = update(tables.deposits).where(tables.deposits.c.deposit_id == deposit_id).values(frozen_by="unmatched")
    await service.ctx.db.run(lambda connection: connection.execute(freeze).rowcount)
    for wrong in ({**release, "decision": "keep"}, {**release, "reason": ""}, {**release, "asset_id": "x"}):
        status, problem = await json_of(await service.call("POST", path, wrong))
        assert (status, problem["code"]) == (400, "invalid_request"), wrong
    for _ in range(2):
        status, said = await json_of(await service.call("POST", path, release))
        assert (status, said["decision"], said["agreed_by"]) == (202, "release", None)
    other = update(tables.decisions).values(who="cli:anna")
    await service.ctx.db.run(lambda connection: connection.execute(other).rowcount)
    status, said = await json_of(await service.call("POST", path, release))
    assert (status, said["proposed_by"], said["agreed_by"] is not None) == (202, "cli:anna", True)
    status, problem = await json_of(await service.call("POST", "/deposits/dep_none/decision", release))
    assert (status, problem["code"]) == (404, "not_found")


async def test_story_of_a_trade_that_does_not_exist(service: Service) -> None:
    status, problem = await json_of(await service.call("GET", "/trade/trd_none/story"))
    assert (status, problem["code"]) == (404, "not_found")


async def test_a_request_that_takes_too_long_is_given_up(service: Service) -> None:
    with_settings(service, "balancer", request_max_s=0.05)
    status, problem = await json_of(await service.call("GET", "/events?after=999999999&wait=25"))
    assert (status, problem["code"], problem["retryable"]) == (504, "request_timeout", True)
