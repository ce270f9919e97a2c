"""Signing in through Steam on the way to the verify page."""

from __future__ import annotations

import asyncio

from aiohttp import ClientSession, web

from balancer.context import Context
from balancer.trades import verify
from balancer.web import api, pages, sessions, sign_in_check, sign_in_states
from balancer.web.handlers.verify import links, people
from balancer.web.schemas import answers, requests
from balancer.web.tries import TRIES
from fleet_client import openid
from shared.domain.ids import SteamId
from shared.errors import FleetError

BUSY_RETRY_S = 5

HTTP: web.AppKey[ClientSession] = web.AppKey("http", ClientSession)
CHECKS: web.AppKey[asyncio.Semaphore] = web.AppKey("checks", asyncio.Semaphore)


@api.page("text/html", answers={302: answers.Page}, path=requests.TokenPath)
async def leave(request: web.Request) -> web.Response:
    """Off to Steam's sign-in, with a state that we made and that only this browser holds."""
    ctx = request.app[api.CONTEXT]
    text = request.match_info["token"]
    state = sign_in_states.new(ctx.master, text if verify.is_token(text) else None, ctx.clock.now())
    return_to, provider = links.return_to(ctx.settings, state), sign_in_check.provider_of(ctx.settings)
    target = openid.login_url(return_to, ctx.settings.balancer.site_url, provider)
    response = web.Response(status=302, headers={**pages.PAGE_HEADERS, "Location": target})
    links.set_cookie(ctx.settings, response, links.STATE_COOKIE, state, sign_in_states.LIFETIME_S)
    return response


@api.page("text/html", answers={200: answers.Page, 303: answers.Page, 403: answers.Page, 429: answers.Page, 503: answers.Page})
async def signed_in(request: web.Request) -> web.Response:
    """Back from Steam: checked in full, then a session is opened.

    Without the cookie of a sign-in this browser has begun none: nothing is checked then and nothing is counted, as any page can
    make a browser ask for this address.
    """
    ctx = request.app[api.CONTEXT]
    cookie, state = request.cookies.get(links.STATE_COOKIE), request.query.get("state", "")
    begun = sign_in_states.read(ctx.master, cookie or state)
    back = begun.token if begun is not None else None
    if not cookie:
        return _sign_in_failed(ctx, back)
    tries, address = request.app[TRIES], request.app[api.NETWORKS].of(request)
    try:
        tries.take(address, ctx.clock.monotonic())
        if begun is None or not begun.is_young(ctx.clock.now()):
            return _sign_in_failed(ctx, back)
        steam_id = await vouched(ctx, request, links.return_to(ctx.settings, cookie))
    except openid.SignInRefused:
        return _sign_in_failed(ctx, back)
    except people.SignInsBusy as error:
        tries.give_back(address, ctx.clock.monotonic())
        return people.trouble(ctx, error, back)
    except FleetError as error:
        return people.trouble(ctx, error, back)
    tries.give_back(address, ctx.clock.monotonic())
    session_id = await sessions.begin(ctx, steam_id, request.cookies.get(links.SESSION_COOKIE))
    response = _signed_in(ctx, back)
    links.set_cookie(ctx.settings, response, links.SESSION_COOKIE, session_id, ctx.settings.openid.session_s)
    response.del_cookie(links.STATE_COOKIE, path=links.base_of(ctx.settings) + "/verify")
    return response


async def vouched(ctx: Context, request: web.Request, return_to: str) -> SteamId:
    """The account that Steam vouches for in this answer, which must have been sent to ``return_to``.

    Raises:
        openid.SignInRefused: it does not, or the answer was not asked for by this browser, or was used before.
        people.SignInsBusy: Steam is being asked about as many as may be.
        SteamUnavailable: Steam could not be asked.
    """
    pairs = openid.pairs_of(request.rel_url.raw_query_string)
    provider = sign_in_check.provider_of(ctx.settings)
    # Steam's own time is in the answer.
    claim = openid.check(pairs, return_to, ctx.clock.unmoved(), provider)
    checks = request.app[CHECKS]
    if checks.locked():
        raise people.SignInsBusy(code="too_many_tries", retry_after_s=BUSY_RETRY_S)
    async with checks:
        is_new = await ctx.db.run(sessions.remember_nonce, claim.nonce, ctx.clock.now())
        return await sign_in_check.confirm(request.app[HTTP], provider, claim, openid.question(claim, nonce_is_new=is_new))


def _signed_in(ctx: Context, token: str | None) -> web.Response:
    if token is None:
        return people.refused(200, "You are signed in.", "Now open the link in the trade offer once more.", mood="plain")
    headers = {**pages.PAGE_HEADERS, "Location": links.page_of(ctx.settings, token)}
    return web.Response(status=303, headers=headers)


def _sign_in_failed(ctx: Context, token: str | None) -> web.Response:
    heading, again = "The sign-in did not work.", None if token is None else links.sign_in_of(ctx.settings, token)
    text = "Steam did not tell us who you are, or the sign-in was too long ago. Try once more."
    if again is None:
        text = "Steam did not tell us who you are, or the sign-in was too long ago. Open the link in the trade offer once more."
    return people.refused(403, heading, text, again)
