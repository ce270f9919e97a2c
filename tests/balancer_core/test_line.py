"""Nobody shuts the fleet for others: what waits takes no offer, a bot's line is fair, and every player has limits."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from balancer_core.core_world import SITE, World, player
from balancer_core.test_at_once import assert_counters_add_up
from balancer_core.test_refusals import assert_refused
from sqlalchemy import update

from balancer.db import tables
from balancer.fleet import reserve
from balancer.journal.by import By
from balancer.trades import line
from balancer.trades.cancel import cancel
from balancer.trades.requests import Caller, WithdrawWish
from balancer.upkeep import release, restored, sweep
from shared.domain.ids import BotName, TradeUrl
from shared.errors import NoBotAvailable, PlayerMustAct, RateLimited

pytestmark = pytest.mark.both_databases

Make = Callable[..., Awaitable[World]]


async def withdraw(world: World, who: int, deposit_ids: list[str], **more: Any) -> str:
    wish = WithdrawWish(f"user-{who}", TradeUrl(player(who), "abcdefgh"), deposit_ids, "", **more)
    [trade_id] = await world.give(SITE, f"key-{next(world.keys)}", "body", wish)
    return trade_id


async def unsettled(world: World, n: int, who: int) -> tuple[str, list[str]]:
    """A deposit that may still be reversed: its trade and its rows."""
    [trade_id] = await world.deposit(n, who=who)
    await world.accept(trade_id)
    return trade_id, [row.deposit_id for row in world.deposits_of(trade_id)]


async def days_later(world: World, *bots: str, days: float = 8) -> None:
    world.later(days * 86400)
    await world.online(*bots)


def waits(world: World, *trade_ids: str) -> list[str | None]:
    return [world.trade(trade_id).waits_for for trade_id in trade_ids]


def offers(world: World, bot: str = "red-1") -> int:
    return world.counters(bot)[2]


def one_bot(**limits: int) -> dict[str, Any]:
    return {"bots": ("red-1",), "limits": limits}


# --- what waits takes nothing ------------------------------------------------------------------------------------------


async def test_what_waits_for_a_settlement_or_an_approval_takes_no_open_offer(make: Make) -> None:
    world = await make(**one_bot(approval_above_cents=300))
    _, cheap = await unsettled(world, 1, who=1)
    dear = await world.held(2, who=2)
    waiting_ids = [await withdraw(world, 1, cheap, when_settled=True), await withdraw(world, 2, dear)]
    assert waits(world, *waiting_ids) == ["settlement", "approval"]
    assert offers(world) == 0
    assert await world.ctx.db.read(line.per_bot) == {"red-1": {"settlement": 1, "approval": 1}}
    for trade_id in waiting_ids:
        await cancel(world.ctx, SITE, trade_id)
    assert offers(world) == 0
    await assert_counters_add_up(world)


async def test_what_waits_does_not_count_against_steams_limit_for_one_player(make: Make) -> None:
    world = await make(**one_bot(offers_per_partner_max=1))
    _, ids = await unsettled(world, 3, who=1)
    for deposit_id in ids:
        await withdraw(world, 1, [deposit_id], when_settled=True)
    assert len(await world.deposit(1)) == 1


async def test_an_offer_is_taken_when_the_order_is_due(make: Make) -> None:
    world = await make(**one_bot())
    deposit, ids = await unsettled(world, 1, who=1)
    trade_id = await withdraw(world, 1, ids, when_settled=True)
    await world.settle(deposit)
    await days_later(world, "red-1")
    assert await release.release(world.ctx) == 1
    assert (waits(world, trade_id), offers(world)) == ([None], 1)
    await world.accept(trade_id)
    assert offers(world) == 0
    await assert_counters_add_up(world)


async def test_an_offer_that_steam_holds_takes_none(make: Make) -> None:
    """A hold lasts two weeks, and Steam does not count it as an open offer."""
    world = await make(**one_bot())
    [trade_id] = await world.deposit(1)
    await world.tell(trade_id, "offer_held", offer_id="77", state=11)
    assert offers(world) == 0
    await world.accept(trade_id)
    assert offers(world) == 0
    await assert_counters_add_up(world)


async def test_a_waiting_withdrawal_that_a_search_finds_sent_counts(make: Make) -> None:
    world = await make(**one_bot())
    _, ids = await unsettled(world, 1, who=1)
    trade_id = await withdraw(world, 1, ids, when_settled=True)
    with world.ctx.db.transaction() as connection:
        restored.mark(connection, world.ctx.settings, By("cli:me", world.ctx.clock.now()))
    waited = world.trade(trade_id)
    assert (waited.status, waited.waits_for, offers(world)) == ("in_doubt", "settlement", 0)
    await world.tell(trade_id, "offer_active", offer_id="77", state=2)
    assert (waits(world, trade_id), offers(world)) == ([None], 1)
    await world.tell(trade_id, "offer_declined", offer_id="77", state=7)
    assert offers(world) == 0
    await assert_counters_add_up(world)


# --- the line ------------------------------------------------------------------------------------------------------------


async def test_without_a_free_offer_a_withdrawal_waits_in_line_and_keeps_its_turn(make: Make) -> None:
    world = await make(**one_bot(offers_per_bot_max=2, offers_kept_for_withdrawals=0))
    held = {who: await world.held(1, who=who) for who in range(1, 6)}
    out = [await withdraw(world, who, held[who]) for who in (1, 2)]
    line = [await withdraw(world, who, held[who]) for who in (3, 4)]
    assert waits(world, *out, *line) == [None, None, "offer", "offer"]
    assert await release.release(world.ctx) == 0
    await world.accept(out[0])
    newcomer = await withdraw(world, 5, held[5])  # the free offer belongs to the first in line
    assert waits(world, newcomer) == ["offer"]
    assert await release.release(world.ctx) == 1
    assert waits(world, *line, newcomer) == [None, "offer", "offer"]
    assert await sweep.give_orders(world.ctx) == 1
    for answered, due in ((out[1], line[1]), (line[0], newcomer)):
        await world.accept(answered)
        assert await release.release(world.ctx) == 1
        assert waits(world, due) == [None]
    assert world.events("withdrawal_released")
    await assert_counters_add_up(world)


async def test_a_withdrawal_in_line_is_canceled_at_once(make: Make) -> None:
    world = await make(**one_bot(offers_per_bot_max=1, offers_kept_for_withdrawals=0))
    first, second = await world.held(1, who=1), await world.held(1, who=2)
    await withdraw(world, 1, first)
    trade_id = await withdraw(world, 2, second)
    await cancel(world.ctx, SITE, trade_id)
    assert world.statuses(trade_id) == ("canceled", {"active"})
    assert offers(world) == 1
    await assert_counters_add_up(world)


async def test_whose_own_offers_are_open_is_passed_over_and_goes_next(make: Make) -> None:
    """A hundred withdrawals of players at their limit stand in front; the stranger behind them does not wait for them."""
    world = await make(**one_bot(offers_per_player_max=1, waiting_withdrawals_per_player_max=200))
    greedy = await world.held(4, who=1)
    mine = [await withdraw(world, 1, [deposit_id]) for deposit_id in greedy]
    assert waits(world, *mine) == [None, "offer", "offer", "offer"]
    stranger = await withdraw(world, 2, await world.held(1, who=2))
    assert waits(world, stranger) == [None]
    assert await release.release(world.ctx) == 0
    await world.accept(mine[0])
    assert await release.release(world.ctx) == 1
    assert waits(world, *mine) == [None, None, "offer", "offer"]
    await assert_counters_add_up(world)


async def test_a_line_longer_than_one_round_looks_at_starves_nobody(make: Make) -> None:
    world = await make(**one_bot(offers_per_player_max=1))
    for who in (1, 2, 3, 4):
        for deposit_id in await world.held(3, who=who):
            last = await withdraw(world, who, [deposit_id])
    assert waits(world, last) == ["offer"]
    world.clone(tables.trades, world.trade(last), line.SERVED_MAX, trade_id=lambda number: f"{last}-{number}")
    world.change(update(tables.bots).values(open_offers=30))  # whatever else is open at the bot
    stranger = await withdraw(world, 9, await held_in_full_bot(world, 9))
    assert waits(world, stranger) == ["offer"]
    world.change(update(tables.bots).values(open_offers=4))
    assert await release.release(world.ctx) == 1
    assert waits(world, stranger) == [None]


async def held_in_full_bot(world: World, who: int) -> list[str]:
    world.change(update(tables.bots).values(open_offers=0))
    held = await world.held(1, who=who)
    world.change(update(tables.bots).values(open_offers=30))
    return held


async def test_the_line_of_a_bot_that_gives_nothing_waits_and_the_others_go_on(make: Make) -> None:
    limits = {"offers_per_bot_max": 1, "offers_kept_for_withdrawals": 0}
    world = await make(bots=("red-1", "red-2"), limits=limits)
    held = {who: await world.held(1, who=who) for who in (1, 2, 3, 4)}
    by_bot: dict[int, list[int]] = {1: [], 2: []}
    for who, ids in held.items():
        [row] = [row for row in world.rows(tables.deposits.select()) if row.deposit_id == ids[0]]
        by_bot[row.bot_id].append(who)
    assert [len(mine) for mine in by_bot.values()] == [2, 2]
    firsts = [await withdraw(world, by_bot[bot_id][0], held[by_bot[bot_id][0]]) for bot_id in (1, 2)]
    seconds = [await withdraw(world, by_bot[bot_id][1], held[by_bot[bot_id][1]]) for bot_id in (1, 2)]
    for trade_id in firsts:
        await world.accept(trade_id)
    world.change(update(tables.bots).where(tables.bots.c.bot_id == 1).values(frozen_by="audit"))
    assert await release.release(world.ctx) == 1
    assert waits(world, *seconds) == ["offer", None]
    world.change(update(tables.bots).values(frozen_by=None))
    world.later(60)
    await world.online("red-2")  # red-1 is away
    assert await release.release(world.ctx) == 0
    await world.online("red-1", "red-2")
    assert await release.release(world.ctx) == 1
    await assert_counters_add_up(world)


@pytest.mark.parametrize("values", [{"mode": "paused"}, {"frozen_by": "audit"}, {"open_offers": 30}])
async def test_nothing_is_taken_of_a_bot_that_gives_nothing(make: Make, values: dict[str, Any]) -> None:
    """Whatever was seen of it before: the update that takes an offer has the last word."""
    world = await make(**one_bot())
    world.change(update(tables.bots).values(**values))
    with world.ctx.db.transaction() as connection:
        assert not reserve.take_offer(connection, BotName("red", 1), 30, world.ctx.clock.now())
    assert offers(world) == values.get("open_offers", 0)


async def test_an_item_frozen_in_line_is_not_given_out(make: Make) -> None:
    world = await make(**one_bot(offers_per_bot_max=1, offers_kept_for_withdrawals=0))
    first, second = await world.held(1, who=1), await world.held(1, who=2)
    out = await withdraw(world, 1, first)
    trade_id = await withdraw(world, 2, second)
    world.change(update(tables.deposits).where(tables.deposits.c.deposit_id == second[0]).values(frozen_by="operator"))
    await world.accept(out)
    assert await release.release(world.ctx) == 1
    assert world.trade(trade_id).status == "canceled"
    await assert_counters_add_up(world)


# --- the last offers of a bot ----------------------------------------------------------------------------------------------


async def test_deposits_leave_the_last_offers_to_withdrawals(make: Make) -> None:
    world = await make(**one_bot(offers_per_bot_max=4, offers_kept_for_withdrawals=2))
    held = await world.held(1, who=9)
    for who in (1, 2):
        await world.deposit(1, who=who)
    error = await assert_refused(world, NoBotAvailable, "no_bot_available", world.deposit(1, who=3))
    assert (error.reason, offers(world)) == ("offers_full", 2)
    trade_id = await withdraw(world, 9, held)
    assert (waits(world, trade_id), offers(world)) == ([None], 3)


async def test_the_last_offers_are_for_players_who_have_none_open_there(make: Make) -> None:
    world = await make(**one_bot(offers_per_bot_max=6, offers_kept_for_withdrawals=2))
    held = {who: await world.held(3, who=who) for who in (1, 2)}
    mine = [await withdraw(world, 1, [deposit_id]) for deposit_id in held[1]]
    assert waits(world, *mine) == [None, None, "offer"]
    assert len(await world.deposit(1, who=3)) == 1
    theirs = [await withdraw(world, 2, [deposit_id]) for deposit_id in held[2]]
    assert waits(world, *theirs) == [None, "offer", "offer"]
    assert await release.release(world.ctx) == 0
    await world.accept(theirs[0])  # with none open there it is their turn, although the others have waited for longer
    assert await release.release(world.ctx) == 1
    assert waits(world, mine[2], *theirs) == ["offer", None, None, "offer"]
    await assert_counters_add_up(world)


# --- one player's limits over all bots ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limits", "before", "then", "reason"),
    [
        ({"pending_deposits_per_player_max": 2}, [1, 1], 1, "pending_deposits"),
        ({"pending_items_per_player_max": 5}, [3], 3, "pending_items"),
        ({"offers_per_player_max": 2}, [1, 1], 1, "open_offers"),
        ({"offers_per_player_max": 2, "trade_items_max": 2}, [1], 3, "open_offers"),
    ],
)
async def test_a_deposit_over_a_players_limit_is_refused_with_whose_limit(
    make: Make, limits: dict[str, int], before: list[int], then: int, reason: str
) -> None:
    world = await make(limits=limits)
    for n_items in before:
        await world.deposit(n_items)
    error = await assert_refused(world, PlayerMustAct, "too_many_offers", world.deposit(then))
    assert error.reason == reason
    assert error.data["whose_limit"] == "service"
    assert error.data["limit"] == next(iter(limits.values()))
    assert error.player_message
    assert len(await world.deposit(1, who=2)) == 1


async def test_a_split_deposit_counts_with_all_its_trades(make: Make) -> None:
    world = await make(limits={"bot_items_max": 2, "pending_deposits_per_player_max": 1})
    error = await assert_refused(world, PlayerMustAct, "too_many_offers", world.deposit(3))
    assert error.reason == "pending_deposits"
    assert len(await world.deposit(2)) == 1


async def test_steams_own_limit_says_so(make: Make) -> None:
    world = await make(**one_bot(offers_per_partner_max=1))
    await world.deposit(1)
    error = await assert_refused(world, PlayerMustAct, "too_many_offers", world.deposit(1))
    assert (error.reason, error.data["whose_limit"]) == ("offers_with_bot", "steam")


async def test_a_second_deposit_with_a_busy_bot_is_refused_while_a_first_one_is_taken(make: Make) -> None:
    world = await make(**one_bot(offers_per_bot_max=8, offers_kept_for_withdrawals=2))
    for who in (1, 2, 3, 4):
        await world.deposit(1, who=who)
    error = await assert_refused(world, PlayerMustAct, "too_many_offers", world.deposit(1, who=1))
    assert (error.reason, error.data["whose_limit"], error.data["limit"]) == ("second_offers", "service", 4)
    assert len(await world.deposit(1, who=5)) == 1


async def test_one_clients_players_leave_the_fleet_to_another_client(make: Make) -> None:
    world = await make(limits={"offers_per_client_max": 2})
    other = Caller("cli_other", "other-site", frozenset({"trade"}))
    held = {who: await world.held(1, who=who) for who in (1, 2, 3)}
    for who in (4, 5):
        await world.deposit(1, who=who)
    wish = world.wish(1, who=6)
    error = await assert_refused(world, RateLimited, "rate_limited", world.deposit(wish=wish))
    assert (error.reason, error.data["limit"]) == ("client_offers", 2)
    mine = await withdraw(world, 1, held[1])
    assert waits(world, mine) == ["offer"]
    assert await release.release(world.ctx) == 0
    theirs = WithdrawWish("user-2", TradeUrl(player(2), "abcdefgh"), held[2], "")
    assert waits(world, *await world.give(other, "k", "body", theirs)) == [None]
    assert await world.bring(other, "k2", "body", wish)
    [answered, _] = [row.trade_id for row in world.rows(tables.trades.select()) if row.user_id in ("user-4", "user-5")]
    await world.accept(answered)
    assert await release.release(world.ctx) == 1
    assert waits(world, mine) == [None]
    await assert_counters_add_up(world)


async def test_a_player_may_have_only_so_many_waiting_withdrawals(make: Make) -> None:
    world = await make(limits={"waiting_withdrawals_per_player_max": 2})
    _, ids = await unsettled(world, 4, who=1)
    for deposit_id in ids[:2]:
        await withdraw(world, 1, [deposit_id], when_settled=True)
    asked = withdraw(world, 1, ids[2:3], when_settled=True)
    error = await assert_refused(world, PlayerMustAct, "too_many_offers", asked)
    assert (error.reason, error.data["have"]) == ("waiting_withdrawals", 2)
    held = await world.held(1, who=1)
    assert waits(world, await withdraw(world, 1, held)) == [None]  # what need not wait is no matter


# --- who leaves offers unanswered -------------------------------------------------------------------------------------------


def offer_s(world: World, trade_id: str) -> int:
    trade = world.trade(trade_id)
    stands: timedelta = trade.expires_at - trade.begun_at
    return round(stands.total_seconds())


async def stands(world: World, trade_id: str, seconds: float, end: str = "offer_canceled") -> None:
    """Its offer stands for so long and then ends."""
    await world.tell(trade_id, "offer_active", offer_id="77", state=2)
    world.later(seconds)
    await world.online("red-1", "red-2")
    await world.tell(trade_id, end, offer_id="77", state=6)


async def test_offers_left_unanswered_shorten_the_next_ones_until_one_is_accepted(world: World) -> None:
    times = [1800, 900, 450, 300, 300]
    for expected in times:
        [trade_id] = await world.deposit(1)
        assert offer_s(world, trade_id) == expected
        await stands(world, trade_id, expected + 1)
    [trade_id] = await world.deposit(1, who=2)
    assert offer_s(world, trade_id) == 1800
    [trade_id] = await world.deposit(1)
    await world.accept(trade_id)
    assert offer_s(world, (await world.deposit(1))[0]) == 1800
    held = await world.held(1)
    assert offer_s(world, await withdraw(world, 1, held)) == 1800


async def test_a_withdrawal_in_line_gets_the_shorter_time_too(make: Make) -> None:
    world = await make(**one_bot(offers_per_player_max=1))
    ids = await world.held(2)
    first, second = await withdraw(world, 1, ids[:1]), await withdraw(world, 1, ids[1:])
    await stands(world, first, 1801)
    assert await release.release(world.ctx) == 1
    assert offer_s(world, second) == 900


@pytest.mark.parametrize("end", ["offer_declined", "offer_expired", "offer_canceled"])
async def test_ending_an_offer_by_hand_after_a_long_time_counts_too(world: World, end: str) -> None:
    """Or a player would cancel it on the site just before its time is over, and begin anew."""
    [trade_id] = await world.deposit(1)
    await stands(world, trade_id, 1700, end)
    assert offer_s(world, (await world.deposit(1))[0]) == 900


async def test_a_quick_no_is_an_answer(world: World) -> None:
    [trade_id] = await world.deposit(1)
    await stands(world, trade_id, 30, "offer_declined")
    [refused] = await world.deposit(1)
    world.later(1000)
    await world.tell(refused, "refused", code="steam_refused", reason="25")  # no offer was ever there to answer
    await world.online("red-1", "red-2")
    assert offer_s(world, (await world.deposit(1))[0]) == 1800


# --- the attack --------------------------------------------------------------------------------------------------------------


async def test_six_idle_players_do_not_shut_a_single_bot_for_strangers(make: Make) -> None:
    """Each asks for as many single-item deposits as it gets, and has five withdrawals that wait and are due later."""
    world = await make(bots=("red-1",))
    idle = range(1, 7)
    brought = {who: await unsettled(world, 5, who=who) for who in idle}
    early, late = await world.held(1, who=20), await world.held(1, who=21)
    for who, (_, ids) in brought.items():
        for deposit_id in ids:
            await withdraw(world, who, [deposit_id], when_settled=True)
    assert offers(world) == 0
    for who in idle:
        await ask_until_refused(world, who)
    assert waits(world, await withdraw(world, 20, early)) == [None]
    assert len(await world.deposit(1, who=22)) == 1
    for deposit, _ in brought.values():
        await world.settle(deposit)
    await days_later(world, "red-1")
    await release.release(world.ctx)
    assert waits(world, await withdraw(world, 21, late)) == [None]
    assert len(await world.deposit(1, who=23)) == 1
    assert (await world.ctx.db.read(line.per_bot))["red-1"]["offer"] > 20
    await assert_counters_add_up(world)


async def ask_until_refused(world: World, who: int) -> None:
    """Single-item deposits; the first one at least is taken."""
    await world.deposit(1, who=who)
    with pytest.raises(PlayerMustAct):
        for _ in range(world.ctx.settings.limits.pending_deposits_per_player_max):
            await world.deposit(1, who=who)
