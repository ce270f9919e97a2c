"""What the house itself has to play with, and the catalogue of all known items with their values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field
from sqlalchemy import Connection, select

from balancer.db.tables import HOUSE, bots, deposits, items
from balancer.fields import Time, maybe_unix
from balancer.items import worth
from shared.domain.ids import bot_name
from shared.domain.status import DepositStatus


@dataclass(frozen=True, slots=True)
class StockRow:
    """An item of the house that is free: settled, not frozen, in no game."""

    deposit_id: str
    item_id: str
    market_hash_name: str
    value_cents: int
    valued_at: Time | None
    bot: str
    icon_url: str


@dataclass(frozen=True, slots=True)
class CatalogueItem:
    """A known item, or a phase of one: then the name has the phase behind it. `value_cents`: null when nobody knows it."""

    item_id: str
    market_hash_name: str
    value_cents: int | None
    value_source: Annotated[str | None, Field(description="Where the value is from; `house`: a kind that the house issues")]
    valued_at: Time | None
    type: str
    color: str
    name_color: str
    icon_url: str
    icon_url_large: str


def free(connection: Connection, value_max_cents: int | None, limit: int) -> list[StockRow]:
    """Free rows of the house that lie with a bot which is not frozen, the smallest value first."""
    query = (
        select(
            deposits,
            items.c.market_hash_name,
            items.c.icon_url,
            worth.value_cents.label("worth"),
            worth.valued_at.label("valued_at"),
        )
        .select_from(worth.of(deposits).join(bots, (bots.c.color == deposits.c.color) & (bots.c.bot_id == deposits.c.bot_id)))
        .where(deposits.c.user_id == HOUSE, deposits.c.status == DepositStatus.ACTIVE.value, bots.c.frozen_by.is_(None))
        .where(deposits.c.locked_by.is_(None), deposits.c.frozen_by.is_(None), deposits.c.settled_at.is_not(None))
        .where(worth.value_cents.is_not(None))
    )
    if value_max_cents is not None:
        query = query.where(worth.value_cents <= value_max_cents)
    return [
        StockRow(
            row.deposit_id,
            row.item_id,
            row.market_hash_name,
            row.worth,
            maybe_unix(row.valued_at),
            bot_name(row),
            row.icon_url,
        )
        for row in connection.execute(query.order_by(worth.value_cents, deposits.c.deposit_id).limit(limit))
    ]


def catalogue(connection: Connection, after: str | None, limit: int) -> list[CatalogueItem]:
    """All known items in the order of their ids, from the one behind ``after`` on."""
    query = select(items)
    if after is not None:
        query = query.where(items.c.item_id > after)
    return [
        CatalogueItem(
            row.item_id,
            row.market_hash_name,
            row.value_cents,
            row.value_source,
            maybe_unix(row.valued_at),
            row.type,
            row.color,
            row.name_color,
            row.icon_url,
            row.icon_url_large,
        )
        for row in connection.execute(query.order_by(items.c.item_id).limit(limit))
    ]
