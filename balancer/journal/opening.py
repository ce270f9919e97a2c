"""How trades and rows in custody begin: the only place where one gets its first status.

What a withdrawal takes is bound to it here too. From then on `balancer.journal.record` alone moves them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table, select, update

from balancer.db import pipeline
from balancer.db.tables import deposits, events, tokens, trade_items, trades, users
from balancer.journal import events as feed
from balancer.journal.by import By
from balancer.journal.events import OPENED
from shared import request_ids
from shared.domain.ids import bot_name
from shared.domain.status import ROW_BEGINS, TRADE_BEGINS, DepositStatus, Direction

D = DepositStatus


@dataclass(slots=True)
class Opened:
    """Rows of new trades, as the tables want them; and who made them, when, by which HTTP request."""

    who: str
    now: datetime
    request_id: str | None = None
    users: pipeline.Rows = field(default_factory=list)
    trades: pipeline.Rows = field(default_factory=list)
    deposits: pipeline.Rows = field(default_factory=list)
    trade_items: pipeline.Rows = field(default_factory=list)
    tokens: pipeline.Rows = field(default_factory=list)
    choices: dict[str, dict[str, Any]] = field(default_factory=dict)  # why this bot, by trade; for the event only

    def add_trade(self, row: dict[str, Any]) -> None:
        """One trade, without its status."""
        self.trades.append({**row, "status": TRADE_BEGINS.value})

    def add_deposit(self, row: dict[str, Any]) -> None:
        """One item that a deposit brings, without its status."""
        self.deposits.append({**row, "status": ROW_BEGINS[Direction.DEPOSIT].value})

    def opening_events(self) -> pipeline.Rows:
        """The event of each trade."""
        return [_event(row, self) for row in self.trades]


def open_trades(opened: Sequence[Opened]) -> list[tuple[Table, pipeline.Rows]]:
    """The rows of new trades with all that belongs to them, and one event per trade: to be inserted together.

    An asset that is in a live deposit already makes that fail.
    """
    mine = [
        (table, [row for one in opened for row in getattr(one, table.name)])
        for table in (users, trades, deposits, trade_items, tokens)
    ]
    return [*mine, (events, [event for one in opened for event in one.opening_events()])]


def reserve_deposits(connection: Connection, deposit_ids: list[str], now: datetime, *, settled: bool = True) -> bool:
    """Bind these rows to a withdrawal: all of them are withdraw_pending now, or (False) the transaction must be given up."""
    free = (
        deposits.c.status == D.ACTIVE.value,
        deposits.c.locked_by.is_(None),
        deposits.c.frozen_by.is_(None),
        deposits.c.bot_id.is_not(None),  # what the house has issued is nowhere to be withdrawn from
        *([deposits.c.settled_at.is_not(None)] if settled else []),
    )
    reserved = connection.execute(
        update(deposits)
        .where(deposits.c.deposit_id.in_(deposit_ids), *free)
        .values(status=ROW_BEGINS[Direction.WITHDRAW].value, touched=now)
    )
    return reserved.rowcount == len(deposit_ids)


def asked_by(connection: Connection, trade_ids: Sequence[str]) -> dict[str, str]:
    """The ids of the HTTP requests that these trades were made for, as far as they have one."""
    query = select(events.c.trade_id, events.c.data).where(events.c.trade_id.in_(trade_ids), events.c.kind == OPENED)
    by_trade = {row.trade_id: json.loads(row.data).get(request_ids.NAME) for row in connection.execute(query)}
    return {trade_id: request_id for trade_id, request_id in by_trade.items() if request_id is not None}


def made_by(connection: Connection, request_id: str) -> list[str]:
    """The trades that this HTTP request made, in order. Reads the whole feed: for people, not for requests."""
    named = events.c.data.contains(f'"{request_ids.NAME}":"{request_id}"', autoescape=True)
    return list(connection.scalars(select(events.c.trade_id).where(events.c.kind == OPENED, named).order_by(events.c.number)))


def _event(trade: dict[str, Any], opened: Opened) -> dict[str, Any]:
    choice = opened.choices.get(trade["trade_id"])
    to = ROW_BEGINS[Direction(trade["direction"])]
    moved = [
        {"deposit_id": item["deposit_id"], "to": to.value}
        for item in opened.trade_items
        if item["trade_id"] == trade["trade_id"]
    ]
    data: dict[str, Any] = {"to": trade["status"], "direction": trade["direction"], "deposits": moved}
    if choice is not None:
        data["choice"] = choice
    if opened.request_id is not None:
        data[request_ids.NAME] = opened.request_id
    if trade["waits_for"] is not None:
        data["waits_for"] = trade["waits_for"]
    bot = bot_name(trade)
    return feed.row(OPENED, data, By(opened.who, opened.now), trade["trade_id"], trade["user_id"], bot)


def take_gift(connection: Connection, row: dict[str, Any]) -> bool:
    """A row of the house's own, in custody from the first moment. Whether it is new; a second time it changes nothing."""
    statement = pipeline.insert(connection, deposits).values({**row, "status": D.ACTIVE.value}).on_conflict_do_nothing()
    return connection.execute(statement.returning(deposits.c.deposit_id)).first() is not None


def issue_tickets(connection: Connection, rows: pipeline.Rows) -> None:
    """Rows of items that the house itself issues, in custody from the first moment."""
    pipeline.insert_rows(connection, [(deposits, [{**row, "status": D.ACTIVE.value} for row in rows])])
