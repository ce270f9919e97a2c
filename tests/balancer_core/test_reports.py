"""Reports through a real Redis: applied once each, acknowledged after the commit, trimmed only as far as that."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
from balancer_core.core_world import MASTER, World, between

from balancer.fleet.switches import Switches
from balancer.items.inventory import Inventories
from balancer.loops import Loops
from balancer.reports.apply import apply
from balancer.reports.stream import TRIES_MAX, Reader
from shared import wire
from shared.errors import DatabaseUnavailable
from shared.reports import Report


@pytest.fixture
async def reader(world: World) -> AsyncIterator[Reader]:
    made = Reader(world.ctx, "one")
    yield made
    await made.close()


@pytest.fixture
async def reader_of(world: World) -> AsyncIterator[Callable[..., Reader]]:
    """Makes a reader to whose units of work something happens."""
    made: list[Reader] = []

    def make(way: Callable[..., Awaitable[Any]]) -> Reader:
        made.append(Reader(replace(world.ctx, db=between(world.ctx.db, way)), "one"))
        return made[-1]

    yield make
    for each in made:
        await each.close()


def send(world: World, *reports: Report) -> None:
    for report in reports:
        wire.append_reports(world.ctx.redis, [report], MASTER.bot(report.bot))


def pending(world: World) -> int:
    client: Any = world.ctx.redis
    return int(client.xpending(wire.REPORTS, wire.REPORT_GROUP)["pending"])


async def test_reports_are_applied_in_order_and_acknowledged(world: World, reader: Reader) -> None:
    [trade_id] = await world.deposit(1)
    told = [world.report(trade_id, "picked_up"), world.report(trade_id, "offer_active", offer_id="77", state=2)]
    send(world, *told)
    assert await reader.round() == 2
    assert world.trade(trade_id).status == "sent"
    await reader.flush()
    assert pending(world) == 0


async def test_who_waits_for_a_trade_is_told(world: World, reader: Reader) -> None:
    [trade_id] = await world.deposit(1)
    send(world, world.report(trade_id, "offer_active", offer_id="77", state=2))
    with world.ctx.changes.expect([trade_id]) as expectation:
        await reader.round()
        assert await expectation.wait(0)


async def test_a_report_that_comes_twice_changes_things_once(world: World, reader: Reader) -> None:
    [trade_id] = await world.deposit(1)
    report = world.report(trade_id, "offer_declined", offer_id="77", state=7)
    send(world, report, report)
    assert await reader.round() == 2
    assert len(world.events("offer_declined")) == 1
    assert not world.events("report_ignored")


async def test_garbage_and_forgeries_are_acknowledged_and_stop_nothing(world: World, reader: Reader) -> None:
    [trade_id] = await world.deposit(1)
    trade = world.trade(trade_id)
    client: Any = world.ctx.redis
    client.xadd(wire.REPORTS, {"what": "ever"})
    client.xadd(wire.REPORTS, {"bot": "red-1", "sealed": "AAAA"})
    client.xadd(wire.REPORTS, {"bot": b"\xff\xfe", "sealed": b"\xff"})
    other = "red-2" if trade.bot_id == 1 else "red-1"
    forged = world.report(trade_id, "offer_declined", offer_id="77", state=7)
    wire.append_reports(client, [forged], MASTER.bot(other))  # sealed by another bot than it names
    send(world, world.report(trade_id, "offer_declined", bot=other, offer_id="77", state=7))  # about another bot's trade
    send(world, world.report(trade_id, "picked_up"))
    assert await reader.round() == 6
    assert world.trade(trade_id).status == "sending"
    await reader.flush()
    assert pending(world) == 0
    assert len(world.events("report_ignored")) == 1


async def test_report_with_senseless_data_is_written_down_and_changes_nothing(world: World, reader: Reader) -> None:
    [trade_id] = await world.deposit(1)
    asset_id = str(world.items_of(trade_id)[0].asset_id)
    moved = [{"asset_id": asset_id, "new_asset_id": "not a number", "new_context_id": "2"}]
    send(world, world.report(trade_id, "offer_accepted", offer_id="77", exchange_id="x", settles_at=None, moved=moved))
    assert await reader.round() == 1
    assert world.statuses(trade_id) == ("queued", {"deposit_pending"})
    assert world.events("report_unusable")


async def test_database_away_acknowledges_nothing_and_reads_again(world: World, reader_of: Callable[..., Reader]) -> None:
    [trade_id] = await world.deposit(1)
    send(world, world.report(trade_id, "picked_up"))
    full = True

    async def disk(do: Any, work: Any, *args: Any) -> Any:
        """Too little room for a trade's rows, enough for an event."""
        if full and work is apply:
            raise DatabaseUnavailable(reason="disk")
        return await do(work, *args)

    reader = reader_of(disk)
    for _ in range(TRIES_MAX + 2):  # however long it lasts, no report is given up for it
        with pytest.raises(DatabaseUnavailable):
            await reader.round()
    assert pending(world) == 1
    full = False
    assert await reader.round() == 1
    assert world.trade(trade_id).status == "sending"
    assert world.events("report_unusable") == []


