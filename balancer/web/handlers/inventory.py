"""`POST /inventory`: what a player could bring."""

from __future__ import annotations

from dataclasses import replace

from aiohttp import web

from balancer.context import Context
from balancer.web import api
from balancer.web.handlers import dump, requests
from balancer.web.schemas import answers
from shared.errors import NoBotAvailable, NotAccepted, PlayerMustAct, SteamThrottled, SteamUnavailable


@api.operation(
    scope="read",
    answers={200: answers.Inventory},
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
async def show(ctx: Context, body: answers.InventoryBody) -> web.Response:
    """A player's CS2 items.

    Each with its value and, if it would not be accepted, the reason. Read through a bot and kept for a minute. With `trade_url`
    freshly traded items and the days of a trade hold are seen too; what the player may not trade is then shown on request
    only, as it takes a second read at Steam.
    """
    steam_id = requests.steam_id_of(body.steam_id)
    token = requests.trade_url_of(body.trade_url, steam_id).trade_token if body.trade_url is not None else None
    found = await ctx.inventories.read(steam_id, token)
    if token is not None and body.untradable:
        found = replace(found, assets=found.assets | await ctx.inventories.untradable(steam_id))
    return api.answer(dump.inventory(found, ctx.prices.value, ctx.settings))
