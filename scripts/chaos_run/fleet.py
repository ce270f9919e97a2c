"""A fleet that can be hurt: two balancers on PostgreSQL, hosts behind gates of their own, every part killed and started again.

What systemd would do on a real machine is done by `ChaosFleet.keep`: a part that ended is started again a little later.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.lab.gate import Gate
from scripts.lab.parts import Part, free_port
from scripts.lab.postgres import EmbeddedPostgres
from scripts.lab.quick import NEVER_REACHED
from scripts.lab.redis_server import EmbeddedRedis
from scripts.lab.stack import Stack, Wish
from shared.domain.ids import BotName, group_of

AGAIN_S = 1.0

# The tests' paces: Steam's days last seconds, and whatever was lost is looked for within seconds.
PACES: dict[str, dict[str, Any]] = {
    "group": {
        "lease_s": 4.0,
        "heartbeat_s": 0.5,
        "offline_after_s": 3.0,
        "restart_min_s": 0.2,
        "restart_max_s": 4.0,
        "stop_s": 15.0,
        "probe_s": 1.0,
        "probe_max_s": 4.0,
    },
    "rates": dict(NEVER_REACHED),
    "steam": {"read_timeout_s": 6.0, "maintenance_hold_s": 5.0},
    "pace": {"retry_s": 0.03},
    "trades": {
        "inventory_cache_s": 60.0,
        "inventory_wait_s": 10.0,
        "order_expiry_s": 15.0,
        "order_in_hand_s": 15.0,
        "absent_after_s": 4.0,
        "confirm_give_up_s": 25.0,
        "unknown_offer_cancel_s": 45.0,
        "find_s": 2.0,
        "find_max_s": 8.0,
        "offer_timeout_s": 30.0,
        "protection_look_s": 4.0,
        "decline_s": 5.0,
        "audit_again_s": 3.0,
    },
}


@dataclass
class Balancer:
    """One balancer: its place, and the clock it is to have."""

    name: str
    port: int
    offset_s: float = 0.0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


class ChaosFleet(Stack):
    """All the parts, by name: ``balancer-1``, ``group-red-1``; and what can be done to them."""

    def __init__(self, wish: Wish, *, balancers: int = 2, say: Callable[[str], None] = lambda _text: None) -> None:
        super().__init__(wish, say)
        wish.port = wish.port or free_port()
        ports = [wish.port, *(free_port() for _ in range(balancers - 1))]
        self.balancers = [Balancer(f"balancer-{number}", port) for number, port in enumerate(ports, 1)]
        self.postgres = EmbeddedPostgres()
        self.gates: dict[str, Gate] = {}
        self.host_offset_s = dict.fromkeys(wish.groups, 0.0)
        self._closing = contextlib.ExitStack()
        self._start_again_at: dict[str, float] = {}
        self.ended_by_itself: list[str] = []
        self._wanted: dict[str, Callable[[], Part]] = {}

    # --- start and stop ------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start everything; returns when every bot is online."""
        self.say("starting an embedded PostgreSQL")
        self.postgres.start()
        self.database_url = self.postgres.create_database("fleet")
        super().start()
        for group in self.wish.groups:
            self._wanted[group_part(group)] = lambda group=group: self.start_group(group)  # type: ignore[misc]

    def stop(self) -> None:
        """Stop everything, also what is stopped by a signal or was never mended."""
        self._wanted.clear()
        for part in self.parts:
            signal_part(part, signal.SIGCONT)
        super().stop()
        self._closing.close()
        self.postgres.stop()

    def _start_redis(self) -> None:
        super()._start_redis()
        if self.redis is None:
            raise ValueError("the chaos run needs a Redis of its own, which it may kill")
        for group in self.wish.groups:
            self.gates[group] = self._closing.enter_context(Gate(str(self.redis.socket_path)))

    def host_redis_url(self, group: str) -> str:
        """Each host reaches Redis through a gate of its own."""
        gate = self.gates[group]
        return f"redis://{gate.host}:{gate.port}/0"

    def start_balancer(self, name: str = "balancer") -> Part:
        """Start all balancers; the first migrates the database and makes the API key."""
        self.say("starting the balancers")
        first, *others = self.balancers
        part = self.spawn_balancer(first)
        self.balancer_url = self._ready_line(part)["balancer"]
        self.api_key = self.api_key or self._kept_key() or self._new_key()
        for balancer in others:
            self._ready_line(self.spawn_balancer(balancer))
        for balancer in self.balancers:
            self._wanted[balancer.name] = lambda balancer=balancer: self.spawn_balancer(balancer)  # type: ignore[misc]
        return part

    def spawn_balancer(self, balancer: Balancer) -> Part:
        """Start one balancer, without waiting for it."""
        clock = {"FLEET__CLOCK__OFFSET_S": str(balancer.offset_s)}
        return self.spawn_fleet(balancer.name, "balancer", "--ready-json", "--port", str(balancer.port), environment=clock)

    def start_group(self, text: str) -> Part:
        """Start the supervisor of one group, with the clock its host is to have."""
        color, _, number = text.partition(":")
        clock = {"FLEET__CLOCK__OFFSET_S": str(self.host_offset_s[text])}
        command = ("group", "start", color, number)
        return self.spawn_fleet(group_part(text), *command, config=self.host_config(text), environment=clock)

    # --- parts by name ------------------------------------------------------------------------------------------

    def part(self, name: str) -> Part | None:
        """The running part of this name, if it runs."""
        for part in self.parts:
            if part.name == name and part.process.poll() is None:
                return part
        return None

    def keep(self, at_once: Iterable[str] = ()) -> None:
        """Start again what has ended and is wanted, a little after its end or ``at_once``; call it often."""
        now = time.monotonic()
        for part in [part for part in self.parts if part.process.poll() is not None]:
            self.parts.remove(part)
            if part.process.stdout is not None:
                part.process.stdout.close()
            if part.name in self._wanted:
                self._start_again_at.setdefault(part.name, now + AGAIN_S)
                if part.process.returncode not in (-signal.SIGKILL, -signal.SIGTERM, 0):  # these two are ours
                    self.ended_by_itself.append(f"{part.name}: status {part.process.returncode}: {last_words(part.tail())}")
        self._start_again_at.update(dict.fromkeys(at_once, now))
        for name, at in list(self._start_again_at.items()):
            if at <= now and self.part(name) is None:
                del self._start_again_at[name]
                self._wanted[name]()

    def want(self, name: str, start: Callable[[], Part]) -> None:
        """Start this part again whenever it has ended."""
        self._wanted[name] = start

    def end_part(self, name: str, for_s: float, number: signal.Signals, *, with_children: bool = True) -> None:
        """Send a part its last signal, and do not start it again for so long."""
        part = self.part(name)
        if part is None:
            return  # it is down already and will be started
        signal_part(part, number, with_children=with_children)
        self.hold_down(name, time.monotonic() + for_s)
        if number == signal.SIGKILL:
            reap(part)

    def hold_down(self, name: str, until_s: float) -> None:
        """Do not start this part again before that time (monotonic seconds)."""
        self._start_again_at[name] = until_s

    # --- workers -------------------------------------------------------------------------------------------------

    def group_of(self, bot: str) -> str:
        """The group that runs this bot, as in ``red:1``."""
        name = BotName.parse(bot)
        return f"{name.color}:{group_of(name.bot_id)}"

    def worker_pid(self, bot: str) -> int | None:
        """The process of a bot, as its supervisor last wrote."""
        group = self.group_of(bot)
        status = read_json(self.host_config(group).parent / "run" / f"group-{group.replace(':', '-')}.json")
        for row in status.get("bots", ()):
            if row["bot"] == bot and row["pid"] and alive(row["pid"]):
                return int(row["pid"])
        return None

    def worker_said(self, bot: str) -> dict[str, Any]:
        """What the worker of a bot last wrote about itself; ``written_at`` is the file's time, in unix seconds."""
        path = self.host_config(self.group_of(bot)).parent / "run" / f"{bot}.json"
        said = read_json(path)
        with contextlib.suppress(OSError):
            said["written_at"] = path.stat().st_mtime
        return said

    # --- a second host for a group --------------------------------------------------------------------------------

    def start_double(self, group: str) -> None:
        """A second host that runs the same bots: the same secrets and keys, a folder of its own."""
        config = self.host_config(group)
        folder = config.parent.with_name(f"{config.parent.name}-double")
        if not folder.exists():
            folder.mkdir(mode=0o700)
            for name in ("vault", "vault.key"):
                shutil.copy2(config.parent / name, folder / name)
            text = config.read_text().replace(f"{config.parent}/", f"{folder}/")
            (folder / "fleet.toml").write_text(text)
        color, _, number = group.partition(":")
        command = ("group", "start", color, number)
        self.spawn_fleet(double_part(group), *command, config=folder / "fleet.toml")

    def stop_double(self, group: str) -> None:
        """End the second host in order."""
        part = self.part(double_part(group))
        if part is not None:
            part.process.terminate()

    # --- Redis ------------------------------------------------------------------------------------------------------

    def own_redis(self) -> EmbeddedRedis:
        if self.redis is None:
            raise ValueError("Redis was never started")
        return self.redis

    def copy_redis_log(self) -> Path:
        """The append-only log as it is now; a torn last line is what a replica would have too."""
        folder = self.own_redis().directory
        copy = folder.with_name("redis-before")
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(folder / "appendonlydir", copy)
        return copy

    def put_redis_back(self, copy: Path | None) -> None:
        """With Redis down: no data at all, or those of the copy."""
        folder = self.own_redis().directory / "appendonlydir"
        shutil.rmtree(folder, ignore_errors=True)
        if copy is not None:
            copy.rename(folder)


