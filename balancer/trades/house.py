"""Items of the house go out: what strangers gave to bots, to an account that an operator names, after a second person agreed.

Only rows of the house, and only those that an audit has seen where they can be given from (`balancer.custody.gifts`). All else
is as in a withdrawal: the same limits, switches and lines, one trade per bot, and what moved nothing is looked for.
"""

from __future__ import annotations

from sqlalchemy import Connection

from balancer.changes import Expectation
from balancer.context import Context
from balancer.db import pipeline
from balancer.db.tables import HOUSE
from balancer.fleet import reserve, switches
from balancer.journal import events, opening
from balancer.journal.by import By
from balancer.trades import draft as drafts
from balancer.trades import idempotency, outflow, players, withdraw
from balancer.trades.draft import Draft
from balancer.trades.requests import HouseWish, Made, Request
from shared.domain import phases
from shared.domain.status import Direction, WaitsFor
from shared.errors import Conflict


async def give(ctx: Context, request: Request, wish: HouseWish, expectation: Expectation | None = None) -> Made:
    """Offer these items of the house to somebody, once a second person has approved it.

    Raises:
        RequestReused, NotFound, NotAccepted, FleetPaused, PlayerMustAct; Forbidden (not_owner), a row is a player's; Conflict
        (item_frozen, no audit has seen it yet; asset_in_trade, …).
    """
    drafts.check(ctx, wish)
    return await idempotency.once(ctx, request, ctx.db.run(make, ctx, request, wish), expectation)


def make(connection: Connection, ctx: Context, request: Request, wish: HouseWish) -> Draft:
    """Reserve the rows, all or none, and make trades that wait for an approval."""
    limits, partner = ctx.settings.limits, int(wish.trade_url.partner)
    ctx.switches.check(switches.WITHDRAWALS, request.caller.client_id)
    outflow.take_turns(connection, limits)
    unanswered = players.lock(connection, [HOUSE])[HOUSE].unanswered
    holdings = players.holdings(connection, HOUSE, partner, unanswered)
    rows = withdraw.rows_to_give(connection, wish.deposit_ids)
    for deposit_id in wish.deposit_ids:
        withdraw.check_row(rows.get(deposit_id), HOUSE, ctx.settings)
    making = Draft(ctx, request, Direction.WITHDRAW, HOUSE, wish.trade_url, wish.message, holdings)
    if not opening.reserve_deposits(connection, list(rows), request.now):
        raise Conflict("an item was taken by another request", code="asset_in_trade")
    for bot, part in withdraw.parts_to_give(rows.values(), limits.trade_items_max):
        reserve.check_gives(connection, ctx.fleet, bot)
        trade_id = making.begin(bot, {"why": "holds_items", "items": len(part)}, (WaitsFor.APPROVAL, None))
        for row in part:
            # The house's rows have no value of their own; what goes out is limited by what it is worth.
            cents = ctx.prices.value(phases.priced_name(row.market_hash_name, row.phase)) or row.value_cents
            making.give_out(trade_id, row, cents)
    withdraw.check_outflow(connection, making)
    pipeline.insert_rows(connection, drafts.rows([making]))
    data = {"steam_id": str(partner), "deposits": list(rows), "trades": making.trade_ids, "reason": wish.reason}
    events.append(connection, events.row("house_items_given", data, By(request.who, request.now), None, HOUSE))
    return making
