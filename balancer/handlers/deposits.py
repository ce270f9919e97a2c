"""`GET /deposits`: what is in custody."""

from __future__ import annotations

from aiohttp import web

from balancer import api, custody, schemas
from balancer.context import Context
from balancer.handlers import dump


@api.operation(scope="read", answers={200: schemas.Deposits})
async def find(ctx: Context, query: schemas.DepositsQuery) -> web.Response:
    """What the fleet holds, or is about to hold, for a user.

    `next` is the `after` of the next page, or null when this was the last.
    """
    status = query.status.value if query.status else None
    views = await custody.list_deposits(ctx, user_id=query.user_id, status=status, after=query.after, limit=query.limit)
    return api.answer(
        {
            "currency": ctx.settings.balancer.currency,
            "deposits": [dump.deposit(view) for view in views],
            "next": views[-1].deposit_id if len(views) == query.limit else None,
        }
    )
