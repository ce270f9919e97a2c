"""`/audit`: the bots' rows against their real inventories."""

from __future__ import annotations

from aiohttp import web

from balancer.context import Context
from balancer.custody.audit import ask
from balancer.custody.audit import show as shows
from balancer.journal.by import By
from balancer.trades.requests import Caller
from balancer.web import api
from balancer.web.schemas import answers, operator
from shared.errors import NotFound


@api.operation(scope="read", answers={200: answers.Audits})
async def show(ctx: Context) -> web.Response:
    """The result of every bot's last audit, and whether another one is running.

    The balancer also audits each bot by itself from time to time.
    """
    return api.answer(answers.Audits(await ctx.db.read(shows.show)))


@api.operation(scope="operate", answers={202: answers.AuditStarted}, errors=((NotFound, "not_found"),))
async def start(ctx: Context, caller: Caller, body: operator.AuditBody) -> web.Response:
    """Let bots read their inventories and compare them with their rows; ask `GET /audit` for the result.

    A difference counts when two readings show it. It freezes the bot and raises the event `audit_difference`.
    """
    audit_id = ctx.new_id("audit")
    names = await ctx.db.run(ask.want, body.bots, audit_id, By(caller.who, ctx.clock.now()))
    return api.answer(answers.AuditStarted(audit_id, names), status=202)
