"""What the fleet has bound against what is in play: each kind of difference is caused once, and an alarm names it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from custody import Custody, new_ref
from django.test import override_settings
from play import new_player, open_room, playing, quick_room, run

from website.engine import reconciliation
from website.engine.models import Alarm, CustodyCheck
from website.engine.reconciliation import Found, Ours
from website.rooms.models import Bet, Lane

MINE = Ours({"bet_1": ("a", frozenset({"dep_1", "dep_2"}))}, frozenset({"bet_2"}), {"a": 2})
HELD = {"bet_1": frozenset({"dep_1", "dep_2"}), "bet_2": frozenset({"dep_3"})}


def test_w8_what_is_bound_and_in_play_is_no_difference_nor_what_is_under_way() -> None:
    assert reconciliation.compare(MINE, HELD, MINE) == []
    assert reconciliation.compare(MINE, {"bet_1": HELD["bet_1"]}, MINE) == []
    over = Ours({}, frozenset())  # the round was paid out between the two readings
    assert reconciliation.compare(MINE, HELD, over) == [] and reconciliation.compare(over, HELD, MINE) == []


def test_w8_a_lock_that_nothing_needs_a_bet_without_one_and_other_items_are_named() -> None:
    assert reconciliation.compare(MINE, {**HELD, "bet_9": frozenset({"dep_9"})}, MINE) == [
        Found("bet_9 binds 1 items, and nothing that goes on has it")
    ]
    assert reconciliation.compare(MINE, {}, MINE) == [Found("bet_1 is in play on a, and the fleet has not bound it", "a")]
    other = {"bet_1": frozenset({"dep_1"})}
    assert [each.lane for each in reconciliation.compare(MINE, other, MINE)] == ["a"]


def test_w9_an_item_in_two_rounds_is_named() -> None:
    doubled = replace(MINE, twice=("dep_1",))
    assert reconciliation.compare(doubled, HELD, doubled) == [Found("dep_1 is in two rounds that are not over")]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_w8_a_difference_is_an_alarm_and_a_lane_whose_bets_are_bound_to_nothing_is_paused(custody: Custody) -> None:
    """S9 too: the fleet knows nothing of a lock that a round stands on. A strange lock of our key is told and pauses nobody."""
    room = quick_room(lonely_void_s=900)
    await run(open_room, room)
    ana, bo = await run(new_player, custody), await run(new_player, custody)
    strange = new_ref("strange")
    lost = await run(custody.tickets, bo.user_id, 1)
    with override_settings(SITE_RECONCILE_MS=1_000):
        async with playing(custody) as play:
            play.engine.reconcile_again_s = 0.1
            at = await play.open_round(room.name)
            bet = await play.bet(ana, at, await run(custody.tickets, ana.user_id, 1), 100)
            assert (await play.answered(bet)).state == Bet.PLACED
            good = await play.until(lambda: CustodyCheck.objects.filter(items_in_rounds=1, done_ms__gt=0).first(), "a look")
            assert (good.count, good.items_bound, json.loads(good.lanes)) == (0, 1, {at.lane: {"in_rounds": 1, "bound": 1}})
            await run(custody.ask, "POST", "/locks", {"ref": strange, "user_id": bo.user_id, "deposit_ids": lost})
            told = await play.until(lambda: Alarm.objects.filter(kind="custody").first(), "an alarm")
            assert strange in told.text and await run(lambda: Lane.objects.get(name=at.lane).state) == Lane.OPEN
            bad = await play.until(lambda: CustodyCheck.objects.filter(count=1).first(), "it is kept")
            assert strange in json.loads(bad.differences)[0]
            await run(custody.ask, "DELETE", f"/locks/{strange}", None)
            await play.until(lambda: not Alarm.objects.filter(kind="custody", ended_ms=None).exists(), "it is over")
            await run(custody.ask, "DELETE", f"/locks/{bet.bet_id}", None)  # somebody frees what is in play
            lane = await play.until(lambda: Lane.objects.filter(name=at.lane, state=Lane.PAUSED).first(), "it is paused")
            assert lane.paused_why == "custody"
