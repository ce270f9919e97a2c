"""Dear items are read by bots of two hosts: what one host says of a player's items is not enough when they are worth much."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from balancer_http.harness import GOOD, ONE_DATABASE, PLAYER, READY_S, Service, held
from narrowed import payload

from shared import wire
from shared.domain.ids import SteamId
from shared.orders import InventoryOrder, Order, SendOrder
from shared.settings import Settings

pytestmark = ONE_DATABASE

# Of two groups, whose keys lie on two hosts.
NAMES = ("red-1", "red-2", "red-11")


@pytest.fixture
def settings(settings: Settings) -> Settings:
    limits = settings.limits.model_copy(update={"dear_item_cents": 2000})
    return settings.model_copy(update={"limits": limits})


@pytest.fixture
async def two_hosts(service: Service) -> Service:
    service.bots.names = NAMES
    service.bots.egress = {"red-11": "host-b"}
    async with asyncio.timeout(READY_S):
        while len(service.ctx.fleet.online()) < len(NAMES) or len(service.ctx.fleet.lanes) < 2:
            await asyncio.sleep(0.02)
    return service


def readings(service: Service) -> list[Order]:
    return [order for order in service.bots.orders if order.kind == "inventory" and payload(order, InventoryOrder).trade_token]


async def refused(service: Service, *asset_ids: str) -> dict[str, Any]:
    answer = await service.call("POST", "/deposit", service.deposit_body(*asset_ids))
    problem: dict[str, Any] = await answer.json()
    assert answer.status == 503, problem
    assert problem["retryable"] is True
    return problem


async def alarms(service: Service) -> list[dict[str, Any]]:
    events = (await (await service.call("GET", "/events?limit=500")).json())["events"]
    return [row["data"] for row in events if row["kind"] == "alarm"]


async def test_a_dear_deposit_is_read_by_bots_of_two_hosts(two_hosts: Service) -> None:
    await two_hosts.deposit("1", "2")
    first, second = readings(two_hosts)
    assert {first.bot == "red-11", second.bot == "red-11"} == {True, False}
    assert [payload(each, InventoryOrder).second for each in (first, second)] == [False, True]


async def test_a_cheap_deposit_is_read_once(two_hosts: Service) -> None:
    await two_hosts.deposit("1")
    assert len(readings(two_hosts)) == 1


async def test_two_deposits_share_the_two_readings(two_hosts: Service) -> None:
    body = two_hosts.deposit_body("1", "2")
    answers = await asyncio.gather(*(two_hosts.call("POST", "/deposit", body, key="same") for _ in range(5)))
    assert {answer.status for answer in answers} == {201}
    assert len(readings(two_hosts)) == 2


@pytest.mark.parametrize("liars", [("red-1", "red-2"), ("red-11",)])
async def test_what_one_host_makes_up_is_not_booked(two_hosts: Service, liars: tuple[str, ...]) -> None:
    """The example: with the keys of one host somebody calls a colluding player's cheap item the dearest of all."""
    service = two_hosts
    made_up = [held(1, GOOD), held(2, GOOD)]
    service.bots.inventories[PLAYER] = [held(1, "Case", class_id="7"), held(2, "Case", class_id="7")]
    service.bots.lies = {bot: {PLAYER: made_up} for bot in liars}
    # Whoever lies is asked first, or second; the honest first reading is a cheap one, and nothing is booked dear.
    for _ in range(6):
        answer = await service.call("POST", "/deposit", service.deposit_body("1", "2"))
        body = await answer.json()
        if answer.status == 503:
            break
        assert all(item["value_cents"] == 55 for trade in body["trades"] for item in trade["items"])
        for trade in body["trades"]:
            await service.report("offer_declined", trade, {"offer_id": trade["offer_id"], "state": 7})
            await service.until(trade["trade_id"], "declined")
        service.ctx.inventories.forget(SteamId(int(PLAYER)))
    else:
        pytest.fail("the host that lies was never asked first")
    assert (body["code"], body["actor"], body["retryable"]) == ("readings_differ", "operator", True)
    [alarm] = await alarms(service)
    assert (alarm["alarm"], len(alarm["bots"])) == ("readings_differ", 2)
    assert set(alarm["bots"]) & {"red-11"}
    assert set(alarm["bots"]) & {"red-1", "red-2"}
    assert {(each["asset_id"], each["field"]) for each in alarm["readings"]} >= {("1", "market_hash_name"), ("2", "class_id")}
    assert not [row for row in service.bots.orders if row.kind == "send" and len(payload(row, SendOrder).take) != 2]


@pytest.mark.parametrize(
    "lie",
    ["inventory_private", [], [held(1, GOOD), held(2, GOOD, wear="0.9")], [held(1, GOOD), held(2, GOOD, amount=2)]],
    ids=["private", "empty", "wear", "amount"],
)
async def test_whatever_the_second_host_says_otherwise_is_a_contradiction(two_hosts: Service, lie: Any) -> None:
    """Whichever host is asked second says something else: both are named, and the next request reads both anew."""
    service = two_hosts
    service.bots.lies_second = {PLAYER: lie}
    assert (await refused(service, "1", "2"))["code"] == "readings_differ"
    [alarm] = await alarms(service)
    assert len(set(alarm["bots"])) == 2
    assert alarm["readings"]
    service.bots.lies_second = {}
    await service.deposit("1", "2")
    assert len(readings(service)) == 4


async def test_a_second_reading_that_fails_for_the_moment_is_no_alarm(two_hosts: Service) -> None:
    service = two_hosts
    service.bots.lies_second = {PLAYER: "inventory_unavailable"}
    assert (await refused(service, "1", "2"))["code"] == "inventory_unavailable"
    assert await alarms(service) == []


async def test_while_the_other_host_is_away_dear_items_wait(two_hosts: Service) -> None:
    """Known, but not online: to go on with one host's word would be what somebody with that host waits for."""
    service = two_hosts
    service.bots.names = NAMES[:2]
    await asyncio.to_thread(service.ctx.redis.delete, wire.heartbeat_key("red-11"))
    async with asyncio.timeout(READY_S):
        while len(service.ctx.fleet.online()) == len(NAMES):
            await asyncio.sleep(0.02)
    assert (await refused(service, "1", "2"))["code"] == "no_second_reader"
    await service.deposit("3")


async def test_a_fleet_with_one_host_takes_them_and_says_so(service: Service) -> None:
    await service.deposit("1", "2")
    assert len(readings(service)) == 1
    capacity = (await (await service.call("GET", "/bots")).json())["capacity"]
    assert capacity["groups"] == 1


async def test_a_group_that_an_operator_has_paused_is_no_second_host(two_hosts: Service) -> None:
    assert (await two_hosts.call("POST", "/bots/red/11/pause", {})).status == 200
    await two_hosts.deposit("1", "2")
    assert [order.bot for order in readings(two_hosts) if order.bot == "red-11"] == []
