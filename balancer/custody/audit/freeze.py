"""A difference freezes its bot, and an operator lets it go on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select, update

from balancer.custody.audit.rows import TOLD_MAX, WHO, change, difference_json, differences, is_bot
from balancer.custody.compare import Difference, Kind
from balancer.db.tables import audits, bots, deposits
from balancer.journal import events as feed
from balancer.journal.by import By
from shared import log
from shared.domain.ids import BotName, bot_name
from shared.domain.status import DepositStatus
from shared.errors import NotFound

logger = log.get(__name__)

FROZEN = "audit"
ROW_FROZEN = "missing"
ACTION = "the bot is frozen: compare its inventory on Steam with these rows, then `fleet bots unfreeze`"


def freeze(connection: Connection, row: Row[Any], new: Sequence[Difference], now: datetime) -> None:
    """From now on nothing is withdrawn from this bot; the event says why, once for each difference."""
    told_before = {each["key"] for each in differences(row)}
    frozen = connection.execute(
        update(bots).where(*is_bot(row), bots.c.frozen_by.is_(None)).values(frozen_by=FROZEN, touched=now)
    )
    news = [each for each in new if each.key not in told_before]
    if not news and not frozen.rowcount:
        return
    shown = [difference_json(each) for each in (news or new)[:TOLD_MAX]]
    data = {"audit_id": row.audit_id, "count": len(news or new), "differences": shown, "action": ACTION}
    feed.append(connection, feed.row("audit_difference", data, By(WHO, now), None, None, bot_name(row)))
    logger.error("audit difference", action="audit", bot=bot_name(row), count=len(news or new), first=(news or new)[0].text)


def freeze_rows(connection: Connection, new: Sequence[Difference], now: datetime) -> None:
    """What is missing is frozen itself: the other items of its deposit settle without it, and it stays when the bot goes on."""
    missing = [each.deposit_id for each in new if each.kind is Kind.MISSING and each.deposit_id]
    held = (deposits.c.status == DepositStatus.ACTIVE.value, deposits.c.frozen_by.is_(None))
    connection.execute(
        update(deposits).where(deposits.c.deposit_id.in_(missing), *held).values(frozen_by=ROW_FROZEN, touched=now)
    )


def unfreeze(connection: Connection, color: str, bot_id: int, by: By) -> bool:
    """Let a bot go on; the differences that stand there are known from now on and freeze it no more. Whether it was frozen.

    Raises:
        NotFound: no such bot.
    """
    # The audit's row before the bot's, as whoever applies a reading takes them.
    row = connection.execute(select(audits).where(audits.c.color == color, audits.c.bot_id == bot_id).with_for_update()).first()
    bot = connection.execute(select(bots).where(bots.c.color == color, bots.c.bot_id == bot_id).with_for_update()).first()
    if bot is None:
        raise NotFound(f"there is no bot {color}-{bot_id}")
    if bot.frozen_by is None:
        return False
    connection.execute(update(bots).where(*is_bot(bot)).values(frozen_by=None, touched=by.now))
    known = [] if row is None else sorted(each["key"] for each in differences(row))
    if row is not None:
        change(connection, row, known=json.dumps(known))
    data = {"frozen_by": bot.frozen_by, "known": known[:TOLD_MAX]}
    feed.append(connection, feed.row("bot_unfrozen", data, by, None, None, str(BotName(color, bot_id))))
    return True
