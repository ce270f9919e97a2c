"""Users whom the site names before they trade: nothing can be handed to somebody whom the balancer does not know."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from pydantic import Field
from sqlalchemy import Connection, or_, select

from balancer.db import pipeline
from balancer.db.tables import users
from shared.errors import Conflict


@dataclass(frozen=True, slots=True)
class Bound:
    """A user of the site and the Steam account that is theirs."""

    user_id: str
    steam_id: Annotated[str, Field(description="SteamID64")]


def bind(connection: Connection, user_id: str, steam_id: int, now: datetime) -> bool:
    """Bind the two to each other; whether they are so from now on, and not since before.

    Raises:
        Conflict: ``user_mismatch``, one of them is bound to another.
    """
    row = {"user_id": user_id, "steam_id": steam_id, "created_at": now}
    new = pipeline.insert(connection, users).values(row).on_conflict_do_nothing().returning(users.c.user_id)
    if connection.execute(new).first() is not None:
        return True
    query = select(users.c.user_id, users.c.steam_id).where(or_(users.c.user_id == user_id, users.c.steam_id == steam_id))
    if [tuple(pair) for pair in connection.execute(query)] != [(user_id, steam_id)]:
        raise Conflict("this user or this Steam account is bound to another one", code="user_mismatch")
    return False
