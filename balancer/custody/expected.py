"""What the tables say about the items of one bot, for `balancer.custody.compare` to compare with its inventory.

Statements are in the order in which nothing is lost between them: a change that is committed after the rows were read is found
among the events that are read last, and makes its row loose.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, or_, select

from balancer.custody import compare
from balancer.custody.compare import HELD, Difference, Elsewhere, Entry, Kind, Seen
from balancer.custody.gifts import GIFT
from balancer.db.tables import HOUSE, deposits, events, items, trade_items, trades
from shared.domain.ids import BotName, bot_name
from shared.domain.status import LIVE, DepositStatus, Direction, TradeStatus

D = DepositStatus

_HERE = [status.value for status in (*HELD, D.DEPOSIT_PENDING)]
# What has left, or was never there, and was here a moment ago.
_GONE = [D.WITHDRAWN.value, D.REVERSED.value]
_HELD = [status.value for status in HELD]


def load(connection: Connection, color: str, bot_id: int, mark: int) -> list[Entry]:
    """Everything that may lie in this bot's inventory; ``mark`` is the last event before its order to read it."""
    of_bot = (deposits.c.color == color, deposits.c.bot_id == bot_id)
    rows = list(connection.execute(_rows(*of_bot, deposits.c.status.in_(_HERE))))
    loose = _moving(connection, color, bot_id) | _changed(connection, str(BotName(color, bot_id)), mark)
    elsewhere = loose - {row.deposit_id for row in rows}
    rows += connection.execute(_rows(*of_bot, deposits.c.status.in_(_GONE), deposits.c.deposit_id.in_(elsewhere)))
    return [_entry(row, loose=row.deposit_id in loose) for row in rows]


def _rows(*conditions: ColumnElement[bool]) -> Select[Any]:
    joined = select(deposits, items.c.market_hash_name).join(items, items.c.item_id == deposits.c.item_id)
    return joined.where(deposits.c.asset_id.is_not(None), *conditions).order_by(deposits.c.deposit_id)


def _entry(row: Row[Any], *, loose: bool) -> Entry:
    return compare.entry(
        row.deposit_id,
        row.status,
        str(row.asset_id),
        None if row.market_hash_name == GIFT else row.market_hash_name,
        row.fingerprint,
        row.frozen_by,
        settled=row.settled_at is not None,
        loose=loose,
        class_id=row.named_class or "",
        house=row.user_id == HOUSE,
    )


def _moving(connection: Connection, color: str, bot_id: int) -> set[str]:
    """Items of trades that may have an offer out, or of which a bot has still to say where they are."""
    of_bot = (trades.c.color == color, trades.c.bot_id == bot_id)
    moving: set[str] = set()
    out = or_(trades.c.waits_for.is_(None), trades.c.status != TradeStatus.QUEUED.value)
    live = (trades.c.status.in_([status.value for status in LIVE]), out)
    for conditions in (live, (trades.c.items_awaited > 0,)):
        ids = select(trades.c.trade_id).where(*of_bot, *conditions)
        moving.update(connection.scalars(select(trade_items.c.deposit_id).where(trade_items.c.trade_id.in_(ids))))
    return moving


def _changed(connection: Connection, bot: str, mark: int) -> set[str]:
    """Items of trades that anything happened to since the mark, and gifts that came since."""
    query = select(events.c.trade_id, events.c.kind, events.c.data).where(events.c.number > mark, events.c.bot == bot)
    changed: set[str] = set()
    ids: set[str] = set()
    for row in connection.execute(query):
        if row.trade_id is not None:
            ids.add(row.trade_id)
        elif row.kind == "gift_accepted":
            changed.update(json.loads(row.data)["deposits"])
    changed.update(connection.scalars(select(trade_items.c.deposit_id).where(trade_items.c.trade_id.in_(ids))))
    return changed


def explain(
    connection: Connection, color: str, bot_id: int, rows: Sequence[Entry], differences: list[Difference], seen: Sequence[Seen]
) -> list[Difference]:
    """The same differences, with the trades that may explain them and the rows of other bots that they belong to."""
    bot = str(BotName(color, bot_id))
    strange = {each.name for each in differences if each.kind is Kind.EXTRA}
    if strange and (back := _may_return(connection, color, bot_id, strange)):
        differences = compare.compare(bot, [*rows, *back], seen)
    extras = {each.asset_id for each in differences if each.kind is Kind.EXTRA and each.trade_id is None}
    if extras:
        prints = {asset.fingerprint for asset in seen if asset.asset_id in extras and asset.fingerprint is not None}
        differences = compare.with_others(differences, seen, _others(connection, bot, extras, prints))
    missing = {each.deposit_id for each in differences if each.kind is Kind.MISSING}
    return compare.with_trades(differences, _brought_by(connection, missing)) if missing else differences


def _may_return(connection: Connection, color: str, bot_id: int, names: Collection[str]) -> list[Entry]:
    """Items of these names that this bot gave away in exchanges that Steam may still reverse."""
    joined = (
        select(deposits, items.c.market_hash_name, trades.c.trade_id)
        .join(items, items.c.item_id == deposits.c.item_id)
        .join(trade_items, trade_items.c.deposit_id == deposits.c.deposit_id)
        .join(trades, trades.c.trade_id == trade_items.c.trade_id)
    )
    given = (
        trades.c.color == color,
        trades.c.bot_id == bot_id,
        trades.c.direction == Direction.WITHDRAW.value,
        trades.c.status == TradeStatus.ACCEPTED.value,
        deposits.c.status == D.WITHDRAWN.value,
        items.c.market_hash_name.in_(names),
    )
    return [
        Entry(
            row.deposit_id,
            "",
            row.market_hash_name,
            row.fingerprint,
            must=False,
            pinned=False,
            returns=row.trade_id,
        )
        for row in connection.execute(joined.where(*given).order_by(deposits.c.deposit_id))
    ]


def _others(connection: Connection, bot: str, asset_ids: Collection[str], prints: Collection[str]) -> list[Elsewhere]:
    """Rows of other bots that hold one of these assets, or one that looks the same to the last digit."""
    these = or_(deposits.c.asset_id.in_([int(each) for each in asset_ids]), deposits.c.fingerprint.in_(prints))
    query = select(deposits).where(deposits.c.status.in_(_HELD), these).order_by(deposits.c.deposit_id)
    elsewhere = [
        Elsewhere(row.deposit_id, bot_name(row), str(row.asset_id), row.fingerprint) for row in connection.execute(query)
    ]
    return [row for row in elsewhere if row.bot != bot]


def _brought_by(connection: Connection, deposit_ids: Collection[str | None]) -> dict[str, str]:
    """The accepted deposits, still protected, that brought these rows' items."""
    query = (
        select(trade_items.c.deposit_id, trades.c.trade_id)
        .join(trades, trades.c.trade_id == trade_items.c.trade_id)
        .where(
            trade_items.c.deposit_id.in_(deposit_ids),
            trades.c.direction == Direction.DEPOSIT.value,
            trades.c.status == TradeStatus.ACCEPTED.value,
        )
    )
    return {row.deposit_id: row.trade_id for row in connection.execute(query)}
