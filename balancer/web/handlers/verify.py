"""`/verify`: the player's pages; the signed-in player's form and the site's check, of which the first yes uses a token up."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

from aiohttp import ClientSession, web

from balancer.context import Context
from balancer.fields import maybe_unix
from balancer.trades import verify
from balancer.trades.requests import Caller
from balancer.trades.verify import Answer, Found, Verdict
from balancer.web import api, bodies, openid, pages, problems, sentences, sessions, sign_in
from balancer.web.schemas import answers, requests
from balancer.web.tries import Tries
from shared.domain.ids import SteamId
from shared.domain.status import ENDED_UNMOVED, TradeStatus
from shared.errors import FleetError, RateLimited
from shared.settings import Settings

SESSION_COOKIE = "fleet_player"
STATE_COOKIE = "fleet_sign_in"
SHOWN_MAX = 20
FORM = "application/x-www-form-urlencoded"
OFFER_URL = "https://steamcommunity.com/tradeoffer/{offer_id}/"
BUSY_RETRY_S = 5

HTTP: web.AppKey[ClientSession] = web.AppKey("http", ClientSession)
TRIES: web.AppKey[Tries] = web.AppKey("tries", Tries)
CHECKS: web.AppKey[asyncio.Semaphore] = web.AppKey("checks", asyncio.Semaphore)

_MINUTE_S, _HOUR_S = 60, 3600
# A link that a chat window made longer by a stop or a bracket, or a browser by a slash.
_TOKEN_AND_REST = re.compile(r"([A-Za-z0-9_-]{22})(?![A-Za-z0-9_-])[^A-Za-z0-9]*")


class SignInsBusy(RateLimited):
    """As many sign-ins as may be are being checked with Steam."""


def base_of(settings: Settings) -> str:
    """The path in front of ours, when the site serves us below one."""
    return urlsplit(settings.balancer.site_url).path.rstrip("/")


def provider_of(settings: Settings) -> openid.Provider:
    return openid.Provider(settings.openid.endpoint, settings.openid.identity_prefix, settings.openid.nonce_max_age_s)


def return_to(settings: Settings, state: str) -> str:
    """Where Steam sends the browser back to; the state stands in it, so Steam's signature covers it."""
    return f"{settings.balancer.site_url.rstrip('/')}/verify/signed-in?state={state}"


def _page_link(settings: Settings, token: str) -> str:
    return f"{base_of(settings)}/verify/{quote(token, safe='')}"


def _sign_in_link(settings: Settings, token: str) -> str:
    return f"{_page_link(settings, token)}/sign-in"


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


