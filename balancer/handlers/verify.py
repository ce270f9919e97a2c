"""`/verify`: the player's pages, which only show; the signed-in player's form and the site's check, which use a token up."""

from __future__ import annotations

from urllib.parse import parse_qsl, quote, urlsplit

from aiohttp import ClientSession, web

from balancer import api, bodies, openid, pages, schemas, verify
from balancer.context import Context
from balancer.trades import Caller
from shared.domain.ids import SteamId
from shared.errors import FleetError, InvalidRequest, RateLimited
from shared.settings import Settings

SESSION_COOKIE = "fleet_player"
STATE_COOKIE = "fleet_sign_in"
STATE_LIFETIME_S = 900
SHOWN_MAX = 20
FORM = "application/x-www-form-urlencoded"

HTTP: web.AppKey[ClientSession] = web.AppKey("http", ClientSession)
TRIES: web.AppKey[verify.Tries] = web.AppKey("tries", verify.Tries)

BAD = {
    "unknown": (
        "We cannot confirm this offer.",
        "It is not an offer that we made to this account. Decline it. If you use several Steam accounts, sign in with the one "
        "that received the offer.",
    ),
    "expired": (
        "This offer is too old.",
        "It was ours, but its thirty minutes are over. Decline it and ask for a new one on the site.",
    ),
    "used": (
        "This offer was checked before.",
        "Each offer can be checked once. If it was not you who checked it, decline it and ask for a new one on the site.",
    ),
}
NOT_OUR_FORM = ("This form is not ours.", "Start again from the link in the trade offer.")
TRY_AGAIN = "Try again in a moment."


def base_of(settings: Settings) -> str:
    """The path in front of ours, when the site serves us below one."""
    return urlsplit(settings.balancer.site_url).path.rstrip("/")


def provider_of(settings: Settings) -> openid.Provider:
    return openid.Provider(settings.openid.endpoint, settings.openid.identity_prefix, settings.openid.nonce_max_age_s)


def return_to(settings: Settings, state: str) -> str:
    """Where Steam sends the browser back to; the state stands in it, so Steam's signature covers it."""
    return f"{settings.balancer.site_url.rstrip('/')}/verify/signed-in?state={state}"


def _sign_in_link(settings: Settings, token: str) -> str:
    return f"{base_of(settings)}/verify/{quote(token, safe='')}/sign-in"


def _set_cookie(settings: Settings, response: web.Response, name: str, value: str, age_s: float) -> None:
    response.set_cookie(
        name,
        value,
        max_age=int(age_s),
        path=base_of(settings) + "/verify",
        secure=settings.balancer.site_url.startswith("https:"),
        httponly=True,
        samesite="Lax",
    )


@api.page("text/html", answers={200: schemas.Page}, path=schemas.TokenPath)
async def show(request: web.Request) -> web.Response:
    """The page behind the link in an offer's message.

    It only shows: a link preview uses nothing up and learns nothing.
    """
    ctx = request.app[api.CONTEXT]
    token = request.match_info["token"]
    session_id = request.cookies.get(SESSION_COOKIE)
    steam_id = await verify.signed_in(ctx, session_id)
    sign_in = _sign_in_link(ctx.settings, token)
    if steam_id is None or session_id is None:
        return pages.page("sign_in.html", sign_in=sign_in)
    return pages.page(
        "check.html",
        steam_id=str(int(steam_id)),
        action=base_of(ctx.settings) + "/verify",
        token=token,
        csrf=verify.csrf_of(session_id),
        sign_in=sign_in,
    )


@api.page("text/html", answers={302: schemas.Page}, path=schemas.TokenPath)
async def sign_in(request: web.Request) -> web.Response:
    """Off to Steam's sign-in, with a state that only this browser holds."""
    ctx = request.app[api.CONTEXT]
    state = verify.new_secret()
    target = openid.login_url(provider_of(ctx.settings), return_to(ctx.settings, state), ctx.settings.balancer.site_url)
    response = web.Response(status=302, headers={**pages.PAGE_HEADERS, "Location": target})
    _set_cookie(ctx.settings, response, STATE_COOKIE, f"{state}.{request.match_info['token']}", STATE_LIFETIME_S)
    return response


@api.page("text/html", answers={303: schemas.Page, 403: schemas.Page, 429: schemas.Page, 503: schemas.Page})
async def signed_in(request: web.Request) -> web.Response:
    """Back from Steam: checked in full, then a session is opened."""
    ctx = request.app[api.CONTEXT]
    address = request.app[api.NETWORKS].of(request)
    now = ctx.clock.monotonic()
    state, _, token = request.cookies.get(STATE_COOKIE, "").partition(".")
    try:
        request.app[TRIES].check(address, now)
        steam_id = await _vouched(ctx, request, state)
    except openid.SignInRefused:
        request.app[TRIES].wrong(address, now)
        return _refused(403, "The sign-in did not work.", "Start again from the link in the trade offer.")
    except FleetError as error:
        return _trouble(error)
    session_id = await verify.open_session(ctx, steam_id, request.cookies.get(SESSION_COOKIE))
    target = f"{base_of(ctx.settings)}/verify/{quote(token, safe='')}"
    response = web.Response(status=303, headers={**pages.PAGE_HEADERS, "Location": target})
    _set_cookie(ctx.settings, response, SESSION_COOKIE, session_id, ctx.settings.openid.session_s)
    response.del_cookie(STATE_COOKIE, path=base_of(ctx.settings) + "/verify")
    return response


