"""The few pages for people: rendered from templates, complete in one answer, with nothing fetched from elsewhere."""

from __future__ import annotations

import base64
import hashlib
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from balancer import spoken

FOLDER = Path(__file__).parent
CSS = "".join((FOLDER / "templates" / name).read_text(encoding="utf-8") for name in ("tokens.css", "page.css"))
LIVE = (FOLDER / "templates" / "live.js").read_text(encoding="utf-8")
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


def translated(text: str, **values: object) -> Markup:
    """An English sentence of a template in the reader's language, with its places filled; all of it escaped."""
    return escape(spoken.say(text)).format(**values) if values else escape(spoken.say(text))


_environment.globals.update(money=money, _=translated, counted=spoken.counted)


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def policy(pictures: str = "", live: bool = False) -> str:
    """What a page may load: its own style, by its hash. ``pictures`` are more origins, for pictures only.

    With ``live`` its one script too, by its hash, which asks for the same page again.
    """
    script = f" script-src {_hash(LIVE)}; connect-src 'self';" if live else ""
    images = f"data: {pictures}".strip()
    return (
        f"default-src 'none'; img-src {images}; style-src {_hash(CSS)};{script} form-action 'self'; frame-ancestors 'none'; "
        "base-uri 'none'"
    )


# The page holds a link to Steam but loads nothing: its own style by hash, its form to itself only.
PAGE_HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex, nofollow, noarchive",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": policy(),
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


LOGO_BYTES_MAX = 64 * 1024
LOGO_TYPES = {".svg": "image/svg+xml", ".png": "image/png", ".webp": "image/webp"}


@dataclass(frozen=True, slots=True)
class Site:
    """The site that the pages speak for: its name, its domain, its logo as a `data:` address. Name and logo may be empty."""

    name: str
    domain: str
    logo: str

    @property
    def full(self) -> str:
        """As a sentence names it."""
        return f"{self.name} ({self.domain})" if self.name else self.domain


def logo(file: str) -> str:
    """A logo as a `data:` address; "" for none.

    Raises:
        ValueError: there is no such picture, or it is none that may be shown.
    """
    if not file:
        return ""
    path = Path(file)
    kind = LOGO_TYPES.get(path.suffix.lower())
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ValueError(f"balancer.site_logo_file cannot be read: {error.strerror}") from None
    if kind is None or not 0 < len(content) <= LOGO_BYTES_MAX:
        raise ValueError(f"balancer.site_logo_file is an SVG, PNG or WebP of at most {LOGO_BYTES_MAX // 1024} KiB")
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


@dataclass(frozen=True, slots=True)
class Frame:
    """What stands around a page's content: the site, and whether this address can be asked for in another language."""

    site: Site
    switchable: bool


NO_FRAME = Frame(Site("", "", ""), False)
_frame: ContextVar[Frame] = ContextVar("frame", default=NO_FRAME)


def speak_for(site: Site, switchable: bool) -> None:
    """Put the pages of the request under way into this site's frame."""
    _frame.set(Frame(site, switchable))


def render(template: str, headers: dict[str, str], status: int = 200, **values: Any) -> web.Response:
    """A template with its values, all of them escaped."""
    language, frame = spoken.current().code, _frame.get()
    others = [(each, spoken.language(each).name) for each in spoken.FORMS if each != language]
    text = _environment.get_template(template).render(
        css=Markup(CSS),  # noqa: S704 - our own file
        script=Markup(LIVE),  # noqa: S704 - our own file
        language=language,
        site=frame.site,
        languages=others if frame.switchable or "page" in values else [],
        **values,
    )
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


def page(template: str, status: int = 200, headers: dict[str, str] | None = None, **values: Any) -> web.Response:
    """A page for a player; ``page`` is its address where the request under way has another one."""
    return render(template, headers or PAGE_HEADERS, status, **values)
