"""What follows from a reversed exchange beyond its own rows, and who has what in the end.

The rows of the trade are frozen by the journal in the same transaction. Here the partner is blocked, and what hangs on those
rows, a withdrawal of an item that is going back, is taken back. What was reversed is booked only from what a bot sees
(`balancer.upkeep.settle`, `journal.record_deposits`); the event ``reversal`` says each time who has what by then.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select, update

from balancer.db.tables import bots, deposits, trade_items, trades, users
from balancer.journal import alarms, events, record
from balancer.journal.by import By
from balancer.journal.rules import ByRules, Rules
from balancer.trades import cancel
from shared.domain.status import LIVE, DepositStatus, Direction

D = DepositStatus

WHO = "balancer"
REVERSAL = "reversal"
OWN_REVERSAL = "own_reversal"
# Who took it back, as the bot that looked at its own account tells it.
BOT = "bot"
_LIVE = [status.value for status in LIVE]


def begin(connection: Connection, trade_id: str, now: datetime, rules: Rules, reversed_by: object = None) -> list[str]:
    """The exchange of this trade was just seen reversed. Returns the trades that hang on it and are to be canceled.

    Whoever reversed it gets nothing more: the player, or, as its bot says (``reversed_by``), the bot's own account.
    """
    trade = record.read_trade(connection, trade_id)
    if reversed_by == BOT:
        _freeze_bot(connection, trade, now)
    else:
        _block(connection, trade, now)
    hanging = _hanging(connection, trade_id)
    for one in hanging:
        cancel.request(connection, one, ByRules(WHO, now, rules), reason=REVERSAL, dropped=REVERSAL)
    if trade.items_awaited == 0:
        tell(connection, trade_id, now)
    return [one.trade_id for one in hanging]


def _freeze_bot(connection: Connection, trade: Row[Any], now: datetime) -> None:
    """It was this bot's own account: the player is innocent, and somebody else has the account."""
    here = (bots.c.color == trade.color, bots.c.bot_id == trade.bot_id, bots.c.frozen_by.is_(None))
    connection.execute(update(bots).where(*here).values(frozen_by=OWN_REVERSAL, touched=now))
    alarms.of_trade(connection, alarms.OWN_REVERSAL, trade, {"exchange_id": trade.exchange_id}, By(WHO, now))


def _block(connection: Connection, trade: Row[Any], now: datetime) -> None:
    blocked = connection.execute(
        update(users)
        .where(users.c.user_id == trade.user_id, users.c.blocked_by.is_(None))
        .values(blocked_by=trade.trade_id, blocked_at=now)
    )
    if blocked.rowcount:
        data = {"steam_id": str(trade.partner), "reason": REVERSAL}
        events.of_trade(connection, "partner_blocked", trade, data, By(WHO, now))


def unblock(connection: Connection, user_id: str | None, steam_id: int | None, by: By) -> str | None:
    """Let this user, or the one with this Steam account, trade again. The user's id; ``None`` if nobody such is blocked."""
    which = users.c.user_id == user_id if user_id is not None else users.c.steam_id == steam_id
    row = connection.execute(select(users).where(which, users.c.blocked_by.is_not(None)).with_for_update()).first()
    if row is None:
        return None
    connection.execute(update(users).where(users.c.user_id == row.user_id).values(blocked_by=None, blocked_at=None))
    data = {"steam_id": str(row.steam_id), "blocked_by": row.blocked_by}
    events.append(connection, events.row("partner_unblocked", data, by, None, row.user_id))
    return str(row.user_id)


def _hanging(connection: Connection, trade_id: str) -> list[Row[Any]]:
    """Live withdrawals of items that this trade brought."""
    mine = select(trade_items.c.deposit_id).where(trade_items.c.trade_id == trade_id)
    others = select(trade_items.c.trade_id).where(trade_items.c.deposit_id.in_(mine))
    query = select(trades).where(trades.c.trade_id.in_(others), trades.c.trade_id != trade_id, trades.c.status.in_(_LIVE))
    return list(connection.execute(query.order_by(trades.c.trade_id).with_for_update()))


def tell(connection: Connection, trade_id: str, now: datetime) -> None:
    """Append the event that says who has what of a reversed trade by now, as far as a bot has seen it."""
    trade = record.read_trade(connection, trade_id)
    query = (
        select(
            trade_items.c.deposit_id,
            trade_items.c.market_hash_name,
            trade_items.c.value_cents,
            deposits.c.status,
            deposits.c.user_id,
            deposits.c.frozen_by,
        )
        .outerjoin(deposits, deposits.c.deposit_id == trade_items.c.deposit_id)
        .where(trade_items.c.trade_id == trade_id)
        .order_by(trade_items.c.deposit_id)
    )
    items = [{**row._mapping, "with": _holder(trade.direction, row.status)} for row in connection.execute(query)]
    data = {
        "direction": trade.direction,
        "steam_id": str(trade.partner),
        "complete": trade.items_awaited == 0,
        "items": items,
    }
    events.of_trade(connection, REVERSAL, trade, data, By(WHO, now))


def _holder(direction: str, status: str | None) -> str:
    """Who has the item, by what was seen."""
    if direction == Direction.DEPOSIT:
        return "player" if status in (D.REVERSED, D.WITHDRAWN) else "unknown"
    return "bot" if status == D.ACTIVE else "unknown"
