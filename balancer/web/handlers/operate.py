"""What an operator does that is about no single trade: kill switches, and letting a blocked user trade again."""

from __future__ import annotations

from aiohttp import web

from balancer.context import Context
from balancer.fleet import switches
from balancer.journal.by import By
from balancer.trades import holding, reversal
from balancer.trades.requests import Caller
from balancer.web import api
from balancer.web.schemas import answers, operator
from shared.errors import NotFound


@api.operation(scope="read", answers={200: answers.Switches})
async def show_switches(ctx: Context) -> web.Response:
    """What is paused, by an operator or by Steam's maintenance."""
    return _answer(ctx, await ctx.db.read(switches.read))


@api.operation(scope="operate", answers={200: answers.Switches}, errors=((NotFound, "not_found"),))
async def turn_switch(ctx: Context, caller: Caller, body: operator.SwitchBody) -> web.Response:
    """Pause deposits or withdrawals in every balancer, or resume them.

    New requests get 503 `fleet_paused`. Withdrawals that no bot has begun are held as well; a bot finishes what it has begun.
    With `client`, only the withdrawals of that client are paused. A second call changes nothing.
    """
    pauses = await ctx.switches.turn(body.switch, caller.who, body.reason, paused=body.paused, client=body.client)
    await holding.hold(ctx)
    return _answer(ctx, pauses)


def _answer(ctx: Context, pauses: list[switches.Pause]) -> web.Response:
    return api.answer(answers.Switches(pauses, ctx.fleet.maintenance))


@api.operation(scope="operate", answers={200: answers.User}, errors=((NotFound, "not_found"),))
async def unblock(ctx: Context, caller: Caller, path: operator.UserPath) -> web.Response:
    """Unblock a user who was blocked because a trade was reversed."""
    if await ctx.db.run(reversal.unblock, path.user_id, None, By(caller.who, ctx.clock.now())) is None:
        raise NotFound("No such user is blocked.")
    return api.answer(answers.User(path.user_id, blocked=False))
