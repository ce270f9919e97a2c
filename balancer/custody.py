"""Deposits: what the fleet holds for whom."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select

from balancer.context import Context
from balancer.models import deposits, items

_OF_ITEM = (
    items.c.market_hash_name,
    items.c.color.label("item_color"),
    items.c.name_color,
    items.c.icon_url,
    items.c.icon_url_large,
    items.c.type,
)


@dataclass(frozen=True, slots=True)
class DepositView:
    """One item in custody, or on its way in or out. Times in unix seconds; house-issued items have no bot and no asset."""

    deposit_id: str
    item_id: str
    user_id: str
    status: str
    bot: str | None
    asset_id: str | None
    context_id: str | None
    market_hash_name: str
    value_cents: int
    color: str
    name_color: str
    icon_url: str
    icon_url_large: str
    type: str
    wear: str | None
    pattern: str | None
    name_tag: str | None
    inspect_link: str | None
    settles_at: int | None
    settled_at: int | None
    locked_by: str | None
    frozen_by: str | None
    created_at: int
    touched: int


async def list_deposits(
    ctx: Context,
    *,
    user_id: str | None = None,
    status: str | None = None,
    after: str | None = None,
    limit: int = 100,
) -> list[DepositView]:
    """Deposits ordered by id, from the one behind ``after`` on."""
    return await ctx.db.look(_listed, user_id, status, after, limit)


def _listed(
    connection: Connection, user_id: str | None, status: str | None, after: str | None, limit: int
) -> list[DepositView]:
    query = select(deposits, *_OF_ITEM).join(items, items.c.item_id == deposits.c.item_id)
    if user_id is not None:
        query = query.where(deposits.c.user_id == user_id)
    if status is not None:
        query = query.where(deposits.c.status == status)
    if after is not None:
        query = query.where(deposits.c.deposit_id > after)
    return [_view(row) for row in connection.execute(query.order_by(deposits.c.deposit_id).limit(limit))]


def _view(row: Row[Any]) -> DepositView:
    return DepositView(
        deposit_id=row.deposit_id,
        item_id=row.item_id,
        user_id=row.user_id,
        status=row.status,
        bot=None if row.bot_id is None else f"{row.color}-{row.bot_id}",
        asset_id=None if row.asset_id is None else str(row.asset_id),
        context_id=row.context_id,
        market_hash_name=row.market_hash_name,
        value_cents=row.value_cents,
        color=row.item_color,
        name_color=row.name_color,
        icon_url=row.icon_url,
        icon_url_large=row.icon_url_large,
        type=row.type,
        wear=row.wear,
        pattern=row.pattern,
        name_tag=row.name_tag,
        inspect_link=row.inspect_link,
        settles_at=_unix(row.settles_at),
        settled_at=_unix(row.settled_at),
        locked_by=row.locked_by,
        frozen_by=row.frozen_by,
        created_at=int(row.created_at.timestamp()),
        touched=int(row.touched.timestamp()),
    )


def _unix(time: datetime | None) -> int | None:
    return None if time is None else int(time.timestamp())
