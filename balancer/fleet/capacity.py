"""What a fleet of this size can serve: rooms for items, offers, and inventories that may be read at Steam.

How many players can be served at once is decided by the last of these far sooner than by the others: Steam counts reads by
address, so it takes more addresses, not more bots.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from balancer.fleet.bot import Bot
from balancer.fleet.choose import Limits
from balancer.fleet.reads import Lane
from shared.domain.health import May


@dataclass(frozen=True, slots=True)
class Address:
    """One address from which bots ask Steam."""

    address: Annotated[str, Field(description="A host's name, or a proxy's host and port")]
    bots: int
    reads_per_minute: Annotated[float | None, Field(description="Inventories of players; null: no limit")]


@dataclass(frozen=True, slots=True)
class Capacity:
    """What the fleet can serve at the moment."""

    slots_free: Annotated[int, Field(description="Items that bots which take deposits have room for")]
    offers_free: Annotated[int, Field(description="Open offers that deposits may still make")]
    reads_per_minute: Annotated[float | None, Field(description="Inventories of players, over all addresses; null: no limit")]
    reads_waiting: Annotated[int, Field(description="How many of these this balancer has begun or keeps in line")]
    groups: Annotated[
        int,
        Field(description="Groups of bots that are not paused; with two or more, bots of two groups read valuable items"),
    ]
    addresses: list[Address]


def of(bots: Iterable[Bot], lanes: Sequence[Lane], limits: Limits, reads_waiting: int, groups: int) -> Capacity:
    """``reads_waiting`` are those of this balancer."""
    taking = [bot for bot in bots if May.TAKE in bot.may]
    per_minute = [lane.per_minute for lane in lanes]
    return Capacity(
        slots_free=sum(max(0, limits.items_max - bot.used) for bot in taking),
        offers_free=sum(max(0, limits.offers_max - bot.open_offers) for bot in taking),
        reads_per_minute=None if None in per_minute else round(sum(one for one in per_minute if one), 1),
        reads_waiting=reads_waiting,
        groups=groups,
        addresses=[
            Address(lane.address, len(lane.bots), None if lane.per_minute is None else round(lane.per_minute, 1))
            for lane in lanes
        ],
    )
