"""`GET /events`: the numbered feed."""

from __future__ import annotations

import asyncio

from aiohttp import web

from balancer import api, feed, schemas
from balancer.context import Context
from balancer.handlers import dump

LOOK_AGAIN_S = 0.5


@api.operation(scope="read", answers={200: schemas.Events})
async def find(ctx: Context, query: schemas.EventsQuery) -> web.Response:
    """What happened after event `after`, in order.

    A number never appears once a higher one has been given out, so reading on from `next` misses nothing. With `wait` the
    answer waits that long for a first event.
    """
    limit = min(query.limit, ctx.settings.balancer.events_page)
    until = ctx.clock.monotonic() + min(query.wait, ctx.settings.balancer.wait_max_s)
    while True:
        views = await feed.events(ctx, query.after, limit)
        left_s = until - ctx.clock.monotonic()
        if views or left_s <= 0:
            following = views[-1].number if views else query.after
            return api.answer({"events": [dump.event(view) for view in views], "next": following})
        await asyncio.sleep(min(LOOK_AGAIN_S, left_s))
