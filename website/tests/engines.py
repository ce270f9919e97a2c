"""Engines as processes of their own, started in a tenth of a second: a process that has imported everything forks each.

It knows no test and holds no connection. What it forks reads its settings anew, and is a real `manage.py engine`: it can be
killed, stopped, or told where to die.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

PATIENCE_S = 120.0

NURSERY = """
import ctypes, json, os, signal, sys, traceback
import asyncio, sqlite3, logging
import django, httpx, psycopg, pyblst
import django.db.models, django.core.management, django.db.backends.sqlite3.base, django.db.backends.postgresql.base
import lottery.rounds, lottery.proofs, lottery.record, lottery.payouts, lottery.odds, lottery.responsible_play, fleet_client
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

def end_with_parent():
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)  # PR_SET_PDEATHSIG

end_with_parent()

def grow(order):
    end_with_parent()
    os.environ.update(order["environment"])
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1), os.dup2(log, 2), os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    try:
        django.core.management.execute_from_command_line(["manage.py", "engine"])
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)

for line in sys.stdin:
    order = json.loads(line)
    if order["what"] == "start":
        child = os.fork()
        if not child:
            grow(order)
        print(child, flush=True)
    else:
        pid, status = os.waitpid(order["pid"], os.WNOHANG)
        print(json.dumps([pid, os.waitstatus_to_exitcode(status) if pid else None]), flush=True)
"""


@dataclass
class EngineProcess:
    nursery: Nursery
    pid: int
    log: Path
    status: int | None = None

    def ended(self) -> int | None:
        """Its status when it has ended, negative for a signal; None while it runs."""
        if self.status is None:
            _, self.status = json.loads(self.nursery.order(what="look", pid=self.pid))
        return self.status

    def wait(self) -> int:
        """Raises AssertionError when it does not end in time."""
        deadline = time.monotonic() + PATIENCE_S
        while (status := self.ended()) is None:
            assert time.monotonic() < deadline, f"the engine does not end:\n{self.said()}"
            time.sleep(0.02)
        return status

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def stopped(self) -> None:
        """Waits until a SIGSTOP has reached it: until then it still runs."""
        while True:
            state = subprocess.run(
                ["ps", "-o", "state=", "-p", str(self.pid)], capture_output=True, text=True, check=False
            ).stdout
            if not state.strip() or state.strip()[0] in "TZ":
                return
            time.sleep(0.005)

    def said(self) -> str:
        return self.log.read_text()[-4000:] if self.log.exists() else ""


class Nursery:
    """Where engines come from."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._count = folder, 0
        environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "website.settings.dev"}
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", NURSERY],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
            start_new_session=True,
        )
        self.running: list[EngineProcess] = []

    def order(self, **order: object) -> str:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return self._process.stdout.readline()

    def start(self, environment: Mapping[str, str]) -> EngineProcess:
        self._count += 1
        log = self._folder / f"engine-{self._count}.log"
        pid = int(self.order(what="start", environment=dict(environment), log=str(log)))
        made = EngineProcess(self, pid, log)
        self.running.append(made)
        return made

    def end_all(self) -> None:
        """Nobody survives a test."""
        for engine in self.running:
            if engine.ended() is None:
                engine.signal(signal.SIGKILL)
                engine.wait()
        self.running.clear()

    def close(self) -> None:
        self.end_all()
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()
