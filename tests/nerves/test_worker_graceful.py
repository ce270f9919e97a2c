"""Groups that are told to stop while offers are being made: in time, with nothing half sent, and no trade fails for it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from nerves_lab import SEND, Fleet, GatedStack, wish
from support import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("nerves")]
GROUP = "red:1"


def test_stopping_finishes_what_is_begun_and_leaves_the_rest(fleet: Fleet) -> None:
    players = [fleet.player(12, habit="accept") for _ in range(6)]
    assets = [fleet.acceptable(player)[:1] for player in players]
    held = [fleet.stack.steam.hold_answer(SEND) for _ in range(2)]
    trades = [fleet.begin_deposit(player, ids) for player, ids in zip(players, assets, strict=True)]
    for each in held:
        assert each.reached.wait(120)
    part = fleet.part(GROUP)
    stops = part.log.read_text().count("group_stopping")
    part.process.send_signal(signal.SIGTERM)
    wait_until(lambda: part.log.read_text().count("group_stopping") > stops, every_s=0.1)
    for each in held:
        each.release()
    assert part.process.wait(120) == 0  # nobody had to be killed
    begun = [trade for trade in trades if fleet.offers(trade)]
    assert len(begun) == 2
    assert [fleet.holder(bot) for bot in fleet.stack.wish.bot_names()] == ["", ""]
    for trade in trades:
        # What nobody has begun for so long is in doubt, and found not to be there afterwards.
        fleet.until(trade["trade_id"], *(("sent",) if trade in begun else ("queued", "in_doubt")))
    fleet.stack.start_group(GROUP)
    for trade in trades:
        fleet.ends_well(trade)
        assert len(fleet.offers(trade)) == 1
    for trade in begun:
        assert {step["reason"] for step in fleet.steps(trade, "answer_lost")} <= {"silence"}


@pytest.mark.long
def test_stopping_in_time_although_steam_never_answers(fleet: Fleet) -> None:
    """What takes longer than the limit is killed, and found afterwards."""
    player = fleet.player(12, habit="accept")
    held = fleet.stack.steam.hold_answer(SEND)
    trade = fleet.begin_deposit(player, fleet.acceptable(player)[:1])
    assert held.reached.wait(120)
    part = fleet.part(GROUP)
    part.process.send_signal(signal.SIGTERM)
    limit_s = fleet.stack.settings().group.stop_s
    assert part.process.wait(3 * limit_s) == 0  # Steam's answer timed out before
    held.drop()
    fleet.stack.start_group(GROUP)
    fleet.ends_well(trade)
    assert len(fleet.offers(trade)) == 1


# --- one group after the other ---------------------------------------------------------------------------


@pytest.fixture
def two_groups(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    made = wish(tmp_path_factory.mktemp("rolling"), bots=1)
    made.groups = ["red:1", "red:2"]
    with GatedStack(made) as running:
        yield Fleet(running)


class Load:
    """Players who deposit one after the other, by a site that never asks twice."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self.enough = threading.Event()
        self.trades: list[dict[str, Any]] = []

    def one_more(self) -> None:
        """Wait for the next trade."""
        before = len(self.trades)
        wait_until(lambda: len(self.trades) > before)

    def run(self) -> int:
        """Deposit until it is enough; how many. Any answer but 201 and 202 ends it."""
        count = 0
        while not self.enough.is_set():
            player = self.fleet.player(12, habit="accept")
            self.trades.append(self.fleet.begin_deposit(player, self.fleet.acceptable(player)[:1]))
            count += 1
        return count


def test_groups_are_restarted_one_after_the_other_and_no_trade_fails(two_groups: Fleet) -> None:
    fleet = two_groups
    load = Load(fleet)
    with ThreadPoolExecutor(2) as pool:
        running = [pool.submit(load.run) for _ in range(2)]
        try:
            for group in fleet.stack.wish.groups:
                load.one_more()
                part = fleet.part(group)
                part.process.send_signal(signal.SIGTERM)
                assert part.process.wait(120) == 0
                fleet.stack.start_group(group)
                fleet.all_online()
        finally:
            load.enough.set()
        assert all(each.result(120) for each in running)
    for trade in load.trades:
        done = fleet.until(trade["trade_id"], "accepted", "settled")
        assert done["failure"] is None
        assert len(fleet.offers(trade)) == 1
    fleet.no_difference()
