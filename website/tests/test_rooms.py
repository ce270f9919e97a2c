"""One round of each room of the seed at a real balancer, with a real engine, from the click to a record that verifies."""

from __future__ import annotations

import json
from typing import Any

import own_chain
import pytest
from custody import Custody, new_ref
from lottery import verify
from lottery.rooms import Room
from paper import own_beacon
from play import Play, check_books, ids_of_process, new_player, open_room, playing, run

from website.accounts.models import Player
from website.custody import services as exchanges
from website.custody.models import Exchange
from website.engine.clock import wall_ms
from website.office.models import Staff
from website.rooms import definitions, guarantees, numbers
from website.rooms.models import Bet, Guarantee, LaneEvent, Round

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
EVIDENCE = "https://stream.example/1 sha256:" + "ab" * 32


def room_of(name: str, **changes: Any) -> Room:
    """A room of the seed under a name of its own, whose beacon comes every second."""
    return own_beacon(definitions.load(name), name=f"{name}-{ids_of_process()}", entropy_margin_s=3, **changes)


def issue(custody: Custody, name: str, count: int) -> list[str]:
    """Tickets of the house."""
    body = {"ref": new_ref("issue"), "market_hash_name": name, "value_cents": 100, "count": count, "to": "house"}
    ids: list[str] = custody.ask("POST", "/issues", body)["deposit_ids"]
    return ids


async def swap(play: Play, player: Player, ids: list[str], ticket: str, count: int) -> list[str]:
    """The tickets that a player gets for items of 1.00 and more."""
    wanted = exchanges.Swap(ids, 130 * len(ids), new_ref("swap"), ticket, count)
    row = await run(exchanges.exchange, player, wanted, wall_ms())
    done = await play.until(lambda: Exchange.objects.filter(id=row.id).exclude(state=Exchange.ASKED).first(), "an exchange")
    assert done.state == Exchange.DONE, (done.code, done.answer)
    took: list[str] = json.loads(done.answer)["took"]
    return took


async def all_placed(play: Play, bets: list[Bet]) -> None:
    for bet in bets:
        answered = await play.answered(bet)
        assert answered.state in (Bet.PLACED, Bet.OVER), (answered.code, answered.details)


async def finished(play: Play, at: Round) -> dict[str, Any]:
    """The sealed record, which `lottery verify` accepts."""
    done = await play.sealed(at)
    await play.quiet()
    assert done.phase == "sealed"
    text = bytes(done.record)
    report = verify.verify(text, frozenset([own_chain.terms(period=1).chain_hash]))
    assert report.good, (report.checks[-1], report.unchecked)
    record: dict[str, Any] = json.loads(text)
    return record


async def test_w22_a_round_of_classic_limited(custody: Custody) -> None:
    room = room_of("classic-limited", item_limit_max=4)
    await run(open_room, room)
    ana, bo = await run(new_player, custody), await run(new_player, custody)
    async with playing(custody) as play:
        at = await play.open_round(room.name)
        bets = [await play.bet(each, at, await run(custody.tickets, each.user_id, 2, 90), 180) for each in (ana, bo)]
        await all_placed(play, bets)
        record = await finished(play, at)
    assert record["outcome"]["closed_by"] == "items" and record["outcome"]["payouts"]
    await run(check_books, custody)


