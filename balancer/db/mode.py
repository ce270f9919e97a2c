"""Whether a database is that of a live fleet or of one that tests: noted at the first start, and held to ever after.

What a database holds is worth money or nothing, and its events say which by the balancer's setting alone. So a balancer that
tests never works on what is live, nor the other way round.
"""

from __future__ import annotations

from sqlalchemy import Connection, delete, insert, inspect, select

from balancer.db.tables import kept_mode
from shared.errors import SettingsError


def of(connection: Connection) -> bool | None:
    """Whether it is live; ``None``: nobody has said so yet."""
    if not inspect(connection).has_table(kept_mode.name):
        return None
    return connection.scalar(select(kept_mode.c.livemode))


def refuse_other(connection: Connection, livemode: bool) -> None:
    """
    Raises:
        SettingsError: it is the database of a fleet of the other mode.
    """
    kept = of(connection)
    if kept is not None and kept is not livemode:
        raise SettingsError(
            f"This is the database of a fleet that {_does(kept)}, and [balancer] livemode = {_toml(livemode)} makes this one "
            f"that {_does(livemode)}; name a database of its own in [database] url, or set livemode = {_toml(kept)}. If the "
            f"database was opened with the wrong livemode at first: `fleet config mode {_word(livemode)}`"
        )


def note(connection: Connection, livemode: bool) -> None:
    """Once and for all. A second call changes nothing."""
    if of(connection) is None:
        connection.execute(insert(kept_mode).values(one=1, livemode=livemode))


def change(connection: Connection, livemode: bool) -> None:
    """An operator says that it was noted wrongly."""
    connection.execute(delete(kept_mode))
    connection.execute(insert(kept_mode).values(one=1, livemode=livemode))


def _does(livemode: bool) -> str:
    return "is live" if livemode else "tests"


def _word(livemode: bool) -> str:
    return "live" if livemode else "test"


def _toml(livemode: bool) -> str:
    return "true" if livemode else "false"
