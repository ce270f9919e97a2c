"""Every bot's audit, as the site and `fleet audit` show it."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import Connection, Row, select

from balancer.custody import views
from balancer.custody.audit.rows import differences
from balancer.custody.compare import Kind
from balancer.custody.views import BotAudit
from balancer.db.tables import audits, bots
from balancer.fields import maybe_unix, unix
from shared.domain.ids import bot_name
from shared.domain.status import AuditVerdict


def show(connection: Connection, names: Collection[str] | None = None) -> list[BotAudit]:
    """Every bot's audit, or that of those named; by color and number."""
    rows = {bot_name(row): row for row in connection.execute(select(audits))}
    every_bot = connection.execute(select(bots).order_by(bots.c.color, bots.c.bot_id))
    return [_view(bot, rows.get(bot_name(bot))) for bot in every_bot if names is None or bot_name(bot) in names]


def _view(bot: Row[Any], row: Row[Any] | None) -> BotAudit:
    if row is None:
        return BotAudit(bot_name(bot), bot.frozen_by, None, False, 0, None, None, None, None, None, None, [])
    known = set(json.loads(row.known))
    return BotAudit(
        bot=bot_name(bot),
        frozen_by=bot.frozen_by,
        audit_id=row.audit_id or None,
        running=row.audit_id != row.result_id,
        looks=row.looks,
        verdict=None if row.verdict is None else AuditVerdict(row.verdict),
        reason=row.reason,
        finished_at=maybe_unix(row.finished_at),
        next_at=unix(row.next_at),
        rows=row.rows,
        assets=row.assets,
        differences=[_shown(each, known=each["key"] in known) for each in differences(row)],
    )


def _shown(each: Mapping[str, Any], *, known: bool) -> views.Difference:
    fields = {name: value for name, value in each.items() if name not in ("key", "kind")}
    return views.Difference(kind=Kind(each["kind"]), known=known, **fields)
