"""Trades that Steam does not let their bot do: a deposit goes on with another bot, a withdrawal waits for its own.

Only what is known not to be out is touched: a bot has reported a clear refusal (``bot_refused``), or the trade waits for its
next order anyway. Until it goes on it waits for a bot that may do it (``waits_for``), holds no open offer, and ends after
`TradeSettings.restricted_wait_s`, for the operator and never as the player's fault: then its rows are free at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, func, select, tuple_, update

from balancer.context import Context
from balancer.db.tables import bots, deposits, trade_items, trades
from balancer.fleet import reserve
from balancer.journal import events, opening, record
from balancer.journal.by import By
from balancer.journal.rules import ByRules, Rules
from balancer.orders import build
from balancer.trades import deposit, players
from shared import log
from shared.domain.health import BOT_RESTRICTED, May
from shared.domain.ids import BotName, bot_name
from shared.domain.status import DepositStatus, Direction, TradeEvent, TradeStatus, WaitsFor
from shared.sections import TradeSettings

logger = log.get(__name__)

WHO = "sweep"
BATCH_MAX = 200
NEEDS = {Direction.DEPOSIT: May.TAKE, Direction.WITHDRAW: May.GIVE}


@dataclass(frozen=True, slots=True)
class _Done:
    """What became of one trade: whether it changed, and what it moves if its order is due now."""

    changed: bool = False
    trade: Row[Any] | None = None
    moved: build.Moved | None = None
    request_id: str | None = None


async def hold_back(ctx: Context) -> int:
    """Orders that are due go to no bot that Steam has restricted: those trades wait for one that may. Returns how many."""
    by_need = {what: [(bot.color, bot.bot_id, bot.restriction) for bot in _restricted(ctx, what)] for what in NEEDS.values()}
    if not any(by_need.values()):
        return 0
    changed = await ctx.db.run(_hold_back, by_need, Rules.of(ctx.settings), ctx.clock.now())
    ctx.changes.notify(changed)
    return len(changed)


def _restricted(ctx: Context, what: May) -> list[Any]:
    return [bot for bot in ctx.fleet.online() if bot.restriction is not None and what not in bot.may]


def _hold_back(
    connection: Connection, by_need: dict[May, list[tuple[str, int, str]]], rules: Rules, now: datetime
) -> list[str]:
    changed = []
    for direction, what in NEEDS.items():
        why = {(color, bot_id): reason for color, bot_id, reason in by_need[what]}
        if not why:
            continue
        query = select(trades).where(
            trades.c.status == TradeStatus.QUEUED.value,
            trades.c.direction == direction.value,
            trades.c.waits_for.is_(None),
            trades.c.next_try_at <= now,
            tuple_(trades.c.color, trades.c.bot_id).in_(sorted(why)),
        )
        for trade in connection.execute(query.order_by(trades.c.trade_id).limit(BATCH_MAX).with_for_update()):
            data = {"code": BOT_RESTRICTED, "reason": why[trade.color, trade.bot_id]}
            record.record(connection, trade, TradeEvent.BOT_REFUSED, data, ByRules(WHO, now, rules))
            changed.append(trade.trade_id)
    return changed


async def go_on(ctx: Context) -> int:
    """Every trade that waits for a bot goes on with one that may do it, or ends when it has waited too long. How many did."""
    if ctx.fleet.maintenance:
        return 0
    ids = await ctx.db.read(_due, ctx.clock.now())
    return sum([await go_on_with(ctx, trade_id) for trade_id in ids])


async def go_on_with(ctx: Context, trade_id: str) -> bool:
    """One such trade. Whether it went on or ended; a second call changes nothing."""
    done = await ctx.db.run(_go_on, ctx, trade_id, ctx.clock.now())
    if done.trade is not None and done.moved is not None:
        # What is not given, because Redis is away or this process dies here, the sweep gives.
        await ctx.outbox.give([ctx.orders.send_again(done.trade, done.moved, done.request_id)])
    if done.changed:
        ctx.changes.notify([trade_id])
    return done.changed


def _due(connection: Connection, now: datetime) -> list[str]:
    waits = (trades.c.status == TradeStatus.QUEUED.value, trades.c.waits_for == WaitsFor.BOT)
    query = select(trades.c.trade_id).where(*waits, trades.c.next_try_at <= now).order_by(trades.c.next_try_at)
    return list(connection.scalars(query.limit(BATCH_MAX)))


def _go_on(connection: Connection, ctx: Context, trade_id: str, now: datetime) -> _Done:
    trade = connection.execute(select(trades).where(trades.c.trade_id == trade_id).with_for_update()).first()
    waits = trade is not None and trade.status == TradeStatus.QUEUED and trade.waits_for == WaitsFor.BOT
    if trade is None or not waits or trade.next_try_at > now:
        return _Done()
    if trade.cancel_requested_at is not None:
        return _Done(changed=_end(connection, trade, {"reason": "recalled"}, now, ctx, TradeEvent.ORDER_DROPPED))
    if trade.direction == Direction.WITHDRAW:
        if _line_up(connection, ctx, trade, now):
            return _Done(changed=True)
    elif bot := _other_bot(connection, ctx, trade, now):
        return _hand_over(connection, trade, bot, now)
    if trade.failure_code != BOT_RESTRICTED:  # no other bot is there to say whose fault it is
        failure = {"code": trade.failure_code, "reason": trade.failure_reason, "player_message": trade.player_message}
        return _Done(changed=_end(connection, trade, failure, now, ctx))
    times = ctx.settings.trades
    if now - trade.refused_at >= timedelta(seconds=times.restricted_wait_s):
        failure = {"code": BOT_RESTRICTED, "reason": trade.failure_reason}
        return _Done(changed=_end(connection, trade, failure, now, ctx))
    connection.execute(update(trades).where(trades.c.trade_id == trade_id).values(next_try_at=now + _again(times)))
    return _Done()


def _again(times: TradeSettings) -> timedelta:
    """After this long a bot that could not is asked again, if it says that it may; until then its word may be an old one."""
    return timedelta(seconds=min(times.retry_after_s, times.restricted_wait_s / 4))


def _end(
    connection: Connection,
    trade: Row[Any],
    failure: dict[str, Any],
    now: datetime,
    ctx: Context,
    event: TradeEvent = TradeEvent.REFUSED,
) -> bool:
    logger.warning("trade ended without a bot", action="restricted", trade_id=trade.trade_id, reason=failure.get("reason"))
    record.record(connection, trade, event, failure, ByRules(WHO, now, Rules.of(ctx.settings)))
    return True


def _other_bot(connection: Connection, ctx: Context, trade: Row[Any], now: datetime) -> str | None:
    """The bot that goes on with this deposit, its slots and offer reserved; ``None`` if none may now."""
    items = select(func.count()).select_from(trade_items).where(trade_items.c.trade_id == trade.trade_id)
    n_items = int(connection.scalar(items) or 0)
    held = players.holdings(connection, trade.user_id, trade.partner, 0)
    full = deposit.barred(ctx, held, ctx.fleet.limits.trades(n_items))
    refused = set(trade.refused_by.split())
    chosen = reserve.for_one_bot(connection, ctx.fleet, held.by_bot, n_items, trade.wanted_color, {*full, *refused})
    if chosen is None and trade.failure_code == BOT_RESTRICTED and now - trade.touched >= _again(ctx.settings.trades):
        # One that could not may be able to again.
        chosen = reserve.for_one_bot(connection, ctx.fleet, held.by_bot, n_items, trade.wanted_color, full)
    return chosen


def _line_up(connection: Connection, ctx: Context, trade: Row[Any], now: datetime) -> bool:
    """Put a withdrawal whose bot may give again in line for one of that one's offers. Whether it may."""
    view = ctx.fleet.get(bot_name(trade))
    if view is None or May.GIVE not in view.may:
        return False
    values = {"waits_for": WaitsFor.OFFER.value, "next_try_at": now, "touched": now}
    connection.execute(update(trades).where(trades.c.trade_id == trade.trade_id).values(values))
    _tell(connection, "bot_able", trade, view.name, {"attempt": trade.attempt}, now)
    return True


