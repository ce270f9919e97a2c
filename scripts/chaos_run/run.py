"""One chaos run from beginning to end: start, hurt under load, heal, settle, audit."""

from __future__ import annotations

import time
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from scripts import audit
from scripts.chaos_run import books, plan
from scripts.chaos_run.books import Books
from scripts.chaos_run.fleet import PACES, ChaosFleet
from scripts.chaos_run.hand import Hand, Wound
from scripts.chaos_run.load import Load
from scripts.stack import StackError, Wish, get_json, send_json

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
TOLD = ("seed", "minutes", "profile", "bots", "groups", "players", "balancers", "power_cut")

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
        """What the hand will do."""
        if self.power_cut:
            times = [LOAD_BEFORE_S + number * (LOAD_BEFORE_S + LOAD_AFTER_S) for number in range(len(plan.POWER_CUTS))]
            return [plan.Blow(at_s, kind.name, kind.target, 0.0) for at_s, kind in zip(times, plan.POWER_CUTS, strict=True)]
        wish = self.wish(Path())
        bots = wish.bot_names()
        groups = {text: tuple(bots[at * self.bots : (at + 1) * self.bots]) for at, text in enumerate(self.groups)}
        return plan.plan(self.seed, self.seconds, plan.Shape(groups, self.balancers))


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
        load = Load(options.seed, urls, fleet.api_key, fleet.control_url, accounts)
        ledger = Books(fleet.database_url)
        hand = Hand(fleet, load, ledger.look, say)
        load.start()
        try:
            hand.run(options.plan(), options.seconds, options.patience_s)
            load.stop_asking()
            stopped = time.monotonic()
            healed_s = heal(fleet, hand, say)
            answered, settled_s = load.finish(), 0.0
            while True:
                settled_s += settle(fleet, hand, ledger, options.settle_minutes * 60, say)
                late, now_answered = time.monotonic() - stopped < LATE_S, load.finish()
                if now_answered == answered and not late:
                    break
                answered = now_answered
        finally:
            hand.close()
        own = own_audit(fleet)
        load.close()
        return close_the_books(options, fleet, load, ledger, hand, healed_s, settled_s, own)


def heal(fleet: ChaosFleet, hand: Hand, say: Say) -> float:
    """End all trouble and start what is down; the seconds until all serve again.

    Raises:
        StackError: it does not come back although nothing is wrong any more.
    """
    say("healing everything")
    started = time.monotonic()
    hand.mend_all()
    request = urllib.request.Request(f"{fleet.control_url}/control/profile", method="DELETE")  # noqa: S310 - our sandbox
    with urllib.request.urlopen(request, timeout=30):  # noqa: S310
        pass
    since = time.time()
    while not hand.all_serve(since):
        hand.tick()
        if time.monotonic() - started > HEALED_S:
            said = {bot: fleet.worker_said(bot) for bot in fleet.wish.bot_names()}
            raise StackError(f"not everything came back after it was healed: {said}")
        time.sleep(0.1)
    return round(time.monotonic() - started, 1)


def settle(fleet: ChaosFleet, hand: Hand, ledger: Books, patience_s: float, say: Say) -> float:
    """Wait until nothing goes on any more that does not go on with a reason; the seconds it took."""
    say("waiting until everything is at rest")
    started, rested = time.monotonic(), 0
    while time.monotonic() - started < patience_s:
        hand.tick()
        look = ledger.look()
        waiting = _with_reasons(fleet, ledger) if look is not None and look.unfinished else 0
        at_rest = look is not None and look.unfinished == waiting and not look.awaited and not look.searched
        rested = rested + 1 if at_rest else 0
        if rested >= REST_LOOKS:
            break
        time.sleep(REST_EVERY_S)
    return round(time.monotonic() - started, 1)


def _with_reasons(fleet: ChaosFleet, ledger: Books) -> int:
    record = get_json(f"{fleet.control_url}/control/record?part=offers", timeout_s=60)
    return len(books.unfinished(ledger.everything()["trades"], record["offers"])[0])


def close_the_books(
    options: Options,
    fleet: ChaosFleet,
    load: Load,
    ledger: Books,
    hand: Hand,
    healed_s: float,
    settled_s: float,
    own: list[audit.Difference],
) -> dict[str, Any]:
    """Compare everything with everything, and write down what was compared. ``own`` is what the fleet's own audit found."""
    record = get_json(f"{fleet.control_url}/control/record", timeout_s=60)
    tables, rows = ledger.everything(), audit.read_books(fleet.database_url)
    reasons, without_reason = books.unfinished(tables["trades"], record["offers"])
    found = audit.differences(rows, record)
    found += without_reason
    found += books.feed(load.told.events, tables["events"])
    found += books.histories(tables)
    found += books.answers(load.told.trades_of, tables["trades"])
    found += [audit.Difference("client", text) for text in load.told.wrong]
    found += own
    requests = get_json(f"{fleet.control_url}/control/requests", timeout_s=30)
    (fleet.wish.directory / "books.json").write_text(books.as_text(tables))
    (fleet.wish.directory / "record.json").write_text(books.as_text(record))
    return {
        **{name: value for name, value in asdict(options).items() if name in TOLD},
        "blows": [_told(wound, tables["events"]) for wound in hand.wounds],
        "events": dict(books.between(tables["events"], 0, max((row["number"] for row in tables["events"]), default=0))),
        "trades": books.by_status(tables),
        "answers": {str(status): count for status, count in sorted(load.told.answers.items())},
        "refusals": dict(load.told.refusals),
        "lost_answers": load.told.lost_answers,
        "steam_calls": sum(requests["counts"].values()),
        "healed_s": healed_s,
        "settled_s": round(settled_s, 1),
        "waiting": reasons,
        "frozen_rows": sum(row["frozen_by"] is not None for row in tables["deposits"] if row["status"] == "active"),
        "ended_by_themselves": hand.fleet.ended_by_itself,
        "compared": audit.summary(rows, record) | {"events_read": len(load.told.events), "keys": len(load.told.trades_of)},
        "folder": str(fleet.wish.directory),
        "differences": [{"kind": row.kind, "text": row.text} for row in found],
    }


def own_audit(fleet: ChaosFleet) -> list[audit.Difference]:
    """What the fleet's own audit finds, each bot's inventory against its rows; it must find no more than ours."""
    try:
        fleet.fleet("audit", "--json", "--wait", str(OWN_AUDIT_S))
    except StackError as error:
        return [audit.Difference("own_audit", str(error))]
    return []


def _told(wound: Wound, events: list[dict[str, Any]]) -> dict[str, Any]:
    blow = wound.blow
    counted = (
        books.between(events, wound.first_event, wound.last_event)
        if wound.first_event is not None and wound.last_event is not None
        else {}
    )
    return {
        **asdict(blow),
        "struck_s": wound.struck_s,
        "in_flight": wound.in_flight,
        "in_doubt": counted.get("to in_doubt", 0),
        "searches": sum(counted.get(kind, 0) for kind in books.SEARCHED),
        "recovered_s": None if wound.well_s is None or wound.mended_s is None else round(wound.well_s - wound.mended_s, 2),
    }
