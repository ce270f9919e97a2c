"""Supervisors that die, and two of them for one group: no worker runs on as an orphan, no bot is worked by two."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from functools import partial

import pytest
from nerves_lab import SEND, Fleet, Host, exists
from support import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("nerves")]
GROUP = "red:1"


def test_workers_end_with_their_supervisor_and_the_next_one_takes_over(fleet: Fleet) -> None:
    player = fleet.player(12, habit="accept")
    assets = fleet.acceptable(player)[:1]
    held = fleet.stack.steam.hold_answer(SEND)
    trade = fleet.begin_deposit(player, assets)
    assert held.reached.wait(120)
    pids = [fleet.pid(bot) for bot in fleet.stack.wish.bot_names()]
    part = fleet.part(GROUP)
    part.process.kill()
    part.process.wait()
    # The one in the middle of a send finishes it; the others stop at once.
    busy = fleet.pid(trade["bot"])
    wait_until(lambda: not any(exists(pid) for pid in pids if pid != busy))
    held.release()
    wait_until(lambda: not exists(busy))
    assert [fleet.holder(bot) for bot in fleet.stack.wish.bot_names()] == ["", ""]
    fleet.stack.start_group(GROUP)
    fleet.all_online()
    fleet.ends_well(trade)
    assert len(fleet.offers(trade)) == 1


@pytest.mark.long
def test_a_second_supervisor_on_the_same_host_is_refused(fleet: Fleet) -> None:
    pids = [fleet.pid(bot) for bot in fleet.stack.wish.bot_names()]
    config = str(fleet.stack.host_config(GROUP))
    command = [sys.executable, "-P", "-m", "scripts.cli.fleet", "--config", config, "group", "start", "red", "1"]
    second = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert second.returncode == 1
    assert f"group red-1 already runs on this host (pid {fleet.part(GROUP).process.pid})" in second.stderr
    assert [fleet.worker(bot) for bot in fleet.stack.wish.bot_names()] == pids


def waits(fleet: Fleet, bot: str, host: Host) -> bool:
    return bool(fleet.said(bot, host).get("state") == "waiting")


def test_a_second_supervisor_on_another_host_waits_until_the_first_is_gone(fleet: Fleet) -> None:
    bots = fleet.stack.wish.bot_names()
    with fleet.second_host(GROUP) as other:
        for bot in bots:
            wait_until(partial(waits, fleet, bot, other))
            assert fleet.said(bot, other)["reason"] == "lease"
        runs = [fleet.holder(bot) for bot in bots]
        player = fleet.player(12, habit="accept")
        held = fleet.stack.steam.hold_answer(SEND)
        trade = fleet.begin_deposit(player, fleet.acceptable(player)[:1])
        assert held.reached.wait(120)
        assert [fleet.holder(bot) for bot in bots] == runs
        # The first host loses its power.
        pids = [fleet.part(GROUP).process.pid, *(fleet.pid(bot) for bot in bots)]
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        held.drop()
        for bot in bots:
            wait_until(partial(fleet.worker, bot, other))
        fleet.ends_well(trade)
        assert not set(runs) & {fleet.holder(bot) for bot in bots}
        assert len(fleet.offers(trade)) == 1
