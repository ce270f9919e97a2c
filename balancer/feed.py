"""The numbered feed of everything that happened."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from balancer.context import Context


@dataclass(frozen=True, slots=True)
class EventView:
    """One event. ``at`` in unix seconds; ``data`` names what changed, as in ``{"from": "queued", "to": "sent"}``."""

    number: int
    at: int
    kind: str
    trade_id: str | None
    user_id: str | None
    bot: str | None
    who: str
    data: dict[str, Any]


async def events(ctx: Context, after: int, limit: int) -> list[EventView]:
    """The events behind number ``after``, in order. A number never appears once a higher one has been given out."""
    raise NotImplementedError
