"""`GET /events`: the numbered feed."""

from __future__ import annotations

import asyncio

from aiohttp import web
from sqlalchemy import Connection, func, select

from balancer.context import Context
from balancer.db import tables
from balancer.journal import events
from balancer.web import api
from balancer.web.schemas import answers, requests

LOOK_AGAIN_S = 0.25


class Newest:
    """The highest number in the feed, asked once per tick however many requests wait for a new one."""

    def __init__(self) -> None:
        self._looking: asyncio.Task[int] | None = None

    async def number(self, ctx: Context) -> int:
        """The highest number a tick from now. It is a hint: `events.behind` decides what may be given out."""
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look(ctx))
        return await asyncio.shield(self._looking)

    async def _look(self, ctx: Context) -> int:
        await asyncio.sleep(LOOK_AGAIN_S)
        return await ctx.db.look(_newest)


NEWEST: web.AppKey[Newest] = web.AppKey("newest", Newest)


def _newest(connection: Connection) -> int:
    return connection.scalar(select(func.max(tables.events.c.number))) or 0


@api.operation(scope="read", answers={200: answers.Events})
async def find(request: web.Request, ctx: Context, query: requests.EventsQuery) -> web.Response:
    """What happened after event `after`, in order.

    A number never appears once a higher one has been given out, so reading on from `next` misses nothing. With `wait` the
    answer waits that long for a first event.
    """
    if query.limit > (most := ctx.settings.balancer.events_page):
        raise api.invalid_field("query.limit", f"Send at most {most}.", "less_than_equal")
    until = ctx.clock.monotonic() + min(query.wait, ctx.settings.balancer.wait_max_s)
    views = await ctx.db.look(events.behind, query.after, query.limit)
    while not views and ctx.clock.monotonic() < until and not ctx.waiters.ended:
        await _until_newer(ctx, request.app[NEWEST], query.after, until)
        views = await ctx.db.look(events.behind, query.after, query.limit)
    following = views[-1].number if views else query.after
    return api.answer(answers.Events(views, following))


async def _until_newer(ctx: Context, newest: Newest, after: int, until: float) -> None:
    """Return when the feed seems to go on behind ``after``, at ``until``, or when the service stops."""
    try:
        async with asyncio.timeout(max(0.0, until - ctx.clock.monotonic())):
            while await newest.number(ctx) <= after and not ctx.waiters.ended:
                pass
    except TimeoutError:
        return
