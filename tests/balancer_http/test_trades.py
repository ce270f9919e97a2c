"""Trades, withdrawals, custody, bots, events: everything that is asked after a deposit."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from balancer_http.harness import (
    BOTS,
    ONE_DATABASE,
    OTHER,
    OTHER_URL,
    PLAYER,
    READY_S,
    TRADE_URL,
    Service,
    assert_fits,
    held,
    items_of,
)
from sqlalchemy import Connection, event, update

from balancer.db import tables
from balancer.journal import events
from balancer.journal.by import By
from balancer.web.handlers import health
from shared import wire


async def settled(service: Service, *asset_ids: str) -> list[str]:
    """Deposits that may be withdrawn."""
    trade = await service.accepted(await service.deposit(*asset_ids))
    assets = [
        {"deposit_id": item["deposit_id"], "asset_id": item["new_asset_id"], "context_id": "2", "matched": "id"}
        for item in trade["items"]
    ]
    await service.report("settled", trade, {"assets": assets})
    await service.until(trade["trade_id"], "settled")
    return [item["deposit_id"] for item in trade["items"]]


def withdraw_body(*deposit_ids: str, **more: Any) -> dict[str, Any]:
    return {"user_id": "player-1", "steam_id": PLAYER, "trade_url": TRADE_URL, "deposit_ids": list(deposit_ids), **more}


async def refusal(response: Any) -> tuple[int, str]:
    return response.status, (await response.json())["code"]


# --- trades ----------------------------------------------------------------------------------------


async def test_an_accepted_trade_shows_the_new_asset_ids(service: Service) -> None:
    trade = await service.accepted(await service.deposit("1", "2"))
    assert_fits(trade, "Trade")
    assert [(item["asset_id"], item["new_asset_id"], item["matched"]) for item in items_of(trade)] == [
        ("1", "90001", "receipt"),
        ("2", "90002", "receipt"),
    ]
    assert trade["items"][0]["deposit_status"] == "active"


async def test_an_unknown_trade_is_not_found(service: Service) -> None:
    assert await refusal(await service.call("GET", "/trade/trd_unknown")) == (404, "not_found")


async def test_trades_by_their_ids_and_by_offer_ids(service: Service) -> None:
    made = [await service.deposit(str(number)) for number in (1, 2, 3)]
    ids = [trade["trade_id"] for trade in made]
    answer = await (await service.call("GET", f"/trade?trade_id={ids[2]}&trade_id={ids[0]}&trade_id=trd_none")).json()
    assert_fits(answer, "TradePage")
    assert [trade["trade_id"] for trade in answer["trades"]] == [ids[2], ids[0]]
    offers = await (await service.call("GET", f"/trade?offer_id={made[1]['offer_id']}")).json()
    assert [trade["trade_id"] for trade in offers["trades"]] == [ids[1]]
    body = {"trade_ids": [ids[0]], "offer_ids": [made[0]["offer_id"], made[2]["offer_id"]]}
    both = await (await service.call("POST", "/trade", body)).json()
    assert_fits(both, "Trades")
    assert [trade["trade_id"] for trade in both["trades"]] == [ids[0], ids[2]]


async def test_pages_of_trades_miss_none(service: Service) -> None:
    ids = [(await service.deposit(str(number)))["trade_id"] for number in (1, 2, 3)]
    seen: list[str] = []
    after = ""
    while True:
        answer = await (await service.call("GET", f"/trade?user_id=player-1&limit=2{after}")).json()
        seen += [trade["trade_id"] for trade in answer["trades"]]
        if answer["next"] is None:
            break
        after = f"&after={answer['next']}"
    assert seen == sorted(ids)


async def test_trades_by_status(service: Service) -> None:
    await service.accepted(await service.deposit("1"))
    sent = await service.deposit("2")
    answer = await (await service.call("GET", "/trade?status=sent")).json()
    assert [trade["trade_id"] for trade in answer["trades"]] == [sent["trade_id"]]


@pytest.mark.parametrize(
    "body",
    [{}, {"trade_ids": []}, {"trade_ids": ["x"] * 201}, {"trade_ids": ["x"] * 150, "offer_ids": ["1"] * 51}, {"ids": []}],
)
async def test_a_look_at_none_or_too_many_is_refused(service: Service, body: dict[str, Any]) -> None:
    assert await refusal(await service.call("POST", "/trade", body)) == (400, "invalid_request")


async def test_canceling_is_a_wish(service: Service) -> None:
    trade = await service.deposit("1")
    path = f"/trade/{trade['trade_id']}/cancel"
    response = await service.call("POST", path)
    assert response.status == 200
    wished = await response.json()
    assert wished["cancel_requested"] and wished["status"] == "sent"
    rows = await service.rows()
    assert (await service.call("POST", path)).status == 200
    assert await service.rows() == rows
    await service.report("offer_canceled", trade, {"offer_id": trade["offer_id"], "state": 6})
    assert (await service.until(trade["trade_id"], "canceled"))["items"][0]["deposit_status"] == "deposit_failure"
    again = await service.call("POST", path)
    assert (again.status, (await again.json())["status"]) == (200, "canceled")


async def test_canceling_an_unknown_trade(service: Service) -> None:
    assert await refusal(await service.call("POST", "/trade/trd_unknown/cancel")) == (404, "not_found")


async def test_canceling_an_accepted_trade_is_too_late(service: Service) -> None:
    trade = await service.accepted(await service.deposit("1"))
    assert await refusal(await service.call("POST", f"/trade/{trade['trade_id']}/cancel")) == (409, "too_late")


# --- withdrawals -------------------------------------------------------------------------------------


async def test_a_withdrawal_goes_out(service: Service) -> None:
    deposits = await settled(service, "1", "2")
    response = await service.call("POST", "/withdraw", withdraw_body(*deposits))
    body = await response.json()
    assert response.status == 201, body
    assert_fits(body, "Trades")
    trade = body["trades"][0]
    assert (trade["direction"], trade["status"]) == ("withdraw", "sent")
    assert {item["deposit_status"] for item in trade["items"]} == {"withdraw_pending"}
    assert trade["token"] and TRADE_URL[-8:] not in str(body)


async def test_a_repeated_withdrawal_is_the_same_one(service: Service) -> None:
    deposits = await settled(service, "1")
    first = await (await service.call("POST", "/withdraw", withdraw_body(*deposits), key="w")).json()
    rows = await service.rows()
    again = await (await service.call("POST", "/withdraw", withdraw_body(*deposits), key="w")).json()
    assert again["trades"][0]["trade_id"] == first["trades"][0]["trade_id"]
    assert await service.rows() == rows
    other = await service.call("POST", "/withdraw", withdraw_body(*deposits, message="x"), key="w")
    assert await refusal(other) == (422, "idempotency_mismatch")


async def test_what_may_not_be_withdrawn_leaves_no_row(service: Service) -> None:
    mine = await settled(service, "1")
    unsettled = (await service.accepted(await service.deposit("2")))["items"][0]["deposit_id"]
    service.bots.inventories[OTHER] = [held(700)]
    theirs = await service.deposit("700", user_id="player-2", steam_id=OTHER, trade_url=OTHER_URL)
    theirs = (await service.accepted(theirs))["items"][0]["deposit_id"]
    before = await service.rows()
    for body, expected in (
        (withdraw_body("dep_unknown"), (404, "not_found")),
        (withdraw_body(mine[0], theirs), (403, "not_owner")),
        (withdraw_body(mine[0], unsettled), (409, "item_unsettled")),
        (withdraw_body(mine[0], mine[0]), (400, "invalid_request")),
        (withdraw_body(), (400, "invalid_request")),
        (withdraw_body(*[f"dep_{n}" for n in range(21)]), (400, "invalid_request")),
        (withdraw_body(mine[0], trade_url=OTHER_URL), (422, "foreign_trade_url")),
        (withdraw_body(mine[0], steam_id=OTHER, trade_url=OTHER_URL), (409, "user_mismatch")),
        (withdraw_body(mine[0], message="x" * 120), (422, "message_too_long")),
        (withdraw_body(mine[0], asset_ids=["1"]), (400, "invalid_request")),
    ):
        assert await refusal(await service.call("POST", "/withdraw?wait=0", body)) == expected
    assert await service.rows() == before


@pytest.mark.parametrize(("column", "code"), [("locked_by", "item_locked"), ("frozen_by", "item_frozen")])
async def test_bound_and_frozen_items_stay(service: Service, column: str, code: str) -> None:
    deposits = await settled(service, "1")
    await service.ctx.db.run(lambda connection: connection.execute(update(tables.deposits).values({column: "round-1"})))
    before = await service.rows()
    assert await refusal(await service.call("POST", "/withdraw", withdraw_body(*deposits))) == (409, code)
    assert await service.rows() == before


async def test_a_second_withdrawal_of_the_same_item_is_refused(service: Service) -> None:
    deposits = await settled(service, "1")
    assert (await service.call("POST", "/withdraw", withdraw_body(*deposits))).status == 201
    assert await refusal(await service.call("POST", "/withdraw", withdraw_body(*deposits))) == (409, "asset_in_trade")


# --- custody, inventory, bots, events ------------------------------------------------------------------


async def test_deposits_of_a_user(service: Service) -> None:
    await service.accepted(await service.deposit("1", "2"))
    await service.deposit("3")
    everything = await (await service.call("GET", "/deposits?user_id=player-1")).json()
    assert_fits(everything, "Deposits")
    assert sorted(row["status"] for row in everything["deposits"]) == ["active", "active", "deposit_pending"]
    assert everything["deposits"][0]["touched_at"].endswith("Z")
    active = await (await service.call("GET", "/deposits?user_id=player-1&status=active&limit=1")).json()
    assert len(active["deposits"]) == 1
    rest = await (await service.call("GET", f"/deposits?user_id=player-1&status=active&after={active['next']}")).json()
    assert len(rest["deposits"]) == 1
    assert rest["deposits"][0]["deposit_id"] != active["deposits"][0]["deposit_id"]
    assert (await (await service.call("GET", "/deposits?user_id=nobody")).json())["deposits"] == []


async def test_an_inventory_with_values_and_reasons(service: Service) -> None:
    service.bots.inventories[PLAYER] = [held(1), held(2, "Sticker | Cheap"), held(3, "New thing"), held(4, tradable=False)]
    response = await service.call("POST", "/inventory", {"steam_id": PLAYER, "trade_url": TRADE_URL, "untradable": True})
    body = await response.json()
    assert_fits(body, "Inventory")
    assert [(item["asset_id"], item["value_cents"], item["acceptable"], item["reason"]) for item in body["items"]] == [
        ("1", 1200, True, None),
        ("2", 3, False, "below_minimum"),
        ("3", None, False, "no_value"),
        ("4", 1200, False, "not_tradable"),
    ]
    assert body["hold_days"] == 0 and body["currency"] == "USD"


async def test_many_askers_share_one_read(service: Service) -> None:
    body = {"steam_id": PLAYER, "trade_url": TRADE_URL}
    answers = await asyncio.gather(*(service.call("POST", "/inventory", body) for _ in range(10)))
    assert [answer.status for answer in answers] == [200] * 10
    assert service.bots.reads == 1
    await asyncio.gather(*(service.call("POST", "/inventory", {**body, "untradable": True}) for _ in range(3)))
    assert service.bots.reads == 2  # the public inventory, for what may not be offered


async def test_an_inventory_is_believed_for_a_minute(service: Service) -> None:
    body = {"steam_id": PLAYER}
    await service.call("POST", "/inventory", body)
    await service.call("POST", "/inventory", body)
    assert service.bots.reads == 1
    await service.move_clock(61)
    await service.call("POST", "/inventory", body)
    assert service.bots.reads == 2


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, (400, "invalid_request")),
        ({"steam_id": "1"}, (400, "invalid_request")),
        ({"steam_id": PLAYER, "trade_url": "http://x"}, (400, "invalid_request")),
        ({"steam_id": PLAYER, "trade_url": OTHER_URL}, (422, "foreign_trade_url")),
    ],
)
async def test_bad_inventory_requests_ask_no_bot(service: Service, body: dict[str, Any], expected: tuple[int, str]) -> None:
    assert await refusal(await service.call("POST", "/inventory", body)) == expected
    assert service.bots.reads == 0


async def test_a_read_that_no_bot_answers_ends_in_time(service: Service) -> None:
    service.bots.ignores.add("inventory")
    times = service.ctx.inventories.settings.trades.model_copy(update={"inventory_wait_s": 0.5})
    service.ctx.inventories.settings = service.ctx.inventories.settings.model_copy(update={"trades": times})
    response = await service.call("POST", "/inventory", {"steam_id": PLAYER})
    assert await refusal(response) == (503, "inventory_unavailable")


async def test_bots_and_what_is_wanted_of_them(service: Service) -> None:
    body = await (await service.call("GET", "/bots")).json()
    assert_fits(body, "Bots")
    assert [(bot["bot"], bot["state"], bot["mode"]) for bot in body["bots"]] == [
        ("red-1", "online", "active"),
        ("red-2", "online", "active"),
    ]
    for action, mode in (("pause", "paused"), ("drain", "draining"), ("resume", "active"), ("resume", "active")):
        response = await service.call("POST", f"/bots/red/1/{action}")
        bot = await response.json()
        assert_fits(bot, "Bot")
        assert (bot["bot"], bot["mode"]) == ("red-1", mode)
    listed = await (await service.call("GET", "/events?kind=bot_mode")).json()
    assert [(event["bot"], event["who"], event["data"]["from"], event["data"]["to"]) for event in listed["events"]] == [
        ("red-1", "client:site", "active", "paused"),
        ("red-1", "client:site", "paused", "draining"),
        ("red-1", "client:site", "draining", "active"),
    ]  # the second `resume` changed nothing


async def test_no_such_bot_or_action(service: Service) -> None:
    assert await refusal(await service.call("POST", "/bots/red/77/pause")) == (404, "not_found")
    assert await refusal(await service.call("POST", "/bots/red/1/sell")) == (400, "invalid_request")
    assert await refusal(await service.call("POST", "/bots/red/x/pause")) == (400, "invalid_request")


async def test_with_all_bots_paused_nothing_is_taken(service: Service) -> None:
    await service.call("POST", "/inventory", {"steam_id": PLAYER, "trade_url": TRADE_URL})
    for number in (1, 2):
        await service.call("POST", f"/bots/red/{number}/pause")
    while (before := await service.rows())["events"] < 4:  # that they were paused, and that they may take nothing now
        await asyncio.sleep(0.05)
    response = await service.call("POST", "/deposit", service.deposit_body("1"))
    problem = await response.json()
    assert (response.status, problem["code"], problem["retryable"]) == (503, "no_bot_available", True)
    assert int(response.headers["Retry-After"]) >= 1
    assert await service.rows() == before


async def test_events_are_read_on_without_a_gap(service: Service) -> None:
    await service.accepted(await service.deposit("1"))
    numbers: list[int] = []
    after = 0
    while True:
        page = await (await service.call("GET", f"/events?after={after}&limit=2")).json()
        assert_fits(page, "Events")
        if not page["events"]:
            break
        numbers += [event["number"] for event in page["events"]]
        after = page["next"]
    assert numbers == sorted(set(numbers)) and len(numbers) >= 3
    assert page["next"] == after


@ONE_DATABASE
async def test_half_a_surrogate_pair_of_a_report_is_shown_as_it_is(service: Service) -> None:
    """A bot may say anything; UTF-8 cannot write this, JSON can."""
    row = events.row("order_failed", {"reason": "\ud800"}, By("red-1", service.ctx.clock.now()))
    before = (await (await service.call("GET", "/events?limit=500")).json())["next"]
    await service.ctx.db.run(events.append, row)
    page = await (await service.call("GET", f"/events?after={before}")).json()
    assert_fits(page, "Events")
    assert {"reason": "\ud800"} in [event["data"] for event in page["events"]]


async def test_waiting_for_the_next_event(service: Service) -> None:
    last = (await (await service.call("GET", "/events?limit=500")).json())["next"]
    waiting = asyncio.create_task(service.call("GET", f"/events?after={last}&wait=25"))
    await service.deposit("1")
    page = await (await waiting).json()
    assert page["events"] and page["next"] > last
    async with asyncio.timeout(READY_S):
        while page["events"]:  # what the deposit's bot tells comes a little later
            page = await (await service.call("GET", f"/events?after={page['next']}&wait=0.5")).json()
    assert page == {"events": [], "next": page["next"], "livemode": True}


# --- health ------------------------------------------------------------------------------------------


async def test_alive_and_ready(service: Service) -> None:
    alive = await service.client.get("/healthz")
    assert (alive.status, await alive.json()) == (200, {"status": "ok", "livemode": True})
    body = await service.until_ready()
    assert_fits(body, "Readiness")
    assert body["checks"]["bots"]["online"] == 2


@ONE_DATABASE
async def test_not_ready_while_the_disk_takes_no_writes(service: Service) -> None:
    """SQLite may have no page more, which it tells as it tells a full disk; reading goes on."""
    probe, database = service.app[health.LOOPS].probe, service.ctx.db
    pages = [1_000_000]

    @event.listens_for(database.engine, "checkout")
    def _limit(connection: Any, *_: object) -> None:
        connection.execute(f"PRAGMA max_page_count = {pages[-1]}")

    def no_page_more(connection: Connection) -> None:
        """The row is gone, and what it leaves free is taken by another table."""
        connection.exec_driver_sql("DELETE FROM probes")
        for _ in range(5):
            free = connection.exec_driver_sql("PRAGMA freelist_count").scalar()
            connection.exec_driver_sql("CREATE TABLE IF NOT EXISTS ballast (filler BLOB)")
            connection.exec_driver_sql("INSERT INTO ballast VALUES (zeroblob(?))", (4096 * (free or 0),))
        pages.append(connection.exec_driver_sql("PRAGMA page_count").scalar() or 0)

    def is_full(body: dict[str, Any]) -> bool:
        full = {"ok": False, "error": "DatabaseUnavailable", "reason": "disk"}
        return not body["ready"] and body["checks"]["database"] == full

    await service.until_ready()
    await database.run(no_page_more)
    await probe.round(database)
    await service.until_ready(is_full)
    assert (await service.call("GET", "/deposits")).status == 200
    pages.pop()
    await probe.round(database)
    await service.until_ready()


async def test_not_ready_when_a_loop_has_stopped_everywhere(service: Service) -> None:
    """Another balancer leads, or so it seems, and does nothing."""
    client, led = service.ctx.redis, ["watching", "sweep", "audits"]
    body: dict[str, Any] = {}
    async with asyncio.timeout(READY_S):
        while not body or body["checks"]["loops"]["late"] != led:  # a round that was under way may still end well
            for name in led:
                client.set(wire.leader_key(name), "somebody else")
                client.set(wire.ran_key(name), service.ctx.server_clock.now_ms() - 86_400_000)
            body = await (await service.client.get("/readyz")).json()
    assert not body["ready"]
    assert body["checks"]["loops"]["last_ran_s"]["sweep"] >= 86_400
    client.delete(*(wire.leader_key(name) for name in led))
    await service.until_ready()


async def test_not_ready_without_bots(service: Service) -> None:
    service.bots.silent = True
    async with asyncio.timeout(READY_S):
        while (await service.client.get("/readyz")).status == 200:
            # Again each time: a heartbeat that was on its way may come after the first.
            await asyncio.to_thread(service.ctx.redis.delete, *(wire.heartbeat_key(bot) for bot in BOTS))
            await asyncio.sleep(0.05)
    body = await service.until_ready(lambda body: bool(body["checks"]["database"]["ok"]))
    assert not body["ready"] and not body["checks"]["bots"]["ok"]
