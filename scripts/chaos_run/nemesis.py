"""The nemesis: carries out the plan on a running fleet, mends what it hurt, and notes when all was well again.

Runs in the main thread, which must be the one that starts processes: they end with the thread that started them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from scripts.chaos_run.checker import Reader
from scripts.chaos_run.deeds import Deeds, Strike
from scripts.chaos_run.fleet import ChaosFleet
from scripts.chaos_run.plan import Blow
from scripts.chaos_run.readiness import Readiness

if TYPE_CHECKING:
    from scripts.chaos_run.workload import Workload

TICK_S = 0.05


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


class Nemesis:
    """Does the plan's blows to the fleet."""

    def __init__(
        self,
        fleet: ChaosFleet,
        workload: Workload,
        reader: Reader,
        say: Callable[[str], None],
        more: Mapping[str, Strike] = MappingProxyType({}),
    ) -> None:
        """``more``: deeds that the fleet alone does not have, by their kind."""
        self.fleet = fleet
        self.wounds: list[Wound] = []
        self.readiness = Readiness(fleet)
        self._deeds = Deeds(fleet, workload, reader, self.readiness, more)
        self.raids = self._deeds.raids
        self._reader = reader
        self._say = say
        self._began = time.monotonic()

    def run(self, blows: list[Blow], seconds: float, patience_s: float = 0.0) -> None:
        """Do the plan; returns after so many seconds, or up to ``patience_s`` later when all is well again."""
        self._began = time.monotonic()
        left = list(blows)
        while (now := self._now()) < seconds or (now < seconds + patience_s and not self._all_well()):
            while left and left[0].at_s <= now:
                self._strike(left.pop(0))
            self.tick()
            time.sleep(TICK_S)

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
        self.readiness.close()

    def _now(self) -> float:
        return time.monotonic() - self._began

    def _strike(self, blow: Blow) -> None:
        seen = self._reader.glance()
        struck = self._now()
        mend, well = self._deeds.strike(blow)
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
