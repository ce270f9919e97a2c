"""Deposits: what the fleet holds for whom; and the release of a frozen one by an operator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field
from sqlalchemy import Connection, Row, or_, select, update

from balancer.context import Context
from balancer.db.tables import deposits, items, trade_items, trades
from balancer.fields import Time, maybe_unix, unix
from balancer.fleet import giving
from balancer.journal import events, swaps
from balancer.journal.by import By
from balancer.journal.effects import FROZEN_EXCHANGE, FROZEN_REVERSAL
from shared.domain.ids import bot_name
from shared.domain.status import LIVE, DepositStatus
from shared.errors import Conflict, NotFound

# A swapped row says by now what its item really is.
# Of what is frozen for another reason nobody knows for certain where it is, or what it is.
THAWED = frozenset({FROZEN_REVERSAL, FROZEN_EXCHANGE, swaps.FROZEN})

_OF_ITEM = (
    items.c.market_hash_name,
    items.c.color.label("item_color"),
    items.c.name_color,
    items.c.icon_url,
    items.c.icon_url_large,
    items.c.type,
)


@dataclass(frozen=True, slots=True)
class Deposit:
    """One item in custody, or on its way in or out."""

    deposit_id: str
    item_id: str
    user_id: str
    status: DepositStatus
    bot: str | None  # house-issued items have no bot and no asset
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
    phase: Annotated[str | None, Field(description="Of a Doppler, where Steam says it; its value is that of the phase")]
    inspect_link: str | None
    settles_at: Annotated[Time | None, Field(description="When Steam's protection ends; null until Steam has said so")]
    settled_at: Annotated[Time | None, Field(description="Null: it can neither be withdrawn nor locked yet")]
    locked_by: str | None
    frozen_by: str | None
    bot_restricted: Annotated[
        str | None, Field(description="Why its bot cannot give it now, so it can't be locked; null: it can")
    ]
    created_at: Time
    touched: int
    touched_at: Time


CannotGive = Callable[[str], str | None]


def cannot_give(ctx: Context) -> CannotGive:
    """By its name, why a bot's items cannot be had at this moment; ``None``: they can."""
    now_s, gone_after_s = ctx.clock.now().timestamp(), ctx.settings.games.bot_gone_after_s
    return lambda bot: giving.why_not(ctx.fleet.get(bot), now_s, gone_after_s)


async def show(ctx: Context, deposit_id: str) -> Deposit:
    """One deposit, which exists."""
    [deposit] = await list_deposits(ctx, ids=[deposit_id])
    return deposit


def thaw(connection: Connection, deposit_id: str, reason: str, by: By) -> None:
    """Let an item be used again that a reversal, a failed exchange, or another item than was said froze.

    An operator has looked at it on Steam.

    Raises:
        NotFound: no such deposit.
        Conflict: ``not_frozen``; ``item_not_here``, no bot has seen where it is; ``asset_in_trade``, a bot has still to say
            what became of it.
    """
    row = connection.execute(select(deposits).where(deposits.c.deposit_id == deposit_id).with_for_update()).first()
    if row is None:
        raise NotFound("there is no such deposit")
    if row.frozen_by is None:
        raise Conflict("the item is not frozen", code="not_frozen", deposit_status=row.status)
    if row.status != DepositStatus.ACTIVE or row.frozen_by not in THAWED:
        raise Conflict("no bot has yet seen where this item is", code="item_not_here", frozen_by=row.frozen_by)
    open_still = or_(trades.c.items_awaited > 0, trades.c.status.in_([status.value for status in LIVE]))
    named = select(trade_items.c.trade_id).where(trade_items.c.deposit_id == deposit_id)
    trade_id = connection.scalar(select(trades.c.trade_id).where(trades.c.trade_id.in_(named), open_still).limit(1))
    if trade_id is not None:
        raise Conflict("a bot still has to report where this item is", code="asset_in_trade", trade_id=trade_id)
    connection.execute(update(deposits).where(deposits.c.deposit_id == deposit_id).values(frozen_by=None, touched=by.now))
    data = {"deposit_id": deposit_id, "frozen_by": row.frozen_by, "reason": reason}
    bot = None if row.bot_id is None else bot_name(row)
    events.append(connection, events.row("deposit_thawed", data, by, None, row.user_id, bot))


async def list_deposits(
    ctx: Context,
    *,
    user_ids: Sequence[str] = (),
    ids: Sequence[str] = (),
    status: str | None = None,
    after: str | None = None,
    limit: int = 100,
) -> list[Deposit]:
    """Deposits, of these users or with these ids if any are named, ordered by id, from the one behind ``after`` on."""
    rows, why_not = await ctx.db.read(_listed, user_ids, ids, status, after, limit), cannot_give(ctx)
    return [_view(row, why_not) for row in rows]


def _listed(
    connection: Connection, user_ids: Sequence[str], ids: Sequence[str], status: str | None, after: str | None, limit: int
) -> list[Row[Any]]:
    query = select(deposits, *_OF_ITEM).join(items, items.c.item_id == deposits.c.item_id)
    if user_ids:
        query = query.where(deposits.c.user_id.in_(user_ids))
    if ids:
        query = query.where(deposits.c.deposit_id.in_(ids))
    if status is not None:
        query = query.where(deposits.c.status == status)
    if after is not None:
        query = query.where(deposits.c.deposit_id > after)
    return list(connection.execute(query.order_by(deposits.c.deposit_id).limit(limit)))


def _view(row: Row[Any], why_not: CannotGive) -> Deposit:
    touched, bot = unix(row.touched), None if row.bot_id is None else bot_name(row)
    return Deposit(
        deposit_id=row.deposit_id,
        item_id=row.item_id,
        user_id=row.user_id,
        status=DepositStatus(row.status),
        bot=bot,
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
        phase=row.phase,
        inspect_link=row.inspect_link,
        settles_at=maybe_unix(row.settles_at),
        settled_at=maybe_unix(row.settled_at),
        locked_by=row.locked_by,
        frozen_by=row.frozen_by,
        bot_restricted=why_not(bot) if bot is not None and row.status == DepositStatus.ACTIVE else None,
        created_at=unix(row.created_at),
        touched=touched,
        touched_at=touched,
    )
