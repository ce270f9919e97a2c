"""The language that a visitor of the verify pages has chosen there, instead of the browser's."""

from __future__ import annotations

from aiohttp import web

from balancer import spoken

COOKIE = "fleet_language"
PARAMETER = "lang"


def in_address(request: web.BaseRequest) -> str:
    """The language that this address asks for; empty if it asks for none that there is."""
    value = request.query.get(PARAMETER, "")
    return value if value in spoken.FORMS else ""


def language(request: web.BaseRequest) -> str:
    """The language that was chosen, in this address or earlier; empty if none was."""
    choice = in_address(request) or request.cookies.get(COOKIE, "")
    return choice if choice in spoken.FORMS else ""
