"""Offers in doubt: adopted in whatever state they are, or proven to be absent, and never called absent on a guess."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from operator import attrgetter
from typing import Any

import pytest
from bot_lab import Killed, Lab, SteamAccount, SteamWorld, ask, does_otherwise, killed_at, kinds

from bot_worker.orders.find import Proof, judge
from bot_worker.orders.watch import BACK_DATED_S
from shared.domain.items import Asset
from shared.orders import WatchedTrade, WatchOrder
from shared.reports import Report


def lost(lab: Lab, player: SteamAccount, *, made: bool, give: bool = False) -> WatchedTrade:
    """A trade whose answer was lost, after or before Steam made the offer."""
    before = len(lab.me.offers())
    order = lab.send_order(player, lab.me.assets() if give else [], [] if give else player.assets())
    lab.me.fault("send", "cut", after=made)
    assert kinds(lab.do(order)) == ["picked_up", "answer_lost"]
    assert len(lab.me.offers()) - before == made
    return lab.watched(order, None, "in_doubt")


def why(reports: list[Report]) -> str:
    (report,) = reports
    assert report.kind == "find_inconclusive"
    reason: str = report.data["reason"]
    return reason


# --- pure ----------------------------------------------------------------------------------------


def test_absence_takes_every_single_proof() -> None:
    values: list[tuple[Any, ...]] = [(1, 2), (False, True), (True, False, None), (True, False, None), (True, False, None)]
    proven = []
    for looks, apart, moved, ours, theirs in itertools.product(*values):
        for trouble in (None, "inventory_private"):
            proof = Proof(looks, apart, moved, ours, theirs, trouble)
            if judge(proof) is None:
                proven.append(proof)
    assert proven == [Proof(2, True, False, True, True, None)]


# --- adopted -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("action", "event", "state"),
    [
        (None, "offer_active", 2),
        ("decline", "offer_declined", 7),
        ("counter", "offer_countered", 4),
        ("accept", "offer_accepted", 3),
    ],
)
def test_an_offer_is_adopted_in_whatever_state_it_is(
    lab: Lab, player: SteamAccount, action: str | None, event: str, state: int
) -> None:
    trade = lost(lab, player, made=True)
    (offer,) = lab.me.offers()
    if action:
        player.act(offer["offer_id"], action)
    (report,) = lab.do(lab.find_order(trade))
    assert (report.kind, report.trade_id, report.data["state"]) == (event, trade.trade_id, state)
    assert report.data["offer_id"] == offer["offer_id"]


def test_a_found_withdrawal_is_confirmed_at_once(lab: Lab, player: SteamAccount) -> None:
    trade = lost(lab, player, made=True, give=True)
    assert kinds(lab.do(lab.find_order(trade))) == ["confirmation_needed", "offer_active"]
    assert [offer["state"] for offer in lab.me.offers()] == [2]


def test_a_find_tells_what_a_watch_would_keep_to_itself(lab: Lab, player: SteamAccount) -> None:
    order = lab.send_order(player, [], player.assets())
    trade = lab.watched(order, lab.do(order)[-1].data["offer_id"], "sent")
    assert lab.do(lab.watch_order(trade)) == []
    assert kinds(lab.do(lab.find_order(trade))) == ["offer_active"]


def test_of_two_live_offers_one_is_left(lab: Lab, player: SteamAccount) -> None:
    order = lab.send_order(player, [], player.assets())
    lab.do(order, replace(order, attempt=2, order_id="or_again"))
    assert [offer["state"] for offer in lab.me.offers()] == [2, 2]
    (report,) = lab.do(lab.find_order(lab.watched(order, None, "in_doubt")))
    assert report.kind == "offer_active"
    live = [offer["offer_id"] for offer in lab.me.offers() if offer["state"] == 2]
    assert live == [report.data["offer_id"]]


def test_an_accepted_offer_whose_exchange_is_under_way_is_asked_about_again(lab: Lab, player: SteamAccount) -> None:
    trade = lost(lab, player, made=True)
    (offer,) = lab.me.offers()
    player.act(offer["offer_id"], "accept")
    lab.me.fault("GetTradeStatus", "late_ids", late_s=3600)
    assert why(lab.do(lab.find_order(trade))) == "exchange_not_done"
    lab.world.clear_faults()
    assert kinds(lab.do(lab.find_order(trade))) == ["offer_accepted"]


@pytest.mark.parametrize("give", [False, True])
def test_a_late_offer_of_a_trade_that_is_over_is_canceled(lab: Lab, player: SteamAccount, give: bool) -> None:
    """A worker that stood still sent it after its trade had ended; a report that did not fit led to this search."""
    trade = lost(lab, player, made=True, give=give)
    (report,) = lab.do(lab.find_order(replace(trade, status="canceled")))
    assert report.kind == ("confirmation_needed" if give else "offer_active")
    (offer,) = lab.me.offers()
    assert offer["state"] == 6
    assert kinds(lab.do(lab.find_order(replace(trade, status="canceled")))) == ["offer_canceled"]


def test_a_held_or_accepted_offer_of_a_trade_that_is_over_is_left(lab: Lab, player: SteamAccount) -> None:
    trade = lost(lab, player, made=True)
    (offer,) = lab.me.offers()
    player.act(offer["offer_id"], "accept")
    assert kinds(lab.do(lab.find_order(replace(trade, status="failed")))) == ["offer_accepted"]
    (offer,) = lab.me.offers()
    assert offer["state"] == 3


def test_an_offer_that_is_named_is_looked_up_by_its_id(lab: Lab, player: SteamAccount) -> None:
    """Steam's lists do not show it; an operator, or the balancer, knows its id."""
    trade = lost(lab, player, made=True)
    (offer,) = lab.me.offers()
    lab.me.fault("GetTradeOffers", "maintenance", shape="empty")
    assert why(lab.do(lab.find_order(trade))) == "first_look"
    (report,) = lab.do(lab.find_order(replace(trade, offer_id=offer["offer_id"])))
    assert (report.kind, report.data["offer_id"]) == ("offer_active", offer["offer_id"])


