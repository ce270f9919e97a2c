"""Calls to Steam, added up from what the workers say of themselves.

A worker counts from its start, so its counts fall when it starts again. Here they only grow: what a heartbeat has more than the
one before it is added.
"""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter

from shared.domain.ids import BotName
from shared.reports import Heartbeat

USES = ("deposit", "withdraw", "look", "second", "other")


def _uses(beat: Heartbeat) -> dict[str, float]:
    trades = {"deposit": beat.deposit_calls, "withdraw": beat.withdraw_calls}
    rest = max(0.0, beat.steam_calls - sum(trades.values()))
    return {**trades, "look": beat.look_calls, "second": beat.second_calls, "other": rest}


class SteamCalls:
    """``fleet_steam_calls_total`` and ``fleet_steam_throttles_total``, since this balancer was first asked."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._calls = Counter(
            "fleet_steam_calls",
            "Calls to Steam by what they were for (other: sign-in, audits, …)",
            ("color", "use"),
            registry=registry,
        )
        self._throttles = Counter(
            "fleet_steam_throttles", 'How often Steam answered "too many calls"', ("color",), registry=registry
        )
        self._seen: dict[str, Heartbeat] = {}

    def take(self, beats: Iterable[Heartbeat]) -> None:
        """Add what is new. A bot that is heard of for the first time counts from here on."""
        now = {beat.bot: beat for beat in beats}
        for name, beat in now.items():
            color = BotName.parse(name).color
            before = self._seen.get(name)
            old, new = _uses(before or beat), _uses(beat)
            again = before is not None and before.run != beat.run
            for use in USES:
                self._calls.labels(color, use).inc(max(0.0, new[use] - (0.0 if again else old[use])))
            throttled = 0 if again else (before or beat).throttled
            self._throttles.labels(color).inc(max(0, beat.throttled - throttled))
        self._seen |= now
