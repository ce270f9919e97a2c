"""Reads of players' inventories: what is asked of Steam for whom, in which turn, through which address."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest
from aiohttp import ClientResponse
from balancer_http.harness import BOTS, ONE_DATABASE, PLAYER, READY_S, TRADE_URL, Service

from balancer.fleet import reads
from balancer.fleet.reads import Lane, Turns
from shared import wire
from shared.domain.ids import SteamId
from shared.errors import NoBotAvailable
from shared.settings import Settings

pytestmark = ONE_DATABASE


@pytest.fixture
def limits() -> dict[str, dict[str, Any]]:
    return {}


@pytest.fixture
def settings(settings: Settings, limits: dict[str, dict[str, Any]]) -> Settings:
    changed = {name: getattr(settings, name).model_copy(update=values) for name, values in limits.items()}
    return settings.model_copy(update=changed)


def only(**sections: dict[str, Any]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("limits", [sections])


async def look(service: Service, steam_id: str, token: str | None = None) -> ClientResponse:
    body = {"steam_id": steam_id} | ({"trade_url": TRADE_URL.replace("AbCd_123", token)} if token else {})
    return await service.call("POST", "/inventory", body)


def player(number: int) -> str:
    return str(76561198000001000 + number)


async def heard(service: Service, lanes: int) -> None:
    """Until the balancer knows so many addresses, as slow as the bots say now."""
    async with asyncio.timeout(READY_S):
        while [lane.every_s for lane in service.ctx.fleet.lanes] != [service.bots.read_every_s] * lanes:
            await asyncio.sleep(0.02)


# --- what is asked of Steam ----------------------------------------------------------------------------------------


@only(rates={"player_reads_burst": 5, "player_reads_per_minute": 0.1})
async def test_forty_made_up_trade_tokens_are_not_forty_reads(service: Service) -> None:
    service.bots.failures[PLAYER] = "trade_url_wrong"
    answers = await asyncio.gather(*(look(service, PLAYER, f"Made_{number:03}") for number in range(40)))
    assert Counter(answer.status for answer in answers) == {422: 5, 429: 35}
    assert service.bots.reads == 5
    late = next(answer for answer in answers if answer.status == 429)
    problem = await late.json()
    assert (problem["code"], problem["reason"], problem["actor"]) == ("rate_limited", "player-reads", "player")
    assert 0 < int(late.headers["Retry-After"]) <= 600
    assert (await look(service, player(1))).status == 200


@only(rates={"stranger_reads_burst": 5, "stranger_reads_per_minute": 0.1})
async def test_made_up_players_of_one_key_leave_reads_for_players_who_are_known(service: Service) -> None:
    await service.deposit("1")  # the fifth stranger, who is known from then on
    answers = await asyncio.gather(*(look(service, player(number)) for number in range(40)))
    assert Counter(answer.status for answer in answers) == {200: 4, 429: 36}
    assert service.bots.reads == 5
    late = next(answer for answer in answers if answer.status == 429)
    problem = await late.json()
    assert (problem["code"], problem["reason"], problem["actor"]) == ("rate_limited", "stranger-reads", "site")
    assert 0 < int(late.headers["Retry-After"]) <= 600
    # A known player, what was read a moment ago, and another key's strangers are not held up.
    service.ctx.inventories.forget(SteamId(int(PLAYER)))
    assert (await look(service, PLAYER)).status == 200
    good = next(number for number, answer in enumerate(answers) if answer.status == 200)
    assert (await look(service, player(good))).status == 200
    await service.add_client("other", "read")
    assert (await service.call("POST", "/inventory", {"steam_id": player(99)}, client="other")).status == 200


@pytest.mark.parametrize(
    ("code", "status", "actor"),
    [
        ("unknown_player", 422, "site"),
        ("inventory_private", 422, "player"),
        ("partner_banned", 422, "player"),
        ("trade_url_wrong", 422, "player"),
    ],
)
async def test_what_steam_refuses_is_remembered_for_a_while(service: Service, code: str, status: int, actor: str) -> None:
    service.bots.failures[PLAYER] = code
    for _ in range(10):
        answer = await look(service, PLAYER)
        problem = await answer.json()
        assert (answer.status, problem["code"], problem["actor"], problem["retryable"]) == (status, code, actor, False)
    assert service.bots.reads == 1
    del service.bots.failures[PLAYER]
    service.ctx.clock.offset_s += service.ctx.settings.trades.failure_cache_s + 1
    assert (await look(service, PLAYER)).status == 200


async def test_what_may_be_over_in_a_moment_is_remembered_for_a_moment(service: Service) -> None:
    service.bots.failures[PLAYER] = "inventory_unavailable"
    answers = [await look(service, PLAYER) for _ in range(5)]
    assert {answer.status for answer in answers} == {503}
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 5
    assert service.bots.reads == 1
    del service.bots.failures[PLAYER]
    service.ctx.clock.offset_s += 6
    assert (await look(service, PLAYER)).status == 200


# --- whose turn it is ----------------------------------------------------------------------------------------------


@only(trades={"inventory_wait_s": reads.READ_S + 1.0})
async def test_thirty_players_at_once_all_get_their_inventories_in_turn(service: Service) -> None:
    service.bots.read_every_s = 0.2
    await heard(service, 1)
    busy = []

    async def until_there(number: int) -> None:
        async with asyncio.timeout(READY_S):
            while (answer := await look(service, player(number))).status != 200:
                problem = await answer.json()
                assert (answer.status, problem["code"], problem["actor"]) == (503, "inventory_busy", "operator"), problem
                busy.append(int(answer.headers["Retry-After"]))
                await asyncio.sleep(0.2)

    await asyncio.gather(*(until_there(number) for number in range(30)))
    # Nobody lost a place by asking again, and nobody was read twice.
    assert service.bots.reads == 30
    assert busy, "thirty reads take six seconds, and nobody waits for more than one"
    assert min(busy) >= reads.READ_S
    assert max(busy) <= 0.2 * 30 + reads.READ_S + 1


@only(trades={"inventory_queue_s": 3.0, "inventory_wait_s": 5.0})
async def test_who_would_stand_too_far_behind_is_told_at_once_and_takes_no_turn(service: Service) -> None:
    service.bots.read_every_s = 600.0
    await heard(service, 1)
    assert (await look(service, player(1))).status == 200
    for number in (2, 3):
        answer = await look(service, player(number))
        assert (answer.status, (await answer.json())["code"]) == (503, "inventory_busy")
        assert 590 <= int(answer.headers["Retry-After"]) <= 610
    assert service.bots.reads == 1


async def test_reads_are_spread_over_the_addresses(service: Service) -> None:
    service.bots.egress = {"red-1": "host-a", "red-2": "proxy-b:8080"}
    service.bots.read_every_s = 0.05
    await heard(service, 2)
    assert {(await look(service, player(number))).status for number in range(12)} == {200}
    by_bot = Counter(order.bot for order in service.bots.orders if order.kind == "inventory")
    assert set(by_bot) == set(BOTS)


async def test_an_address_that_steam_throttles_is_left_alone(service: Service) -> None:
    service.bots.egress = {"red-1": "host-a", "red-2": "host-b"}
    service.bots.throttled = {"red-1"}
    await heard(service, 2)
    for number in range(6):
        assert (await look(service, player(number))).status == 200
    by_bot = Counter(order.bot for order in service.bots.orders if order.kind == "inventory")
    assert (by_bot["red-1"], by_bot["red-2"]) == (1, 6)


async def test_steams_own_limit_is_called_steams(service: Service) -> None:
    service.bots.throttled = set(BOTS)
    answer = await look(service, PLAYER)
    problem = await answer.json()
    assert (answer.status, problem["code"], problem["actor"]) == (503, "steam_throttled", "steam")
    assert int(answer.headers["Retry-After"]) > 5


async def test_reads_stand_in_no_queue_twice_while_another_bot_has_none(service: Service) -> None:
    """So an order that moves items stands behind one read at most, in a fleet with enough bots."""
    service.bots.silent = True
    async with asyncio.timeout(READY_S):
        while len(service.ctx.fleet.lanes) != 1:
            await asyncio.sleep(0.02)
    asked = [asyncio.create_task(look(service, player(number))) for number in range(2)]
    async with asyncio.timeout(READY_S):
        while len([order for order in service.bots.orders if order.kind == "inventory"]) < 2:
            await asyncio.sleep(0.02)
    assert {order.bot for order in service.bots.orders if order.kind == "inventory"} == set(BOTS)
    await asyncio.gather(*asked)


async def test_the_fleet_says_what_it_can_serve(service: Service) -> None:
    service.bots.egress = {"red-1": "host-a", "red-2": "host-b"}
    service.bots.read_every_s = 2.0
    await heard(service, 2)
    can = (await (await service.call("GET", "/bots")).json())["capacity"]
    assert (can["reads_per_minute"], can["reads_waiting"]) == (60.0, 0)
    assert {row["address"]: row["reads_per_minute"] for row in can["addresses"]} == {"host-a": 30.0, "host-b": 30.0}
    limits = service.ctx.fleet.limits
    assert (can["slots_free"], can["offers_free"]) == (2 * limits.items_max, 2 * limits.offers_max)
    service.bots.read_every_s = 0.0
    await heard(service, 2)
    assert (await (await service.call("GET", "/bots")).json())["capacity"]["reads_per_minute"] is None


# --- turns alone ---------------------------------------------------------------------------------------------------


async def test_turns_of_several_balancers_follow_each_other(service: Service) -> None:
    lanes = [Lane(f"address-{number}", 100.0, ("red-1",)) for number in range(2)]
    one, other = (Turns(service.ctx.redis) for _ in range(2))
    waits = [(await turns.take(lanes, 1000.0)).wait_s for turns in (one, other, one, other, one, other)]
    assert [round(wait_s / 100) for wait_s in waits] == [0, 0, 1, 1, 2, 2]
    with pytest.raises(NoBotAvailable) as refused:
        await one.take(lanes, 100.0)
    assert 295 < (refused.value.retry_after_s or 0) <= 304
    assert round((await other.take(lanes, 1000.0)).wait_s / 100) == 3  # nothing was taken by who was refused


@pytest.mark.parametrize("junk", ["junk", "-5", "nan", "9" * 20, ""])
async def test_junk_in_redis_holds_no_lane(service: Service, junk: str) -> None:
    lane = Lane("address", 1.0, ("red-1",))
    service.ctx.redis.set(lane.key, junk)
    assert (await Turns(service.ctx.redis).take([lane], 10.0)).wait_s == 0
    service.ctx.redis.delete(lane.key)
    service.ctx.redis.hset(lane.key, "a", "b")
    assert (await Turns(service.ctx.redis).take([lane], 10.0)).wait_s == 0


async def test_a_request_looks_at_some_lanes_only_and_all_have_their_turn(service: Service) -> None:
    lanes = [Lane(f"address-{number}", 1000.0, ("red-1",)) for number in range(3 * reads.LOOKED_AT_MAX)]
    turns = Turns(service.ctx.redis)
    taken = [await turns.take(lanes, 0.5) for _ in range(len(lanes))]
    assert {turn.lane.address for turn in taken} == {lane.address for lane in lanes}
    assert wire.reads_key("x").startswith("fleet:reads:")
