"""The supervisor of one group: ten bots on this host, a process each.

It imports everything, freezes the heap and forks before any thread exists, so the ten share most of their memory. It never
signs in anywhere and opens no secret. A worker that dies is cleaned up after in Redis and started again at once, ever more
slowly if it keeps dying. The kernel tells the workers when the supervisor is gone.
"""

from __future__ import annotations

import ctypes
import fcntl
import gc
import json
import os
import select
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import IO, Any

import redis

from bot_worker import memory, worker
from bot_worker.lease import Lease
from bot_worker.rq_worker import put_right
from bot_worker.steam.sign_in import new_client
from bot_worker.vault import Vault
from shared import log, notify, private_files, wire
from shared.clock import Clock
from shared.domain.ids import bots_of_group
from shared.errors import SettingsError, VaultError
from shared.settings import Settings

LOOK_EVERY_S = 0.2
STATUS_EVERY_S = 1.0
# A worker that lived this long was well: its next death is waited for shortly again.
WELL_AFTER_S = 60.0
PR_SET_PDEATHSIG = 1

_log = log.get(__name__)


@dataclass(slots=True)
class Child:
    """One bot's process, or the wait before its next one. Times are monotonic seconds."""

    bot: str
    pid: int | None = None
    run: str = ""
    started: float = 0.0
    start_at: float = 0.0
    wait_s: float = 0.0
    restarts: int = 0
    last_exit: str | None = None


class Group:
    """Starts, watches and stops the workers of one group."""

    def __init__(self, settings: Settings, color: str, number: int) -> None:
        self.name = f"{color}-{number}"
        self._settings = settings
        self._clock = Clock()
        self._stopping = False
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._status_dir = settings.group.status_dir
        self._children = [Child(bot) for bot in self._bots(color, number)]
        self._status_at = 0.0
        self._life = notify.Life(self._clock)

    def _bots(self, color: str, number: int) -> list[str]:
        vault = Vault.open(self._settings.group)
        known = set(vault.bots())
        names = [str(name) for name in bots_of_group(color, number)]
        bots = [name for name in names if name in known and vault.has_account(name)]
        if not bots:
            raise VaultError(
                f"the vault {vault.path} holds none of {names[0]} … {names[-1]}; import them with `fleet bots import`"
            )
        without_keys = [name for name in bots if not vault.has_keys(name)]
        if without_keys:
            raise VaultError(f"no keys for {', '.join(without_keys)}; make them with `fleet keys issue`, add `fleet bots keys`")
        return bots

    def run(self) -> int:
        """Run until SIGTERM or SIGINT, then drain. The exit status.

        Raises:
            SettingsError: this group already runs on this host.
        """
        lock = self._lock()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        # Nothing to do but to wake up; `_check` finds out who died.
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        memory.share_one_arena()
        warm_up(self._settings)
        gc.collect()
        gc.freeze()
        _log.info("group_started", group=self.name, bots=len(self._children))
        notify.tell("READY=1")
        try:
            while not self._stopping:
                self._life.sign()
                self._check()
                self._pause(LOOK_EVERY_S)
            return self._drain()
        finally:
            lock.close()

    # --- one at a time on this host -------------------------------------------------------------

    def _lock(self) -> IO[str]:
        self._status_dir.mkdir(mode=0o755, parents=True, exist_ok=True)
        path = self._status_dir / f"group-{self.name}.pid"
        lock = path.open("a+")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            pid = lock.read().strip()
            lock.close()
            raise SettingsError(f"group {self.name} already runs on this host (pid {pid}); stop that one first") from None
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        return lock

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping = True

    def _pause(self, seconds: float) -> None:
        """Wait, or until a signal comes."""
        if select.select([self._wake_read], [], [], seconds)[0]:
            os.read(self._wake_read, 4096)

    # --- children -------------------------------------------------------------------------------

    def _check(self) -> None:
        self._reap()
        now = self._clock.monotonic()
        for child in self._children:
            if child.pid is None and now >= child.start_at and not self._stopping:
                self._start(child)
        if now - self._status_at >= STATUS_EVERY_S:
            self._write_status()

    def _start(self, child: Child) -> None:
        child.run = worker.new_run(child.bot)
        parent = os.getpid()
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            _become_worker(self._settings, child.bot, child.run, parent)
        child.pid, child.started = pid, self._clock.monotonic()
        self._status_at = 0.0

    def _reap(self) -> None:
        """Find who died, put their traces right, and set the time of the next start."""
        by_pid = {child.pid: child for child in self._children if child.pid is not None}
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid in by_pid:
                self._died(by_pid[pid], status)

    def _died(self, child: Child, status: int) -> None:
        settings, now = self._settings.group, self._clock.monotonic()
        killed = os.WTERMSIG(status) if os.WIFSIGNALED(status) else None
        child.last_exit = f"signal {killed}" if killed else f"status {os.waitstatus_to_exitcode(status)}"
        lived_s, child.pid = now - child.started, None
        self._status_at = 0.0
        self._put_right(child)
        if self._stopping:
            return
        if lived_s >= WELL_AFTER_S or not child.wait_s:
            child.wait_s = settings.restart_min_s
        else:
            child.wait_s = min(2 * child.wait_s, settings.restart_max_s)
        child.start_at, child.restarts = now + child.wait_s, child.restarts + 1
        _log.error("worker_died", bot=child.bot, how=child.last_exit, lived_s=round(lived_s, 1), again_s=child.wait_s)

    def _put_right(self, child: Child) -> None:
        """The dead worker cannot: free its lease and put its job back, so that the next one is at work at once."""
        try:
            with wire.connect(self._settings.redis.url, timeout_s=self._settings.redis.timeout_s) as client:
                lease = Lease(client, child.bot, child.run, self._settings.group.lease_s)
                # Held by this run still: nobody else can have taken over, so what lies there is the dead one's.
                if client.get(wire.lease_key(child.bot)) == child.run.encode():
                    put_right(client, child.bot)
                    lease.release()
        except redis.RedisError as error:
            # The next worker puts it right when it has the lease; that takes lease_s longer.
            _log.warning("not_put_right", bot=child.bot, error=type(error).__name__)

    def _drain(self) -> int:
        """Ask all workers to finish the order in hand and stop; kill those that do not. 0 when none had to be."""
        _log.info("group_stopping", group=self.name)
        notify.tell("STOPPING=1")
        self._signal_all(signal.SIGTERM)
        deadline = self._clock.monotonic() + self._settings.group.stop_s
        while self._alive() and self._clock.monotonic() < deadline:
            self._reap()
            self._write_status()
            if self._alive():
                self._pause(LOOK_EVERY_S)
        stubborn = self._alive()
        if stubborn:
            _log.error("workers_killed", bots=[child.bot for child in stubborn])
            self._signal_all(signal.SIGKILL)
            while self._alive():
                self._reap()
                self._pause(LOOK_EVERY_S / 10)
        self._write_status()
        _log.info("group_stopped", group=self.name)
        return 1 if stubborn else 0

    def _alive(self) -> list[Child]:
        return [child for child in self._children if child.pid is not None]

    def _signal_all(self, number: int) -> None:
        for child in self._alive():
            if child.pid is not None:
                os.kill(child.pid, number)

    def _write_status(self) -> None:
        self._status_at = self._clock.monotonic()
        status: dict[str, Any] = {
            "group": self.name,
            "pid": os.getpid(),
            "state": "stopping" if self._stopping else "running",
            "at_ms": self._clock.now_ms(),
            "bots": [
                {"bot": child.bot, "pid": child.pid, "restarts": child.restarts, "last_exit": child.last_exit}
                for child in self._children
            ],
        }
        try:
            private_files.replace(self._status_dir / f"group-{self.name}.json", json.dumps(status) + "\n", mode=0o644)
        except OSError as error:  # a full disk must not end ten workers
            _log.warning("status_not_written", error=error.strerror)


