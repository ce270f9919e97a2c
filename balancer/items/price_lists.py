"""Lists of the price file that are held back, and which of them an operator has accepted; the same for all balancers.

Each balancer reads the file of `[balancer] prices_file`, the feed ``file``, by itself. A list is known by the SHA-256 of its
bytes, so an operator accepts exactly the list that was shown. Feeds, which one balancer fetches for all, are in
`balancer.items.feeds.kept`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, select, update

from balancer.db import pipeline
from balancer.db.tables import price_lists
from balancer.journal import events
from balancer.journal.by import By
from shared.errors import NotFound, TooLate

FILE = "file"
KEPT = timedelta(days=90)
DIGEST_SHOWN = 12


@dataclass(frozen=True, slots=True)
class Held:
    """A list that is not believed, why, and how many names it has."""

    digest: str
    why: str
    names: int


@dataclass(frozen=True, slots=True)
class Known:
    """Digests of one feed's lists: those that an operator has accepted, and those that nobody has."""

    accepted: frozenset[str] = frozenset()
    held: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Standing:
    """One list that was held back, as an operator is shown it; ``accepted_by`` is ``None`` while nobody has accepted it."""

    feed: str
    digest: str
    why: str
    names: int
    held_at: datetime
    accepted_at: datetime | None
    accepted_by: str | None


def known(connection: Connection, feed: str) -> Known:
    """What was said of this feed's lists."""
    rows = connection.execute(select(price_lists.c.digest, price_lists.c.accepted_at).where(price_lists.c.feed == feed)).all()
    accepted = frozenset(row.digest for row in rows if row.accepted_at is not None)
    return Known(accepted, frozenset(row.digest for row in rows) - accepted)


def hold(connection: Connection, feed: str, held: Held, now: datetime) -> None:
    """Write down that a list is held back; a second time it changes nothing. Old ones are forgotten."""
    row = {"feed": feed, "digest": held.digest, "why": held.why, "names": held.names, "held_at": now}
    connection.execute(pipeline.insert(connection, price_lists).values(row).on_conflict_do_nothing())
    connection.execute(delete(price_lists).where(price_lists.c.held_at < now - KEPT))


def standing(connection: Connection) -> list[Standing]:
    """Every list that was held back, the newest first."""
    query = select(price_lists).order_by(price_lists.c.held_at.desc(), price_lists.c.digest)
    return [
        Standing(row.feed, row.digest, row.why, row.names, row.held_at, row.accepted_at, row.accepted_by)
        for row in connection.execute(query)
    ]


def accept(connection: Connection, feed: str, digest: str, reason: str, by: By) -> Standing:
    """Let the balancers take this list, which may be named by the beginning of its digest, or by none: the newest that nobody
    has accepted. They do so at their next look.

    Raises:
        NotFound: no list of this feed that begins so is held back, or several are.
        TooLate: it was accepted before.
    """
    matching = [each for each in standing(connection) if each.feed == feed and each.digest.startswith(digest)]
    if not digest:
        matching = [each for each in matching if each.accepted_at is None][:1]
    if len(matching) != 1:
        raise NotFound(
            "several lists begin with these characters; give more of the digest" if matching else "no such list is held back"
        )
    changed = connection.execute(
        update(price_lists)
        .where(price_lists.c.feed == feed, price_lists.c.digest == matching[0].digest, price_lists.c.accepted_at.is_(None))
        .values(accepted_at=by.now, accepted_by=by.who)
    )
    if not changed.rowcount:
        raise TooLate("this list was accepted before")
    data = {"feed": feed, "digest": matching[0].digest, "why": matching[0].why, "names": matching[0].names, "reason": reason}
    events.append(connection, events.row("prices_accepted", data, by))
    return next(each for each in standing(connection) if (each.feed, each.digest) == (feed, matching[0].digest))
