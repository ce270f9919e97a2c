"""Whether what was hurt is well again: balancers say that they are ready, workers that they are online."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

from fleet_client import Patience
from fleet_client.errors import FleetError
from scripts.chaos_run.fleet import Balancer, ChaosFleet
from scripts.lab.calls import balancer

LOOK_EVERY_S = 0.25
READY_S = 1.5
NO_KEY = "none"  # whether a balancer is ready is told without one


class Watch:
    """A thread that asks every balancer all the time whether it is ready, so that the nemesis never waits for an answer."""

    def __init__(self, balancers: Iterable[Balancer]) -> None:
        self._seen: dict[str, tuple[float, dict[str, Any]]] = {}
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(one,), daemon=True) for one in balancers]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def serves(self, name: str, since_wall: float) -> bool:
        """Whether this balancer has said after that time (unix seconds) that database, Redis and its loops are there."""
        at, checks = self._seen.get(name, (0.0, {}))
        return at > since_wall and all(checks.get(part, {}).get("ok") for part in ("database", "redis", "loops"))

    def _run(self, one: Balancer) -> None:
        fleet = balancer(one.url, NO_KEY, patience=Patience(0.0), timeout_s=READY_S)
        while not self._stop.wait(LOOK_EVERY_S):
            asked = time.time()
            try:
                checks = fleet.readiness().checks
            except FleetError:
                checks = {}  # it is down, or was killed while it answered
            self._seen[one.name] = (asked, checks)


class Readiness:
    """What is well, as told after a time (unix seconds)."""

    def __init__(self, fleet: ChaosFleet) -> None:
        self.fleet = fleet
        self._watch = Watch(fleet.balancers)

    def close(self) -> None:
        self._watch.close()

    def all_serve(self, since_wall: float) -> bool:
        """Every balancer is ready and every bot online, told after that time."""
        balancers = all(self._watch.serves(one.name, since_wall) for one in self.fleet.balancers)
        return balancers and self.online(self.fleet.wish.bot_names(), since_wall)

    def online(self, bots: Iterable[str], since_wall: float) -> bool:
        said = [self.fleet.worker_said(bot) for bot in bots]
        return all(one.get("state") == "online" and one.get("written_at", 0.0) > since_wall for one in said)

    def bot_is_well(self, bot: str, dead_pid: int | None = None) -> Callable[[float], bool]:
        def well(since_wall: float) -> bool:
            return self.online([bot], since_wall) and self.fleet.worker_pid(bot) not in (None, dead_pid)

        return well

    def group_is_well(self, group: str) -> Callable[[float], bool]:
        bots = [bot for bot in self.fleet.wish.bot_names() if self.fleet.group_of(bot) == group]
        return lambda since_wall: self.online(bots, since_wall)

    def balancer_is_well(self, name: str) -> Callable[[float], bool]:
        return lambda since_wall: self._watch.serves(name, since_wall)
