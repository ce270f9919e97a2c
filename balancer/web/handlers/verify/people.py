"""What a player's browser gets: pages with our answers, and in place of every problem document."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from balancer import spoken
from balancer.context import Context
from balancer.fleet.identity import BotIdentity
from balancer.items import looks
from balancer.journal.views import Trade
from balancer.trades.verify import Answer, Verdict
from balancer.web import api, chosen, pages, problems
from balancer.web.handlers.verify import links
from shared.clock import from_unix
from shared.domain.status import ENDED_UNMOVED, TradeStatus
from shared.errors import FleetError, RateLimited

SHOWN_MAX = 20
SIGNED_IN = "/verify/signed-in"
PICTURE_SIZE = "/256fx256f"  # pixels; Steam's hosts of pictures make any size
FORM = "application/x-www-form-urlencoded"

_MINUTE_S, _HOUR_S = 60, 3600


class SignInsBusy(RateLimited):
    """As many sign-ins as may be are being checked with Steam."""


LOGO: web.AppKey[str] = web.AppKey("logo", str)
LANGUAGE_S = 365 * 86400


@web.middleware
async def for_people(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Whatever goes wrong below `/verify`, a player's browser gets a page and no problem document.

    The pages speak for the site, in the language that was chosen on them.
    """
    if not _is_browser(request):
        return await handler(request)
    settings = request.app[api.CONTEXT].settings
    site = pages.Site(settings.balancer.site_name, urlsplit(settings.balancer.site_url).netloc, request.app[LOGO])
    pages.speak_for(site, switchable=request.method == "GET" and request.path != SIGNED_IN)
    request[problems.LANGUAGE] = chosen.language(request)
    response = await _as_page(request, handler)
    if language := chosen.in_address(request):
        links.set_cookie(settings, response, chosen.COOKIE, language, LANGUAGE_S)
    return response


async def _as_page(request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> web.StreamResponse:
    response = await handler(request)
    if response.status < 400 or response.content_type != problems.CONTENT_TYPE:
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


async def answer_page(ctx: Context, token: str, answer: Answer) -> web.Response:
    again = links.sign_in_of(ctx.settings, token) if token else None
    match answer.verdict:
        case Verdict.UNKNOWN:
            text = (
                "It is not an offer that we made to this account. Decline it. If you use several Steam accounts, sign in with "
                "the one that received the offer."
            )
            return refused(200, "We cannot confirm this offer.", text, again)
        case Verdict.EXPIRED:
            life = length(ctx.settings.trades.token_lifetime_s)
            text = f"It was ours, but the {life} in which it can be checked are over. Decline it and ask for a new one."
            return refused(200, "This offer is too old.", text)
    shows_items = answer.verdict is Verdict.OK
    pictures = ctx.settings.balancer.pictures_url if shows_items else ""
    live = answer.verified_at is not None
    who = identity_of(ctx, answer.trade.bot) if shows_items and answer.trade else None
    origins = dict.fromkeys((_origin(pictures), _origin(who.avatar_url or "") if who else ""))
    policy = pages.policy(" ".join(each for each in origins if each), live)
    headers = {**pages.PAGE_HEADERS, "Content-Security-Policy": policy}
    items = await _items(ctx, answer.trade, pictures) if shows_items and answer.trade else []
    return pages.page("answer.html", headers=headers, live=live, items=items, who=_shown(who), **_values(ctx, token, answer))


def identity_of(ctx: Context, bot: str | None) -> BotIdentity | None:
    """A trade's bot as players see it in Steam; ``None`` when nobody knows."""
    view = ctx.fleet.get(bot) if bot else None
    return view.identity if view else None


def _shown(who: BotIdentity | None) -> dict[str, Any]:
    """What the page says of a bot, empty where that is not known."""
    if who is None:
        return {"name": "", "picture": "", "level": None, "year": None}
    year = None if who.since is None else from_unix(who.since).year
    return {"name": who.name or "", "picture": who.avatar_url or "", "level": who.level, "year": year}


def _origin(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""


async def _items(ctx: Context, trade: Trade, pictures: str) -> list[dict[str, Any]]:
    """The items that are shown, each with its picture's address and its rarity's colour, empty where they are not known."""
    shown = trade.items[:SHOWN_MAX]
    appearances = await ctx.db.read(looks.of, {item.market_hash_name for item in shown})
    made = []
    for item in shown:
        appearance = appearances.get(item.market_hash_name, looks.NOTHING)
        name, _, finish = item.market_hash_name.partition(" | ")
        picture = pictures + appearance.icon + PICTURE_SIZE if pictures and appearance.icon else ""
        made.append({"name": name, "finish": finish, "cents": item.value_cents, "picture": picture, "color": appearance.color})
    return made


def _values(ctx: Context, token: str, answer: Answer) -> dict[str, Any]:
    """What the page of an answer about a trade shows."""
    trade, ended, now = answer.trade, answer.ended, ctx.clock.now()
    seen_s = None if answer.seen_at is None else max(0, round((now - answer.seen_at).total_seconds()))
    return {
        "verdict": answer.verdict.value,
        "trade": trade,
        "total": sum(item.value_cents for item in trade.items) if trade else 0,
        "shown": SHOWN_MAX,
        "currency": ctx.settings.balancer.currency,
        "offer_url": links.OFFER_URL.format(offer_id=trade.offer_id) if trade and trade.offer_id else None,
        "seen_ago": None if seen_s is None else spoken.say("just now" if seen_s < 1 else f"{length(seen_s)} ago"),
        "page": links.page_of(ctx.settings, token),
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
            return spoken.counted(whole // unit_s, name)
    return spoken.counted(whole, "second")


def refused(status: int, heading: str, text: str, again: str | None = None, mood: str = "no") -> web.Response:
    return pages.page("refused.html", status, heading=heading, text=text, again=again, mood=mood)


def trouble(ctx: Context, error: FleetError, token: str | None = None) -> web.Response:
    """What a player sees when it is not the player's fault, or after too many tries."""
    again = links.sign_in_of(ctx.settings, token) if token else None
    if isinstance(error, RateLimited):
        wait_s = int(error.retry_after_s or 1)
        heading = "Many players are signing in now." if isinstance(error, SignInsBusy) else "Too many tries."
        response = refused(429, heading, f"Try again in {wait_s} seconds.", again)
        response.headers["Retry-After"] = str(wait_s)
        return response
    return refused(503, "Steam does not answer.", "Try again in a moment.", again)
