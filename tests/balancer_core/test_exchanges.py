"""Tickets that the house issues, and exchanges with the house: B3, B8, B9 and B11 of custody for games."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from balancer_core.core_world import World
from balancer_core.games import ITEM, TICKET, VALUE, Games, check, owners, said, where
from balancer_core.test_locks import refused, set_row
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import update

from balancer.custody import credits, exchanges, expected, stock, tickets
from balancer.custody.exchanges import Rows, Wish
from balancer.db import tables
from balancer.journal.by import By
from balancer.upkeep import persons, purge
from shared.errors import Conflict, FleetError, FleetPaused, NotFound, RequestReused

Make = Callable[..., Awaitable[World]]
ONE_DATABASE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
async def games(world: World) -> Games:
    made = Games(world)
    await made.ready(1, 2, 3)
    return made


def balance(world: World, user_id: str) -> int:
    found = world.rows(tables.users.select().where(tables.users.c.user_id == user_id))
    cents: int = found[0].credit_cents
    return cents


# --- B8: tickets ----------------------------------------------------------------------------------


@pytest.mark.both_databases
async def test_b08_issued_rows_are_the_houses_counted_and_never_withdrawn(games: Games) -> None:
    world = games.world
    answer = said(await games.issue("i1", 3))
    assert len(answer["deposit_ids"]) == 3 and set(owners(world).values()) == {"house"}
    await games.issue("i2", 2)
    [kind] = await world.ctx.db.read(tickets.kinds)
    assert (kind.market_hash_name, kind.value_cents, kind.issued, kind.rows, kind.with_house) == (TICKET, 100, 5, 5, 5)
    [event, _] = world.events("items_issued")
    assert event.number == answer["event"] and json.loads(event.data)["deposit_ids"] == answer["deposit_ids"]
    assert await world.ctx.db.read(lambda c: stock.free(c, None, 100)) == []  # tickets are no stock
    await world.held(1)
    world.change(update(tables.deposits).values(user_id="user-1"))
    error = await refused(world.withdraw(answer["deposit_ids"][:1]))
    assert (error.error_code, error.reason) == ("item_not_accepted", "house_issued")
    check(world)


async def test_b08_an_item_of_another_kind_or_value_is_not_issued(games: Games) -> None:
    await games.issue("i1", 1)
    error = await refused(games.issue("i2", 1, value_cents=101))
    assert (error.error_code, error.data["value_cents"], error.data["value_source"]) == ("kind_differs", 100, "house")
    assert (await refused(games.issue("i2", 1, name=ITEM))).error_code == "kind_differs"
    assert len(games.world.events("items_issued")) == 1
    check(games.world)


@pytest.mark.both_databases
async def test_b08_sixty_four_equal_issues_at_once_on_two_balancers_issue_once(make: Make) -> None:
    balancers = [await make(), await make()]
    sites = [Games(one) for one in balancers]
    await sites[0].ready()
    found = await asyncio.gather(*(sites[number % 2].issue("i", 4) for number in range(64)))
    assert len({one.json for one in found}) == 1 and sum(one.first for one in found) == 1
    assert len(balancers[0].events("items_issued")) == 1
    with pytest.raises(RequestReused):
        await sites[1].issue("i", 5)
    check(balancers[0])


@pytest.mark.both_databases
async def test_b08_two_balancers_issue_a_new_kind_at_once_as_one_kind(make: Make) -> None:
    balancers = [await make(), await make()]
    sites = [Games(one) for one in balancers]
    await sites[0].ready()
    await asyncio.gather(*(sites[number % 2].issue(f"i{number}", 2) for number in range(16)))
    [kind] = await balancers[0].ctx.db.read(tickets.kinds)
    assert (kind.issued, kind.rows) == (32, 32)
    check(balancers[0])


@pytest.mark.both_databases
async def test_b08_a_ticket_given_back_is_given_out_again_and_nothing_removes_one(games: Games) -> None:
    world = games.world
    await games.issue("i", 1)
    one, two = await world.held(2)
    first = said(await games.exchange("e1", [one], tickets=2))
    assert len(first["took"]) == 2  # one was there, one is new
    await games.lock("bet", first["took"])
    await games.transfer("t", ["bet"], [(each, "user-1", "house") for each in first["took"]])
    again = said(await games.exchange("e2", [two], tickets=2))
    assert sorted(again["took"]) == sorted(first["took"])
    world.later(86_400 * 400)
    await purge.purge(world.ctx)
    [kind] = await world.ctx.db.read(tickets.kinds)
    assert (kind.issued, kind.rows, kind.with_house) == (2, 2, 0)
    check(world)


@ONE_DATABASE
async def test_b08_the_audit_of_a_bot_sees_neither_tickets_nor_exchanges(games: Games) -> None:
    world = games.world
    [one] = await world.held(1)
    [row] = world.rows(tables.deposits.select())
    before = await world.ctx.db.read(expected.load, row.color, row.bot_id, 10**9)
    await games.issue("i", 1)
    await games.exchange("e", [one], tickets=1)
    after = await world.ctx.db.read(expected.load, row.color, row.bot_id, 10**9)
    assert [each.deposit_id for each in after] == [each.deposit_id for each in before] == [one]


# --- B9: exchanges --------------------------------------------------------------------------------


@pytest.mark.both_databases
async def test_b09_items_become_tickets_and_the_rest_a_credit_in_one_event(games: Games) -> None:
    world = games.world
    await games.issue("i", 1)
    one, two = await world.held(2)
    before = where(world)
    answer = said(await games.exchange("e", [one, two], tickets=5, seen_cents=520))
    assert (answer["value_in_cents"], answer["value_out_cents"], answer["rest_cents"]) == (520, 500, 20)
    assert (answer["fee_bp"], answer["fee_cents"], answer["gave"]) == (0, 0, [one, two])
    assert {each: owner for each, owner in owners(world).items() if each in answer["took"]} == dict.fromkeys(
        answer["took"], "user-1"
    )
    assert len(answer["took"]) == 5 and owners(world)[one] == owners(world)[two] == "house"
    assert {each: row for each, row in where(world).items() if each in before} == before
    assert balance(world, "user-1") == 20
    page = await world.ctx.db.read(lambda c: credits.find(c, "user-1"))
    assert [(line.credit_id, line.cents, line.kind, line.call) for line in page.lines] == [
        (answer["credit_id"], 20, "exchange", "exchange")
    ]
    [event] = world.events("items_exchanged")
    data = json.loads(event.data)
    assert (event.number, event.user_id, data["gave"], data["took"]) == (
        answer["event"],
        "user-1",
        answer["gave"],
        answer["took"],
    )
    assert (data["rest_cents"], data["issued"], data["credits"][0]["cents"]) == (20, 4, 20)
    check(world)


@pytest.mark.both_databases
async def test_b09_a_real_item_of_the_house_costs_the_fee_and_may_be_paid_by_credit(games: Games) -> None:
    world = games.world
    one, two = await world.held(2)
    games.houses(one, two)
    await games.post("c", ("user-1", 300))
    answer = said(await games.exchange("e", [], take=[one], give_credit_cents=300))
    assert (answer["value_out_cents"], answer["fee_bp"], answer["fee_cents"], answer["rest_cents"]) == (260, 300, 8, 32)
    assert (owners(world)[one], balance(world, "user-1")) == ("user-1", 32)
    error = await refused(games.exchange("e2", [], take=[two], give_credit_cents=300))
    assert (error.error_code, error.data["balance_cents"]) == ("too_little_credit", 32)
    await world.withdraw([one])  # it is the user's like any other
    check(world)


async def test_b09_an_exchange_that_gives_too_little_or_leaves_a_rest_is_refused_as_asked(games: Games) -> None:
    world = games.world
    await games.issue("i", 10)
    one, two = await world.held(2)
    games.houses(two)
    before = (world.rows(tables.deposits.select()), len(world.events()))
    for refs, wish, rest in (
        ("a", {"tickets": 3}, -40),  # worth less
        ("b", {"take": [two]}, -8),  # worth the same, without the fee
        ("c", {"tickets": 2, "credit_rest": False}, 60),
    ):
        error = await refused(games.exchange(refs, [one], **wish))
        assert (error.error_code, error.data["rest_cents"]) == ("uneven", rest)
    error = await refused(games.exchange("d", [one], tickets=2, seen_cents=261))
    assert (error.error_code, error.data["seen_cents"], error.data["value_in_cents"]) == ("price_changed", 261, 260)
    assert (world.rows(tables.deposits.select()), len(world.events())) == before
    assert (world.count("exchanges"), world.count("credits")) == (0, 0)
    assert said(await games.exchange("a", [one], tickets=2))["rest_cents"] == 60  # a refused ref may be used again
    check(world)


@given(
    given_cents=st.lists(st.integers(0, 10**6), max_size=8),
    taken=st.lists(st.tuples(st.integers(0, 10**6), st.booleans()), max_size=8),
    credit=st.integers(0, 10**6),
    tickets=st.integers(0, 1000),
    ticket_cents=st.integers(1, 10**4),
    fee_bp=st.integers(0, 5000),
)
def test_b09_the_rest_is_the_difference_and_the_fee_never_less_than_its_part(
    given_cents: list[int], taken: list[tuple[int, bool]], credit: int, tickets: int, ticket_cents: int, fee_bp: int
) -> None:
    def row(cents: int, *, real: bool = True) -> Any:
        return SimpleNamespace(item_value_cents=cents, bot_id=1 if real else None)

    rows = Rows(
        given={str(number): row(cents) for number, cents in enumerate(given_cents)},
        taken={str(number): row(cents, real=real) for number, (cents, real) in enumerate(taken)},
        kind=SimpleNamespace(value_cents=ticket_cents),  # type: ignore[arg-type]
        blocked_by=None,
        balance_cents=credit,
        known=set(),
    )
    sums = exchanges.reckon(Wish("u", give_credit_cents=credit, tickets=tickets), rows, fee_bp)
    assert sums.value_in_cents == sum(given_cents) + credit
    assert sums.value_out_cents == sum(cents for cents, _ in taken) + tickets * ticket_cents
    real = sum(cents for cents, is_real in taken if is_real)
    assert 0 <= sums.fee_cents * 10_000 - real * fee_bp < 10_000
    assert sums.value_in_cents == sums.value_out_cents + sums.fee_cents + sums.rest_cents


GIVEN: list[tuple[str, dict[str, Any]]] = [
    ("not_owner", {"user_id": "user-2"}),
    ("not_active", {"status": "withdrawn"}),
    ("item_locked", {"locked_by": "cli_x:y"}),
    ("item_unsettled", {"settled_at": None}),
    ("item_frozen", {"frozen_by": "reversal"}),
]


@ONE_DATABASE
async def test_b09_what_cannot_be_locked_cannot_be_given(games: Games) -> None:
    world = games.world
    await games.issue("i", 5)
    [one] = await world.held(1)
    good = {"user_id": "user-1", "status": "active", "locked_by": None, "settled_at": world.ctx.clock.now(), "frozen_by": None}
    for code, values in GIVEN:
        set_row(world, one, **values)
        assert (await refused(games.exchange("e", [one], tickets=1))).error_code == code
        set_row(world, one, **good)
    assert isinstance(await refused(games.exchange("e", ["dep_none"], tickets=1)), NotFound)
    world.change(update(tables.users).where(tables.users.c.user_id == "user-1").values(blocked_by="trd_x"))
    assert (await refused(games.exchange("e", [one], tickets=1))).error_code == "partner_blocked"
    assert (await refused(games.exchange("e", [], tickets=1, give_credit_cents=1))).error_code == "partner_blocked"
    world.change(update(tables.users).values(blocked_by=None))
    games.terms = replace(games.terms, cannot_give=lambda _bot: "bot_banned")
    assert (await refused(games.exchange("e", [one], tickets=1))).error_code == "bot_restricted"
    games.terms = replace(games.terms, cannot_give=lambda _bot: None, paused="new prices")
    error = await refused(games.exchange("e", [one], tickets=1))
    assert isinstance(error, FleetPaused) and error.reason == "new prices"
    games.terms = replace(games.terms, paused=None)
    world.later(86_401)
    assert (await refused(games.exchange("e", [one], tickets=1))).error_code == "value_stale"
    world.change(update(tables.items).where(tables.items.c.market_hash_name == ITEM).values(value_cents=None))
    error = await refused(games.exchange("e", [one], tickets=1))
    assert (error.error_code, error.data["deposits"]) == ("not_for_exchange", [{"deposit_id": one, "reason": "unpriced"}])
    assert (await refused(games.exchange("e", [one], "user-9", tickets=1))).data == {"user_ids": ["user-9"]}
    check_nothing_moved(world)


def check_nothing_moved(world: World) -> None:
    assert (world.count("exchanges"), world.count("credits"), len(world.events("items_exchanged"))) == (0, 0, 0)


TAKEN: list[tuple[str, dict[str, Any], str | None]] = [
    ("house_row_taken", {"user_id": "user-2"}, None),
    ("house_row_taken", {"status": "withdraw_pending"}, None),
    ("house_row_taken", {"locked_by": "cli_x:y"}, None),
    ("not_for_exchange", {"settled_at": None}, "unsettled"),
    ("not_for_exchange", {"frozen_by": "audit"}, "frozen"),
]


@ONE_DATABASE
async def test_b09_only_what_the_house_has_free_can_be_taken(games: Games) -> None:
    world = games.world
    await games.post("c", ("user-1", 1000))
    [one] = await world.held(1)
    good = {"user_id": "house", "status": "active", "locked_by": None, "settled_at": world.ctx.clock.now(), "frozen_by": None}
    events = len(world.events())
    for code, values, reason in TAKEN:
        set_row(world, one, **{**good, **values})
        error = await refused(games.exchange("e", [], take=[one], give_credit_cents=500))
        named = error.data["deposit_ids"] if reason is None else error.data["deposits"]
        assert (error.error_code, named) == (code, [one] if reason is None else [{"deposit_id": one, "reason": reason}])
    set_row(world, one, **good)
    games.terms = replace(games.terms, cannot_give=lambda _bot: "bot_banned")
    error = await refused(games.exchange("e", [], take=[one], give_credit_cents=500))
    assert error.data["deposits"] == [{"deposit_id": one, "reason": "bot_banned"}]
    games.terms = replace(games.terms, cannot_give=lambda _bot: None)
    for values in ({"value_cents": None}, {"value_cents": VALUE, "valued_at": None}):
        world.change(update(tables.items).values(values))
        error = await refused(games.exchange("e", [], take=[one], give_credit_cents=500))
        assert error.error_code == "not_for_exchange", values
    error = await refused(games.exchange("e", [], ticket=ITEM, tickets=1, give_credit_cents=500))
    assert (error.error_code, error.data["market_hash_name"]) == ("not_for_exchange", ITEM)
    assert len(world.events()) == events and world.count("exchanges") == 0


@pytest.mark.both_databases
async def test_b03_sixty_four_equal_exchanges_at_once_on_two_balancers_exchange_once(make: Make) -> None:
    balancers = [await make(), await make()]
    sites = [Games(one) for one in balancers]
    await sites[0].ready()
    await sites[0].issue("i", 1)
    ids = await balancers[0].held(2)
    found = await asyncio.gather(*(sites[number % 2].exchange("e", ids, tickets=5) for number in range(64)))
    assert len({one.json for one in found}) == 1 and sum(one.first for one in found) == 1
    assert len(balancers[0].events("items_exchanged")) == 1
    with pytest.raises(RequestReused) as caught:
        await sites[1].exchange("e", ids, tickets=4)
    assert caught.value.error_code == "ref_reused"
    check(balancers[0])


@pytest.mark.both_databases
async def test_b09_one_row_of_the_house_goes_to_one_of_many_who_ask_at_once(games: Games) -> None:
    world = games.world
    ids = await world.held(3)
    games.houses(*ids)
    for number in (1, 2, 3):
        await games.post(f"c{number}", (f"user-{number}", 5000))
    asked = [games.exchange(f"e{n}", [], f"user-{1 + n % 3}", take=[ids[n % 3]], give_credit_cents=400) for n in range(24)]
    found = await asyncio.gather(*asked, return_exceptions=True)
    errors = [one for one in found if isinstance(one, BaseException)]
    assert len(found) - len(errors) == 3
    assert {one.error_code for one in errors if isinstance(one, Conflict)} == {"house_row_taken"} and len(errors) == 21
    check(world)


@pytest.mark.both_databases
async def test_b09_exchanges_at_random_from_many_hands_add_up(games: Games) -> None:
    """What all users have, the house's fees and what they gave are the same sum before and after, whoever wins each row."""
    world, chance = games.world, random.Random(9)
    await games.issue("i", 3)
    await world.held(6)
    cents = {row.item_id: row.value_cents for row in world.rows(tables.items.select())}
    numbers, done = iter(range(1000)), Counter[str]()

    def worth() -> int:
        rows = world.rows(tables.deposits.select().where(tables.deposits.c.user_id != "house"))
        return int(sum(cents[row.item_id] for row in rows)) - balance(world, "house")

    async def hand(user_id: str) -> int:
        mine = [each for each, owner in owners(world).items() if owner == user_id]
        houses = [each for each, owner in owners(world).items() if owner == "house"]
        give = chance.sample(mine, min(len(mine), chance.randint(0, 3)))
        credit = 0 if give else max(1, balance(world, user_id))
        wish: dict[str, Any] = {"tickets": chance.randint(1, 4)}
        if chance.random() < 0.5 and houses:
            wish = {"take": chance.sample(houses, 1)}
        try:
            answer = said(await games.exchange(f"e{next(numbers)}", give, user_id, give_credit_cents=credit, **wish))
        except FleetError as error:
            done[error.error_code] += 1
            return 0
        done["done"] += 1
        assert answer["value_in_cents"] == answer["value_out_cents"] + answer["fee_cents"] + answer["rest_cents"]
        fee: int = answer["fee_cents"]
        return fee

    for _ in range(12):
        before = worth()
        fees = await asyncio.gather(*(hand(f"user-{number}") for number in (1, 2, 3, 1, 2, 3)))
        assert worth() == before - sum(fees)
        check(world)
    assert done["done"] > 5 and set(done) <= {
        "done",
        "uneven",
        "house_row_taken",
        "not_owner",
        "too_little_credit",
        "not_for_exchange",
    }, done