async def _vouched(ctx: Context, request: web.Request, state: str) -> SteamId:
    """The account that Steam vouches for in this answer.

    Raises:
        SignInRefused: it does not, or the answer was not asked for by this browser, or was used before.
        SteamUnavailable: Steam could not be asked.
    """
    if not state:
        raise openid.SignInRefused(reason="state")
    pairs = parse_qsl(request.rel_url.raw_query_string, keep_blank_values=True)
    provider = provider_of(ctx.settings)
    claim = openid.check(provider, pairs, return_to(ctx.settings, state), ctx.clock.now())
    if not await ctx.db.run(verify.remember_nonce, claim.nonce, ctx.clock.now()):
        raise openid.SignInRefused(reason="nonce_seen")
    await openid.confirm(request.app[HTTP], provider, claim)
    return claim.steam_id


def _refused(status: int, heading: str, text: str, again: str | None = None) -> web.Response:
    return pages.page("answer_bad.html", status, heading=heading, text=text, again=again)


def _trouble(error: FleetError) -> web.Response:
    """What a player sees when it is not his doing, or when he tries too often."""
    if isinstance(error, RateLimited):
        response = _refused(429, "Too many tries.", f"Try again in {int(error.retry_after_s or 1)} seconds.")
        response.headers["Retry-After"] = str(int(error.retry_after_s or 1))
        return response
    return _refused(503, "Steam does not answer.", TRY_AGAIN)


async def consume(request: web.Request) -> web.StreamResponse:
    """The player's form as HTML, the site's check as JSON."""
    if request.content_type == FORM:
        return await _form(request)
    return await site_check(request)


async def _form(request: web.Request) -> web.Response:
    """The signed-in player's own check: uses the token up if it is his."""
    ctx = request.app[api.CONTEXT]
    try:
        form = await bodies.read_form(request, ctx.settings.http.body_s)
    except ValueError:
        return _refused(403, *NOT_OUR_FORM)
    token, csrf = form.get("token", "")[:100], form.get("csrf", "")[:100]
    session_id = request.cookies.get(SESSION_COOKIE)
    steam_id = await verify.signed_in(ctx, session_id)
    if steam_id is None or session_id is None:
        link = _sign_in_link(ctx.settings, token) if token else None
        return _refused(403, "You are not signed in any more.", "Sign in once more and check again.", link)
    if not verify.csrf_is_right(session_id, csrf):
        return _refused(403, *NOT_OUR_FORM)
    try:
        answer = await _checked(request, ctx, request.app[api.NETWORKS].of(request), token, steam_id)
    except RateLimited as error:
        return _trouble(error)
    if answer.ok:
        bot = f"{answer.trade.bot.color}-{answer.trade.bot.bot_id}" if answer.trade else ""
        return pages.page("answer_ok.html", trade=answer.trade, bot=bot, shown=SHOWN_MAX)
    heading, text = BAD[answer.reason or "unknown"]
    link = _sign_in_link(ctx.settings, token) if answer.reason == "unknown" and token else None
    return _refused(200, heading, text, link)


async def _checked(request: web.Request, ctx: Context, address: str, token: str, steam_id: SteamId) -> verify.Answer:
    """Check a token for whoever asks from ``address``; a wrong try is counted against that address only.

    Raises:
        RateLimited: too many wrong tries.
    """
    tries = request.app[TRIES]
    tries.check(address, ctx.clock.monotonic())
    answer = await verify.check(ctx, token, steam_id)
    if answer.reason == "unknown":
        tries.wrong(address, ctx.clock.monotonic())
    return answer


@api.operation(scope="trade", answers={200: schemas.VerifyAnswer}, errors=((RateLimited, "too_many_tries"),))
async def site_check(request: web.Request, ctx: Context, caller: Caller, body: schemas.VerifyBody) -> web.Response:
    """Check a token for a player of the site.

    The token is used up when the answer is ok. A token of another player is called `unknown`. The signed-in player's form comes
    here too, as `application/x-www-form-urlencoded`, and is answered with a page.
    """
    try:
        steam_id = SteamId(body.steam_id)
    except ValueError as error:
        raise InvalidRequest(errors=[{"field": "body.steam_id", "kind": "value", "message": str(error)}]) from None
    # All players of a site share its address, so here a wrong try counts against the player.
    answer = await _checked(request, ctx, f"{caller.client_id}:{int(steam_id)}", body.token, steam_id)
    if not answer.ok:
        return api.answer({"ok": False, "reason": answer.reason})
    trade = answer.trade
    if trade is None:
        return api.answer({"ok": True})
    return api.answer(
        {
            "ok": True,
            "trade_id": trade.trade_id,
            "direction": trade.direction,
            "bot": f"{trade.bot.color}-{trade.bot.bot_id}",
            "items": len(trade.items),
        }
    )


consume.operation = api.operation_of(site_check)  # type: ignore[attr-defined]
