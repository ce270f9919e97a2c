"""What pages of information say of rooms: numbers from rules and from sealed rounds, nothing that is typed by hand."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from website.engine.models import Call, CustodyCheck, Feed
from website.rooms import words
from website.rooms.models import Lane, RoomVersion, Round

DAY_MS = 86_400_000
COLLECTED_DAYS = 30
LATE_MS = 60_000
SETTLING = ("closed", "opened", "drawn", "finalized")


@dataclass
class Collected:
    """What the house was due and what it took in sealed rounds of a room: cents."""

    rounds: int = 0
    staked: int = 0
    due: int = 0
    taken: int = 0
    names: set[str] = field(default_factory=set, repr=False)

    def add(self, pot: int, due: int, taken: int) -> None:
        self.rounds, self.staked, self.due, self.taken = self.rounds + 1, self.staked + pot, self.due + due, self.taken + taken

    @property
    def nominal(self) -> Fraction | None:
        """The part of all stakes that was due."""
        return Fraction(self.due, self.staked) if self.staked else None

    @property
    def collected(self) -> Fraction | None:
        """The part of all stakes that the house took."""
        return Fraction(self.taken, self.staked) if self.staked else None


def collected(now_ms: int) -> dict[str, Collected]:
    """By room, over rounds that were sealed in the last thirty days and not void."""
    sealed = Round.objects.filter(sealed_ms__gt=now_ms - COLLECTED_DAYS * DAY_MS, void_reason="")
    rows = sealed.exclude(room__startswith="raffle-")  # they take coins, and no rake
    found: dict[str, Collected] = defaultdict(Collected)
    for room, pot, text in rows.values_list("room", "pot_cents", "outcome").iterator():
        outcome = json.loads(text) if text else {}
        rake = outcome.get("rake") or left(outcome, pot)
        found[room].add(pot, rake.get("due", 0), rake.get("net", 0))
    return dict(found)


def left(outcome: dict[str, Any], pot: int) -> dict[str, int]:
    """What no share reached and the house kept, as rake in cents. All rows of a round with shares are one kind of ticket;
    of a giveaway, which pays no rows out, the house keeps tickets that are worth nothing to anybody else."""
    kept, paid = len(outcome.get("house") or ()), sum(len(each["rows"]) for each in outcome.get("payouts") or ())
    cents = pot * kept // (kept + paid) if kept and paid else 0
    return {"due": cents, "net": cents}


@dataclass(frozen=True)
class Version:
    """One version of a room's rules, readable."""

    room: str
    number: int
    state: str
    hash: bytes
    rules: dict[str, Any]
    not_before_ms: int
    first_round: str

    @property
    def title(self) -> str:
        """The room's name in the reader's language."""
        return words.title(self.room)

    @property
    def rake(self) -> list[tuple[int, int, int]]:
        """Rows of the table: from, to (per cent of the tickets), rate (per cent)."""
        table, start, rows = self.rules.get("rake") or [], 0, []
        for limit, rate in table:
            rows.append((start, limit, rate))
            start = limit
        return rows


def versions(room: str = "") -> list[Version]:
    """Approved versions, of one room or of all: rooms in the order of the seed, the newest first. Drafts are nobody's
    business yet."""
    rows = RoomVersion.objects.exclude(state=RoomVersion.DRAFT).order_by("-version")
    read = [_version(row) for row in (rows.filter(room=room) if room else rows)]
    return sorted(read, key=lambda version: words.place(version.room))


def newest(found: Iterable[Version]) -> list[Version]:
    """Of each room the version that rounds use now, else the one that the first round will use."""
    best: dict[str, Version] = {}
    for each in found:
        if each.room not in best or (each.state == RoomVersion.IN_USE and best[each.room].state != RoomVersion.IN_USE):
            best[each.room] = each
    return list(best.values())


def _version(row: RoomVersion) -> Version:
    first = f"{row.first_lane}/{row.first_round}" if row.first_round else ""
    return Version(row.room, row.version, row.state, bytes(row.rules_hash), json.loads(row.rules), row.not_before_ms, first)


@dataclass(frozen=True)
class Now:
    """How the site is: what a visitor may know of it."""

    open_rounds: int
    settling: int
    oldest_settling_ms: int | None
    paused: list[tuple[str, str]]
    calls_due: int
    oldest_call_ms: int | None
    feed_after: int | None

    @property
    def oldest_settling_s(self) -> int:
        return (self.oldest_settling_ms or 0) // 1000

    @property
    def late(self) -> bool:
        """Something has been under way for longer than a minute."""
        return max(self.oldest_settling_ms or 0, self.oldest_call_ms or 0) > LATE_MS


@dataclass(frozen=True)
class Look:
    """One look at custody: items in rounds that are not over, items bound for them at the fleet, and what does not fit."""

    at_ms: int
    items_in_rounds: int
    items_bound: int
    locks: int
    lanes: dict[str, Any]
    differences: list[str]
    count: int


def custody(most: int = 10) -> list[Look]:
    """The last looks that were finished, the newest first."""
    rows = CustodyCheck.objects.exclude(done_ms=None).order_by("-at_ms")[:most]
    return [
        Look(
            row.done_ms or row.at_ms,
            row.items_in_rounds,
            row.items_bound,
            row.locks,
            json.loads(row.lanes),
            json.loads(row.differences),
            row.count,
        )
        for row in rows
    ]


def now(now_ms: int) -> Now:
    ended = Round.objects.filter(phase__in=SETTLING, sealed_ms=None)
    settling = list(ended.values_list("closed_ms", flat=True))
    calls = list(Call.objects.filter(state=Call.DUE).values_list("made_ms", flat=True))
    ages = [now_ms - closed for closed in settling if closed is not None]
    return Now(
        open_rounds=Round.objects.filter(phase="game").count(),
        settling=len(settling),
        oldest_settling_ms=max(ages, default=None),
        paused=list(Lane.objects.filter(state=Lane.PAUSED).order_by("name").values_list("name", "paused_why")),
        calls_due=len(calls),
        oldest_call_ms=max((now_ms - made for made in calls), default=None),
        feed_after=Feed.objects.filter(reader="site").values_list("after", flat=True).first(),
    )