def test_a_wrong_offer_that_is_named_is_not_taken(lab: Lab, world: SteamWorld, player: SteamAccount) -> None:
    trade = lost(lab, player, made=False)
    stranger = world.account("player")
    other = lab.do(lab.send_order(stranger, [], stranger.assets()))[-1].data["offer_id"]
    same_partner = lab.do(lab.send_order(player, [], player.assets(2)[1:]))[-1].data["offer_id"]
    lab.me.fault("GetTradeOffers", "maintenance", shape="empty", times=6)
    for name in (other, same_partner, "1", "99999999999999999999"):
        (report,) = lab.do(lab.find_order(replace(trade, offer_id=name)))
        assert report.kind == "find_inconclusive"
    assert {offer["state"] for offer in lab.me.offers()} == {2}


def test_a_long_life_of_an_account_does_not_end_a_search(lab: Lab, world: SteamWorld, player: SteamAccount) -> None:
    """Steam's list of ended offers knows no cutoff; a search that read it to the end gave up after fifty pages, each time."""
    for _ in range(52):
        player.act(lab.do(lab.send_order(player, [], player.assets()))[-1].data["offer_id"], "decline")
    world.pass_time(7200)
    trade = lost(lab, player, made=True)
    since = int(ask(f"{world.control}/control/clock")["now"]) + BACK_DATED_S - 60
    before = lab.me.requests().get("GetTradeOffers", 0)
    world.change_rules(offers_page_size=1)
    try:
        reports = lab.do(lab.order("find", WatchOrder([trade], since), trade_id=None))
    finally:
        world.change_rules(offers_page_size=100)
    assert kinds(reports) == ["offer_active"]
    assert lab.me.requests()["GetTradeOffers"] - before == 2


# --- absent --------------------------------------------------------------------------------------


@pytest.mark.parametrize("give", [False, True])
def test_an_absent_offer_takes_two_looks_and_all_items_in_place(lab: Lab, player: SteamAccount, give: bool) -> None:
    trade = lost(lab, player, made=False, give=give)
    assert why(lab.do(lab.find_order(trade))) == "first_look"
    (report,) = lab.do(lab.find_order(trade))
    assert (report.kind, report.trade_id, report.attempt) == ("offer_absent", trade.trade_id, 1)
    assert lab.me.offers() == []


