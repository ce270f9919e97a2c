"""What each target is owed, when it is tried, and what became of it. Each call is one transaction, or part of one.

Each event that a target wants becomes one row here, in the transaction that moves the target's number on: so none is left out,
whoever dies. A row stays owed until an answer of 2xx was written down. If a balancer dies between the answer and that, the
event is sent again, with the same id: at least once.

Rows of one *lane* are sent one after the other: what is about one trade arrives in order. Lanes do not wait for each other.
An event that is refused is tried again later and later. If several tries in a row come to nothing, the receiver seems to be
away: then one event at a time is tried now and then, and when one is taken, everything is due at once.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import Field
from sqlalchemy import Connection, Row, Select, and_, exists, select, update

from balancer.db import pipeline
from balancer.db.tables import events as journal
from balancer.db.tables import webhook_deliveries, webhook_targets
from balancer.fields import Time, maybe_unix
from balancer.journal import events
from balancer.journal.by import By
from balancer.webhooks import targets
from shared.errors import NotFound
from shared.sections import WebhookSettings

PAGE = 500
REDELIVER_MAX = 1000
# So many tries in a row that came to nothing, and the receiver counts as away.
AWAY_AFTER = 3
RETRY_FACTOR = 4
GONE = 410


@dataclass(frozen=True, slots=True)
class Due:
    """An event that is to be sent now."""

    lane: str
    event: events.Event


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one try: the answer's status, or one word why there was none."""

    number: int
    status: int | None
    error: str | None
    at: datetime

    @property
    def taken(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event for one target. Of the answer nothing but its status is kept."""

    number: int
    kind: str
    trade_id: str | None
    state: Literal["delivered", "waiting"]
    tries: int
    status: Annotated[int | None, Field(description="Of the last answer")]
    error: Annotated[str | None, Field(description="Why there was none: timeout, connection, tls, protocol, refused")]
    tried_at: Time | None
    delivered_at: Time | None
    next_try_at: Time | None


def lease(connection: Connection, target_id: str, me: str, now: datetime, until: datetime) -> bool:
    """Be the one who sends to this target, or go on being it. Whether that is so."""
    free = webhook_targets.c.lease_by.is_(None) | (webhook_targets.c.lease_by == me) | (webhook_targets.c.lease_until < now)
    changed = connection.execute(
        update(webhook_targets)
        .where(webhook_targets.c.target_id == target_id, webhook_targets.c.disabled_at.is_(None), free)
        .values(lease_by=me, lease_until=until)
    )
    return changed.rowcount > 0


def let_go(connection: Connection, me: str) -> None:
    """Let another balancer send at once."""
    connection.execute(update(webhook_targets).where(webhook_targets.c.lease_by == me).values(lease_by=None, lease_until=None))


def spread(connection: Connection, target_id: str, me: str, now: datetime) -> bool:
    """Note the next events that this target is to be sent. Whether there may be more at once."""
    mine = (webhook_targets.c.target_id == target_id, webhook_targets.c.lease_by == me)
    target = connection.execute(select(webhook_targets).where(*mine).with_for_update()).first()
    if target is None:
        return False
    behind = events.rows_behind(connection, target.spread_to, PAGE)
    if not behind:
        return False
    kinds = frozenset(target.kinds.split())
    rows = [
        {"target_id": target_id, "number": event.number, "lane": lane_of(event), "next_at": now}
        for event in behind
        if wants(kinds, target_id, event)
    ]
    pipeline.insert_rows(connection, [(webhook_deliveries, rows)])
    connection.execute(update(webhook_targets).where(*mine).values(spread_to=behind[-1].number))
    return len(behind) == PAGE


def wants(kinds: Collection[str], target_id: str, event: Row[Any]) -> bool:
    """Whether this target is sent this event."""
    if event.kind == events.WEBHOOK_TEST:
        return bool(json.loads(event.data).get("target_id") == target_id)
    return not kinds or event.kind in kinds


def lane_of(event: Row[Any]) -> str:
    """What its order is kept with. A user's name is nobody's business here, and may be forgotten elsewhere."""
    if event.trade_id or event.bot:
        return event.trade_id or f"bot:{event.bot}"
    return hashlib.blake2b(event.user_id.encode(), digest_size=8).hexdigest() if event.user_id else ""


def due(connection: Connection, target_id: str, now: datetime, most: int, livemode: bool, *, probe: bool = False) -> list[Due]:
    """Owed events whose time has come, in the order of their numbers; of each lane without a gap from its first on.

    With ``probe`` only the oldest, whether or not its time has come: to see whether the receiver is back.
    """
    mine, earlier = webhook_deliveries, webhook_deliveries.alias("earlier")
    blocked = exists().where(
        earlier.c.target_id == mine.c.target_id,
        earlier.c.lane == mine.c.lane,
        earlier.c.number < mine.c.number,
        earlier.c.delivered_at.is_(None),
        earlier.c.next_at > now,
    )
    query = (
        select(mine.c.lane, journal)
        .join(journal, journal.c.number == mine.c.number)
        .where(mine.c.target_id == target_id, mine.c.delivered_at.is_(None))
        .order_by(mine.c.number)
    )
    query = query.limit(1) if probe else query.where(mine.c.next_at <= now, ~blocked).limit(most)
    return [Due(row.lane, events.view(row, livemode)) for row in connection.execute(query)]


def note(
    connection: Connection, target_id: str, me: str, results: Sequence[Result], now: datetime, rules: WebhookSettings
) -> None:
    """Write down what became of these tries, and what follows from it for the target. Of a lost lease it writes nothing:
    whoever has it sends them again."""
    mine = (webhook_targets.c.target_id == target_id, webhook_targets.c.lease_by == me)
    target = connection.execute(select(webhook_targets).where(*mine).with_for_update()).first()
    if target is None or not results:
        return
    of_it = webhook_deliveries.c.target_id == target_id
    for status in {result.status for result in results if result.taken}:
        numbers = [result.number for result in results if result.status == status]
        taken = {"tries": webhook_deliveries.c.tries + 1, "tried_at": now, "status": status, "error": None, "delivered_at": now}
        connection.execute(update(webhook_deliveries).where(of_it, webhook_deliveries.c.number.in_(numbers)).values(taken))
    refused = {result.number: result for result in results if not result.taken}
    query = select(webhook_deliveries).where(of_it, webhook_deliveries.c.number.in_(refused))
    gave_up = None
    for row in connection.execute(query).all():
        result, first_at = refused[row.number], row.first_at or refused[row.number].at
        values = {
            "tries": row.tries + 1,
            "tried_at": result.at,
            "status": result.status,
            "error": result.error,
            "first_at": first_at,
            "next_at": now + timedelta(seconds=retry_s(row.tries + 1, rules)),
        }
        connection.execute(update(webhook_deliveries).where(of_it, webhook_deliveries.c.number == row.number).values(values))
        if now - first_at >= timedelta(seconds=rules.give_up_s):
            gave_up = result
    _note_target(connection, target, results, now, rules)
    gone = next((result for result in results if result.status == GONE), None)
    if gone is not None or gave_up is not None:
        last = gone or gave_up
        assert last is not None
        why = "gone" if gone is not None else "gave_up"
        targets.disable(connection, target, why, str(last.status or last.error), now)


def _note_target(connection: Connection, target: Any, results: Sequence[Result], now: datetime, rules: WebhookSettings) -> None:
    """Whether its receiver seems to be away, or is back."""
    of_it = webhook_targets.c.target_id == target.target_id
    if any(result.taken for result in results):
        if target.pause_until is not None:
            owed = and_(webhook_deliveries.c.target_id == target.target_id, webhook_deliveries.c.delivered_at.is_(None))
            connection.execute(update(webhook_deliveries).where(owed, webhook_deliveries.c.next_at > now).values(next_at=now))
        if target.fails:
            back = {"fails": 0, "failing_since": None, "pause_until": None}
            connection.execute(update(webhook_targets).where(of_it).values(back))
        return
    fails = target.fails + len(results)
    pause_s = pause_after_s(fails, rules)
    connection.execute(
        update(webhook_targets)
        .where(of_it)
        .values(
            fails=fails,
            failing_since=target.failing_since or now,
            pause_until=None if pause_s is None else now + timedelta(seconds=pause_s),
        )
    )


def retry_s(tries: int, rules: WebhookSettings) -> float:
    """How long an event waits after so many tries."""
    return float(min(rules.retry_max_s, rules.retry_min_s * RETRY_FACTOR ** min(tries - 1, 20)))


def pause_after_s(fails: int, rules: WebhookSettings) -> float | None:
    """How long nothing is tried after so many tries in a row; ``None``: the receiver is not believed to be away."""
    if fails < AWAY_AFTER:
        return None
    return float(min(rules.away_look_s, rules.retry_min_s * 2 ** min(fails - AWAY_AFTER, 20)))


def find(connection: Connection, target_id: str, after: int, limit: int, state: str | None = None) -> list[Delivery]:
    """What a target was sent or is owed, behind event ``after``, in order.

    Raises:
        NotFound: there is no such target.
    """
    query = _of_target(connection, target_id, state).where(webhook_deliveries.c.number > after)
    return [_delivery(row) for row in connection.execute(query.order_by(webhook_deliveries.c.number).limit(limit))]


def newest(connection: Connection, target_id: str, limit: int, state: str | None = None) -> list[Delivery]:
    """The last ``limit`` of them, the newest first; errors as of `find`."""
    query = _of_target(connection, target_id, state).order_by(webhook_deliveries.c.number.desc()).limit(limit)
    return [_delivery(row) for row in connection.execute(query)]


def _of_target(connection: Connection, target_id: str, state: str | None) -> Select[Any]:
    _known(connection, target_id)
    query = (
        select(webhook_deliveries, journal.c.kind, journal.c.trade_id)
        .join(journal, journal.c.number == webhook_deliveries.c.number)
        .where(webhook_deliveries.c.target_id == target_id)
    )
    if state is not None:
        owed = webhook_deliveries.c.delivered_at.is_(None)
        query = query.where(owed if state == "waiting" else ~owed)
    return query


def _delivery(row: Row[Any]) -> Delivery:
    return Delivery(
        number=row.number,
        kind=row.kind,
        trade_id=row.trade_id,
        state="waiting" if row.delivered_at is None else "delivered",
        tries=row.tries,
        status=row.status,
        error=row.error,
        tried_at=maybe_unix(row.tried_at),
        delivered_at=maybe_unix(row.delivered_at),
        next_try_at=maybe_unix(row.next_at) if row.delivered_at is None else None,
    )


def redeliver(connection: Connection, target_id: str, first: int, last: int, by: By) -> int:
    """Send these events to a target again, whatever became of them before: up to `REDELIVER_MAX`. How many.

    Those that it does not want, or that lie before it, are left out unless it had been sent them. A second call sends them
    again.

    Raises:
        NotFound: there is no such target, or no such event.
    """
    target = _known(connection, target_id)
    span = and_(journal.c.number >= first, journal.c.number <= min(last, target.spread_to))
    rows = connection.execute(select(journal).where(span).order_by(journal.c.number).limit(REDELIVER_MAX)).all()
    kinds = frozenset(target.kinds.split())
    wanted = [event for event in rows if wants(kinds, target_id, event)]
    if not wanted:
        raise NotFound("There is no such event that this target could have been sent.")
    again = {"delivered_at": None, "next_at": by.now, "tries": 0, "first_at": None, "status": None, "error": None}
    for event in wanted:
        row = {"target_id": target_id, "number": event.number, "lane": lane_of(event), "next_at": by.now}
        put = pipeline.insert(connection, webhook_deliveries).values(row)
        connection.execute(put.on_conflict_do_update(index_elements=["target_id", "number"], set_=again))
    data = {"target_id": target_id, "first": wanted[0].number, "last": wanted[-1].number, "events": len(wanted)}
    events.append(connection, events.row("webhook_redelivery", data, by))
    return len(wanted)


def _known(connection: Connection, target_id: str) -> Any:
    row = connection.execute(select(webhook_targets).where(webhook_targets.c.target_id == target_id)).first()
    if row is None:
        raise NotFound("There is no such target.")
    return row
