"""Signing in to the operators' page: Steam says who it is, a one-time code that it is not only their Steam account."""

from __future__ import annotations

from datetime import datetime

from aiohttp import web
from sqlalchemy import Connection

from balancer.context import Context
from balancer.journal import events
from balancer.journal.by import By
from balancer.web import api, sign_in_check, sign_in_states
from balancer.web.handlers.verify import people
from balancer.web.handlers.verify.sign_in import vouched
from balancer.web.ops import codes, gate, links, operators, render, sessions
from balancer.web.ops.codes import Verdict
from balancer.web.ops.operators import Operator
from balancer.web.tries import TRIES
from fleet_client import openid
from shared.errors import FleetError
from shared.sections import OpsSettings

SAYS = {
    Verdict.WRONG: "This is not the code that your app shows now.",
    Verdict.USED: "This code was used already. Wait for the next one.",
    Verdict.LOCKED: "Too many wrong codes: nobody signs in as you for a while. Other operators have got an alarm.",
    Verdict.NOT_ENROLLED: "You have no codes yet. Ask for `fleet ops enrol` on the balancer's machine.",
}


@gate.there
async def show(request: web.Request) -> web.StreamResponse:
    """Where everybody begins who is not signed in."""
    settings = request.app[api.CONTEXT].settings
    return render.page("sign_in.html", **gate.frame(settings))


@gate.there
async def leave(request: web.Request) -> web.StreamResponse:
    """Off to Steam, with a state that we made and that only this browser holds."""
    ctx = request.app[api.CONTEXT]
    await api.count_address(request)
    state = sign_in_states.new(ctx.master, None, ctx.clock.now())
    target = openid.login_url(
        links.return_to(ctx.settings, state), ctx.settings.balancer.site_url, sign_in_check.provider_of(ctx.settings)
    )
    response = web.Response(status=302, headers={**render.HEADERS, "Location": target})
    links.set_cookie(ctx.settings, response, links.STATE, state, sign_in_states.LIFETIME_S)
    return response


@gate.there
async def signed_in(request: web.Request) -> web.StreamResponse:
    """Back from Steam. An operator's browser gets a session that may give a code, and nothing else."""
    ctx = request.app[api.CONTEXT]
    await api.count_address(request)
    state = links.cookie_of(request, ctx.settings, links.STATE)
    begun = sign_in_states.read(ctx.master, state)
    if begun is None or not begun.is_young(ctx.clock.now()):
        return _failed(request)
    tries, address = request.app[TRIES], request.app[api.NETWORKS].of(request)
    tries.take(address, ctx.clock.monotonic())
    try:
        steam_id = await vouched(ctx, request, links.return_to(ctx.settings, state))
    except openid.SignInRefused:
        return _failed(request)
    except people.SignInsBusy as error:
        tries.give_back(address, ctx.clock.monotonic())
        return _trouble(request, error)
    except FleetError as error:
        return _trouble(request, error)
    tries.give_back(address, ctx.clock.monotonic())
    operator = operators.of(ctx.settings.ops, int(steam_id))
    if operator is None:
        return gate.refused(request, 403, "This account is no operator.", NO_OPERATOR, "/ops/sign-in")
    replaced = links.cookie_of(request, ctx.settings, links.SESSION)
    session_id = await ctx.db.run(sessions.begin, operator.steam_id, replaced, ctx.clock.now())
    response = web.Response(status=303, headers={**render.HEADERS, "Location": links.path_of(ctx.settings, "/ops/code")})
    links.set_cookie(ctx.settings, response, links.SESSION, session_id, sessions.HALF_S)
    links.drop_cookie(ctx.settings, response, links.STATE)
    return response


NO_OPERATOR = "Operators stand in the settings of the balancer, `[ops] operators`. Sign in with the account that stands there."


def _failed(request: web.Request) -> web.Response:
    text = "Steam did not tell us who you are, or the sign-in was too long ago. Try once more."
    return gate.refused(request, 403, "The sign-in did not work.", text, "/ops/sign-in")


