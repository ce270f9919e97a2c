"""Nothing is kept for ever: rows go in their time, trade URLs with their trade's end, and a person when an operator says so."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable

import pytest
from balancer_core.core_world import MASTER, World, player
from balancer_core.test_at_once import assert_counters_add_up
from narrowed import payload
from sqlalchemy import update

from balancer.db import tables
from balancer.journal import events as journal
from balancer.journal import open_alarms
from balancer.journal.by import By
from balancer.trades.requests import DepositWish
from balancer.upkeep import persons, purge, restored, retention, search
from shared.domain.ids import TradeUrl
from shared.errors import Conflict, NotFound
from shared.orders import WatchOrder

pytestmark = pytest.mark.both_databases

Make = Callable[..., Awaitable[World]]
YEARS_S = 731 * 86400


async def over(world: World, who: int = 1, n: int = 1) -> tuple[str, str]:
    """A deposit that came, settled and went out again: its trade, and the settled withdrawal."""
    [deposit] = await world.deposit(n, who=who)
    await world.accept(deposit)
    await world.settle(deposit)
    [withdrawal] = await world.withdraw([row.deposit_id for row in world.deposits_of(deposit)], who=who)
    await world.accept(withdrawal)
    await world.settle(withdrawal)
    world.clear_queues()
    return deposit, withdrawal


async def later(world: World, seconds: float) -> None:
    world.later(seconds)
    await world.online("red-1", "red-2")


def everything(world: World) -> str:
    """All rows of all tables, as text."""
    return " ".join(str(tuple(row)) for table in tables.metadata.sorted_tables for row in world.rows(table.select()))


# --- trade URLs ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["settled", "offer_declined", "refused", "exchange_reversed"])
async def test_a_trades_url_is_wiped_when_it_is_over(world: World, end: str) -> None:
    wish = DepositWish("user-1", TradeUrl(player(1), "SeCrEtUrL"), world.assets(1), message="Hello Max")
    [trade_id] = await world.deposit(wish=wish)
    assert world.trade(trade_id).trade_url_sealed
    if end in ("settled", "exchange_reversed"):
        await world.accept(trade_id)
        assert world.trade(trade_id).trade_url_sealed  # a search may still need it
    await (world.settle(trade_id) if end == "settled" else world.tell(trade_id, end, offer_id="77", exchange_id="x"))
    assert (world.trade(trade_id).trade_url_sealed, world.trade(trade_id).message) == ("", "")


async def test_a_search_for_a_trade_that_is_over_needs_no_url(world: World) -> None:
    [trade_id] = await world.deposit(1)
    await world.tell(trade_id, "offer_declined", offer_id="77", state=7)
    world.clear_queues()
    await world.tell(trade_id, "offer_active", offer_id="78", state=2)  # what does not fit is searched for
    assert await search.find_offers(world.ctx) == 1
    [order] = [order for bot in ("red-1", "red-2") for order in world.orders(bot) if order.kind == "find"]
    assert payload(order, WatchOrder).trades[0].trade_token is None


async def test_urls_of_an_earlier_release_are_wiped_in_batches(world: World) -> None:
    _, done = await over(world)
    world.clone(tables.trades, world.trade(done), retention.BATCH_MAX, trade_id=lambda number: f"{done}-{number}")
    [live] = await world.deposit(1, who=4)
    kept = world.trade(live).trade_url_sealed
    world.change(update(tables.trades).where(tables.trades.c.trade_id != live).values(trade_url_sealed="old"))
    await purge.purge(world.ctx)
    rows = world.rows(tables.trades.select())
    assert len(rows) == retention.BATCH_MAX + 3
    assert {row.trade_id: row.trade_url_sealed for row in rows if row.trade_url_sealed} == {live: kept}


# --- rows in their time ------------------------------------------------------------------------------------------


async def test_trades_events_and_users_go_in_their_time(world: World) -> None:
    for who in (1, 2, 3):
        _, done = await over(world, who)
    many = retention.BATCH_MAX
    [user] = [row for row in world.rows(tables.users.select()) if row.user_id == "user-3"]
    last = world.events()[-1]
    world.clone(tables.users, user, many, user_id="clone-{}".format, steam_id=lambda number: number + 1)
    world.clone(tables.trades, world.trade(done), many, trade_id=lambda number: f"{done}-{number}")
    world.clone(tables.events, last, many, number=None)
    with world.ctx.db.transaction() as connection:
        alarm = journal.row("alarm", {"alarm": "doubt_stays", "action": "look"}, By("test", world.ctx.clock.now()))
        journal.append(connection, alarm)
    with world.ctx.db.transaction() as connection:
        assert open_alarms.acknowledge(connection, None, By("test", world.ctx.clock.now()), "") and not open_alarms.count(
            connection
        )
    await later(world, 729 * 86400)
    await purge.purge(world.ctx)
    assert (world.count("trades"), world.count("users"), world.count("deposits")) == (6 + many, 4 + many, 0)
    assert world.count("tokens") == world.count("idempotency") == 0
    await later(world, 3 * 86400)
    await purge.purge(world.ctx)
    assert (world.count("trades"), world.count("trade_items"), world.count("users")) == (0, 0, 1)
    assert world.count("alarm_acks") == 0
    assert {row.kind for row in world.events()} == {"deposits_purged", "rows_purged"}
    [told] = [json.loads(row.data) for row in world.events("rows_purged")]
    assert told["trades"] == 6 + many and told["users"] == 3 + many and told["events"] > 10 + many


async def test_what_explains_an_item_that_is_here_stays_with_it(world: World) -> None:
    [deposit] = await world.deposit(1)
    await world.accept(deposit)
    await world.settle(deposit)
    [live] = await world.deposit(1, who=2)
    await over(world, who=3)
    world.change(update(tables.users).where(tables.users.c.user_id == "user-4").values(blocked_by="trd_x"))
    n_events = len([row for row in world.events() if row.trade_id in (deposit, live)])
    await later(world, YEARS_S)
    await purge.purge(world.ctx)
    assert {row.trade_id for row in world.rows(tables.trades.select())} == {deposit, live}
    assert len([row for row in world.events() if row.trade_id in (deposit, live)]) == n_events
    assert {row.user_id for row in world.rows(tables.users.select())} == {"house", "user-1", "user-2"}
    assert await world.withdraw([row.deposit_id for row in world.deposits_of(deposit)])
    await assert_counters_add_up(world)


async def test_who_is_blocked_stays_known(world: World) -> None:
    await over(world)
    world.change(update(tables.users).where(tables.users.c.user_id == "user-1").values(blocked_by="trd_x"))
    await later(world, YEARS_S)
    await purge.purge(world.ctx)
    assert world.count("trades") == 0
    with pytest.raises(Conflict) as refused:
        await world.deposit(1)
    assert refused.value.error_code == "partner_blocked"


async def test_a_disabled_target_of_webhooks_keeps_no_event_for_ever_and_an_enabled_one_does(world: World) -> None:
    """It is told what it has missed: what it was owed, and what nobody has looked at for it."""
    await over(world)
    first, second = world.events()[:2]
    now = world.ctx.clock.now()

    def target(target_id: str, **more: object) -> None:
        row = {"target_id": target_id, "url": f"https://{target_id}.example/", "secret_sealed": "x", "created_by": "cli"}
        world.change(tables.webhook_targets.insert().values({**row, "created_at": now, **more}))

    def owed(target_id: str, number: int) -> None:
        row = {"target_id": target_id, "number": number, "lane": "", "next_at": now}
        world.change(tables.webhook_deliveries.insert().values(row))

    target("off", spread_to=first.number, disabled_at=now, disabled_why="gave_up")
    target("on", spread_to=10**9)
    owed("off", first.number)
    owed("on", second.number)
    kept = len(world.events())
    await later(world, YEARS_S)
    await purge.purge(world.ctx)
    assert [row.number for row in world.events() if row.number < kept] == [second.number]
    assert [(row.target_id, row.number) for row in world.rows(tables.webhook_deliveries.select())] == [("on", second.number)]
    [told] = [json.loads(row.data) for row in world.events("webhook_missed")]
    assert (told["target_id"], told["host"]) == ("off", "off.example")
    assert told["events"] > 2 and told["last"] > second.number


async def test_zero_keeps_for_ever(make: Make) -> None:
    names = ("tokens_days", "idempotency_days", "alarms_days", "trades_days", "events_days", "users_days")
    world = await make(retention=dict.fromkeys(names, 0))
    await over(world)
    before = {table: world.count(table) for table in ("trades", "trade_items", "tokens", "idempotency", "users")}
    await later(world, 20 * YEARS_S)
    await purge.purge(world.ctx)
    assert {table: world.count(table) for table in before} == before


async def test_a_round_removes_a_bounded_number_and_the_next_one_goes_on(world: World) -> None:
    _, done = await over(world)
    world.clone(tables.trades, world.trade(done), 2 * retention.BATCH_MAX, trade_id=lambda number: f"{done}-{number}")
    await later(world, YEARS_S)
    counts = []
    for _ in range(3):
        await purge.purge(world.ctx, batches_max=1)
        counts.append(world.count("trades"))
    assert counts == [retention.BATCH_MAX + 2, 2, 0]


# --- a person -----------------------------------------------------------------------------------------------------


def find(world: World, name: str) -> persons.Person:
    with world.ctx.db.reading() as connection:
        return persons.find(connection, name)


def forget(world: World, name: str) -> dict[str, int]:
    person = find(world, name)
    with world.ctx.db.reading() as connection:
        known = persons.mentions(connection, person, 0)
    with world.ctx.db.transaction() as connection:
        return persons.forget(connection, person, known, By("cli:me", world.ctx.clock.now()))


async def test_forgetting_takes_the_name_off_every_table(world: World) -> None:
    await over(world, who=1)
    await over(world, who=2)
    [reversed_one] = await world.deposit(1)
    await world.accept(reversed_one)
    await world.tell(reversed_one, "exchange_reversed", exchange_id="x", exchange_status=12)
    await world.tell(reversed_one, "items_gone", deposit_ids=[row.deposit_id for row in world.deposits_of(reversed_one)])
    world.change(update(tables.users).values(blocked_by=None))
    now = world.ctx.clock.now()
    session = {"id_hash": "h", "steam_id": int(player(1)), "expires_at": now, "created_at": now}
    world.change(tables.sessions.insert().values(session))
    world.change(tables.operator_sessions.insert().values(**session, seen_at=now))
    codes = {"steam_id": int(player(1)), "secret_sealed": "x", "enrolled_at": now}
    world.change(tables.operators.insert().values(codes))
    gift = {
        "kind": "gift_accepted",
        "who": "test",
        "at": now,
        "data": json.dumps({"partner": int(player(1)), "n": 1}, separators=(",", ":")),
    }
    world.change(tables.events.insert().values(gift))
    steam_id, before = str(int(player(1))), {table: world.count(table) for table in ("trades", "deposits", "trade_items")}
    events = [(row.number, row.kind) for row in world.events()]
    assert "user-1'" in everything(world) and steam_id in everything(world)
    with world.ctx.db.reading() as connection:
        named = persons.mentions(connection, persons.find(connection, "user-1"), 0)
        assert persons.mentions(connection, persons.find(connection, "user-1"), 0, page=3) == named != []
    done = forget(world, "user-1")
    assert (done["trades"], done["items"]) == (3, 2) and done["events"] > 10
    assert "user-1'" not in everything(world) and '"user-1"' not in everything(world)
    assert steam_id not in everything(world)
    assert {table: world.count(table) for table in before} == before
    assert [(row.number, row.kind) for row in world.events()][: len(events)] == events
    assert all(json.loads(row.data) is not None for row in world.events())
    # One made-up name for all of it, that nobody can lead back, and the other person untouched.
    aliases = {row.user_id for row in world.rows(tables.trades.select())} - {"user-2"}
    assert len(aliases) == 1 and next(iter(aliases)).startswith("forgotten-")
    assert str(int(player(2))) in everything(world)
    [told] = world.events("user_forgotten")
    assert (told.who, told.user_id) == ("cli:me", next(iter(aliases)))
    with pytest.raises(NotFound):
        find(world, "user-1")
    assert await world.deposit(1)  # who comes back is new
    await assert_counters_add_up(world)


async def test_who_is_called_like_a_status_is_forgotten_without_harm(world: World) -> None:
    wish = DepositWish("sent", TradeUrl(player(1), "abcdefgh"), world.assets(1))
    [trade_id] = await world.deposit(wish=wish)
    await world.tell(trade_id, "offer_active", offer_id="77", state=2)
    await world.tell(trade_id, "offer_declined", offer_id="77", state=7)
    forget(world, "sent")
    told = [json.loads(row.data) for row in world.events() if row.trade_id == trade_id]
    assert [data["to"] for data in told if "to" in data] == ["queued", "sent", "declined"]


async def test_who_still_has_something_here_is_not_forgotten(world: World) -> None:
    [trade_id] = await world.deposit(1)

    def refused() -> str:
        before = everything(world)
        with pytest.raises(Conflict) as error:
            forget(world, "user-1")
        assert everything(world) == before and "user-1" in str(error.value)
        return error.value.error_code

    assert refused() == "still_trading"
    await world.accept(trade_id)
    assert refused() == "still_trading"  # Steam may still reverse it
    await world.settle(trade_id)
    assert refused() == "items_in_custody"
    [out] = await world.withdraw([row.deposit_id for row in world.deposits_of(trade_id)])
    assert refused() == "still_trading"
    await world.accept(out)
    await world.settle(out)
    world.change(update(tables.users).where(tables.users.c.user_id == "user-1").values(blocked_by=trade_id))
    assert refused() == "partner_blocked"
    world.change(update(tables.users).where(tables.users.c.user_id == "user-1").values(blocked_by=None))
    assert forget(world, str(int(player(1))))["trades"] == 2  # by the Steam id as well


async def test_a_trade_asked_for_meanwhile_keeps_its_person(world: World) -> None:
    await over(world)
    person = find(world, "user-1")
    with world.ctx.db.reading() as connection:
        known = persons.mentions(connection, person, 0)
    await world.deposit(1)
    with pytest.raises(Conflict), world.ctx.db.transaction() as connection:
        persons.forget(connection, person, known, By("cli:me", world.ctx.clock.now()))


async def test_the_house_and_strangers_are_nobody(world: World) -> None:
    for name in ("house", "user-9", "76561198000000001", "9" * 30):
        with pytest.raises(NotFound):
            find(world, name)


async def test_an_export_has_everything_of_one_person_and_no_secret(world: World) -> None:
    secret = "SeCrEtUrL"
    deposit, withdrawal = await over(world)
    wish = DepositWish("user-1", TradeUrl(player(1), secret), world.assets(1))
    [live] = await world.deposit(wish=wish)
    await over(world, who=2)
    with world.ctx.db.reading() as connection:
        kept = persons.export(connection, persons.find(connection, "user-1"))
    text = json.dumps(kept)
    assert {row["trade_id"] for row in kept["trades"]} == {deposit, withdrawal, live}
    assert [row["trade_url_kept"] for row in kept["trades"]] == [False, False, True]
    assert kept["user"]["steam_id"] == str(int(player(1)))
    assert len(kept["trade_items"]) == 3 and len(kept["deposits"]) == 2
    assert {row["kind"] for row in kept["events"]} >= {"trade_created", "offer_accepted", "settled"}
    assert secret not in text and MASTER.verify_token(live) not in text and "trade_url_sealed" not in text
    assert "user-2" not in text and str(int(player(2))) not in text


async def test_a_forgotten_persons_books_still_stand_a_restore(world: World) -> None:
    await over(world)
    forget(world, "user-1")
    with world.ctx.db.transaction() as connection:
        assert restored.mark(connection, world.ctx.settings, By("cli:me", world.ctx.clock.now())) == {}
    [view, _] = await world.ctx.views.find()
    assert (view.steam_id, view.token) == ("0", None)
