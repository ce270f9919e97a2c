"""The control API: move the clock, make accounts and items, cause trouble, act as a player, read what happened."""

from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from sandbox import http
from sandbox.answers import split_url, whole
from sandbox.control import advance, faults, pages, person, views
from sandbox.errors import BadRequest, NotFound, Refused
from sandbox.http import NUDGE, PROVIDER, STEAM, json_object
from sandbox.provider import Provider
from sandbox.steam import Steam
from sandbox.steam_api import openid, router
from sandbox.world import fixed_players, reversals, timeline, trading
from sandbox.world.accounts import HABITS, Account
from sandbox.world.exchanges import Reversal

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

OPENID_PATH = "/openid/login"
"""Changes nothing and is asked by servers, some of which name Steam as their origin."""
ITEMS_MAX = 10_000
LATEST = 4_102_444_800
"""The year 2100; later times are taken for a mistake."""
routes = web.RouteTableDef()


def application(steam: Steam, nudge: Callable[[], None]) -> web.Application:
    """The application of the control port; `nudge` wakes whoever lets time pass."""
    app = web.Application(middlewares=[_guarded])
    app[STEAM], app[NUDGE], app[PROVIDER] = steam, nudge, {}
    app.add_routes(routes)
    app.add_routes(advance.routes)
    app.add_routes(faults.routes)
    app.add_routes(person.routes)
    app.add_routes(pages.routes)
    return app


def set_base(app: web.Application, base: str) -> None:
    """Tell the OpenID provider of this port its own address."""
    app[PROVIDER]["openid"] = Provider(base)


@web.middleware
async def _guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse writes from other sites' pages, translate errors, and let the world act on what was changed."""
    origin = request.headers.get("Origin")
    writes = request.method not in ("GET", "HEAD") and request.path != OPENID_PATH
    if writes and origin is not None and split_url(origin).netloc != request.host:
        return _say("a page of another site may not do this", 403)
    timeline.advance(request.app[STEAM].world, request.app[STEAM].clock.now())
    try:
        answer = await handler(request)
    except NotFound as error:
        return _say(str(error), 404)
    except BadRequest as error:
        return _say(str(error), 400)
    except Refused as refused:
        return web.json_response({"error": str(refused), "code": refused.code}, status=409)
    request.app[NUDGE]()
    return answer


def _say(text: str, status: int) -> web.Response:
    return web.json_response({"error": text}, status=status)


def _account(request: web.Request) -> Account:
    return request.app[STEAM].world.accounts.get(int(request.match_info["steam_id"]))


@routes.get("/control/clock")
async def read_clock(request: web.Request) -> web.Response:
    return _clock(request.app[STEAM])


def _clock(steam: Steam) -> web.Response:
    return web.json_response({"now": steam.clock.now(), "offset_s": steam.clock.offset_s})


@routes.post("/control/clock")
async def move_clock(request: web.Request) -> web.Response:
    """`{"advance_s": n}` or `{"now": unix}`; what becomes due happens before the answer."""
    steam, body = request.app[STEAM], await json_object(request)
    ((name, value),) = body.items() if len(body) == 1 else [("", None)]
    if name not in ("advance_s", "now") or isinstance(value, bool) or not isinstance(value, int | float):
        raise BadRequest("send advance_s or now, a number")
    then = value if name == "now" else steam.clock.now() + value
    if not 0 <= then <= LATEST:
        raise BadRequest("the clock goes from 1970 to 2100")
    (steam.clock.advance if name == "advance_s" else steam.clock.set_now)(value)
    timeline.advance(steam.world, steam.clock.now())
    return _clock(steam)


@routes.get("/control/settings")
async def read_settings(request: web.Request) -> web.Response:
    return web.json_response(views.settings(request.app[STEAM].world))


