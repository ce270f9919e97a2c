"""Calm: nothing moves and nothing sounds. A cookie, so that it also works without scripts."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase

COOKIE = "calm"
YEAR_S = 365 * 86_400


def is_calm(request: HttpRequest) -> bool:
    return request.COOKIES.get(COOKIE) == "1"


def switch(request: HttpRequest, response: HttpResponseBase) -> None:
    """The other way round from now on."""
    if is_calm(request):
        response.delete_cookie(COOKIE, samesite="Lax")
        return
    response.set_cookie(COOKIE, "1", max_age=YEAR_S, samesite="Lax", secure=settings.SESSION_COOKIE_SECURE)
