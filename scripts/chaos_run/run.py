"""One chaos run from beginning to end: start, hurt under load, heal, settle, audit."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from scripts import crosscheck
from scripts.chaos_run import checker, plan, replay
from scripts.chaos_run.checker import Reader
from scripts.chaos_run.fleet import PACES, ChaosFleet
from scripts.chaos_run.nemesis import Nemesis, Wound
from scripts.chaos_run.workload import Workload
from scripts.lab.calls import get_json, send_json
from scripts.lab.parts import StackError
from scripts.lab.stack import Wish

REVERSAL_LOCK_S = 10
HEALED_S = 240.0
OWN_AUDIT_S = 150
# A request may be at work in a balancer so long after its client gave up: reading an inventory, and the rest.
LATE_S = 15.0
REST_LOOKS = 3
REST_EVERY_S = 1.0
# In a run of power cuts only: seconds of full load before and after each.
LOAD_BEFORE_S = 15.0
LOAD_AFTER_S = 25.0

# Of the options, what the result repeats.
TOLD = ("seed", "minutes", "profile", "bots", "groups", "players", "balancers", "power_cut", "only")

Say = Callable[[str], None]


@dataclass(frozen=True)
class Options:
    """What kind of day it is to be."""

    seed: int = 1
    minutes: float = 2.0
    profile: str = "bad-day"
    bots: int = 3
    groups: tuple[str, ...] = ("red:1", "blue:1")
    players: int = 60
    balancers: int = 2
    power_cut: bool = False
    only: tuple[str, ...] = ()  # kinds of blows; all if empty
    settle_minutes: float = 5.0
    protection_s: int = 8
    offer_lifetime_s: int = 40
    patience_s: float = 0.0  # how long to wait, under load still, until all is well again
    paces: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        return len(plan.POWER_CUTS) * (LOAD_BEFORE_S + LOAD_AFTER_S) if self.power_cut else self.minutes * 60

    def wish(self, folder: Path) -> Wish:
        """What to start."""
        return Wish(
            directory=folder,
            groups=list(self.groups),
            bots_per_group=self.bots,
            players=self.players,
            seed=self.seed,
            protection_s=self.protection_s,
            offer_lifetime_s=self.offer_lifetime_s,
            overrides={section: {**values, **self.paces.get(section, {})} for section, values in PACES.items()},
            sandbox_args=["--items-per-player", "20-30"],
        )

    def plan(self) -> list[plan.Blow]:
        """What the nemesis will do."""
        if self.power_cut:
            times = [LOAD_BEFORE_S + number * (LOAD_BEFORE_S + LOAD_AFTER_S) for number in range(len(plan.POWER_CUTS))]
            return [plan.Blow(at_s, kind.name, kind.target, 0.0) for at_s, kind in zip(times, plan.POWER_CUTS, strict=True)]
        wish = self.wish(Path())
        bots = wish.bot_names()
        groups = {text: tuple(bots[at * self.bots : (at + 1) * self.bots]) for at, text in enumerate(self.groups)}
        kinds = [plan.BY_NAME[name] for name in self.only] or plan.KINDS
        return plan.plan(self.seed, self.seconds, plan.Shape(groups, self.balancers), kinds=kinds, power_cut=not self.only)


def run(options: Options, folder: Path, say: Say) -> dict[str, Any]:
    """The whole run; its result as plain values.

    Raises:
        StackError, EmbeddedError: the fleet did not start.
    """
    with ChaosFleet(options.wish(folder), balancers=options.balancers, say=say) as fleet:
        send_json("PATCH", f"{fleet.control_url}/control/settings", {"reversal_lock_s": REVERSAL_LOCK_S})
        if options.profile != "none":
            send_json("POST", f"{fleet.control_url}/control/profile", {"name": options.profile})
        accounts = get_json(f"{fleet.control_url}/control/accounts")["accounts"]
        urls = [balancer.url for balancer in fleet.balancers]
        workload = Workload(options.seed, urls, fleet.api_key, fleet.control_url, accounts)
        reader = Reader(fleet.database_url)
        nemesis = Nemesis(fleet, workload, reader, say)
        workload.start()
        try:
            nemesis.run(options.plan(), options.seconds, options.patience_s)
            workload.stop_asking()
            stopped = time.monotonic()
            healed_s = heal(fleet, nemesis, say)
            answered, settled_s = workload.finish(), 0.0
            while True:
                settled_s += settle(fleet, nemesis, reader, options.settle_minutes * 60, say)
                late, now_answered = time.monotonic() - stopped < LATE_S, workload.finish()
                if now_answered == answered and not late:
                    break
                answered = now_answered
        finally:
            nemesis.close()
        own = own_audit(fleet)
        workload.close()
        return close_the_books(options, fleet, workload, reader, nemesis, healed_s, settled_s, own)


def heal(fleet: ChaosFleet, nemesis: Nemesis, say: Say) -> float:
    """End all trouble and start what is down; the seconds until all serve again.

    Raises:
        StackError: it does not come back although nothing is wrong any more.
    """
    say("healing everything")
    started = time.monotonic()
    nemesis.mend_all()
    request = urllib.request.Request(f"{fleet.control_url}/control/profile", method="DELETE")  # noqa: S310 - our sandbox
    with urllib.request.urlopen(request, timeout=30):  # noqa: S310
        pass
    since = time.time()
    while not nemesis.readiness.all_serve(since):
        nemesis.tick()
        if time.monotonic() - started > HEALED_S:
            said = {bot: fleet.worker_said(bot) for bot in fleet.wish.bot_names()}
            raise StackError(f"not everything came back after it was healed: {said}")
        time.sleep(0.1)
    return round(time.monotonic() - started, 1)


def settle(fleet: ChaosFleet, nemesis: Nemesis, reader: Reader, patience_s: float, say: Say) -> float:
    """Wait until nothing goes on any more that does not go on with a reason; the seconds it took."""
    say("waiting until everything is at rest")
    started, rested = time.monotonic(), 0
    while time.monotonic() - started < patience_s:
        nemesis.tick()
        seen = reader.glance()
        waiting = _with_reasons(fleet, reader) if seen is not None and seen.unfinished else 0
        at_rest = seen is not None and seen.unfinished == waiting and not seen.awaited and not seen.searched
        at_rest = at_rest and nemesis.all_raids_over()
        rested = rested + 1 if at_rest else 0
        if rested >= REST_LOOKS:
            break
        time.sleep(REST_EVERY_S)
    return round(time.monotonic() - started, 1)


def _with_reasons(fleet: ChaosFleet, reader: Reader) -> int:
    record = get_json(f"{fleet.control_url}/control/record?part=offers", timeout_s=60)
    return len(checker.unfinished(reader.everything()["trades"], record["offers"])[0])


def close_the_books(
    options: Options,
    fleet: ChaosFleet,
    workload: Workload,
    reader: Reader,
    nemesis: Nemesis,
    healed_s: float,
    settled_s: float,
    own: list[crosscheck.Difference],
) -> dict[str, Any]:
    """Compare everything with everything, and write down what was compared. ``own`` is what the fleet's own audit found."""
    record = get_json(f"{fleet.control_url}/control/record", timeout_s=60)
    tables, rows = reader.everything(), crosscheck.read_books(fleet.database_url)
    reasons, without_reason = checker.unfinished(tables["trades"], record["offers"])
    bots = {str(row["steam_id"]): f"{row['color']}-{row['bot_id']}" for row in rows.bots}
    told, untold = checker.departures(tables, record["offers"], bots, nemesis.raids.friend["steam_id"])
    untold += checker.cancellations(tables, record["offers"], nemesis.raids.canceled())
    found = crosscheck.differences(rows, record) + own
    explained = [row for row in found if row.about in told]
    found = [row for row in found if row not in explained] + untold + without_reason
    found += checker.feed(workload.told.events, tables["events"])
    found += checker.histories(tables)
    found += checker.answers(workload.told.trades_of, tables["trades"])
    found += [*replay.differences(tables), *workload.games.differences()]
    found += [crosscheck.Difference("client", text) for text in workload.told.wrong]
    requests = get_json(f"{fleet.control_url}/control/requests", timeout_s=30)
    (fleet.wish.directory / "books.json").write_text(checker.as_text(tables))
    (fleet.wish.directory / "record.json").write_text(checker.as_text(record))
    return {
        **{name: value for name, value in asdict(options).items() if name in TOLD},
        "blows": [_told(wound, tables["events"]) for wound in nemesis.wounds],
        "events": dict(checker.between(tables["events"], 0, max((row["number"] for row in tables["events"]), default=0))),
        "trades": checker.by_status(tables),
        "answers": {str(status): count for status, count in sorted(workload.told.answers.items())},
        "refusals": dict(workload.told.refusals),
        "games": dict(sorted(workload.games.done.items())),
        "lost_answers": workload.told.lost_answers,
        "steam_calls": sum(requests["counts"].values()),
        "healed_s": healed_s,
        "settled_s": round(settled_s, 1),
        "waiting": reasons,
        "frozen_rows": sum(row["frozen_by"] is not None for row in tables["deposits"] if row["status"] == "active"),
        "ended_by_themselves": nemesis.fleet.ended_by_itself,
        "compared": crosscheck.summary(rows, record)
        | {"events_read": len(workload.told.events), "keys": len(workload.told.trades_of)},
        "folder": str(fleet.wish.directory),
        "foreign": nemesis.raids.counts() | {"told_differences": len(explained)},
        "differences": [{"kind": row.kind, "text": row.text} for row in found],
    }


def own_audit(fleet: ChaosFleet) -> list[crosscheck.Difference]:
    """What the fleet's own audit finds, each bot's inventory against its rows; it must find no more than ours."""
    try:
        said = json.loads(fleet.fleet("audit", "--json", "--wait", str(OWN_AUDIT_S), good=(0, 1)))
    except StackError as error:
        return [crosscheck.Difference("own_audit", str(error))]
    found = [each for bot in said["bots"] for each in bot["differences"]]
    return [crosscheck.Difference("own_audit", each["text"], each["deposit_id"] or "") for each in found]


def _told(wound: Wound, events: list[dict[str, Any]]) -> dict[str, Any]:
    blow = wound.blow
    counted = (
        checker.between(events, wound.first_event, wound.last_event)
        if wound.first_event is not None and wound.last_event is not None
        else {}
    )
    return {
        **asdict(blow),
        "struck_s": wound.struck_s,
        "in_flight": wound.in_flight,
        "in_doubt": counted.get("to in_doubt", 0),
        "searches": sum(counted.get(kind, 0) for kind in checker.SEARCHED),
        "recovered_s": None if wound.well_s is None or wound.mended_s is None else round(wound.well_s - wound.mended_s, 2),
    }
