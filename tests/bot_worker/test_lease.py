"""One worker per bot: leases, heartbeats, and a worker that has to let go."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import redis
from bot_lab import MASTER, Lab, SteamAccount, SteamWorld, bot_settings, fill_vault, kinds, order_for
from hand_clock import HandClock
from narrowed import known
from support import wait_until

from bot_worker.lease import Claim, Lease
from bot_worker.worker import Worker, new_run
from scripts.lab.redis_server import EmbeddedRedis
from shared import wire
from shared.errors import VaultError
from shared.orders import WatchOrder
from shared.reports import Heartbeat


class Running:
    """A worker in a thread of this process."""

    def __init__(self, worker: Worker, stop: threading.Event) -> None:
        self.worker = worker
        self.stop = stop
        self.status: int | None = None
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        self.status = self.worker.run()

    def end(self) -> int | None:
        self.stop.set()
        self.thread.join(120)
        assert not self.thread.is_alive()
        return self.status


@pytest.fixture
def start(world: SteamWorld, redis_url: str, tmp_path: Path) -> Iterator[Callable[[], Running]]:
    settings = bot_settings(redis_url, world.steam, tmp_path)
    fill_vault(settings, world.vault_account(world.account("bot", items=2), "red-1"))
    started: list[Running] = []

    def begin() -> Running:
        stop = threading.Event()
        started.append(Running(Worker(settings, "red-1", new_run("red-1"), stop), stop))
        return started[-1]

    yield begin
    for each in started:
        each.end()


def beat(client: redis.Redis) -> Heartbeat | None:
    sealed = client.get(wire.heartbeat_key("red-1"))
    return wire.open_heartbeat("red-1", sealed, MASTER.bot("red-1")) if sealed else None


def online(client: redis.Redis, worker: Running) -> Heartbeat:
    def says_online() -> Heartbeat | None:
        said = beat(client)
        return said if said and said.state == "online" and said.run == worker.worker.bot.lease.run else None

    return known(wait_until(says_online))


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    with wire.connect(redis_url) as connected:
        yield connected


def test_a_heartbeat_says_how_a_bot_is(start: Callable[[], Running], client: redis.Redis) -> None:
    said = online(client, start())
    assert (said.items, said.offers, said.orders_done, said.reason) == (2, None, 0, None)
    assert said.steam_calls > 5 and said.latency_ms is not None
    assert wait_until(lambda: known(beat(client)).at_ms > said.at_ms)


def test_a_second_worker_waits_and_takes_over(start: Callable[[], Running], client: redis.Redis) -> None:
    first = start()
    online(client, first)
    second = start()
    assert wait_until(lambda: second.worker.bot.health.state == "waiting")
    assert known(beat(client)).run == first.worker.bot.lease.run
    assert first.end() == 0
    assert online(client, second).run == second.worker.bot.lease.run
    assert client.get(wire.lease_key("red-1")) == second.worker.bot.lease.run.encode()


def test_a_stopped_worker_leaves_nothing_behind(start: Callable[[], Running], client: redis.Redis) -> None:
    worker = start()
    online(client, worker)
    assert worker.end() == 0
    assert client.exists(wire.lease_key("red-1"), "rq:worker:red-1") == 0
    assert client.smembers("rq:workers") == set()
    assert known(beat(client)).state == "stopping"


def test_a_lost_lease_stops_a_worker(start: Callable[[], Running], client: redis.Redis) -> None:
    worker = start()
    online(client, worker)
    client.set(wire.lease_key("red-1"), "another run")
    assert wait_until(lambda: worker.status == 3)
    assert client.get(wire.lease_key("red-1")) == b"another run"


def test_a_lapsed_lease_that_nobody_took_is_taken_again(start: Callable[[], Running], client: redis.Redis) -> None:
    worker = start()
    online(client, worker)
    client.delete(wire.lease_key("red-1"))
    assert wait_until(lambda: client.get(wire.lease_key("red-1")) == worker.worker.bot.lease.run.encode())


def test_a_worker_outlives_a_restart_of_redis(
    start: Callable[[], Running], client: redis.Redis, redis_server: EmbeddedRedis
) -> None:
    worker = start()
    online(client, worker)
    redis_server.kill()
    redis_server.restart()
    lab_order = order_for("red-1", HandClock(runs=True), "watch", WatchOrder([], 1), trade_id=None)
    wire.enqueue(client, [(lab_order, MASTER.bot("red-1"))], "2026-11-21T00:00:00.000000Z")
    assert wait_until(lambda: worker.worker.bot.health.orders_done == 1)
    assert wait_until(lambda: client.get(wire.lease_key("red-1")) == worker.worker.bot.lease.run.encode())


def test_a_worker_that_signs_in_outlives_a_restart_of_redis(lab: Lab, redis_server: EmbeddedRedis) -> None:
    lab.bot.health.items = None
    lab.me.fault("GetInventoryItemsWithDescriptions", "null", status=429)  # a throttle is told to the other workers, in Redis
    redis_server.kill()
    done: list[bool] = []
    signing_in = threading.Thread(target=lambda: done.append(lab.worker.sign_in()))
    signing_in.start()
    assert wait_until(lambda: lab.me.requests().get("GetInventoryItemsWithDescriptions"))
    redis_server.restart()
    signing_in.join(120)
    assert done == [True]


def test_a_worker_that_begins_outlives_a_restart_of_redis(lab: Lab, redis_server: EmbeddedRedis) -> None:
    lab.redis.delete("rq:worker:red-1")
    redis_server.kill()
    working = threading.Thread(target=lab.worker._work)
    working.start()
    redis_server.restart()
    lab.enqueue(lab.order("watch", WatchOrder([], 1), trade_id=None))
    assert wait_until(lambda: lab.bot.health.orders_done == 1)
    lab.stop.set()
    working.join(120)
    assert not working.is_alive()


def test_a_bot_without_keys_does_not_start(world: SteamWorld, redis_url: str, tmp_path: Path) -> None:
    from bot_worker.vault import Vault

    settings = bot_settings(redis_url, world.steam, tmp_path)
    Vault.open(settings.group, create=True).put([world.vault_account(world.account("bot", items=0), "red-1")])
    with pytest.raises(VaultError, match="no keys"):
        Worker(settings, "red-1", "run", threading.Event())


def test_a_wrong_password_is_unhealthy_with_a_reason(
    world: SteamWorld, redis_url: str, tmp_path: Path, client: redis.Redis
) -> None:
    from dataclasses import replace

    settings = bot_settings(redis_url, world.steam, tmp_path)
    account = world.vault_account(world.account("bot", items=0), "red-1")
    fill_vault(settings, replace(account, password="wrong"))
    stop = threading.Event()
    running = Running(Worker(settings, "red-1", new_run("red-1"), stop), stop)

    def unhealthy() -> Heartbeat | None:
        said = beat(client)
        return said if said and said.state == "unhealthy" else None

    said = known(wait_until(unhealthy))
    assert (said.reason, said.action) == ("wrong_password", "check the password in the vault")
    assert running.end() == 0


# --- the script itself ---------------------------------------------------------------------------


def test_the_last_check_says_what_speaks_against_sending(lab: Lab, player: SteamAccount) -> None:
    order = lab.send_order(player, [], player.assets(), attempt=2)
    lease, run = lab.bot.lease, lab.bot.memory.redis_run
    other = Lease(lab.redis, lab.name, "another run", 5)

    def claim(by: Lease = lease, server: str = run) -> Claim:
        return by.claim(order, server, "sealed", 0)

    assert not other.take() and not other.release()
    assert claim(other) is Claim.LEASE
    assert claim(server="f" * 40) is Claim.CHANGED
    lab.redis.set(wire.attempted_key(lab.name, known(order.trade_id)), 2)
    lab.redis.set(wire.recall_key(lab.name, known(order.trade_id)), 2)
    assert claim() is Claim.ATTEMPTED  # whatever else is true: it may have been sent
    assert lease.may_be_begun(order, run)
    lab.redis.set(wire.attempted_key(lab.name, known(order.trade_id)), 1)
    assert not lease.may_be_begun(order, run)
    assert lease.may_be_begun(order, "f" * 40)
    assert claim() is Claim.RECALLED
    lab.redis.set(wire.recall_key(lab.name, known(order.trade_id)), 1)
    assert lab.redis.xlen(wire.REPORTS) == 0
    assert claim() is Claim.GO
    assert lab.redis.xlen(wire.REPORTS) == 1
    assert lab.redis.get(wire.attempted_key(lab.name, known(order.trade_id))) == b"2"
    assert lab.redis.ttl(wire.attempted_key(lab.name, known(order.trade_id))) > 7 * 86400
    assert claim() is Claim.ATTEMPTED
    lab.redis.delete(wire.REPORTS)


def test_an_order_of_a_fleet_that_was_moved_on_expires_by_the_fleets_time(lab: Lab, player: SteamAccount) -> None:
    """Redis, which decides, is not moved on."""
    order = lab.send_order(player, [], player.assets())
    lease, run, week_ms = lab.bot.lease, lab.bot.memory.redis_run, 7 * 86_400_000
    # Given before the fleet was moved on: its time is over. Given after that: it is not.
    assert lease.claim(order, run, "sealed", week_ms) is Claim.EXPIRED
    later = replace(order, expires_at_ms=order.expires_at_ms + week_ms)
    assert lease.claim(later, run, "sealed", week_ms) is Claim.GO
    # And what a worker has to doubt is told in the time in which orders are dated.
    _, doubt_before_ms = lease.remember_server(0, 0)
    assert lease.remember_server(0, week_ms)[1] == doubt_before_ms + week_ms
    lab.redis.delete(wire.REPORTS)


def test_reports_wait_for_a_redis_that_is_away(lab: Lab, player: SteamAccount, redis_server: EmbeddedRedis) -> None:
    send, waits = lab.bot.session.send_offer, []

    def send_and_lose_redis(*arguments: Any) -> object:
        sent = send(*arguments)
        redis_server.kill()
        return sent

    def wait(seconds: float) -> bool:
        waits.append(seconds)
        if len(waits) == 3:
            redis_server.restart()
        return False

    lab.stop.waiting = wait
    lab.enqueue(lab.send_order(player, [], player.assets()))
    with lab.steam_does(send_offer=send_and_lose_redis):
        lab.rq.work_one(1)
    assert waits == [0.1, 0.2, 0.4]
    assert kinds(lab.reports())[-1] == "offer_active"
