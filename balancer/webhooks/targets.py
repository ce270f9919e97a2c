"""Where events are sent: made and changed by operators only. A secret is shown once and kept sealed.

While a secret is changed both sign, so a receiver may know either. An event never holds an address, which may hold a secret
of the receiver's; it names the host.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field
from sqlalchemy import Connection, Row, Select, delete, func, select, update

from balancer.db.tables import events as journal
from balancer.db.tables import idempotency, webhook_deliveries, webhook_targets
from balancer.fields import Time, maybe_unix, unix
from balancer.journal import alarms, events
from balancer.journal.by import By
from shared.errors import Conflict, NotFound, RequestReused
from shared.sealing import MasterKey, seal, unseal

SECRET_PREFIX = "whsec_"  # noqa: S105 - the prefix that the specification gives secrets
SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class Target:
    """One address that events are sent to."""

    target_id: str
    url: str
    kinds: Annotated[list[str], Field(description="Only events of these kinds are sent; none: all")]
    status: Literal["enabled", "disabled"]
    disabled_at: Time | None
    disabled_why: Annotated[str | None, Field(description="`gave_up` after days without success, `gone`: it answered 410")]
    created_at: Time
    created_by: str
    sent_to: Annotated[int, Field(description="Number of the last event that was looked at for it")]
    waiting: Annotated[int, Field(description="Events that it is still owed, of those")]
    failing_since: Time | None
    next_try_at: Annotated[Time | None, Field(description="While the receiver seems to be away")]
    rotating_until: Annotated[Time | None, Field(description="Until then the secret before signs too")]


@dataclass(frozen=True, slots=True)
class WithSecret:
    """A target and its new secret, which is never shown again."""

    target: Target
    secret: Annotated[str, Field(repr=False, description="As the Standard Webhooks libraries take it: whsec_…")]

    def __repr__(self) -> str:
        return f"WithSecret({self.target.target_id})"


@dataclass(frozen=True, slots=True)
class Once:
    """The key under which a client asks for a target, and the hash of what it asks for."""

    client_id: str
    key: str
    body_hash: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """A target that is to be: it is sent what comes behind event ``after``, or from now on. Its address has been checked."""

    target_id: str
    url: str
    kinds: Sequence[str]
    after: int | None = None


def add(
    connection: Connection, wanted: Wanted, master: MasterKey, by: By, targets_max: int, once: Once | None = None
) -> WithSecret:
    """A new target, with the secret that signs what it is sent.

    A second call with the same ``once`` makes nothing: it gives the target as it is now, with the secret it was made with.

    Raises:
        Conflict: ``webhook_exists``, there is one with this address; ``too_many_webhooks``.
        RequestReused: the key was used for something else.
        NotFound: the target that was made under this key was removed.
        IntegrityError: another request has been quicker, with this key or this address; what it did is seen at a second call.
    """
    known = connection.scalars(select(webhook_targets.c.url).with_for_update()).all()
    # Looked up behind the targets: who sees the one that a request with this key has just made sees its key too.
    if once is not None and (made := _made_before(connection, once, master)):
        return made
    if wanted.url in known:
        raise Conflict("There is a target with this address. If you lost its secret, rotate it.", code="webhook_exists")
    if len(known) >= targets_max:
        raise Conflict(f"There are {len(known)} targets, as many as there may be.", code="too_many_webhooks")
    secret = _new_secret()
    row = {
        "target_id": wanted.target_id,
        "url": wanted.url,
        "kinds": " ".join(wanted.kinds),
        "secret_sealed": _seal(master, wanted.target_id, secret),
        "spread_to": events.settled(connection) if wanted.after is None else wanted.after,
        "created_at": by.now,
        "created_by": by.who,
    }
    connection.execute(webhook_targets.insert().values(row))
    if once is not None:
        key = {"client_id": once.client_id, "key": once.key, "body_hash": once.body_hash, "created_at": by.now}
        kept = {"trade_ids": wanted.target_id, "answer_sealed": row["secret_sealed"]}
        connection.execute(idempotency.insert().values({**key, **kept}))
    _tell(connection, "webhook_added", wanted.target_id, wanted.url, by, kinds=list(wanted.kinds))
    return WithSecret(one(connection, wanted.target_id), secret)


def _made_before(connection: Connection, once: Once, master: MasterKey) -> WithSecret | None:
    mine = (idempotency.c.client_id == once.client_id, idempotency.c.key == once.key)
    row = connection.execute(select(idempotency).where(*mine)).first()
    if row is None:
        return None
    if row.body_hash != once.body_hash:
        raise RequestReused()
    secret = unseal(master.at_rest, row.answer_sealed, purpose=_purpose(row.trade_ids)).decode()
    return WithSecret(one(connection, row.trade_ids), secret)


def rotate(connection: Connection, target_id: str, master: MasterKey, by: By, old_lives_s: float) -> WithSecret:
    """A new secret; the one before signs too for ``old_lives_s``.

    A second call within that time replaces the new one, whose answer may have been lost; the old one still signs.

    Raises:
        NotFound.
    """
    row = _row(connection, target_id)
    secret, until = _new_secret(), by.now + timedelta(seconds=old_lives_s)
    rotating = row.old_until is not None and row.old_until > by.now
    values = {
        "secret_sealed": _seal(master, target_id, secret),
        "old_secret_sealed": row.old_secret_sealed if rotating else row.secret_sealed,
        "old_until": until,
    }
    connection.execute(update(webhook_targets).where(webhook_targets.c.target_id == target_id).values(values))
    _tell(connection, "webhook_rotated", target_id, row.url, by, old_until=unix(until))
    return WithSecret(one(connection, target_id), secret)


def enable(connection: Connection, target_id: str, by: By) -> Target:
    """Send to it again, first what it is still owed. A second call changes nothing.

    Raises:
        NotFound.
    """
    row = _row(connection, target_id)
    if row.disabled_at is not None:
        again = {"disabled_at": None, "disabled_why": None, "fails": 0, "failing_since": None, "pause_until": None}
        connection.execute(update(webhook_targets).where(webhook_targets.c.target_id == target_id).values(again))
        connection.execute(
            update(webhook_deliveries)
            .where(webhook_deliveries.c.target_id == target_id, webhook_deliveries.c.delivered_at.is_(None))
            .values(next_at=by.now, first_at=None)
        )
        _tell(connection, "webhook_enabled", target_id, row.url, by)
    return one(connection, target_id)


def disable(connection: Connection, row: Row[Any], why: str, last: str, now: datetime) -> None:
    """Nothing is sent to it any more until an operator says so: an alarm. What it is owed stays."""
    changed = connection.execute(
        update(webhook_targets)
        .where(webhook_targets.c.target_id == row.target_id, webhook_targets.c.disabled_at.is_(None))
        .values(disabled_at=now, disabled_why=why, lease_by=None, lease_until=None)
    )
    if changed.rowcount:
        since = maybe_unix(row.failing_since) or unix(now)
        alarms.of_webhook(connection, row.target_id, host_of(row.url), why, last, since, now)


def remove(connection: Connection, target_id: str, by: By) -> None:
    """Forget a target with everything that it was sent or is owed.

    Raises:
        NotFound.
    """
    row = _row(connection, target_id)
    owed = connection.scalar(_owed(target_id)) or 0
    connection.execute(delete(webhook_deliveries).where(webhook_deliveries.c.target_id == target_id))
    connection.execute(delete(webhook_targets).where(webhook_targets.c.target_id == target_id))
    _tell(connection, "webhook_removed", target_id, row.url, by, owed=owed)


def try_out(connection: Connection, target_id: str, by: By) -> int:
    """An event for this target alone; its number.

    Raises:
        NotFound.
    """
    row = _row(connection, target_id)
    event = events.row(events.WEBHOOK_TEST, {"target_id": target_id, "host": host_of(row.url)}, by)
    events.append(connection, event)
    # Others may write events meanwhile, but no other of this kind and target, whose row is locked.
    written = select(journal.c.number).where(journal.c.kind == events.WEBHOOK_TEST, journal.c.data == event["data"])
    return int(connection.scalars(written.order_by(journal.c.number.desc()).limit(1)).one())


def one(connection: Connection, target_id: str) -> Target:
    """
    Raises:
        NotFound.
    """
    return _view(connection, _row(connection, target_id))


def every(connection: Connection) -> list[Target]:
    """All targets, the oldest first."""
    rows = connection.execute(select(webhook_targets).order_by(webhook_targets.c.created_at, webhook_targets.c.target_id))
    return [_view(connection, row) for row in rows.all()]


def secrets_of(row: Row[Any], master: MasterKey, now: datetime) -> list[str]:
    """Those that sign at this time, the newest first."""
    sealed = [row.secret_sealed]
    if row.old_secret_sealed is not None and row.old_until is not None and row.old_until > now:
        sealed.append(row.old_secret_sealed)
    return [unseal(master.at_rest, each, purpose=_purpose(row.target_id)).decode() for each in sealed]


def host_of(url: str) -> str:
    return urlsplit(url).hostname or ""


def _row(connection: Connection, target_id: str) -> Row[Any]:
    row = connection.execute(select(webhook_targets).where(webhook_targets.c.target_id == target_id).with_for_update()).first()
    if row is None:
        raise NotFound("There is no such target.")
    return row


def _view(connection: Connection, row: Row[Any]) -> Target:
    return Target(
        target_id=row.target_id,
        url=row.url,
        kinds=row.kinds.split(),
        status="enabled" if row.disabled_at is None else "disabled",
        disabled_at=maybe_unix(row.disabled_at),
        disabled_why=row.disabled_why,
        created_at=unix(row.created_at),
        created_by=row.created_by,
        sent_to=row.spread_to,
        waiting=connection.scalar(_owed(row.target_id)) or 0,
        failing_since=maybe_unix(row.failing_since),
        next_try_at=maybe_unix(row.pause_until),
        rotating_until=maybe_unix(row.old_until),
    )


def _owed(target_id: str) -> Select[int]:
    return (
        select(func.count())
        .select_from(webhook_deliveries)
        .where(webhook_deliveries.c.target_id == target_id, webhook_deliveries.c.delivered_at.is_(None))
    )


def _new_secret() -> str:
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def _seal(master: MasterKey, target_id: str, secret: str) -> str:
    return seal(master.at_rest, secret.encode(), purpose=_purpose(target_id))


def _purpose(target_id: str) -> str:
    return f"webhook:{target_id}"


def _tell(connection: Connection, kind: str, target_id: str, url: str, by: By, **data: Any) -> None:
    events.append(connection, events.row(kind, {"target_id": target_id, "host": host_of(url), **data}, by))
