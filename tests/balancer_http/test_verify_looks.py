"""Looks at offers, for those who check tokens: shared by all who ask at once, bounded, and of their own bot only."""

from __future__ import annotations

import asyncio
from typing import Any

from balancer_http.harness import PLAYER, Service
from balancer_http.verifying import check, impatient, look_under_way, no_longer_fresh
from narrowed import payload

from balancer.web import tries
from shared.orders import WatchedTrade, WatchOrder


async def test_all_who_ask_at_once_share_one_look_and_one_of_them_gets_the_yes(service: Service) -> None:
    trade = await service.deposit("1")
    said = await asyncio.gather(*(check(service, trade["token"]) for _ in range(tries.TRIES_MAX)))
    assert sorted(str(one.get("reason")) for one in said) == ["None", *["used"] * (tries.TRIES_MAX - 1)]
    assert len(service.bots.looks) == 1
    await check(service, trade["token"])
    assert len(service.bots.looks) == 1
    await no_longer_fresh(service)
    await check(service, trade["token"])
    assert len(service.bots.looks) == 2


async def test_trades_of_one_bot_that_are_asked_about_together_share_one_look(service: Service) -> None:
    impatient(service, 60.0)
    asked = [WatchedTrade(f"trd_{number}", 1, "t" * 22, PLAYER, str(number), "sent", [], []) for number in range(5)]
    seen = await asyncio.gather(*(service.ctx.sights.of("red-1", trade, 0) for trade in asked))
    assert [sight and (sight.offer_id, sight.status) for sight in seen] == [(str(number), "sent") for number in range(5)]
    [order] = service.bots.looks
    assert [trade.trade_id for trade in payload(order, WatchOrder).trades] == [trade.trade_id for trade in asked]


async def test_a_bot_is_asked_for_one_look_at_a_time(service: Service) -> None:
    """However many players ask: what moves items waits behind one look at most."""
    made = [await service.deposit(str(number)) for number in range(1, 6)]
    impatient(service, 0.6)
    service.bots.blind = ""
    await asyncio.gather(*(check(service, trade["token"]) for trade in made))
    for bot in ("red-1", "red-2"):
        assert len([order for order in service.bots.looks if order.bot == bot]) <= 1


async def test_a_look_under_way_at_another_balancer_is_waited_for(service: Service) -> None:
    trade = await service.deposit("1")
    impatient(service, 60.0)
    service.ctx.redis.set(f"fleet:look:{trade['trade_id']}", "another")
    asking = asyncio.create_task(check(service, trade["token"]))
    await asyncio.sleep(0.1)
    assert service.bots.looks == []
    row = {"trade_id": trade["trade_id"], "offer_id": trade["offer_id"], "sees": "offer_active", "changed_at": None}
    await service.report("looked", trade, {"seen": [row]}, at_ms=service.ctx.server_clock.now_ms())
    assert (await asking)["ok"]
    assert service.bots.looks == []


async def test_an_old_look_that_is_played_again_says_nothing(service: Service) -> None:
    trade = await service.deposit("1")
    impatient(service, 2.0)
    service.bots.blind = ""
    row = {"trade_id": trade["trade_id"], "offer_id": trade["offer_id"], "sees": "offer_active", "changed_at": None}
    asking = asyncio.create_task(check(service, trade["token"]))
    await look_under_way(service)
    await service.report("looked", trade, {"seen": [row]}, at_ms=service.ctx.server_clock.now_ms() - 6000)
    assert (await asking)["reason"] == "cannot_tell"


async def test_a_bots_word_about_another_bots_offer_says_nothing(service: Service) -> None:
    trade = await service.deposit("1")
    impatient(service, 2.0)
    service.bots.blind = ""
    other = {**trade, "bot": "red-2" if trade["bot"] == "red-1" else "red-1"}
    row = {"trade_id": trade["trade_id"], "offer_id": trade["offer_id"], "sees": "offer_active", "changed_at": None}
    asking = asyncio.create_task(check(service, trade["token"]))
    await look_under_way(service)
    await service.report("looked", other, {"seen": [row]}, at_ms=service.ctx.server_clock.now_ms())
    assert (await asking)["reason"] == "cannot_tell"


async def test_a_look_that_makes_no_sense_answers_nobody(service: Service) -> None:
    trade = await service.deposit("1")
    impatient(service, 2.0)
    service.bots.blind = ""
    asking = asyncio.create_task(check(service, trade["token"]))
    await look_under_way(service)
    odd: list[dict[str, Any]] = [{}, {"seen": 5}, {"seen": [1, None, {"trade_id": 1}, {"trade_id": "x" * 99}]}, {"seen": {}}]
    for data in odd:
        await service.report("looked", trade, data, at_ms=service.ctx.server_clock.now_ms())
    assert (await asking)["reason"] == "cannot_tell"
