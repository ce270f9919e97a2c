"""Exceptions that nobody expected, anywhere in a worker: told with type and place, tried again later, ending nothing."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from dataclasses import replace
from operator import attrgetter
from pathlib import Path
from typing import Any, cast

import pytest
import redis
from bot_lab import MASTER, Lab, Otherwise, SteamAccount, SteamWorld, bot_settings, does_otherwise, fill_vault, kinds
from support import wait_until

from bot_worker import backoff, worker
from bot_worker.bot import Health
from bot_worker.lease import Lease
from bot_worker.orders import find
from bot_worker.steam import sign_in
from bot_worker.vault import Vault
from bot_worker.worker import Worker, new_run
from shared import wire
from shared.errors import SteamError
from shared.orders import InventoryOrder, WatchOrder
from shared.reports import Heartbeat
from shared.sealing import seal
from shared.trouble import place_of


def burst(*_: Any, **__: Any) -> Any:
    raise OverflowError("a text that may hold a secret")


class Unreadable:
    """A key that nobody foresaw."""

    def __getattr__(self, _name: str) -> Any:
        return burst()


class Untellable(dict[str, int]):
    """What bursts when a heartbeat is to tell it."""

    tries = 0

    def items(self) -> Any:
        self.tries += 1
        return burst()


def times(count: int, then: Callable[..., Any]) -> Callable[..., Any]:
    """Fails so often, then works."""
    left = [count]

    def call(*arguments: Any, **more: Any) -> Any:
        left[0] -= 1
        return burst() if left[0] >= 0 else then(*arguments, **more)

    return call


# --- orders ------------------------------------------------------------------------------------------------------


def test_an_order_that_bursts_is_told_with_its_place_and_the_next_one_is_done(lab: Lab, player: SteamAccount) -> None:
    trade = lab.watched(lab.send_order(player, [], player.assets()))
    with lab.steam_does(sent_offers=burst):
        (report,) = lab.do(lab.watch_order(trade))
    assert (report.kind, report.data["reason"]) == ("order_failed", "internal")
    assert report.data["error"].startswith("OverflowError at bot_worker.")
    assert "secret" not in json.dumps(report.data)
    assert lab.do(lab.watch_order(trade)) == []


def test_a_send_that_bursts_after_its_claim_is_in_doubt_and_says_where(lab: Lab, player: SteamAccount) -> None:
    with lab.steam_does(send_offer=burst):
        report = lab.do(lab.send_order(player, [], player.assets()))[-1]
    assert (report.kind, report.data["reason"]) == ("answer_lost", "internal")
    assert "OverflowError" in report.data["error"]


def test_whoever_waits_for_an_inventory_is_answered(lab: Lab, player: SteamAccount) -> None:
    with lab.steam_does(partner_inventory=burst):
        reports = lab.do(lab.order("inventory", InventoryOrder(player.steam_id, None), trade_id=None))
    assert kinds(reports) == ["order_failed", "inventory_failed"]
    assert reports[1].data["code"] == "inventory_unavailable"


def test_a_job_that_bursts_before_it_is_an_order_is_refused_and_gone(lab: Lab) -> None:
    keys = lab.bot.keys
    lab.bot.keys = replace(keys, order=cast(bytes, Unreadable()))
    (report,) = lab.do(lab.order("find", WatchOrder([], 0), trade_id=None))
    lab.bot.keys = keys
    assert (report.kind, report.data["reason"]) == ("order_refused", "internal")
    assert lab.do(lab.order("find", WatchOrder([], 0), trade_id=None)) == []


def test_deep_nesting_is_no_order(lab: Lab) -> None:
    sealed = seal(lab.keys.order, b"[" * 100_000, purpose=f"order:{lab.name}")
    job: Any = wire.job_mapping(sealed, lab.name, "2026-01-01T00:00:00Z")
    lab.redis.hset(wire.job_key(lab.name, "deep"), mapping=job)
    lab.redis.rpush(f"rq:queue:{lab.name}", wire.job_id(lab.name, "deep"))
    assert lab.rq.work_one(1)
    (report,) = lab.reports()
    assert (report.kind, report.data["reason"]) == ("order_refused", "seal")


# --- the worker's own steps --------------------------------------------------------------------------------------


def run_in_thread(it: Worker) -> threading.Thread:
    thread = threading.Thread(target=it.run)
    thread.start()
    return thread


@pytest.fixture
def started(make_lab: Callable[..., Lab]) -> Any:
    """A worker that has not begun, under settings in which it waits for nothing long."""
    lab = make_lab()
    lab.worker.beats.holding = False
    lab.die()
    it = Worker(lab.settings, lab.name, new_run(lab.name), threading.Event())
    return lab, it


@pytest.mark.parametrize(
    ("target", "name"),
    [
        ("lease", "take"),
        ("lease", "remember_server"),
        ("session", "sign_in"),
        ("session.inventories", "own_inventory"),
    ],
)
def test_a_step_that_bursts_is_told_and_tried_again(started: tuple[Lab, Worker], target: str, name: str) -> None:
    _, it = started
    told: list[tuple[str, str | None, str | None]] = []
    whose: Any = attrgetter(target)(it.bot)
    does_otherwise(it.bot, target, **{name: times(2, getattr(whose, name))})
    health = it.bot.health

    def keep(*said: Any) -> None:
        told.append(said)
        health.is_now(*said)

    it.bot.health = cast(Health, Otherwise(health, is_now=keep))
    thread = run_in_thread(it)
    wait_until(lambda: it.bot.health.state == "online")
    it._stop.set()
    thread.join(120)
    assert not thread.is_alive()
    trouble = [said for said in told if said[1:2] == (backoff.INTERNAL,)]
    assert len(trouble) == 2
    assert all("OverflowError at " in (said[2] or "") and "secret" not in (said[2] or "") for said in trouble)


def test_a_queue_that_bursts_is_read_again_and_the_trouble_passes(started: tuple[Lab, Worker]) -> None:
    lab, it = started
    lease = it.bot.lease
    looks = iter([lease.remember_server, burst, burst])  # the one with which a worker begins goes well
    it.bot.lease = cast(Lease, Otherwise(lease, remember_server=lambda *ms: next(looks, lease.remember_server)(*ms)))
    it.bot.reporter.was_away = True
    thread = run_in_thread(it)
    wait_until(lambda: it._failures == 0 and it.bot.health.state == "online" and it.bot.health.orders_done >= 0)
    lab.enqueue(lab.order("find", WatchOrder([], 0), trade_id=None))
    wait_until(lambda: it.bot.health.orders_done == 1)
    it._stop.set()
    thread.join(120)


def test_a_heartbeat_that_bursts_keeps_the_lease(lab: Lab) -> None:
    beats = lab.worker.beats
    beats.holding = True
    lab.bot.health.restrictions = restrictions = Untellable()
    beats.start()
    beats.nudge()
    wait_until(lambda: restrictions.tries >= 3)
    assert beats.holding


def test_the_waits_grow_and_end_at_five_minutes() -> None:
    assert [backoff.unexpected_pause(number, 1.0) for number in (1, 2, 3, 4, 5, 6, 60)] == [1, 2, 5, 15, 60, 300, 300]


# --- a start that cannot be ---------------------------------------------------------------------------------------


def beat_of(client: redis.Redis, bot: str) -> Heartbeat | None:
    sealed: Any = client.get(wire.heartbeat_key(bot))
    return None if sealed is None else wire.open_heartbeat(bot, sealed, MASTER.bot(bot))


def test_a_secret_that_is_none_is_told_by_the_bot_until_it_is_mended(world: SteamWorld, redis_url: str, tmp_path: Path) -> None:
    """An entry from before the checks of the import: the process stays, says what is wrong, and goes on when it is mended."""
    settings = bot_settings(redis_url, world.steam, tmp_path)
    good = world.vault_account(world.account("bot", items=1), "red-1")
    vault = fill_vault(settings, replace(good, shared_secret="aGVsbG8="))
    client = wire.connect(settings.redis.url, timeout_s=60.0)
    stop = threading.Event()
    status: list[int] = []
    thread = threading.Thread(target=lambda: status.append(worker.work(settings, "red-1", new_run("red-1"), stop)))
    thread.start()
    wait_until(lambda: (beat := beat_of(client, "red-1")) is not None and beat.state == "unhealthy")
    beat = beat_of(client, "red-1")
    assert beat is not None and beat.steam_id == good.steam_id
    assert (beat.reason, "shared_secret has 5 bytes: 20 are wanted" in (beat.action or "")) == ("vault", True)
    vault.put([good])
    wait_until(lambda: (beat := beat_of(client, "red-1")) is not None and beat.state == "online")
    wait_until(lambda: (beat := beat_of(client, "red-1")) is not None and beat.identity is not None)  # in its first idle moment
    stop.set()
    thread.join(120)
    assert status == [0]
    client.close()


def test_a_vault_that_does_not_hold_the_bot_is_told_on_its_host_and_tried_again(
    world: SteamWorld, redis_url: str, tmp_path: Path
) -> None:
    """Without keys there is no word to the balancer; the process stays all the same, and says why in its status."""
    settings = bot_settings(redis_url, world.steam, tmp_path)
    good = world.vault_account(world.account("bot", items=1), "red-1")
    Vault.open(settings.group, create=True)
    stop = threading.Event()
    thread = threading.Thread(target=worker.work, args=(settings, "red-1", new_run("red-1"), stop, os.getppid()))
    thread.start()
    path = settings.group.status_dir / "red-1.json"
    wait_until(lambda: path.exists() and "no keys of red-1" in path.read_text())
    fill_vault(settings, good)
    wait_until(lambda: json.loads(path.read_text())["state"] == "online")
    stop.set()
    thread.join(120)


# --- passwords ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "sent"),
    [("pässwört", "psswrt"), ("x" * 65, "x" * 64), ("я" * 40 + "y" * 70, "y" * 64), ("plain-1 ", "plain-1 ")],
)
def test_a_password_is_sent_as_steams_own_page_would_send_it(written: str, sent: str) -> None:
    """Steam's page: ``replace(/[^\\x00-\\x7F]/g, '').slice(0, 64)`` (ArchiSteamFarm#2903)."""
    client = sign_in.new_client("one", written, "76561198000000001", "d2FybQ==", "d2FybQ==")
    assert client._password == sent
    client._session.close()


def test_a_password_longer_than_a_key_ends_in_an_error_of_ours(lab: Lab) -> None:
    """It was an OverflowError out of the encryption, which ended the process; then it started anew, for ever."""
    connection = lab.bot.session.connection
    connection.account = replace(connection.account, password="long-" * 200)
    connection._remember(refresh_token=None)
    with pytest.raises(SteamError) as caught:
        connection.sign_in()
    assert caught.value.error_code == "wrong_password"


def test_a_long_password_signs_in_with_its_first_64_signs(lab: Lab) -> None:
    connection = lab.bot.session.connection
    password = connection.account.password
    connection.account = replace(connection.account, password=f"ä{password}")
    connection._remember(refresh_token=None)
    lab.world.change_rules(codes_used_once=False)  # the lab's own sign-in has used the code of now
    try:
        connection.sign_in()
    finally:
        lab.world.change_rules(codes_used_once=True)
    assert connection.tokens is not None and connection.tokens.refresh_token


def test_a_place_names_our_own_line_and_none_of_the_text() -> None:
    try:
        find.judge(None)  # type: ignore[arg-type]
    except AttributeError as error:
        assert place_of(error).startswith("AttributeError at bot_worker.orders.find:")
        assert "NoneType" not in place_of(error)
