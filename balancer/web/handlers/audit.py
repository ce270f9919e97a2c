"""`/audit`: the bots' rows against their real inventories."""

from __future__ import annotations

from aiohttp import web

from balancer.context import Context
from balancer.custody import audit
from balancer.trades.service import Caller
from balancer.web import api
from balancer.web.handlers import dump
from balancer.web.schemas import operator
from shared.errors import NotFound


@api.operation(scope="read", answers={200: operator.Audits})
async def show(ctx: Context) -> web.Response:
    """What the last audit of every bot said, and whether another is under way.

    The balancer audits each bot by itself once in a while.
    """
    return api.answer({"bots": [dump.audit(view) for view in await ctx.db.look(audit.show)]})


@api.operation(scope="operate", answers={202: operator.AuditStarted}, errors=((NotFound, "not_found"),))
async def start(ctx: Context, caller: Caller, body: operator.AuditBody) -> web.Response:
    """Let bots read their inventories and compare them with their rows; ask `GET /audit` for the result.

    A difference counts when two readings show it. It freezes the bot and raises the event `audit_difference`.
    """
    audit_id, who = ctx.new_id("audit"), f"client:{caller.name}"
    names = await ctx.db.run(audit.want, body.bots, audit_id, who, ctx.clock.now())
    return api.answer({"audit_id": audit_id, "bots": names}, status=202)