@routes.patch("/control/settings")
async def change_settings(request: web.Request) -> web.Response:
    """Change rules of the running world, such as `exchange_ids_delay_s` or `settle_changes_ids`."""
    request.app[STEAM].world.change_settings(await json_object(request))
    return web.json_response(views.settings(request.app[STEAM].world))


@routes.get("/control/accounts")
async def list_accounts(request: web.Request) -> web.Response:
    kind = request.query.get("kind")
    accounts = [a for a in request.app[STEAM].world.accounts if kind in (None, a.kind)]
    return web.json_response({"accounts": [views.account(a) for a in accounts]})


@routes.get("/sandbox/players")
async def list_fixed_players(request: web.Request) -> web.Response:
    """The players of fixed outcome: who they are, where to send offers, and what becomes of them."""
    return web.json_response({"players": fixed_players.shown(request.app[STEAM].world)})


@routes.post("/control/accounts")
async def add_account(request: web.Request) -> web.Response:
    """`{kind, name?, items?: number or names, habit?, delay_s?, take_back_s?}`."""
    steam, body = request.app[STEAM], await json_object(request)
    if unknown := set(body) - {"kind", "name", "items", "habit", "delay_s", "take_back_s"}:
        raise BadRequest(f"unknown fields: {', '.join(sorted(unknown))}")
    items, name, delay_s = body.get("items", 0), body.get("name"), body.get("delay_s", 0.0)
    take_back_s = body.get("take_back_s", steam.world.settings.take_back_s)
    if isinstance(take_back_s, bool) or not isinstance(take_back_s, int | float):
        raise BadRequest("take_back_s is a number")
    _within("take_back_s", take_back_s, LATEST)
    if not isinstance(items, int | list) or not isinstance(delay_s, int | float) or not isinstance(name, str | None):
        raise BadRequest("items is a number or a list of names, delay_s a number, name a string")
    _within("delay_s", delay_s, LATEST)
    _within("items", items if isinstance(items, int) else len(items), ITEMS_MAX)
    now, count = steam.clock.now(), items if isinstance(items, int) else 0
    account = steam.world.add_account(body.get("kind", "player"), now, name, count, body.get("habit"), delay_s)
    account.take_back_s = take_back_s
    if isinstance(items, list):
        _create(steam, account, [{"market_hash_name": entry} for entry in items])
    return web.json_response(views.account(account), status=201)


@routes.get(r"/control/accounts/{steam_id:\d{1,20}}")
async def read_account(request: web.Request) -> web.Response:
    return web.json_response(views.account(_account(request)))


CHANGES: dict[str, tuple[type, ...]] = {
    "name": (str,),
    "habit": (str,),
    "delay_s": (int, float),
    "take_back_s": (int, float),
    "trade_locked_until": (int,),
    "hold_days": (int,),
    "private": (bool,),
    "banned": (bool,),
    "probation": (bool,),
    "vac_banned": (bool,),
    "device_locked": (bool,),
    "acknowledged": (bool,),
    "friends": (list,),
    "limits": (dict,),
    "password": (str,),
    "new_trade_token": (bool,),
    "revoke_tokens": (bool,),
}


