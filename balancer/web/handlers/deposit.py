"""`POST /deposit`: items come in."""

from __future__ import annotations

from aiohttp import web

from balancer.context import Context
from balancer.trades import intake
from balancer.trades.deposit import Deposits
from balancer.trades.requests import Caller, DepositAsked, Request
from balancer.web import api
from balancer.web.handlers import offers
from balancer.web.schemas import answers, requests
from shared import request_ids
from shared.domain.items import CONTEXT_NORMAL, CS2_APP_ID, Asset
from shared.errors import (
    Conflict,
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
    url = offers.trade_url_of(body.trade_url, offers.steam_id_of(body.steam_id))
    asked = DepositAsked(body.user_id, url, _assets(body), body.color, body.message)
    once = Request(caller, key.key, key.body_hash, ctx.clock.now(), request_ids.current())
    with ctx.changes.expect() as expectation:
        made = await intake.take(ctx, request.app[DEPOSITS], once, asked, expectation)
        return await offers.answer_with_offers(ctx, caller, made, query.wait, expectation)


def _assets(body: requests.DepositBody) -> list[Asset]:
    return [
        Asset(CS2_APP_ID, CONTEXT_NORMAL, one) if isinstance(one, str) else Asset(one.app_id, one.context_id, one.asset_id)
        for one in body.asset_ids
    ]
