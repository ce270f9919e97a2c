"""Deposits that share a transaction: each stands or falls by itself, whatever happens to the transaction."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from balancer_core.core_world import SITE, World, between, make_world, player
from balancer_core.test_at_once import assert_counters_add_up
from sqlalchemy import Connection, NullPool, create_engine, text, update
from support import wait_until

from balancer.db import tables
from balancer.trades import deposit
from balancer.trades.draft import Draft
from balancer.trades.requests import DepositWish
from shared.domain.ids import TradeUrl
from shared.errors import Conflict, FleetPaused, NoBotAvailable, NotAccepted, RequestReused

Make = Callable[..., Awaitable[World]]
POSTGRES = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)

pytestmark = pytest.mark.both_databases


def units_of(world: World) -> list[str]:
    """Each transaction as it ends from now on: ``many <granted>/<asked>``, ``many <error>``, ``alone`` or ``alone <error>``."""
    seen: list[str] = []

    def many(connection: Connection, ctx: Any, asked: Any) -> Any:
        try:
            made = deposit.make(connection, ctx, asked)
        except Exception as error:
            seen.append(f"many {type(error).__name__}")
            raise
        seen.append(f"many {sum(isinstance(one, Draft) for one in made)}/{len(asked)}")
        return made

    def one(connection: Connection, ctx: Any, request: Any, wish: Any) -> Any:
        try:
            made = deposit.make_alone(connection, ctx, request, wish)
        except Exception as error:
            seen.append(f"alone {type(error).__name__}")
            raise
        seen.append("alone")
        return made

    counted: dict[Any, Any] = {deposit.make: many, deposit.make_alone: one}

    async def way(do: Any, work: Any, *args: Any) -> Any:
        return await do(counted.get(work, work), *args)

    world.deposits = deposit.Deposits(replace(world.ctx, db=between(world.ctx.db, way)))
    return seen


async def at_once(*work: Awaitable[Any]) -> list[Any]:
    return await asyncio.gather(*work, return_exceptions=True)


async def assert_each_stands_alone(world: World, results: list[Any], rows_of: int) -> None:
    """Every granted request has one trade of its own with its items, and nothing else was written."""
    granted = [trade_id for result in results if isinstance(result, list) for trade_id in result]
    assert len(set(granted)) == len(granted) == world.count("trades") == world.count("idempotency") == world.count("tokens")
    assert len(world.events("trade_created")) == len(granted)
    assert world.count("deposits") == world.count("trade_items") == rows_of
    await assert_counters_add_up(world)


async def test_what_comes_together_shares_a_transaction(world: World) -> None:
    units = units_of(world)
    results = await at_once(*(world.deposit(2, who=number) for number in range(20)))
    await assert_each_stands_alone(world, results, 40)
    assert units == ["many 20/20"]
    await world.ctx.outbox.drain()
    assert {order.trade_id for bot in ("red-1", "red-2") for order in world.orders(bot)} == {ids[0] for ids in results}
    assert all(world.trade(ids[0]).order_issued_at is not None for ids in results)


async def test_one_request_is_granted_in_one_transaction(world: World) -> None:
    units = units_of(world)
    await world.deposit(3)
    await world.deposit(1)
    assert units == ["many 1/1", "many 1/1"]


async def test_a_player_and_a_key_stand_in_one_transaction_once(world: World) -> None:
    units = units_of(world)
    wish = world.wish(1, who=7)
    results = await at_once(
        world.deposit(1, who=1), world.deposit(1, who=1), *(world.deposit(key="same", wish=wish) for _ in range(3))
    )
    assert results[2] == results[3] == results[4]
    await assert_each_stands_alone(world, [results[0], results[1], results[2]], 3)
    assert "many 2/2" in units


def foreign(world: World) -> DepositWish:
    """A known user with somebody else's Steam account."""
    return replace(world.wish(1, who=51), trade_url=TradeUrl(player(52), "abcdefgh"))


def blocked(world: World) -> DepositWish:
    world.change(update(tables.users).where(tables.users.c.user_id == "user-51").values(blocked_by="trd_x"))
    return world.wish(1, who=51)


def too_many_items(world: World) -> DepositWish:
    return world.wish(world.ctx.settings.limits.inventory_limit + 1, who=53)