async def test_what_was_applied_is_told_although_another_bots_report_was_not(
    world: World, reader_of: Callable[..., Reader]
) -> None:
    [first], [second] = await world.deposit(1), await world.deposit(1, who=2)
    bots = [world.trade(trade_id).bot_id for trade_id in (first, second)]
    assert bots[0] != bots[1]
    send(world, world.report(first, "offer_active", offer_id="7", state=2))
    send(world, world.report(second, "offer_active", offer_id="8", state=2))

    async def one_fails(do: Any, work: Any, *args: Any) -> Any:
        if work is apply and args[0].trade_id == second:
            raise DatabaseUnavailable(reason="busy")
        return await do(work, *args)

    reader = reader_of(one_fails)
    with world.ctx.changes.expect([first]) as expectation, pytest.raises(DatabaseUnavailable):
        await reader.round()
    assert await expectation.wait(0)
    await reader.flush()
    assert pending(world) == 1


async def test_a_new_balancer_takes_over_what_a_dead_one_left(world: World, reader: Reader) -> None:
    [trade_id] = await world.deposit(1)
    send(world, world.report(trade_id, "picked_up"))
    client: Any = world.ctx.redis
    client.xgroup_create(wire.REPORTS, wire.REPORT_GROUP, id="0", mkstream=True)
    client.xreadgroup(wire.REPORT_GROUP, "dead", {wire.REPORTS: ">"})
    assert pending(world) == 1
    assert await reader.round() == 1
    assert world.trade(trade_id).status == "sending"
    await reader.flush()
    assert pending(world) == 0


async def test_stream_is_trimmed_only_up_to_what_was_acknowledged(world: World, reader: Reader) -> None:
    [trade_id] = await world.deposit(1)
    for _ in range(3):
        send(world, world.report(trade_id, "picked_up"))
    await reader.round()
    await reader.flush()
    client: Any = world.ctx.redis
    send(world, world.report(trade_id, "offer_active", offer_id="77", state=2))
    client.xreadgroup(wire.REPORT_GROUP, "slow", {wire.REPORTS: ">"})
    send(world, world.report(trade_id, "offer_held", offer_id="77", state=11))
    reader.trim()
    assert client.xlen(wire.REPORTS) == 2
    assert await reader.round() == 1
    await reader.flush()
    reader.trim()
    assert client.xlen(wire.REPORTS) == 2


async def test_redis_that_lost_everything_is_read_again(world: World, reader: Reader) -> None:
    [trade_id] = await world.deposit(1)
    send(world, world.report(trade_id, "picked_up"))
    await reader.round()
    world.ctx.redis.flushall()
    send(world, world.report(trade_id, "offer_active", offer_id="77", state=2))
    with pytest.raises(Exception, match="NOGROUP"):
        await reader.round()
    assert await reader.round() == 1
    assert world.trade(trade_id).status == "sent"


def listening(world: World) -> list[Report]:
    """What is told from now on to whoever reads inventories."""
    heard: list[Report] = []
    world.ctx.inventories = cast(Inventories, SimpleNamespace(readers=SimpleNamespace(note=heard.append)))
    return heard


async def test_inventory_goes_to_whoever_waits_for_it(world: World, reader: Reader) -> None:
    heard = listening(world)
    send(world, world.report(None, "inventory_read", bot="red-1", steam_id="7656", assets=[], hold_days=0))
    await reader.round()
    assert [report.data["hold_days"] for report in heard] == [0]


async def test_other_balancers_hear_of_changes_and_inventories(world: World, reader: Reader) -> None:
    [trade_id] = await world.deposit(1)
    other = Reader(world.ctx, "other")
    await other.listen_round()
    assert await other.listen_round() == 0
    send(world, world.report(trade_id, "offer_active", offer_id="77", state=2))
    await reader.round()
    await reader.flush()
    with world.ctx.changes.expect([trade_id]) as expectation:
        while not await expectation.wait(0):
            await other.listen_round()
    send(world, world.report(None, "inventory_failed", bot="red-1", steam_id="7656", code="inventory_private"))
    await reader.round()
    await reader.flush()
    heard = listening(world)
    while not heard:
        await other.listen_round()
    assert [report.kind for report in heard] == ["inventory_failed"]
    await other.close()


async def test_forged_changes_wake_nobody_and_break_nothing(world: World, reader: Reader) -> None:
    told = listening(world)
    await reader.listen_round()
    said = ["no json", json.dumps(7), json.dumps({"inventory": ["red-1", "AAAA"]}), json.dumps({"trades": [1]})]
    for text in said:
        world.ctx.redis.publish(wire.CHANGES, text)
    heard = 0
    while heard < len(said):
        heard += await reader.listen_round()
    assert told == []


