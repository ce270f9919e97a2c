"""Which bots are asked to read their own inventories now, and audits that somebody asks for."""

from __future__ import annotations

import zlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, func, select, tuple_

from balancer.context import Context
from balancer.custody.audit.rows import AFRESH, AT_ONCE, SCHEDULE, change, differences, finish, locked, unread
from balancer.db import engine, pipeline
from balancer.db.tables import audits, bots, deposits, events
from balancer.fleet.bot import MAINTENANCE
from balancer.journal.by import By
from shared.domain.ids import BotName, bot_name
from shared.domain.status import AuditVerdict, DepositStatus
from shared.errors import NotFound
from shared.orders import InventoryOrder
from shared.sections import TradeSettings


@dataclass(frozen=True, slots=True)
class Due:
    bot: str
    steam_id: str
    order_id: str
    expected: int


async def round_of(ctx: Context) -> int:
    """Ask the bots whose audit is due to read their inventories. Returns how many.

    While Steam is in its maintenance only audits that somebody asked for are tried, and end as inconclusive.
    """
    now, times = ctx.clock.now(), ctx.settings.trades
    online, why_not = {bot.name for bot in ctx.fleet.online()}, "bot_offline"
    if ctx.fleet.maintenance:
        online, why_not = set(), MAINTENANCE
    ids = [ctx.new_id("inventory") for _ in range(AT_ONCE)]
    due = await ctx.db.run(take_due, online, why_not, ids, now, times)
    given = [
        ctx.orders.build("inventory", one.bot, InventoryOrder(one.steam_id, None, one.expected), order_id=one.order_id)
        for one in due
    ]
    if given and not await ctx.outbox.give(given):
        return 0  # without an answer they are asked again
    return len(given)


def take_due(
    connection: Connection,
    online: Collection[str],
    why_not: str,
    order_ids: Sequence[str],
    now: datetime,
    times: TradeSettings,
) -> list[Due]:
    """Write down what is asked now; give up what was asked and never answered, and say ``why_not`` of bots that are away."""
    _know_bots(connection, now, times)
    for row in locked(connection, audits.c.order_id.is_not(None), audits.c.silent_at <= now):
        unread(connection, row, "no_answer", now, times)
    due = []
    for row, order_id in zip(locked(connection, audits.c.order_id.is_(None), audits.c.next_at <= now), order_ids, strict=False):
        if bot_name(row) in online:
            due.append(_ask(connection, row, order_id, now, times))
        elif row.audit_id != row.result_id and row.who != SCHEDULE:
            finish(connection, row, AuditVerdict.INCONCLUSIVE, differences(row), why_not, now, times)
        else:
            change(connection, row, next_at=now + timedelta(seconds=times.audit_again_s))
    return due


def _know_bots(connection: Connection, now: datetime, times: TradeSettings) -> None:
    """A row for every bot; first audits are spread over the time between two, and the later ones stay so."""
    there = select(audits.c.color, audits.c.bot_id)
    new = connection.execute(select(bots).where(tuple_(bots.c.color, bots.c.bot_id).not_in(there)))
    rows = []
    for bot in new:
        share = zlib.crc32(bot_name(bot).encode()) / 2**32
        next_at = now + timedelta(seconds=times.audit_every_s * share)
        rows.append(
            {"color": bot.color, "bot_id": bot.bot_id, "audit_id": "", "who": SCHEDULE, "next_at": next_at, "result_id": ""}
        )
    if rows:
        connection.execute(pipeline.insert(connection, audits).on_conflict_do_nothing(), rows)


def _ask(connection: Connection, row: Row[Any], order_id: str, now: datetime, times: TradeSettings) -> Due:
    afresh: dict[str, Any] = {}
    if row.audit_id == row.result_id:
        afresh = {"audit_id": order_id.replace("inventory", "audit", 1), "who": SCHEDULE, **AFRESH}
    silent_at = now + timedelta(seconds=times.order_expiry_s + times.order_in_hand_s)
    mark = engine.settled_number(connection)
    if mark is None:
        mark = connection.scalar(select(func.max(events.c.number))) or 0
    change(connection, row, **afresh | {"order_id": order_id, "asked_at": now, "silent_at": silent_at, "mark": mark})
    held = (deposits.c.status == DepositStatus.ACTIVE.value, deposits.c.frozen_by.is_(None), deposits.c.settled_at.is_not(None))
    here = (deposits.c.color == row.color, deposits.c.bot_id == row.bot_id)
    expected = connection.scalar(select(func.count()).select_from(deposits).where(*held, *here)) or 0
    return Due(bot_name(row), str(row.steam_id), order_id, expected)


def want(connection: Connection, names: Collection[str] | None, audit_id: str, by: By) -> list[str]:
    """Audit these bots (all, if not said) as soon as may be; their names.

    A look that is under way is begun anew, so that it is later than the wish; what the look before showed is kept.

    Raises:
        NotFound: there is no such bot.
    """
    known = {bot_name(bot): bot for bot in connection.execute(select(bots).order_by(bots.c.color, bots.c.bot_id))}
    chosen = list(known) if names is None else sorted(set(names), key=BotName.parse)
    if unknown := [name for name in chosen if name not in known]:
        raise NotFound(f"there is no bot {unknown[0]}")
    rows = {
        bot_name(row): row
        for row in connection.execute(select(audits).order_by(audits.c.color, audits.c.bot_id).with_for_update())
    }
    for name in chosen:
        bot, row = known[name], rows.get(name)
        if row is None:
            wish = {"audit_id": audit_id, "who": by.who, "next_at": by.now}
            new = pipeline.insert(connection, audits).values(color=bot.color, bot_id=bot.bot_id, result_id="", **wish)
            connection.execute(new.on_conflict_do_update(index_elements=[audits.c.color, audits.c.bot_id], set_=wish))
        elif row.audit_id == row.result_id:
            change(connection, row, audit_id=audit_id, who=by.who, next_at=by.now, **AFRESH)
        else:
            next_at = row.next_at if row.looks and row.order_id is None else by.now
            change(connection, row, audit_id=audit_id, who=by.who, next_at=next_at, order_id=None)
    return chosen
