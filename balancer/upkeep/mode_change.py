"""An operator says that a database was noted as of the wrong mode."""

from __future__ import annotations

from sqlalchemy import Connection

from balancer.db import mode
from balancer.journal import events
from balancer.journal.by import By


def change(connection: Connection, livemode: bool, by: By) -> bool:
    """From now on it is of a live fleet, or of one that tests. Whether that is new; a second call changes nothing."""
    if mode.of(connection) is livemode:
        return False
    mode.change(connection, livemode)
    events.append(connection, events.row("mode_changed", {"live": livemode}, by))
    return True
