"""Whole rounds with a real engine and a real balancer: from the click to the seal."""

from __future__ import annotations

import json

import pytest
from custody import Custody
from django.test import override_settings
from play import beacon_room, check_books, new_player, open_room, playing, quick_room, run

from website.accounts.models import Player
from website.care.models import PlayLog
from website.engine.models import Chain
from website.rooms import services
from website.rooms.models import Bet, LaneEvent, Round


@pytest.mark.both_databases
async def test_a_classic_round_goes_from_the_bet_to_the_winner(custody: Custody) -> None:
    """With a beacon of a chain of our own, checked as any beacon is; the house keeps its rake in items."""
    room = beacon_room()
    await run(open_room, room)
    ana, bo = await run(new_player, custody, "ana"), await run(new_player, custody, "bo")
    hers = await run(custody.tickets, ana.user_id, 5)
    his = await run(custody.tickets, bo.user_id, 8, 10)
    async with playing(custody) as play:
        at = await play.open_round(room.name)
        bets = [await play.bet(ana, at, hers, 500), await play.bet(bo, at, his, 80)]
        for bet in bets:
            assert (await play.answered(bet)).state == Bet.PLACED
        done = await play.sealed(at)
        await play.quiet()
    await run(check_books, custody)
    ((winner, _ticket),) = json.loads(done.winners)
    assert winner in (ana.id, bo.id) and not done.late
    states = await run(lambda: set(Bet.objects.values_list("state", flat=True)))
    assert states == {Bet.OVER}
    owners = await run(custody.owners)
    house = [each for each in (*hers, *his) if owners[each] == "house"]
    assert len(house) == (5 if winner == bo.id else 2)  # 10 per cent of 580, or 5 per cent, in whole items of 10
    assert {owners[each] for each in (*hers, *his)} == {str(winner), "house"}


async def test_the_other_lane_takes_bets_while_this_one_is_drawn(custody: Custody) -> None:
    room = quick_room()
    first, second = await run(open_room, room)
    players = [await run(new_player, custody) for _ in range(2)]
    async with playing(custody) as play:
        at = await play.open_round(room.name)
        for player in players:
            await play.bet(player, at, await run(custody.tickets, player.user_id, 1), 100)
        await play.until(lambda: Round.objects.get(id=at.id).phase != "game", "the round is closed")
        other = await play.until(lambda: Round.objects.filter(room=room.name, phase="game").first())
        assert {at.lane, other.lane} == {first, second}
        await play.sealed(at)
        again = await play.until(lambda: Round.objects.filter(lane=at.lane, round=at.round + 1).first())
        assert bytes(again.hash) != bytes(at.hash)
    await run(check_books, custody)


async def test_bets_are_refused_with_a_reason_and_bind_nothing(custody: Custody) -> None:
    """Another's item, an item twice over, too few cents, another price, a player who has said nothing, a round that is over."""
    room = quick_room(bet_value_min=200)
    await run(open_room, room)
    ana, bo = await run(new_player, custody, "ana"), await run(new_player, custody, "bo")
    hers = await run(custody.tickets, ana.user_id, 4)
    stranger = await run(lambda: Player.objects.create(id=ana.id + 500_000, steam_id=7, name="new", registered_ms=1))
    async with playing(custody) as play:
        at = await play.open_round(room.name)

        async def why(player: Player, ids: list[str], cents: int, number: int = 0) -> tuple[str, str]:
            wanted = Round(lane=at.lane, round=number or at.round)
            bet = await play.answered(await play.bet(player, wanted, ids, cents))
            return bet.state, bet.code

        assert await why(bo, hers[:2], 200) == (Bet.REFUSED, "not_owner")
        assert await why(ana, ["dep_nothing"], 200) == (Bet.REFUSED, "not_found")
        assert await why(ana, hers[:1], 100) == (Bet.REFUSED, "bet_value_min")
        assert await why(ana, hers[:2], 250) == (Bet.REFUSED, "price_changed")
        assert await why(stranger, hers[:2], 200) == (Bet.REFUSED, "gate")
        assert await why(ana, hers[:2], 200, 99) == (Bet.REFUSED, "round_over")
        assert await why(ana, hers[:2], 200) == (Bet.PLACED, "")
        assert await why(ana, hers[1:3], 200) == (Bet.REFUSED, "item_locked")
        await play.quiet()
        assert set(await run(custody.locked)) >= set(hers[:2])
        assert not set(await run(custody.locked)) & set(hers[2:])
    await run(check_books, custody)


