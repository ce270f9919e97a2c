"""Redis dies, forgets, cannot be reached or fails over while trades are under way: none is lost, none is doubled."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from flow_site import Player
from nerves_lab import CONFIRM_LIST, SEND, Fleet, GatedStack, wish
from support import wait_until

from scripts.lab.gate import Gate, Held
from scripts.lab.redis_server import EmbeddedRedis
from shared import settings as settings_module
from shared import wire

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("nerves")]


class Phases:
    """A trade in each phase: the player's turn, before the phone, in its POST whose answer will be lost, and in a queue."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self.ignoring = fleet.player(12, habit="ignore")
        players = [self.ignoring, *(fleet.player(12, habit="accept") for _ in range(2))]
        assets = [fleet.acceptable(player)[:1] for player in players]
        keeper, deposit_id = fleet.take_stock()
        self.sent = fleet.begin_deposit(self.ignoring, assets[0])
        fleet.until(self.sent["trade_id"], "sent")
        self.before_phone = fleet.stack.steam.hold(CONFIRM_LIST)
        self.withdrawal = fleet.begin_withdrawal(keeper, [deposit_id])
        reached(self.before_phone)
        # The other bot takes the deposits; its first one keeps it busy.
        fleet.mode(self.withdrawal["bot"], "drain")
        self.in_post = fleet.stack.steam.hold_answer(SEND)
        self.posted = fleet.begin_deposit(players[1], assets[1])
        reached(self.in_post)
        self.queued = fleet.begin_deposit(players[2], assets[2])
        wait_until(lambda: fleet.count_queued(self.queued["bot"]) >= 2)
        fleet.mode(self.withdrawal["bot"], "resume")

    def go_on(self) -> None:
        """Steam answers again; the answer to the POST is lost."""
        self.before_phone.release()
        self.in_post.drop()

    def end_well(self) -> list[str]:
        """The failures of its trades."""
        (offer,) = self.fleet.offers(self.sent)
        self.fleet.accept(self.ignoring, offer["offer_id"])
        trades = (self.withdrawal, self.posted, self.queued, self.sent)
        ended = [self.fleet.ends_well(trade) for trade in trades]
        assert [len(self.fleet.offers(trade)) for trade in trades] == [1, 1, 1, 1]
        return [trade["failure"] for trade in ended if trade["failure"]]


def reached(held: Held) -> None:
    assert held.reached.wait(120)


def embedded(fleet: Fleet) -> EmbeddedRedis:
    assert fleet.stack.redis is not None
    return fleet.stack.redis


def dies(fleet: Fleet, go_on: Callable[[], None]) -> None:
    """Killed, and started again on what it had written down."""
    embedded(fleet).kill()
    go_on()
    embedded(fleet).start()


def dies_with_its_data(fleet: Fleet, go_on: Callable[[], None]) -> None:
    server = embedded(fleet)
    server.kill()
    go_on()
    shutil.rmtree(server.directory / "appendonlydir")
    server.start()


def forgets(fleet: Fleet, go_on: Callable[[], None]) -> None:
    """Somebody empties it; it is the same server still."""
    with fleet.redis() as client:
        client.flushall()
    go_on()


def out_of_reach(fleet: Fleet, go_on: Callable[[], None]) -> None:
    """The hosts cannot reach it until their leases and all orders have lapsed."""
    begun_ms = fleet.now_ms()
    fleet.stack.hosts.cut()
    go_on()
    for bot in fleet.stack.wish.bot_names():
        fleet.expire(begun_ms, bot)
    fleet.stack.hosts.mend()


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(dies, id="dies"),
        pytest.param(dies_with_its_data, id="dies_with_its_data", marks=pytest.mark.long),
        pytest.param(forgets, id="forgets", marks=pytest.mark.long),
        pytest.param(out_of_reach, id="out_of_reach", marks=pytest.mark.long),
    ],
)
def test_no_trade_is_lost_when_redis(fleet: Fleet, fault: Callable[[Fleet, Callable[[], None]], None]) -> None:
    phases = Phases(fleet)
    fault(fleet, phases.go_on)
    assert phases.end_well() == []


