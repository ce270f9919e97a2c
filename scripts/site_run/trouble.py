"""What is done to a site and its fleet while people play: the kinds of blows, and how those to the site are struck.

The fleet's own blows are those of `scripts.chaos_run`; which of them a run of the site has is said here.
"""

from __future__ import annotations

import contextlib
import functools
import random
import signal
import threading
import urllib.error
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from scripts.chaos_run.deeds import Deed, Strike
from scripts.chaos_run.fleet import ChaosFleet, signal_part, signal_pid
from scripts.chaos_run.plan import BY_NAME, Blow, Kind, Shape, plan
from scripts.lab.calls import send_json
from scripts.lab.gate import Gate
from scripts.lab.parts import Part
from scripts.lab.write_lock import WriteLock
from scripts.site_run.serve import environment_of_pages, free_port, spawn_pages, wait_for
from scripts.site_run.start import Site
from website.engine import crash

DATABASE_NAME = "site"
RELAYS = ("a", "b", "c")
GAP_S = (1.5, 5.0)
SKEW_S = 10.0
LIES = ("garbage", "forged", "relabelled", "other_round", "no_signature", "huge")
SLOWER_THAN_PATIENCE_S = 30.0
DIES_AT = "engine_dies_at "
# An engine comes to these points once in a round at most: there it dies at the first time, elsewhere at any of the first three.
RARE = ("stock.locked", "settle.before_event", "unlock.answered")

# An engine that is told to die at a point has so long to come there.
ENGINES = (
    Kind("engine_killed", "engine", (0, 3), 3, "an engine gets SIGKILL"),
    Kind("engine_stopped", "engine", (2, 9), 3, "an engine is stopped, past its lease"),
    Kind("engine_restarted", "engine", (0, 0), 1, "an engine gets SIGTERM and is started again"),
    Kind("engine_clock", "engine", (8, 15), 2, "an engine comes back with a clock that is seconds wrong"),
    *(Kind(DIES_AT + point, "engine", (15, 25), 1, "an engine dies at this point of its work") for point in crash.POINTS),
)
BEACONS = (
    Kind("relay_lies", "relay", (4, 12), 1, "a relay gives what the network never signed"),
    Kind("relay_is_slow", "relay", (4, 12), 1, "a relay answers, but much too late"),
    Kind("relay_is_silent", "relay", (4, 12), 1, "a relay does not answer"),
    Kind("relays_are_silent", "relays", (3, 8), 1, "no relay answers"),
)
DATABASES = (
    Kind("database_stopped", "postgres", (2, 6), 2, "every connection of the site to its database stands still"),
    Kind("connections_broken", "site_database", (0, 0), 3, "every connection of the site to its database is ended"),
)
# Longer than engines and pages wait, now and then.
LOCKED = Kind("sqlite_locked", "site_file", (3, 25), 3, "another process holds the write lock of the site's SQLite file")
PAGES = (
    Kind("web_killed", "web", (0, 3), 3, "a process with pages gets SIGKILL"),
    Kind("web_stopped", "web", (2, 9), 2, "a process with pages is stopped"),
    Kind("web_restarted", "web", (0, 0), 1, "a process with pages gets SIGTERM and is started again"),
)
CUT = Kind("site_cut", "site_redis", (3, 12), 3, "the network between the site and Redis is cut")
OF_THE_FLEET = tuple(
    BY_NAME[name]
    for name in (
        *("balancer_killed", "balancer_stopped", "balancer_restarted"),
        *("redis_killed", "redis_lost", "redis_went_back", "redis_stopped", "host_cut"),
        *("postgres_killed", "postgres_restarted", "worker_killed", "host_killed"),
    )
)
KINDS = (*ENGINES, *BEACONS, *DATABASES, *PAGES, CUT, *OF_THE_FLEET)
SQLITE = "sqlite://"
ON_SQLITE = (*ENGINES, *BEACONS, LOCKED, *PAGES, CUT, *OF_THE_FLEET)


