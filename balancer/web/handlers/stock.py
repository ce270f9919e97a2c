"""`/stock` and `/items`: what the house has to play with, and all known items with their values."""

from __future__ import annotations

from aiohttp import web

from balancer.context import Context
from balancer.custody import stock
from balancer.web import api
from balancer.web.schemas import answers, games


@api.operation(scope="read", answers={200: answers.Stock})
async def show(ctx: Context, query: games.StockQuery) -> web.Response:
    """Items of the house that are free, settled and not frozen, the smallest value first."""
    rows = await ctx.db.read(stock.free, query.value_max_cents, query.limit)
    return api.answer(answers.Stock(ctx.settings.balancer.currency, rows))


@api.operation(scope="read", answers={200: answers.Catalogue})
async def items(ctx: Context, query: games.ItemsQuery) -> web.Response:
    """All known items with their values, in the order of their ids.

    `next` is the `after` of the next page, or null when this was the last.
    """
    rows = await ctx.db.read(stock.catalogue, query.after, query.limit)
    following = rows[-1].item_id if len(rows) == query.limit else None
    return api.answer(answers.Catalogue(ctx.settings.balancer.currency, rows, following))
