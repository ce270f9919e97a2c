"""`/trade`: how trades stand, and the request to cancel one."""

from __future__ import annotations

from aiohttp import web

from balancer.context import Context
from balancer.journal import story as stories
from balancer.journal import views
from balancer.journal.rules import ByRules, Rules
from balancer.trades import cancel as cancels
from balancer.trades.requests import Caller
from balancer.upkeep import doubts
from balancer.web import api
from balancer.web.schemas import answers, operator, requests
from shared.errors import Conflict, NotFound, TooLate


@api.operation(scope="read", answers={200: views.Trade}, errors=((NotFound, "not_found"),))
async def show(ctx: Context, caller: Caller, path: requests.TradePath) -> web.Response:
    """One trade.

    Once it is accepted its items show their new asset ids.
    """
    trades = await ctx.views.of([path.trade_id])
    if not trades:
        raise NotFound("There is no trade with this id.")
    return api.answer(trades[0].as_seen_by(caller.client_id))


@api.operation(scope="read", answers={200: answers.TradePage})
async def find(ctx: Context, caller: Caller, query: requests.TradeQuery) -> web.Response:
    """Trades by their ids, by Steam's offer ids, or by user and status.

    Unknown ids are left out. Without ids the trades come in the order they were made, `limit` at a time; `next` is the
    `after` of the next page, or null when this was the last.
    """
    if query.trade_id or query.offer_id:
        if query.user_id or query.status or query.after:
            detail = "Send ids without user_id, status and after, or these without ids."
            raise api.invalid_field("query.trade_id", detail, "combination")
        trades = await _by_ids(ctx, query.trade_id, query.offer_id)
        return api.answer(answers.TradePage(_seen(trades, caller), None))
    status = query.status.value if query.status else None
    trades = await ctx.views.find(user_id=query.user_id, status=status, after=query.after, limit=query.limit)
    following = trades[-1].trade_id if len(trades) == query.limit else None
    return api.answer(answers.TradePage(_seen(trades, caller), following))


@api.operation(scope="read", answers={200: answers.Trades})
async def show_many(ctx: Context, caller: Caller, body: requests.TradesBody) -> web.Response:
    """Up to 200 trades at once.

    By `trade_ids`, by `offer_ids`, or both; unknown ids are left out.
    """
    if len(body.trade_ids) + len(body.offer_ids) > requests.LOOKUP_MAX:
        raise api.invalid_field("body.trade_ids", f"Send at most {requests.LOOKUP_MAX} ids in one request.", "too_long")
    if not body.trade_ids and not body.offer_ids:
        raise api.invalid_field("body.trade_ids", "Name at least one trade or offer.", "missing")
    return api.answer(answers.Trades(_seen(await _by_ids(ctx, body.trade_ids, body.offer_ids), caller)))


async def _by_ids(ctx: Context, trade_ids: list[str], offer_ids: list[str]) -> list[views.Trade]:
    trades = await ctx.views.of(list(dict.fromkeys(trade_ids))) if trade_ids else []
    if offer_ids:
        shown = {trade.trade_id for trade in trades}
        more = await ctx.views.find(offer_ids=offer_ids, limit=requests.LOOKUP_MAX)
        trades = [*trades, *(trade for trade in more if trade.trade_id not in shown)]
    return trades


def _seen(trades: list[views.Trade], caller: Caller) -> list[views.Trade]:
    return [trade.as_seen_by(caller.client_id) for trade in trades]


@api.operation(scope="read", answers={200: answers.Story}, errors=((NotFound, "not_found"),))
async def story(ctx: Context, caller: Caller, path: requests.TradePath) -> web.Response:
    """One trade's whole story.

    The choice of the bot and why, each order, each report and what it led to, in the order in which they were written down.
    """
    trades = await ctx.views.of([path.trade_id])
    if not trades:
        raise NotFound("There is no trade with this id.")
    steps = await ctx.db.read(stories.of_trade, path.trade_id)
    return api.answer(answers.Story(trades[0].as_seen_by(caller.client_id), steps))


@api.operation(
    scope="trade",
    answers={200: views.Trade},
    errors=((NotFound, "not_found"), (TooLate, "too_late"), (TooLate, "trade_held")),
)
async def cancel(ctx: Context, caller: Caller, path: requests.TradePath) -> web.Response:
    """Request that a trade be canceled.

    The trade is canceled when a bot has seen that its offer is; until then it shows `cancel_requested`. A second call changes
    nothing.
    """
    trade = await cancels.cancel(ctx, caller, path.trade_id)
    return api.answer(trade.as_seen_by(caller.client_id))


@api.operation(
    scope="operate",
    answers={200: views.Trade},
    errors=(
        (NotFound, "not_found"),
        (TooLate, "too_late"),
        (Conflict, "doubt_too_young"),
        (Conflict, "offer_seen"),
        (Conflict, "offer_of_another_trade"),
    ),
)
async def doubt(ctx: Context, caller: Caller, path: requests.TradePath, body: operator.DoubtBody) -> web.Response:
    """Say what has become of a trade that stays in doubt.

    An `offer_id` is looked up by the trade's bot and counts if it goes to this partner with these items. With `null` you say
    that you have looked at the bot's sent offers and its history on Steam, and that there is no offer: the trade is sent again,
    or ends if it is to be canceled or its attempts are used up. That is refused until bots have searched for long enough
    (`doubt_too_young`), and while the last search saw something (`offer_seen`).
    """
    rules, now = Rules.of(ctx.settings), ctx.clock.now()
    await ctx.db.run(doubts.decide, path.trade_id, body.offer_id, body.reason, ByRules(caller.who, now, rules))
    ctx.changes.notify([path.trade_id])
    [view] = await ctx.views.of([path.trade_id])
    return api.answer(view.as_seen_by(caller.client_id))
