"""Exchanges that are taken back, withdrawals that wait for their items, and offers that Steam holds, on a running fleet."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from flow_site import Answer, Player, Website
from support import wait_until

from scripts.lab.calls import send_json

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("flow")]

DAY_S = 86400


def only_trade(answer: Answer) -> dict[str, Any]:
    assert answer.status in (201, 202), answer.body
    assert len(answer.body["trades"]) == 1
    trade: dict[str, Any] = answer.body["trades"][0]
    return trade


@pytest.fixture
def long_protection(site: Website) -> Iterator[None]:
    """What is exchanged from now on may be taken back for ten minutes; who does so may trade again at once."""
    before = site.settings_now("protection_s", "reversal_lock_s")
    site.settings(protection_s=600, reversal_lock_s=0)
    yield
    site.settings(**before)


def owners(site: Website, *players: Player) -> dict[str, str]:
    """Item to owner at Steam, of all items that these players ever had."""
    record = site.record()
    mine = {row["item_uid"] for row in record["origins"] if row["owner"] in {player.steam_id for player in players}}
    return {row["item_uid"]: row["owner"] for row in record["assets"] if row["item_uid"] in mine}


def told(site: Website, kind: str, trade_id: str) -> list[dict[str, Any]]:
    return [row["data"] for row in site.events(trade_id) if row["kind"] == kind]


def whole_reversal(site: Website, trade_id: str) -> dict[str, Any]:
    """The last word about a reversal, once every item was seen."""
    said = wait_until(lambda: [data for data in told(site, "reversal", trade_id) if data["complete"]], every_s=0.2)
    return said[-1]


def refused(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.body.get("code", "")


# --- taken back ----------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("long_protection")
@pytest.mark.parametrize("by_habit", [False, True], ids=["at-once", "by-habit"])
def test_a_deposit_that_its_player_takes_back_is_reversed_and_he_is_blocked(site: Website, by_habit: bool) -> None:
    player = site.player(**({"habit": "take_back", "take_back_s": 1} if by_habit else {"habit": "accept"}))
    his = owners(site, player)
    trade = only_trade(site.deposit(player, 2))
    site.until(trade["trade_id"], "accepted", "reversed")
    if not by_habit:
        assert set(owners(site, player).values()) != {player.steam_id}
        site.take_back(player)
    site.until(trade["trade_id"], "reversed")
    said = whole_reversal(site, trade["trade_id"])
    assert [item["with"] for item in said["items"]] == ["player", "player"]
    assert {row["status"] for row in site.deposits(player).values()} == {"reversed"}
    assert owners(site, player) == his
    assert [data["steam_id"] for data in told(site, "partner_blocked", trade["trade_id"])] == [player.steam_id]
    assert refused(site.deposit(player)) == (409, "partner_blocked")
    site.agree()
    site.change(player.steam_id, habit="accept")
    assert site.call("POST", f"/users/{player.user_id}/unblock", {}).status == 200
    site.until(only_trade(site.deposit(player, 1))["trade_id"], "accepted")
    site.agree()


def test_a_withdrawal_that_is_taken_back_is_active_and_frozen_under_its_new_id(site: Website, request: Any) -> None:
    player = site.player(habit="accept")
    ids = site.settled_deposits(player, 2)
    request.getfixturevalue("long_protection")
    trade = only_trade(site.withdraw(player, ids))
    given = {item["asset_id"] for item in site.until(trade["trade_id"], "accepted")["items"]}
    assert {row["status"] for row in site.deposits(player).values()} == {"withdrawn"}
    site.take_back(player)
    site.until(trade["trade_id"], "reversed")
    said = whole_reversal(site, trade["trade_id"])
    assert [item["with"] for item in said["items"]] == ["bot", "bot"]
    rows = site.deposits(player)
    assert {(row["status"], row["frozen_by"]) for row in rows.values()} == {("active", "reversal")}
    there = {row["asset_id"]: row["owner"] for row in site.record()["assets"]}
    bot = next(row.steam_id for row in site.stack.bots() if row.bot == trade["bot"])
    assert {there[row["asset_id"]] for row in rows.values()} == {bot}
    assert given.isdisjoint(row["asset_id"] for row in rows.values())
    assert refused(site.withdraw(player, ids)) == (409, "partner_blocked")
    assert site.call("POST", f"/users/{player.user_id}/unblock", {}).status == 200
    assert refused(site.withdraw(player, ids)) == (409, "item_frozen")
    site.agree()


@pytest.mark.usefixtures("long_protection")
def test_a_withdrawal_that_waits_for_an_item_that_goes_back_is_canceled_and_never_offered(site: Website) -> None:
    player = site.player(habit="accept")
    his = owners(site, player)
    deposit = only_trade(site.deposit(player, 2))
    ids = [item["deposit_id"] for item in site.until(deposit["trade_id"], "accepted")["items"]]
    assert refused(site.withdraw(player, ids)) == (409, "item_unsettled")
    waiting = only_trade(site.withdraw(player, ids, wait=0, when_settled=True))
    assert (waiting["status"], waiting["waits_for"]) == ("queued", "settlement")
    assert {row["status"] for row in site.deposits(player).values()} == {"withdraw_pending"}
    site.take_back(player)
    site.until(deposit["trade_id"], "reversed")
    site.until(waiting["trade_id"], "canceled")
    assert [item["with"] for item in whole_reversal(site, deposit["trade_id"])["items"]] == ["player", "player"]
    assert {row["status"] for row in site.deposits(player).values()} == {"reversed"}
    assert [offer["offer_id"] for offer in site.record()["offers"] if offer["recipient"] == player.steam_id] == [
        site.trade(deposit["trade_id"])["offer_id"]
    ]
    assert owners(site, player) == his
    site.agree()


# --- when_settled --------------------------------------------------------------------------------------------


@contextmanager
def exchanges_unreadable(site: Website) -> Iterator[None]:
    """Steam tells the bots nothing about exchanges meanwhile."""
    fault = site.fault(route="GetTradeStatus,GetTradeHistory", kind="eresult", code=16, who="bot", times=1_000_000)
    try:
        yield
    finally:
        site.end_fault(fault)


def asked_again(site: Website, trade: dict[str, Any]) -> dict[str, Any]:
    """The trade once its items were asked about in vain."""
    wait_until(lambda: site.trade(trade["trade_id"])["next_try_at"] != trade["next_try_at"], every_s=0.2)
    return site.trade(trade["trade_id"])


@pytest.mark.parametrize("changes_ids", [False, True], ids=["same-ids", "other-ids"])
def test_a_withdrawal_when_settled_waits_and_then_goes(site: Website, changes_ids: bool) -> None:
    """Its time comes while the bot cannot read exchanges: nothing is offered before it has seen the items settled.

    Steam may give the items other ids when their protection ends.
    """
    player = site.player(habit="accept")
    his = owners(site, player)
    protection = site.settings_now("protection_s")
    site.settings(settle_changes_ids=changes_ids)
    try:
        for factor in (1, 4, 16, 64):  # on a slow machine the time comes before the withdrawal is asked for
            site.settings(protection_s=factor * protection["protection_s"])
            deposit = only_trade(site.deposit(player, 2))
            arrived = site.until(deposit["trade_id"], "accepted", "settled")
            ids = [item["deposit_id"] for item in arrived["items"]]
            with exchanges_unreadable(site):
                trade = only_trade(site.withdraw(player, ids, wait=0, when_settled=True))
                if waits := trade["waits_for"] == "settlement":
                    late = asked_again(site, trade)
                    for each in (trade, late):
                        assert (each["status"], each["waits_for"], each["offer_id"]) == ("queued", "settlement", None)
            done = site.until(trade["trade_id"], "accepted", "settled")
            if waits:
                break
        assert waits
    finally:
        site.settings(settle_changes_ids=False, **protection)
    settled = next(row["number"] for row in site.events(deposit["trade_id"]) if row["kind"] == "settled")
    picked_up = next(row["number"] for row in site.events(trade["trade_id"]) if row["kind"] == "picked_up")
    assert settled < picked_up
    offered = {item["asset_id"] for item in done["items"]}
    assert offered.isdisjoint(item["new_asset_id"] for item in arrived["items"]) == changes_ids
    assert owners(site, player) == his
    site.agree()


# --- held ----------------------------------------------------------------------------------------------------


def held_trade(site: Website) -> tuple[Player, dict[str, Any]]:
    """A deposit whose player got a hold between the bot's look at him and his answer."""
    player = site.player(habit="manual")
    trade = only_trade(site.deposit(player, 2))
    site.change(player.steam_id, hold_days=1)
    site.act(player, trade["offer_id"], "accept")
    held = site.until(trade["trade_id"], "held")
    assert {item["deposit_status"] for item in held["items"]} == {"deposit_pending"}
    return player, trade