def blows(seed: int, seconds: float, fleet: ChaosFleet, engines: int, database_url: str) -> list[Blow]:
    """What will happen, by the seed, to a site whose database is there."""
    groups: dict[str, list[str]] = {}
    for bot in fleet.wish.bot_names():
        groups.setdefault(fleet.group_of(bot), []).append(bot)
    others = {
        "engine": [engine_name(number) for number in range(1, engines + 1)],
        "relay": [f"relay {name}" for name in RELAYS],
        "web": [page_name(number) for number in (1, 2)],
    }
    shape = Shape(groups, len(fleet.balancers), others)
    kinds = ON_SQLITE if database_url.startswith(SQLITE) else KINDS
    return plan(seed, seconds, shape, kinds=kinds, power_cut=False, gap_s=GAP_S)


def backends(server: int, database: str, proc: Path = Path("/proc")) -> list[int]:
    """The processes of a PostgreSQL server that serve connections to a database."""
    children = (proc / f"{server}/task/{server}/children").read_text().split()
    found = []
    for pid in children:
        with contextlib.suppress(OSError):  # it has ended
            title = (proc / pid / "cmdline").read_bytes().decode(errors="replace")
            found += [int(pid)] if title.startswith("postgres:") and database in title.split() else []
    return found


def engine_name(number: int) -> str:
    return f"engine-{number}"


def page_name(number: int) -> str:
    return f"web-{number}"


