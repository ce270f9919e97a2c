"""Rows under locks change hands: B3, B5, B6, B10 to B13 of custody for games."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from balancer_core.core_world import World, player
from balancer_core.games import Games, check, owners, said, where
from balancer_core.test_locks import refused, set_row
from sqlalchemy import delete, text, update
from sqlalchemy.exc import DBAPIError

from balancer.custody import credits
from balancer.custody.credits import Limits
from balancer.db import tables
from balancer.journal.by import By
from balancer.upkeep import persons, purge
from shared.domain.games import CreditKind
from shared.errors import Conflict, FleetError, Forbidden, NotAccepted, NotFound, RequestReused

Make = Callable[..., Awaitable[World]]
ONE_DATABASE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
async def games(world: World) -> Games:
    made = Games(world)
    await made.ready(1, 2, 3)
    return made


@pytest.mark.both_databases
async def test_a_transfer_hands_over_frees_the_rest_and_credits_in_one_event(games: Games) -> None:
    world = games.world
    one, two, three = await world.held(3)
    await games.lock("bet", [one, two, three])
    line = credits.Line("user-2", 31, CreditKind.REST)
    moves = [(one, "user-1", "user-2"), (two, "user-1", "user-1")]
    answer = said(await games.transfer("round-1", ["bet"], moves, release_rest=True, credits=[line]))
    assert (answer["moved"], answer["released"], answer["lost"], len(answer["credits"])) == (2, [three], [], 1)
    assert owners(world) == {one: "user-2", two: "user-1", three: "user-1"}
    [event] = world.events("items_transferred")
    data = json.loads(event.data)
    assert (event.number, data["ref"], data["client_id"], data["released"]) == (answer["event"], "round-1", "cli_game", [three])
    assert data["moves"] == [{"deposit_id": each, "from": a, "to": b} for each, a, b in moves]
    shown = await games.show("bet")
    assert (shown.state, [row.state for row in shown.rows]) == ("used", ["moved", "moved", "released"])
    check(world)


@pytest.mark.both_databases
async def test_b03_a_transfer_is_done_once_at_once_and_ever_after(make: Make) -> None:
    balancers = [await make(), await make()]
    sites = [Games(one) for one in balancers]
    await sites[0].ready(2)
    ids = await balancers[0].held(4)
    await sites[0].lock("bet", ids)
    moves = [(each, "user-1", "user-2") for each in ids]
    line = credits.Line("user-2", 5, CreditKind.REST)
    found = await asyncio.gather(*(sites[number % 2].transfer("t", ["bet"], moves, credits=[line]) for number in range(64)))
    assert len({one.json for one in found}) == 1 and sum(one.first for one in found) == 1
    assert len(balancers[0].events("items_transferred")) == 1
    with pytest.raises(RequestReused) as caught:
        await sites[1].transfer("t", ["bet"], moves[:1])
    assert caught.value.error_code == "ref_reused"
    check(balancers[0])


@pytest.mark.parametrize(
    ("code", "kind", "named"),
    [
        ("not_found", NotFound, {"locks": ["none"]}),
        ("not_found", NotFound, {"deposit_ids": ["dep_none"]}),
        ("not_found", NotFound, {"user_ids": ["nobody"]}),
        ("lock_released", Conflict, {"locks": ["gone"]}),
        ("not_locked", Conflict, {"deposit_ids": "free"}),
        ("not_owner", Forbidden, {"deposit_ids": "own"}),
        ("repeated", NotAccepted, {"deposit_ids": "own"}),
    ],
    ids=["lock", "deposit", "receiver", "released", "free", "owner", "repeated"],
)
async def test_b05_a_transfer_that_is_refused_changes_nothing(
    games: Games, code: str, kind: type[FleetError], named: dict[str, Any]
) -> None:
    world = games.world
    good, own, free = await world.held(3)
    await games.lock("bet", [good, own])
    await games.release("gone")
    which, moves = ["bet"], [(good, "user-1", "user-2"), (own, "user-1", "user-2")]
    what = next(iter(named.values()))
    if what == ["none"] or what == ["gone"]:
        which = ["bet", *what]
    elif what == ["dep_none"]:
        moves.append(("dep_none", "user-1", "user-2"))
    elif what == ["nobody"]:
        moves[1] = (own, "user-1", "nobody")
    elif what == "free":
        moves.append((free, "user-1", "user-2"))
    else:
        moves[1:] = [(own, "user-3", "user-2")] if code == "not_owner" else [moves[1]] * 2
    rows, before = world.rows(tables.deposits.select()), len(world.events())
    error = await refused(games.transfer("t", which, moves, release_rest=True))
    expected = {name: [{"free": free, "own": own}[value]] if isinstance(value, str) else value for name, value in named.items()}
    assert (error.error_code, type(error), error.data) == (code, kind, expected)
    assert (world.rows(tables.deposits.select()), len(world.events())) == (rows, before)
    assert (world.count("transfers"), world.count("credits")) == (0, 0)
    check(world)


async def test_b05_a_credit_that_cannot_be_written_takes_the_moves_back(games: Games) -> None:
    [one] = await games.world.held(1)
    await games.lock("bet", [one])
    line = credits.Line("nobody", 5, CreditKind.REST)
    assert (await refused(games.transfer("t", ["bet"], [(one, "user-1", "user-2")], credits=[line]))).error_code == "not_found"
    assert owners(games.world) == {one: "user-1"}
    check(games.world)


async def test_b05_b12_only_the_owner_of_a_row_changes(games: Games) -> None:
    world = games.world
    ids = await world.held(4)
    set_row(world, ids[3], settled_at=None)
    before = where(world)
    await games.lock("bet", ids, unsettled=True)
    await games.transfer("t", ["bet"], [(each, "user-1", "user-2") for each in ids])
    assert where(world) == before
    assert set(owners(world).values()) == {"user-2"}
    error = await refused(world.withdraw([ids[3]], who=2))  # what was won unsettled stays so for its new owner
    assert error.error_code == "item_unsettled"
    await world.withdraw([ids[0]], who=2)
    check(world)


STRANGE: dict[str, dict[str, Any]] = {
    "frozen": {"frozen_by": "audit"},
    "swapped": {"frozen_by": "swapped"},
    "reversed": {"status": "reversed"},
    "unsettled": {"settled_at": None},
}


@pytest.mark.parametrize("what", [*STRANGE, "blocked", "bot frozen"])
async def test_b06_a_row_under_a_lock_can_always_be_transferred(games: Games, what: str) -> None:
    world = games.world
    one, two = await world.held(2)
    await games.lock("bet", [one, two])
    if what == "blocked":
        world.change(update(tables.users).values(blocked_by="trd_x"))
    elif what == "bot frozen":
        world.change(update(tables.bots).values(frozen_by="audit"))
    else:
        set_row(world, one, **STRANGE[what])
    answer = said(await games.transfer("t", ["bet"], [(one, "user-1", "user-2"), (two, "user-1", "user-2")]))
    assert answer["moved"] == 2 and set(owners(world).values()) == {"user-2"}
    losses: dict[str, dict[str, str | None]] = {
        "frozen": {"status": "active", "reason": "audit"},
        "swapped": {"status": "active", "reason": "swapped"},
        "reversed": {"status": "reversed", "reason": None},
    }
    lost = losses.get(what)
    assert answer["lost"] == ([{"deposit_id": one, **lost}] if lost else [])
    check(world)


async def test_b06_a_reversal_after_a_transfer_names_both_people_and_blocks_the_first(games: Games) -> None:
    world = games.world
    [trade_id] = await world.deposit(1)
    await world.accept(trade_id)
    [row] = world.deposits_of(trade_id)
    await games.lock("bet", [row.deposit_id], unsettled=True)
    await games.transfer("t", ["bet"], [(row.deposit_id, "user-1", "user-2")])
    await world.tell(trade_id, "exchange_reversed", exchange_id=f"x-{trade_id}", exchange_status=12)
    blocked = {each.user_id: each.blocked_by for each in world.rows(tables.users.select())}
    assert (blocked["user-1"], blocked["user-2"]) == (trade_id, None)
    [event] = world.events("exchange_reversed")
    [told] = json.loads(event.data)["deposits"]
    assert (event.user_id, told["owner"], told["deposit_id"]) == ("user-1", "user-2", row.deposit_id)
    await world.tell(trade_id, "items_gone", deposit_ids=[row.deposit_id])
    reversal = world.events("reversal")[-1]
    [item] = json.loads(reversal.data)["items"]
    assert (reversal.user_id, item["user_id"], item["status"]) == ("user-1", "user-2", "reversed")
    check(world)


async def test_an_owner_is_told_only_where_it_is_another_than_the_one_who_brought_it(games: Games) -> None:
    [trade_id] = await games.world.deposit(1)
    await games.world.accept(trade_id)
    assert "owner" not in games.world.events("offer_accepted")[0].data


@ONE_DATABASE
async def test_b05_two_thousand_rows_change_hands_in_one_call(make: Make) -> None:
    world = await make(
        bots=tuple(f"red-{number}" for number in range(1, 4)), limits={"bot_items_max": 1000, "inventory_limit": 2000}
    )
    games = Games(world)
    await games.ready(2, 3)
    await world.held(1)
    template = dict(world.rows(tables.deposits.select())[0]._mapping)
    names = [f"dep_many{number:04}" for number in range(2000)]
    rows = [
        {**template, "deposit_id": name, "asset_id": 90_000_000 + number, "color": "red", "bot_id": 1}
        for number, name in enumerate(names)
    ]
    with world.ctx.db.transaction() as connection:
        connection.execute(tables.deposits.insert(), rows)
    before = where(world)
    await games.lock("a", names[:1000])
    await games.lock("b", names[1000:])
    moves = [(name, "user-1", f"user-{2 + number % 2}") for number, name in enumerate(names)]
    assert said(await games.transfer("t", ["a", "b"], moves))["moved"] == 2000
    assert Counter(owners(world).values()) == {"user-1": 1, "user-2": 1000, "user-3": 1000}
    assert where(world) == before
    check(world)


@pytest.mark.both_databases
async def test_b05_locks_transfers_and_releases_at_random_add_up(games: Games) -> None:
    """Many hands at once: nothing is under two locks, nothing is lost, every call writes one event or none."""
    world, chance = games.world, random.Random(7)
    ids = await world.held(6)
    bot_rows, done = where(world), Counter[str]()

    async def hand(number: int) -> None:
        ref, some = f"bet-{number}", chance.sample(ids, 3)
        winner, owner = f"user-{chance.randint(1, 3)}", owners(world)[some[0]]
        mine = [each for each in some if owners(world)[each] == owner]
        try:
            await games.lock(ref, mine, owner)
            done["items_locked"] += 1
            if chance.random() < 0.5:
                await games.transfer(f"t-{number}", [ref], [(each, owner, winner) for each in mine])
                done["items_transferred"] += 1
            await games.release(ref)
            done["items_unlocked"] += 1
        except FleetError as error:
            assert error.error_code in ("item_locked", "not_owner", "not_active"), error.error_code

    for start in range(0, 60, 6):
        await asyncio.gather(*(hand(number) for number in range(start, start + 6)))
        check(world)
    assert where(world) == bot_rows
    assert done == Counter({kind: len(world.events(kind)) for kind in ("items_locked", "items_unlocked", "items_transferred")})
    assert min(done.values()) > 0


# --- credits --------------------------------------------------------------------------------------


@pytest.mark.both_databases
async def test_b10_credits_sum_to_zero_and_balances_to_their_lines(games: Games) -> None:
    world = games.world
    answer = said(await games.post("c1", ("user-1", 100), ("user-2", 40), ("user-1", -30)))
    assert answer["balances"] == [{"user_id": "user-1", "cents": 70}, {"user_id": "user-2", "cents": 40}]
    check(world)
    error = await refused(games.post("c2", ("user-2", 5), ("user-1", -71)))
    assert (error.error_code, error.data["balance_cents"]) == ("too_little_credit", 70)
    check(world)
    assert said(await games.post("c2", ("user-1", -71), floor=-10))["balances"] == [{"user_id": "user-1", "cents": -1}]
    page = await world.ctx.db.read(lambda c: credits.find(c, "user-1", None, 2))
    assert (page.balance_cents, [line.cents for line in page.lines]) == (-1, [100, -30])
    rest = await world.ctx.db.read(lambda c: credits.find(c, "user-1", page.next, 2))
    assert ([line.cents for line in rest.lines], rest.next) == ([-71], None)
    check(world)


@pytest.mark.both_databases
async def test_b10_a_balance_is_spent_once_however_many_ask_at_once(games: Games) -> None:
    await games.post("start", ("user-1", 100))
    found = await asyncio.gather(*(games.post(f"c{n}", ("user-1", -30)) for n in range(8)), return_exceptions=True)
    assert sum(not isinstance(one, BaseException) for one in found) == 3
    check(games.world)


@pytest.mark.both_databases
async def test_b10_lines_are_neither_changed_nor_removed(games: Games) -> None:
    world = games.world
    await games.post("c", ("user-1", 100))
    table = tables.credits
    for change in (
        update(table).values(cents=1),
        update(table).values(user_id="user-2"),
        update(table).values(ref="x"),
        delete(table),
    ):
        with pytest.raises(DBAPIError):
            world.change(change)
    check(world)


async def test_b03_credits_are_posted_once_per_ref(games: Games) -> None:
    found = await asyncio.gather(*(games.post("c", ("user-1", 100)) for _ in range(32)))
    assert len({one.json for one in found}) == 1
    assert (await refused(games.post("c", ("user-1", 101)))).error_code == "ref_reused"
    # A transfer may have the same ref: refs are one client's and one kind's.
    line = credits.Line("user-1", 5, CreditKind.REST)
    await games.transfer("c", [], [], credits=[line])
    check(games.world)


@pytest.mark.both_databases
async def test_more_than_a_days_limit_is_refused_with_one_alarm_and_may_be_repeated(games: Games) -> None:
    world = games.world
    games.limits = Limits(user_day_cents=100, client_day_cents=150)
    await games.post("a", ("user-1", 100))
    for _ in range(2):
        error = await refused(games.post("b", ("user-1", 1)))
        assert isinstance(error, credits.LimitReached)
        assert (error.error_code, error.reason, error.retryable) == ("limit_reached", "user_credits_day_cents", True)
        await world.ctx.db.run(credits.raise_alarm, error, By("client:site", world.ctx.clock.now()))
    assert (await refused(games.post("c", ("user-2", 51)))).reason == "client_credits_day_cents"
    assert len(world.events("alarm")) == 1
    games.limits = Limits()
    assert (await games.post("b", ("user-1", 1))).first
    games.limits = Limits(user_day_cents=100)
    world.later(86_401)
    assert (await games.post("d", ("user-1", 100))).first
    check(world)


# --- B11, B13 -------------------------------------------------------------------------------------


@pytest.mark.both_databases
async def test_b11_each_call_writes_one_event_and_a_repetition_none(games: Games) -> None:
    world = games.world
    [one] = await world.held(1)
    line = credits.Line("user-2", 5, CreditKind.REST)
    calls: list[tuple[str, Callable[[], Awaitable[Any]]]] = [
        ("items_locked", lambda: games.lock("bet", [one])),
        ("items_transferred", lambda: games.transfer("t", ["bet"], [(one, "user-1", "user-2")], credits=[line])),
        ("items_unlocked", lambda: games.release("bet")),
        ("items_unlocked", lambda: games.release("never")),
        ("credits_posted", lambda: games.post("c", ("user-1", 1))),
    ]
    for kind, call in calls:
        before = world.events()
        answer = said(await call())
        [event] = world.events()[len(before) :]
        assert (event.kind, event.number) == (kind, answer["event"])
        if kind != "items_locked" or (await games.show("bet")).state != "released":
            assert said(await call()) == answer
        assert len(world.events()) == len(before) + 1


async def test_b13_a_purge_leaves_what_a_lock_or_a_ref_needs(games: Games) -> None:
    world = games.world
    [trade_id] = await world.deposit(1)
    await world.accept(trade_id)
    [row] = world.deposits_of(trade_id)
    first = await games.lock("bet", [row.deposit_id], unsettled=True)
    await games.post("c", ("user-3", 7))
    await world.tell(trade_id, "exchange_reversed", exchange_id=f"x-{trade_id}", exchange_status=12)
    await world.tell(trade_id, "items_gone", deposit_ids=[row.deposit_id])
    assert owners(world) == {row.deposit_id: "user-1"}
    world.later(800 * 86_400)
    await world.online("red-1", "red-2")
    await purge.purge(world.ctx)
    assert [each.status for each in world.rows(tables.deposits.select())] == ["reversed"]
    assert "user-3" in {each.user_id for each in world.rows(tables.users.select())}  # who is owed something stays
    answer = said(await games.transfer("t", ["bet"], [(row.deposit_id, "user-1", "house")]))
    assert answer["lost"] == [{"deposit_id": row.deposit_id, "status": "reversed", "reason": "reversal"}]
    world.later(800 * 86_400)
    await world.online("red-1", "red-2")
    await purge.purge(world.ctx)
    assert world.count("deposits") == 0
    assert (await games.lock("bet", [row.deposit_id], unsettled=True)).json == first.json  # the ref is kept for good
    assert (await games.show("bet")).rows[0].state == "moved"
    check(world)


@pytest.mark.both_databases
async def test_a_person_is_forgotten_in_locks_and_credits_too_when_nothing_is_owed(games: Games) -> None:
    world = games.world
    ids = await world.held(1)
    set_row(world, ids[0], inspect_link=f"steam://rungame/S{int(player(1))}A1")
    await games.lock("bet", ids)
    await games.post("c", ("user-1", 7))
    await games.release("bet")
    [trade_id] = await world.withdraw(ids)
    await world.accept(trade_id)
    await world.settle(trade_id)
    person = await world.ctx.db.read(persons.find, "user-1")
    assert (await refused(world.ctx.db.run(persons.check_free, person))).error_code == "credit_left"
    await games.post("c2", ("user-1", -7))
    export = await world.ctx.db.read(persons.export, person)
    assert (len(export["locks"]), len(export["credits"])) == (1, 2)
    known = await world.ctx.db.read(persons.mentions, person, 0)
    await world.ctx.db.run(persons.forget, person, known, By("cli:me", world.ctx.clock.now()))
    for table in (tables.locks, tables.credits, tables.credit_calls):
        kept = str(world.rows(table.select()))
        assert "user-1" not in kept and str(person.steam_id) not in kept, table.name
    assert world.rows(text("SELECT sum(cents) FROM credits"))[0][0] == 0
