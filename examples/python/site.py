"""The smallest site: players sign in through Steam, see their items, deposit, follow, check the offer, and withdraw."""

import os
import secrets

from aiohttp import ClientSession, web

from fleet_client import AsyncClient, errors, openid, webhooks

SITE = os.environ["SITE"]  # as in https://mysite.example; where browsers find this program
fleet = AsyncClient(os.environ["FLEET"].split(), os.environ["FLEET_KEY"])
steam = openid.SignIn(f"{SITE}/signed-in", openid.Provider.at(os.environ.get("STEAM", "https://steamcommunity.com")))
hooks = webhooks.Webhooks(os.environ["WEBHOOK_SECRET"])
players, news = {}, {}  # who signed in, by session; events, by number: a real site keeps both in its database
# What a player may ask for. The browser makes one key per click, so a click that is sent twice is done once.
CALLS = {
    "inventory": lambda who, _: fleet.inventory(who["steam_id"]),
    "deposit": lambda who, asked: fleet.deposit(**who, **{one: asked[one] for one in ("trade_url", "asset_ids", "key")}),
    "trades": lambda who, _: fleet.trades(user_id=who["user_id"]),
    "verify": lambda who, asked: fleet.verify(asked["token"], who["steam_id"]),
    "items": lambda who, _: fleet.deposits(user_id=who["user_id"]),
    "withdraw": lambda who, asked: fleet.withdraw(**who, **{one: asked[one] for one in ("trade_url", "deposit_ids", "key")}),
}


async def call(request):
    steam_id = players[request.cookies["session"]]
    asked = await request.json() if request.can_read_body else {}
    answer = await CALLS[request.match_info["what"]]({"user_id": f"player-{steam_id}", "steam_id": steam_id}, asked)
    return web.json_response(answer.plain())


async def leave(_request):
    url, state = steam.leave()
    raise with_cookie(web.HTTPFound(url), "state", state)


async def signed_in(request):
    asked, session = steam.back(request.rel_url.raw_query_string, request.cookies["state"]), secrets.token_urlsafe()
    async with ClientSession() as http, http.post(asked.url, data=asked.form, allow_redirects=False) as said:
        players[session] = asked.confirmed(said.status, await said.text())
    raise with_cookie(web.HTTPFound("/inventory"), "session", session)


def with_cookie(answer, name, value):
    answer.set_cookie(name, value, httponly=True, samesite="Lax", secure=SITE.startswith("https:"))
    return answer


async def webhook(request):
    event = hooks.check(request.headers.items(), await request.read()).event()
    news[event.number] = event  # do once per number what it says: a delivery may come again
    return web.Response(status=204)


@web.middleware
async def refused(request, handler):
    try:
        return await handler(request)
    except (openid.SignInRefused, openid.SteamAway, KeyError):
        return web.json_response({"message": "Sign in first."}, status=403)
    except errors.FleetError as error:
        status, told = error.for_player()
        return web.json_response(told, status=status)


app = web.Application(middlewares=[refused])
app.add_routes(
    [web.get("/", leave), web.get("/signed-in", signed_in), web.post("/webhooks", webhook), web.route("*", "/{what}", call)]
)
web.run_app(app, host="127.0.0.1", port=int(os.environ.get("PORT", "8080")))
