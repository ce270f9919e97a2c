"""`/approvals`: withdrawals that wait for a second operator."""

from __future__ import annotations

from aiohttp import web

from balancer.context import Context
from balancer.trades import approvals, service
from balancer.trades.service import Caller
from balancer.web import api
from balancer.web.handlers import dump
from balancer.web.schemas import answers, operator
from shared.errors import Forbidden, NotFound, TooLate


@api.operation(scope="operate", answers={200: answers.TradePage})
async def find(ctx: Context, caller: Caller, query: operator.ApprovalsQuery) -> web.Response:
    """Withdrawals that wait for an approval, oldest first; `next` goes into `after`."""
    ids = await approvals.list_approvals(ctx, query.after or "", query.limit)
    found = dump.trades(await service.show(ctx, ids), ctx.settings, caller)
    return api.answer({**found, "next": ids[-1] if len(ids) == query.limit else None})


@api.operation(
    scope="operate",
    answers={200: answers.Trade},
    errors=((NotFound, "not_found"), (Forbidden, "own_request"), (TooLate, "too_late")),
)
async def decide(ctx: Context, caller: Caller, path: operator.ApprovalPath) -> web.Response:
    """Approve or reject a withdrawal.

    The client that asked for it cannot. An approved one goes to its bot within seconds, or when its items have settled; a
    rejected one is canceled and its items are free at once.
    """
    approve = path.decision == "approve"
    await approvals.decide(ctx, path.trade_id, caller.client_id, f"client:{caller.name}", approve=approve)
    [view] = await service.show(ctx, [path.trade_id])
    return api.answer(dump.trade(view, ctx.settings, caller))
