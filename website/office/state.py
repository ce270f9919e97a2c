"""How everything stands now: what somebody has to look at, and each room with its lanes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.db.models import Sum
from django.utils.translation import gettext as _

from website.engine.models import Alarm, Call, CustodyCheck, Feed
from website.ledger.models import Posting
from website.office import log
from website.pages import facts
from website.rooms.models import Bet, Lane, RoomVersion, Round, RoundItem

LATE_MS = 60_000
DRIVER_MS = 30_000
STUCK = ("beacon", "fleet_refuses", "clock", "older", "prize", "rules")


@dataclass(frozen=True)
class Trouble:
    """One line at the top of the overview. `alarm`: the row that somebody can acknowledge; None: it goes when it is over."""

    text: str
    about: str = ""
    since_ms: int | None = None
    alarm: int | None = None


@dataclass(frozen=True)
class LaneNow:
    lane: Lane
    round: Round | None
    waits: str


@dataclass(frozen=True)
class RoomNow:
    """A room with its lanes; `next` is an approved version that no round has taken yet."""

    name: str
    lanes: list[LaneNow]
    version: RoomVersion | None
    next: RoomVersion | None
    open_bets: int

    @property
    def paused(self) -> bool:
        return any(each.lane.state == Lane.PAUSED for each in self.lanes)

    @property
    def rounds(self) -> list[Round]:
        return [each.round for each in self.lanes if each.round is not None]

    @property
    def pot_cents(self) -> int:
        return sum(row.pot_cents for row in self.rounds if row.sealed_ms is None)

    @property
    def players(self) -> int:
        return sum(row.players for row in self.rounds if row.sealed_ms is None)


@dataclass(frozen=True)
class Totals:
    open_bets: int
    items_in_rounds: int
    locked: int | None
    calls_due: int


def troubles(now_ms: int) -> Iterator[Trouble]:
    """Alarms that stand, and what the tables say by themselves. Nothing: all is well."""
    for alarm in Alarm.objects.filter(ended_ms=None).order_by("at_ms"):
        yield Trouble(f"{alarm.kind}: {alarm.text}", alarm.about, alarm.at_ms, alarm.id)
    settling = Round.objects.filter(phase__in=facts.SETTLING, sealed_ms=None, closed_ms__lt=now_ms - LATE_MS)
    for row in settling.order_by("closed_ms"):
        yield Trouble(_("a round is not settled yet"), f"{row.lane}/{row.round}", row.closed_ms)
    for lane in Lane.objects.filter(state=Lane.OPEN).order_by("name"):
        if lane.driver_until_ms < now_ms - DRIVER_MS:
            yield Trouble(_("no engine drives this lane"), lane.name, lane.driver_until_ms or None)
        elif lane.waits_for in STUCK and lane.waits_since_ms < now_ms - LATE_MS:
            yield Trouble(_(Lane.WAITS[lane.waits_for]), lane.name, lane.waits_since_ms)
    yield from _books(now_ms)


def _books(now_ms: int) -> Iterator[Trouble]:
    check = CustodyCheck.objects.exclude(done_ms=None).order_by("-at_ms").first()
    if check is not None and check.count:
        yield Trouble(_("custody: %(count)s differences") % {"count": check.count}, "/custody", check.done_ms)
    late = Call.objects.filter(state=Call.DUE, made_ms__lt=now_ms - LATE_MS).order_by("made_ms").first()
    if late is not None:
        yield Trouble(_("the fleet has not answered a call yet"), f"{late.kind} {late.ref}", late.made_ms)
    if Posting.objects.aggregate(total=Sum("cents"))["total"]:
        yield Trouble(_("the ledger does not sum to zero"), "", None)
    if Lane.objects.exists() and not Feed.objects.filter(reader="site").exists():
        yield Trouble(_("no engine has heard of the fleet yet"), "", None)


def rooms() -> list[RoomNow]:
    """Those that have rules, by name."""
    found: dict[str, list[Lane]] = {}
    for lane in Lane.objects.exclude(state=Lane.RETIRED).order_by("name"):
        found.setdefault(lane.room, []).append(lane)
    return [_room(name, lanes) for name, lanes in sorted(found.items())]


def _room(name: str, lanes: list[Lane]) -> RoomNow:
    versions = RoomVersion.objects.filter(room=name).order_by("-version")
    in_use = versions.filter(state=RoomVersion.IN_USE).first()
    coming = versions.filter(state=RoomVersion.APPROVED).first()
    rows = [LaneNow(lane, _newest(lane), _(Lane.WAITS.get(lane.waits_for, ""))) for lane in lanes]
    open_bets = Bet.objects.filter(lane__in=[lane.name for lane in lanes], state__in=Bet.OPEN).count()
    return RoomNow(name, rows, in_use, coming, open_bets)


def _newest(lane: Lane) -> Round | None:
    return Round.objects.filter(lane=lane.name, round=lane.round).defer("record", "outcome").first()


def totals() -> Totals:
    under_way = Round.objects.filter(sealed_ms=None).values_list("lane", "round")
    items = sum(RoundItem.objects.filter(lane=lane, round=number).count() for lane, number in under_way)
    check = CustodyCheck.objects.exclude(done_ms=None).order_by("-at_ms").first()
    return Totals(
        Bet.objects.filter(state__in=Bet.OPEN).count(),
        items,
        None if check is None else check.items_bound,
        Call.objects.filter(state=Call.DUE).count(),
    )


def log_is_whole() -> list[str]:
    return list(log.differences())
