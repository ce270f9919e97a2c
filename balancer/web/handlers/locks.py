"""`/locks`: items are bound to a game, and let go."""

from __future__ import annotations

from aiohttp import web

from balancer.context import Context
from balancer.custody import deposits
from balancer.custody.locks import bind, releases
from balancer.custody.locks import show as shows
from balancer.custody.locks.show import Lock, Release
from balancer.custody.locks.terms import Terms
from balancer.fleet import switches
from balancer.trades.requests import Caller
from balancer.web import api
from balancer.web.handlers import refs
from balancer.web.schemas import answers, games
from shared.errors import Conflict, FleetPaused, Forbidden, NotFound, RequestReused

WHY_NOT = (
    (NotFound, "not_found"),
    (Forbidden, "not_owner"),
    (Conflict, "not_active"),
    (Conflict, "item_locked"),
    (Conflict, "item_unsettled"),
    (Conflict, "item_frozen"),
    (Conflict, "partner_blocked"),
    (Conflict, "bot_restricted"),
    (Conflict, "value_stale"),
    (FleetPaused, "fleet_paused"),
)


@api.operation(
    scope="play",
    answers={200: Lock, 201: Lock},
    errors=(*WHY_NOT, (Conflict, "lock_released"), (RequestReused, "ref_reused")),
)
async def create(ctx: Context, caller: Caller, body: games.LockBody) -> web.Response:
    """Bind items of a user, or of the house, to a game: all of them or none.

    They can neither be withdrawn nor locked again until they are released or transferred; a lock never runs out by itself.
    The same `ref` and body again: 200 with the same answer.
    """
    refs.check_once("body.deposit_ids", body.deposit_ids)
    call = refs.call_of(ctx, caller, body)
    return refs.answer(await ctx.db.run(bind.lock, call, body.wish(), terms_of(ctx)))


def terms_of(ctx: Context) -> Terms:
    """What keeps items from being bound at this moment."""
    pause = ctx.switches.paused(switches.LOCKS)
    return Terms(
        ctx.settings.prices.value_age_max_s,
        ctx.settings.trades.settle_margin_s,
        deposits.cannot_give(ctx),
        None if pause is None else pause.reason,
    )


@api.operation(scope="play", answers={200: Release}, errors=((Conflict, "ref_of_another_client"),))
async def release(ctx: Context, caller: Caller, path: games.RefPath) -> web.Response:
    """Free what is still under a lock; what was transferred stays so.

    Again: the same answer. A ref that was never seen can hold nothing from now on, so a `POST /locks` that is still on its way
    is refused as `lock_released`.
    """
    answer = await ctx.db.run(releases.release, refs.call_without_body(ctx, caller, path.ref))
    return refs.answer(answer, first=200)


@api.operation(scope="play", answers={200: Lock}, errors=((NotFound, "not_found"),))
async def show(ctx: Context, caller: Caller, path: games.RefPath) -> web.Response:
    """One of your locks as it stands now."""
    return api.answer(await ctx.db.read(shows.show, caller.client_id, path.ref))


@api.operation(scope="play", answers={200: answers.LockPage})
async def find(ctx: Context, caller: Caller, query: games.LocksQuery) -> web.Response:
    """Your locks in the order of their refs, as they stand now.

    `next` is the `after` of the next page, or null when this was the last.
    """

    states = [state.value for state in query.state]
    listed = await ctx.db.read(shows.find, caller.client_id, states, query.user_id, query.after, query.limit)
    return api.answer(answers.LockPage(listed, listed[-1].ref if len(listed) == query.limit else None))
