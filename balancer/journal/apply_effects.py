"""Carries out, in rows, what `balancer.journal.effects` decided.

Only `balancer.journal.record` calls it, in the transaction of the move.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, select, update

from balancer.db.tables import bots, deposits, events, trade_items, trades
from balancer.journal import effects
from balancer.journal.effects import Effects, Held
from balancer.journal.events import OPENED
from shared.domain.status import LIVE, DepositStatus

D = DepositStatus


def held(connection: Connection, trade_id: str) -> list[Held]:
    """The deposits of a trade, locked, each under the asset id that the trade knows it by until it is over."""
    query = (
        select(
            deposits.c.deposit_id,
            deposits.c.status,
            trade_items.c.asset_id,
            trade_items.c.context_id,
            deposits.c.frozen_by,
            deposits.c.user_id,
        )
        .join(trade_items, trade_items.c.deposit_id == deposits.c.deposit_id)
        .where(trade_items.c.trade_id == trade_id)
        .order_by(deposits.c.deposit_id)
        .with_for_update(of=deposits)
    )
    rows = connection.execute(query)
    return [Held(row.deposit_id, D(row.status), row.asset_id, row.context_id, row.frozen_by, row.user_id) for row in rows]


def owners(trade: Row[Any], held: Iterable[Held]) -> dict[str, str]:
    """Those of these rows that are another's than the trade's user by now, with whose they are."""
    return {row.deposit_id: row.user_id for row in held if row.user_id != trade.user_id}


def taken_since(connection: Connection, trade_id: str) -> set[str]:
    """Rows of this trade that a later one names too. Which is later is said by the events, as clocks may differ."""
    begun = select(events.c.number).where(events.c.trade_id == trade_id, events.c.kind == OPENED)
    mine = select(trade_items.c.deposit_id).where(trade_items.c.trade_id == trade_id)
    query = (
        select(trade_items.c.deposit_id)
        .join(events, events.c.trade_id == trade_items.c.trade_id)
        .where(trade_items.c.deposit_id.in_(mine), events.c.kind == OPENED, events.c.number > begun.scalar_subquery())
    )
    return set(connection.scalars(query))


def carry_out_at(connection: Connection, color: str, bot_id: int, after: Effects, now: datetime) -> None:
    """Rows of a bot, whatever trade brought them, and the bot."""
    _move_deposits(connection, after.moves, now)
    _count_bot(connection, color, bot_id, after.held, after.reserved, after.offers, now)


def carry_out(connection: Connection, trade: Row[Any], after: Effects, now: datetime) -> None:
    """Deposits, receipts, the awaited, and last the bot: its row is the one that other trades wait for."""
    _move_deposits(connection, after.moves, now)
    if after.receipts:
        connection.execute(
            update(trade_items)
            .where(trade_items.c.trade_id == trade.trade_id, trade_items.c.deposit_id == bindparam("which"))
            .values(
                new_asset_id=bindparam("new_asset_id"),
                new_context_id=bindparam("new_context_id"),
                matched=bindparam("matched"),
            ),
            [{"which": row.pop("deposit_id"), **row} for row in map(dict, after.receipts)],
        )
    if after.awaited is not None:
        values: dict[str, Any] = {"items_awaited": after.awaited, "touched": now}
        if trade.status in LIVE or trade.items_awaited == 0:
            values["settle_asked_at"] = None
        connection.execute(update(trades).where(trades.c.trade_id == trade.trade_id).values(values))
    if after.held or after.reserved or after.offers:
        _count_bot(connection, trade.color, trade.bot_id, after.held, after.reserved, after.offers, now)


def _count_bot(connection: Connection, color: str, bot_id: int, held: int, reserved: int, offers: int, now: datetime) -> None:
    """Add to (or take from) the counters of one bot."""
    connection.execute(
        update(bots)
        .where(bots.c.color == color, bots.c.bot_id == bot_id)
        .values(
            slots_held=bots.c.slots_held + held,
            slots_reserved=bots.c.slots_reserved + reserved,
            open_offers=bots.c.open_offers + offers,
            touched=now,
        )
    )


def _move_deposits(connection: Connection, moves: Iterable[effects.DepositMove], now: datetime) -> None:
    by_shape: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for move in moves:
        row = {"which": move.deposit_id, "old": move.before.value, "new": move.after.value}
        row |= {f"to_{name}": value for name, value in move.values.items()}
        by_shape.setdefault(tuple(sorted(move.values)), []).append(row)
    if "asset_id" in {name for shape in by_shape for name in shape}:
        _step_aside(connection, [row["which"] for of_shape in by_shape.values() for row in of_shape if "to_asset_id" in row])
    for shape, of_shape in by_shape.items():
        connection.execute(
            update(deposits)
            .where(deposits.c.deposit_id == bindparam("which"), deposits.c.status == bindparam("old"))
            .values(status=bindparam("new"), touched=now, **{name: bindparam(f"to_{name}") for name in shape}),
            of_shape,
        )


def _step_aside(connection: Connection, deposit_ids: list[str]) -> None:
    """Negate these asset ids first: copies that cannot be told apart may swap ids, and the unique index looks row by row."""
    connection.execute(
        update(deposits)
        .where(deposits.c.deposit_id.in_(deposit_ids), deposits.c.status != D.DEPOSIT_PENDING.value)
        .values(asset_id=-deposits.c.asset_id)
    )