@routes.patch(r"/control/accounts/{steam_id:\d{1,20}}")
async def change_account(request: web.Request) -> web.Response:
    """Change an account; `new_trade_token` and `revoke_tokens` (sign out everywhere) are things to do.

    A new password signs out everywhere too, as on Steam.
    """
    steam, account, body = request.app[STEAM], _account(request), await json_object(request)
    for name, value in body.items():
        fits = isinstance(value, CHANGES.get(name, ())) and (isinstance(value, bool) == (CHANGES[name] == (bool,)))
        if not fits:
            raise BadRequest(f"{name} cannot be changed to that; these can: {', '.join(CHANGES)}")
    for name, most in (("delay_s", LATEST), ("take_back_s", LATEST), ("trade_locked_until", LATEST), ("hold_days", 365)):
        _within(name, body.get(name, 0), most)
    if not body.get("password", "x"):
        raise BadRequest("a password has at least one sign")
    if body.get("habit", "manual") not in HABITS:
        raise BadRequest(f"habit is one of {', '.join(HABITS)}")
    if set(body.get("limits", {})) - {"per_partner", "total", "inventory"}:
        raise BadRequest("limits are per_partner, total, inventory")
    if not all(_is_count(value) for value in body.get("limits", {}).values()):
        raise BadRequest("a limit is a whole number from 0")
    friends = {_steam_id(text) for text in body.pop("friends", [])} if "friends" in body else None
    if friends is not None:
        _befriend(steam, account, friends)
    if body.pop("new_trade_token", False):
        steam.world.accounts.renew_trade_token(account)
    if body.pop("revoke_tokens", False) or "password" in body:
        account.tokens_valid_from = float(int(steam.clock.real()) + 1)
    for name, value in body.items():
        setattr(account, name, value)
    return web.json_response(views.account(account))


@routes.post(r"/control/accounts/{steam_id:\d{1,20}}/reverse")
async def reverse(request: web.Request) -> web.Response:
    """`{"at": unix?}`: take back everything protected, now or at a later simulated time (202)."""
    steam, account, body = request.app[STEAM], _account(request), await json_object(request)
    now = steam.clock.now()
    at = body.pop("at", now)
    if body or isinstance(at, bool) or not isinstance(at, int | float) or not int(now) <= at <= LATEST:
        raise BadRequest("send nothing, or at, a unix time that is not over")
    if at > now:
        reversals.plan(steam.world, account, at)
        return web.json_response({"steam_id": str(account.steam_id), "at": at, "exchanges": [], "rollbacks": []}, status=202)
    done = reversals.reverse(steam.world, account, now)
    nothing = Reversal(account.steam_id, int(now), (), ())
    return web.json_response(views.reversal(done or nothing))


def _within(name: str, value: float, most: float) -> None:
    if not 0 <= value <= most:
        raise BadRequest(f"{name} goes from 0 to {most}")


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= ITEMS_MAX


def _steam_id(text: Any) -> int:
    found = whole(str(text))
    if found is None:
        raise BadRequest("a SteamID64 is a string of digits")
    return found


def _befriend(steam: Steam, account: Account, friends: set[int]) -> None:
    """Friendship has two sides."""
    for other in [steam.world.accounts.get(steam_id) for steam_id in friends]:
        other.friends.add(account.steam_id)
    for steam_id in account.friends - friends:
        steam.world.accounts.get(steam_id).friends.discard(account.steam_id)
    account.friends = friends


@routes.post(r"/control/accounts/{steam_id:\d{1,20}}/items")
async def add_items(request: web.Request) -> web.Response:
    """`{"items": [{market_hash_name, tradable?, app_id?, name_tag?}]}` or `{"count": n}`."""
    steam, account, body = request.app[STEAM], _account(request), await json_object(request)
    if isinstance(body.get("count"), int):
        _within("count", body["count"], ITEMS_MAX)
        made = steam.world.add_random_items(account, body["count"], steam.clock.now())
    elif isinstance(body.get("items"), list):
        made = _create(steam, account, body["items"])
    else:
        raise BadRequest("send items, a list, or count, a number")
    return web.json_response({"assets": [views.asset(item) for item in made]}, status=201)


def _create(steam: Steam, account: Account, wanted: list[Any]) -> list[Any]:
    for entry in wanted:
        _check_item(entry)
    made = []
    for entry in wanted:
        kind = steam.world.catalogue.kind(entry["market_hash_name"], entry.get("app_id", 730))
        tradable = bool(entry.get("tradable", 1))
        made.append(steam.world.items.create(kind, account.steam_id, steam.clock.now(), tradable, entry.get("name_tag")))
    return made