def move_clock(site: Website, seconds: float) -> None:
    send_json("POST", f"{site.stack.control_url}/control/clock", {"advance_s": seconds})


def test_an_offer_in_hold_is_followed_until_its_items_are_here(site: Website) -> None:
    protection = site.settings_now("protection_s")
    player, trade = held_trade(site)
    site.settings(protection_s=0)  # what arrives tomorrow would be protected from then on
    move_clock(site, DAY_S + 60)
    try:
        offer = next(row for row in site.record()["offers"] if row["offer_id"] == trade["offer_id"])
        assert offer["state"] == 3
        done = site.until(trade["trade_id"], "accepted", "settled")
        site.agree()  # offers in hold of other tests have come to their end as well
    finally:
        move_clock(site, -DAY_S - 60)
        site.settings(**protection)
    assert done["offer_id"] == trade["offer_id"]
    assert {row["status"] for row in site.deposits(player).values()} == {"active"}
    site.agree()


def test_an_offer_in_hold_that_is_canceled_frees_its_rows_when_steam_says_so(site: Website) -> None:
    player, trade = held_trade(site)
    his = owners(site, player)
    before = site.settings_now("hold_cancel_lock_s")
    site.settings(hold_cancel_lock_s=0)  # Steam would let this bot trade again in a week
    try:
        assert site.call("POST", f"/trade/{trade['trade_id']}/cancel", {}).body["cancel_requested"]
        site.until(trade["trade_id"], "canceled")
    finally:
        site.settings(**before)
    assert {row["status"] for row in site.deposits(player).values()} == {"deposit_failure"}
    assert owners(site, player) == his and set(his.values()) == {player.steam_id}
    site.agree()
