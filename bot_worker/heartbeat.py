"""A thread beside the worker that keeps its lease, tells how it is, and notices when it must not go on."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import redis

from bot_worker.bot import Health, time_is_sure
from bot_worker.lease import Lease
from bot_worker.rq_worker import WORKER_TTL_S
from bot_worker.steam import maintenance
from bot_worker.steam.pace import Pause
from bot_worker.steam.transport import Observer
from shared import log, private_files, wire
from shared.clock import Clock, ServerClock
from shared.domain.status import Direction
from shared.orders import NEW_FIELDS
from shared.reports import Heartbeat
from shared.sealing import BotKeys

MEASURE_EVERY_S = 30.0

_log = log.get(__name__)


class Beats:
    """Beats every ``every_s`` until `close`. ``stop`` is set when the lease or the supervisor is gone."""

    def __init__(
        self,
        client: redis.Redis,
        lease: Lease,
        keys: BotKeys,
        steam_id: str,
        health: Health,
        observer: Observer,
        clock: Clock,
        server_clock: ServerClock,
        stop: threading.Event,
        *,
        every_s: float,
        status_file: Path | None,
        parent: int | None,
        egress: str = "",
        read_every_s: float = 0.0,
        pause: Callable[[], Pause | None] = lambda: None,
    ) -> None:
        self._pause = pause
        self._egress = egress
        self._read_every_s = read_every_s
        self._client = client
        self._lease = lease
        self._keys = keys
        self._steam_id = steam_id
        self._health = health
        self._observer = observer
        self._clock = clock
        self._server_clock = server_clock
        self._stop = stop
        self._every_s = every_s
        self._status_file = status_file
        self._parent = parent
        self._measured_at: float | None = None
        self._closing = False
        self._failing = False
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)
        self.holding = False
        self.lost = False

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Beat no more; says once that the worker stops."""
        self._closing = True
        self._wake.set()
        if self._thread.ident is not None:
            self._thread.join()
        self._beat_or_say()

    def nudge(self) -> None:
        """Something important changed: beat now."""
        self._wake.set()

    def _run(self) -> None:
        while not self._closing:
            self._beat_or_say()
            self._wake.wait(self._every_s)
            self._wake.clear()

    def _beat_or_say(self) -> None:
        """The lease must be kept whatever goes wrong beside it."""
        try:
            self.beat()
        except Exception:
            _log.exception("heartbeat_failed")

    def beat(self) -> None:
        """One heartbeat: lease, word to the balancer, status file."""
        if self._parent is not None and os.getppid() != self._parent:
            _log.error("supervisor_gone")
            self._stop.set()
        try:
            if self.holding:
                self._keep_lease()
            if self.holding:
                self._tell()
        except redis.RedisError as error:
            # Without Redis no order comes and no send can be claimed, so nothing is wrong yet.
            if not self._failing:  # once, not with every beat
                _log.warning("heartbeat_failed", error=type(error).__name__)
            self._failing = True
        else:
            self._failing = False
        if self._status_file is not None:
            self._write(self._status_file)

    def _write(self, path: Path) -> None:
        """A full disk must not cost the lease."""
        try:
            private_files.replace(path, json.dumps(self._status()) + "\n", mode=0o644, durable=False)
        except OSError as error:
            _log.warning("status_not_written", error=error.strerror)

    def _keep_lease(self) -> None:
        if self._lease.take():
            return
        _log.error("lease_lost")
        self.holding, self.lost = False, True
        self._health.is_now("stopping", "lease_lost", "another worker has this bot")
        self._stop.set()

    def _tell(self) -> None:
        now = self._clock.monotonic()
        if self._measured_at is None or now - self._measured_at >= MEASURE_EVERY_S:
            wire.measure_time(self._client, self._clock, self._server_clock)
            self._measured_at = now
        if time_is_sure(self._server_clock):
            self._health.lift("clock_unsure")
        else:
            self._health.restrict("clock_unsure", self._server_clock.now_ms())
        pipe: Any = self._client.pipeline(transaction=False)
        wire.put_heartbeat(pipe, self._heartbeat(), self._keys)
        pipe.expire(f"rq:worker:{self._keys.bot}", WORKER_TTL_S)
        pipe.execute()

    def _heartbeat(self) -> Heartbeat:
        health, latency_ms = self._health, self._observer.latency_ms
        state, reason, action = self._reported_state()
        return Heartbeat(
            bot=self._keys.bot,
            run=self._lease.run,
            pid=os.getpid(),
            host=socket.gethostname(),
            steam_id=self._steam_id,
            state=state,
            at_ms=self._server_clock.unmoved_ms(),
            items=health.items,
            offers=health.offers,
            orders_done=health.orders_done,
            steam_calls=self._observer.counted,
            look_calls=self._observer.look_calls,
            second_calls=self._observer.second_calls,
            deposit_calls=round(self._observer.by_direction[Direction.DEPOSIT], 3),
            withdraw_calls=round(self._observer.by_direction[Direction.WITHDRAW], 3),
            latency_ms=None if latency_ms is None else round(latency_ms, 1),
            reason=reason,
            action=action,
            throttled=self._observer.throttled,
            restrictions=[{"reason": why, "since_ms": since} for why, since in health.restrictions.items()],
            egress=self._egress,
            read_every_s=self._read_every_s,
            paused=self._paused(),
            identity=health.identity.to_json() or None,
            reads=list(NEW_FIELDS),
        )

    def _paused(self) -> dict[str, Any] | None:
        """For how long Steam's last word keeps this bot from calling it, in Redis' time."""
        pause = self._pause()
        if pause is None:
            return None
        now_ms, now_s = self._server_clock.now_ms(), self._clock.monotonic()
        since_ms, until_ms = (now_ms + int((at - now_s) * 1000) for at in (pause.since_s, pause.until_s))
        asked_s = None if pause.asked_s is None else int(pause.asked_s)
        return {"reason": pause.reason, "since_ms": since_ms, "until_ms": until_ms, "asked_s": asked_s}

    def _reported_state(self) -> tuple[str, str | None, str | None]:
        """State, what is wrong and what to do; Steam's maintenance is told while nothing of our own is."""
        state, reason, action = self._health.as_reported()
        if state == "online" and reason is None and self._observer.maintenance.on:
            return state, maintenance.CODE, "wait; Steam is in maintenance, sends begin again by themselves"
        return state, reason, action

    def _status(self) -> dict[str, Any]:
        health = self._health
        state, reason, action = self._reported_state()
        return {
            "bot": self._keys.bot,
            "pid": os.getpid(),
            "state": state,
            "reason": reason,
            "action": action,
            "steam_id": self._steam_id,
            "items": health.items,
            "offers": health.offers,
            "orders_done": health.orders_done,
            "steam_calls": self._observer.counted,
            "look_calls": self._observer.look_calls,
            "second_calls": self._observer.second_calls,
            "throttled": self._observer.throttled,
            "at_ms": self._clock.unmoved_ms(),
        }


def status_file(folder: Path, bot: str) -> Path:
    """Where a worker under a supervisor writes its status."""
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    return folder / f"{bot}.json"
