"""`/deposits`: what is in custody, and letting a frozen item be used again."""

from __future__ import annotations

from aiohttp import web

from balancer.context import Context
from balancer.custody import decide, deposits
from balancer.journal.by import By
from balancer.trades import house
from balancer.trades.requests import Caller, HouseWish
from balancer.web import api
from balancer.web.handlers import offers
from balancer.web.schemas import answers, operator, requests
from shared.errors import Conflict, NotFound


@api.operation(scope="read", answers={200: answers.Deposits})
async def find(ctx: Context, query: requests.DepositsQuery) -> web.Response:
    """What the fleet holds, or is about to hold, for a user or for several, or these deposits.

    `next` is the `after` of the next page, or null when this was the last.
    """
    status = query.status.value if query.status else None
    user_ids = [*query.user_ids, *([query.user_id] if query.user_id else [])]
    views = await deposits.list_deposits(
        ctx, user_ids=user_ids, ids=query.ids, status=status, after=query.after, limit=query.limit
    )
    following = views[-1].deposit_id if len(views) == query.limit else None
    return api.answer(answers.Deposits(ctx.settings.balancer.currency, views, following))


@api.operation(
    scope="operate",
    answers={200: deposits.Deposit},
    errors=((NotFound, "not_found"), (Conflict, "not_frozen"), (Conflict, "item_not_here"), (Conflict, "asset_in_trade")),
)
async def thaw(ctx: Context, caller: Caller, path: operator.DepositPath, body: operator.ThawBody) -> web.Response:
    """Release an item that a reversal, or an exchange that failed although it was good before, has frozen.

    This works only when a bot has seen the item and it is in no running trade. Check the bot's inventory on Steam first.
    """
    await ctx.db.run(deposits.thaw, path.deposit_id, body.reason, By(caller.who, ctx.clock.now()))
    return api.answer(await deposits.show(ctx, path.deposit_id))


@api.operation(
    scope="operate",
    answers={202: decide.Decided},
    errors=(
        (NotFound, "not_found"),
        (Conflict, "not_frozen"),
        (Conflict, "item_frozen"),
        (Conflict, "item_locked"),
        (Conflict, "asset_in_trade"),
    ),
)
async def settle_frozen(ctx: Context, caller: Caller, path: operator.DepositPath, body: operator.DecisionBody) -> web.Response:
    """Release or write off an item that stays frozen, when a second client has said the same within a day.

    Then its bot reads its inventory, and only that reading carries it out: what is released must lie there, free and of the
    row's name; what is written off must be missing for a second time. Otherwise `deposit_decision_dropped` says why not.
    """
    asset_id = None if body.asset_id is None else int(body.asset_id)
    by, audit_id = By(caller.who, ctx.clock.now()), ctx.new_id("audit")
    decided = await ctx.db.run(decide.decide, path.deposit_id, body.decision, asset_id, body.reason, by, audit_id)
    return api.answer(decided, status=202)


@api.operation(
    scope="operate",
    answers={201: answers.Trades, 202: answers.Trades},
    errors=offers.OUT,
)
async def give(
    ctx: Context, caller: Caller, key: api.IdempotencyKey, query: requests.WaitQuery, body: operator.GiveBody
) -> web.Response:
    """Send items of the house to an account.

    These are gifts of strangers to bots; `GET /deposits?user_id=house` lists them. They go to the account of `trade_url`,
    which must not be a bot's, when another client, or a person at the command line, has approved each trade. A gift is frozen
    until an audit has seen it after its protection.
    """
    wish = HouseWish(offers.any_trade_url(body.trade_url), body.deposit_ids, body.reason, body.message)
    return await offers.send_out(ctx, caller, key, query.wait, wish, house.give)
