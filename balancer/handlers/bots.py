"""`/bots`: the fleet, and what is wanted of a bot."""

from __future__ import annotations

from aiohttp import web

from balancer import api, audits, capacity, schemas, waiting
from balancer.context import Context
from balancer.handlers import dump
from balancer.trades import Caller
from shared.domain.status import BotMode
from shared.errors import NotFound

MODE_OF = {"pause": BotMode.PAUSED, "resume": BotMode.ACTIVE, "drain": BotMode.DRAINING}


@api.operation(scope="read", answers={200: schemas.Bots})
async def find(ctx: Context) -> web.Response:
    """Every known bot, as its worker last told, and what the fleet can serve.

    `capacity` says how many items and offers the bots that take deposits have room for, and how many inventories of players a
    minute may be read at Steam: each address that Steam sees has its own number, however many bots are behind it.
    """
    waits, bots = await ctx.db.look(waiting.per_bot), ctx.fleet.bots()
    can = capacity.of(bots, ctx.fleet.lanes, ctx.fleet.limits, ctx.inventories.waiting)
    return api.answer({"bots": [dump.bot(view, waits.get(view.name, {})) for view in bots], "capacity": can})


@api.operation(scope="operate", answers={200: schemas.Bot}, errors=((NotFound, "not_found"),))
async def change(ctx: Context, caller: Caller, path: schemas.BotPath) -> web.Response:
    """Say what is wanted of a bot: everything, nothing new, or only giving back; or let a frozen one go on.

    `pause` takes it out of every choice, `drain` lets it give back only, `resume` is everything again. Saying it twice changes
    nothing; a paused or draining bot finishes what it has begun. `unfreeze` lets a bot go on that an audit has frozen: the
    differences that stand in `GET /audit` are known from then on, and only another one freezes it again.
    """
    if path.action == "unfreeze":
        await ctx.db.run(audits.unfreeze, path.color, path.bot_id, f"client:{caller.name}", ctx.clock.now())
        view = await ctx.fleet.read_again(path.color, path.bot_id)
    else:
        view = await ctx.fleet.set_mode(path.color, path.bot_id, MODE_OF[path.action].value)
    waits = await ctx.db.look(waiting.per_bot)
    return api.answer(dump.bot(view, waits.get(view.name, {})))
