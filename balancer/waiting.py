"""Withdrawals that wait before their order is given: for a second operator's approval, or until their items have settled.

Their rows are reserved and their offers counted from the request on, but no order exists, so ending one frees its rows at once.
``trades.waits_for`` says what for; the sweep lets go whoever waits for nothing any more (`release`). After a restore one may be
in doubt, as it may have been let go since the backup; if a search shows that nothing is out, it waits again.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, and_, select, update

from balancer import journal, reversal
from balancer.models import bots, deposits, tokens, trade_items, trades, users
from balancer.switches import WITHDRAWALS
from shared.domain.status import BotMode, DepositStatus, TradeStatus
from shared.errors import Forbidden, NotFound, TooLate
from shared.settings import TradeSettings

if TYPE_CHECKING:
    from balancer.context import Context

WHO = "sweep"
BATCH_MAX = 200


class WaitsFor(StrEnum):
    """What a queued trade waits for before its order is given."""

    APPROVAL = journal.APPROVAL
    SETTLEMENT = "settlement"


def until(rows: Sequence[Row[Any]], times: TradeSettings, now: datetime) -> datetime | None:
    """When the last of these rows should have settled; ``None`` if all have."""
    open_rows = [row for row in rows if row.settled_at is None]
    margin = timedelta(seconds=times.settle_margin_s)
    return max((max(row.settles_at + margin, now) if row.settles_at else now + margin for row in open_rows), default=None)


async def release(ctx: Context) -> int:
    """Let withdrawals go whose items have settled by now. Returns how many; their orders are the sweep's next work.

    While withdrawals are paused, and while Steam is away, they wait on.
    """
    if ctx.fleet.maintenance or ctx.switches.paused(WITHDRAWALS):
        return 0
    online = {(bot.color, bot.bot_id) for bot in ctx.fleet.online()}
    changed = await ctx.db.run(_release_due, online, ctx.settings.trades, journal.Rules.of(ctx.settings), ctx.clock.now())
    ctx.waiters.notify(changed)
    return len(changed)


def _release_due(
    connection: Connection, online: set[tuple[str, int]], times: TradeSettings, rules: journal.Rules, now: datetime
) -> list[str]:
    due = and_(
        trades.c.waits_for == WaitsFor.SETTLEMENT.value,
        trades.c.status == TradeStatus.QUEUED.value,
        trades.c.next_try_at <= now,
    )
    query = select(trades).where(due).order_by(trades.c.next_try_at).limit(BATCH_MAX).with_for_update()
    found = list(connection.execute(query))
    return [trade.trade_id for trade in found if _try_release(connection, trade, online, times, rules, now)]


def _try_release(
    connection: Connection,
    trade: Row[Any],
    online: set[tuple[str, int]],
    times: TradeSettings,
    rules: journal.Rules,
    now: datetime,
) -> bool:
    """Whether the trade changed: it goes on, or it ends because it may not."""
    rows = _rows(connection, trade.trade_id)
    why_not = _forbidden(connection, trade, rows)
    if why_not:
        reversal.recall(connection, trade, why_not, WHO, now, rules)
        return True
    if any(row.settled_at is None for row in rows) or not _bot_gives(connection, trade, online):
        _postpone(connection, trade, now + timedelta(seconds=times.items_look_s))
        return False
    let_go(connection, trade, rows, times, WHO, now)
    return True


def _rows(connection: Connection, trade_id: str) -> list[Row[Any]]:
    query = (
        select(deposits)
        .join(trade_items, trade_items.c.deposit_id == deposits.c.deposit_id)
        .where(trade_items.c.trade_id == trade_id)
        .order_by(deposits.c.deposit_id)
        .with_for_update(of=deposits)
    )
    return list(connection.execute(query))


def _forbidden(connection: Connection, trade: Row[Any], rows: Sequence[Row[Any]]) -> str | None:
    """Why this withdrawal must not go on at all."""
    if any(row.frozen_by is not None or row.status != DepositStatus.WITHDRAW_PENDING for row in rows):
        return "item_frozen"
    blocked = connection.scalar(select(users.c.blocked_by).where(users.c.user_id == trade.user_id))
    return "partner_blocked" if blocked is not None else None


def _bot_gives(connection: Connection, trade: Row[Any], online: set[tuple[str, int]]) -> bool:
    bot = connection.execute(select(bots).where(bots.c.color == trade.color, bots.c.bot_id == trade.bot_id)).one()
    return (bot.color, bot.bot_id) in online and bot.mode != BotMode.PAUSED and bot.frozen_by is None


def _postpone(connection: Connection, trade: Row[Any], again: datetime) -> None:
    """A bot has yet to see the items settled, or is away just now."""
    connection.execute(update(trades).where(trades.c.trade_id == trade.trade_id).values(next_try_at=again))


def let_go(
    connection: Connection, trade: Row[Any], rows: Sequence[Row[Any]], times: TradeSettings, who: str, now: datetime
) -> None:
    """From now on the trade is like one just asked for: its order is due, its offer's and its token's times begin."""
    for row in rows:  # settling may have moved the items to other ids
        connection.execute(
            update(trade_items)
            .where(trade_items.c.trade_id == trade.trade_id, trade_items.c.deposit_id == row.deposit_id)
            .values(asset_id=row.asset_id, context_id=row.context_id)
        )
    expires_at = now + timedelta(seconds=times.offer_timeout_s)
    connection.execute(
        update(trades)
        .where(trades.c.trade_id == trade.trade_id)
        .values(waits_for=None, next_try_at=now, expires_at=expires_at, touched=now)
    )
    lives_until = now + timedelta(seconds=times.token_lifetime_s)
    connection.execute(update(tokens).where(tokens.c.trade_id == trade.trade_id).values(expires_at=lives_until))
    _append(connection, "withdrawal_released", trade, {"waited_for": trade.waits_for}, who, now)


# --- a second operator's approval ---------------------------------------------------------------------


async def list_approvals(ctx: Context) -> list[str]:
    """The trades that wait for an approval, oldest first."""
    return await ctx.db.look(waiting_for_approval)


def waiting_for_approval(connection: Connection) -> list[str]:
    query = select(trades.c.trade_id).where(trades.c.waits_for == WaitsFor.APPROVAL.value).order_by(trades.c.trade_id)
    return list(connection.scalars(query.limit(BATCH_MAX)))


async def decide(ctx: Context, trade_id: str, client_id: str | None, who: str, *, approve: bool) -> None:
    """Let a withdrawal go, or end it.

    Raises:
        NotFound: no such trade.
        Forbidden: ``own_request``, the client that asked for it decides about it.
        TooLate: it does not wait for an approval (any more).
    """
    rules, now = journal.Rules.of(ctx.settings), ctx.clock.now()
    work = functools.partial(decide_in, approve=approve)
    await ctx.db.run(work, trade_id, client_id, who, ctx.settings.trades, rules, now)
    ctx.waiters.notify([trade_id])


def decide_in(
    connection: Connection,
    trade_id: str,
    client_id: str | None,
    who: str,
    times: TradeSettings,
    rules: journal.Rules,
    now: datetime,
    *,
    approve: bool,
) -> None:
    """`decide` inside a transaction. Without a client it is an operator at the command line."""
    trade = _undecided(connection, trade_id, client_id)
    if approve:
        _approve(connection, trade, who, times, now)
    else:
        _append(connection, "withdrawal_rejected", trade, {}, who, now)
        reversal.recall(connection, trade, "rejected", who, now, rules)


def _approve(connection: Connection, trade: Row[Any], who: str, times: TradeSettings, now: datetime) -> None:
    """What has settled is released by the sweep too, which looks once more whether it may go."""
    wait = until(_rows(connection, trade.trade_id), times, now)
    values = {"waits_for": WaitsFor.SETTLEMENT.value, "next_try_at": wait or now, "touched": now}
    connection.execute(update(trades).where(trades.c.trade_id == trade.trade_id).values(values))
    _append(connection, "withdrawal_approved", trade, {"settles_at": int(wait.timestamp()) if wait else None}, who, now)


def _undecided(connection: Connection, trade_id: str, client_id: str | None) -> Row[Any]:
    trade = connection.execute(select(trades).where(trades.c.trade_id == trade_id).with_for_update()).first()
    if trade is None:
        raise NotFound("there is no such trade")
    if trade.waits_for != WaitsFor.APPROVAL:
        raise TooLate("the trade does not wait for an approval", status=trade.status)
    if client_id is not None and trade.client_id == client_id:
        raise Forbidden("whoever asked for a withdrawal does not approve it", code="own_request")
    return trade


def _append(connection: Connection, kind: str, trade: Row[Any], data: dict[str, Any], who: str, now: datetime) -> None:
    bot = f"{trade.color}-{trade.bot_id}"
    journal.append(connection, [journal.event_row(kind, data, who, now, trade.trade_id, trade.user_id, bot)])
