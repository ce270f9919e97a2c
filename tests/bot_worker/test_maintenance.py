"""Steam's maintenance: known by its signs, told, waited out, and never taken for the truth."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from bot_lab import Lab, SteamAccount, kinds
from hand_clock import HandClock

from bot_worker.steam.maintenance import ENOUGH, POINTS, Maintenance, Sign, in_window, is_maintenance, sign_of
from shared import settings
from shared.orders import InventoryOrder, SettleCheck, SettleOrder, WantedAsset

SUNDAY = datetime(2026, 11, 22, 22, tzinfo=UTC)
S = Sign
STEAM = settings.load().steam
LASTS_S = STEAM.maintenance_lasts_s

# --- pure ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "inside"),
    [
        (datetime(2026, 11, 24, 19, 59, 59, tzinfo=UTC), False),
        (datetime(2026, 11, 24, 20, 0, tzinfo=UTC), True),
        (datetime(2026, 11, 25, 1, 14, 59, tzinfo=UTC), True),
        (datetime(2026, 11, 25, 1, 15, tzinfo=UTC), False),
        (datetime(2026, 11, 24, 1, 0, tzinfo=UTC), False),  # the night before
        (datetime(2026, 11, 23, 21, 0, tzinfo=UTC), False),
        (datetime(2026, 7, 14, 20, 0, tzinfo=UTC), True),  # summer: 13:00 in Los Angeles
        (datetime(2026, 7, 15, 0, 15, tzinfo=UTC), True),
    ],
)
def test_the_weekly_window_holds_in_summer_and_in_winter(at: datetime, inside: bool) -> None:
    assert in_window(at, LASTS_S) is inside
    assert not in_window(at, 0.0) and in_window(at, 7 * 86400.0)


def test_every_hour_of_a_week_is_in_or_out() -> None:
    hours = [SUNDAY + timedelta(hours=number) for number in range(7 * 24)]
    assert sum(in_window(hour, LASTS_S) for hour in hours) == 6  # 20:00 to 01:00 on the hour


@pytest.mark.parametrize("sign", [sign for sign in Sign if sign is not S.GOOD])
@pytest.mark.parametrize("inside", [False, True])
def test_how_many_signs_in_a_row_it_takes(sign: Sign, inside: bool) -> None:
    points = POINTS[sign][inside]
    needed = next((count for count in range(1, 20) if is_maintenance([sign] * count, inside)), None)
    assert needed == (None if points == 0 else -(-ENOUGH // points))


def test_within_the_window_no_sign_counts_less() -> None:
    assert all(inside >= outside for outside, inside in POINTS.values())
    for row in itertools.product(Sign, repeat=3):
        assert is_maintenance(row, True) or not is_maintenance(row, False)


@pytest.mark.parametrize(
    ("call", "status", "result", "page", "sign"),
    [
        ("GetTradeOffers", 502, None, True, S.GATEWAY),
        ("GetTradeOffers", 503, None, True, S.GATEWAY),
        ("send", 504, None, False, S.GATEWAY),
        ("GetTradeOffers", 200, 20, False, S.DOWN),
        ("GetTradeOffers", 200, None, True, S.PAGE),
        ("GetTradeOffers", 500, None, True, S.PAGE),
        ("page", 200, None, True, S.GOOD),
        ("GetTradeOffers", 401, None, True, S.SIGNED_OUT),
        ("partnerinventory", 403, None, False, S.SIGNED_OUT),
        ("GetTradeOffers", 200, None, False, S.GOOD),
        ("GetTradeOffers", 200, 1, False, S.GOOD),
        ("GetTradeOffers", 200, 16, False, None),
        ("send", 200, None, False, None),
        ("getlist", 200, None, False, None),
        ("GetTradeOffers", 429, None, True, None),
        ("GetTradeOffers", 404, None, True, None),
    ],
)
def test_what_one_answer_says(call: str, status: int, result: int | None, page: bool, sign: Sign | None) -> None:
    assert sign_of(call, status, result, page=page) is sign


def test_it_ends_with_a_good_answer_of_that_kind_or_after_a_while() -> None:
    clock = HandClock(SUNDAY)
    state = Maintenance(clock, STEAM)
    for _ in range(ENOUGH - 1):
        state.saw("send", S.GATEWAY)
    state.saw("GetTradeOffers", S.GATEWAY)  # another kind: rows are counted apart
    assert not state.on
    state.saw("send", S.GATEWAY)
    assert state.on
    state.saw("GetTradeOffers", S.GOOD)
    assert state.on
    state.saw("send", S.GOOD)
    assert not state.on
    for _ in range(ENOUGH):
        state.saw("send", S.GATEWAY)
    clock.pass_time(119.9)
    assert state.on
    clock.pass_time(0.2)
    assert not state.on
    state.saw("send", S.GATEWAY)  # the one that tried again
    assert state.on


# --- against the sandbox -------------------------------------------------------------------------


def in_maintenance(lab: Lab, shape: str) -> None:
    lab.me.fault("*", "maintenance", shape=shape)
    for _ in range(3):
        assert kinds(lab.do(lab.watch_order())) == ["order_failed"]
    assert lab.bot.session.maintenance.on


@pytest.mark.parametrize("shape", ["502", "503", "20"])
def test_sends_wait_and_the_heartbeat_says_why(lab: Lab, player: SteamAccount, shape: str) -> None:
    assert (lab.heartbeat().state, lab.heartbeat().reason) == ("starting", None)
    lab.bot.health.is_now("online")
    in_maintenance(lab, shape)
    beat = lab.heartbeat()
    assert (beat.state, beat.reason) == ("online", "steam_maintenance")
    assert beat.action
    before = lab.me.requests().get("send", 0)
    order = lab.send_order(player, [], player.assets())
    (report,) = lab.do(order)
    assert (report.kind, report.data["code"], report.data["retry_after_s"]) == ("try_later", "steam_maintenance", 120.0)
    assert lab.me.requests().get("send", 0) == before
    lab.world.clear_faults()
    assert lab.do(lab.watch_order()) == []  # a good answer ends it
    assert (lab.heartbeat().state, lab.heartbeat().reason) == ("online", None)
    assert kinds(lab.do(lab.send_order(player, [], player.assets()))) == ["picked_up", "offer_active"]
    assert len(lab.me.offers()) == 1


def test_item_servers_that_are_down_stop_sends_until_a_try_works(make_lab: Callable[..., Lab], player: SteamAccount) -> None:
    lab = make_lab()
    lab.me.fault("send", "str_error", code=20, status=500, times=3)
    for _ in range(3):
        (_, later) = lab.do(lab.send_order(player, [], player.assets()))
        assert (later.kind, later.data["code"]) == ("try_later", "steam_unavailable")
    (later,) = lab.do(lab.send_order(player, [], player.assets()))
    assert later.data["code"] == "steam_maintenance"
    assert lab.do(lab.watch_order()) == []  # other calls work; that says nothing about sends
    (later,) = lab.do(lab.send_order(player, [], player.assets()))
    assert later.data["code"] == "steam_maintenance"
    lab.clock.pass_time(121)
    assert kinds(lab.do(lab.send_order(player, [], player.assets()))) == ["picked_up", "offer_active"]


def test_recovery_waits(lab: Lab, player: SteamAccount) -> None:
    order = lab.send_order(player, lab.me.assets(), [])
    lab.me.fault("send", "cut")
    lab.do(order)
    in_maintenance(lab, "503")
    before = sum(lab.me.requests().values())
    (told,) = lab.do(lab.find_order(lab.watched(order, None, "in_doubt")))
    assert (told.kind, told.data["reason"]) == ("find_inconclusive", "steam_maintenance")
    check = SettleCheck("tr_1", 1, None, [WantedAsset("d1", lab.me.assets()[0], "AK", None)])
    (told,) = lab.do(lab.order("settle", SettleOrder([check], [])))
    assert (told.kind, told.data["reason"], told.data["retryable"]) == ("order_failed", "steam_maintenance", True)
    (told,) = lab.do(lab.order("inventory", InventoryOrder(player.steam_id, player.trade_token)))
    assert (told.kind, told.data["code"]) == ("inventory_failed", "steam_maintenance")
    assert sum(lab.me.requests().values()) == before


# An order reads what is free, and, as an item is missing there, both parts of the inventory.
def test_an_empty_inventory_in_the_window_is_maintenance(make_lab: Callable[..., Lab]) -> None:
    lab = make_lab(steam={"maintenance_lasts_s": 7 * 86400.0})
    lab.bot.health.is_now("online")
    lab.me.fault("GetInventoryItemsWithDescriptions", "empty_inventory", times=3)
    check = SettleCheck("tr_1", 1, None, [WantedAsset("d1", lab.me.assets()[0], "AK", None)])
    order = lab.order("settle", SettleOrder([check], []))
    for _ in range(2):  # the second one does not even look
        (told,) = lab.do(order)
        assert (told.kind, told.data["reason"]) == ("order_failed", "steam_maintenance")
    assert lab.heartbeat().reason == "steam_maintenance"


def test_one_empty_inventory_outside_the_window_is_not_believed_either(lab: Lab) -> None:
    lab.me.fault("GetInventoryItemsWithDescriptions", "empty_inventory", times=3)
    check = SettleCheck("tr_1", 1, None, [WantedAsset("d1", lab.me.assets()[0], "AK", None)])
    order = lab.order("settle", SettleOrder([check], []))
    (told,) = lab.do(order)
    assert (told.kind, told.data["reason"]) == ("order_failed", "inventory_not_believed")
    assert kinds(lab.do(order)) == ["items_seen"]


def test_a_bad_moment_is_no_maintenance(lab: Lab, player: SteamAccount) -> None:
    lab.me.fault("GetTradeOffers", "html", times=3)
    assert kinds(lab.do(lab.watch_order())) == ["order_failed"]
    assert lab.do(lab.watch_order()) == []
    assert kinds(lab.do(lab.send_order(player, [], player.assets()))) == ["picked_up", "offer_active"]
