"""Processes whose clocks are wrong by five minutes: a host, and a balancer."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from nerves_lab import Fleet
from support import wait_until

from bot_worker.vault import SavedSession, Vault
from fleet_client.answers import Bot
from shared import settings

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("nerves")]
GROUP, GUARD = "red:1", "UpdateAuthSessionWithSteamGuardCode"
WRONG = [pytest.param(300.0, id="fast"), pytest.param(-300.0, id="slow", marks=pytest.mark.long)]
# Far more than any test takes, far less than the clocks are wrong.
NEAR_S = 120


@pytest.fixture
def restore(fleet: Fleet) -> Iterator[dict[Path, str]]:
    """Settings files are put back, and what ran with them is started again."""
    configs = [fleet.stack.config, fleet.stack.host_config(GROUP)]
    before = {config: config.read_text() for config in configs}
    yield before
    for config, part in zip(configs, (fleet.named("balancer"), fleet.supervisor(GROUP)), strict=True):
        if config.read_text() != before[config]:
            config.write_text(before[config])
            if part is not None:
                fleet.stop(part)


def skew(config: Path, offset_s: float) -> None:
    config.write_text(config.read_text().replace("[clock]\n", f"[clock]\noffset_s = {offset_s}\n"))


@pytest.mark.parametrize("offset_s", WRONG)
def test_a_host_whose_clock_is_wrong_signs_in_but_sends_nothing(
    fleet: Fleet, restore: dict[Path, str], offset_s: float
) -> None:
    bots, config = fleet.stack.wish.bot_names(), fleet.stack.host_config(GROUP)
    player = fleet.player(12, habit="accept")
    assets = fleet.acceptable(player)[:1]
    for bot in bots:
        fleet.freeze(fleet.pid(bot))
    trade = fleet.begin_deposit(player, assets)
    fleet.power_cut(GROUP)
    skew(config, offset_s)
    vault = Vault.open(settings.load(config).group)
    for bot in bots:
        vault.save_session(bot, SavedSession(acknowledged=True))  # it has to sign in anew
    codes = [fleet.calls(bot, GUARD) for bot in bots]
    fleet.stack.start_group(GROUP)
    rows = wait_until(lambda: unsure(fleet), every_s=0.1)
    assert {row.action for row in rows} == {"set the clock of this host; no offers are sent until then"}
    # Guard codes go by Steam's clock: they were taken.
    assert all(fleet.calls(bot, GUARD) > before for bot, before in zip(bots, codes, strict=True))
    # It has looked at the order: told "later", or, so soon after another Redis, that it may have been begun; or the balancer
    # knew of its clock before the order reached it, and holds the trade back.
    wait_until(lambda: any(fleet.steps(trade, kind) for kind in ("try_later", "answer_lost", "bot_refused")), every_s=0.2)
    assert fleet.offers(trade) == []
    assert {step["code"] for step in fleet.steps(trade, "try_later")} <= {"clock_unsure"}
    fleet.call("POST", f"/trade/{trade['trade_id']}/cancel", {})
    fleet.stop(fleet.part(GROUP))
    config.write_text(restore[config])
    fleet.stack.start_group(GROUP)
    fleet.until(trade["trade_id"], "canceled")
    assert fleet.offers(trade) == []
    fleet.no_difference()


def unsure(fleet: Fleet) -> list[Bot]:
    """The bots' rows, once all of them say what is wrong."""
    rows = fleet.stack.bots()
    return rows if all((row.state, row.reason) == ("restricted", "clock_unsure") for row in rows) else []


@pytest.mark.long
@pytest.mark.parametrize("offset_s", [300.0, -300.0], ids=["fast", "slow"])
@pytest.mark.usefixtures("restore")
def test_a_balancer_whose_clock_is_wrong_goes_by_the_clock_of_redis(fleet: Fleet, offset_s: float) -> None:
    fleet.stop(fleet.named("balancer"))
    skew(fleet.stack.config, offset_s)
    fleet.stack.start_balancer()
    fleet.all_online()
    clock = fleet.call("GET", "/readyz").body["checks"]["clock"]
    assert clock["ok"] and clock["corrected_s"] == pytest.approx(-offset_s, abs=NEAR_S)
    player = fleet.player(12, habit="ignore")
    trade = fleet.begin_deposit(player, fleet.acceptable(player)[:1], wait=15)
    times = fleet.stack.settings().trades
    assert unix(trade["created_at"]) == pytest.approx(time.time(), abs=NEAR_S)
    assert unix(trade["expires_at"]) == pytest.approx(time.time() + times.offer_timeout_s, abs=NEAR_S)
    (offer,) = fleet.offers(trade)
    fleet.accept(player, offer["offer_id"])
    fleet.ends_well(trade)


def unix(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
