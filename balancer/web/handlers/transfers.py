"""`/transfers`: items under locks change hands."""

from __future__ import annotations

from aiohttp import web

from balancer.context import Context
from balancer.custody import transfers
from balancer.trades.requests import Caller
from balancer.web import api
from balancer.web.handlers import credits, refs
from balancer.web.schemas import answers, games
from shared.errors import Conflict, FleetPaused, Forbidden, NotAccepted, NotFound, RequestReused


@api.operation(
    scope="play",
    answers={200: transfers.Transfer, 201: transfers.Transfer},
    errors=(
        (NotAccepted, "repeated"),
        (NotFound, "not_found"),
        (Conflict, "lock_released"),
        (Conflict, "not_locked"),
        (Forbidden, "not_owner"),
        (RequestReused, "ref_reused"),
        (FleetPaused, "limit_reached"),
    ),
)
async def create(ctx: Context, caller: Caller, body: games.TransferBody) -> web.Response:
    """Hand over items that are under your locks: all of them or none.

    Whether Steam may still take an item back does not change with its owner. What was reversed or frozen is handed over too,
    and stands in `lost`. The same `ref` and body again: 200 with the same answer.
    """
    call = refs.call_of(ctx, caller, body)
    return refs.answer(await credits.limited(ctx, call, transfers.transfer, body.wish(), credits.limits_of(ctx)))


@api.operation(scope="play", answers={200: transfers.Transfer}, errors=((NotFound, "not_found"),))
async def show(ctx: Context, caller: Caller, path: games.RefPath) -> web.Response:
    """One of your transfers, as it was answered."""
    return refs.answer(await ctx.db.read(transfers.show, caller.client_id, path.ref))


@api.operation(scope="play", answers={200: answers.TransferPage})
async def find(ctx: Context, caller: Caller, query: games.TransfersQuery) -> web.Response:
    """Your transfers in the order of their refs.

    `next` is the `after` of the next page, or null when this was the last.
    """
    return refs.answer(await ctx.db.read(transfers.find, caller.client_id, query.after, query.limit))