async def test_reports_without_a_trade_become_events(world: World, reader: Reader) -> None:
    send(
        world,
        world.report(None, "order_refused", bot="red-1", reason="seal"),
        world.report(None, "order_failed", bot="red-1", kind="watch", reason="steam_unavailable"),
        world.report(None, "order_failed", bot="red-1", kind="watch", reason="steam_unavailable"),
        world.report(None, "offer_unknown", bot="red-1", offer_id="9", state=2, partner="1"),
        world.report(None, "steam_call", bot="red-1"),
    )
    assert await reader.round() == 5
    assert [row.kind for row in world.events()] == ["order_refused", "order_failed", "offer_unknown"]


async def test_two_readers_apply_each_report_once_between_them(world: World, reader: Reader) -> None:
    ids = [trade_id for who in range(10) for trade_id in await world.deposit(1, who=who)]
    other = Reader(world.ctx, "other")
    await asyncio.gather(reader.round(), other.round())
    send(world, *[world.report(trade_id, "offer_declined", offer_id="1", state=7) for trade_id in ids])
    while pending(world) or any(world.trade(trade_id).status == "queued" for trade_id in ids):
        await asyncio.gather(reader.round(), other.round())
    assert len(world.events("offer_declined")) == 10
    assert sum(world.counters(name)[1] for name in ("red-1", "red-2")) == 0
    await other.close()


# --- loops ---------------------------------------------------------------------------------------------------------


@pytest.mark.both_databases
async def test_loops_carry_a_report_to_its_waiter_and_stop(world: World) -> None:
    [trade_id] = await world.deposit(1)
    loops = Loops(world.ctx)
    loops.start()
    with world.ctx.changes.expect([trade_id]) as expectation:
        send(world, world.report(trade_id, "offer_active", offer_id="77", state=2))
        assert await expectation.wait(120)
    names = ("reports", "changes", "fleet", "health", "watching", "sweep", "audits", "clock", "disk", "webhooks", "feeds")
    assert loops.running() == dict.fromkeys((*names, "notices"), True)
    led = ("health", "watching", "sweep", "audits")
    async with asyncio.timeout(120):
        while not all(world.ctx.redis.exists(wire.leader_key(name)) for name in led):
            await asyncio.sleep(0.01)
    await loops.stop()
    assert not any(loops.running().values())
    # What it led is free for another balancer at once.
    assert not any(world.ctx.redis.exists(wire.leader_key(name)) for name in led)


async def test_a_loop_outlives_a_failing_round(world: World) -> None:
    failed = asyncio.Event()
    rounds = 0

    async def broken(_do: Any, _work: Any, *_args: Any) -> None:
        nonlocal rounds
        rounds += 1
        if rounds > 1:
            failed.set()
        raise RuntimeError("broken")

    switches = Switches(between(world.ctx.db, broken), world.ctx.fleet, world.ctx.clock)
    loops = Loops(replace(world.ctx, switches=switches))
    loops.start()
    await asyncio.wait_for(failed.wait(), 120)
    assert loops.running()["fleet"]
    assert (await loops.standing())["last_ran_s"]["fleet"] is None
    await loops.stop()


async def test_one_balancer_leads(world: World) -> None:
    first, second = Loops(world.ctx), Loops(world.ctx)
    key = wire.leader_key("sweep")
    assert first._take_lead(key, 10_000)
    assert not second._take_lead(key, 10_000)
    assert first._take_lead(key, 10_000)
    world.ctx.redis.delete(key)
    assert second._take_lead(key, 10_000)
    await first.stop()
    await second.stop()


@pytest.mark.parametrize("kind", ["endless", "long", "list"])
async def test_a_leader_key_that_nobody_of_ours_wrote_keeps_nobody_out(world: World, kind: str) -> None:
    loops, key, client = Loops(world.ctx), wire.leader_key("sweep"), world.ctx.redis
    if kind == "list":
        client.rpush(key, "junk")
        assert loops._take_lead(key, 10_000)
    else:
        client.set(key, "nobody", ex=None if kind == "endless" else 86_400)
        assert not loops._take_lead(key, 50)
        async with asyncio.timeout(120):
            while not loops._take_lead(key, 50):
                await asyncio.sleep(0.01)
    await loops.stop()


async def test_when_a_loop_last_went_well_is_known_at_every_balancer(world: World) -> None:
    first, second = Loops(world.ctx), Loops(world.ctx)
    before = (await second.standing())["last_ran_s"]
    assert before == dict.fromkeys(before)
    [sweep] = [loop for loop in first.all() if loop.name == "sweep"]
    assert await first._round(sweep)
    assert not await second._lead(sweep)
    world.later(30)
    told = await second.standing()
    assert 30 <= told["last_ran_s"]["sweep"] < 60
    assert (told["ok"], told["late"]) == (True, [])
    world.later(sweep.late_s)
    assert "sweep" in (await second.standing())["late"]
    world.ctx.redis.set(wire.ran_key("sweep"), "9" * 19)  # whoever may write there makes nobody ready for ever
    told = await second.standing()
    assert ("sweep" in told["late"], told["last_ran_s"]["sweep"]) == (True, None)
    await first.stop()
    await second.stop()
