"""The few pages for people: rendered from templates, complete in one answer, with nothing fetched from elsewhere."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Any

from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from balancer import spoken

FOLDER = Path(__file__).parent
CSS = (FOLDER / "templates" / "page.css").read_text(encoding="utf-8")
STATIC = FOLDER / "static"

_environment = Environment(
    loader=FileSystemLoader(FOLDER / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def money(cents: int, currency: str) -> str:
    """``1234`` cents as ``12.34 USD``."""
    return f"{cents // 100}.{cents % 100:02} {currency}"


def said(text: str, **values: object) -> Markup:
    """An English sentence of a template in the reader's language, with its places filled; all of it escaped."""
    return escape(spoken.say(text)).format(**values) if values else escape(spoken.say(text))


_environment.globals.update(money=money, _=said, counted=spoken.counted)
_css_hash = base64.b64encode(hashlib.sha256(CSS.encode()).digest()).decode()

# The page holds a link to Steam but loads nothing: its own style by hash, its form to itself only.
PAGE_HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex, nofollow, noarchive",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": f"default-src 'none'; img-src data:; style-src 'sha256-{_css_hash}'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'",
}
DOCS_HEADERS = {
    "Cache-Control": "no-cache",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'",
}

# The browser files that we ship, by the name under which they are asked for.
FILES = {
    "docs.js": (STATIC / "docs.js", "text/javascript"),
    "swagger-ui-bundle.js": (STATIC / "swagger_ui" / "swagger-ui-bundle.js", "text/javascript"),
    "swagger-ui.css": (STATIC / "swagger_ui" / "swagger-ui.css", "text/css"),
}


def render(template: str, headers: dict[str, str], status: int = 200, **values: Any) -> web.Response:
    """A template with its values, all of them escaped."""
    language = spoken.current().code
    text = _environment.get_template(template).render(css=Markup(CSS), language=language, **values)  # noqa: S704 - our own file
    headers = {**headers, "Content-Language": language}
    return web.Response(status=status, text=text, content_type="text/html", charset="utf-8", headers=headers)


FAILURES = {
    404: ("This link is not complete.", "Open the link in the trade offer again, or copy all of it."),
    405: ("There is nothing to see here.", "Open the link that is in the trade offer."),
    503: ("We cannot check now.", "Do not accept the offer yet. Try again in a moment."),
    504: ("This took too long.", "Do not accept the offer yet. Try again in a moment."),
}
FAILURE = ("Something went wrong here.", "Do not accept the offer yet. Try again in a moment.")


def failure(status: int) -> web.Response:
    """A page for a player in place of an error's document."""
    heading, text = FAILURES.get(status, FAILURE)
    return page("refused.html", status, heading=heading, text=text, again=None, mood="no")


def page(template: str, status: int = 200, **values: Any) -> web.Response:
    """A page for a player."""
    return render(template, PAGE_HEADERS, status, **values)
