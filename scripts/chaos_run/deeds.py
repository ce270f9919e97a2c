"""What the nemesis can do to a fleet, kind by kind: how to strike, how to mend it, and when it is well again."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from scripts.chaos_run.checker import Reader
from scripts.chaos_run.fleet import ChaosFleet, group_part, reap, signal_part, signal_pid
from scripts.chaos_run.plan import Blow
from scripts.chaos_run.raids import Accounts, Raids
from scripts.chaos_run.readiness import Readiness
from scripts.lab.calls import send_json

if TYPE_CHECKING:
    from scripts.chaos_run.workload import Workload

# How to mend it (what has none is mended by itself: a supervisor, or `ChaosFleet.keep`, starts it again), and when it is well.
Deed = tuple[Callable[[], object] | None, Callable[[float], bool]]
Strike = Callable[[Blow], Deed]


class Deeds:
    """Every kind of blow."""

    def __init__(
        self, fleet: ChaosFleet, workload: Workload, reader: Reader, readiness: Readiness, more: Mapping[str, Strike]
    ) -> None:
        self.fleet = fleet
        self.workload = workload
        self._reader = reader
        self._readiness = readiness
        self._accounts = Accounts(fleet.control_url, workload.bot_accounts)
        self.raids = Raids(fleet, self._accounts, reader, readiness)
        self._deeds: dict[str, Strike] = {
            **more,
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

    def strike(self, blow: Blow) -> Deed:
        """Do it now."""
        return self._deeds[blow.kind](blow)

    # --- workers ----------------------------------------------------------------------------------------------

    def _kill_worker(self, blow: Blow) -> Deed:
        pid = self.fleet.worker_pid(blow.target)
        signal_pid(pid, signal.SIGKILL)
        return None, self._readiness.bot_is_well(blow.target, pid)

    def _stop_worker(self, blow: Blow) -> Deed:
        pid = self.fleet.worker_pid(blow.target)
        signal_pid(pid, signal.SIGSTOP)
        return lambda: signal_pid(pid, signal.SIGCONT), self._readiness.bot_is_well(blow.target)

    def _revoke_sessions(self, blow: Blow) -> Deed:
        self._accounts.change(self._accounts.steam_id(blow.target), revoke_tokens=True)
        return None, self._readiness.bot_is_well(blow.target)

    def _restrict_bot(self, blow: Blow) -> Deed:
        """It is well when the bot has found out by itself that it may trade again."""
        steam_id, field = (
            self._accounts.steam_id(blow.target),
            {"bot_locked": "device_locked", "bot_banned": "banned"}[blow.kind],
        )
        self._accounts.change(steam_id, **{field: True})
        return lambda: self._accounts.change(steam_id, **{field: False}), self._readiness.bot_is_well(blow.target)

    def _let_a_foreign_client_in(self, blow: Blow) -> Deed:
        """Mended when it has left; well when the account is signed out everywhere and an operator, being told, unfroze it."""
        raid, is_over = self.raids.begin(blow.target, blow.at_s)
        return raid.leave, is_over

    # --- hosts ------------------------------------------------------------------------------------------------

    def _kill_supervisor(self, blow: Blow) -> Deed:
        self.fleet.end_part(group_part(blow.target), blow.lasts_s, signal.SIGKILL, with_children=False)
        return None, self._readiness.group_is_well(blow.target)

    def _kill_host(self, blow: Blow) -> Deed:
        self.fleet.end_part(group_part(blow.target), blow.lasts_s, signal.SIGKILL)
        return None, self._readiness.group_is_well(blow.target)

    def _restart_host(self, blow: Blow) -> Deed:
        self.fleet.end_part(group_part(blow.target), 0.0, signal.SIGTERM, with_children=False)
        return None, self._readiness.group_is_well(blow.target)

    def _freeze_host(self, blow: Blow) -> Deed:
        part = self.fleet.part(group_part(blow.target))
        signal_part(part, signal.SIGSTOP)
        return lambda: signal_part(part, signal.SIGCONT), self._readiness.group_is_well(blow.target)

    def _cut_host(self, blow: Blow) -> Deed:
        self.fleet.gates[blow.target].cut()
        return self.fleet.gates[blow.target].mend, self._readiness.group_is_well(blow.target)

    def _double_host(self, blow: Blow) -> Deed:
        bots = [bot for bot in self.fleet.wish.bot_names() if self.fleet.group_of(bot) == blow.target]
        pid = self.fleet.worker_pid(bots[0])
        self.fleet.start_double(blow.target)
        signal_pid(pid, signal.SIGSTOP)

        def mend() -> None:
            signal_pid(pid, signal.SIGCONT)
            self.fleet.stop_double(blow.target)

        return mend, self._readiness.group_is_well(blow.target)

    def _clock_host(self, blow: Blow) -> Deed:
        def come_back(offset_s: float) -> None:
            self.fleet.host_offset_s[blow.target] = offset_s
            self.fleet.end_part(group_part(blow.target), 0.0, signal.SIGKILL)

        come_back(blow.amount_s)
        return lambda: come_back(0.0), self._readiness.group_is_well(blow.target)

    # --- balancers --------------------------------------------------------------------------------------------

    def _kill_balancer(self, blow: Blow) -> Deed:
        self.fleet.end_part(blow.target, blow.lasts_s, signal.SIGKILL)
        return None, self._readiness.balancer_is_well(blow.target)

    def _restart_balancer(self, blow: Blow) -> Deed:
        self.fleet.end_part(blow.target, 0.0, signal.SIGTERM)
        return None, self._readiness.balancer_is_well(blow.target)

    def _stop_balancer(self, blow: Blow) -> Deed:
        part = self.fleet.part(blow.target)
        signal_part(part, signal.SIGSTOP)
        return lambda: signal_part(part, signal.SIGCONT), self._readiness.balancer_is_well(blow.target)

    def _clock_balancer(self, blow: Blow) -> Deed:
        balancer = next(one for one in self.fleet.balancers if one.name == blow.target)

        def come_back(offset_s: float) -> None:
            balancer.offset_s = offset_s
            self.fleet.end_part(blow.target, 0.0, signal.SIGKILL)

        come_back(blow.amount_s)
        return lambda: come_back(0.0), self._readiness.balancer_is_well(blow.target)

    # --- Redis and PostgreSQL ---------------------------------------------------------------------------------

    def _kill_redis(self, blow: Blow) -> Deed:
        server = self.fleet.own_redis()
        server.kill()
        if blow.kind == "redis_lost":
            self.fleet.put_redis_back(None)
        return server.start, self._readiness.all_serve

    def _take_redis_back(self, blow: Blow) -> Deed:
        """What it knows from the blow on is forgotten when it is mended."""
        server, before = self.fleet.own_redis(), self.fleet.copy_redis_log()

        def mend() -> None:
            server.kill()
            self.fleet.put_redis_back(before)
            server.start()

        return mend, self._readiness.all_serve

    def _stop_redis(self, blow: Blow) -> Deed:
        pid = self.fleet.own_redis().pid
        signal_pid(pid, signal.SIGSTOP)
        return lambda: signal_pid(pid, signal.SIGCONT), self._readiness.all_serve

    def _kill_postgres(self, blow: Blow) -> Deed:
        self.fleet.postgres.kill()
        return self.fleet.postgres.start, self._readiness.all_serve

    def _restart_postgres(self, blow: Blow) -> Deed:
        self.fleet.postgres.end(signal.SIGINT)
        return self.fleet.postgres.start, self._readiness.all_serve

    # --- Steam, and everything --------------------------------------------------------------------------------

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

        return mend, lambda since_wall: probe.is_set() and self._readiness.all_serve(since_wall)
