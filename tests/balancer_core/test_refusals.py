"""What only the database knows is refused inside the transaction, and a refusal leaves nothing behind."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from balancer_core.core_world import SITE, World, bot_account, player
from narrowed import payload
from sqlalchemy import select, update

from balancer.db import tables
from balancer.trades.requests import DepositWish, WithdrawWish
from shared.domain.ids import TradeUrl
from shared.errors import Conflict, FleetError, Forbidden, NoBotAvailable, NotAccepted, NotFound, PlayerMustAct, RequestReused
from shared.orders import SendOrder

Make = Callable[..., Awaitable[World]]
TABLES = ("trades", "deposits", "trade_items", "tokens", "events", "idempotency")


async def assert_refused(world: World, kind: type[FleetError], code: str, asked: Awaitable[Any]) -> FleetError:
    """That it was refused so, and that no row and no counter changed."""

    def standing() -> list[Any]:
        rows = [world.count(table) for table in TABLES]
        return [*rows, [tuple(row) for row in world.rows(tables.bots.select())], world.rows(tables.deposits.select())]

    before = standing()
    with pytest.raises(kind) as raised:
        await asked
    assert raised.value.error_code == code
    assert standing() == before
    return raised.value


async def test_user_of_another_account(world: World) -> None:
    await world.deposit(1, who=1)
    wish = DepositWish("user-1", TradeUrl(player(2), "abcdefgh"), world.assets(1))
    await assert_refused(world, Conflict, "user_mismatch", world.deposit(wish=wish))


async def test_account_of_another_user(world: World) -> None:
    await world.deposit(1, who=1)
    wish = DepositWish("user-2", TradeUrl(player(1), "abcdefgh"), world.assets(1))
    await assert_refused(world, Conflict, "user_mismatch", world.deposit(wish=wish))


async def test_a_bot_is_nobodys_player(world: World) -> None:
    """What it were given it would take for a gift, and what it were asked for belongs to somebody else."""
    held = await world.held(1)
    for bot in ("red-1", "red-2"):
        url = TradeUrl(bot_account(bot), "abcdefgh")
        deposit = world.deposit(wish=DepositWish("user-9", url, world.assets(1)))
        await assert_refused(world, NotAccepted, "partner_is_bot", deposit)
        withdrawal = world.give(SITE, "key-own", "body", WithdrawWish("user-1", url, held, ""))
        await assert_refused(world, NotAccepted, "partner_is_bot", withdrawal)


async def test_inventory_full_counts_what_is_on_the_way(make: Make) -> None:
    world = await make(limits={"inventory_limit": 3})
    await world.deposit(2)
    error = await assert_refused(world, NotAccepted, "inventory_full", world.deposit(2))
    assert error.data["have"] == 2
    assert len(await world.deposit(1)) == 1


async def test_inventory_limit_does_not_count_house_issued_items(make: Make) -> None:
    world = await make(limits={"inventory_limit": 2})
    [deposit_id] = await world.held(1)
    [row] = [row for row in world.rows(tables.deposits.select()) if row.deposit_id == deposit_id]
    ticket = {"deposit_id": "dep_ticket", "item_id": row.item_id, "user_id": "user-1", "status": "active", "value_cents": 1}
    world.change(tables.deposits.insert().values(**ticket, created_at=row.created_at, touched=row.touched))
    await world.deposit(1)
    await assert_refused(world, NotAccepted, "inventory_full", world.deposit(1))


async def test_too_many_open_offers(make: Make) -> None:
    world = await make(bots=("red-1",), limits={"offers_per_partner_max": 2})
    await world.deposit(1)
    await world.deposit(1)
    error = await assert_refused(world, PlayerMustAct, "too_many_offers", world.deposit(1))
    assert error.player_message


async def test_offers_are_counted_for_each_bot_and_held_ones_not(make: Make) -> None:
    world = await make(limits={"offers_per_partner_max": 1})
    [first], [second] = await world.deposit(1), await world.deposit(1)
    assert {world.trade(first).bot_id, world.trade(second).bot_id} == {1, 2}
    await assert_refused(world, PlayerMustAct, "too_many_offers", world.deposit(1))
    await world.tell(second, "offer_held", offer_id="77", state=11)
    [third] = await world.deposit(1)
    assert world.trade(third).bot_id == world.trade(second).bot_id


async def test_asset_that_is_in_a_trade(world: World) -> None:
    wanted = world.assets(2)
    await world.deposit(wish=world.wish(wanted=wanted))
    again = [world.assets(1)[0], wanted[1]]
    await assert_refused(world, Conflict, "asset_in_trade", world.deposit(wish=world.wish(wanted=again)))


async def test_asset_of_a_failed_deposit_may_be_asked_for_again(world: World) -> None:
    wanted = world.assets(1)
    [first] = await world.deposit(wish=world.wish(wanted=wanted))
    await world.tell(first, "offer_declined", offer_id="77", state=7)
    [second] = await world.deposit(wish=world.wish(wanted=wanted))
    assert world.statuses(first) == ("declined", {"deposit_failure"})
    assert world.statuses(second) == ("queued", {"deposit_pending"})


async def test_no_bot_when_none_is_online(make: Make) -> None:
    world = await make(bots=())
    error = await assert_refused(world, NoBotAvailable, "no_bot_available", world.deposit(1))
    assert error.reason == "none_online"
    assert error.retry_after_s


async def test_no_bot_of_that_color(world: World) -> None:
    await assert_refused(world, NoBotAvailable, "no_bot_available", world.deposit(wish=world.wish(1, color="blue")))


async def test_no_room_for_all_items(make: Make) -> None:
    world = await make(limits={"bot_items_max": 3})
    await assert_refused(world, NoBotAvailable, "no_bot_available", world.deposit(7))
    assert len(await world.deposit(6)) == 2


async def test_paused_and_draining_bots_take_no_deposits(world: World) -> None:
    await world.ctx.fleet.set_mode("red", 1, "paused", "test")
    await world.ctx.fleet.set_mode("red", 2, "draining", "test")
    await assert_refused(world, NoBotAvailable, "no_bot_available", world.deposit(1))


async def test_message_that_does_not_fit_is_never_cut(world: World) -> None:
    error = await assert_refused(world, NotAccepted, "message_too_long", world.deposit(wish=world.wish(1, message="x" * 120)))
    room = error.data["room"]
    assert isinstance(room, int)
    [trade_id] = await world.deposit(wish=world.wish(1, message="x" * room))
    bot = world.trade(trade_id)
    [order] = world.orders(f"{bot.color}-{bot.bot_id}")
    assert len(payload(order, SendOrder).message) == 128


async def test_key_with_another_body(world: World) -> None:
    await world.deposit(1, key="k", body="one")
    await assert_refused(world, RequestReused, "idempotency_mismatch", world.deposit(1, key="k", body="two"))


async def test_a_refusal_is_not_kept_under_its_key(make: Make) -> None:
    world = await make(bots=("red-1",), limits={"offers_per_partner_max": 1})
    [first] = await world.deposit(1)
    wish = world.wish(1)
    await assert_refused(world, PlayerMustAct, "too_many_offers", world.deposit(key="k", wish=wish))
    await world.tell(first, "offer_declined", offer_id="1", state=7)
    assert len(await world.deposit(key="k", wish=wish)) == 1


# --- withdraw --------------------------------------------------------------------------------------------


async def test_unknown_deposit(world: World) -> None:
    await world.held(1)
    await assert_refused(world, NotFound, "not_found", world.withdraw(["dep_unknown"]))


@pytest.mark.parametrize(
    ("end", "status"),
    [
        ("offer_declined", "deposit_failure"),
        ("offer_countered", "counter"),
        ("exchange_reversed", "reversed"),
        (None, "withdrawn"),
    ],
)
async def test_what_is_not_here_any_more_is_called_what_it_is(world: World, end: str | None, status: str) -> None:
    if end is None:
        deposit_ids = await world.held(1)
        await world.accept((await world.withdraw(deposit_ids))[0])
    else:
        [trade_id] = await world.deposit(1)
        deposit_ids = [row.deposit_id for row in world.deposits_of(trade_id)]
        if end == "exchange_reversed":
            await world.accept(trade_id)
        await world.tell(trade_id, end, offer_id="77", exchange_id="x", exchange_status=12)
        if end == "exchange_reversed":
            await world.tell(trade_id, "items_gone", deposit_ids=deposit_ids)
            world.change(update(tables.users).values(blocked_by=None))
    error = await assert_refused(world, Conflict, "not_in_custody", world.withdraw(deposit_ids))
    assert (error.data["deposit_status"], error.data["deposit_id"]) == (status, deposit_ids[0])
    assert error.detail
    await world.deposit(1, who=2)
    await assert_refused(world, Forbidden, "not_owner", world.withdraw(deposit_ids, who=2))


async def test_deposit_of_another_user(world: World) -> None:
    deposit_ids = await world.held(1, who=1)
    await world.deposit(1, who=2)
    await assert_refused(world, Forbidden, "not_owner", world.withdraw(deposit_ids, who=2))


@pytest.mark.both_databases
async def test_locked_deposit(world: World) -> None:
    deposit_ids = await world.held(2)
    world.change(update(tables.deposits).where(tables.deposits.c.deposit_id == deposit_ids[1]).values(locked_by="round-1"))
    error = await assert_refused(world, Conflict, "item_locked", world.withdraw(deposit_ids))
    assert error.data["deposit_id"] == deposit_ids[1]


@pytest.mark.both_databases
async def test_frozen_deposit(world: World) -> None:
    deposit_ids = await world.held(1)
    world.change(update(tables.deposits).values(frozen_by="operator"))
    await assert_refused(world, Conflict, "item_frozen", world.withdraw(deposit_ids))


async def test_unsettled_deposit_says_when(world: World) -> None:
    [trade_id] = await world.deposit(1)
    await world.accept(trade_id)
    [row] = world.deposits_of(trade_id)
    error = await assert_refused(world, Conflict, "item_unsettled", world.withdraw([row.deposit_id]))
    margin = world.ctx.settings.trades.settle_margin_s
    assert error.data["settles_at"] == int(row.settles_at.timestamp() + margin)


async def test_deposit_that_is_being_withdrawn(world: World) -> None:
    deposit_ids = await world.held(1)
    await world.withdraw(deposit_ids)
    await assert_refused(world, Conflict, "asset_in_trade", world.withdraw(deposit_ids))


@pytest.mark.both_databases
async def test_house_issued_item(world: World) -> None:
    await world.held(1)
    [row] = world.rows(tables.deposits.select())
    ticket = {"deposit_id": "dep_ticket", "item_id": row.item_id, "user_id": "user-1", "status": "active", "value_cents": 1}
    world.change(tables.deposits.insert().values(**ticket, created_at=row.created_at, touched=row.touched))
    error = await assert_refused(world, NotAccepted, "item_not_accepted", world.withdraw(["dep_ticket"]))
    assert error.reason == "house_issued"


async def test_bot_that_gives_nothing_now(world: World) -> None:
    deposit_ids = await world.held(1)
    world.change(update(tables.bots).values(mode="paused"))
    error = await assert_refused(world, NoBotAvailable, "no_bot_available", world.withdraw(deposit_ids))
    assert error.reason == "bot_paused"


async def test_withdrawal_from_an_offline_bot(world: World) -> None:
    deposit_ids = await world.held(1)
    world.later(60)
    await world.ctx.fleet.refresh()
    error = await assert_refused(world, NoBotAvailable, "no_bot_available", world.withdraw(deposit_ids))
    assert error.reason == "bot_offline"


async def test_draining_bot_still_gives_back(world: World) -> None:
    deposit_ids = await world.held(1)
    world.change(update(tables.bots).values(mode="draining"))
    assert len(await world.withdraw(deposit_ids)) == 1


async def test_withdrawal_is_split_over_the_bots_that_hold_the_items(make: Make) -> None:
    world = await make(limits={"bot_items_max": 2})
    deposit_ids = await world.held(4)
    trade_ids = await world.withdraw(deposit_ids)
    assert sorted(world.trade(trade_id).bot_id for trade_id in trade_ids) == [1, 2]
    assert sorted(row.deposit_id for trade_id in trade_ids for row in world.deposits_of(trade_id)) == sorted(deposit_ids)
    [first, second] = trade_ids
    await world.tell(first, "refused", code="partner_hold", reason="held")
    await world.accept(second)
    assert world.statuses(first) == ("failed", {"withdraw_pending"})
    assert world.statuses(second) == ("accepted", {"withdrawn"})


@pytest.mark.both_databases
async def test_one_bad_row_of_a_split_withdrawal_reserves_none(make: Make) -> None:
    world = await make(limits={"bot_items_max": 2})
    deposit_ids = await world.held(4)
    world.change(update(tables.bots).where(tables.bots.c.bot_id == 2).values(mode="paused"))
    await assert_refused(world, NoBotAvailable, "no_bot_available", world.withdraw(deposit_ids))
    assert {row.status for row in world.rows(tables.deposits.select())} == {"active"}


async def test_large_deposit_is_made_of_several_trades(make: Make) -> None:
    world = await make(limits={"trade_items_max": 4})
    trade_ids = await world.deposit(10)
    assert sorted(len(world.items_of(trade_id)) for trade_id in trade_ids) == [2, 4, 4]
    assert {world.trade(trade_id).bot_id for trade_id in trade_ids} == {world.trade(trade_ids[0]).bot_id}
    assert world.counters(f"red-{world.trade(trade_ids[0]).bot_id}") == (0, 10, 3)


@pytest.mark.both_databases
async def test_withdraw_wish_of_a_stranger_binds_nobody(world: World) -> None:
    await world.held(1)
    wish = WithdrawWish("user-9", TradeUrl(player(1), "abcdefgh"), ["dep_x"])
    await assert_refused(world, Conflict, "user_mismatch", world.give(SITE, "k9", "b", wish))
    bound = {row.user_id: row.steam_id for row in world.rows(select(tables.users))}
    assert "user-9" not in bound
    assert bound["user-1"] == int(player(1))