async def test_the_same_form_twice_is_one_bet(custody: Custody) -> None:
    """S23: a double click, two tabs, the back button."""
    room = quick_room()
    await run(open_room, room)
    ana = await run(new_player, custody)
    hers = await run(custody.tickets, ana.user_id, 2)
    async with playing(custody) as play:
        at = await play.open_round(room.name)
        bets = [await play.bet(ana, at, hers, 200, token="once") for _ in range(5)]
        assert len({bet.id for bet in bets}) == 1
        with pytest.raises(services.BetError, match="other items"):
            await play.bet(ana, at, hers[:1], 100, token="once")
        placed = await play.answered(bets[0])
        assert placed.state == Bet.PLACED and await play.answered(await play.bet(ana, at, hers, 200, token="once")) == placed
    await run(check_books, custody)


async def test_a_round_with_one_bettor_is_void_and_everything_is_free_again(custody: Custody) -> None:
    room = quick_room(lonely_void_s=1)
    await run(open_room, room)
    ana = await run(new_player, custody)
    hers = await run(custody.tickets, ana.user_id, 2)
    async with playing(custody) as play:
        at = await play.open_round(room.name)
        await play.answered(await play.bet(ana, at, hers, 200))
        done = await play.sealed(at)
        await play.quiet()
    await run(check_books, custody)
    assert (done.phase, done.void_reason) == ("void", "one player only")
    assert not set(hers) & set(await run(custody.locked))
    assert {(await run(custody.owners))[each] for each in hers} == {ana.user_id}
    log = await run(lambda: sorted(PlayLog.objects.filter(player=ana).values_list("kind", "cents")))
    assert log == [("return", 200), ("stake", 200)]


async def test_the_next_chain_is_bound_before_the_last_secret_is_used(custody: Custody) -> None:
    room = quick_room(lonely_void_s=1)
    (lane, *_) = await run(open_room, room)
    ana = await run(new_player, custody)
    async with playing(custody, chain_length=1) as play:
        for _ in range(3):
            at = await play.open_round(room.name)
            await play.bet(ana, at, await run(custody.tickets, ana.user_id, 1), 100)
            await play.sealed(at)
        await play.quiet()
    await run(check_books, custody)
    made = Chain.objects.filter(lane=lane).order_by("first_round").values_list("first_round", "length")
    chains = await run(lambda: list(made))
    assert chains[:2] == [(1, 1), (2, 1)]
    assert await run(LaneEvent.objects.filter(lane=lane, kind="renew").count) >= 1


@pytest.mark.both_databases
async def test_two_engines_on_one_lane_write_one_list(custody: Custody) -> None:
    """W4: with no lease between them, and one of their clocks off; every bet has one event, whoever took it."""
    room = quick_room(time_limit=3)
    await run(open_room, room)
    players = [await run(new_player, custody) for _ in range(4)]
    with override_settings(SITE_LEASE_MS=0):
        async with playing(custody, engines=2, skews=[0, 700]) as play:
            at = await play.open_round(room.name)
            bets = []
            for player in players:
                for each in await run(custody.tickets, player.user_id, 3):
                    bets.append(await play.bet(player, at, [each], 100))
            for bet in bets:
                await play.answered(bet)
            await play.sealed(at)
            await play.quiet()
    await run(check_books, custody)
    drivers = await run(LaneEvent.objects.filter(lane=at.lane, round=at.round, kind="bet").count)
    assert drivers == await run(Bet.objects.filter(state=Bet.OVER).count) > 0
