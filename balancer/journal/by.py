"""Who changes something, and when: what every event says of the change that it is about."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class By:
    """``who`` as events have it: ``client:…``, ``bot:…``, ``balancer``. ``now`` is the moment of the whole unit of work."""

    who: str
    now: datetime
