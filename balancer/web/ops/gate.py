"""Who comes in: every address of the page but the sign-in is behind `signed_in`, every form behind `form_of`."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from aiohttp import web

from balancer.context import Context
from balancer.web import api, bodies, problems
from balancer.web.ops import links, operators, render, sessions
from balancer.web.ops.operators import Operator
from balancer.web.ops.sessions import Session

FORM_MAX = 256 * 1024
FIELDS_MAX = 5000
FORM = "application/x-www-form-urlencoded"
# What htmx says with what it asks for by itself.
LIVE_HEADER = "HX-Request"


@dataclass(frozen=True, slots=True)
class Visit:
    """One request of an operator who is signed in."""

    request: web.Request
    ctx: Context
    operator: Operator
    session: Session

    @property
    def live(self) -> bool:
        """Whether the page asks by itself, which is no click."""
        return LIVE_HEADER in self.request.headers


Handler = Callable[[Visit], Awaitable[web.StreamResponse]]
Plain = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Form:
    """What an operator has filled in."""

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        self.pairs = pairs

    def one(self, name: str) -> str:
        """The last value of this name without blanks around it; empty if there is none."""
        return next((value.strip() for key, value in reversed(self.pairs) if key == name), "")

    def all(self, name: str) -> list[str]:
        """Every value of this name, each once."""
        return list(dict.fromkeys(value for key, value in self.pairs if key == name))


def is_on(ctx: Context) -> bool:
    """Whether there is such a page at all."""
    return bool(ctx.settings.ops.operators)


def there(handler: Plain) -> Plain:
    """For the sign-in: as if there were no such address while no operator is named."""

    @functools.wraps(handler)
    async def handle(request: web.Request) -> web.StreamResponse:
        if not is_on(request.app[api.CONTEXT]):
            raise web.HTTPNotFound()
        return await handler(request)

    return handle


def signed_in(handler: Handler) -> Plain:
    """Let nobody in but an operator with a whole session; others are led to the sign-in."""

    @functools.wraps(handler)
    async def handle(request: web.Request) -> web.StreamResponse:
        ctx = request.app[api.CONTEXT]
        session = await session_of(request)
        operator = None if session is None else operators.of(ctx.settings.ops, session.steam_id)
        if session is None or operator is None or not session.whole:
            return to_sign_in(request)
        visit = Visit(request, ctx, operator, session)
        if not visit.live and ctx.clock.now() - session.seen_at > timedelta(seconds=sessions.SEEN_S):
            await ctx.db.run(partial(sessions.change, seen_at=ctx.clock.now()), session.session_id)
        return await handler(visit)

    return there(handle)


async def session_of(request: web.Request) -> Session | None:
    """This browser's session, whole or not."""
    ctx = request.app[api.CONTEXT]
    cookie = links.cookie_of(request, ctx.settings, links.SESSION)
    return await ctx.db.read(sessions.find, cookie, ctx.settings.ops, ctx.clock.now()) if cookie else None


def to_sign_in(request: web.Request) -> web.Response:
    """Off to the sign-in, and then back to where this browser wanted to go."""
    settings = request.app[api.CONTEXT].settings
    target = links.path_of(settings, "/ops/sign-in")
    if LIVE_HEADER in request.headers:  # a redirect would be put into the page
        return web.Response(status=200, headers={**render.HEADERS, "HX-Redirect": target})
    response = web.Response(status=303, headers={**render.HEADERS, "Location": target})
    if request.method == "GET":
        links.set_cookie(settings, response, links.GOAL, links.within(request.path), None)
    return response


async def form_of(request: web.Request, session: Session) -> Form | None:
    """The form, if it is one of this session's and was sent from our own page; ``None``: it is not.

    Raises:
        web.HTTPException: as `bodies.read`.
    """
    settings = request.app[api.CONTEXT].settings
    if request.content_type != FORM or request.headers.get("Origin", "") != links.origin_of(settings):
        return None
    try:
        form = Form(await bodies.read_pairs(request, settings.http.body_s, FORM_MAX, FIELDS_MAX))
    except ValueError:
        return None
    return form if session.csrf_is_right(form.one("csrf")) else None


def refused(request: web.Request, status: int, heading: str, text: str, back: str = links.HOME) -> web.Response:
    """A page of one sentence, with a way on."""
    settings = request.app[api.CONTEXT].settings
    return render.page("refused.html", status, heading=heading, text=text, back=back, **frame(settings))


def frame(settings: Any) -> dict[str, Any]:
    """What every page is given, signed in or not."""
    named = settings.balancer.site_name or "Fleet"
    return {"base": links.path_of(settings, ""), "site": named, "livemode": settings.balancer.livemode, "shell": None}


FAILURES = {
    404: ("There is no such page.", "The address may be old: what it was about may be over."),
    405: ("There is nothing to see here.", "Begin at the first page."),
    408: ("Your form came too slowly.", "Nothing was done. Try once more."),
    413: ("Your form is too large.", "Nothing was done. Choose fewer at a time."),
    429: ("Too many tries.", "Wait a moment before the next one."),
    503: ("The database cannot be reached.", "Nothing was done. Try again in a moment; `fleet doctor` says more."),
    504: ("This took too long.", "Look whether it was done before you try again."),
}
FAILURE = ("Something went wrong here.", "Should it have changed something, look whether it did; the balancer's log says more.")


@web.middleware
async def for_operators(request: web.Request, handler: Plain) -> web.StreamResponse:
    """Whatever goes wrong below `/ops`, an operator's browser gets a page and no problem document."""
    response = await handler(request)
    if request.path != links.HOME and not request.path.startswith(links.HOME + "/"):
        return response
    if response.status < 400 or response.content_type != problems.CONTENT_TYPE or not is_on(request.app[api.CONTEXT]):
        return response
    shown = refused(request, response.status, *FAILURES.get(response.status, FAILURE))
    for name in ("Retry-After", "Allow"):
        if name in response.headers:
            shown.headers[name] = response.headers[name]
    if not response.keep_alive:
        shown.force_close()
    return shown