def _tell(connection: Connection, kind: str, trade: Row[Any], bot: str, data: dict[str, Any], now: datetime) -> None:
    events.append(connection, events.row(kind, data, By(WHO, now), trade.trade_id, trade.user_id, bot))


def _hand_over(connection: Connection, trade: Row[Any], to: str, now: datetime) -> _Done:
    """From now on it is that bot's, and its order is due."""
    before, bot = BotName(trade.color, trade.bot_id), BotName.parse(to)
    _move_rows(connection, trade.trade_id, before, bot, now)
    goes_on = {"color": bot.color, "bot_id": bot.bot_id, "waits_for": None, "next_try_at": now, "touched": now}
    connection.execute(update(trades).where(trades.c.trade_id == trade.trade_id).values(goes_on))
    kind = "bot_able" if bot == before else "bot_changed"
    _tell(connection, kind, trade, to, {"attempt": trade.attempt, "bot_before": str(before)}, now)
    fresh = record.read_trade(connection, trade.trade_id)
    # Taken on: from here on its order may be out.
    connection.execute(update(trades).where(trades.c.trade_id == trade.trade_id).values(next_try_at=None))
    moved, asked_by = build.moved_of(connection, [fresh]), opening.asked_by(connection, [trade.trade_id])
    return _Done(True, fresh, moved[trade.trade_id], asked_by.get(trade.trade_id))


def _move_rows(connection: Connection, trade_id: str, before: BotName, bot: BotName, now: datetime) -> None:
    """The rows that are on their way go to the new bot, which has reserved their slots; the old one's are free."""
    mine = select(trade_items.c.deposit_id).where(trade_items.c.trade_id == trade_id)
    pending = (deposits.c.deposit_id.in_(mine), deposits.c.status == DepositStatus.DEPOSIT_PENDING.value)
    moved = connection.execute(
        update(deposits).where(*pending).values(color=bot.color, bot_id=bot.bot_id, touched=now)
    ).rowcount
    connection.execute(
        update(bots)
        .where(bots.c.color == before.color, bots.c.bot_id == before.bot_id)
        .values(slots_reserved=bots.c.slots_reserved - moved, touched=now)
    )
