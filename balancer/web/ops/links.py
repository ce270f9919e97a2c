"""Addresses of the operators' page, and its cookies."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from aiohttp import web

from balancer.web.handlers.verify.links import base_of
from shared.settings import Settings

HOME = "/ops"
SIGNED_IN = "/ops/signed-in"
# Where somebody who had to sign in first wanted to go.
_WITHIN = re.compile(r"/ops(/[A-Za-z0-9_-]{1,80}){0,3}")


def path_of(settings: Settings, path: str) -> str:
    """As the browser asks for it, when the site serves us below a path of its own."""
    return base_of(settings) + path


def return_to(settings: Settings, state: str) -> str:
    """Where Steam sends the browser back to; the state stands in it, so Steam's signature covers it."""
    return f"{settings.balancer.site_url.rstrip('/')}{SIGNED_IN}?state={state}"


def origin_of(settings: Settings) -> str:
    """What the browser says of where a form of ours came from."""
    url = urlsplit(settings.balancer.site_url)
    return f"{url.scheme}://{url.netloc}"


def within(path: str) -> str:
    """The path, if it is one of this page; else the first of it."""
    return path if _WITHIN.fullmatch(path) else HOME


def is_secure(settings: Settings) -> bool:
    return settings.balancer.site_url.startswith("https:")


def cookie_name(settings: Settings, what: str) -> str:
    """A browser takes a cookie with this prefix from us over TLS only, from no subdomain and for no other path."""
    return f"__Host-fleet_{what}" if is_secure(settings) else f"fleet_{what}"


SESSION, STATE, GOAL = "ops", "ops_sign_in", "ops_goal"


def cookie_of(request: web.Request, settings: Settings, what: str) -> str:
    return request.cookies.get(cookie_name(settings, what), "")


def set_cookie(settings: Settings, response: web.StreamResponse, what: str, value: str, age_s: float | None) -> None:
    """``age_s``: None lets it end with the browser. Lax, as Steam sends the browser back to us; what changes is a form with
    a word of its own."""
    response.set_cookie(
        cookie_name(settings, what),
        value,
        max_age=None if age_s is None else int(age_s),
        path="/",
        secure=is_secure(settings),
        httponly=True,
        samesite="Lax",
    )


def drop_cookie(settings: Settings, response: web.StreamResponse, what: str) -> None:
    response.del_cookie(cookie_name(settings, what), path="/", secure=is_secure(settings), httponly=True, samesite="Lax")
