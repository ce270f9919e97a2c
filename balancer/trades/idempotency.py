"""Once per key: a request that comes again, also at the same time, gives the same trades and makes nothing."""

from __future__ import annotations

from collections.abc import Awaitable

from sqlalchemy import Connection, select
from sqlalchemy.exc import IntegrityError

from balancer.changes import Expectation
from balancer.context import Context
from balancer.db.errors import violated
from balancer.db.tables import idempotency
from balancer.trades.draft import Draft
from balancer.trades.requests import Made, Request
from shared.errors import Conflict, FleetError, RequestReused


async def find_repeat(ctx: Context, request: Request) -> Made | None:
    """The trades that a request with this key made before; ``None`` if it is a new one.

    Raises:
        RequestReused: the key was used with another body.
    """
    made_before = await ctx.db.read(_repeat, request)
    return None if made_before is None else Made(made_before)


async def once(ctx: Context, request: Request, making: Awaitable[Draft], expectation: Expectation | None) -> Made:
    """Make the trades and give their orders, unless a request with this key has: then its trades.

    The key's row is written last, with the trades it made; of two requests at once the second fails on it, or on anything
    else that the first has taken by then. So whatever goes wrong, the key is looked up before the error counts.
    """
    try:
        draft = await making
    except (FleetError, IntegrityError) as error:
        made_before = await find_repeat(ctx, request)
        if made_before is not None:
            return made_before
        if isinstance(error, IntegrityError):
            raise _taken(error) from error
        raise
    if expectation is not None:
        expectation.add(draft.trade_ids)
    views = draft.views()
    await ctx.outbox.give(draft.orders())
    return Made(draft.trade_ids, views)


_REFUSED_BY = {
    "pk_users": ("this user is bound to another Steam account", "user_mismatch"),
    "uq_users_steam_id": ("this Steam account is bound to another user", "user_mismatch"),
    "uq_deposits_pending_asset": ("an item is in a trade already", "asset_in_trade"),
    "uq_deposits_held_asset": ("an item is in a trade already", "asset_in_trade"),
}


def _taken(error: IntegrityError) -> FleetError:
    """The refusal that a unique constraint stands for: another request has been quicker."""
    refusal = _REFUSED_BY.get(violated(error) or "")
    if refusal is None:
        raise error
    detail, code = refusal
    return Conflict(detail, code=code)


def _repeat(connection: Connection, request: Request) -> list[str] | None:
    row = connection.execute(
        select(idempotency.c.body_hash, idempotency.c.trade_ids).where(
            idempotency.c.client_id == request.caller.client_id, idempotency.c.key == request.key
        )
    ).first()
    if row is None:
        return None
    if row.body_hash != request.body_hash:
        raise RequestReused()
    return str(row.trade_ids).split()