def _trouble(request: web.Request, error: FleetError) -> web.Response:
    status = 429 if isinstance(error, people.SignInsBusy) else 503
    return gate.refused(request, status, "Steam cannot be asked now.", "Try again in a moment.", "/ops/sign-in")


@gate.there
async def ask_code(request: web.Request) -> web.StreamResponse:
    """The form for the code, for whom Steam has vouched."""
    session = await gate.session_of(request)
    operator = _who(request, session)
    if session is None or operator is None:
        return gate.to_sign_in(request)
    return _code_page(request, operator, session, "")


@gate.there
async def take_code(request: web.Request) -> web.StreamResponse:
    """One code. A right one opens a session under a new id; a wrong one counts against the operator."""
    ctx, session = request.app[api.CONTEXT], await gate.session_of(request)
    operator = _who(request, session)
    if session is None or operator is None:
        return gate.to_sign_in(request)
    form = await gate.form_of(request, session)
    if form is None:
        return gate.refused(request, 403, "This form is not ours.", "Nothing was done. Begin again.", "/ops/sign-in")
    code = "".join(form.one("code").split())[:20]
    now = ctx.clock.now()
    verdict, session_id = await ctx.db.run(_take, ctx, operator, session.session_id, code, ctx.settings.ops, now)
    if session_id is None:
        return _code_page(request, operator, session, SAYS[verdict])
    goal = links.within(links.cookie_of(request, ctx.settings, links.GOAL))
    response = web.Response(status=303, headers={**render.HEADERS, "Location": links.path_of(ctx.settings, goal)})
    links.set_cookie(ctx.settings, response, links.SESSION, session_id, ctx.settings.ops.session_s)
    links.drop_cookie(ctx.settings, response, links.GOAL)
    return response


def _who(request: web.Request, session: sessions.Session | None) -> Operator | None:
    settings = request.app[api.CONTEXT].settings
    return None if session is None else operators.of(settings.ops, session.steam_id)


def _take(
    connection: Connection, ctx: Context, operator: Operator, half: str, code: str, rules: OpsSettings, now: datetime
) -> tuple[Verdict, str | None]:
    verdict = codes.check(connection, ctx.master, operator, code, rules, ctx.clock.unmoved(), now)
    if verdict is not Verdict.RIGHT:
        return verdict, None
    event_data = {"name": operator.name, "role": operator.role}
    events.append(connection, events.row("operator_signed_in", event_data, By(operator.who, now)))
    return verdict, sessions.complete(connection, half, operator.steam_id, rules, now)


def _code_page(request: web.Request, operator: Operator, session: sessions.Session, notice: str) -> web.Response:
    settings = request.app[api.CONTEXT].settings
    values = {"name": operator.name, "steam_id": operator.steam_id, "csrf": session.csrf, "notice": notice}
    return render.page("code.html", 403 if notice else 200, **values, **gate.frame(settings))


@gate.there
async def leave_for_good(request: web.Request) -> web.StreamResponse:
    """Sign out: the session ends here and in the database."""
    ctx, session = request.app[api.CONTEXT], await gate.session_of(request)
    if session is not None:
        if await gate.form_of(request, session) is None:
            return gate.refused(request, 403, "This form is not ours.", "You are still signed in.")
        await ctx.db.run(sessions.end, session.session_id)
    location = {"Location": links.path_of(ctx.settings, "/ops/sign-in")}
    response = web.Response(status=303, headers={**render.HEADERS, **location})
    links.drop_cookie(ctx.settings, response, links.SESSION)
    return response


async def file(request: web.Request) -> web.StreamResponse:
    """What the pages load."""
    known = render.FILES.get(request.match_info["file"])
    if known is None or not gate.is_on(request.app[api.CONTEXT]):
        raise web.HTTPNotFound()
    path, content_type = known
    kept = "public, max-age=31536000, immutable" if request.query.get("v") == render.version() else "no-cache"
    headers = {"Content-Type": content_type, "Cache-Control": kept, "X-Content-Type-Options": "nosniff"}
    return web.FileResponse(path, headers=headers)
