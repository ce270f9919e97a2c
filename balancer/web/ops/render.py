"""Templates of the operators' page: everything escaped, no script or style in them, nothing fetched from elsewhere."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from functools import cache
from typing import Any

from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from balancer.web import pages

FOLDER = pages.FOLDER / "templates"
STATIC = pages.STATIC / "ops"
TOKENS = FOLDER / "tokens.css"
# By the name under which they are asked for; the tokens are those of the verify page.
FILES = {
    "tokens.css": (TOKENS, "text/css"),
    "ops.css": (STATIC / "ops.css", "text/css"),
    "ops.js": (STATIC / "ops.js", "text/javascript"),
    "htmx.min.js": (STATIC / "htmx.min.js", "text/javascript"),
    "onest.woff2": (STATIC / "onest-latin-wght-normal.woff2", "font/woff2"),
}

# Its own files and answers; an offer's link leads to Steam and fetches nothing. `same-origin`, or browsers would not say where
# a form came from.
HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",
    "X-Robots-Tag": "noindex, nofollow, noarchive",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src data:; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
}

_environment = Environment(
    loader=FileSystemLoader(FOLDER / "ops"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


@cache
def version() -> str:
    """Changes with the files, so that a browser may keep them."""
    return hashlib.sha256(b"".join(path.read_bytes() for path, _ in FILES.values())).hexdigest()[:12]


def moment(unix_s: int | None) -> str:
    return "" if unix_s is None else f"{datetime.fromtimestamp(unix_s, UTC):%Y-%m-%d %H:%M:%S}"


def span(seconds: float | None) -> str:
    """A length of time as people say it, in one or two parts."""
    if seconds is None:
        return ""
    whole = max(0, int(seconds))
    for name, size, lower, part in (("d", 86400, "h", 3600), ("h", 3600, "min", 60), ("min", 60, "s", 1)):
        if whole >= size:
            rest = whole % size // part
            return f"{whole // size} {name}" + (f" {rest} {lower}" if rest and whole < 10 * size else "")
    return f"{whole} s"


def cents(value: int | None) -> str:
    return "" if value is None else f"{value // 100:,}.{value % 100:02}"


def coded(text: object) -> Markup:
    """A sentence with what stands in backticks as code; all of it escaped. The first letter is a large one."""
    plain = str(text)
    pieces = (plain[:1].upper() + plain[1:]).split("`")
    return Markup("").join(Markup("<code>{}</code>").format(each) if n % 2 else each for n, each in enumerate(pieces))


def words(text: object) -> str:
    """``in_doubt`` as ``in doubt``."""
    return str(text).replace("_", " ")


_environment.filters.update(moment=moment, span=span, cents=cents, coded=coded, words=words)


def page(template: str, status: int = 200, **values: Any) -> web.Response:
    """A whole page."""
    text = _environment.get_template(template).render(version=version(), **values)
    return web.Response(status=status, text=text, content_type="text/html", charset="utf-8", headers=HEADERS)
