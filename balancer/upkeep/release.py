"""Withdrawals that wait before their order is given: for an approval, until their items have settled, in line for an offer.

Their rows are reserved from the request on, but no order exists and no open offer of the bot is taken, so that nobody is kept
from trading by what waits, and ending one frees its rows at once. ``trades.waits_for`` says what for; the sweep lines up
whoever waits for nothing else any more, and lets go whose turn it is (`release`). After a restore one may be in doubt, as it
may have been let go since the backup; if a search shows that nothing is out, it waits again.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, and_, select, update

from balancer.context import Context
from balancer.db.tables import tokens, trade_items, trades, users
from balancer.fleet.switches import WITHDRAWALS
from balancer.journal import events
from balancer.journal.by import By
from balancer.journal.rules import ByRules, Rules
from balancer.trades import approvals, cancel, line, outflow, players, shares
from balancer.trades.players import Holdings
from shared.domain.health import May
from shared.domain.ids import BotName
from shared.domain.status import DepositStatus, TradeStatus, WaitsFor
from shared.sections import TradeSettings
from shared.settings import Settings

WHO = "sweep"
BATCH_MAX = 200
BOTS_MAX = 200  # whose lines are looked at together


async def release(ctx: Context) -> int:
    """Let withdrawals go that wait for nothing more than a free open offer of their bot, each in its turn.

    Returns how many go on or end; the orders of those that go on are the sweep's next work. While withdrawals are paused, and
    while Steam is away, they wait on.
    """
    if ctx.fleet.maintenance or ctx.switches.paused(WITHDRAWALS):
        return 0
    times, rules, now = ctx.settings.trades, Rules.of(ctx.settings), ctx.clock.now()
    paused = [*ctx.switches.paused_clients(), *await ctx.db.read(line.full_clients, ctx.settings.limits)]
    changed = await ctx.db.run(_line_up, times, rules, now)
    giving = {(bot.color, bot.bot_id) for bot in ctx.fleet.online() if May.GIVE in bot.may}
    served = [place for place in await ctx.db.read(line.places) if place in giving]
    for start in range(0, len(served), BOTS_MAX):
        fronts = await ctx.db.read(line.front, ctx.settings.limits, served[start : start + BOTS_MAX], paused)
        for place, trade_ids in fronts.items():
            done, hit = await ctx.db.run(_serve, BotName(*place), trade_ids, ctx.settings, now)
            changed += done
            if hit is not None:  # the other lines wait for the next round, which knows of the pause
                await outflow.pause(ctx, hit)
                ctx.changes.notify(changed)
                return len(changed)
    ctx.changes.notify(changed)
    return len(changed)


def _line_up(connection: Connection, times: TradeSettings, rules: Rules, now: datetime) -> list[str]:
    """Whose items have settled goes in line for an offer; whose may not be given out at all has ended: these are returned."""
    due = and_(
        trades.c.waits_for == WaitsFor.SETTLEMENT.value,
        trades.c.status == TradeStatus.QUEUED.value,
        trades.c.next_try_at <= now,
    )
    query = select(trades).where(due).order_by(trades.c.next_try_at).limit(BATCH_MAX).with_for_update()
    ended = []
    for trade in list(connection.execute(query)):
        rows = approvals.rows_of(connection, trade.trade_id)
        if _ended(connection, trade, rows, now, rules):
            ended.append(trade.trade_id)
        elif any(row.settled_at is None for row in rows):  # a bot has yet to see them settled
            _wait_for(connection, trade, WaitsFor.SETTLEMENT, now + timedelta(seconds=times.items_look_s))
        else:
            _wait_for(connection, trade, WaitsFor.OFFER, now)
    return ended


def _wait_for(connection: Connection, trade: Row[Any], what: WaitsFor, when: datetime | None) -> None:
    values = {"waits_for": what.value, "next_try_at": when}
    connection.execute(update(trades).where(trades.c.trade_id == trade.trade_id).values(values))


def _serve(
    connection: Connection, bot: BotName, trade_ids: list[str], settings: Settings, now: datetime
) -> tuple[list[str], outflow.Hit | None]:
    """Give open offers of this bot to these trades in its line, in their order.

    Returns those that go on, or end, and the limit of what goes out that the next one would pass.
    """
    outflow.take_turns(connection, settings.limits)
    in_line = and_(trades.c.waits_for == WaitsFor.OFFER.value, trades.c.status == TradeStatus.QUEUED.value)
    query = select(trades).where(trades.c.trade_id.in_(trade_ids), in_line).order_by(trades.c.trade_id).with_for_update()
    due = sorted(connection.execute(query), key=lambda trade: (trade.next_try_at, trade.trade_id))
    users = players.lock(connection, (trade.user_id for trade in due))
    held = {user_id: players.holdings(connection, user_id, user.steam_id, user.unanswered) for user_id, user in users.items()}
    changed, rules = [], Rules.of(settings)
    for trade in due:
        rows = approvals.rows_of(connection, trade.trade_id)
        if _ended(connection, trade, rows, now, rules):
            changed.append(trade.trade_id)
            continue
        cents = sum(row.value_cents for row in rows)
        if trade.approved_at is None and outflow.is_too_large(settings.limits, 1, cents):  # by a limit that came later
            _wait_for(connection, trade, WaitsFor.APPROVAL, None)
            continue
        hit = outflow.hit(connection, settings.limits, trade.client_id, 1, cents, now) if trade.approved_at is None else None
        if hit is not None:
            return changed, hit
        if line.take(connection, settings.limits, held[trade.user_id], bot, now):
            _let_go(connection, trade, rows, settings.trades, held[trade.user_id], now)
            changed.append(trade.trade_id)
    return changed, None


def _ended(connection: Connection, trade: Row[Any], rows: Sequence[Row[Any]], now: datetime, rules: Rules) -> bool:
    """End a withdrawal that must not go on at all."""
    why = _forbidden(connection, trade, rows)
    if why is not None:
        cancel.request(connection, trade, ByRules(WHO, now, rules), reason=why, dropped=why)
    return why is not None


def _forbidden(connection: Connection, trade: Row[Any], rows: Sequence[Row[Any]]) -> str | None:
    if any(row.frozen_by is not None or row.status != DepositStatus.WITHDRAW_PENDING for row in rows):
        return "item_frozen"
    blocked = connection.scalar(select(users.c.blocked_by).where(users.c.user_id == trade.user_id))
    return "partner_blocked" if blocked is not None else None


def _let_go(
    connection: Connection, trade: Row[Any], rows: Sequence[Row[Any]], times: TradeSettings, held: Holdings, now: datetime
) -> None:
    """From now on the trade is like one just asked for: its order is due, its offer's and its token's times begin."""
    for row in rows:  # settling may have moved the items to other ids
        connection.execute(
            update(trade_items)
            .where(trade_items.c.trade_id == trade.trade_id, trade_items.c.deposit_id == row.deposit_id)
            .values(asset_id=row.asset_id, context_id=row.context_id)
        )
    expires_at = now + timedelta(seconds=shares.offer_timeout_s(times, held.unanswered))
    connection.execute(
        update(trades)
        .where(trades.c.trade_id == trade.trade_id)
        .values(waits_for=None, next_try_at=now, begun_at=now, expires_at=expires_at, touched=now)
    )
    lives_until = now + timedelta(seconds=times.token_lifetime_s)
    connection.execute(update(tokens).where(tokens.c.trade_id == trade.trade_id).values(expires_at=lives_until))
    in_line_s = int((now - trade.next_try_at).total_seconds())
    events.of_trade(connection, "withdrawal_released", trade, {"in_line_s": in_line_s}, By(WHO, now))
