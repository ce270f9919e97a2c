"""`POST /precheck`: may this player trade, and what they should be told."""

from __future__ import annotations

from aiohttp import web

from balancer.context import Context
from balancer.items.readings import PlayerInventory
from balancer.trades import precheck, strangers
from balancer.trades.requests import Caller
from balancer.web import api, problems
from balancer.web.handlers import offers
from balancer.web.schemas import requests
from shared.domain.ids import SteamId
from shared.errors import Conflict, FleetError, NoBotAvailable, NotAccepted, SteamThrottled, SteamUnavailable


@api.operation(
    scope="read",
    answers={200: precheck.Precheck},
    errors=(
        (NotAccepted, "unknown_player"),
        (Conflict, "user_mismatch"),
        (NoBotAvailable, "inventory_busy"),
        (SteamUnavailable, "inventory_unavailable"),
        (SteamThrottled, "steam_throttled"),
    ),
)
async def show(ctx: Context, caller: Caller, body: requests.PrecheckBody) -> web.Response:
    """Whether a player may deposit, check by check, each with the sentence for the player if it failed.

    A bot reads the player's inventory through the trade URL for it; the reading is kept a minute, for `POST /inventory` and
    `POST /deposit` too. What Steam did not get to say is null. Nothing is reserved.
    """
    steam_id = offers.steam_id_of(body.steam_id)
    here = await ctx.db.read(precheck.standing, body.user_id, int(steam_id))
    read = await _read(ctx, caller, steam_id, body.trade_url)
    checks = precheck.of(body.user_id, int(steam_id), read, here, ctx.settings.limits, problems.PLAYER_MESSAGES)
    return api.answer(checks)


async def _read(ctx: Context, caller: Caller, steam_id: SteamId, trade_url: str) -> PlayerInventory | FleetError:
    """The inventory, or the refusal that a check stands for; other refusals are this call's own."""
    try:
        token = offers.trade_url_of(trade_url, steam_id).trade_token
        await strangers.spend(ctx, caller.client_id, steam_id, token)
        return await ctx.inventories.read(steam_id, token)
    except FleetError as error:
        if error.error_code in precheck.FAILS:
            return error
        raise
