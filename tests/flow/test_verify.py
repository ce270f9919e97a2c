"""The page behind an offer's link against real bots: it never vouches for an offer that is over."""

from __future__ import annotations

from typing import Any

import pytest
from flow_site import Player, Website
from support import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("flow")]


def sent(site: Website, **account: Any) -> tuple[Player, dict[str, Any]]:
    player = site.player(habit="manual", **account)
    trade: dict[str, Any] = site.deposit(player, 1).body["trades"][0]
    return player, site.until(trade["trade_id"], "sent")


def check(site: Website, player: Player, trade: dict[str, Any]) -> dict[str, Any]:
    answer = site.call("POST", "/verify", {"token": trade["token"], "steam_id": player.steam_id})
    assert answer.status == 200, answer.body
    said: dict[str, Any] = answer.body
    return said


def test_the_thief_declines_and_sends_a_copy(site: Website) -> None:
    """Whoever has the player's web session declines the true offer within seconds and sends another one with the same link."""
    player, trade = sent(site)
    site.act(player, trade["offer_id"], "decline")
    said = check(site, player, trade)
    assert (said["ok"], said["reason"], said["status"]) == (False, "over", "declined")
    assert said["ended_at"] and "not ours" in said["player_message"]
    # What the look saw moved the trade, before the next watch.
    assert site.trade(trade["trade_id"])["status"] == "declined"
    [told] = [event for event in site.events(trade["trade_id"]) if event["kind"] == "declined_at_once"]
    assert told["data"]["offer_id"] == trade["offer_id"] and 0 <= told["data"]["after_s"] <= 10
    assert check(site, player, trade)["reason"] == "over"
    site.agree()


@pytest.mark.parametrize(
    ("action", "status"), [("accept", {"accepted", "settled"}), ("counter", {"countered"})], ids=["accepted", "countered"]
)
def test_an_offer_that_the_player_has_answered_gets_no_yes(site: Website, action: str, status: set[str]) -> None:
    player, trade = sent(site)
    site.act(player, trade["offer_id"], action)
    said = check(site, player, trade)
    assert (said["ok"], said["reason"]) == (False, "over") and said["status"] in status
    site.until(trade["trade_id"], "settled", "countered")
    site.agree()


def test_an_offer_that_was_canceled_gets_no_yes(site: Website) -> None:
    player, trade = sent(site)
    site.call("POST", f"/trade/{trade['trade_id']}/cancel")
    said = wait_until(lambda: (found := check(site, player, trade))["reason"] == "over" and found)
    assert (said["ok"], said["status"], said["offer_id"]) == (False, "canceled", trade["offer_id"])
    site.agree()


def test_a_yes_is_said_once_and_what_became_of_it_is_told_afterwards(site: Website) -> None:
    player, trade = sent(site)
    said = check(site, player, trade)
    assert (said["ok"], said["offer_url"]) == (True, f"https://steamcommunity.com/tradeoffer/{trade['offer_id']}/")
    assert check(site, player, trade)["reason"] == "used"
    site.act(player, trade["offer_id"], "accept")
    site.until(trade["trade_id"], "accepted", "settled")
    after = check(site, player, trade)
    assert (after["ok"], after["reason"]) == (False, "over") and after["status"] in ("accepted", "settled")
    site.agree()


def test_what_waits_for_the_bots_own_phone_is_not_out_yet(site: Website) -> None:
    player = site.player(habit="accept")
    ids = site.settled_deposits(player, 1)
    site.change(player.steam_id, habit="manual")
    fault = site.fault(route="ajaxop", kind="success_false", times=1000)
    try:
        trade = site.until(site.withdraw(player, ids, wait=0).body["trades"][0]["trade_id"], "confirming")
        said = check(site, player, trade)
        assert (said["ok"], said["reason"], said["retryable"]) == (False, "not_yet", True)
    finally:
        site.end_fault(fault)
    site.until(trade["trade_id"], "sent")
    assert check(site, player, trade)["ok"]
    site.act(player, trade["offer_id"] or site.trade(trade["trade_id"])["offer_id"], "accept")
    site.until(trade["trade_id"], "accepted", "settled")
    site.agree()


def test_what_steam_holds_has_been_accepted_already(site: Website) -> None:
    player, trade = sent(site)
    site.change(player.steam_id, hold_days=3)
    site.act(player, trade["offer_id"], "accept")
    site.until(trade["trade_id"], "held")
    assert check(site, player, trade)["reason"] == "in_hold"


def test_while_steam_shows_nothing_nothing_is_vouched_for(site: Website) -> None:
    player, trade = sent(site)
    bot = next(row for row in site.stack.bots() if row.bot == trade["bot"])
    fault = site.fault(route="GetTradeOffer", kind="status", status=503, times=1000, account=bot.steam_id)
    try:
        said = check(site, player, trade)
        assert (said["ok"], said["reason"], said["retryable"]) == (False, "cannot_tell", True)
    finally:
        site.end_fault(fault)
    assert wait_until(lambda: check(site, player, trade)["ok"])
    looks = sum(row["look_calls"] for row in site.call("GET", "/bots").body["bots"])
    assert looks > 0
    site.act(player, trade["offer_id"], "decline")
    site.until(trade["trade_id"], "declined")
    site.agree()
