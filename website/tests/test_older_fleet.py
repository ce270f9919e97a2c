"""The fleet comes back from yesterday's backup: it is noticed, nothing is sent to it, and two people bring it up to us (S9)."""

from __future__ import annotations

import asyncio
import copy
import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from custody import Custody
from paper import Paper, owners
from play import new_player, open_room, playing, quick_room, run

from fleet_client import AsyncClient
from fleet_client.answers import Event
from website.engine import calls, feed, older_fleet
from website.engine.models import Alarm, Call, Feed
from website.engine.older_fleet import Seen
from website.rooms.models import Bet, Lane

AT = datetime(2026, 11, 30, tzinfo=UTC)


def event(number: int, minute: int, kind: str = "items_locked") -> Event:
    at, data = AT + timedelta(minutes=minute), {"ref": f"bet_{number}"}
    return Event(number=number, at=at, kind=kind, trade_id=None, user_id=None, bot=None, who="site", data=data)


def test_s9_a_fleet_that_has_another_event_under_a_number_or_none_is_older() -> None:
    mine = Seen(7, feed.identity(event(7, 7)))
    assert not older_fleet.is_older(mine, [event(7, 7)])
    assert older_fleet.is_older(mine, [])
    assert older_fleet.is_older(mine, [event(7, 90)]), "it has gone on since it came back"
    assert not older_fleet.is_older(mine, [event(9, 9)]), "it keeps its events only for so long"
    user = {"kind": "user_changed", "data": {}}
    before, forgotten = (dataclasses.replace(event(7, 7), user_id=each, **user) for each in ("76561", "gone-1"))  # type: ignore[arg-type]
    assert not older_fleet.is_older(Seen(7, feed.identity(before)), [forgotten]), "a person was forgotten, and nothing else"


@pytest.mark.parametrize("common", [0, 1, 5, 11])
def test_s9_the_last_event_that_both_have_is_found_by_halves(common: int) -> None:
    mine = Seen(12, feed.identity(event(12, 12)))
    has = [event(number, number) for number in range(1, common + 1)]
    has += [event(number, 100 + number) for number in range(common + 1, 20)]  # since it came back
    asked: list[int] = []

    def behind(number: int) -> Event | None:
        asked.append(number)
        return next((each for each in has if each.number > number), None)

    found = older_fleet.last_common(mine, behind)
    assert (0 if found is None else found.number) == common and len(asked) <= 6


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_s9_nothing_is_sent_to_an_older_fleet_and_two_people_bring_it_up_to_us(database_url: str) -> None:
    """A round was paid since the backup, and another one is drawn while nobody is paid."""
    paper = Paper()
    paper.open("classic-unlimited", time_limit=5)
    ana, bo = paper.player(), paper.player()
    mine, theirs = paper.items(ana, 300, 400), paper.items(bo, 300, 400)
    first = paper.game("classic-unlimited")
    yesterday = copy.deepcopy(paper.fleet)
    paper.bet(ana, first, mine[:1])
    paper.bet(bo, first, theirs[:1])
    paper.until_sealed(first)
    second = paper.game("classic-unlimited")
    paper.bet(ana, second, mine[1:])
    paper.bet(bo, second, theirs[1:])
    paper.settle()
    was, paper.fleet = paper.fleet, yesterday
    lost = older_fleet.unknown((ref for kind, ref in yesterday.answers if kind == "lock"), ())
    older_fleet.noticed(lost, paper.now_ms)
    assert f"round:{first.lane}:{first.round}:1" in Alarm.objects.get(kind="fleet_older").text and older_fleet.known()
    assert set(Lane.objects.values_list("paused_why", flat=True)) == {"fleet_older"}
    paper.run(20)
    assert paper.round(second).phase == "finalized" and not yesterday.transfers, "drawn and shown, and nobody is paid"
    third = paper.player()
    late = paper.bet(third, second, paper.items(third, 100))
    assert late.state == Bet.REFUSED
    # An item that came in since is not there yet: the fleet says no, and everything stays as it is.
    kept = yesterday.deposits.pop(mine[0])
    asked = older_fleet.since(None)
    assert "not_found" in asyncio.run(older_fleet.again(cast(AsyncClient, yesterday), asked)) and older_fleet.known()
    yesterday.deposits[mine[0]] = kept
    assert asyncio.run(older_fleet.again(cast(AsyncClient, yesterday), asked)) == ""
    older_fleet.over(0, "", paper.now_ms)
    assert owners(paper, [mine[0], theirs[0]]) == {was.deposits[mine[0]].owner}
    paper.until_sealed(second)
    assert len(owners(paper, [mine[1], theirs[1]])) == 1
    assert not Alarm.objects.filter(kind="fleet_older", ended_ms=None).exists()
    assert set(Lane.objects.values_list("state", flat=True)) == {Lane.OPEN}
    paper.run(5)
    paper.check()


@pytest.mark.long  # on paper above
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_s9_an_engine_asks_a_fleet_that_was_silent_whether_it_is_the_one_that_it_was(custody: Custody) -> None:
    """Its newest event is not the one that we have read under that number: all lanes are paused, no call goes out."""
    room = quick_room(lonely_void_s=900)
    await run(open_room, room)
    ana = await run(new_player, custody)
    ids = await run(custody.tickets, ana.user_id, 1)
    async with playing(custody) as play:
        at = await play.open_round(room.name)
        await play.until(lambda: Feed.objects.exclude(seen="").first(), "something was read")
        number = (await run(lambda: Feed.objects.get().seen)).partition("|")[0]
        await run(lambda: Feed.objects.update(seen=f"{number}|2026-01-01T00:00:00+00:00|items_locked|bet_other"))
        play.engine._unsure = True
        told = await play.until(lambda: Alarm.objects.filter(kind="fleet_older").first(), "it is noticed")
        assert "recover fleet" in told.text
        assert (await run(lambda: Lane.objects.get(name=at.lane))).paused_why == "fleet_older"
        await run(lambda: Call.objects.create(kind=Call.UNLOCK, ref="bet_" + "1" * 32, body="{}", made_ms=0))
        assert await run(calls.claim, 1 << 60) == []
        bet = await play.bet(ana, at, ids, 100)
        refused: Any = await play.answered(bet)
        assert (refused.state, refused.code) == (Bet.REFUSED, "paused")
