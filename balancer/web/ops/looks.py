"""How a bot looks at one glance: one word for its health, which is a shape and a color on the page. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from balancer.fleet.bot import Bot
from balancer.fleet.choose import Limits
from balancer.fleet.health import LOOKS
from shared.domain.status import BotMode

# The gravest first: a bot is shown as the first that it is.
HEALTH = {
    "away": "No sign of life, or it cannot look",
    "frozen": "An audit found a difference: it gives and takes nothing",
    "restricted": "Steam does not let it trade",
    "paused": "An operator has paused it",
    "draining": "It only gives items back",
    "full": "It has no room for items, or no free offer",
    "well": "It may do everything",
}


@dataclass(frozen=True, slots=True)
class Tile:
    """One bot among many."""

    bot: Bot
    health: str
    items_bp: int  # of its room, in hundredths of a per cent
    offers_bp: int
    why: str

    @property
    def name(self) -> str:
        return self.bot.bot


def health_of(bot: Bot, limits: Limits) -> str:
    """One word of `HEALTH`."""
    if bot.state not in LOOKS:
        return "away"
    if bot.frozen_by is not None:
        return "frozen"
    if bot.restriction is not None:
        return "restricted"
    if bot.mode is BotMode.PAUSED:
        return "paused"
    if bot.mode is BotMode.DRAINING:
        return "draining"
    return "full" if bot.used >= limits.items_max or bot.open_offers >= limits.offers_max else "well"


def tile(bot: Bot, limits: Limits) -> Tile:
    health = health_of(bot, limits)
    why = ", ".join(each.reason.replace("_", " ") for each in bot.why_not) or HEALTH[health]
    return Tile(bot, health, _share(bot.used, limits.items_max), _share(bot.open_offers, limits.offers_max), why)


def _share(used: int, most: int) -> int:
    return min(10_000, used * 10_000 // most) if most else 10_000


def counted(tiles: Iterable[Tile]) -> dict[str, int]:
    """How many of each health there are, in the order of `HEALTH`, none left out."""
    counts = Counter(each.health for each in tiles)
    return {health: counts[health] for health in HEALTH}
