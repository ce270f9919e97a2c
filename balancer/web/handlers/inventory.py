"""`POST /inventory`: what a player could bring."""

from __future__ import annotations

from dataclasses import replace

from aiohttp import web

from balancer.context import Context
from balancer.items import views
from balancer.trades import strangers
from balancer.trades.requests import Caller
from balancer.web import api
from balancer.web.handlers import offers
from balancer.web.schemas import requests
from shared.errors import NoBotAvailable, NotAccepted, PlayerMustAct, SteamThrottled, SteamUnavailable


@api.operation(
    scope="read",
    answers={200: views.Inventory},
    errors=(
        (NotAccepted, "foreign_trade_url"),
        (NotAccepted, "trade_url_wrong"),
        (NotAccepted, "unknown_player"),
        (PlayerMustAct, "inventory_private"),
        (PlayerMustAct, "partner_banned"),
        (NoBotAvailable, "inventory_busy"),
        (SteamUnavailable, "inventory_unavailable"),
        (SteamThrottled, "steam_throttled"),
    ),
)
async def show(ctx: Context, caller: Caller, body: requests.InventoryBody) -> web.Response:
    """A player's CS2 items.

    Each item has its value and, if it would not be accepted, the reason. A bot reads them, and the reading is kept a minute.
    With `trade_url` the answer also has freshly traded items and the days of a trade hold. Items that the player may not trade
    are then shown on request only, because this takes a second read at Steam.
    """
    steam_id = offers.steam_id_of(body.steam_id)
    token = offers.trade_url_of(body.trade_url, steam_id).trade_token if body.trade_url is not None else None
    await strangers.spend(ctx, caller.client_id, steam_id, token)
    read = await ctx.inventories.read(steam_id, token)
    if token is not None and body.untradable:
        read = replace(read, assets=read.assets | await ctx.inventories.untradable(steam_id))
    return api.answer(views.of(read, ctx.prices.value, ctx.settings))
