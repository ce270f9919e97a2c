"""What is kept of each feed, for all balancers and over restarts: its last good list, one that is held back, and its troubles.

A balancer *claims* a feed before it fetches it, so one fetches and all use. A list is known by the digest of its names and
prices, however the feed wrote them.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select, update

from balancer.db import pipeline
from balancer.db.tables import price_feeds
from balancer.items.price_list import PriceList
from balancer.items.trust import SourceList
from balancer.journal import alarms, events
from balancer.journal.by import By
from shared.errors import NotFound

HELD = "held back"


@dataclass(frozen=True, slots=True)
class NewList:
    """A list as it is kept. Made outside of a transaction: packing a long one takes a while."""

    packed: bytes
    digest: str
    names: int
    left_out: int

    @classmethod
    def of(cls, price_list: PriceList) -> NewList:
        text = json.dumps(price_list.cents, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()
        digest = hashlib.sha256(text).hexdigest()
        return cls(zlib.compress(text), digest, len(price_list.cents), price_list.left_out.total())


@dataclass(frozen=True, slots=True)
class HeldList:
    """A list that is not believed. ``digest`` names it, ``held_at`` is the time that its prices are from."""

    digest: str
    why: str
    names: int
    held_at: datetime


@dataclass(frozen=True, slots=True)
class Standing:
    """One feed. ``good_at`` is the time of the list in use: what it says itself, or when it was fetched. ``error`` is of the
    last try, ``failing_since`` of the first of those in a row that came to nothing."""

    source: str
    digest: str | None
    names: int
    left_out: int
    good_at: datetime | None
    error: str | None
    failing_since: datetime | None
    next_at: datetime
    held: HeldList | None

    @property
    def trouble(self) -> str | None:
        """What is wrong, in one line."""
        return f"{HELD}: {self.held.why}" if self.held is not None else self.error


def standings(connection: Connection) -> dict[str, Standing]:
    """Every feed that was ever claimed, by name; without their lists."""
    columns = [column for column in price_feeds.c if column.name not in ("good", "held")]
    return {row.source: _standing(row) for row in connection.execute(select(*columns))}


def good_list(connection: Connection, source: str) -> SourceList | None:
    """The last good list of a feed; ``None`` if there was none yet."""
    row = connection.execute(select(price_feeds).where(price_feeds.c.source == source)).first()
    return None if row is None or row.good is None else SourceList(source, row.good_at, _unpacked(row.good), row.good_digest)


def claim(connection: Connection, source: str, now: datetime, until: datetime) -> bool:
    """Whether it is time to fetch this feed, and nobody else does; nobody else will before ``until``."""
    connection.execute(pipeline.insert(connection, price_feeds).values(source=source, next_at=now).on_conflict_do_nothing())
    due = (price_feeds.c.source == source, price_feeds.c.next_at <= now)
    return connection.execute(update(price_feeds).where(*due).values(next_at=until)).rowcount > 0


def note_good(connection: Connection, source: str, new: NewList, before: str | None, at: datetime, next_at: datetime) -> bool:
    """This list, whose prices are of the time ``at``, is in use from now on. One that was held back before is forgotten.

    ``before`` is the digest of the list that it was compared with. If another one is in use by now nothing is changed, and the
    feed is fetched again soon; whether it was changed.
    """
    values = {
        "good": new.packed,
        "good_digest": new.digest,
        "good_at": at,
        "names": new.names,
        "left_out": new.left_out,
        **_NOTHING_HELD,
    }
    return _note(connection, source, values, before, next_at)


def note_held(
    connection: Connection,
    source: str,
    new: NewList,
    why: str,
    before: str | None,
    at: datetime,
    now: datetime,
    next_at: datetime,
) -> bool:
    """This list is held back, in place of one that was before; the good one stays. An alarm, once a day. As `note_good`."""
    values = {
        "held": new.packed,
        "held_digest": new.digest,
        "held_why": why,
        "held_names": new.names,
        "held_at": at,
    }
    if not _note(connection, source, values, before, next_at):
        return False
    alarms.of_feed(connection, source, f"{HELD}: {why}", HELD, now)
    return True


def _note(connection: Connection, source: str, values: dict[str, Any], before: str | None, next_at: datetime) -> bool:
    same = (price_feeds.c.source == source, price_feeds.c.good_digest.is_not_distinct_from(before))
    read = {"error": None, "failing_since": None, "next_at": next_at}
    return connection.execute(update(price_feeds).where(*same).values({**values, **read})).rowcount > 0


def note_failed(
    connection: Connection, source: str, error: str, now: datetime, next_at: datetime, alarm_before: datetime
) -> None:
    """Nothing came of it; the good list stays. An alarm, once a day for each reason, if the good list is from before
    ``alarm_before`` or there was none yet."""
    row = connection.execute(select(price_feeds).where(price_feeds.c.source == source)).one()
    values = {"error": error, "failing_since": row.failing_since or now, "next_at": next_at}
    connection.execute(update(price_feeds).where(price_feeds.c.source == source).values(values))
    if row.good_at is None or row.good_at < alarm_before:
        alarms.of_feed(connection, source, error, error, now)


def accept(connection: Connection, source: str, digest: str, reason: str, by: By) -> Standing:
    """Use the list of this feed that is held back. ``digest``, or its beginning, says which list was looked at; empty: the one
    that is held back now. Its prices stay as old as they are.

    Raises:
        NotFound: no list of this feed is held back, or it is another one by now.
    """
    row = connection.execute(select(price_feeds).where(price_feeds.c.source == source).with_for_update()).first()
    if row is None or row.held is None:
        raise NotFound("no list of this feed is held back")
    if not row.held_digest.startswith(digest):
        raise NotFound("another list is held back by now; look at `fleet prices status` again")
    values = {"good": row.held, "good_digest": row.held_digest, "good_at": row.held_at, "names": row.held_names, "left_out": 0}
    connection.execute(update(price_feeds).where(price_feeds.c.source == source).values({**values, **_NOTHING_HELD}))
    data = {"feed": source, "digest": row.held_digest, "why": row.held_why, "names": row.held_names, "reason": reason}
    events.append(connection, events.row("prices_accepted", data, by))
    return standings(connection)[source]


_NOTHING_HELD: dict[str, Any] = {f"held{part}": None for part in ("", "_digest", "_why", "_names", "_at")}


def _standing(row: Row[Any]) -> Standing:
    held = None if row.held_digest is None else HeldList(row.held_digest, row.held_why, row.held_names, row.held_at)
    return Standing(
        row.source, row.good_digest, row.names, row.left_out, row.good_at, row.error, row.failing_since, row.next_at, held
    )


def _unpacked(data: bytes) -> dict[str, int]:
    cents: dict[str, int] = json.loads(zlib.decompress(data))
    return cents
