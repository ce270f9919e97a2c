"""The smallest site: players sign in through Steam, see their items, deposit, follow, check the offer, and withdraw."""

import os

from aiohttp import web

from fleet_client import AsyncClient
from fleet_client.aiohttp_site import Site

fleet = AsyncClient(os.environ["FLEET"], os.environ["FLEET_KEY"])
site = Site(os.environ["SITE"], os.environ["WEBHOOK_SECRET"], steam=os.environ.get("STEAM"))
news = {}  # events, by number; a real site keeps them in its database


@site.get("/inventory")
async def inventory(me, _asked):
    return await fleet.inventory(me.steam_id)


@site.post("/deposit")  # the browser makes one key per click, so a click that is sent twice is done once
async def deposit(me, asked):
    return await fleet.deposit(**me.account, **asked.only(trade_url=str, asset_ids=list, key=str))


@site.get("/trades")
async def trades(me, _asked):
    return await fleet.trades(user_id=me.user_id)


@site.post("/verify")
async def verify(me, asked):
    return await fleet.verify(**asked.only(token=str), steam_id=me.steam_id)


@site.get("/items")
async def items(me, _asked):
    return await fleet.deposits(user_id=me.user_id)


@site.post("/withdraw")
async def withdraw(me, asked):
    return await fleet.withdraw(**me.account, **asked.only(trade_url=str, deposit_ids=list, key=str))


@site.webhook("/webhooks")
async def told(event):
    news[event.number] = event  # do once per number what it says: a delivery may come again


web.run_app(site.app, host="127.0.0.1", port=int(os.environ.get("PORT", "8080")))
