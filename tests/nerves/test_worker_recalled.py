"""The site cancels a trade while its worker makes the offer, at every step of it: nothing is given or taken in the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flow_site import Player
from nerves_lab import ACCEPTED, CANCELED, CLAIM, CONFIRM, CONFIRM_LIST, FETCH, SEND, Fleet
from support import wait_until

from scripts.lab.gate import Held

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("nerves")]

Hold = Callable[[Fleet], Held]

# Where the recall meets the worker, and how many offers there are in the end.
STEPS: dict[str, tuple[Hold, int]] = {
    "dequeued": (lambda fleet: fleet.stack.hosts.hold_answer(*FETCH), 0),
    "before_claim": (lambda fleet: fleet.stack.hosts.hold(*CLAIM), 0),
    "claimed": (lambda fleet: fleet.stack.steam.hold(SEND), 1),
    "offer_made": (lambda fleet: fleet.stack.steam.hold_answer(SEND), 1),
}
PHONE: dict[str, tuple[Hold, int]] = {
    "before_list": (lambda fleet: fleet.stack.steam.hold(CONFIRM_LIST), 1),
    "list_read": (lambda fleet: fleet.stack.steam.hold_answer(CONFIRM_LIST), 1),
    "before_confirm": (lambda fleet: fleet.stack.steam.hold(CONFIRM), 1),
    "confirmed": (lambda fleet: fleet.stack.steam.hold_answer(CONFIRM), 1),
}


@pytest.fixture
def ignoring(fleet: Fleet) -> Iterator[Player]:
    """A player who answers nothing, and has items in custody."""
    player, _ = fleet.stock_keeper()
    fleet.change(player.steam_id, habit="ignore")
    yield player
    fleet.change(player.steam_id, habit="accept")


def cancel(fleet: Fleet, trade: dict[str, Any]) -> None:
    answer = fleet.call("POST", f"/trade/{trade['trade_id']}/cancel", {})
    assert (answer.status, answer.body["cancel_requested"]) == (200, True)


def ends_canceled(fleet: Fleet, trade: dict[str, Any], offers: int) -> bool:
    """It is canceled, and so is each of its offers; the books fit the record."""
    fleet.until(trade["trade_id"], "canceled")
    assert [offer["state"] for offer in fleet.offers(trade)] == [CANCELED] * offers
    fleet.no_difference()
    return True


@pytest.mark.parametrize("step", STEPS)
def test_a_deposit_recalled(fleet: Fleet, step: str) -> None:
    player = fleet.player(12, habit="ignore")
    assets = fleet.acceptable(player)[:1]
    hold, offers = STEPS[step]
    held = hold(fleet)
    trade = fleet.begin_deposit(player, assets)
    assert held.reached.wait(120)
    cancel(fleet, trade)
    held.release()
    assert ends_canceled(fleet, trade, offers)


@pytest.mark.parametrize(
    "step",
    [
        "dequeued",
        pytest.param("before_claim", marks=pytest.mark.long),
        "claimed",
        pytest.param("offer_made", marks=pytest.mark.long),
        pytest.param("before_list", marks=pytest.mark.long),
        "list_read",
        pytest.param("before_confirm", marks=pytest.mark.long),
        "confirmed",
    ],
)
def test_a_withdrawal_recalled(fleet: Fleet, ignoring: Player, step: str) -> None:
    ids = fleet.stock_keeper()[1]
    deposit_id = ids.pop()
    hold, offers = (STEPS | PHONE)[step]
    held = hold(fleet)
    trade = fleet.begin_withdrawal(ignoring, [deposit_id])
    assert held.reached.wait(120)
    cancel(fleet, trade)
    held.release()
    assert ends_canceled(fleet, trade, offers)
    # The item is seen still there, and may be asked for again.
    wait_until(lambda: fleet.deposits(ignoring)[deposit_id]["status"] == "active", every_s=0.2)
    ids.append(deposit_id)


def test_recalled_before_it_is_taken_from_the_queue(fleet: Fleet) -> None:
    player = fleet.player(12, habit="ignore")
    assets = fleet.acceptable(player)[:1]
    pids = [fleet.freeze(fleet.pid(bot)) for bot in fleet.stack.wish.bot_names()]
    trade = fleet.begin_deposit(player, assets)
    wait_until(lambda: fleet.count_queued(trade["bot"]) >= 1)
    cancel(fleet, trade)
    for pid in pids:
        fleet.resume(pid)
    assert ends_canceled(fleet, trade, 0)


def test_recalled_while_the_player_accepts(fleet: Fleet) -> None:
    """Steam's answer counts, not the wish: what was accepted first stays accepted."""
    player = fleet.player(12, habit="accept")
    assets = fleet.acceptable(player)[:1]
    held = fleet.stack.steam.hold_answer(SEND)
    trade = fleet.begin_deposit(player, assets)
    assert held.reached.wait(120)
    cancel(fleet, trade)
    wait_until(lambda: [row["state"] for row in fleet.offers(trade)] == [ACCEPTED], every_s=0.1)
    held.release()
    assert fleet.ends_well(trade)["cancel_requested"]
