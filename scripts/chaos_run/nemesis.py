"""The nemesis: carries out the plan on a running fleet, mends what it hurt, and notes when all was well again.

Runs in the main thread, which must be the one that starts processes: they end with the thread that started them.
"""

from __future__ import annotations

import http.client
import json
import signal
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scripts.chaos_run.checker import LEFT, Reader
from scripts.chaos_run.fleet import Balancer, ChaosFleet, group_part, reap, signal_part, signal_pid
from scripts.chaos_run.foreign_client import ForeignClient, Raid, credentials
from scripts.chaos_run.plan import Blow
from scripts.crosscheck import STEAM_ACCEPTED
from scripts.lab.calls import get_json, send_json
from shared import settings

if TYPE_CHECKING:
    from scripts.chaos_run.workload import Workload

TICK_S = 0.05
LOOK_EVERY_S = 0.25
READY_S = 1.5
CALL_S = 5.0


@dataclass
class Wound:
    """One blow and its healing; times are seconds since the nemesis began, event numbers tell what came in between."""

    blow: Blow
    struck_s: float
    in_flight: int | None
    first_event: int | None
    mend: Callable[[], object] | None
    well: Callable[[float], bool]
    mended_s: float | None = None
    mended_wall: float = 0.0
    well_s: float | None = None
    last_event: int | None = None


# How to mend it (what has none is mended by itself: a supervisor, or `ChaosFleet.keep`, starts it again), and when it is well.
Deed = tuple[Callable[[], object] | None, Callable[[float], bool]]


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

    def _run(self, balancer: Balancer) -> None:
        while not self._stop.wait(LOOK_EVERY_S):
            asked = time.time()
            try:
                checks = get_json(f"{balancer.url}/readyz", timeout_s=READY_S)["checks"]
            except urllib.error.HTTPError as error:
                with error:
                    checks = _checks_in(error)
            except (OSError, ValueError, http.client.HTTPException):
                checks = {}  # it is down, or was killed while it answered
            self._seen[balancer.name] = (asked, checks)


def _checks_in(answer: urllib.error.HTTPError) -> dict[str, Any]:
    try:
        checks: dict[str, Any] = json.load(answer)["checks"]
    except (OSError, ValueError, KeyError, http.client.HTTPException):
        return {}
    return checks


