"""Kills engines while people play: at points that the seed draws, or whenever it likes; a killed one is started again."""

from __future__ import annotations

import asyncio
import random
import signal
from collections import Counter
from dataclasses import dataclass, field

from scripts.lab.parts import Part
from scripts.site_run.start import Site
from website.engine import crash

PAUSE_S = (1.0, 5.0)


@dataclass
class Nemesis:
    """What has been done stands in `done`: the point, or `anywhere`, and how often."""

    site: Site
    seed: int
    done: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._chance = random.Random(f"nemesis:{self.seed}")  # noqa: S311 - a script of kills, no secret
        self._points: dict[str, str] = {part.name: "" for part in self.site.parts}

    async def run(self) -> None:
        """Until it is canceled; then engines run that nobody kills."""
        try:
            while True:
                await asyncio.sleep(self._chance.uniform(*PAUSE_S))
                self._look()
                if self._chance.random() < 0.5:
                    self._kill(self._chance.choice(self.site.parts))
        finally:
            for place in range(len(self.site.parts)):
                self._replace(place, armed=False)

    def _look(self) -> None:
        """Who has died at its point is started again, with another one."""
        for place, part in enumerate(self.site.parts):
            if part.process.poll() is not None:
                self.done[self._points[part.name].partition(":")[0] or "anywhere"] += 1
                self._replace(place, armed=True)

    def _kill(self, part: Part) -> None:
        if part.process.poll() is None:
            self._points[part.name] = ""
            part.process.send_signal(signal.SIGKILL)

    def _replace(self, place: int, *, armed: bool) -> None:
        """The engine at this place ends, if it has not, and another takes it."""
        part = self.site.parts[place]
        if part.process.poll() is None:
            part.process.send_signal(signal.SIGKILL)
        part.process.wait()
        self.site.forget(part)
        point = f"{self._chance.choice(crash.POINTS)}:{self._chance.randint(1, 4)}" if armed else ""
        self._points[part.name] = point
        self.site.parts[place] = self.site.spawn_engine(part.name, SITE_CRASH_AT=point)