def no_such_color(world: World) -> DepositWish:
    return world.wish(1, who=53, color="blue")


def taken_asset(world: World) -> DepositWish:
    """An asset that is on its way in already: only the table's unique index says so."""
    return world.wish(wanted=world.taken_wish.wanted, who=51)  # type: ignore[attr-defined]  # the test sets it


@pytest.mark.parametrize(
    ("bad", "error", "code"),
    [
        (foreign, Conflict, "user_mismatch"),
        (blocked, Conflict, "partner_blocked"),
        (too_many_items, NotAccepted, "inventory_full"),
        (no_such_color, NoBotAvailable, "no_bot_available"),
        (taken_asset, Conflict, "asset_in_trade"),
    ],
)
async def test_a_request_that_is_refused_takes_nobody_with_it(
    world: World, bad: Callable[[World], DepositWish], error: type[Exception], code: str
) -> None:
    units = units_of(world)
    world.taken_wish = world.wish(1, who=51)  # type: ignore[attr-defined]
    first = await world.deposit(wish=world.taken_wish)  # type: ignore[attr-defined]
    wish = bad(world)
    users = world.count("users")
    units.clear()
    results = await at_once(
        *(world.deposit(2, who=number) for number in range(5)),
        world.deposit(wish=wish),
        *(world.deposit(2, who=number) for number in range(5, 10)),
    )
    assert isinstance(results[5], error)
    assert getattr(results[5], "error_code", None) == code
    await assert_each_stands_alone(world, [first, *results], 21)
    assert world.count("users") == users + 10
    if bad in (foreign, blocked, too_many_items):  # what is known of the player says so; no second transaction is needed
        assert units == ["many 10/11"]
    else:
        assert f"alone {type(results[5]).__name__}" in units or "alone IntegrityError" in units


async def test_a_key_used_before_is_answered_among_new_ones(world: World) -> None:
    units = units_of(world)
    wish = world.wish(1, who=1)
    first = await world.deposit(key="old", wish=wish)
    units.clear()
    results = await at_once(
        world.deposit(1, who=2),
        world.deposit(key="old", wish=wish),
        world.deposit(key="old", wish=world.wish(1, who=3), body="another"),
        world.deposit(1, who=4),
    )
    assert results[1] == first
    assert isinstance(results[2], RequestReused)
    assert "many 2/3" in units
    await assert_each_stands_alone(world, [results[0], results[1], results[3]], 3)


async def test_when_deposits_are_paused_each_is_told(world: World) -> None:
    from balancer.fleet import switches

    await world.ctx.switches.turn(switches.DEPOSITS, "operator", "stop", paused=True)
    results = await at_once(*(world.deposit(1, who=number) for number in range(5)))
    assert [type(result) for result in results] == [FleetPaused] * 5
    assert world.count("trades") == world.count("users") - 1 == 0


async def test_a_bot_that_filled_up_behind_the_snapshot_is_not_overfilled(make: Make) -> None:
    world = await make(bots=("red-1", "red-2"), limits={"bot_items_max": 10})
    units = units_of(world)
    bots = tables.bots.c
    world.change(update(tables.bots).where(bots.bot_id == 1).values(slots_held=9))
    world.change(update(tables.bots).where(bots.bot_id == 2).values(slots_held=6))
    results = await at_once(*(world.deposit(1, who=number) for number in range(8)))
    assert "many Stale" in units
    assert sum(isinstance(result, list) for result in results) == 5
    assert {type(result) for result in results if not isinstance(result, list)} == {NoBotAvailable}
    assert world.counters("red-1") == (9, 1, 1)
    assert world.counters("red-2") == (6, 4, 4)


async def test_a_bot_whose_offers_were_used_up_behind_the_snapshot_opens_no_more(make: Make) -> None:
    world = await make(bots=("red-1", "red-2"), limits={"offers_per_bot_max": 12, "offers_kept_for_withdrawals": 2})
    units = units_of(world)
    bots = tables.bots.c
    world.change(update(tables.bots).where(bots.bot_id == 1).values(open_offers=9))
    world.change(update(tables.bots).where(bots.bot_id == 2).values(open_offers=6))
    results = await at_once(*(world.deposit(1, who=number) for number in range(8)))
    assert "many Stale" in units
    assert sum(isinstance(result, list) for result in results) == 5
    assert {type(result) for result in results if not isinstance(result, list)} == {NoBotAvailable}
    assert world.counters("red-1") == (0, 1, 10)
    assert world.counters("red-2") == (0, 4, 10)


