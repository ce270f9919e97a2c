"""Two calls of custody for games want the same rows or cents at the same moment: one of them wins, and everything adds up."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Coroutine
from typing import Any

import pytest
from balancer_core.core_world import World
from balancer_core.games import Games, check, owners
from balancer_core.test_exchanges import balance
from balancer_core.test_locks import put_back

from balancer.db import tables
from shared.errors import FleetError

pytestmark = pytest.mark.both_databases
Calls = tuple[Coroutine[Any, Any, Any], Coroutine[Any, Any, Any]]


MANY = 2000  # so often either side wins at some time


@pytest.fixture(params=[10, pytest.param(MANY, marks=[pytest.mark.long, pytest.mark.timeout(3600)])])
def times(request: pytest.FixtureRequest) -> int:
    found: int = request.param
    return found


@pytest.fixture
async def games(world: World) -> Games:
    made = Games(world)
    await made.ready(1, 2)
    return made


async def both(calls: Calls, number: int) -> tuple[Any, Any]:
    """What became of both, begun at once, now the one first and now the other. Only refusals may be raised."""
    asked = calls if number % 2 else calls[::-1]
    found = await asyncio.gather(*asked, return_exceptions=True)
    for each in found:
        if isinstance(each, BaseException) and not isinstance(each, FleetError):
            raise each
    return (found[0], found[1]) if number % 2 else (found[1], found[0])


def failed(found: Any) -> str | None:
    return found.error_code if isinstance(found, FleetError) else None


async def test_b05_of_a_transfer_and_a_release_at_once_each_row_follows_one(games: Games, times: int) -> None:
    world = games.world
    one, two = await world.held(2)
    seen: Counter[str | None] = Counter()
    for number in range(times):
        ref, owner = f"bet-{number}", owners(world)[one]
        other = "user-2" if owner == "user-1" else "user-1"
        await games.lock(ref, [one, two], owner)
        moves = [(each, owner, other) for each in (one, two)]
        moved, released = await both((games.transfer(f"t-{number}", [ref], moves), games.release(ref)), number)
        assert failed(released) is None and failed(moved) in (None, "lock_released")
        assert set(owners(world).values()) == {owner if failed(moved) else other}
        assert {row.state for row in (await games.show(ref)).rows} == {"released" if failed(moved) else "moved"}
        if number % 10 < 2:
            check(world)
        seen[failed(moved)] += 1
    check(world)
    assert times < MANY or len(seen) == 2, seen


async def test_b09_of_an_exchange_and_a_lock_at_once_exactly_one_wins(games: Games, times: int) -> None:
    world = games.world
    await games.issue("i", 2)
    [one] = await world.held(1)
    seen: Counter[tuple[str | None, str | None]] = Counter()
    for number in range(times):
        ref = f"r-{number}"
        given, locked = await both((games.exchange(ref, [one], tickets=2), games.lock(ref, [one])), number)
        seen[failed(given), failed(locked)] += 1
        check(world)
        if failed(locked) is None:
            await games.release(ref)
        else:
            await back(games, number)
    assert set(seen) <= {(None, "not_owner"), ("item_locked", None)}, seen
    assert times < MANY or len(seen) == 2, seen


async def back(games: Games, number: int) -> None:
    """The user's tickets are the house's again, and its item the user's, through locks and a transfer as games do it."""
    houses = [each for each, owner in owners(games.world).items() if owner == "house"]
    mine = [each for each, owner in owners(games.world).items() if owner == "user-1"]
    await games.lock(f"h-{number}", houses, "house")
    await games.lock(f"m-{number}", mine, "user-1")
    moves = [*((each, "house", "user-1") for each in houses), *((each, "user-1", "house") for each in mine)]
    await games.transfer(f"back-{number}", [f"h-{number}", f"m-{number}"], moves)


async def test_b08_b09_of_an_exchange_and_a_withdrawal_at_once_exactly_one_wins(games: Games, times: int) -> None:
    world = games.world
    await games.issue("i", 2)
    [one] = await world.held(1)
    seen: Counter[tuple[str | None, str | None]] = Counter()
    for number in range(times):
        given, out = await both((games.exchange(f"e-{number}", [one], tickets=2), world.withdraw([one])), number)
        seen[failed(given), failed(out)] += 1
        check(world)
        if failed(out) is None:
            await put_back(games, [one])
        else:
            await back(games, number)
    assert set(seen) <= {(None, "not_owner"), (None, "asset_in_trade"), ("not_active", None)}, seen
    assert times < MANY or len(seen) > 1, seen


async def test_b10_of_a_credit_and_an_exchange_that_spend_the_same_cents_exactly_one_wins(games: Games, times: int) -> None:
    world = games.world
    await games.issue("i", 1)
    seen: Counter[tuple[str | None, str | None]] = Counter()
    for number in range(times):
        await games.post(f"in-{number}", ("user-1", 150))
        spent = games.post(f"out-{number}", ("user-1", -100))
        exchanged = games.exchange(f"e-{number}", [], tickets=1, give_credit_cents=100)
        posted, given = await both((spent, exchanged), number)
        seen[failed(posted), failed(given)] += 1
        assert balance(world, "user-1") == 50
        check(world)
        await games.post(f"rest-{number}", ("user-1", -50))
    assert set(seen) <= {(None, "too_little_credit"), ("too_little_credit", None)}, seen
    assert times < MANY or len(seen) == 2, seen
    kept = world.rows(tables.deposits.select().where(tables.deposits.c.user_id == "user-1"))
    assert len(kept) == seen["too_little_credit", None]
