"""`/approvals`: withdrawals that wait for a second operator."""

from __future__ import annotations

from aiohttp import web

from balancer.context import Context
from balancer.journal import views
from balancer.trades import approvals
from balancer.trades.requests import Caller
from balancer.web import api
from balancer.web.schemas import answers, operator
from shared.errors import Forbidden, NotFound, TooLate


@api.operation(scope="operate", answers={200: answers.TradePage})
async def find(ctx: Context, caller: Caller, query: operator.ApprovalsQuery) -> web.Response:
    """Withdrawals that wait for an approval, oldest first; `next` goes into `after`."""
    ids = await approvals.list_approvals(ctx, query.after or "", query.limit)
    trades = [trade.as_seen_by(caller.client_id) for trade in await ctx.views.of(ids)]
    return api.answer(answers.TradePage(trades, ids[-1] if len(ids) == query.limit else None))


@api.operation(
    scope="operate",
    answers={200: views.Trade},
    errors=((NotFound, "not_found"), (Forbidden, "own_request"), (TooLate, "too_late")),
)
async def decide(ctx: Context, caller: Caller, path: operator.ApprovalPath) -> web.Response:
    """Approve or reject a withdrawal.

    The client that asked for it cannot. An approved one goes to its bot within seconds, or when its items have settled; a
    rejected one is canceled and its items are free at once.
    """
    approve = path.decision == "approve"
    await approvals.decide(ctx, path.trade_id, caller.client_id, caller.who, approve=approve)
    [view] = await ctx.views.of([path.trade_id])
    return api.answer(view.as_seen_by(caller.client_id))