def test_the_two_looks_are_far_apart(make_lab: Callable[..., Lab], player: SteamAccount) -> None:
    lab = make_lab(trades={"absent_after_s": 6000.0})
    trade = lost(lab, player, made=False)
    for later_s in (0, 2000, 2000):
        lab.clock.pass_time(later_s)
        assert why(lab.do(lab.find_order(trade))) == "first_look"
    lab.clock.pass_time(2000)
    assert kinds(lab.do(lab.find_order(trade))) == ["offer_absent"]


def test_a_look_at_half_an_offer_does_not_count(lab: Lab, player: SteamAccount) -> None:
    trade = lost(lab, player, made=True)
    for shape in ("no_items", "no_partner", "half_assets"):
        lab.me.fault("GetTradeOffers", "glitched", shape=shape, times=4)
        assert why(lab.do(lab.find_order(trade))) == "half_filled"
        assert why(lab.do(lab.find_order(trade))) == "half_filled"
        lab.world.clear_faults()
    assert kinds(lab.do(lab.find_order(trade))) == ["offer_active"]


def test_an_offer_half_filled_in_the_last_look_is_not_absent(lab: Lab, player: SteamAccount) -> None:
    """The list is empty twice, as in maintenance, and the third look shows half of the offer."""
    trade = lost(lab, player, made=True)
    lab.me.fault("GetTradeOffers", "maintenance", shape="empty", times=2)
    assert why(lab.do(lab.find_order(trade))) == "first_look"
    lab.me.fault("GetTradeOffers", "maintenance", shape="empty", times=2)
    lab.me.fault("GetTradeOffers", "glitched", shape="no_items", times=2)
    assert why(lab.do(lab.find_order(trade))) == "half_filled"


def test_a_list_that_is_empty_by_mistake_never_makes_an_offer_absent(lab: Lab, player: SteamAccount) -> None:
    trade = lost(lab, player, made=True)
    for expected in ("first_look", "offer_unclear"):
        lab.me.fault("GetTradeOffers", "maintenance", shape="empty", times=2)
        assert why(lab.do(lab.find_order(trade))) == expected
    assert kinds(lab.do(lab.find_order(trade))) == ["offer_active"]


def test_a_list_without_an_offer_that_is_known_to_be_live_proves_nothing(lab: Lab, player: SteamAccount) -> None:
    order = lab.send_order(player, [], player.assets())
    known = lab.watched(order, lab.do(order)[-1].data["offer_id"], "sent")
    trade = lab.watched(lab.send_order(player, [], player.assets()), None, "in_doubt")
    lab.me.fault("GetTradeOffers", "maintenance", shape="empty", times=4)
    assert [why(lab.do(lab.find_order(trade))) for _ in range(2)] == ["list_incomplete", "list_incomplete"]
    player.act(known.offer_id or "", "decline")  # it has ended: a list may leave it out
    lab.me.fault("GetTradeOffers", "maintenance", shape="empty", times=2)
    assert why(lab.do(lab.find_order(trade))) == "first_look"
    assert kinds(lab.do(lab.find_order(trade))) == ["offer_absent"]


@pytest.mark.parametrize("shape", ["502", "503", "20", "empty"])
def test_nothing_is_absent_while_steam_is_in_maintenance(lab: Lab, player: SteamAccount, shape: str) -> None:
    trade = lost(lab, player, made=True)
    lab.me.fault("*", "maintenance", shape=shape)
    told = [kinds(lab.do(lab.find_order(trade))) for _ in range(4)]
    assert {kind for each in told for kind in each} <= {"find_inconclusive", "order_failed"}
    assert all(told)


def test_nothing_is_absent_while_our_item_is_not_in_place(lab: Lab, player: SteamAccount) -> None:
    gone = replace(lost(lab, player, made=False, give=True), give=[Asset(730, "2", "1")])
    assert why(lab.do(lab.find_order(gone))) == "first_look"
    assert why(lab.do(lab.find_order(gone))) == "items_not_in_place"


