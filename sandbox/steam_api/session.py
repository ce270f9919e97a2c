"""Who is asking: community cookies, access tokens and Web API keys."""

import re

from sandbox.answers import COMMUNITY, LOGIN, STORE
from sandbox.steam_api.call import Call
from sandbox.tokens import Claims
from sandbox.world.accounts import Account

COOKIE_AUDIENCES = {
    COMMUNITY: "web:community",
    STORE: "web:store",
    "help.steampowered.com": "web:help",
    "checkout.steampowered.com": "web:checkout",
    "steam.tv": "web:steamtv",
}
API_AUDIENCES = frozenset({"web:community", "web:store", "mobile", "client"})
OTHER_WEB_AUDIENCES = frozenset({"web:help", "web:checkout", "web:steamtv"})
API_KEY = re.compile(r"[0-9A-Fa-f]{32}")


def valid_claims(call: Call, token: str) -> tuple[Account, Claims] | None:
    """The account of a token that still holds, whatever it is for."""
    claims = call.steam.tokens.read(token, call.real_now)
    account = call.world.accounts.by_id.get(claims.steam_id) if claims else None
    if claims is None or account is None or claims.issued < account.tokens_valid_from:
        return None
    return account, claims


def signed_in(call: Call) -> Account | None:
    """The account of the cookie `steamLoginSecure`: `<steam id>||<access token for this host>`."""
    steam_id, _, token = call.cookie("steamLoginSecure").partition("||")
    found = valid_claims(call, token) if token else None
    if found is None or str(found[0].steam_id) != steam_id or found[1].is_refresh:
        return None
    if found[1].token_id in call.steam.tokens.dead_cookies:
        return None
    wanted = COOKIE_AUDIENCES.get(call.host)
    if wanted not in found[1].audience and "mobile" not in found[1].audience:
        return None
    call.known_as = found[0]
    return found[0]


def token_account(call: Call) -> Account | None:
    """The account of the parameter `access_token`: any website's token, unless set otherwise; refresh tokens are none."""
    taken = API_AUDIENCES | (OTHER_WEB_AUDIENCES if call.world.settings.api_takes_every_web_token else frozenset())
    found = valid_claims(call, call.value("access_token"))
    if found is None or found[1].is_refresh or taken.isdisjoint(found[1].audience):
        return None
    call.known_as = found[0]
    return found[0]


def key_account(call: Call) -> Account | None:
    account = call.world.accounts.by_api_key.get(call.value("key").upper())
    if account is not None:
        call.known_as = account
    return account


def has_key(call: Call) -> bool:
    """Any well-formed key counts as somebody's, as sites bring keys of accounts that are not simulated."""
    key = call.value("key") or call.headers.get("x-webapi-key", "")
    return API_KEY.fullmatch(key) is not None and key.upper() not in call.world.accounts.revoked_keys


def form_is_ours(call: Call) -> bool:
    """The form's `sessionid` must be the cookie's; the value itself means nothing."""
    return call.value("sessionid") != "" and call.value("sessionid") == call.cookie("sessionid")


def identify(call: Call) -> None:
    """Find out who asks, before a handler runs, from whatever the request carries."""
    if call.host in COOKIE_AUDIENCES:
        signed_in(call)
        if call.known_as is None and call.value("steamID"):
            call.known_as = call.world.accounts.by_id.get(call.number("steamID"))
    elif call.host == LOGIN:
        token = call.value("nonce") or call.cookie("steamRefresh_steam").partition("||")[2]
        found = valid_claims(call, token) if token else None
        call.known_as = found[0] if found else None
    elif call.value("access_token"):
        token_account(call)
    elif call.value("key"):
        key_account(call)
    elif call.value("account_name"):
        call.known_as = call.world.accounts.by_account_name.get(call.value("account_name"))
    elif begun := call.steam.desk.sessions.get(call.number("client_id")):
        call.known_as = begun.account
    elif call.method == "POST":
        call.known_as = call.world.accounts.by_id.get(call.number("steamid"))
