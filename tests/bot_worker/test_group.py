"""A group of real processes: killed workers come back, nothing outlives its supervisor, stopping is orderly."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from bot_lab import FAST, MASTER, SteamAccount, SteamWorld, numbers
from narrowed import payload
from support import wait_until

from bot_worker.vault import Vault
from shared import settings as settings_module
from shared import wire
from shared.clock import Clock
from shared.orders import Order, SendOrder, WatchOrder
from shared.reports import Heartbeat, Report

BOTS = ("red-1", "red-2")
pytestmark = pytest.mark.slow


class Group:
    """`fleet group start red 1` as an operator starts it, and what the balancer sees of it."""

    def __init__(self, world: SteamWorld, redis_url: str, folder: Path) -> None:
        self.world = world
        self.redis: redis.Redis = wire.connect(redis_url, timeout_s=60.0)
        self.folder = folder
        self.config = folder / "fleet.toml"
        self.config.write_text(
            f'[redis]\nurl = "{redis_url}"\ntimeout_s = 60.0\n'
            f'[group]\nvault_file = "{folder}/vault"\nvault_key_file = "{folder}/vault.key"\nstatus_dir = "{folder}/run"\n'
            "heartbeat_s = 0.2\nlease_s = 3600.0\noffline_after_s = 300.0\nrestart_min_s = 0.05\nstop_s = 240.0\n"
            f'[steam]\nbase_url = "{world.steam}"\nconnect_timeout_s = 60.0\nread_timeout_s = 300.0\n'
            "[pace]\n" + "".join(f"{name} = {value}\n" for name, value in FAST.items())
        )
        vault = Vault.open(settings_module.load(self.config).group, create=True)
        self.accounts = {bot: world.account("bot", items=3) for bot in BOTS}
        vault.put(world.vault_account(account, bot) for bot, account in self.accounts.items())
        vault.put_keys(MASTER.bot(bot) for bot in BOTS)
        self.processes: list[subprocess.Popen[bytes]] = []

    def fleet(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(self.command(*arguments), capture_output=True, text=True, timeout=120, check=False)

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "scripts.cli.fleet", "--config", str(self.config), *arguments]

    def start(self) -> subprocess.Popen[bytes]:
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen(self.command("group", "start", "red", "1"), stdout=log, stderr=log)
        self.processes.append(process)
        wait_until(lambda: all(self.state(bot) == "online" for bot in BOTS))
        return process

    def beat(self, bot: str) -> Heartbeat | None:
        sealed = self.redis.get(wire.heartbeat_key(bot))
        return wire.open_heartbeat(bot, sealed, MASTER.bot(bot)) if sealed else None

    def state(self, bot: str) -> str | None:
        said = self.beat(bot)
        alive = said is not None and exists(said.pid)
        return said.state if said and alive else None

    def pid(self, bot: str) -> int:
        said = self.beat(bot)
        assert said is not None
        return said.pid

    def order(self, bot: str, kind: str, payload: Any, trade_id: str | None) -> Order:
        now_ms = Clock().now_ms()
        order = Order(f"or_g{next(numbers)}", kind, bot, trade_id, 1, now_ms, now_ms + 3_600_000, payload)
        wire.enqueue(self.redis, [(order, MASTER.bot(bot))], "2026-11-21T00:00:00.000000Z")
        return order

    def send(self, bot: str, player: SteamAccount) -> Order:
        token = f"token-{next(numbers):016d}"
        payload = SendOrder(token, player.steam_id, player.trade_token, f"/verify/{token}", [], player.assets())
        return self.order(bot, "send", payload, f"tr_g{next(numbers)}")

    def reports(self, bot: str) -> list[Report]:
        stored: Any = self.redis.xrange(wire.REPORTS)
        rows = [fields for _, fields in stored if fields[b"bot"] == bot.encode()]
        return [wire.open_report(bot, fields[b"sealed"], MASTER.bot(bot)) for fields in rows]

    def status(self) -> dict[str, Any]:
        done = self.fleet("group", "status", "--json")
        (status,) = json.loads(done.stdout)
        assert done.returncode == (status["state"] == "stopped"), "1 says that nothing runs"
        found: dict[str, Any] = status
        return found

    def close(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.wait(120)
        for bot in BOTS:
            said = self.beat(bot)
            if said and exists(said.pid):
                os.kill(said.pid, signal.SIGKILL)
        self.redis.close()


def exists(pid: int) -> bool:
    """Whether a process runs; one that is only waiting to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.fixture
def group(world: SteamWorld, redis_url: str, tmp_path: Path) -> Iterator[Group]:
    it = Group(world, redis_url, tmp_path)
    yield it
    it.close()