@pytest.mark.both_databases
async def test_a_days_limit_of_exchanges_is_refused_and_may_be_repeated(games: Games) -> None:
    world = games.world
    await games.issue("i", 10)
    one, two = await world.held(2)
    games.rules["user_day_cents"] = 500
    await games.exchange("a", [one], tickets=2)
    error = await refused(games.exchange("b", [two], tickets=2))
    assert isinstance(error, credits.LimitReached)
    assert (error.error_code, error.reason, error.would_be) == ("limit_reached", "user_exchanges_day_cents", 520)
    games.rules = {"fee_bp": 300, "client_day_cents": 519}
    assert (await refused(games.exchange("b", [two], tickets=2))).reason == "client_exchanges_day_cents"
    world.later(86_399)
    games.terms = replace(games.terms, value_age_max_s=1e9)
    games.rules["client_day_cents"] = 520
    assert (await games.exchange("b", [two], tickets=2)).first
    check(world)


@ONE_DATABASE
async def test_whoever_is_forgotten_stands_in_no_exchange(games: Games) -> None:
    world = games.world
    [one] = await world.held(1)
    await games.issue("i", 2)
    answer = said(await games.exchange("e", [one], tickets=2))
    await games.post("c", ("user-1", -60))
    await games.lock("bet", answer["took"])
    await games.transfer("t", ["bet"], [(each, "user-1", "house") for each in answer["took"]])
    world.change(update(tables.trades).values(status="settled"))
    now = world.ctx.clock.now()
    found = await world.ctx.db.read(persons.find, "user-1")
    exported = await world.ctx.db.read(persons.export, found)
    assert [row["ref"] for row in exported["exchanges"]] == ["e"]
    await world.ctx.db.run(persons.forget, found, [], By("cli:boss", now))
    [row] = world.rows(tables.exchanges.select())
    assert row.user_id.startswith("forgotten-")
    check(world)
