"""An operator says that a database was noted as of the wrong mode."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from balancer.db import mode
from balancer.journal import events


def change(connection: Connection, livemode: bool, who: str, now: datetime) -> bool:
    """From now on it is of a live fleet, or of one that tests. Whether that is new; a second call changes nothing."""
    if mode.of(connection) is livemode:
        return False
    mode.change(connection, livemode)
    events.append(connection, events.row("mode_changed", {"live": livemode}, who, now))
    return True
