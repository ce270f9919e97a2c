"""The part of the control API that acts as an account's person, or as a thief with its session: phone, key, offers."""

from typing import Any

from aiohttp import web

from sandbox.answers import whole
from sandbox.control import views
from sandbox.errors import BadRequest, NotFound
from sandbox.http import STEAM, json_object
from sandbox.world import people, phone, trading
from sandbox.world.accounts import Account
from sandbox.world.offers import TRADE, Confirmation
from sandbox.world.state import World
from sandbox.world.trading import Proposal, Wanted

TEXTS_MAX = 20
routes = web.RouteTableDef()


def _world(request: web.Request) -> World:
    return request.app[STEAM].world


def _account(request: web.Request) -> Account:
    return _world(request).accounts.get(int(request.match_info["steam_id"]))


def _only(body: dict[str, Any], *names: str) -> None:
    if unknown := set(body) - set(names):
        raise BadRequest(f"unknown fields: {', '.join(sorted(unknown))}; there are {', '.join(names)}")


@routes.get(r"/control/accounts/{steam_id:\d{1,20}}/confirmations")
async def confirmations(request: web.Request) -> web.Response:
    """What the phone shows now, and what it has answered that was no trade offer."""
    world, account = _world(request), _account(request)
    waiting = phone.waiting(world, account.steam_id, request.app[STEAM].clock.now())
    answered = [(each, allowed) for each, allowed in world.answered if each.owner == account.steam_id]
    return web.json_response(
        {
            "waiting": [views.confirmation(each) for each in waiting],
            "answered": [views.confirmation(each) | {"allowed": allowed} for each, allowed in answered],
        }
    )


@routes.post(r"/control/accounts/{steam_id:\d{1,20}}/confirmations")
async def ask_phone(request: web.Request) -> web.Response:
    """`{"type": 5, headline?, summary?: [texts], creator_id?}`: something that is no trade offer waits for the phone."""
    body, account = await json_object(request), _account(request)
    _only(body, "type", "headline", "summary", "creator_id")
    kind, headline, summary = body.get("type"), body.get("headline", ""), body.get("summary", [])
    creator = whole(str(body.get("creator_id", 0)))
    texts = isinstance(summary, list) and len(summary) <= TEXTS_MAX and all(isinstance(text, str) for text in summary)
    if isinstance(kind, bool) or not isinstance(kind, int) or not isinstance(headline, str) or not texts or creator is None:
        raise BadRequest("type is a number, headline a text, summary a list of texts, creator_id a string of digits")
    now = request.app[STEAM].clock.now()
    asked = phone.ask(_world(request), account, kind, now, creator, headline, tuple(summary))
    return web.json_response(views.confirmation(asked), status=201)


@routes.post(r"/control/accounts/{steam_id:\d{1,20}}/confirmations/{confirmation:\d{1,20}}")
async def answer_phone(request: web.Request) -> web.Response:
    """`{"allow": true | false}`: answer as the person who holds the phone; 409 when Steam would say no."""
    body, world, account = await json_object(request), _world(request), _account(request)
    found = phone.find(world, int(request.match_info["confirmation"]))
    if found is None or found.owner != account.steam_id:
        raise NotFound(f"nothing like that waits for the phone of {account.name}")
    if set(body) != {"allow"} or not isinstance(body["allow"], bool):
        raise BadRequest("send allow, true or false")
    done = _answer(world, account, found, body["allow"], request.app[STEAM].clock.now())
    return web.json_response(views.confirmation(found) | {"allowed": body["allow"]}, status=200 if done else 409)


def _answer(world: World, account: Account, found: Confirmation, allow: bool, now: float) -> bool:
    if found.kind == TRADE:
        return trading.confirm(world, account, found, allow, now)
    phone.answer(world, found, allow)
    return True


@routes.post(r"/control/accounts/{steam_id:\d{1,20}}/api_key")
async def make_key(request: web.Request) -> web.Response:
    """`{"domain"?, "ask"?: true}`: a key at once (201), or a request for one that waits for the phone (202)."""
    body, world, account = await json_object(request), _world(request), _account(request)
    _only(body, "domain", "ask")
    domain, asks = body.get("domain", "localhost"), body.get("ask", False)
    if not isinstance(domain, str) or not domain or not isinstance(asks, bool):
        raise BadRequest("domain is a text, ask true or false")
    if asks:
        asked = phone.ask_for_key(world, account, domain, request.app[STEAM].clock.now())
        return web.json_response({"request_id": str(asked.request_id), "domain": domain}, status=202)
    world.accounts.new_api_key(account, domain)
    return web.json_response({"api_key": account.api_key, "domain": domain}, status=201)


@routes.delete(r"/control/accounts/{steam_id:\d{1,20}}/api_key")
async def revoke_key(request: web.Request) -> web.Response:
    _world(request).accounts.revoke_api_key(_account(request))
    return web.Response(status=204)


@routes.get(r"/control/people/{steam_id:\d{1,20}}/offers")
async def offers_of(request: web.Request) -> web.Response:
    account = _account(request)
    found = _world(request).offers.changed_since(account.steam_id, 0)
    return web.json_response({"offers": [views.offer(o) for o in found if o.concerns(account.steam_id)]})


@routes.post(r"/control/people/{steam_id:\d{1,20}}/offers")
async def send_by_hand(request: web.Request) -> web.Response:
    """`{partner, give?: [asset ids], receive?: [asset ids], message?, confirm?: true}` → 201; items of Counter-Strike.

    The partner's trade token is known to whoever sends by hand; `confirm` false leaves the phone waiting.
    """
    body, world, account = await json_object(request), _world(request), _account(request)
    _only(body, "partner", "give", "receive", "message", "confirm")
    message, confirms = body.get("message", ""), body.get("confirm", True)
    if not isinstance(message, str) or not isinstance(confirms, bool):
        raise BadRequest("message is a text, confirm true or false")
    partner = world.accounts.get(_number(body.get("partner")))
    give, receive = ([Wanted(730, 2, _number(text)) for text in _ids(body, name)] for name in ("give", "receive"))
    now = request.app[STEAM].clock.now()
    offer = trading.send(world, account, Proposal(partner.steam_id, give, receive, message, partner.trade_token), now)
    if confirms:
        people.confirm(world, account, offer, now)
    return web.json_response(views.offer(offer), status=201)


def _ids(body: dict[str, Any], name: str) -> list[Any]:
    found = body.get(name, [])
    if not isinstance(found, list):
        raise BadRequest(f"{name} is a list of asset ids")
    return found


def _number(text: Any) -> int:
    found = None if isinstance(text, bool) else whole(str(text))
    if found is None:
        raise BadRequest("ids are strings of digits")
    return found


@routes.post(r"/control/people/{steam_id:\d{1,20}}/offers/{offer_id:\d{1,20}}")
async def act_by_hand(request: web.Request) -> web.Response:
    """`{"action": "accept" | "decline" | "counter" | "cancel"}`; 409 with Steam's number when Steam would refuse."""
    body, world, account = await json_object(request), _world(request), _account(request)
    offer = world.offers.by_id.get(int(request.match_info["offer_id"]))
    if offer is None or not offer.concerns(account.steam_id):
        raise NotFound(f"{account.name} knows no such offer")
    if body.get("action") not in people.ACTIONS:
        raise BadRequest(f"action is one of {', '.join(people.ACTIONS)}")
    people.act(world, account, offer, body["action"], request.app[STEAM].clock.now())
    return web.json_response(views.offer(offer))
