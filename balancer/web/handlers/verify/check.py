"""The page behind the link in an offer's message, the signed-in player's form, and the site's check as JSON."""

from __future__ import annotations

import re

from aiohttp import web

from balancer import spoken
from balancer.context import Context
from balancer.fields import maybe_unix
from balancer.trades import verify
from balancer.trades.requests import Caller
from balancer.trades.verify import Answer, Subject, Verdict
from balancer.web import api, bodies, pages, sentences, sessions
from balancer.web.handlers.verify import links, people
from balancer.web.schemas import answers, requests
from balancer.web.tries import TRIES
from shared.domain.ids import SteamId
from shared.errors import RateLimited

# A link that a chat window made longer by a stop or a bracket, or a browser by a slash.
_TOKEN_AND_REST = re.compile(r"([A-Za-z0-9_-]{22})(?![A-Za-z0-9_-])[^A-Za-z0-9]*")
PLAYER_MESSAGES = {
    Verdict.NOT_YET: "Our offer is not out yet. Any offer that you see now is not ours: do not accept it.",
    Verdict.IN_HOLD: "You have already accepted our offer; Steam keeps the items for some days. Do not accept another one.",
    Verdict.OVER: "Our offer is over. Any offer that you see now is not ours: do not accept anything. If you did not end it "
    "yourself, somebody else uses your Steam account: revoke your Steam web API key and sign out everywhere.",
    Verdict.CANNOT_TELL: "We cannot see our offer at Steam at the moment. Do not accept yet; check again in a moment.",
}


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
    session_id = request.cookies.get(links.SESSION_COOKIE)
    steam_id = await sessions.player_of(ctx, session_id)
    link = links.sign_in_of(ctx.settings, token)
    if steam_id is None or session_id is None:
        return pages.page("sign_in.html", sign_in=link)
    trade = await verify.find(ctx, token, steam_id)
    if trade is not None and trade.verified_at is not None and ctx.clock.now() < trade.expires_at:
        return await people.answer_page(ctx, token, await verify.answer(ctx, trade, token, _player(steam_id)))
    return pages.page(
        "check.html",
        steam_id=str(int(steam_id)),
        action=links.base_of(ctx.settings) + "/verify",
        token=token,
        csrf=sessions.csrf_of(session_id),
        sign_in=link,
    )


def _player(steam_id: SteamId) -> str:
    """Who asks, as the feed says it."""
    return f"player:{int(steam_id)}"


async def consume(request: web.Request) -> web.StreamResponse:
    """The player's form as HTML, the site's check as JSON."""
    if request.content_type == people.FORM:
        return await _form(request)
    return await site_check(request)


async def _form(request: web.Request) -> web.Response:
    """The signed-in player's own check. After a yes the browser is led to the page, which a phone may load again."""
    ctx = request.app[api.CONTEXT]
    try:
        await api.count_address(request)
        form = await bodies.read_form(request, ctx.settings.http.body_s)
    except RateLimited as error:
        return people.trouble(ctx, error)
    except ValueError:
        return _not_our_form()
    token, csrf = form.get("token", "")[:100], form.get("csrf", "")[:100]
    session_id = request.cookies.get(links.SESSION_COOKIE)
    steam_id = await sessions.player_of(ctx, session_id)
    if steam_id is None or session_id is None:
        link = links.sign_in_of(ctx.settings, token) if token else None
        return people.refused(403, "You are not signed in any more.", "Sign in once more and check again.", link)
    if not sessions.csrf_is_right(session_id, csrf):
        return _not_our_form()
    try:
        trade = await _trade_of(request, ctx, request.app[api.NETWORKS].of(request), token, steam_id)
    except RateLimited as error:
        return people.trouble(ctx, error)
    answer = Answer(Verdict.UNKNOWN) if trade is None else await verify.answer(ctx, trade, token, _player(steam_id))
    if answer.first:
        return web.Response(status=303, headers={**pages.PAGE_HEADERS, "Location": links.page_of(ctx.settings, token)})
    return await people.answer_page(ctx, token, answer)


def _not_our_form() -> web.Response:
    return people.refused(403, "This form is not ours.", "Start again from the link in the trade offer.")


async def _trade_of(request: web.Request, ctx: Context, address: str, token: str, steam_id: SteamId) -> Subject | None:
    """The trade of a token, for the one who asks from ``address``; a wrong try counts against that address only.

    Raises:
        RateLimited: too many wrong tries.
    """
    tries = request.app[TRIES]
    tries.take(address, ctx.clock.monotonic())
    trade = await verify.find(ctx, token, steam_id)
    if trade is not None:
        tries.give_back(address, ctx.clock.monotonic())
    return trade


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
    trade = await _trade_of(request, ctx, f"{caller.client_id}:{int(steam_id)}", body.token, steam_id)
    if trade is None:
        return api.answer(_in_json(ctx, Answer(Verdict.UNKNOWN)))
    return api.answer(_in_json(ctx, await verify.answer(ctx, trade, body.token, caller.who)))


def _in_json(ctx: Context, answer: Answer) -> answers.VerifyAnswer:
    reason = "used" if answer.verdict is Verdict.OK and not answer.first else answer.verdict.value
    head = {"ok": True} if answer.first else {"ok": False, "reason": reason}
    trade, sentence = answer.trade, PLAYER_MESSAGES.get(answer.verdict)
    if trade is None or answer.status is None:
        return answers.VerifyAnswer.model_validate(head)
    return answers.VerifyAnswer(
        **head,
        retryable=answer.verdict in verify.RETRYABLE,
        player_message=None if answer.first or sentence is None else spoken.say(sentence),
        trade_id=trade.trade_id,
        direction=trade.direction,
        status=answer.status,
        bot=trade.bot,
        bot_steam_id=trade.bot_steam_id,
        bot_identity=people.identity_of(ctx, trade.bot),
        items=len(trade.items),
        offer_id=trade.offer_id,
        offer_url=links.OFFER_URL.format(offer_id=trade.offer_id) if trade.offer_id else None,
        seen_at=maybe_unix(answer.seen_at),
        verified_at=maybe_unix(answer.verified_at),
        ended_at=maybe_unix(answer.ended.at) if answer.ended else None,
    )


consume.operation = api.operation_of(site_check)  # type: ignore[attr-defined]
