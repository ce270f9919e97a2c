"""Steam as one function from a request to its answer: which host and path is served by which handler."""

import re
from collections.abc import Callable
from typing import Final

from sandbox.answers import API, COMMUNITY, LOGIN, STORE, Answer, Values, html
from sandbox.record import Seen
from sandbox.steam import Steam
from sandbox.steam_api import (
    apikey,
    community,
    confirmations,
    econ,
    images,
    inventory,
    offers,
    openid,
    profile_edit,
    protobuf,
    relay,
    session,
    signin,
    tradepage,
    trouble,
    users,
)
from sandbox.steam_api.call import Call
from sandbox.world import timeline

Handler = Callable[[Call], Answer]
Route = tuple[str, str, "re.Pattern[str]", Handler]


def _routes(*table: tuple[str, str, str, Handler]) -> list[Route]:
    return [(name, methods, re.compile(pattern), handler) for name, methods, pattern, handler in table]


def _openid(call: Call) -> Answer:
    return openid.answer(call.steam.openid, call)


IMAGE: Final = ("image", "GET", images.PATH, images.image)
AVATAR: Final = ("avatar", "GET", images.AVATAR_PATH, images.avatar)
SETTOKEN: Final = ("settoken", "GET POST", r"/login/settoken", signin.set_token)

ROUTES: Final[dict[str, list[Route]]] = {
    COMMUNITY: _routes(
        ("home", "GET POST", r"", community.home),
        ("send", "POST", r"/tradeoffer/new/send", offers.send),
        ("tradepage", "GET", r"/tradeoffer/new", tradepage.new_offer),
        ("partnerinventory", "GET", r"/tradeoffer/(?:new|\d{1,19})/partnerinventory", inventory.partner),
        ("offerpage", "GET", r"/tradeoffer/(?P<offer>\d{1,19})", tradepage.offer),
        ("accept", "POST", r"/tradeoffer/(?P<offer>\d{1,19})/accept", offers.accept),
        ("cancel", "POST", r"/tradeoffer/(?P<offer>\d{1,19})/cancel", offers.cancel),
        ("decline", "POST", r"/tradeoffer/(?P<offer>\d{1,19})/decline", offers.decline),
        ("acknowledge", "POST", r"/trade/new/acknowledge", offers.acknowledge),
        ("receipt", "GET", r"/trade/(?P<trade>\d{1,19})/receipt", tradepage.receipt),
        ("getlist", "GET", r"/mobileconf/getlist", confirmations.get_list),
        ("details", "GET", r"/mobileconf/details/(?P<confirmation>\d{1,19})", confirmations.details),
        ("detailspage", "GET", r"/mobileconf/detailspage/(?P<confirmation>\d{1,19})", confirmations.details_page),
        ("ajaxop", "GET", r"/mobileconf/ajaxop", confirmations.one),
        ("multiajaxop", "POST", r"/mobileconf/multiajaxop", confirmations.many),
        (
            "inventory",
            "GET",
            r"/inventory/(?P<steam_id>\d{17})/(?P<app>\d{1,10})/(?P<context>\d{1,10})",
            inventory.community,
        ),
        (
            "legacy_inventory",
            "GET",
            r"/profiles/(?P<steam_id>\d{17})/inventory/json/(?P<app>\d{1,10})/(?P<context>\d{1,10})",
            inventory.legacy,
        ),
        ("apikey", "GET", r"/dev/apikey", apikey.page),
        ("requestkey", "POST", r"/dev/requestkey", apikey.request),
        ("revokekey", "POST", r"/dev/revokekey", apikey.revoke),
        ("newtradeurl", "POST", r"/profiles/(?P<steam_id>\d{17})/tradeoffers/newtradeurl", community.new_trade_url),
        ("inventorypage", "GET", r"/profiles/(?P<steam_id>\d{17})/inventory", tradepage.inventory_page),
        ("editinfo", "GET", r"/profiles/(?P<steam_id>\d{17})/edit/info", profile_edit.info),
        ("editprofile", "POST", r"/profiles/(?P<steam_id>\d{17})/edit", profile_edit.save),
        ("ajaxsetprivacy", "POST", r"/profiles/(?P<steam_id>\d{17})/ajaxsetprivacy", profile_edit.privacy),
        ("setlanguage", "POST", r"/actions/SetLanguage", profile_edit.language),
        ("profile", "GET", r"/profiles/(?P<steam_id>\d{17})(?:/(?P<rest>.*))?", community.profile),
        ("my", "GET", r"/my(?:/(?P<rest>.*))?", community.mine),
        ("openid", "GET POST", r"/openid/login", _openid),
        ("login", "GET", r"/login(?:/home)?", signin.login_page),
        ("logout", "POST", r"/login/logout", signin.logout),
        SETTOKEN,
    ),
    LOGIN: _routes(
        ("finalizelogin", "POST", r"/jwt/finalizelogin", signin.finalize),
        ("refresh", "GET", r"/jwt/refresh", signin.refresh),
    ),
    STORE: _routes(
        ("account", "GET", r"/account", community.store_account),
        ("languagepreferences", "GET", r"/account/languagepreferences", profile_edit.languages),
        ("home", "GET POST", r"", community.home),
        ("login", "GET", r"/login", signin.login_page),
        SETTOKEN,
    ),
    "help.steampowered.com": _routes(SETTOKEN),
    "checkout.steampowered.com": _routes(SETTOKEN),
    "steam.tv": _routes(SETTOKEN),
    **{host: _routes(IMAGE) for host in images.HOSTS},
    images.AVATAR_HOST: _routes(AVATAR),
}