def _check_item(entry: Any) -> None:
    if not isinstance(entry, dict) or not isinstance(entry.get("market_hash_name"), str):
        raise BadRequest("every item has a market_hash_name")
    if unknown := set(entry) - {"market_hash_name", "tradable", "app_id", "name_tag"}:
        raise BadRequest(f"unknown fields of an item: {', '.join(sorted(unknown))}")
    app_id = entry.get("app_id", 730)
    if isinstance(app_id, bool) or not isinstance(app_id, int) or not 0 < app_id < 2**31:
        raise BadRequest("app_id is a number")
    if entry.get("tradable", 1) not in (0, 1) or not isinstance(entry.get("name_tag"), str | None):
        raise BadRequest("tradable is 0 or 1, name_tag a text")


@routes.delete(r"/control/items/{app:\d{1,20}}/{context:\d{1,20}}/{asset:\d{1,20}}")
async def remove_item(request: web.Request) -> web.Response:
    """Take an item out of the world; live offers that name it become invalid."""
    steam, where = request.app[STEAM], request.match_info
    place = _steam_id(request.query.get("owner")), int(where["app"]), int(where["context"])
    item = steam.world.items.remove(place, int(where["asset"]))
    trading.invalidate(steam.world, item.item_uid, steam.clock.now())
    return web.json_response({"item_uid": item.item_uid})


@routes.get("/control/credentials")
async def credentials(request: web.Request) -> web.Response:
    kind = request.query.get("kind")
    accounts = [a for a in request.app[STEAM].world.accounts if kind in (None, a.kind)]
    return web.json_response({"accounts": [views.credentials(a) for a in accounts]})


@routes.get("/control/mafiles")
async def mafiles(request: web.Request) -> web.Response:
    kind = request.query.get("kind")
    accounts = [a for a in request.app[STEAM].world.accounts if kind in (None, a.kind)]
    return web.json_response({"mafiles": [views.mafile(a) for a in accounts]})


@routes.get("/control/prices")
async def prices(request: web.Request) -> web.Response:
    return web.json_response({"currency": "USD", "prices": request.app[STEAM].world.catalogue.prices()})


@routes.get("/control/catalogue")
async def catalogue(request: web.Request) -> web.Response:
    kinds = request.app[STEAM].world.catalogue.kinds.values()
    return web.json_response({"items": [views.kind(kind) for kind in kinds]})


@routes.get("/control/record")
async def record(request: web.Request) -> web.Response:
    """What really happened; `?part=assets,offers` for less of it."""
    steam = request.app[STEAM]
    parts = [part for part in request.query.get("part", "").split(",") if part] or list(views.PARTS)
    if unknown := set(parts) - set(views.PARTS):
        raise BadRequest(f"unknown parts: {', '.join(sorted(unknown))}")
    now = steam.clock.now()
    content = {part: views.PARTS[part](steam.world, now) for part in parts}
    return web.json_response({"now": now} | content)


@routes.get("/control/requests")
async def requests(request: web.Request) -> web.Response:
    seen = request.app[STEAM].requests
    by_account = {str(steam_id): dict(counts) for steam_id, counts in seen.by_account.items()}
    return web.json_response({"counts": dict(seen.counts), "by_account": by_account, "recent": list(seen.recent)})


@routes.delete("/control/requests")
async def forget_requests(request: web.Request) -> web.Response:
    request.app[STEAM].requests.reset()
    return web.Response(status=204)


@routes.route("*", OPENID_PATH)
async def openid_login(request: web.Request) -> web.StreamResponse:
    """The OpenID provider for browsers, which cannot name Steam's own host; `?auto=STEAMID` picks without the page."""
    form, query = await http.form_values(request), http.query_values(request)
    call = router.call(request.app[STEAM], request.method, request.host, request.path, query, form, {})
    return http.to_response(openid.answer(request.app[PROVIDER]["openid"], call))


@routes.get(r"/openid/id/{steam_id:\d{1,20}}")
async def openid_identity(request: web.Request) -> web.Response:
    return web.Response(text=f"{_account(request).name}\n")
