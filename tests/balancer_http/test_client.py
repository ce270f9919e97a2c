"""`fleet_client` against a real balancer: what a site does in a day, by names."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from balancer_http.harness import GOOD, ONE_DATABASE, OTHER, OTHER_URL, PLAYER, TRADE_URL, Service

from fleet_client import AsyncClient, Client, Patience, errors
from fleet_client.calls import AssetRef, Credit, Move

pytestmark = ONE_DATABASE
WHO: dict[str, Any] = {"user_id": "player-1", "steam_id": PLAYER, "trade_url": TRADE_URL}


@pytest.fixture
async def fleet(service: Service) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(str(service.client.make_url("")), service.keys["site"], patience=Patience(0.0, 0.0)) as made:
        yield made


async def test_a_deposit_from_the_inventory_to_the_events(service: Service, fleet: AsyncClient) -> None:
    seen = await fleet.inventory(PLAYER, trade_url=TRADE_URL)
    assert (seen.items[0].market_hash_name, seen.items[0].value_cents, seen.items[0].acceptable) == (GOOD, 1200, True)
    asset_ids: list[str | AssetRef] = ["1", AssetRef("2")]
    (trade,) = (await fleet.deposit(**WHO, asset_ids=asset_ids, wait=25, key="mine", message="Welcome")).trades
    assert trade.status == "sent" and trade.offer_id and trade.token
    (same,) = (await fleet.deposit(**WHO, asset_ids=asset_ids, wait=25, key="mine", message="Welcome")).trades
    assert same.trade_id == trade.trade_id
    with pytest.raises(errors.IdempotencyMismatch):
        await fleet.deposit(**WHO, asset_ids=["3"], key="mine")
    checked = await fleet.verify(trade.token, PLAYER)
    assert checked.ok and checked.offer_id == trade.offer_id and checked.seen_at is not None
    assert (await fleet.verify(trade.token, PLAYER)).reason == "used"
    await service.accepted(await (await service.call("GET", f"/trade/{trade.trade_id}")).json())
    assert (await fleet.trade(trade.trade_id)).items[0].new_asset_id is not None
    kinds = []
    async for event in fleet.listen():
        kinds += [event.kind] if event.trade_id == trade.trade_id else []
        if event.kind == "offer_accepted":
            break
    assert kinds[0] == "trade_created" and "offer_verified" in kinds
    rows = [row async for row in fleet.each_deposit(user_id="player-1")]
    assert {row.asset_id is not None and row.status for row in rows} == {"active"}
    with pytest.raises(errors.ItemUnsettled) as caught:
        await fleet.withdraw(**WHO, deposit_ids=[rows[0].deposit_id])
    assert caught.value.player_message and caught.value.more["settles_at"] is None


@pytest.mark.parametrize("way", ["listen", "poll"])
async def test_the_feed_is_read_on_behind_the_number_that_was_kept(service: Service, fleet: AsyncClient, way: str) -> None:
    for number in (1, 2, 3):
        await fleet.deposit(**WHO, asset_ids=[str(number)], wait=25)
    whole = (await fleet.events(limit=500)).events
    kept = whole[3].number
    found = []
    async for event in getattr(fleet, way)(kept):
        found.append(event.number)
        if event.number == whole[-1].number:
            break
    assert found == [event.number for event in whole[4:]]


async def test_games(service: Service, fleet: AsyncClient) -> None:
    (trade,) = (await fleet.deposit(**WHO, asset_ids=["1", "2"], wait=25)).trades
    await service.accepted(await (await service.call("GET", f"/trade/{trade.trade_id}")).json())
    ids = [item.deposit_id for item in trade.items]
    await fleet.bind_user("player-2", steam_id=OTHER)
    lock = await fleet.lock("bet:1", user_id="player-1", deposit_ids=ids, unsettled=True, note="room/1")
    assert lock.state == "held" and [row.value_cents for row in lock.rows] == [1200, 1200]
    with pytest.raises(errors.ItemLocked):
        await fleet.lock("bet:2", user_id="player-1", deposit_ids=ids, unsettled=True)
    move = Move(ids[0], "player-1", "player-2")
    done = await fleet.transfer(
        "round:1", locks=["bet:1"], moves=[move], release="rest", credits=[Credit("player-2", 31, "rest")]
    )
    assert (done.moved, done.released, len(done.credits)) == (1, [ids[1]], 1)
    assert (await fleet.transfer_of("round:1")).event == done.event
    assert (await fleet.credits("player-2")).balance_cents == 31
    assert [one.ref async for one in fleet.each_lock(state=["used"])] == ["bet:1"]
    assert (await fleet.release("never-seen")).released == []
    with pytest.raises(errors.LockReleased):
        await fleet.lock("never-seen", user_id="player-1", deposit_ids=[ids[1]])


async def test_what_is_wrong_is_told_by_field(fleet: AsyncClient) -> None:
    with pytest.raises(errors.InvalidRequest) as caught:
        await fleet.deposit(user_id="player-1", steam_id="7", trade_url=OTHER_URL, asset_ids=["1"])
    assert caught.value.errors[0]["field"] == "body.steam_id" and OTHER_URL not in str(caught.value)


async def test_an_operator(service: Service, fleet: AsyncClient) -> None:
    assert {bot.bot for bot in (await fleet.bots()).bots} == {"red-1", "red-2"}
    assert (await fleet.change_bot("red", 1, "pause")).mode == "paused"
    assert (await fleet.switch("deposits", paused=True, reason="a test")).paused[0].switch == "deposits"
    await asyncio.sleep(0)
    assert (await fleet.readiness()).ready in (True, False)
    assert (await fleet.health()).status == "ok"
    with pytest.raises(errors.NotFound):
        await fleet.story("trd_00000000000000000000")


async def test_the_client_for_threads_speaks_the_same(service: Service) -> None:
    def day(url: str, key: str) -> list[str]:
        with Client(url, key) as fleet:
            fleet.deposit(**WHO, asset_ids=["1"], wait=25)
            return [trade.status for trade in fleet.each_trade(user_id="player-1")]

    assert await asyncio.to_thread(day, str(service.client.make_url("")), service.keys["site"]) == ["sent"]


async def test_a_key_that_may_only_read(service: Service) -> None:
    key = await service.add_client("reader", "read")
    async with AsyncClient(str(service.client.make_url("")), key) as fleet:
        with pytest.raises(errors.ScopeMissing):
            await fleet.deposit(**WHO, asset_ids=["1"])
    async with AsyncClient(str(service.client.make_url("")), "fk_wrong") as fleet:
        with pytest.raises(errors.BadKey):
            await fleet.bots()
