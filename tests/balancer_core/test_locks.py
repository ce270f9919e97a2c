"""Rows bound to games: B1 to B4, B6 and B7 of custody for games, and why a row is not bound."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from balancer_core.core_world import World
from balancer_core.games import ITEM, VALUE, Games, check, said
from sqlalchemy import update
from sqlalchemy.exc import IntegrityError

from balancer.custody.locks import by_operator, show
from balancer.db import tables
from balancer.journal.by import By
from shared.errors import Conflict, FleetError, FleetPaused, Forbidden, NotFound, RequestReused

Make = Callable[..., Awaitable[World]]
D = tables.deposits.c
ONE_DATABASE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
async def games(world: World) -> Games:
    made = Games(world)
    await made.ready(1, 2, 3)
    return made


def set_row(world: World, deposit_id: str, **values: Any) -> None:
    world.change(update(tables.deposits).where(D.deposit_id == deposit_id).values(values))


async def refused(answering: Awaitable[Any]) -> FleetError:
    with pytest.raises(FleetError) as caught:
        await answering
    return caught.value


async def test_a_lock_tells_its_rows_with_their_values_and_writes_one_event(games: Games) -> None:
    world = games.world
    ids = await world.held(2)
    answer = said(await games.lock("bet-1", ids[::-1], note="room/812"))
    assert (answer["ref"], answer["user_id"], answer["state"], answer["note"]) == ("bet-1", "user-1", "held", "room/812")
    assert [row["deposit_id"] for row in answer["rows"]] == ids
    row = answer["rows"][0]
    assert (row["market_hash_name"], row["value_cents"], row["taken_in_value_cents"], row["status"]) == (
        ITEM,
        VALUE,
        250,
        "active",
    )
    assert row["settled_at"] is not None and row["valued_at"] is not None
    [event] = world.events("items_locked")
    assert (event.number, event.user_id, event.who) == (answer["event"], "user-1", "client:cli_game")
    check(world)


@pytest.mark.both_databases
async def test_b01_a_row_is_under_one_held_lock_and_names_it(games: Games) -> None:
    world = games.world
    one, two = await world.held(2)
    await games.lock("a", [one])
    error = await refused(games.lock("b", [one, two]))
    assert (error.error_code, error.data) == ("item_locked", {"deposit_ids": [one], "refs": ["a"]})
    check(world)
    with pytest.raises(IntegrityError):  # the database itself refuses a second one
        world.change(tables.locks.insert().values(client_id="x", ref="y", state="held", created_at=world.ctx.clock.now()))
        world.change(tables.lock_rows.insert().values(client_id="x", ref="y", deposit_id=one, state="held"))
    world.change(tables.locks.delete().where(tables.locks.c.client_id == "x"))
    await games.release("a")
    await games.lock("c", [one, two])
    check(world)


async def test_another_clients_lock_is_not_named(games: Games) -> None:
    other = Games(games.world, "cli_other")
    await other.ready()
    [one] = await games.world.held(1)
    await other.lock("theirs", [one])
    error = await refused(games.lock("mine", [one]))
    assert (error.error_code, error.data) == ("item_locked", {"deposit_ids": [one], "refs": []})


REASONS: list[tuple[str, type[FleetError], dict[str, Any]]] = [
    ("not_owner", Forbidden, {"user_id": "user-2"}),
    ("not_active", Conflict, {"status": "withdrawn"}),
    ("item_locked", Conflict, {"locked_by": "cli_x:y"}),
    ("item_unsettled", Conflict, {"settled_at": None}),
    ("item_frozen", Conflict, {"frozen_by": "reversal"}),
]


@pytest.mark.parametrize(("code", "kind", "values"), REASONS, ids=[row[0] for row in REASONS])
async def test_every_reason_names_its_rows_and_changes_nothing(
    games: Games, code: str, kind: type[FleetError], values: dict[str, Any]
) -> None:
    world = games.world
    good, bad = await world.held(2)
    set_row(world, bad, **values)
    before = len(world.events())
    error = await refused(games.lock("bet", [good, bad]))
    data: Any = error.data
    named = [row["deposit_id"] for row in data["deposits"]] if code == "not_active" else data["deposit_ids"]
    assert (error.error_code, type(error), named) == (code, kind, [bad])
    assert (world.count("locks"), world.count("lock_rows"), len(world.events())) == (0, 0, before)
    set_row(world, bad, user_id="user-1", status="active", locked_by=None, settled_at=world.ctx.clock.now(), frozen_by=None)
    assert (await games.lock("bet", [good, bad])).first  # a refused ref may be used again
    check(world)


@ONE_DATABASE
async def test_the_first_reason_counts_in_the_documented_order(games: Games) -> None:
    world = games.world
    [one] = await world.held(1)
    for _, _, values in REASONS:
        set_row(world, one, **values)
    world.change(update(tables.users).where(tables.users.c.user_id == "user-1").values(blocked_by="trd_x"))
    world.change(update(tables.items).values(valued_at=None))
    games.terms = replace(games.terms, cannot_give=lambda _bot: "bot_banned")
    assert (await refused(games.lock("a", [one, "dep_none"]))).data == {"deposit_ids": ["dep_none"]}
    found = []
    mended: list[Callable[[], Any]] = [
        lambda: set_row(world, one, user_id="user-1"),
        lambda: set_row(world, one, status="active"),
        lambda: set_row(world, one, locked_by=None),
        lambda: set_row(world, one, settled_at=world.ctx.clock.now()),
        lambda: set_row(world, one, frozen_by=None),
        lambda: world.change(update(tables.users).values(blocked_by=None)),
        lambda: games.may_give(),
        lambda: world.change(update(tables.items).values(valued_at=world.ctx.clock.now())),
    ]
    for mend in mended:
        found.append((await refused(games.lock("a", [one]))).error_code)
        mend()
    order = ["not_owner", "not_active", "item_locked", "item_unsettled", "item_frozen"]
    assert found == [*order, "partner_blocked", "bot_restricted", "value_stale"]
    assert (await games.lock("a", [one])).first


@ONE_DATABASE
async def test_an_unsettled_row_is_locked_if_the_house_bears_the_risk(games: Games) -> None:
    world = games.world
    [one] = await world.held(1)
    settles_at = world.ctx.clock.now()
    set_row(world, one, settled_at=None, settles_at=settles_at)
    error = await refused(games.lock("a", [one]))
    assert error.data["settles_at"] == int(settles_at.timestamp() + 3600)
    assert said(await games.lock("a", [one], unsettled=True))["rows"][0]["settled_at"] is None


@ONE_DATABASE
async def test_a_frozen_or_restricted_bots_items_are_not_locked(games: Games) -> None:
    world = games.world
    [one] = await world.held(1)
    world.change(update(tables.bots).values(frozen_by="audit"))
    error = await refused(games.lock("a", [one]))
    assert (error.error_code, error.reason) == ("bot_restricted", "bot_frozen")
    world.change(update(tables.bots).values(frozen_by=None))
    games.terms = replace(games.terms, cannot_give={"red-1": "own_hold", "red-2": "own_hold"}.get)
    assert (await refused(games.lock("a", [one]))).reason == "own_hold"


@ONE_DATABASE
async def test_old_values_are_not_played_with_but_no_value_is_told_as_none(games: Games) -> None:
    world = games.world
    one, two = await world.held(2)
    world.later(86_401)
    assert (await refused(games.lock("a", [one]))).error_code == "value_stale"
    world.change(update(tables.items).values(value_source="house"))
    assert (await games.lock("a", [one])).first  # the house's own values do not grow old
    world.change(update(tables.items).values(value_cents=None, valued_at=None, value_source=None))
    assert said(await games.lock("b", [two]))["rows"][0]["value_cents"] is None


@ONE_DATABASE
async def test_a_pause_refuses_new_locks_and_answers_old_ones(games: Games) -> None:
    one, two = await games.world.held(2)
    first = await games.lock("a", [one])
    games.terms = replace(games.terms, paused="looking")
    with pytest.raises(FleetPaused) as caught:
        await games.lock("b", [two])
    assert (caught.value.error_code, caught.value.reason, caught.value.retryable) == ("fleet_paused", "looking", True)
    assert (await games.lock("a", [one])).json == first.json
    assert said(await games.transfer("t", ["a"], [(one, "user-1", "user-2")]))["moved"] == 1
    check(games.world)


# --- B2: locks and withdrawals --------------------------------------------------------------------


MANY = 10_000  # so often either side wins at some time


@pytest.fixture(params=[50, pytest.param(MANY, marks=[pytest.mark.long, pytest.mark.timeout(3600)])])
def times(request: pytest.FixtureRequest) -> int:
    found: int = request.param
    return found


async def put_back(games: Games, ids: list[str]) -> None:
    """The rows are free again as if the withdrawal had ended without moving anything."""
    world = games.world
    world.change(update(tables.deposits).where(D.deposit_id.in_(ids)).values(status="active"))
    world.change(update(tables.trades).values(status="canceled"))
    world.change(update(tables.bots).values(open_offers=0))
    world.clear_queues()


@pytest.mark.both_databases
async def test_b02_of_a_lock_and_a_withdrawal_at_once_exactly_one_wins(games: Games, times: int) -> None:
    world = games.world
    ids = await world.held(3)
    wins = [0, 0]
    for number in range(times):
        calls = [games.lock(f"bet-{number}", ids[:2]), world.withdraw(ids[1:])]
        asked = calls if number % 2 else calls[::-1]
        found = await asyncio.gather(*asked, return_exceptions=True)
        locked, withdrawn = found if number % 2 else found[::-1]
        assert isinstance(locked, FleetError) != isinstance(withdrawn, FleetError), (locked, withdrawn)
        if isinstance(locked, FleetError):
            assert locked.error_code == "not_active"
            await put_back(games, ids[1:])
        else:
            assert isinstance(withdrawn, FleetError)
            assert withdrawn.error_code in ("item_locked", "asset_in_trade")
            if number % 25 < 2:
                check(world)
            await games.release(f"bet-{number}")
        wins[isinstance(locked, FleetError)] += 1
    check(world)
    assert times < MANY or min(wins) > 0, wins


async def test_b02_what_is_on_its_way_out_is_not_locked_nor_what_is_locked_withdrawn(games: Games) -> None:
    world = games.world
    one, two = await world.held(2)
    await world.withdraw([one])
    assert (await refused(games.lock("a", [one]))).error_code == "not_active"
    await games.lock("b", [two])
    assert (await refused(world.withdraw([two]))).error_code == "item_locked"
    check(world)


# --- B3: once per ref -----------------------------------------------------------------------------


@pytest.mark.both_databases
async def test_b03_the_same_ref_and_body_is_answered_as_the_first_time(games: Games) -> None:
    world = games.world
    one, two = await world.held(2)
    first = await games.lock("a", [one, two])
    world.change(update(tables.items).values(value_cents=999))
    again = await games.lock("a", [one, two])
    assert (first.first, again.first, again.json) == (True, False, first.json)
    await games.transfer("t", ["a"], [(one, "user-1", "user-2")])
    assert (await games.lock("a", [one, two])).json == first.json
    before = len(world.events())
    with pytest.raises(RequestReused) as caught:
        await games.lock("a", [one])
    assert (caught.value.error_code, len(world.events())) == ("ref_reused", before)
    assert (await games.show("a")).state == "part_moved"


@pytest.mark.both_databases
async def test_b03_sixty_four_equal_calls_at_once_on_two_balancers_lock_once(make: Make) -> None:
    balancers = [await make(), await make()]
    sites = [Games(one) for one in balancers]
    await sites[0].ready()
    ids = await balancers[0].held(3)
    found = await asyncio.gather(*(sites[number % 2].lock("a", ids) for number in range(64)))
    assert len({one.json for one in found}) == 1 and sum(one.first for one in found) == 1
    assert len(balancers[0].events("items_locked")) == 1
    check(balancers[0])


# --- B4: released for good ------------------------------------------------------------------------


async def test_b04_a_released_ref_never_holds_anything_again(games: Games) -> None:
    world = games.world
    one, two = await world.held(2)
    await games.lock("a", [one, two])
    first = said(await games.release("a"))
    assert (first["state"], first["released"], first["moved"]) == ("released", [one, two], [])
    again = await games.release("a")
    assert (again.first, said(again)) == (False, first)
    assert (await refused(games.lock("a", [one, two]))).error_code == "lock_released"
    assert len(world.events("items_unlocked")) == 1
    check(world)


@pytest.mark.both_databases
async def test_b04_a_ref_released_before_it_came_is_refused_when_it_comes(games: Games) -> None:
    [one] = await games.world.held(1)
    first = said(await games.release("late"))
    assert (first["released"], first["moved"]) == ([], []) and first["event"]
    assert said(await games.release("late")) == first
    assert (await games.show("late")).state == "released_unseen"
    assert (await refused(games.lock("late", [one]))).error_code == "lock_released"
    check(games.world)


@pytest.mark.both_databases
async def test_b04_a_lock_and_its_release_at_once_leave_nothing_bound(games: Games) -> None:
    world = games.world
    ids = await world.held(2)
    for number in range(30):
        calls = [games.lock(f"r{number}", ids), games.release(f"r{number}"), games.release(f"r{number}")]
        await asyncio.gather(*(calls if number % 2 else calls[::-1]), return_exceptions=True)
        assert [row.locked_by for row in world.rows(tables.deposits.select())] == [None, None]
    check(world)


# --- B6, B7 ---------------------------------------------------------------------------------------


@pytest.mark.both_databases
async def test_b07_only_its_own_client_moves_or_frees_a_lock(games: Games) -> None:
    other = Games(games.world, "cli_other")
    await other.ready()
    [one] = await games.world.held(1)
    await games.lock("a", [one])
    assert (await refused(other.release("a"))).error_code == "ref_of_another_client"
    assert isinstance(await refused(other.show("a")), NotFound)
    error = await refused(other.transfer("t", ["a"], [(one, "user-1", "user-2")]))
    assert (error.error_code, error.data) == ("not_found", {"locks": ["a"]})
    await other.lock("a2", await games.world.held(1))
    error = await refused(other.transfer("t", ["a2"], [(one, "user-1", "user-2")]))
    assert (error.error_code, error.data) == ("not_locked", {"deposit_ids": [one]})
    check(games.world)


@pytest.mark.both_databases
async def test_an_operator_frees_a_lock_with_an_alarm_and_binds_it_again(games: Games) -> None:
    world = games.world
    one, two = await world.held(2)
    await games.lock("a", [one, two], note="room/1")
    now = world.ctx.clock.now()
    [(client, shown)] = await world.ctx.db.read(by_operator.find_open)
    assert (client, shown.ref, len(shown.rows)) == ("cli_game", "a", 2)
    freed = await world.ctx.db.run(by_operator.release, "a", None, "the site lost it", By("cli:boss", now))
    assert freed == [one, two]
    [event], [alarm] = world.events("items_unlocked"), world.events("alarm")
    assert (event.who, alarm.who) == ("cli:boss", "cli:boss") and "lock_released_by_operator" in alarm.data
    check(world)
    world.change(update(tables.items).values(value_cents=1))
    assert await world.ctx.db.run(by_operator.restore, "a", "cli_game", "mended", By("cli:boss", now)) == [one, two]
    found = await games.show("a")
    assert (found.state, [row.value_cents for row in found.rows]) == ("held", [VALUE, VALUE])
    check(world)
    await games.release("a")  # what its client has released is nobody's to bind again
    error = await refused(world.ctx.db.run(by_operator.restore, "a", None, "again", By("cli:boss", now)))
    assert error.error_code == "not_released_by_operator"


async def test_nothing_is_bound_again_that_is_not_there_any_more(games: Games) -> None:
    world = games.world
    one, two = await world.held(2)
    await games.lock("a", [one, two])
    now = world.ctx.clock.now()
    await world.ctx.db.run(by_operator.release, "a", None, "lost", By("cli:boss", now))
    await world.withdraw([two])
    error = await refused(world.ctx.db.run(by_operator.restore, "a", None, "mended", By("cli:boss", now)))
    assert (error.error_code, error.data) == ("not_active", {"deposit_ids": [two]})
    check(world)


@pytest.mark.both_databases
async def test_locks_are_listed_by_state_and_user_in_pages(games: Games) -> None:
    world = games.world
    ids = await world.held(3)
    for number, each in enumerate(ids):
        await games.lock(f"l{number}", [each])
    await games.release("l1")
    listed = await world.ctx.db.read(lambda c: show.find(c, "cli_game", states=["held"], user_id="user-1"))
    assert [one.ref for one in listed] == ["l0", "l2"]
    page = await world.ctx.db.read(lambda c: show.find(c, "cli_game", after="l0", limit=1))
    assert [(one.ref, one.state) for one in page] == [("l1", "released")]
