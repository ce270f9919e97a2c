"""`/credits`: cents that the house owes its users."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web

from balancer.context import Context
from balancer.custody import credits
from balancer.custody.refs import Answer, Call
from balancer.trades.requests import Caller
from balancer.web import api
from balancer.web.handlers import refs
from balancer.web.schemas import games
from shared.domain.games import CreditKind
from shared.errors import Conflict, FleetPaused, Forbidden, NotFound, RequestReused


@api.operation(
    scope="play",
    answers={200: credits.Posted, 201: credits.Posted},
    errors=(
        (NotFound, "not_found"),
        (Conflict, "too_little_credit"),
        (RequestReused, "ref_reused"),
        (FleetPaused, "limit_reached"),
    ),
)
async def create(ctx: Context, caller: Caller, body: games.CreditsBody) -> web.Response:
    """Write lines of credit: all of them or none; each has its opposite on the house.

    A line of the kind `correction` needs the scope `operate` too. The same `ref` and body again: 200 with the same answer.
    """
    if "operate" not in caller.scopes and any(line.kind is CreditKind.CORRECTION for line in body.lines):
        raise Forbidden("A correction needs a key with the scope operate too.", scope="operate")
    lines = [line.line() for line in body.lines]
    call = refs.call_of(ctx, caller, body)
    return refs.answer(await limited(ctx, call, credits.post, lines, body.not_below_cents, limits_of(ctx)))


def limits_of(ctx: Context) -> credits.Limits:
    """Most cents that may be credited within a day."""
    return credits.Limits(ctx.settings.games.user_credits_day_cents, ctx.settings.games.client_credits_day_cents)


async def limited(ctx: Context, call: Call, doing: Callable[..., Answer], *asked: object) -> Answer:
    """Do what may reach a limit of a day; if it does, an alarm is raised after the transaction was given up.

    Raises:
        credits.LimitReached, and whatever ``doing`` raises.
    """
    try:
        return await ctx.db.run(doing, call, *asked, ctx.new_id)
    except credits.LimitReached as reached:
        await ctx.db.run(credits.raise_alarm, reached, call.by)
        raise


@api.operation(scope="read", answers={200: credits.Credits}, errors=((NotFound, "not_found"),))
async def find(ctx: Context, query: games.CreditsQuery) -> web.Response:
    """A user's balance, and the lines that it is the sum of.

    `next` is the `after` of the next page, or null when this was the last.
    """
    return api.answer(await ctx.db.read(credits.find, query.user_id, query.after, query.limit))
