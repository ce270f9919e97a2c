"""What is asked of Steam about a player who wants to deposit: bans of many at once, the hold and the inventory once."""

from __future__ import annotations

import asyncio
from typing import Any

from balancer_http.harness import OTHER, OTHER_URL, PLAYER, TRADE_URL, Service, held
from hand_clock import HandClock

from balancer.items.bans import ASKED_MAX, Bans
from shared.domain.ids import SteamId

ME, YOU = SteamId(PLAYER), SteamId(OTHER)


async def ask(service: Service, steam_id: str = PLAYER, trade_url: str = TRADE_URL) -> int:
    return (await service.call("POST", "/inventory", {"steam_id": steam_id, "trade_url": trade_url})).status


def payloads(service: Service) -> list[Any]:
    return [order.payload for order in service.bots.orders if order.kind == "inventory"]


async def test_players_who_come_together_are_asked_for_in_one_call(service: Service) -> None:
    service.bots.inventories[OTHER] = [held(99)]
    assert [*await asyncio.gather(ask(service), ask(service, OTHER, OTHER_URL))] == [200, 200]
    assert sorted(len(each.bans_of) for each in payloads(service)) == [0, 2]


async def test_who_is_known_is_asked_for_no_more_and_the_hold_neither(service: Service) -> None:
    assert await ask(service) == 200
    await service.move_clock(service.ctx.settings.trades.inventory_cache_s + 1)
    assert await ask(service) == 200
    first, second = payloads(service)
    assert (first.bans_of, first.with_hold) == ([PLAYER], True)
    assert (second.bans_of, second.with_hold) == ([], False)


async def test_an_inventory_and_the_deposit_that_follows_share_a_read(service: Service) -> None:
    assert await ask(service) == 200
    await service.deposit("1")
    assert service.bots.reads == 1


async def test_who_is_banned_is_told_so_by_whoever_asked(service: Service) -> None:
    """The one whose order asks, and the other one whose inventory was read meanwhile."""
    service.bots.inventories[OTHER] = [held(99)]
    service.bots.banned = {PLAYER, OTHER}
    assert [*await asyncio.gather(ask(service), ask(service, OTHER, OTHER_URL))] == [422, 422]
    response = await service.call("POST", "/deposit", service.deposit_body("1"))
    assert (response.status, (await response.json())["code"]) == (422, "partner_banned")
    assert service.bots.reads == 2


async def test_a_hold_is_asked_for_each_time(service: Service) -> None:
    service.bots.hold_days = 7
    for _ in range(2):
        await ask(service)
        await service.move_clock(service.ctx.settings.trades.inventory_cache_s + 1)
    assert [each.with_hold for each in payloads(service)] == [True, True]


async def test_an_item_that_was_brought_is_not_asked_for_again(service: Service) -> None:
    """Steam shows inventories late, and another balancer may have read it before."""
    trade = await service.deposit("1")
    await service.accepted(trade)
    before = await service.rows()
    response = await service.call("POST", "/deposit", service.deposit_body("1", "2"))
    problem = await response.json()
    assert (response.status, problem["code"], problem["assets"]) == (422, "unknown_asset", [{"asset_id": "1"}])
    assert await service.rows() == before
    await service.deposit("2")


async def test_words_grow_old_and_are_renewed_in_passing() -> None:
    clock = HandClock()
    bans = Bans(clock, believed_s=100.0, banned_s=10.0)
    assert await bans.to_ask(ME) == [ME]
    bans.answered([ME], {"bans": {PLAYER: False}})
    assert (bans.of(ME), await bans.to_ask(ME)) == (False, [])
    clock.pass_time(60)
    assert await bans.to_ask(YOU) == [YOU, ME]
    bans.answered([YOU, ME], {"bans": {PLAYER: False, OTHER: True}})
    assert (bans.of(ME), bans.of(YOU)) == (False, True)
    clock.pass_time(11)
    assert (bans.of(ME), bans.of(YOU)) == (False, None)
    clock.pass_time(100)
    assert bans.of(ME) is None


async def test_what_makes_no_sense_or_never_comes_is_not_known_and_nobody_waits_for_it() -> None:
    bans = Bans(HandClock(), 100.0, 10.0)
    for data in ({}, {"bans": 5}, {"bans": {PLAYER: "yes"}}, {"bans": {OTHER: False}}):
        assert await bans.to_ask(ME) == [ME]
        waiting = asyncio.create_task(bans.wait(ME))
        await asyncio.sleep(0)
        bans.answered([ME], data)
        assert await waiting is None


async def test_no_more_are_asked_for_than_steam_takes() -> None:
    bans = Bans(HandClock(), 100.0, 10.0)
    many = [SteamId.from_account_id(number) for number in range(1, 150)]
    asked = await asyncio.gather(*(bans.to_ask(each) for each in many))
    assert [len(each) for each in asked if each] == [ASKED_MAX]