def test_nothing_is_absent_while_the_partners_item_is_not_in_place(lab: Lab, world: SteamWorld, player: SteamAccount) -> None:
    trade = lost(lab, player, made=False)
    assert why(lab.do(lab.find_order(trade))) == "first_look"
    lab.me.fault("partnerinventory", "empty_inventory")
    assert why(lab.do(lab.find_order(trade))) == "items_not_in_place"
    player.change(private=True)
    assert why(lab.do(lab.find_order(trade))) == "inventory_private"
    player.change(private=False)
    assert kinds(lab.do(lab.find_order(trade))) == ["offer_absent"]


def test_items_that_an_exchange_moved_are_not_sent_again(lab: Lab, player: SteamAccount) -> None:
    """The list of offers is empty both times, the history shows that the offer was accepted all the same."""
    trade = lost(lab, player, made=True)
    (offer,) = lab.me.offers()
    player.act(offer["offer_id"], "accept")
    lab.me.fault("GetTradeOffers", "maintenance", shape="empty", times=2)
    assert why(lab.do(lab.find_order(trade))) == "first_look"
    lab.me.fault("GetTradeOffers", "maintenance", shape="empty", times=4)
    assert why(lab.do(lab.find_order(trade))) == "items_moved"
    assert kinds(lab.do(lab.find_order(trade))) == ["offer_accepted"]


def test_an_item_that_went_with_another_offer_does_not_keep_a_trade_in_doubt(lab: Lab, player: SteamAccount) -> None:
    """Asked for from an inventory of minutes ago, which still showed what another trade had brought in."""
    gone, there = player.assets(2)
    other = lab.do(lab.send_order(player, [], [gone]))[-1].data["offer_id"]
    player.act(other, "accept")
    trade = lab.watched(lab.send_order(player, [], [gone, there]), None, "in_doubt")
    assert why(lab.do(lab.find_order(trade))) == "first_look"
    lab.me.fault("partnerinventory", "empty_inventory")
    assert why(lab.do(lab.find_order(trade))) == "items_not_in_place"
    assert kinds(lab.do(lab.find_order(trade))) == ["offer_absent"]


def test_an_item_that_another_bot_has_does_not_keep_a_trade_in_doubt(lab: Lab, player: SteamAccount) -> None:
    """Its exchange is in the other bot's history; the books know it by Steam's receipt, and the search is told."""
    gone, there = player.assets(2)
    trade = lab.watched(lab.send_order(player, [], [gone, there]), None, "in_doubt")
    known = replace(trade, elsewhere=[gone.asset_id])
    ask(f"{player.control}/control/items/730/2/{gone.asset_id}?owner={player.steam_id}", "DELETE")
    assert why(lab.do(lab.find_order(trade))) == "first_look"
    assert why(lab.do(lab.find_order(trade))) == "items_not_in_place"
    other = replace(trade, elsewhere=[there.asset_id])
    assert why(lab.do(lab.find_order(other))) == "items_not_in_place"
    assert kinds(lab.do(lab.find_order(known))) == ["offer_absent"]


def test_a_look_before_the_send_does_not_count(lab: Lab, player: SteamAccount) -> None:
    order = lab.send_order(player, [], player.assets())
    trade = lab.watched(order, None, "queued")
    assert why(lab.do(lab.find_order(trade))) == "first_look"
    lab.me.fault("send", "cut", after=False)
    assert kinds(lab.do(order)) == ["picked_up", "answer_lost"]
    assert why(lab.do(lab.find_order(trade))) == "first_look"
    assert kinds(lab.do(lab.find_order(trade))) == ["offer_absent"]