async def test_a_request_given_up_before_its_turn_is_not_made(world: World) -> None:
    work = []
    with world.ctx.db.transaction() as connection:
        connection.execute(text("UPDATE bots SET touched = touched"))  # holds up whoever reserves
        for number in range(deposit.AT_ONCE + 1):
            work.append(asyncio.create_task(world.deposit(1, who=number)))
            for _ in range(10):
                await asyncio.sleep(0)
        given_up = work.pop()
        given_up.cancel()
        await at_once(given_up)
    await assert_each_stands_alone(world, await at_once(*work), deposit.AT_ONCE)


# --- trouble in the middle of a shared transaction --------------------------------------------------


@contextmanager
def a_bot_in_use(database_url: str) -> Iterator[Connection]:
    """Another transaction holds the row of a bot, so that a deposit stops in the middle of its own."""
    engine = create_engine(database_url, poolclass=NullPool)
    with engine.connect() as connection:
        connection.execute(text("SELECT 1 FROM bots ORDER BY bot_id FOR UPDATE"))
        yield connection
        connection.rollback()


def waiting_pids(connection: Connection) -> list[int]:
    """Server processes that wait for that row."""
    return list(connection.execute(text("SELECT pid FROM pg_locks WHERE NOT granted")).scalars())


@POSTGRES
@pytest.mark.postgresql
async def test_a_connection_lost_in_the_middle_costs_nobody_his_trade(world: World, database_url: str) -> None:
    units = units_of(world)
    with a_bot_in_use(database_url) as holder:
        work = [asyncio.create_task(world.deposit(1, who=number)) for number in range(6)]
        [pid] = await asyncio.to_thread(wait_until, lambda: waiting_pids(holder))
        holder.execute(text(f"SELECT pg_terminate_backend({pid})"))
        await asyncio.to_thread(wait_until, lambda: pid not in waiting_pids(holder))
    results = await at_once(*work)
    assert units == ["many OperationalError", "many 6/6"]
    await assert_each_stands_alone(world, results, 6)


CHILD = """
import asyncio, sys
from balancer_core.core_world import make_world

async def main() -> None:
    world = await make_world(sys.argv[1], sys.argv[2])
    await asyncio.gather(*(world.deposit(1, who=number, key=f"killed-{number}") for number in range(6)))

asyncio.run(main())
"""


@POSTGRES
@pytest.mark.postgresql
async def test_a_balancer_killed_in_the_middle_leaves_nothing_and_the_same_keys_go_on(
    world: World, database_url: str, redis_url: str
) -> None:
    paths = os.pathsep.join(path for path in sys.path if path)
    with a_bot_in_use(database_url) as holder:
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, database_url, redis_url], env={**os.environ, "PYTHONPATH": paths}
        )
        try:
            await asyncio.to_thread(wait_until, lambda: waiting_pids(holder))
        finally:
            child.send_signal(signal.SIGKILL)
            child.wait(120)
        holder.rollback()
        await asyncio.to_thread(wait_until, lambda: not waiting_pids(holder))
    await assert_each_stands_alone(world, [], 0)
    results = await at_once(*(world.deposit(1, who=number, key=f"killed-{number}") for number in range(6)))
    await assert_each_stands_alone(world, results, 6)


@POSTGRES
@pytest.mark.postgresql
async def test_two_balancers_grant_a_new_player_once(world: World, database_url: str, redis_url: str) -> None:
    other = await make_world(database_url, redis_url)
    try:
        wishes = {f"key-{number}": world.wish(1, who=number) for number in range(8)}
        asked = [each.bring(SITE, key, "body", wish) for each in (world, other) for key, wish in wishes.items()]
        results = await at_once(*asked)
        assert results[:8] == results[8:]
    finally:
        await other.close()
    await assert_each_stands_alone(world, results[:8], 8)