def _become_worker(settings: Settings, bot: str, run: str, parent: int) -> None:
    """In the child: die with the supervisor, run the bot, never return."""
    status = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        die_with(parent)
        status = worker.main(settings, bot, run, parent)
    except Exception:
        _log.exception("worker_failed", bot=bot)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def die_with(parent: int) -> None:
    """Ask the kernel for SIGTERM when the parent dies: finish the order in hand, then stop. Elsewhere than on Linux the
    heartbeat's look at the parent's pid does the same, a little later."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def warm_up(settings: Settings) -> None:
    """Load what every worker needs, so that the children share it: modules import lazily, codecs and regexes build tables."""
    import brotli  # noqa: F401
    import bs4  # noqa: F401
    import idna  # noqa: F401

    client = new_client("warm", "warm", "76561198000000000", "d2FybQ==", "d2FybQ==")
    client._session.close()
    wire.connect(settings.redis.url).close()


def read_status(folder: Path, group: str, now_ms: int, offline_after_s: float) -> dict[str, Any] | None:
    """What the supervisor and its workers last wrote about themselves; ``None`` if the group never ran here.

    Raises:
        SettingsError: the file cannot be read, as after a power cut.
    """
    path = folder / f"group-{group}.json"
    try:
        status: dict[str, Any] = json.loads(path.read_text())
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise SettingsError(f"{path} is damaged; restart that group, which writes it anew") from error
    if not _is_locked(folder / f"group-{group}.pid"):
        status["state"], status["pid"] = "stopped", None
    for row in status["bots"]:
        try:
            bot_status = json.loads((folder / f"{row['bot']}.json").read_text())
        except (FileNotFoundError, ValueError):
            bot_status = {"state": "unknown", "at_ms": None}
        row.update({name: bot_status.get(name) for name in ("state", "reason", "action", "items", "offers", "orders_done")})
        row.update({name: bot_status.get(name) for name in ("steam_calls", "throttled")})
        row["age_s"] = None if bot_status.get("at_ms") is None else round((now_ms - bot_status["at_ms"]) / 1000, 1)
        if status["state"] == "stopped" or row["pid"] is None:
            row["state"], row["pid"] = "stopped", None
        elif row["age_s"] is None or row["age_s"] > offline_after_s:
            row["state"] = "silent"
    return status


def _is_locked(path: Path) -> bool:
    try:
        with path.open("a+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    return False