def group_part(group: str) -> str:
    """The name of a group's part: ``group-red-1`` for ``red:1``."""
    return f"group-{group.replace(':', '-')}"


def double_part(group: str) -> str:
    """The name of the second host's part."""
    return f"double-{group.replace(':', '-')}"


def read_json(path: Path) -> dict[str, Any]:
    """A file of one JSON object; empty when it is not there."""
    try:
        found: dict[str, Any] = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return found


def last_words(log: str) -> str:
    """Why a program ended, by the last lines of its log: the last error, which may have lines after it, or the last line."""
    lines = [line.strip() for line in log.splitlines()] or [""]
    return next((line for line in reversed(lines) if "Error" in line), lines[-1])


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def signal_pid(pid: int | None, number: signal.Signals) -> bool:
    """Send a signal; whether there was such a process."""
    if pid is None:
        return False
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def signal_part(part: Part | None, number: signal.Signals, *, with_children: bool = True) -> bool:
    """Send a signal to a part, and to the workers of a supervisor; whether it ran."""
    if part is None or part.process.poll() is not None:
        return False
    if not with_children:
        return signal_pid(part.process.pid, number)
    try:
        os.killpg(part.process.pid, number)  # every part is started as the leader of a group of its own
    except ProcessLookupError:
        return False
    return True


def reap(part: Part | None, timeout_s: float = 10.0) -> None:
    """Wait until a killed part is gone, so that its port and locks are free."""
    if part is not None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            part.process.wait(timeout_s)
