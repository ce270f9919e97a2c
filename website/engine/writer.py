"""The writer of lanes: one transaction over one lane at a time, under the lock of its row.

Any process may do it. It reads what others have committed since it last looked, does everything that has piled up, and commits
all of it at once, or nothing. What it remembers of a lane is only a short cut: after any error it is folded anew.
Locks are taken in one order everywhere: one lane, then profiles by id (W6).
"""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings
from django.db import close_old_connections, transaction
from lottery.rooms import Room
from lottery.state import Phase

from website.engine import crash, saga
from website.engine.chains import Chains
from website.engine.clock import Clock
from website.engine.marks import Marks, behind
from website.engine.steps import Given, Steps, Wants
from website.engine.unit import Held, Unit, alarm, catch_up
from website.engine.witness import Witness
from website.live import hints
from website.rooms.models import Lane

OLDER_MS = 60_000


@dataclass(frozen=True)
class Worked:
    """How a lane stands after it was worked on. `rules` are those of its newest round; None before its first."""

    lane: str
    room: str
    round: int
    phase: Phase | None
    rules: Room | None
    wants: Wants
    added: int


class Writer:
    def __init__(
        self, chains: Chains, clock: Clock, name: str, marks: Marks | None = None, witness: Witness | None = None
    ) -> None:
        self.chains, self.clock, self.name = chains, clock, name
        self.marks = Marks(None) if marks is None else marks
        self.witness = Witness(None) if witness is None else witness
        self._held: dict[str, Held] = {}
        self._older = False

    def work(self, lane_name: str, given: Given = Given()) -> Worked:  # noqa: B008 - frozen
        """Does all that can be done on a lane now. Raises what the database raises; then nothing has changed."""
        close_old_connections()
        if self._older:  # somebody may have said meanwhile that a mark was wrong
            self.marks.share()
            self.look_back()
        held = self._held.pop(lane_name, None)
        with transaction.atomic(durable=True):
            unit, wants = self._work(lane_name, held, given)
            self.witness.write(unit)
            crash.at("lane.before_commit")
        crash.at("lane.after_commit")
        self.witness.done(unit)
        self.marks.note(lane_name, (unit.lane.round, unit.lane.seq))
        hints.publish(unit.told)
        if unit.held is not None:
            self._held[lane_name] = unit.held
        return _worked(unit, wants)

    def _work(self, lane_name: str, held: Held | None, given: Given) -> tuple[Unit, Wants]:
        lane = Lane.objects.select_for_update().get(name=lane_name)
        now_ms = self.clock.now_ms()
        if self._older or (lane.round, lane.seq) < self.marks.of(lane_name):
            self._older = self._older or lane.state != Lane.RETIRED
            return self._leave_alone(lane, now_ms)
        unit = Unit(lane, catch_up(lane, held), now_ms)
        wants = Steps(unit, self.chains, given).run()
        unit.save()
        lane.next_at_ms = wants.next_at_ms
        lane.driver, lane.driver_until_ms = self.name, now_ms + settings.SITE_LEASE_MS
        lane.save()
        return unit, wants

    def look_back(self) -> bool:
        """Whether the database is older than what was committed before, on any lane: then all of them are left alone.

        A lane that had a quiet day would go on otherwise, and give numbers to items that records of others have already.
        """
        close_old_connections()
        self._older = bool(behind(self.marks))
        return self._older

    def _leave_alone(self, lane: Lane, now_ms: int) -> tuple[Unit, Wants]:
        """The table is older than what was committed before. Whatever happened since may be public: nothing is done."""
        mark = self.marks.of(lane.name)
        if lane.waits_for != "older":
            lane.waits_for, lane.waits_since_ms = "older", now_ms
        if lane.state == Lane.OPEN:
            lane.state, lane.paused_why = Lane.PAUSED, "older"
        lane.next_at_ms = now_ms + OLDER_MS
        lane.save()
        saga.refuse_since(lane.name, lane.waits_since_ms, now_ms)
        if (lane.round, lane.seq) < mark:
            text = (
                f"the table of {lane.name} is at round {lane.round}, message {lane.seq}; round {mark[0]}, message {mark[1]} was"
                " committed before: the database is an older one, and no lane is driven (manage.py recover)"
            )
            alarm("older", lane.name, text, now_ms)
        return Unit(lane, None, now_ms), Wants(next_at_ms=lane.next_at_ms)


def _worked(unit: Unit, wants: Wants) -> Worked:
    state = None if unit.held is None else unit.held.state
    return Worked(
        unit.lane.name,
        unit.lane.room,
        unit.lane.round,
        None if state is None else state.phase,
        None if state is None else state.rules,
        wants,
        len(unit.events),
    )