class Nemesis:
    """Does the plan's blows to the fleet."""

    def __init__(self, fleet: ChaosFleet, workload: Workload, reader: Reader, say: Callable[[str], None]) -> None:
        self.fleet = fleet
        self.workload = workload
        self.wounds: list[Wound] = []
        self.raids: list[Raid] = []
        self._reader = reader
        self._friend: dict[str, str] = {}
        self._next_look = 0.0
        self._say = say
        self._watch = Watch(fleet.balancers)
        self._began = time.monotonic()
        self._deeds: dict[str, Callable[[Blow], Deed]] = {
            "worker_killed": self._kill_worker,
            "worker_stopped": self._stop_worker,
            "worker_stopped_long": self._stop_worker,
            "supervisor_killed": self._kill_supervisor,
            "host_killed": self._kill_host,
            "host_frozen": self._freeze_host,
            "host_restarted": self._restart_host,
            "host_cut": self._cut_host,
            "host_doubled": self._double_host,
            "host_clock": self._clock_host,
            "sessions_revoked": self._revoke_sessions,
            "bot_locked": self._restrict_bot,
            "bot_banned": self._restrict_bot,
            "foreign_client": self._let_a_foreign_client_in,
            "balancer_killed": self._kill_balancer,
            "balancer_stopped": self._stop_balancer,
            "balancer_restarted": self._restart_balancer,
            "balancer_clock": self._clock_balancer,
            "redis_killed": self._kill_redis,
            "redis_lost": self._kill_redis,
            "redis_went_back": self._take_redis_back,
            "redis_stopped": self._stop_redis,
            "postgres_killed": self._kill_postgres,
            "postgres_restarted": self._restart_postgres,
            "steam_clock": self._move_steam,
            "power_cut": self._cut_power,
            "power_cut_lost": self._cut_power,
        }

    # --- going through the plan ---------------------------------------------------------------------------

    def run(self, blows: list[Blow], seconds: float, patience_s: float = 0.0) -> None:
        """Do the plan; returns after so many seconds, or up to ``patience_s`` later when all is well again."""
        self._began = time.monotonic()
        left = list(blows)
        while (now := self._now()) < seconds or (now < seconds + patience_s and not self._all_well()):
            while left and left[0].at_s <= now:
                self._strike(left.pop(0))
            self.tick()
            time.sleep(TICK_S)

    @property
    def friend(self) -> Mapping[str, str]:
        """The accomplice of all foreign clients: takes whatever is offered. Is made when it is needed."""
        if not self._friend:
            body = {"kind": "player", "name": "friend", "items": 0, "habit": "accept"}
            self._friend = send_json("POST", f"{self.fleet.control_url}/control/accounts", body)
        return self._friend

    def canceled(self) -> list[str]:
        """The offers that foreign clients asked Steam to cancel."""
        return [offer_id for raid in self.raids for offer_id in raid.canceled]

    def foreign_deeds(self) -> dict[str, int]:
        """How often foreign clients tried what."""
        declined = sum(len(raid.declined) for raid in self.raids)
        return {"raids": len(self.raids), "declined": declined, "canceled": len(self.canceled())}

    def all_raids_over(self) -> bool:
        """Every foreign client has left, all that it took away was told, and its bot was let go on."""
        return all(wound.well_s is not None for wound in self.wounds if wound.blow.kind == "foreign_client")

    def _all_well(self) -> bool:
        return all(wound.well_s is not None for wound in self.wounds)

    def tick(self) -> None:
        """Mend what is due, note what is well again, start what has ended."""
        now = self._now()
        for wound in self.wounds:
            if wound.mended_s is None and now >= wound.struck_s + wound.blow.lasts_s:
                self._mend(wound)
            elif wound.mended_s is not None and wound.well_s is None and wound.well(wound.mended_wall):
                self._close(wound)
        self.fleet.keep()

    def mend_all(self) -> None:
        """Mend everything now, whatever the plan says."""
        for wound in self.wounds:
            if wound.mended_s is None:
                self._mend(wound)

    def close(self) -> None:
        self._watch.close()

    def all_serve(self, since_wall: float) -> bool:
        """Every balancer is ready and every bot online, told after that time."""
        balancers = all(self._watch.serves(one.name, since_wall) for one in self.fleet.balancers)
        return balancers and self._online(self.fleet.wish.bot_names(), since_wall)

    def _now(self) -> float:
        return time.monotonic() - self._began

    def _strike(self, blow: Blow) -> None:
        seen = self._reader.glance()
        struck = self._now()
        mend, well = self._deeds[blow.kind](blow)
        in_flight, number = (seen.in_flight, seen.newest) if seen else (None, None)
        self._say(f"{struck:7.1f} s  {blow.kind} {blow.target}" + (f" for {blow.lasts_s:.1f} s" if blow.lasts_s else ""))
        self.wounds.append(Wound(blow, round(struck, 2), in_flight, number, mend, well))

    def _mend(self, wound: Wound) -> None:
        wound.mended_wall = time.time()
        if wound.mend is not None:
            wound.mend()
        wound.mended_s = round(self._now(), 2)

    def _close(self, wound: Wound) -> None:
        wound.well_s = round(self._now(), 2)
        seen = self._reader.glance()
        wound.last_event = seen.newest if seen else None

    # --- when is it well ----------------------------------------------------------------------------------------

    def _online(self, bots: Iterable[str], since_wall: float) -> bool:
        said = [self.fleet.worker_said(bot) for bot in bots]
        return all(one.get("state") == "online" and one.get("written_at", 0.0) > since_wall for one in said)

    def _bot_is_well(self, bot: str, dead_pid: int | None = None) -> Callable[[float], bool]:
        def well(since_wall: float) -> bool:
            return self._online([bot], since_wall) and self.fleet.worker_pid(bot) not in (None, dead_pid)

        return well

    def _group_is_well(self, group: str) -> Callable[[float], bool]:
        bots = [bot for bot in self.fleet.wish.bot_names() if self.fleet.group_of(bot) == group]
        return lambda since_wall: self._online(bots, since_wall)

    def _balancer_is_well(self, name: str) -> Callable[[float], bool]:
        return lambda since_wall: self._watch.serves(name, since_wall)

    # --- workers ---------------------------------------------------------------------------------------------------

    def _kill_worker(self, blow: Blow) -> Deed:
        pid = self.fleet.worker_pid(blow.target)
        signal_pid(pid, signal.SIGKILL)
        return None, self._bot_is_well(blow.target, pid)

    def _stop_worker(self, blow: Blow) -> Deed:
        pid = self.fleet.worker_pid(blow.target)
        signal_pid(pid, signal.SIGSTOP)
        return lambda: signal_pid(pid, signal.SIGCONT), self._bot_is_well(blow.target)

    def _revoke_sessions(self, blow: Blow) -> Deed:
        self._change(self._steam_id(blow.target), revoke_tokens=True)
        return None, self._bot_is_well(blow.target)

    def _restrict_bot(self, blow: Blow) -> Deed:
        """It is well when the bot has found out by itself that it may trade again."""
        steam_id, field = self._steam_id(blow.target), {"bot_locked": "device_locked", "bot_banned": "banned"}[blow.kind]
        self._change(steam_id, **{field: True})
        return lambda: self._change(steam_id, **{field: False}), self._bot_is_well(blow.target)

    def _steam_id(self, bot: str) -> str:
        return next(str(row["steam_id"]) for row in self.workload.bot_accounts if row["name"] == bot)

    def _change(self, steam_id: str, **fields: object) -> None:
        send_json("PATCH", f"{self.fleet.control_url}/control/accounts/{steam_id}", fields)

    def _let_a_foreign_client_in(self, blow: Blow) -> Deed:
        """Mended when it has left; well when the account is signed out everywhere and an operator, being told, unfroze it."""
        fleet, bot = self.fleet, blow.target
        steam_id = self._steam_id(bot)
        account = credentials(fleet.control_url, steam_id)
        rules = settings.load(fleet.host_config(fleet.group_of(bot)))
        raid = Raid(lambda: ForeignClient(account, rules), self.friend, f"{bot}:{blow.at_s}")
        self.raids.append(raid)
        return raid.leave, self._raid_is_over(raid, bot, steam_id)

    def _raid_is_over(self, raid: Raid, bot: str, steam_id: str) -> Callable[[float], bool]:
        signed_out: list[float] = []

        def well(_since_wall: float) -> bool:
            if not raid.over:
                return False
            if not signed_out:
                self._change(steam_id, revoke_tokens=True)
                signed_out.append(time.time())
            if not self._online([bot], signed_out[0]) or time.time() < self._next_look:
                return False
            self._next_look = time.time() + LOOK_EVERY_S
            return self._all_told(steam_id) and self._unfrozen(bot)

        return well

    def _all_told(self, steam_id: str) -> bool:
        """Whether an alarm has named each offer of this account that the friend has accepted."""
        friend = self.friend["steam_id"]
        offers = get_json(f"{self.fleet.control_url}/control/people/{friend}/offers")["offers"]
        given = {row["offer_id"] for row in offers if row["sender"] == steam_id and row["state"] == STEAM_ACCEPTED}
        told = self._reader.alarmed(LEFT) if given else set()
        return told is not None and given <= told

    def _unfrozen(self, bot: str) -> bool:
        """What an operator does who was told: let the bot go on. Its rows of those items stay frozen."""
        color, _, bot_id = bot.rpartition("-")
        request = urllib.request.Request(f"{self.fleet.balancers[0].url}/bots/{color}/{bot_id}/unfreeze", b"{}", method="POST")  # noqa: S310
        request.add_header("Authorization", f"Bearer {self.fleet.api_key}")
        request.add_header("Idempotency-Key", f"unfreeze-{bot}-{time.time()}")
        try:
            with urllib.request.urlopen(request, timeout=CALL_S) as answer:  # noqa: S310 - our own balancer
                return bool(json.load(answer)["frozen_by"] is None)
        except (OSError, ValueError, http.client.HTTPException):
            return False  # that balancer is away; it is asked again

    # --- hosts -----------------------------------------------------------------------------------------------------

    def _kill_supervisor(self, blow: Blow) -> Deed:
        self._end_part(group_part(blow.target), blow.lasts_s, signal.SIGKILL, with_children=False)
        return None, self._group_is_well(blow.target)

    def _kill_host(self, blow: Blow) -> Deed:
        self._end_part(group_part(blow.target), blow.lasts_s, signal.SIGKILL)
        return None, self._group_is_well(blow.target)

    def _restart_host(self, blow: Blow) -> Deed:
        self._end_part(group_part(blow.target), 0.0, signal.SIGTERM, with_children=False)
        return None, self._group_is_well(blow.target)

    def _freeze_host(self, blow: Blow) -> Deed:
        part = self.fleet.part(group_part(blow.target))
        signal_part(part, signal.SIGSTOP)
        return lambda: signal_part(part, signal.SIGCONT), self._group_is_well(blow.target)

    def _cut_host(self, blow: Blow) -> Deed:
        self.fleet.gates[blow.target].cut()
        return self.fleet.gates[blow.target].mend, self._group_is_well(blow.target)

    def _double_host(self, blow: Blow) -> Deed:
        bots = [bot for bot in self.fleet.wish.bot_names() if self.fleet.group_of(bot) == blow.target]
        pid = self.fleet.worker_pid(bots[0])
        self.fleet.start_double(blow.target)
        signal_pid(pid, signal.SIGSTOP)

        def mend() -> None:
            signal_pid(pid, signal.SIGCONT)
            self.fleet.stop_double(blow.target)

        return mend, self._group_is_well(blow.target)

    def _clock_host(self, blow: Blow) -> Deed:
        def come_back(offset_s: float) -> None:
            self.fleet.host_offset_s[blow.target] = offset_s
            self._end_part(group_part(blow.target), 0.0, signal.SIGKILL)

        come_back(blow.amount_s)
        return lambda: come_back(0.0), self._group_is_well(blow.target)

    # --- balancers ---------------------------------------------------------------------------------------------

    def _kill_balancer(self, blow: Blow) -> Deed:
        self._end_part(blow.target, blow.lasts_s, signal.SIGKILL)
        return None, self._balancer_is_well(blow.target)

    def _restart_balancer(self, blow: Blow) -> Deed:
        self._end_part(blow.target, 0.0, signal.SIGTERM)
        return None, self._balancer_is_well(blow.target)

    def _stop_balancer(self, blow: Blow) -> Deed:
        part = self.fleet.part(blow.target)
        signal_part(part, signal.SIGSTOP)
        return lambda: signal_part(part, signal.SIGCONT), self._balancer_is_well(blow.target)

    def _clock_balancer(self, blow: Blow) -> Deed:
        balancer = next(one for one in self.fleet.balancers if one.name == blow.target)

        def come_back(offset_s: float) -> None:
            balancer.offset_s = offset_s
            self._end_part(blow.target, 0.0, signal.SIGKILL)

        come_back(blow.amount_s)
        return lambda: come_back(0.0), self._balancer_is_well(blow.target)

    # --- Redis and PostgreSQL ------------------------------------------------------------------------------------

    def _kill_redis(self, blow: Blow) -> Deed:
        server = self.fleet.own_redis()
        server.kill()
        if blow.kind == "redis_lost":
            self.fleet.put_redis_back(None)
        return server.start, self.all_serve

    def _take_redis_back(self, blow: Blow) -> Deed:
        """What it knows from the blow on is forgotten when it is mended."""
        server, before = self.fleet.own_redis(), self.fleet.copy_redis_log()

        def mend() -> None:
            server.kill()
            self.fleet.put_redis_back(before)
            server.start()

        return mend, self.all_serve

    def _stop_redis(self, blow: Blow) -> Deed:
        pid = self.fleet.own_redis().pid
        signal_pid(pid, signal.SIGSTOP)
        return lambda: signal_pid(pid, signal.SIGCONT), self.all_serve

    def _kill_postgres(self, blow: Blow) -> Deed:
        self.fleet.postgres.kill()
        return self.fleet.postgres.start, self.all_serve

    def _restart_postgres(self, blow: Blow) -> Deed:
        self.fleet.postgres.end(signal.SIGINT)
        return self.fleet.postgres.start, self.all_serve

    # --- Steam, and everything -----------------------------------------------------------------------------------

    def _move_steam(self, blow: Blow) -> Deed:
        send_json("POST", f"{self.fleet.control_url}/control/clock", {"advance_s": blow.amount_s})
        return None, lambda _since: True

    def _cut_power(self, blow: Blow) -> Deed:
        """Everything of ours at once. It is well when all serve and a deposit that begins now is accepted."""
        fleet, seen = self.fleet, self._reader.glance()
        fleet.own_redis().kill()
        parts = [part for part in fleet.parts if part.name != "sandbox"]
        for part in parts:
            signal_part(part, signal.SIGKILL)
        fleet.postgres.kill()
        for part in parts:
            reap(part)
        if blow.kind == "power_cut_lost":
            fleet.put_redis_back(None)
        probe = self.workload.probe(seen.newest if seen else 0)

        def mend() -> None:
            fleet.own_redis().start()
            fleet.keep(at_once=[group_part(group) for group in fleet.wish.groups])
            fleet.postgres.start()
            fleet.keep(at_once=[balancer.name for balancer in fleet.balancers])

        return mend, lambda since_wall: probe.is_set() and self.all_serve(since_wall)

    def _end_part(self, name: str, for_s: float, number: signal.Signals, *, with_children: bool = True) -> None:
        part = self.fleet.part(name)
        if part is None:
            return  # it is down already and will be started
        signal_part(part, number, with_children=with_children)
        self.fleet.hold_down(name, time.monotonic() + for_s)
        if number == signal.SIGKILL:
            reap(part)