@web.middleware
async def for_people(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Whatever goes wrong below `/verify`, a player's browser gets a page and no problem document."""
    response = await handler(request)
    if response.status < 400 or response.content_type != problems.CONTENT_TYPE or not _is_browser(request):
        return response
    shown = pages.failure(response.status)
    for name in ("Retry-After", "Allow"):
        if name in response.headers:
            shown.headers[name] = response.headers[name]
    if not response.keep_alive:
        shown.force_close()
    return shown


def _is_browser(request: web.Request) -> bool:
    if request.path != "/verify" and not request.path.startswith("/verify/"):
        return False
    if request.method == "POST":
        return request.content_type == FORM
    accepted = request.headers.get("Accept", "")
    return request.method in ("GET", "HEAD") and ("text/html" in accepted or ("*/*" in accepted and "json" not in accepted))


# --- the page behind the link ------------------------------------------------------------------------------


@api.page("text/html", answers={200: answers.Page}, path=requests.TokenPath)
async def show(request: web.Request) -> web.Response:
    """The page behind the link in an offer's message.

    It only shows: a link preview uses nothing up and learns nothing. A player who has checked the offer sees the answer again.
    """
    text = request.match_info["token"]
    match = _TOKEN_AND_REST.fullmatch(text)
    return await _show(request, match[1] if match else text)


async def odd(request: web.Request) -> web.Response:
    """Any other address below `/verify/`: a token with a slash behind it is meant well, the rest is no link of ours."""
    match = _TOKEN_AND_REST.fullmatch(request.match_info["rest"])
    if match is None:
        return pages.failure(404)
    return await _show(request, match[1])


async def _show(request: web.Request, token: str) -> web.Response:
    ctx = request.app[api.CONTEXT]
    session_id = request.cookies.get(SESSION_COOKIE)
    steam_id = await sessions.player_of(ctx, session_id)
    link = _sign_in_link(ctx.settings, token)
    if steam_id is None or session_id is None:
        return pages.page("sign_in.html", sign_in=link)
    found = await verify.find(ctx, token, steam_id)
    if found is not None and found.verified_at is not None and ctx.clock.now() < found.expires_at:
        return _answer_page(ctx, token, await verify.answer(ctx, found, token, _player(steam_id)))
    return pages.page(
        "check.html",
        steam_id=str(int(steam_id)),
        action=base_of(ctx.settings) + "/verify",
        token=token,
        csrf=sessions.csrf_of(session_id),
        sign_in=link,
    )


def _player(steam_id: SteamId) -> str:
    """Who asks, as the feed says it."""
    return f"player:{int(steam_id)}"


# --- signing in ----------------------------------------------------------------------------------------------


@api.page("text/html", answers={302: answers.Page}, path=requests.TokenPath)
async def leave(request: web.Request) -> web.Response:
    """Off to Steam's sign-in, with a state that we made and that only this browser holds."""
    ctx = request.app[api.CONTEXT]
    text = request.match_info["token"]
    state = sign_in.new_state(ctx.master, text if verify.is_token(text) else None, ctx.clock.now())
    target = openid.login_url(provider_of(ctx.settings), return_to(ctx.settings, state), ctx.settings.balancer.site_url)
    response = web.Response(status=302, headers={**pages.PAGE_HEADERS, "Location": target})
    _set_cookie(ctx.settings, response, STATE_COOKIE, state, sign_in.LIFETIME_S)
    return response


@api.page("text/html", answers={200: answers.Page, 303: answers.Page, 403: answers.Page, 429: answers.Page, 503: answers.Page})
async def signed_in(request: web.Request) -> web.Response:
    """Back from Steam: checked in full, then a session is opened.

    Without the cookie of a sign-in this browser has begun none: nothing is checked then and nothing is counted, as any page can
    make a browser ask for this address.
    """
    ctx = request.app[api.CONTEXT]
    cookie, state = request.cookies.get(STATE_COOKIE), request.query.get("state", "")
    begun = sign_in.read(ctx.master, cookie or state)
    back = begun.token if begun is not None else None
    if not cookie:
        return _sign_in_failed(ctx, back)
    tries, address = request.app[TRIES], request.app[api.NETWORKS].of(request)
    try:
        tries.take(address, ctx.clock.monotonic())
        if begun is None or not begun.is_young(ctx.clock.now()):
            return _sign_in_failed(ctx, back)
        steam_id = await _vouched(ctx, request, cookie)
    except openid.SignInRefused:
        return _sign_in_failed(ctx, back)
    except SignInsBusy as error:
        tries.give_back(address, ctx.clock.monotonic())
        return _trouble(ctx, error, back)
    except FleetError as error:
        return _trouble(ctx, error, back)
    tries.give_back(address, ctx.clock.monotonic())
    session_id = await sessions.begin(ctx, steam_id, request.cookies.get(SESSION_COOKIE))
    response = _signed_in(ctx, back)
    _set_cookie(ctx.settings, response, SESSION_COOKIE, session_id, ctx.settings.openid.session_s)
    response.del_cookie(STATE_COOKIE, path=base_of(ctx.settings) + "/verify")
    return response


async def _vouched(ctx: Context, request: web.Request, state: str) -> SteamId:
    """The account that Steam vouches for in this answer.

    Raises:
        SignInRefused: it does not, or the answer was not asked for by this browser, or was used before.
        SignInsBusy: Steam is being asked about as many as may be.
        SteamUnavailable: Steam could not be asked.
    """
    pairs = parse_qsl(request.rel_url.raw_query_string, keep_blank_values=True)
    provider = provider_of(ctx.settings)
    claim = openid.check(provider, pairs, return_to(ctx.settings, state), ctx.clock.now())
    checks = request.app[CHECKS]
    if checks.locked():
        raise SignInsBusy(code="too_many_tries", retry_after_s=BUSY_RETRY_S)
    async with checks:
        if not await ctx.db.run(sessions.remember_nonce, claim.nonce, ctx.clock.now()):
            raise openid.SignInRefused(reason="nonce_seen")
        await openid.confirm(request.app[HTTP], provider, claim)
    return claim.steam_id


def _signed_in(ctx: Context, token: str | None) -> web.Response:
    if token is None:
        return _refused(200, "You are signed in.", "Now open the link in the trade offer once more.", mood="plain")
    headers = {**pages.PAGE_HEADERS, "Location": _page_link(ctx.settings, token)}
    return web.Response(status=303, headers=headers)


def _sign_in_failed(ctx: Context, token: str | None) -> web.Response:
    text = "Steam did not tell us who you are, or it was too long ago. "
    if token is None:
        return _refused(403, "The sign-in did not work.", text + "Open the link in the trade offer once more.")
    return _refused(403, "The sign-in did not work.", text + "Try once more.", _sign_in_link(ctx.settings, token))


def _refused(status: int, heading: str, text: str, again: str | None = None, mood: str = "no") -> web.Response:
    return pages.page("refused.html", status, heading=heading, text=text, again=again, mood=mood)


def _trouble(ctx: Context, error: FleetError, token: str | None = None) -> web.Response:
    """What a player sees when it is not his doing, or when he tries too often."""
    again = _sign_in_link(ctx.settings, token) if token else None
    if isinstance(error, RateLimited):
        wait_s = int(error.retry_after_s or 1)
        heading = "Many players sign in just now." if isinstance(error, SignInsBusy) else "Too many tries."
        response = _refused(429, heading, f"Try again in {wait_s} seconds.", again)
        response.headers["Retry-After"] = str(wait_s)
        return response
    return _refused(503, "Steam does not answer.", "Try again in a moment.", again)


# --- the check -------------------------------------------------------------------------------------------------


async def consume(request: web.Request) -> web.StreamResponse:
    """The player's form as HTML, the site's check as JSON."""
    if request.content_type == FORM:
        return await _form(request)
    return await site_check(request)


async def _form(request: web.Request) -> web.Response:
    """The signed-in player's own check. After a yes the browser is led to the page, which a phone may load again."""
    ctx = request.app[api.CONTEXT]
    try:
        await api.count_address(request)
        form = await bodies.read_form(request, ctx.settings.http.body_s)
    except RateLimited as error:
        return _trouble(ctx, error)
    except ValueError:
        return _not_our_form()
    token, csrf = form.get("token", "")[:100], form.get("csrf", "")[:100]
    session_id = request.cookies.get(SESSION_COOKIE)
    steam_id = await sessions.player_of(ctx, session_id)
    if steam_id is None or session_id is None:
        link = _sign_in_link(ctx.settings, token) if token else None
        return _refused(403, "You are not signed in any more.", "Sign in once more and check again.", link)
    if not sessions.csrf_is_right(session_id, csrf):
        return _not_our_form()
    try:
        found = await _found(request, ctx, request.app[api.NETWORKS].of(request), token, steam_id)
    except RateLimited as error:
        return _trouble(ctx, error)
    answer = Answer(Verdict.UNKNOWN) if found is None else await verify.answer(ctx, found, token, _player(steam_id))
    if answer.first:
        return web.Response(status=303, headers={**pages.PAGE_HEADERS, "Location": _page_link(ctx.settings, token)})
    return _answer_page(ctx, token, answer)


def _not_our_form() -> web.Response:
    return _refused(403, "This form is not ours.", "Start again from the link in the trade offer.")


async def _found(request: web.Request, ctx: Context, address: str, token: str, steam_id: SteamId) -> Found | None:
    """The trade of a token, for whoever asks from ``address``; a wrong try counts against that address only.

    Raises:
        RateLimited: too many wrong tries.
    """
    tries = request.app[TRIES]
    tries.take(address, ctx.clock.monotonic())
    found = await verify.find(ctx, token, steam_id)
    if found is not None:
        tries.give_back(address, ctx.clock.monotonic())
    return found


@api.operation(scope="trade", answers={200: answers.VerifyAnswer}, errors=((RateLimited, "too_many_tries"),))
async def site_check(request: web.Request, ctx: Context, caller: Caller, body: requests.VerifyBody) -> web.Response:
    """Check a token for a player of the site.

    Before it says ok the trade's bot looks at the offer, which takes up to five seconds. The token is used up when the answer
    is ok; for this player it is `used` afterwards, as long as the offer is open. A token of another player is called `unknown`.
    The signed-in player's form comes here too, as `application/x-www-form-urlencoded`, and is answered with a page.
    """
    try:
        steam_id = SteamId(body.steam_id)
    except ValueError as error:
        raise api.invalid_field("body.steam_id", sentences.own(error)) from None
    # All players of a site share its address, so here a wrong try counts against the player.
    found = await _found(request, ctx, f"{caller.client_id}:{int(steam_id)}", body.token, steam_id)
    if found is None:
        return api.answer(_in_json(Answer(Verdict.UNKNOWN)))
    return api.answer(_in_json(await verify.answer(ctx, found, body.token, caller.who)))


def _in_json(answer: Answer) -> answers.VerifyAnswer:
    reason = "used" if answer.verdict is Verdict.OK and not answer.first else answer.verdict.value
    head = {"ok": True} if answer.first else {"ok": False, "reason": reason}
    trade = answer.trade
    if trade is None or answer.status is None:
        return answers.VerifyAnswer.model_validate(head)
    return answers.VerifyAnswer(
        **head,
        retryable=answer.verdict in verify.RETRYABLE,
        player_message=None if answer.first else PLAYER_MESSAGES.get(answer.verdict),
        trade_id=trade.trade_id,
        direction=trade.direction,
        status=answer.status,
        bot=trade.bot,
        bot_steam_id=trade.bot_steam_id,
        items=len(trade.items),
        offer_id=trade.offer_id,
        offer_url=OFFER_URL.format(offer_id=trade.offer_id) if trade.offer_id else None,
        seen_at=maybe_unix(answer.seen_at),
        verified_at=maybe_unix(answer.verified_at),
        ended_at=maybe_unix(answer.ended.at) if answer.ended else None,
    )


PLAYER_MESSAGES = {
    Verdict.NOT_YET: "Our offer is not out yet. Whatever you see now is not ours: do not accept it.",
    Verdict.IN_HOLD: "You have accepted our offer already; Steam keeps the items for some days. Do not accept another one.",
    Verdict.OVER: "Our offer is over. Whatever you look at now is not ours: do not accept anything. If it was not you who "
    "ended it, somebody else uses your Steam account: revoke your Steam web API key and sign out everywhere.",
    Verdict.CANNOT_TELL: "We cannot see our offer at Steam just now. Do not accept yet; check again in a moment.",
}


consume.operation = api.operation_of(site_check)  # type: ignore[attr-defined]


# --- the answer as a page ------------------------------------------------------------


ENDED = {
    "accepted": "It was accepted",
    "settled": "It was accepted",
    "declined": "It was declined",
    "countered": "It was answered with another offer",
    "expired": "It expired",
    "canceled": "It was taken back",
    "reversed": "It was accepted, and then taken back at Steam",
    "failed": "It could not be carried out",
}


BY_PLAYER = frozenset({TradeStatus.ACCEPTED, TradeStatus.SETTLED, TradeStatus.DECLINED, TradeStatus.COUNTERED})


def _answer_page(ctx: Context, token: str, answer: Answer) -> web.Response:
    again = _sign_in_link(ctx.settings, token) if token else None
    match answer.verdict:
        case Verdict.UNKNOWN:
            text = (
                "It is not an offer that we made to this account. Decline it. If you use several Steam accounts, sign in with "
                "the one that received the offer."
            )
            return _refused(200, "We cannot confirm this offer.", text, again)
        case Verdict.EXPIRED:
            life = length(ctx.settings.trades.token_lifetime_s)
            text = f"It was ours, but the {life} in which it can be checked are over. Decline it and ask for a new one."
            return _refused(200, "This offer is too old.", text)
    return pages.page("answer.html", **_values(ctx, token, answer))


def _values(ctx: Context, token: str, answer: Answer) -> dict[str, Any]:
    """What the page of an answer about a trade shows."""
    trade, ended, now = answer.trade, answer.ended, ctx.clock.now()
    seen_s = None if answer.seen_at is None else max(0, round((now - answer.seen_at).total_seconds()))
    return {
        "verdict": answer.verdict.value,
        "trade": trade,
        "site": urlsplit(ctx.settings.balancer.site_url).netloc,
        "shown": SHOWN_MAX,
        "currency": ctx.settings.balancer.currency,
        "offer_url": OFFER_URL.format(offer_id=trade.offer_id) if trade and trade.offer_id else None,
        "seen_ago": None if seen_s is None else "just now" if seen_s < 1 else f"{length(seen_s)} ago",
        "page": _page_link(ctx.settings, token),
        "became": answer.status.value if answer.status else None,
        "ended": ENDED.get(ended.status.value) if ended else None,
        "ended_by_player": ended is not None and ended.status in BY_PLAYER,
        "unmoved": ended is not None and ended.status in ENDED_UNMOVED,
        "ended_at": ended.at if ended else None,
        "after": length(ended.after_s) if ended and ended.after_s is not None else None,
    }


def length(seconds: float) -> str:
    """A length of time in words: ``30 minutes``, ``1 second``."""
    whole = round(seconds)
    for unit_s, name in ((_HOUR_S, "hour"), (_MINUTE_S, "minute"), (1, "second")):
        if whole >= unit_s and whole % unit_s == 0:
            count = whole // unit_s
            return f"{count} {name}" + ("" if count == 1 else "s")
    return f"{whole} seconds"