def test_failing_over_to_a_replica_that_lacks_the_last_second(fleet: Fleet, tmp_path: Path) -> None:
    """The replica still has the orders in their queues, and knows nothing of markers, reports and offers.

    One worker lives on, the other one dies together with the old Redis.
    """
    players = [fleet.player(12, habit="ignore") for _ in range(2)]
    assets = [fleet.acceptable(player)[:1] for player in players]
    replica = EmbeddedRedis(fleet.stack.wish.directory / tmp_path.name).start()
    with Gate(fleet.stack.redis_target()) as replication, wire.connect(replica.url) as follower:
        follower.execute_command("REPLICAOF", replication.host, replication.port)
        wait_until(lambda: follower.info("replication")["master_link_status"] == "up", every_s=0.1)
        pids = {bot: fleet.freeze(fleet.pid(bot)) for bot in fleet.stack.wish.bot_names()}
        trades = fleet.begin_deposits(players, assets)
        wait_until(lambda: all(fleet.count_queued(bot, follower) for bot in pids), every_s=0.1)
        replication.cut()
        fleet.stack.balancers.cut()  # what the old one still hears of the offers, nobody reads
        for pid in pids.values():
            fleet.resume(pid)
        wait_until(lambda: all(fleet.offers(trade) for trade in trades), every_s=0.1)
        fleet.kill(trades[0]["bot"])
        follower.execute_command("REPLICAOF", "NO", "ONE")
    fleet.stack.failover(replica)
    for trade, player in zip(trades, players, strict=True):
        fleet.until(trade["trade_id"], "sent")
        (offer,) = fleet.offers(trade)
        fleet.accept(player, offer["offer_id"])
        assert fleet.ends_well(trade)["offer_id"] == offer["offer_id"]


@pytest.mark.long
def test_a_power_cut_that_takes_redis_with_it_after_an_order_that_nobody_noted(fleet: Fleet) -> None:
    """The order went out and its offer was made, but the balancer had not noted it, and Redis comes back empty."""
    player = fleet.player(12, habit="ignore")
    assets = fleet.acceptable(player)[:1]
    reports = fleet.stack.balancers.hold_answer(b"XREADGROUP")
    reached(reports)
    enqueued = fleet.stack.balancers.hold_answer(b"RPUSH", b"rq:queue:")
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(fleet.begin_deposit, player, assets)
        reached(enqueued)
        wait_until(lambda: offers_to(fleet, player), every_s=0.1)
        balancer = fleet.named("balancer")
        balancer.process.kill()
        fleet.power_cut("red:1")
        assert asked.exception(120) is not None
    fleet.stop(balancer)
    server = embedded(fleet)
    server.kill()
    shutil.rmtree(server.directory / "appendonlydir")
    fleet.heal()
    (trade,) = fleet.call("GET", f"/trade?user_id={player.user_id}").body["trades"]
    fleet.until(trade["trade_id"], "sent")
    assert fleet.steps(trade, "answer_lost")[0]["reason"] == "attempted_before"
    (offer,) = offers_to(fleet, player)
    fleet.accept(player, offer["offer_id"])
    fleet.ends_well(trade)


def offers_to(fleet: Fleet, player: Player) -> list[dict[str, Any]]:
    return [offer for offer in fleet.record()["offers"] if offer["recipient"] == player.steam_id]


@pytest.mark.long
@pytest.mark.timeout(400)
def test_no_trade_is_lost_when_the_network_is_cut_for_a_minute(tmp_path: Path) -> None:
    """With the lease and the expiry that everybody has."""
    times = settings_module.load(None)
    usual: dict[str, Any] = {
        "trades": {name: getattr(times.trades, name) for name in ("order_expiry_s", "order_in_hand_s")},
        "group": {name: getattr(times.group, name) for name in ("lease_s", "heartbeat_s", "offline_after_s")},
    }
    with GatedStack(wish(tmp_path, **usual)) as stack:
        fleet = Fleet(stack)
        phases = Phases(fleet)
        stack.hosts.cut()
        phases.go_on()
        mend_at = time.monotonic() + 60.0
        wait_until(lambda: time.monotonic() >= mend_at, every_s=0.5)
        stack.hosts.mend()
        assert phases.end_well() == []
