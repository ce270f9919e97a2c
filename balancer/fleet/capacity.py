"""What a fleet of this size can serve: rooms for items, offers, and inventories that may be read at Steam.

How many players can be served at once is decided by the last of these far sooner than by the others: Steam counts reads by
address, so it takes more addresses, not more bots.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from balancer.fleet.choose import Limits
from balancer.fleet.reads import Lane
from balancer.fleet.snapshot import BotView
from shared.domain.health import May


def of(bots: Iterable[BotView], lanes: Sequence[Lane], limits: Limits, reads_waiting: int, groups: int) -> dict[str, Any]:
    """As in `GET /bots`. A number of ``None`` is no limit; ``reads_waiting`` are those of this balancer."""
    taking = [bot for bot in bots if May.TAKE in bot.may]
    per_minute = [lane.per_minute for lane in lanes]
    return {
        "slots_free": sum(max(0, limits.items_max - bot.used) for bot in taking),
        "offers_free": sum(max(0, limits.offers_max - bot.open_offers) for bot in taking),
        "reads_per_minute": None if None in per_minute else round(sum(one for one in per_minute if one), 1),
        "reads_waiting": reads_waiting,
        "groups": groups,
        "addresses": [
            {
                "address": lane.address,
                "bots": len(lane.bots),
                "reads_per_minute": None if lane.per_minute is None else round(lane.per_minute, 1),
            }
            for lane in lanes
        ],
    }