def test_a_killed_worker_is_back_at_work_within_seconds(group: Group, player: SteamAccount) -> None:
    group.start()
    old = group.pid("red-1")
    os.kill(old, signal.SIGKILL)
    group.order("red-1", "watch", WatchOrder([], 1), None)

    def new_one_has_worked() -> bool:
        said = group.beat("red-1")
        return said is not None and said.pid != old and said.orders_done == 1

    # Its lease would have lasted an hour more and its registration at RQ minutes.
    assert wait_until(new_one_has_worked)
    status = group.status()
    assert [(row["bot"], row["restarts"], row["state"]) for row in status["bots"]] == [
        ("red-1", 1, "online"),
        ("red-2", 0, "online"),
    ]
    assert status["bots"][0]["last_exit"] == "signal 9"
    assert group.accounts["red-1"].requests()["BeginAuthSessionViaCredentials"] == 1  # no second sign-in


def test_a_worker_killed_in_the_middle_of_a_send_sends_nothing_twice(
    group: Group, world: SteamWorld, player: SteamAccount
) -> None:
    group.start()
    old = group.pid("red-1")
    group.accounts["red-1"].fault("send", "timeout", after=True)
    order = group.send("red-1", player)
    assert wait_until(lambda: [offer for offer in player.offers() if payload(order, SendOrder).token in offer["message"]])
    os.kill(old, signal.SIGKILL)
    wait_until(lambda: [report for report in group.reports("red-1") if report.kind == "answer_lost"])
    assert [report.kind for report in group.reports("red-1")] == ["picked_up", "answer_lost"]
    assert len({report.run for report in group.reports("red-1")}) == 2
    assert len([offer for offer in player.offers() if payload(order, SendOrder).token in offer["message"]]) == 1


def test_workers_end_with_their_supervisor(group: Group) -> None:
    supervisor = group.start()
    pids = [group.pid(bot) for bot in BOTS]
    supervisor.kill()
    supervisor.wait(120)
    assert wait_until(lambda: not any(exists(pid) for pid in pids))
    assert group.redis.exists(*(wire.lease_key(bot) for bot in BOTS)) == 0
    assert group.status()["state"] == "stopped"
    group.start()  # and the next one starts at once
    assert group.status()["state"] == "running"


def test_stopping_finishes_the_order_in_hand(group: Group, player: SteamAccount) -> None:
    supervisor = group.start()
    group.accounts["red-1"].fault("send", "timeout", after=True)
    order = group.send("red-1", player)
    waiting = group.send("red-1", player)
    assert wait_until(lambda: [offer for offer in player.offers() if payload(order, SendOrder).token in offer["message"]])
    supervisor.send_signal(signal.SIGTERM)
    wait_until(lambda: not exists(group.pid("red-2")))  # the idle one, which is told last
    group.world.clear_faults()  # the answer that never came is given up
    assert supervisor.wait(120) == 0
    assert [report.kind for report in group.reports("red-1")] == ["picked_up", "answer_lost"]
    assert group.redis.lrange("rq:queue:red-1", 0, -1) == [wire.job_id("red-1", waiting.order_id).encode()]
    assert group.redis.exists("rq:queue:red-1:intermediate", wire.lease_key("red-1"), "rq:worker:red-1") == 0


def test_a_group_runs_once_per_host(group: Group) -> None:
    group.start()
    second = group.fleet("group", "start", "red", "1")
    assert second.returncode == 1
    assert "already runs on this host" in second.stderr
    assert group.state("red-1") == "online"


def test_a_group_without_bots_says_so(group: Group) -> None:
    for arguments, said in ((("blue", "1"), "fleet bots import"), (("Red", "1"), "a color is")):
        done = group.fleet("group", "start", *arguments)
        assert done.returncode == 1
        assert said in done.stderr


def test_a_worker_that_keeps_dying_is_started_ever_more_slowly(group: Group, wait: Callable[..., Any] = wait_until) -> None:
    group.start()
    for _ in range(3):
        before = group.pid("red-2")
        os.kill(before, signal.SIGKILL)
        wait(lambda pid=before: group.state("red-2") == "online" and group.pid("red-2") != pid)
    text = (group.folder / "log").read_text()
    waits = [line.split("again_s=")[1].split()[0] for line in text.splitlines() if "worker_died" in line]
    assert waits == ["0.05", "0.1", "0.2"]


HUNG = """
import os, sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from notified import Ear
from bot_worker.group import Group
from shared import settings

ear = Ear(Path(sys.argv[2]), watchdog_us=60_000)
os.environ.update(ear.environment)

class Stuck(Group):
    looks = 0
    def _check(self):
        self.looks += 1
        if self.looks == 3:
            before = len(ear.heard())
            time.sleep(0.2)
            print("while it stood still:", len(ear.heard()) - before)
        if self.looks == 6:
            self._stopping = True

Stuck(settings.load(Path(sys.argv[1])), "red", 1).run()
print(ear.heard())
"""


def test_a_supervisor_that_stands_still_gives_no_sign(group: Group) -> None:
    """Its signs come from the loop that looks after the workers, so systemd ends one whose loop hangs."""
    tests = str(Path(__file__).parents[1])
    command = [sys.executable, "-c", HUNG, str(group.config), str(group.folder / "notify"), tests]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert "while it stood still: 0\n" in done.stdout, done.stdout + done.stderr
    words = done.stdout.splitlines()[-1]
    assert words.startswith("['READY=1', 'WATCHDOG=1', ") and words.endswith("'WATCHDOG=1', 'STOPPING=1']")
