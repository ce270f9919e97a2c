"""`POST /withdraw`: items go out."""

from __future__ import annotations

from aiohttp import web

from balancer.context import Context
from balancer.trades import withdraw
from balancer.trades.requests import Caller, Request, WithdrawWish
from balancer.web import api
from balancer.web.handlers import offers
from balancer.web.schemas import answers, requests
from shared.errors import (
    Conflict,
    FleetPaused,
    Forbidden,
    NoBotAvailable,
    NotAccepted,
    NotFound,
    PlayerMustAct,
    RequestReused,
    SteamUnavailable,
)


@api.operation(
    scope="trade",
    answers={201: answers.Trades, 202: answers.Trades},
    errors=(
        (RequestReused, "idempotency_mismatch"),
        (NotAccepted, "foreign_trade_url"),
        (NotAccepted, "item_not_accepted"),
        (NotAccepted, "message_too_long"),
        (NotAccepted, "partner_is_bot"),
        (NotFound, "not_found"),
        (Forbidden, "not_owner"),
        (PlayerMustAct, "too_many_offers"),
        (Conflict, "user_mismatch"),
        (Conflict, "partner_blocked"),
        (Conflict, "asset_in_trade"),
        (Conflict, "not_in_custody"),
        (Conflict, "item_locked"),
        (Conflict, "item_unsettled"),
        (Conflict, "item_frozen"),
        (Conflict, "bot_frozen"),
        (NoBotAvailable, "no_bot_available"),
        (FleetPaused, "fleet_paused"),
        (SteamUnavailable, "steam_maintenance"),
    ),
)
async def create(
    ctx: Context, caller: Caller, key: api.IdempotencyKey, query: requests.WaitQuery, body: requests.WithdrawBody
) -> web.Response:
    """Give items back to a player.

    The bots that hold these deposits make one offer each. Either all rows are reserved or none; then each trade ends
    independently. 201 when every offer exists, else 202 after `wait` seconds; at once if a trade waits for an approval or, with
    `when_settled`, for its items to settle.
    """
    steam_id = offers.steam_id_of(body.steam_id)
    url = offers.trade_url_of(body.trade_url, steam_id)
    offers.check_ids(ctx, body.deposit_ids)
    asked = Request(caller, key.key, key.body_hash, ctx.clock.now())
    wish = WithdrawWish(body.user_id, url, body.deposit_ids, body.message, body.when_settled)
    with ctx.waiters.expect() as expectation:
        made = await withdraw.withdraw(ctx, asked, wish, expectation)
        ctx.inventories.watch(made.trade_ids, steam_id)
        return await offers.answer_with_offers(ctx, caller, made, query.wait, expectation)
