"""`/bots`: the fleet, and what is wanted of a bot."""

from __future__ import annotations

from aiohttp import web

from balancer.context import Context
from balancer.custody import audit
from balancer.fleet import capacity
from balancer.trades import approvals
from balancer.trades.service import Caller
from balancer.web import api
from balancer.web.handlers import dump
from balancer.web.schemas import answers
from shared.domain.status import BotMode
from shared.errors import NotFound

MODE_OF = {"pause": BotMode.PAUSED, "resume": BotMode.ACTIVE, "drain": BotMode.DRAINING}


@api.operation(scope="read", answers={200: answers.Bots})
async def find(ctx: Context) -> web.Response:
    """Every known bot, as its worker last told, and what the fleet can serve.

    `capacity` says how many items and offers the bots that take deposits have room for, and how many inventories of players a
    minute may be read at Steam: each address that Steam sees has its own number, however many bots are behind it.
    """
    waits, bots = await ctx.db.look(approvals.per_bot), ctx.fleet.bots()
    can = capacity.of(bots, ctx.fleet.lanes, ctx.fleet.limits, ctx.inventories.waiting, ctx.fleet.groups_known)
    return api.answer({"bots": [dump.bot(view, waits.get(view.name, {})) for view in bots], "capacity": can})


@api.operation(scope="operate", answers={200: answers.Bot}, errors=((NotFound, "not_found"),))
async def change(ctx: Context, caller: Caller, path: answers.BotPath) -> web.Response:
    """Say what is wanted of a bot: everything, nothing new, or only giving back; or let a frozen one go on.

    `pause` takes it out of every choice, `drain` lets it give back only, `resume` is everything again. Saying it twice changes
    nothing; a paused or draining bot finishes what it has begun. `unfreeze` lets a bot go on that an audit has frozen: the
    differences that stand in `GET /audit` are known from then on, and only another one freezes it again.
    """
    if path.action == "unfreeze":
        await ctx.db.run(audit.unfreeze, path.color, path.bot_id, f"client:{caller.name}", ctx.clock.now())
        view = await ctx.fleet.read_again(path.color, path.bot_id)
    else:
        view = await ctx.fleet.set_mode(path.color, path.bot_id, MODE_OF[path.action].value)
    waits = await ctx.db.look(approvals.per_bot)
    return api.answer(dump.bot(view, waits.get(view.name, {})))
