"""A deposit up to its trades: a bot reads what the player has, what we do not take is refused, the rest is brought in.

All of this comes before the transaction (`balancer.trades.deposit`), which decides about what only the database knows.
"""

from __future__ import annotations

from balancer.changes import Expectation
from balancer.context import Context
from balancer.fleet import switches
from balancer.items import policy
from balancer.trades import dear, idempotency, strangers
from balancer.trades.deposit import Deposits
from balancer.trades.requests import DepositAsked, DepositWish, Made, Request, Wanted
from shared.domain.ids import TradeUrl
from shared.errors import FleetError


async def take(ctx: Context, deposits: Deposits, request: Request, asked: DepositAsked, expectation: Expectation) -> Made:
    """The trades that bring these assets in; the same key and body again: those of the first time.

    Raises:
        FleetError: what `Deposits.make` raises; what reading the inventory comes to; NotAccepted, PlayerMustAct: what the
            inventory shows is not taken.
    """
    made = await _repeated(ctx, request, asked.trade_url)
    if made is not None:
        return made
    try:
        ctx.switches.check(switches.DEPOSITS)
        wanted = await _wanted(ctx, request.caller.client_id, asked)
    except FleetError:
        # What an earlier request with this key brought in is not there to bring in again.
        made = await idempotency.find_repeat(ctx, request)
        if made is None:
            raise
        return made
    wish = DepositWish(asked.user_id, asked.trade_url, wanted, asked.color, asked.message)
    made = await deposits.make(request, wish, expectation)
    ctx.inventories.watch(made.trade_ids, asked.trade_url.partner)
    return made


async def _repeated(ctx: Context, request: Request, url: TradeUrl) -> Made | None:
    """What this key made before, if looking that up spares a bot a read; else the transaction finds it out."""
    if ctx.inventories.known(url.partner, url.trade_token):
        return None
    return await idempotency.find_repeat(ctx, request)


async def _wanted(ctx: Context, client_id: str, asked: DepositAsked) -> list[Wanted]:
    """The assets as the inventory shows them, with their values; refuses what we do not take before anything is written."""
    limits, url = ctx.settings.limits, asked.trade_url
    await strangers.spend(ctx, client_id, url.partner, url.trade_token)
    policy.check_request(asked.assets, limits.request_items_max)
    read = await ctx.inventories.read(url.partner, url.trade_token)
    policy.check_partner(read.hold_days)
    known = read.assets
    if any(asset not in known for asset in asked.assets):
        known = await ctx.inventories.untradable(url.partner) | known
    taken = policy.accept(asked.assets, known, ctx.prices.value, policy.Rules.of(ctx.settings))
    wanted = [Wanted(held, cents) for held, cents in taken]
    await dear.check(ctx, asked.user_id, url, read, wanted)
    return wanted
