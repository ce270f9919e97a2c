"""`/issues` and `/exchanges`: the house issues tickets, and gives tickets and items for what users give."""

from __future__ import annotations

from aiohttp import web

from balancer.context import Context
from balancer.custody import exchanges, tickets
from balancer.trades.requests import Caller
from balancer.web import api
from balancer.web.handlers import credits, locks, refs
from balancer.web.schemas import games
from shared.errors import Conflict, FleetPaused, RequestReused


@api.operation(
    scope="operate",
    answers={200: tickets.Issued, 201: tickets.Issued},
    errors=((Conflict, "kind_differs"), (RequestReused, "ref_reused")),
)
async def issue(ctx: Context, caller: Caller, body: games.IssueBody) -> web.Response:
    """Issue tickets: items of the house without bot and asset, which are never withdrawn.

    All tickets of one name have one value, which never changes. The same `ref` and body again: 200 with the same answer.
    """
    call = refs.call_of(ctx, caller, body)
    return refs.answer(await ctx.db.run(tickets.issue, call, body.wish(), ctx.new_id))


@api.operation(
    scope="play",
    answers={200: exchanges.Exchange, 201: exchanges.Exchange},
    errors=(
        *locks.WHY_NOT,
        (Conflict, "house_row_taken"),
        (Conflict, "not_for_exchange"),
        (Conflict, "price_changed"),
        (Conflict, "uneven"),
        (Conflict, "too_little_credit"),
        (RequestReused, "ref_reused"),
        (FleetPaused, "limit_reached"),
    ),
)
async def create(ctx: Context, caller: Caller, body: games.ExchangeBody) -> web.Response:
    """Give a user's items or credit to the house for tickets, or for items of the house: all or nothing.

    What is taken, with the house's fee for real items, is worth no more than what is given; the rest is a credit. The same
    `ref` and body again: 200 with the same answer.
    """
    refs.check_once("body.give", body.give)
    refs.check_once("body.take.deposit_ids", body.take.deposit_ids)
    settings = ctx.settings.games
    rules = exchanges.Rules(
        locks.terms_of(ctx),
        settings.exchange_fee_bp,
        settings.user_exchanges_day_cents,
        settings.client_exchanges_day_cents,
    )
    return refs.answer(await credits.limited(ctx, refs.call_of(ctx, caller, body), exchanges.exchange, body.wish(), rules))
