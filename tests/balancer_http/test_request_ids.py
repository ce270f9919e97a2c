"""Each request has an id: in its answer, in its trades' first event, and in the orders to workers that read it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from balancer_http.harness import READY_S, Service, assert_fits
from sqlalchemy import update

from balancer.db.tables import trades
from balancer.journal import opening
from balancer.upkeep import sweep
from shared import request_ids
from shared.orders import NEW_FIELDS

MINE = "shop-4711.a_b"


async def asked(service: Service, given: str | None, path: str = "/trade/none") -> tuple[str, Any]:
    """The id in the header of the answer, and its body."""
    answer = await service.call("GET", path, headers={} if given is None else {"X-Request-Id": given})
    return answer.headers["X-Request-Id"], await answer.json()


async def test_a_well_formed_id_is_taken_and_is_in_the_problem(service: Service) -> None:
    in_header, problem = await asked(service, MINE)
    assert (in_header, problem["request_id"], problem["status"]) == (MINE, MINE, 404)
    assert_fits(problem, "Problem")
    in_header, body = await asked(service, MINE, "/bots")
    assert in_header == MINE and "request_id" not in body


@pytest.mark.parametrize("given", [None, "", "short", "x" * 65, "-begins-so", "a b c d e f", "<script>alert", "é" * 10])
async def test_no_other_text_comes_back(service: Service, given: str | None) -> None:
    first, problem = await asked(service, given)
    second, _ = await asked(service, given)
    assert request_ids.is_well_formed(first) and first not in (given, second)
    assert problem["request_id"] == first


@pytest.mark.parametrize("reads", [True, False], ids=["new", "of the release before"])
async def test_it_travels_to_a_worker_that_reads_it(service: Service, reads: bool) -> None:
    for bot in service.bots.names:
        service.bots.told[bot] = {"reads": list(NEW_FIELDS) if reads else []}
    await service.until_ready(lambda _: all(service.ctx.fleet.reads(bot, "request_id") is reads for bot in service.bots.names))
    answer = await service.call("POST", "/deposit", service.deposit_body("1"), headers={"X-Request-Id": MINE})
    body = await answer.json()
    assert answer.status == 201, body
    trade_id = body["trades"][0]["trade_id"]
    kinds = {order.kind: order.request_id for order in service.bots.orders if order.kind in ("send", "inventory")}
    assert kinds == dict.fromkeys(("send", "inventory"), MINE if reads else None)
    assert await service.ctx.db.read(opening.asked_by, [trade_id]) == {trade_id: MINE}
    assert await service.ctx.db.read(opening.made_by, MINE) == [trade_id]
    assert await service.ctx.db.read(opening.made_by, "shop-4711xaxb") == []


async def test_an_order_that_is_given_again_is_for_the_same_request_and_a_cancel_for_its_own(service: Service) -> None:
    for bot in service.bots.names:
        service.bots.told[bot] = {"reads": list(NEW_FIELDS)}
    await service.until_ready(lambda _: all(service.ctx.fleet.reads(bot, "request_id") for bot in service.bots.names))
    service.bots.sends = ""
    answer = await service.call("POST", "/deposit?wait=0.01", service.deposit_body("1"), headers={"X-Request-Id": MINE})
    trade = (await answer.json())["trades"][0]
    due = update(trades).values(next_try_at=service.ctx.clock.now())
    await service.ctx.db.run(lambda connection: connection.execute(due).rowcount)
    service.bots.sends = "offer_active"
    assert await sweep.give_orders(service.ctx) == 1
    async with asyncio.timeout(READY_S):
        while (await service.ctx.views.of([trade["trade_id"]]))[0].status != "sent":
            await asyncio.sleep(0.02)
    assert [order.request_id for order in service.bots.orders if order.kind == "send"] == [MINE, MINE]
    await service.call("POST", f"/trade/{trade['trade_id']}/cancel", headers={"X-Request-Id": "the-one-that-cancels"})
    async with asyncio.timeout(READY_S):
        while not (cancels := [order for order in service.bots.orders if order.kind == "cancel"]):
            await asyncio.sleep(0.02)
    assert cancels[0].request_id == "the-one-that-cancels"
