"""A worker that stands still beyond its lease and its order's expiry, and then goes on as if nothing had been."""

from __future__ import annotations

from typing import Any

import pytest
from flow_site import Player
from nerves_lab import ACTIVE, CANCELED, FETCH, LIVE, SEND, Fleet, exists
from support import wait_until

from scripts.lab.gate import Held

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("nerves")]


def test_stopped_before_its_last_check_it_does_not_send(fleet: Fleet) -> None:
    player = fleet.player(12, habit="accept")
    assets = fleet.acceptable(player)[:1]
    held = fleet.stack.hosts.hold_answer(*FETCH)
    begun_ms = fleet.now_ms()
    trade = fleet.begin_deposit(player, assets)
    assert held.reached.wait(120)
    pid = fleet.freeze(fleet.pid(trade["bot"]))
    held.release()
    fleet.expire(begun_ms, trade["bot"])
    fleet.resume(pid)
    fleet.ends_well(trade)
    # The first order was given up without an offer, as expired or, if the worker saw first that its lease had gone, as one to
    # look for; a second one was carried out.
    dropped = [step["reason"] for step in fleet.steps(trade, "order_dropped")]
    assert dropped[:1] == ["expired"] or fleet.steps(trade, "offer_absent")
    (begun,) = fleet.steps(trade, "picked_up")
    assert begun["attempt"] > 1
    assert len(fleet.offers(trade)) == 1


def test_stopped_after_its_last_check_its_late_offer_is_adopted_or_canceled(fleet: Fleet) -> None:
    kept, wished = fleet.player(12, habit="ignore"), fleet.player(12, habit="ignore")
    assets = [fleet.acceptable(player)[:1] for player in (kept, wished)]
    held = [fleet.stack.steam.hold(SEND) for _ in range(2)]
    begun_ms = fleet.now_ms()
    trades = fleet.begin_deposits([kept, wished], assets)
    for each in held:
        assert each.reached.wait(120)
    pids = [fleet.freeze(fleet.pid(trade["bot"])) for trade in trades]
    for trade in trades:
        fleet.expire(begun_ms, trade["bot"])
        fleet.until(trade["trade_id"], "in_doubt")
    assert fleet.call("POST", f"/trade/{trades[1]['trade_id']}/cancel", {}).status == 200
    for each, pid in zip(held, pids, strict=True):
        each.release()
        fleet.resume(pid)
    fleet.until(trades[0]["trade_id"], "sent")
    fleet.until(trades[1]["trade_id"], "canceled")
    assert [[offer["state"] for offer in fleet.offers(trade)] for trade in trades] == [[ACTIVE], [CANCELED]]
    fleet.accept(kept, fleet.offers(trades[0])[0]["offer_id"])
    fleet.ends_well(trades[0])


@pytest.mark.long
def test_stopped_in_a_deposit_while_another_host_sends_it_again(fleet: Fleet) -> None:
    """The other host finds no offer; then the late one comes. One of the two is canceled, the other accepted."""
    player = fleet.player(12, habit="ignore")
    assets = fleet.acceptable(player)[:1]
    held = fleet.stack.steam.hold(SEND)
    trade = fleet.begin_deposit(player, assets)
    assert late_offer_and_another(fleet, player, trade, held)["failure"] is None


@pytest.mark.long
def test_stopped_in_a_withdrawal_it_does_not_confirm_when_another_host_has_sent_it(fleet: Fleet) -> None:
    player, deposit_id = fleet.take_stock()
    fleet.change(player.steam_id, habit="ignore")
    held = fleet.stack.steam.hold(SEND)
    trade = fleet.begin_withdrawal(player, [deposit_id])
    confirmed = fleet.calls(trade["bot"], "ajaxop")
    late_offer_and_another(fleet, player, trade, held)
    fleet.change(player.steam_id, habit="accept")
    assert fleet.calls(trade["bot"], "ajaxop") == confirmed + 1  # the other host's own offer


def late_offer_and_another(fleet: Fleet, player: Player, trade: dict[str, Any], held: Held) -> dict[str, Any]:
    """The trade as it is when one of its two offers was accepted."""
    assert held.reached.wait(120)
    with fleet.second_host("red:1") as other:
        pid = fleet.freeze(fleet.pid(trade["bot"]))
        wait_until(lambda: fleet.worker(trade["bot"], other))
        fleet.until(trade["trade_id"], "sent")
        assert [offer["state"] for offer in fleet.offers(trade)] == [ACTIVE]
        held.release()
        fleet.resume(pid)
        wait_until(lambda: len(fleet.offers(trade)) == 2, every_s=0.1)
        wait_until(lambda: not exists(pid))  # it has seen that the bot is another's

        def one_is_live() -> list[str]:
            live = [offer["offer_id"] for offer in fleet.offers(trade) if offer["state"] in LIVE]
            return live if len(live) == 1 else []

        (offer_id,) = wait_until(one_is_live, every_s=0.2)
        fleet.accept(player, offer_id)
        return fleet.ends_well(trade)
