"""The custody audit on real tables while trades move items: what a trade explains is no difference."""

from __future__ import annotations

import pytest
from balancer_core.core_world import World
from balancer_core.test_audits import asked, asset, found, held, later, look, lying, start, tell, two_looks, view
from balancer_core.test_waiting import withdraw as withdraw_with
from sqlalchemy import update

from balancer.db import tables

pytestmark = pytest.mark.both_databases


async def test_a_deposit_that_is_accepted_but_not_yet_told(world: World) -> None:
    [trade_id] = await world.deposit(1)
    await world.tell(trade_id, "offer_active", offer_id="77", state=2)
    (row,) = world.deposits_of(trade_id)
    name = world.items_of(trade_id)[0].market_hash_name
    world.clear_queues()
    bot = f"red-{row.bot_id}"
    await start(world, bot)
    assert (await look(world, {"9": asset(9, name, row.fingerprint, "16")}, bot)).verdict == "clean"


async def test_a_deposit_that_is_told_after_the_reading(world: World) -> None:
    [trade_id] = await world.deposit(1)
    await world.tell(trade_id, "offer_active", offer_id="77", state=2)
    world.clear_queues()
    bot = f"red-{world.trade(trade_id).bot_id}"
    await start(world, bot)
    order = await asked(world, bot)
    await world.accept(trade_id)
    assert await tell(world, order, assets=[])
    assert view(world, bot).verdict == "clean"


async def test_a_withdrawal_under_way_and_one_told_after_the_reading(world: World) -> None:
    ids = await held(world, "red-1", 1)
    inventory = lying(world)
    [trade_id] = await world.withdraw(ids)
    world.clear_queues()
    for assets in (inventory, {}):
        await start(world, "red-1")
        assert (await look(world, assets)).verdict == "clean"
    await start(world, "red-1")
    order = await asked(world)
    await world.tell(trade_id, "offer_accepted", offer_id="77", state=3, exchange_id="x", settles_at=None, moved=[])
    assert await tell(world, order, assets=list(inventory.values()))
    assert view(world).verdict == "clean"
    # An hour later it can only be that Steam gave it back: a bot looks at the exchange first.
    await start(world, "red-1")
    assert (await look(world, inventory)).running
    asked_at = world.trade(trade_id).settle_asked_at
    assert asked_at < world.ctx.clock.now()
    await later(world, world.ctx.settings.trades.audit_again_s)
    assert (await look(world, inventory)).running
    await settle_asked(world, trade_id)
    await later(world, world.ctx.settings.trades.audit_again_s)
    assert found(await look(world, inventory)) == [("extra", next(iter(inventory)))]


async def settle_asked(world: World, trade_id: str) -> None:
    """A bot was asked to look at this exchange."""
    world.later(1)
    world.change(
        update(tables.trades).where(tables.trades.c.trade_id == trade_id).values(settle_asked_at=world.ctx.clock.now())
    )


async def test_a_declined_withdrawal_waits_for_its_look_and_then_counts(world: World) -> None:
    ids = await held(world, "red-1", 1)
    [trade_id] = await world.withdraw(ids)
    await world.tell(trade_id, "offer_declined", offer_id="77", state=7)
    world.clear_queues()
    await start(world, "red-1")
    assert (await look(world, {})).verdict == "clean"
    await world.tell(trade_id, "items_gone", deposit_ids=ids)
    shown = await two_looks(world, {})
    assert [each.deposit_id for each in shown.differences] == ids


async def test_settling_under_the_reading(world: World) -> None:
    [trade_id] = await world.deposit(1)
    await world.accept(trade_id)
    world.clear_queues()
    bot = f"red-{world.trade(trade_id).bot_id}"
    young = lying(world, bot)
    await start(world, bot)
    order = await asked(world, bot)
    await world.settle(trade_id)
    assert list(young) != list(lying(world, bot))
    assert await tell(world, order, assets=list(young.values()))
    assert view(world, bot).verdict == "clean"
    await start(world, bot)
    assert (await look(world, lying(world, bot), bot)).verdict == "clean"


async def test_a_reversal_that_nobody_told_is_looked_at_and_booked_instead_of_freezing(world: World) -> None:
    [trade_id] = await world.deposit(1)
    await world.accept(trade_id)
    world.clear_queues()
    bot = f"red-{world.trade(trade_id).bot_id}"
    await start(world, bot)
    assert (await look(world, {}, bot)).running
    long_ago = world.ctx.settings.trades.protection_look_s
    assert world.trade(trade_id).settle_asked_at.timestamp() <= world.ctx.clock.now().timestamp() - long_ago
    await settle_asked(world, trade_id)
    await world.tell(trade_id, "exchange_reversed", exchange_id="x", exchange_status=12)
    await later(world, world.ctx.settings.trades.audit_again_s)
    assert (await look(world, {}, bot)).verdict == "clean"
    [deposit] = world.deposits_of(trade_id)
    await world.tell(trade_id, "items_gone", deposit_ids=[deposit.deposit_id])
    await start(world, bot)
    assert (await look(world, {}, bot)).verdict == "clean"
    assert world.bot(bot).frozen_by is None


async def test_a_protected_item_that_is_gone_although_its_exchange_is_good_counts(world: World) -> None:
    [trade_id] = await world.deposit(1)
    await world.accept(trade_id)
    world.clear_queues()
    bot = f"red-{world.trade(trade_id).bot_id}"
    await start(world, bot)
    await look(world, {}, bot)
    await settle_asked(world, trade_id)
    await later(world, world.ctx.settings.trades.audit_again_s)
    assert [kind for kind, _ in found(await look(world, {}, bot))] == ["missing"]


async def test_a_withdrawal_that_waits_for_its_settlement_has_nothing_out(world: World) -> None:
    [trade_id] = await world.deposit(1)
    await world.accept(trade_id)
    [deposit] = world.deposits_of(trade_id)
    await withdraw_with(world, [deposit.deposit_id], when_settled=True)
    world.clear_queues()
    bot = f"red-{deposit.bot_id}"
    await start(world, bot)
    await look(world, {}, bot)
    await settle_asked(world, trade_id)
    await later(world, world.ctx.settings.trades.audit_again_s)
    assert [kind for kind, _ in found(await look(world, {}, bot))] == ["missing"]
