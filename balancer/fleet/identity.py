"""Who each bot is as players see it in Steam: the last that was known, kept in its row over restarts.

A worker tells it in its heartbeat, as far as it knows; what one does not tell stays as it was told before.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field
from sqlalchemy import Connection, Row, update

from balancer.db.engine import Database
from balancer.db.tables import bots
from balancer.fields import Time
from shared.domain.identity import NOBODY, Identity
from shared.reports import Heartbeat

AVATAR = "{base}{name}_full.jpg"  # Steam's picture of 184 pixels a side


@dataclass(frozen=True, slots=True)
class BotIdentity:
    """A bot as players see it in Steam, as far as anybody knows. Anybody can copy it: it proves nothing."""

    name: Annotated[str | None, Field(description="At most 32 characters, without any that are invisible; escape it")]
    avatar_url: Annotated[str | None, Field(description="Its picture, at the address in `balancer.avatars_url`")]
    level: Annotated[int | None, Field(description="Its Steam level")]
    since: Annotated[Time | None, Field(description="When the account was made")]

    @classmethod
    def of(cls, known: Identity, avatars_url: str) -> BotIdentity | None:
        if known == NOBODY:
            return None
        picture = AVATAR.format(base=avatars_url, name=known.avatar) if avatars_url and known.avatar else None
        return cls(known.name, picture, known.level, known.since)


def known_of(row: Row[Any], beat: Heartbeat | None) -> Identity:
    """What the heartbeat says, over what the row keeps; nothing of a worker that is signed in as somebody else."""
    kept = NOBODY if row.identity is None else Identity.of(json.loads(row.identity))
    if beat is None or beat.identity is None or beat.steam_id != str(row.steam_id):
        return kept
    return Identity.of(beat.identity).over(kept)


def as_kept(known: Identity) -> str | None:
    """As it stands in a bot's row."""
    return json.dumps(known.to_json(), separators=(",", ":")) if known != NOBODY else None


@dataclass(frozen=True, slots=True)
class News:
    """A bot of which more is known than its row says; ``before`` is what that said."""

    color: str
    bot_id: int
    before: str | None
    now: str | None


async def keep(news: Iterable[News], db: Database) -> None:
    """Write down what is new. A second call changes nothing, and of two balancers the first one counts."""
    for each in news:
        await db.run(_keep, each)


def _keep(connection: Connection, each: News) -> None:
    mine = (bots.c.color == each.color, bots.c.bot_id == each.bot_id, bots.c.identity.is_not_distinct_from(each.before))
    connection.execute(update(bots).where(*mine).values(identity=each.now))
