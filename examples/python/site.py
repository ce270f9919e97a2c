"""The smallest site: players sign in through Steam, see their items, deposit, check the offer, follow it, and withdraw."""

import asyncio
import json
import os
from contextlib import suppress
from datetime import UTC, datetime

import httpx
from aiohttp import web

from fleet_client import AsyncClient, errors, openid
from fleet_client.webhooks import WebhookRefused, Webhooks

SITE = os.environ["SITE"]  # as in https://mysite.example; where the browser finds this program
steam = openid.Provider(**json.loads(os.environ.get("OPENID", "{}")))  # the sandbox's pages instead of Steam's
webhooks = Webhooks(os.environ["WEBHOOK_SECRET"]) if "WEBHOOK_SECRET" in os.environ else None
nonces, players, news = openid.Nonces(steam), {}, []  # one process: a real site keeps all three in its database
routes = web.RouteTableDef()


@web.middleware
async def told(request, handler):
    try:
        return await handler(request)
    except (openid.SignInRefused, WebhookRefused, KeyError):
        return web.json_response({"message": "Sign in first."}, status=403)
    except errors.Problem as problem:
        return web.json_response(
            {"message": problem.player_message or "Not now.", "code": problem.error_code}, status=problem.status
        )


@routes.get("/")
@routes.get("/sign-in")
async def sign_in(request):
    state = openid.new_state()
    answer = web.HTTPFound(openid.login_url(f"{SITE}/signed-in?state={state}", SITE, steam))
    answer.set_cookie("state", state, httponly=True, samesite="Lax", secure=SITE.startswith("https:"))
    return answer


@routes.get("/signed-in")
async def signed_in(request):
    now, ours = datetime.now(UTC), f"{SITE}/signed-in?state={request.cookies['state']}"
    claim = openid.check(openid.pairs_of(request.rel_url.raw_query_string), ours, now, steam)
    asked = openid.question(claim, nonce_is_new=nonces.is_new(claim.nonce, now))
    async with httpx.AsyncClient(trust_env=False) as http:
        said = await http.post(steam.endpoint, data=asked)
    session, answer = openid.new_state(), web.HTTPFound("/inventory")
    players[session] = openid.confirmed(claim, said.status_code, said.text)
    answer.set_cookie("session", session, httponly=True, samesite="Lax", secure=SITE.startswith("https:"))
    return answer


def who(request):
    steam_id = players[request.cookies["session"]]
    return {"user_id": f"player-{steam_id}", "steam_id": steam_id}


@routes.get("/inventory")
async def inventory(request):
    seen = await request.app["fleet"].inventory(who(request)["steam_id"])
    return web.json_response(
        [[item.asset_id, item.market_hash_name, item.value_cents] for item in seen.items if item.acceptable]
    )


@routes.post("/{what:deposit|withdraw}")
async def move(request):
    """The browser makes one ``key`` per click, so a click that is sent twice is done once."""
    asked, fleet = await request.json(), request.app["fleet"]
    player = who(request) | {"trade_url": asked["trade_url"], "key": asked["key"]}
    if request.match_info["what"] == "deposit":
        made = await fleet.deposit(**player, asset_ids=asked["ids"])
    else:
        made = await fleet.withdraw(**player, deposit_ids=asked["ids"])
    return web.json_response([[trade.trade_id, trade.status, trade.verify_url] for trade in made.trades])


@routes.get("/items")
async def items(request):
    rows = [row async for row in request.app["fleet"].each_deposit(user_id=who(request)["user_id"])]
    return web.json_response([[row.deposit_id, row.market_hash_name, row.status, row.settled_at is not None] for row in rows])


@routes.post("/verify")
async def verify(request):
    checked = await request.app["fleet"].verify((await request.json())["token"], who(request)["steam_id"])
    return web.json_response({"ok": checked.ok, "offer_url": checked.offer_url, "message": checked.player_message})


@routes.post("/webhooks")
async def take_webhook(request):
    event = webhooks.check(request.headers.items(), await request.read()).event()
    news.append([event.number, event.kind, event.trade_id])  # once per number: a delivery may come again
    return web.Response(status=204)


@routes.get("/news")
async def follow(request):
    return web.json_response(news)


async def listen(fleet):
    async for event in fleet.listen(after=news[-1][0] if news else 0):
        news.append([event.number, event.kind, event.trade_id])


async def run(app):
    async with AsyncClient(os.environ["FLEET"].split(), os.environ["FLEET_KEY"]) as app["fleet"]:
        listening = asyncio.create_task(listen(app["fleet"]))
        yield
        listening.cancel()
        with suppress(asyncio.CancelledError):
            await listening


app = web.Application(middlewares=[told])
app.cleanup_ctx.append(run)
app.add_routes(routes)
web.run_app(app, host="127.0.0.1", port=int(os.environ.get("PORT", "8080")))
