"""Plans carried out in memory: what each try comes to is written down before, and time passes only when a plan waits."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from fleet_client.asking import Line, Patience
from fleet_client.steps import Answer, Give, Lost, Open, Outcome, Plan, Read, Send, Stream, Wait

T = TypeVar("T")
A, B = "http://a.example", "http://b.example"
OK = {"user_id": "player-1", "steam_id": "76561198000000002"}  # a `Bound`


def answer(status: int, body: Any, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    kind = "application/problem+json" if status >= 400 else "application/json"
    return Answer(status, {"content-type": kind, **named}, json.dumps(body).encode())


def problem(status: int, code: str, *, retryable: bool = False, headers: Mapping[str, str] = {}, **more: Any) -> Answer:
    document = {"type": f"urn:{code}", "title": code, "status": status, "code": code, "detail": f"detail of {code}"}
    return answer(status, document | {"retryable": retryable, "actor": "site", **more}, **headers)


def proxys(status: int) -> Answer:
    return Answer(status, {"content-type": "text/html"}, b"<html>nginx</html>")


NOT_THERE = Lost(False, "refused")
LOST = Lost(True, "cut off")


@dataclass
class Script:
    """What comes of each try, in order; the last one for ever. A function is asked with the time that has passed."""

    outcomes: list[Outcome | Callable[[float], Outcome]]
    try_s: float = 0.0
    chance: float = 1.0
    sent: list[Send | Open] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    now: float = 1000.0

    def line(self, *addresses: str, patience: Patience | None = None) -> Line:
        return Line(addresses or (A,), patience, lambda: self.chance, clock=lambda: self.now, wall=lambda: 1_700_000_000.0)

    def run(self, plan: Plan[T]) -> T:
        outcome: Outcome = None
        try:
            while True:
                outcome = self._step(plan.send(outcome))
        except StopIteration as end:
            result: T = end.value
            return result

    def take(self, stream: Stream[T], count: int) -> list[T]:
        """The first ``count`` things of an iterator; fewer if it ends."""
        found: list[T] = []
        outcome: Outcome = None
        while len(found) < count:
            try:
                step = stream.send(outcome)
            except StopIteration:
                break
            outcome = None
            if isinstance(step, Give):
                found.append(step.value)
            else:
                outcome = self._step(step)
        return found

    def _step(self, step: Send | Open | Read | Wait) -> Outcome:
        if isinstance(step, Wait):
            self.waits.append(step.seconds)
            self.now += step.seconds
            return None
        if isinstance(step, (Send, Open)):
            self.sent.append(step)
        self.now += self.try_s
        outcome = self.outcomes.pop(0) if len(self.outcomes) > 1 else self.outcomes[0]
        return outcome(self.now - 1000.0) if callable(outcome) else outcome

    @property
    def asked(self) -> list[str]:
        """The addresses of the tries."""
        return [one.address for one in self.sent]
