"""`/bots`: the fleet, and what is wanted of a bot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from aiohttp import web

from balancer.context import Context
from balancer.custody.audit import freeze
from balancer.fleet import capacity
from balancer.fleet.bot import Bot
from balancer.journal.by import By
from balancer.trades import line
from balancer.trades.requests import Caller
from balancer.web import api
from balancer.web.schemas import answers, requests
from shared.domain.status import BotMode, WaitsFor
from shared.errors import NotFound

MODE_OF = {"pause": BotMode.PAUSED, "resume": BotMode.ACTIVE, "drain": BotMode.DRAINING}


@api.operation(scope="read", answers={200: answers.Bots})
async def find(ctx: Context) -> web.Response:
    """Every known bot, as its worker last reported, and what the fleet can serve.

    `capacity` says for how many items and offers the bots that take deposits have room, and how many inventories of players may
    be read at Steam in a minute. Each address that Steam sees has its own number, however many bots use it.
    """
    waits, bots = await ctx.db.read(line.per_bot), ctx.fleet.bots()
    can = capacity.of(bots, ctx.fleet.lanes, ctx.fleet.limits, ctx.inventories.waiting, ctx.fleet.groups_known)
    return api.answer(answers.Bots([_with(bot, waits) for bot in bots], can))


@api.operation(scope="operate", answers={200: Bot}, errors=((NotFound, "not_found"),))
async def change(ctx: Context, caller: Caller, path: requests.BotPath) -> web.Response:
    """Set what a bot does: everything, nothing new, or only withdrawals; or release a frozen bot.

    `pause` gives it nothing new, `drain` lets it only give items back, `resume` allows everything again. A second call changes
    nothing; a paused or draining bot finishes what it has begun. `unfreeze` releases a bot that an audit has frozen: the
    differences that `GET /audit` shows are known from then on, and only another one freezes it again.
    """
    if path.action == "unfreeze":
        await ctx.db.run(freeze.unfreeze, path.color, path.bot_id, By(caller.who, ctx.clock.now()))
        view = await ctx.fleet.read_again(path.color, path.bot_id)
    else:
        view = await ctx.fleet.set_mode(path.color, path.bot_id, MODE_OF[path.action].value, caller.who)
    waits = await ctx.db.read(line.per_bot)
    return api.answer(_with(view, waits))


def _with(bot: Bot, waits: Mapping[str, Mapping[str, int]]) -> Bot:
    """The bot with how many withdrawals wait for it; ``waits`` says for what, by bot."""
    mine = waits.get(bot.name)
    return bot if mine is None else replace(bot, waiting=sum(mine.values()), in_line=mine.get(WaitsFor.OFFER, 0))
