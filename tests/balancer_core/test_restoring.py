"""Backups of a database in use, and what is done after one was put back: doubt instead of a second offer."""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from balancer_core.core_world import SITE, World, make_world, player
from balancer_core.test_at_once import assert_counters_add_up
from sqlalchemy.engine import make_url

from balancer.db import migrate
from balancer.fleet import switches
from balancer.journal.by import By
from balancer.trades import approvals
from balancer.trades.requests import WithdrawWish
from balancer.upkeep import release, restored, search, sweep
from shared.domain.ids import TradeUrl
from shared.errors import Conflict, FleetPaused, NotFound, SettingsError

pytestmark = pytest.mark.both_databases

Make = Callable[..., Awaitable[World]]


def mark(world: World) -> dict[str, int]:
    with world.ctx.db.transaction() as connection:
        return restored.mark(connection, world.ctx.settings, By("cli:me", world.ctx.clock.now()))


async def test_what_may_have_been_sent_is_doubted_and_only_a_search_sends_again(world: World) -> None:
    [queued] = await world.deposit(1)
    [sending] = await world.deposit(1)
    await world.tell(sending, "picked_up")
    [sent] = await world.deposit(1)
    await world.tell(sent, "offer_active", offer_id="77", state=2)
    [over] = await world.deposit(1)
    await world.tell(over, "offer_declined", offer_id="78", state=7)
    await world.ctx.outbox.drain()
    world.clear_queues()
    assert mark(world) == {"queued": 1, "sending": 1, "sent": 1}
    assert [world.trade(one).status for one in (queued, sending, sent, over)] == ["in_doubt", "in_doubt", "sent", "declined"]
    assert world.trade(over).find_at is None
    await sweep.give_orders(world.ctx)
    assert await search.find_offers(world.ctx) == 0  # an order from before may still be in a worker's hand
    times = world.ctx.settings.trades
    world.later(times.order_expiry_s + times.order_in_hand_s + 1)
    await world.online("red-1", "red-2")
    assert await sweep.give_orders(world.ctx) == 0
    assert await search.find_offers(world.ctx) == 3
    assert {order.kind for bot in ("red-1", "red-2") for order in world.orders(bot)} == {"find"}
    await assert_counters_add_up(world)


async def restored_and_not_found(world: World, trade_id: str) -> None:
    """A trade that waited when the backup was made is in doubt, and a bot shows that nothing of it is out."""
    await world.ctx.outbox.drain()
    world.clear_queues()
    mark(world)
    assert world.trade(trade_id).status == "in_doubt"
    await world.tell(trade_id, "offer_absent", reason="not found twice")
    assert world.trade(trade_id).status == "queued"
    await world.ctx.switches.turn(switches.WITHDRAWALS, "cli:me", "", paused=False)
    world.later(60)
    await world.online("red-1", "red-2")


async def test_what_waited_for_an_approval_waits_for_it_again(make: Make) -> None:
    """It may have been approved and sent after the backup; if it was not, nobody gives it out without an approval."""
    world = await make(limits={"approval_above_cents": 1})
    [trade_id] = await world.withdraw(await world.held(1))
    await restored_and_not_found(world, trade_id)
    assert world.trade(trade_id).waits_for == "approval"
    assert await release.release(world.ctx) == await sweep.give_orders(world.ctx) == 0
    await approvals.decide(world.ctx, trade_id, "cli_other", "client:boss", approve=True)
    assert await release.release(world.ctx) == await sweep.give_orders(world.ctx) == 1
    bot = f"red-{world.trade(trade_id).bot_id}"
    assert [(order.kind, order.attempt) for order in world.orders(bot)] == [("send", 2)]
    await assert_counters_add_up(world)


async def test_what_waited_for_a_settlement_waits_for_it_again(world: World) -> None:
    [deposit] = await world.deposit(1)
    await world.accept(deposit)
    ids = [row.deposit_id for row in world.deposits_of(deposit)]
    wish = WithdrawWish("user-1", TradeUrl(player(1), "abcdefgh"), ids, "", when_settled=True)
    [trade_id] = await world.give(SITE, "key-settled", "body", wish)
    await restored_and_not_found(world, trade_id)
    assert await release.release(world.ctx) == await sweep.give_orders(world.ctx) == 0
    assert world.statuses(trade_id) == ("queued", {"withdraw_pending"})
    await world.settle(deposit)
    world.later(60)
    await world.online("red-1", "red-2")
    assert await release.release(world.ctx) == await sweep.give_orders(world.ctx) == 1


async def test_what_waited_and_was_sent_since_is_found_and_waits_for_its_items_when_it_ends(make: Make) -> None:
    world = await make(limits={"approval_above_cents": 1})
    [trade_id] = await world.withdraw(await world.held(1))
    mark(world)
    await world.tell(trade_id, "offer_canceled", offer_id="77", state=6)
    assert world.statuses(trade_id) == ("canceled", {"withdraw_pending"})
    assert world.trade(trade_id).items_awaited == 1
    await world.tell(trade_id, "items_seen", assets=world.seen(trade_id, add=5))
    assert world.statuses(trade_id) == ("canceled", {"active"})


async def test_new_trades_are_paused_and_event_numbers_jump(world: World) -> None:
    await world.deposit(1)
    last = world.events()[-1].number
    mark(world)
    assert world.events("database_restored")[0].number > last + restored.NUMBERS_SKIPPED
    await world.ctx.switches.refresh()
    with pytest.raises(FleetPaused):
        await world.deposit(1)


async def test_a_backup_of_a_database_in_use_comes_back_as_it_was(tmp_path: Path, redis_url: str) -> None:
    url = f"sqlite:///{tmp_path}/fleet.db"
    migrate.upgrade(url)
    world = await make_world(url, redis_url)
    [kept] = await world.deposit(1)
    copy = tmp_path / "copy.db"
    source = restored.database_file(world.ctx.settings)
    assert source == Path(str(make_url(url).database))
    assert restored.backup(source, copy) > 0
    with pytest.raises(Conflict):
        restored.backup(source, copy)
    await world.deposit(1)
    now = world.ctx.clock.now()
    await world.close()
    before = restored.put_back(copy, source, now)
    assert before is not None and before.exists()
    again = await make_world(url, redis_url)
    assert again.count("trades") == 1
    assert again.trade(kept).status == "queued"
    await again.close()


def test_what_is_no_backup_is_refused_and_nothing_is_touched(tmp_path: Path) -> None:
    database = tmp_path / "fleet.db"
    migrate.upgrade(f"sqlite:///{database}")
    before = database.read_bytes()
    garbage = tmp_path / "garbage.db"
    garbage.write_text("no database at all, but long enough to be looked at " * 50)
    other = tmp_path / "other.db"
    sqlite3.connect(other).execute("CREATE TABLE t (a)").connection.close()
    from shared.clock import Clock

    for path, error in ((garbage, Conflict), (other, Conflict), (tmp_path / "none.db", NotFound)):
        with pytest.raises(error):
            restored.put_back(path, database, Clock().now())
    assert database.read_bytes() == before
    with pytest.raises(NotFound):
        restored.backup(tmp_path / "none.db", tmp_path / "copy.db")


async def test_only_sqlite_files_are_copied(world: World) -> None:
    settings = world.ctx.settings
    postgres = settings.database.model_copy(update={"url": "postgresql+psycopg://me@localhost/fleet"})
    with pytest.raises(SettingsError):
        restored.database_file(settings.model_copy(update={"database": postgres}))
    assert world.count("trades") == 0
