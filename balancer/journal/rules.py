"""The settings by which the journal decides."""

from __future__ import annotations

from dataclasses import dataclass, field

from balancer.journal import swaps
from balancer.journal.by import By
from shared.settings import Settings


def _no_value(_name: str) -> int | None:
    return None


@dataclass(frozen=True, slots=True)
class Rules:
    """The settings that decide how often and how soon a bot is asked again."""

    attempts_max: int
    retry_after_s: float
    find_s: float = 30.0
    unanswered_s: float = 300.0  # an offer that stood this long and came to nothing was left unanswered
    declined_at_once_s: float = 0.0
    value_of: swaps.ValueOf = field(default=_no_value)

    @classmethod
    def of(cls, settings: Settings) -> Rules:
        times = settings.trades
        unanswered_s = min(times.offer_timeout_min_s, times.offer_timeout_s)
        return cls(times.attempts_max, times.retry_after_s, times.find_s, unanswered_s, times.declined_at_once_s)


@dataclass(frozen=True, slots=True)
class ByRules(By):
    """The same of a change that may have to decide what happens next."""

    rules: Rules