async def test_w22_a_round_of_giveaway(custody: Custody) -> None:
    room = room_of("giveaway", item_limit_max=2, bet_item_limit_max=1)
    await run(open_room, room)
    ana, bo = await run(new_player, custody), await run(new_player, custody)
    prizes = await run(issue, custody, "Prize of a test", 1)
    ana_of_staff = await run(lambda: Staff.objects.get(username="proposer"))
    await run(guarantees.set_aside, room.name, prizes, ana_of_staff, "for a test", wall_ms())
    await run(issue, custody, "Raffle Ticket", 1)
    async with playing(custody) as play:
        at = await play.open_round(room.name)
        assert (await run(custody.locked))[prizes[0]].endswith(f":gua_{at.lane}_{at.round}")
        bets, staked = [], []
        for player in (ana, bo):
            mine = await swap(play, player, await run(custody.tickets, player.user_id, 1, 130), "Raffle Ticket", 1)
            staked += mine
            bets.append(await play.bet(player, at, mine, 100))
        await all_placed(play, bets)
        record = await finished(play, at)
    winner = str(record["outcome"]["winners"][0]["user_id"])
    owners = await run(custody.owners)
    assert owners[prizes[0]] == winner and {owners[each] for each in staked} == {"house"}
    assert await run(lambda: Guarantee.objects.get().state) == Guarantee.GIVEN
    await run(check_books, custody)


async def test_w22_a_round_of_five_against_five(custody: Custody) -> None:
    room = room_of("5v5", time_limit=1)
    await run(open_room, room)
    seats = [(await run(new_player, custody), team) for team in (1, 2) for _ in range(5)]
    async with playing(custody) as play:
        at = await play.open_round(room.name)
        bets = []
        for place, (player, team) in enumerate(seats):
            mine = await run(custody.tickets, player.user_id, 1, 131 + 7 * place)
            bets.append(await play.bet(player, at, mine, 131 + 7 * place, team=team))
        await all_placed(play, bets)
        record = await finished(play, at)
    outcome = record["outcome"]
    assert len(outcome["eliminations"]) + len(outcome["payouts"]) == 10
    await run(check_credits, custody, outcome)
    await run(check_books, custody)


def check_credits(custody: Custody, outcome: dict[str, Any]) -> None:
    """What no item was small enough for, the balancer owes."""
    for payout in outcome["payouts"]:
        found = custody.ask("GET", f"/credits?user_id={payout['user_id']}")
        assert found["balance_cents"] == payout["credit"]


async def test_w22_a_round_of_sit_n_go(custody: Custody) -> None:
    room = room_of("sit-n-go")
    await run(open_room, room)
    await run(issue, custody, "SnG Ticket", 1)
    players = [await run(new_player, custody) for _ in range(10)]
    async with playing(custody) as play:
        at = await play.open_round(room.name)
        bets = []
        for player in players:
            mine = await swap(play, player, await run(custody.tickets, player.user_id, 1, 130), "SnG Ticket", 1)
            bets.append(await play.bet(player, at, mine, 100))
        await all_placed(play, bets)
        record = await finished(play, at)
    assert [len(payout["rows"]) for payout in record["outcome"]["payouts"]] == [5, 3, 1]
    await run(check_books, custody)


async def test_w22_a_round_of_the_global_pot(custody: Custody) -> None:
    room = room_of("global-pot", global_pot_limit=400, shares=[5, 3])
    await run(open_room, room)
    ana, bo = await run(new_player, custody), await run(new_player, custody)
    async with playing(custody) as play:
        at = await play.open_round(room.name)
        bets = [await play.bet(each, at, await run(custody.tickets, each.user_id, 2), 200) for each in (ana, bo)]
        await all_placed(play, bets)
        await play.until(lambda: Round.objects.filter(id=at.id, phase="typing").exists(), "it waits for numbers")
        people = await run(lambda: list(Staff.objects.order_by("username")))
        for number, digits in enumerate(("50", "350"), 1):
            for person in people:
                await run(numbers.type_in, at.lane, number, digits, EVIDENCE, person, wall_ms())
            await play.until(lambda number=number: number_taken(at, number), "the number is taken")  # type: ignore[misc]
        record = await finished(play, at)
    assert [each["digits"] for each in record["manual"]] == ["50", "350"]
    await run(check_books, custody)


def number_taken(at: Round, number: int) -> bool:
    return LaneEvent.objects.filter(lane=at.lane, round=at.round, kind="manual").count() >= number