class Trouble:
    """Blows to engines, pages and relays; `died` and `unreached` count, by point, engines that were to die there.

    `gate` stands between the site and Redis.
    """

    def __init__(self, fleet: ChaosFleet, site: Site, seed: int, gate: Gate) -> None:
        self.fleet, self.site, self.gate = fleet, site, gate
        self.died: Counter[str] = Counter()
        self.unreached: Counter[str] = Counter()
        self._chance = random.Random(f"site-trouble:{seed}")  # noqa: S311 - a plan that can be had again, no secret
        self._once: dict[str, dict[str, str]] = {}  # how an engine is to be started, the next time only
        self._armed: dict[str, Part] = {}

    def keep_engines(self) -> None:
        """From now on an engine that has ended is started again."""
        for number in range(1, self.site.engines + 1):
            self.fleet.want(engine_name(number), lambda number=number: self._start(number))  # type: ignore[misc]

    def keep_pages(self, count: int) -> list[str]:
        """Processes with pages, started again when they have ended; their addresses, when they answer."""
        ports = [free_port() for _ in range(count)]
        environment = environment_of_pages(self.site, ports[0])
        for number, port in enumerate(ports, 1):
            name = page_name(number)
            start = functools.partial(spawn_pages, self.site, name, port, environment)
            wait_for(f"http://127.0.0.1:{port}", start())
            self.fleet.want(name, start)
        return [f"http://127.0.0.1:{port}" for port in ports]

    def deeds(self) -> Mapping[str, Strike]:
        """How each kind is struck."""
        return {
            "engine_killed": self._kill,
            "engine_stopped": self._stop,
            "engine_restarted": self._restart,
            "engine_clock": self._skew,
            "database_stopped": self._stop_database,
            "connections_broken": self._break_connections,
            LOCKED.name: self._lock_file,
            "web_killed": self._kill,
            "web_stopped": self._stop,
            "web_restarted": self._restart,
            "site_cut": self._cut,
            **dict.fromkeys((DIES_AT + point for point in crash.POINTS), self._arm),
            "relay_lies": lambda blow: self._order(blow, kind="bad_beacon", shape=self._chance.choice(LIES)),
            "relay_is_slow": lambda blow: self._order(blow, kind="slow", route="@beacons", delay_s=SLOWER_THAN_PATIENCE_S),
            "relay_is_silent": lambda blow: self._order(blow, kind="timeout", route="@beacons"),
            "relays_are_silent": lambda blow: self._order(blow, kind="timeout", route="@beacons"),
        }

    # ---- engines

    def _start(self, number: int) -> Part:
        more = self._once.pop(engine_name(number), {})
        part = self.site.spawn_engine(engine_name(number), **more)
        if "SITE_CRASH_AT" in more:
            self._armed[part.name] = part
        return part

    def _runs(self, name: str) -> Callable[[float], bool]:
        return lambda _since: self.fleet.part(name) is not None

    def _kill(self, blow: Blow) -> Deed:
        self.fleet.end_part(blow.target, blow.lasts_s, signal.SIGKILL)
        return None, self._runs(blow.target)

    def _restart(self, blow: Blow) -> Deed:
        self.fleet.end_part(blow.target, 0.0, signal.SIGTERM)
        return None, self._runs(blow.target)

    def _stop(self, blow: Blow) -> Deed:
        part = self.fleet.part(blow.target)
        signal_part(part, signal.SIGSTOP)
        return lambda: signal_part(part, signal.SIGCONT), self._runs(blow.target)

    def _skew(self, blow: Blow) -> Deed:
        skew_ms = self._chance.choice((-1, 1)) * self._chance.randint(1000, int(SKEW_S * 1000))
        self._come_back(blow.target, SITE_CLOCK_SKEW_MS=str(skew_ms))
        return lambda: self._come_back(blow.target), self._runs(blow.target)

    def _arm(self, blow: Blow) -> Deed:
        point = blow.kind.removeprefix(DIES_AT)
        self._come_back(blow.target, SITE_CRASH_AT=f"{point}:{1 if point in RARE else self._chance.randint(1, 3)}")

        def mend() -> None:
            armed = self._armed.pop(blow.target, None)
            if armed is not None and armed.process.poll() == -signal.SIGKILL:
                self.died[point] += 1
                return
            self.unreached[point] += 1
            self._come_back(blow.target)

        return mend, self._runs(blow.target)

    def _come_back(self, name: str, **more: str) -> None:
        self._once[name] = more
        self.fleet.end_part(name, 0.0, signal.SIGKILL)

    # ---- the database

    def _stop_database(self, blow: Blow) -> Deed:
        """What stands still may hold what the fleet's connections need: so it goes on by a clock, whoever waits meanwhile."""
        pids = backends(self.fleet.postgres.pid, DATABASE_NAME)
        self.fleet.say(f"{len(pids)} connections stand still")
        for pid in pids:
            signal_pid(pid, signal.SIGSTOP)

        def go_on() -> None:
            for pid in pids:
                signal_pid(pid, signal.SIGCONT)

        clock = threading.Timer(blow.lasts_s, go_on)
        clock.daemon = True
        clock.start()
        return go_on, lambda _since: True

    def _break_connections(self, _blow: Blow) -> Deed:
        for pid in backends(self.fleet.postgres.pid, DATABASE_NAME):
            signal_pid(pid, signal.SIGTERM)  # of one connection: it ends, as by pg_terminate_backend
        return None, lambda _since: True

    def _lock_file(self, _blow: Blow) -> Deed:
        lock = WriteLock(Path(self.site.database_url.removeprefix(SQLITE)))
        return lock.free, lambda _since: True

    # ---- Redis

    def _cut(self, _blow: Blow) -> Deed:
        self.gate.cut()
        return self.gate.mend, lambda _since: True

    # ---- relays

    def _order(self, blow: Blow, **fault: Any) -> Deed:
        if blow.target.startswith("relay "):
            fault["relay"] = blow.target.removeprefix("relay ")
        faults = f"{self.fleet.control_url}/control/faults"
        number = send_json("POST", faults, {"times": None, **fault})["fault_id"]

        def mend() -> None:
            try:
                send_json("DELETE", f"{faults}/{number}", None)
            except urllib.error.HTTPError as error:
                with error:
                    if error.code != 404:
                        raise

        return mend, lambda _since: True