STEAM_HOSTS: Final = (*ROUTES, API)
OWN_ADDRESS: Final = _routes(
    IMAGE,
    AVATAR,
    ("GetPlayerSummaries", "GET", r"/ISteamUser/GetPlayerSummaries/v0*2", users.summaries),
    ("GetSteamLevel", "GET", r"/IPlayerService/GetSteamLevel/v0*1", users.level),
    ("beacon_chains", "GET", rf"{relay.RELAY}(?:/v2)?/chains", relay.chains),
    ("beacon_ids", "GET", rf"{relay.RELAY}/v2/beacons", relay.beacon_ids),
    ("beacon_info", "GET", rf"{relay.CHAIN_V1}/info", relay.info),
    ("beacon_latest", "GET", rf"{relay.CHAIN_V1}/public/latest", relay.latest),
    ("beacon", "GET", rf"{relay.CHAIN_V1}/public/{relay.ROUND}", relay.numbered),
    ("beacon_info_v2", "GET", rf"{relay.CHAIN_V2}/info", relay.info_v2),
    ("beacon_latest_v2", "GET", rf"{relay.CHAIN_V2}/rounds/latest", relay.latest),
    ("beacon_v2", "GET", rf"{relay.CHAIN_V2}/rounds/{relay.ROUND}", relay.numbered),
)
"""What is served where the request names no host of Steam's: the sandbox's own address."""
API_METHODS: Final[dict[tuple[str, str, str], Handler]] = {
    **signin.API_METHODS,
    **econ.API_METHODS,
    **users.API_METHODS,
}
API_PATH = re.compile(r"/(I[A-Za-z0-9]+)/([A-Za-z0-9]+)/v0*(\d+)")
ROUTE_NAMES: Final = frozenset(
    {name for table in (*ROUTES.values(), OWN_ADDRESS) for name, *_ in table} | {name for *_, name in API_METHODS} | {"unknown"}
)
"""What orders for trouble and the record of requests call a path or a method."""
VERSIONS = {"GetPlayerSummaries": ("1", "2")}

NOT_FOUND = "<html><head><title>Not Found</title></head><body><h1>Not Found</h1></body></html>"
NOT_ALLOWED = "<html><head><title>Method Not Allowed</title></head><body><h1>Method Not Allowed</h1></body></html>"


def call(
    steam: Steam, method: str, host: str, path: str, query: Values, form: Values, headers: dict[str, str], address: str = ""
) -> Call:
    """Wrap a request; header names in lower case."""
    return Call(steam, method, host, path, query, form, headers, steam.clock.now(), steam.clock.real(), address=address)


def answer(call: Call) -> Answer:
    """Let the world catch up, find the handler, and let trouble have its say. For one thread at a time."""
    timeline.advance(call.world, call.now)
    handler = _find(call)
    unreadable = protobuf.unpack(call)
    session.identify(call)
    made = unreadable or trouble.answer(call, handler)
    protobuf.pack(call, made)
    seen = Seen(call.method, call.host, call.path, call.route, made.trouble or made.status, call.now, call.struck)
    call.steam.requests.note(seen, call.known_as.steam_id if call.known_as else None)
    return made


def _find(call: Call) -> Handler:
    path = re.sub("/{2,}", "/", call.path).rstrip("/")  # node-steamcommunity acknowledges at `//trade/new/acknowledge`
    method = "GET" if call.method == "HEAD" else call.method
    if call.host == API:
        return _find_api(call, method, path)
    wrong_method = False
    for name, methods, pattern, handler in ROUTES.get(call.host, OWN_ADDRESS):
        match = pattern.fullmatch(path)
        if match is None:
            continue
        if method in methods.split():
            call.route, call.args = name, {key: value or "" for key, value in match.groupdict().items()}
            return handler
        wrong_method = True
    return _refuse(call, wrong_method)


def _find_api(call: Call, method: str, path: str) -> Handler:
    match = API_PATH.fullmatch(path)
    if match is None:
        return _refuse(call, False)
    interface, name, version = match.groups()
    if version not in VERSIONS.get(name, ("1",)):
        return _refuse(call, False)
    handler = API_METHODS.get((method, interface, name))
    if handler is None:
        return _refuse(call, any(key[1:] == (interface, name) for key in API_METHODS))
    call.route = name
    return handler


def _refuse(call: Call, wrong_method: bool) -> Handler:
    call.route = "unknown"
    text, status = (NOT_ALLOWED, 405) if wrong_method else (NOT_FOUND, 404)
    return lambda _: html(text, status)
