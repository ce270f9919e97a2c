"""The row of one bot's audit: locked, changed, and ended with a result."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, select, update

from balancer.custody.compare import Difference
from balancer.db.tables import audits, bots
from balancer.journal import events as feed
from balancer.journal.by import By
from shared import log
from shared.domain.ids import bot_name
from shared.domain.status import AuditVerdict
from shared.sections import TradeSettings

logger = log.get(__name__)

WHO = "audit"
SCHEDULE = "schedule"

# Orders of one round, so that a fleet that was away for long does not read everything at once.
AT_ONCE = 20
# Readings that came to nothing, before an audit ends as inconclusive.
TRIES_MAX = 4
# Differences in one event; the result has all of them.
TOLD_MAX = 50


def locked(connection: Connection, *conditions: ColumnElement[bool], wait: bool = False) -> list[Row[Any]]:
    """Up to `AT_ONCE` rows; those that another transaction has locked are left to it, unless they are waited for."""
    query = select(audits, bots.c.steam_id).join(bots, (bots.c.color == audits.c.color) & (bots.c.bot_id == audits.c.bot_id))
    query = query.where(*conditions).order_by(audits.c.next_at, audits.c.color, audits.c.bot_id).limit(AT_ONCE)
    return list(connection.execute(query.with_for_update(of=audits, skip_locked=not wait)))


AFRESH: dict[str, Any] = {"looks": 0, "tries": 0, "suspects": "[]", "looked_at": None, "order_id": None}


def unread(connection: Connection, row: Row[Any], reason: str, now: datetime, times: TradeSettings) -> None:
    """A reading that came to nothing says nothing about items."""
    if row.tries + 1 >= TRIES_MAX:
        finish(connection, row, AuditVerdict.INCONCLUSIVE, differences(row), reason, now, times)
    else:
        change(connection, row, tries=row.tries + 1, order_id=None, reason=reason, next_at=again_at(now, times))


def again_at(now: datetime, times: TradeSettings) -> datetime:
    return now + timedelta(seconds=times.audit_again_s)


def finish(
    connection: Connection,
    row: Row[Any],
    verdict: AuditVerdict,
    reported: Sequence[dict[str, Any]],
    reason: str | None,
    now: datetime,
    times: TradeSettings,
    **counts: int,
) -> None:
    """The result of a whole audit. What an operator knew and is over may freeze the bot again when it comes back."""
    values: dict[str, Any] = dict(
        AFRESH, verdict=verdict.value, reason=reason, finished_at=now, result_id=row.audit_id, **counts
    )
    values |= {"audit_id": row.audit_id, "next_at": now + timedelta(seconds=times.audit_every_s)}
    values["differences"] = json.dumps(reported)
    if verdict is AuditVerdict.INCONCLUSIVE:
        data = {"audit_id": row.audit_id, "reason": reason}
        feed.append(connection, feed.row("audit_inconclusive", data, By(WHO, now), None, None, bot_name(row)))
        logger.warning("audit inconclusive", action="audit", bot=bot_name(row), reason=reason)
    else:
        values["known"] = json.dumps(sorted(set(json.loads(row.known)) & {each["key"] for each in reported}))
    change(connection, row, **values)


def is_bot(row: Row[Any]) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return bots.c.color == row.color, bots.c.bot_id == row.bot_id


def change(connection: Connection, row: Row[Any], **values: Any) -> None:
    connection.execute(update(audits).where(audits.c.color == row.color, audits.c.bot_id == row.bot_id).values(values))


def differences(row: Row[Any]) -> list[dict[str, Any]]:
    """Those of the last audit of this bot that could tell."""
    listed: list[dict[str, Any]] = json.loads(row.differences)
    return listed


def difference_json(each: Difference) -> dict[str, Any]:
    return {
        "key": each.key,
        "kind": each.kind.value,
        "bot": each.bot,
        "deposit_id": each.deposit_id,
        "asset_id": each.asset_id,
        "name": each.name,
        "text": each.text,
    }
