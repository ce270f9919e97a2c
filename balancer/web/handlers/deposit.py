"""`POST /deposit`: items come in."""

from __future__ import annotations

from aiohttp import web

from balancer.context import Context
from balancer.fleet import switches
from balancer.items import policy, readings
from balancer.trades import dear, idempotency, strangers
from balancer.trades.deposit import Deposits
from balancer.trades.requests import Caller, DepositWish, Made, Request, Wanted
from balancer.web import api
from balancer.web.handlers import offers
from balancer.web.schemas import answers, requests
from shared.domain.ids import TradeUrl
from shared.domain.items import CONTEXT_NORMAL, CS2_APP_ID, Asset
from shared.errors import (
    Conflict,
    FleetError,
    FleetPaused,
    NoBotAvailable,
    NotAccepted,
    PlayerMustAct,
    RateLimited,
    RequestReused,
    SteamThrottled,
    SteamUnavailable,
)

DEPOSITS: web.AppKey[Deposits] = web.AppKey("deposits", Deposits)


@api.operation(
    scope="trade",
    answers={201: answers.Trades, 202: answers.Trades},
    errors=(
        (RequestReused, "idempotency_mismatch"),
        (NotAccepted, "foreign_trade_url"),
        (NotAccepted, "unknown_asset"),
        (NotAccepted, "item_not_accepted"),
        (NotAccepted, "inventory_full"),
        (NotAccepted, "message_too_long"),
        (NotAccepted, "partner_is_bot"),
        (NotAccepted, "trade_url_wrong"),
        (NotAccepted, "unknown_player"),
        (PlayerMustAct, "partner_hold"),
        (PlayerMustAct, "partner_banned"),
        (PlayerMustAct, "inventory_private"),
        (PlayerMustAct, "too_many_offers"),
        (Conflict, "asset_in_trade"),
        (Conflict, "user_mismatch"),
        (Conflict, "partner_blocked"),
        (NoBotAvailable, "no_bot_available"),
        (NoBotAvailable, "inventory_busy"),
        (NoBotAvailable, "no_second_reader"),
        (NoBotAvailable, "readings_differ"),
        (RateLimited, "rate_limited"),
        (FleetPaused, "fleet_paused"),
        (SteamUnavailable, "steam_maintenance"),
        (SteamUnavailable, "inventory_unavailable"),
        (SteamThrottled, "steam_throttled"),
    ),
)
async def create(
    request: web.Request,
    ctx: Context,
    caller: Caller,
    key: api.IdempotencyKey,
    query: requests.WaitQuery,
    body: requests.DepositBody,
) -> web.Response:
    """Take items from a player.

    Bots make offers for these assets of the player's inventory. The answer holds one trade per bot, each with its secret token.
    It comes with 201 when every offer exists, or after `wait` seconds with 202; then ask `GET /trade/{trade_id}`.
    """
    steam_id = offers.steam_id_of(body.steam_id)
    url = offers.trade_url_of(body.trade_url, steam_id)
    asked = Request(caller, key.key, key.body_hash, ctx.clock.now())
    with ctx.waiters.expect() as expectation:
        made = await _repeated(ctx, asked, url)
        if made is None:
            try:
                ctx.switches.check(switches.DEPOSITS)
                await strangers.spend(ctx, caller.client_id, url.partner, url.trade_token)
                wanted = await _wanted(ctx, body.user_id, url, _assets(body))
            except FleetError:
                # What an earlier request with this key brought in is not there to bring in again.
                made = await idempotency.find_repeat(ctx, asked)
                if made is None:
                    raise
            else:
                wish = DepositWish(body.user_id, url, wanted, body.color, body.message)
                made = await request.app[DEPOSITS].make(asked, wish, expectation)
                ctx.inventories.watch(made.trade_ids, steam_id)
        return await offers.answer_with_offers(ctx, caller, made, query.wait, expectation)


async def _repeated(ctx: Context, asked: Request, url: TradeUrl) -> Made | None:
    """What this key made before, if looking that up spares a bot a read; else the transaction finds it out."""
    if ctx.inventories.known(url.partner, url.trade_token):
        return None
    return await idempotency.find_repeat(ctx, asked)


def _assets(body: requests.DepositBody) -> list[Asset]:
    return [
        Asset(CS2_APP_ID, CONTEXT_NORMAL, one) if isinstance(one, str) else Asset(one.app_id, one.context_id, one.asset_id)
        for one in body.asset_ids
    ]


async def _wanted(ctx: Context, user_id: str, url: TradeUrl, assets: list[Asset]) -> list[Wanted]:
    """The assets as the inventory shows them, with their values; refuses what we do not take before anything is written."""
    limits = ctx.settings.limits
    policy.check_request(assets, limits.request_items_max)
    read: readings.PlayerInventory = await ctx.inventories.read(url.partner, url.trade_token)
    policy.check_partner(read.hold_days)
    known = read.assets
    if any(asset not in known for asset in assets):
        known = await ctx.inventories.untradable(url.partner) | known
    taken = policy.accept(assets, known, ctx.prices.value, limits.item_value_min_cents)
    wanted = [Wanted(held, cents) for held, cents in taken]
    await dear.check(ctx, user_id, url, read, wanted)
    return wanted