def test_the_end_of_an_earlier_attempts_offer_takes_two_looks_without_another_one(lab: Lab, player: SteamAccount) -> None:
    """The first attempt's offer came late and was declined; Steam's list does not show the second attempt's yet."""
    order = lab.send_order(player, [], player.assets())
    first = lab.do(order)[-1].data["offer_id"]
    player.act(first, "decline")
    lab.me.fault("send", "cut", after=True)
    assert kinds(lab.do(replace(order, attempt=2, order_id="or_second"))) == ["picked_up", "answer_lost"]
    trade = replace(lab.watched(order, None, "in_doubt"), attempt=2)
    (second,) = {offer["offer_id"] for offer in lab.me.offers()} - {first}
    shown = lab.bot.session.sent_offers
    with lab.steam_does(sent_offers=lambda since: [each for each in shown(since) if each.offer_id != second]):
        assert lab.do(lab.watch_order(trade)) == []
        assert why(lab.do(lab.find_order(trade))) == "first_look"
    (report,) = lab.do(lab.find_order(trade))
    assert (report.kind, report.data["offer_id"]) == ("offer_active", second)


def test_the_end_of_an_earlier_attempts_offer_ends_the_trade_when_there_is_no_other(lab: Lab, player: SteamAccount) -> None:
    order = lab.send_order(player, [], player.assets())
    player.act(lab.do(order)[-1].data["offer_id"], "decline")
    lab.me.fault("send", "cut", after=False)
    assert kinds(lab.do(replace(order, attempt=2, order_id="or_second"))) == ["picked_up", "answer_lost"]
    trade = replace(lab.watched(order, None, "in_doubt"), attempt=2)
    assert why(lab.do(lab.find_order(trade))) == "first_look"
    assert kinds(lab.do(lab.find_order(trade))) == ["offer_declined"]


def test_a_restarted_worker_begins_its_looks_anew(lab: Lab, player: SteamAccount) -> None:
    trade = lost(lab, player, made=False)
    assert why(lab.do(lab.find_order(trade))) == "first_look"
    lab.die()
    lab.start()
    assert why(lab.do(lab.find_order(trade))) == "first_look"
    assert kinds(lab.do(lab.find_order(trade))) == ["offer_absent"]


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize(
    ("owner", "name"),
    [("session", "sent_offers"), ("reporter", "append"), ("session", "cancel"), ("session.phone", "confirm")],
)
def test_a_death_in_the_middle_of_a_find_leaves_one_offer_and_the_next_one_finds_it(
    lab: Lab, player: SteamAccount, owner: str, name: str, moment: str
) -> None:
    """Two offers of one withdrawal, neither confirmed: one is adopted and confirmed, the other one canceled."""
    order = lab.send_order(player, lab.me.assets(), [])
    lab.me.fault("ajaxop", "success_false", times=50)
    lab.do(order)
    lab.bot.health.lift("confirmations_refused")
    lab.do(replace(order, attempt=2, order_id="or_again"))
    lab.world.clear_faults()
    assert [offer["state"] for offer in lab.me.offers()] == [9, 9]
    trade = replace(lab.watched(order, None, "in_doubt"), attempt=2)
    does_otherwise(lab.bot, owner, **{name: killed_at(attrgetter(f"{owner}.{name}")(lab.bot), moment)})
    lab.enqueue(lab.find_order(trade))
    with pytest.raises(Killed):
        lab.rq.work_one(1)
    lab.die()
    lab.start()
    assert lab.rq.work_one(1)  # it was put back
    told = kinds(lab.reports())
    assert set(told) <= {"confirmation_needed", "offer_active"}
    assert kinds(lab.do(lab.find_order(trade))) == ["offer_active"]
    assert sorted(offer["state"] for offer in lab.me.offers()) == [2, 6]


def test_each_trade_of_a_find_gets_one_report(lab: Lab, world: SteamWorld, player: SteamAccount) -> None:
    other = world.account("player", items=1)
    made, absent = lost(lab, player, made=True), None
    order = lab.send_order(other, [], other.assets())
    lab.me.fault("send", "cut")
    lab.do(order)
    absent = lab.watched(order, None, "in_doubt")
    first = lab.do(lab.find_order(made, absent))
    assert sorted(kinds(first)) == ["find_inconclusive", "offer_active"]
    second = {report.trade_id: report.kind for report in lab.do(lab.find_order(made, absent))}
    assert second == {made.trade_id: "offer_active", absent.trade_id: "offer_absent"}
