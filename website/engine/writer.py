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

from website.engine import crash
from website.engine.chains import Chains
from website.engine.clock import Clock
from website.engine.steps import Given, Steps, Wants
from website.engine.unit import Held, Unit, catch_up
from website.live import hints
from website.rooms.models import Lane


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
    def __init__(self, chains: Chains, clock: Clock, name: str) -> None:
        self.chains, self.clock, self.name = chains, clock, name
        self._held: dict[str, Held] = {}

    def work(self, lane_name: str, given: Given = Given()) -> Worked:  # noqa: B008 - frozen
        """Does all that can be done on a lane now. Raises what the database raises; then nothing has changed."""
        close_old_connections()
        held = self._held.pop(lane_name, None)
        with transaction.atomic(durable=True):
            unit, wants = self._work(lane_name, held, given)
            crash.at("lane.before_commit")
        crash.at("lane.after_commit")
        hints.publish(unit.told)
        if unit.held is not None:
            self._held[lane_name] = unit.held
        return _worked(unit, wants)

    def _work(self, lane_name: str, held: Held | None, given: Given) -> tuple[Unit, Wants]:
        lane = Lane.objects.select_for_update().get(name=lane_name)
        now_ms = self.clock.now_ms()
        unit = Unit(lane, catch_up(lane, held), now_ms)
        wants = Steps(unit, self.chains, given).run()
        unit.save()
        lane.next_at_ms = wants.next_at_ms
        lane.driver, lane.driver_until_ms = self.name, now_ms + settings.SITE_LEASE_MS
        lane.save()
        return unit, wants


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
