"""A request and an answer without any web framework, so the same handlers serve HTTP and tests in process."""

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, unquote, urlsplit

from sandbox.errors import Refused

if TYPE_CHECKING:
    from sandbox.accounts import Account
    from sandbox.items import Item, Place
    from sandbox.steam_api.steam import Steam
    from sandbox.world import World

Values = dict[str, list[str]]
WHOLE = re.compile(r"-?[0-9]{1,20}")

COMMUNITY = "steamcommunity.com"
API = "api.steampowered.com"
LOGIN = "login.steampowered.com"
STORE = "store.steampowered.com"


@dataclass
class Call:
    """One request: `host` without port, header names in lower case, repeated values kept in order."""

    steam: "Steam"
    method: str
    host: str
    path: str
    query: Values
    form: Values
    headers: dict[str, str]
    now: float
    real_now: float
    route: str = ""
    args: dict[str, str] = field(default_factory=dict)
    known_as: "Account | None" = None
    """The account this request was found to come from, for faults and the record."""
    address: str = ""
    """Where the connection comes from."""
    struck: list[str] = field(default_factory=list)
    """The kinds of trouble that struck this request."""
    wants_protobuf: bool = False
    hidden_confirmations: set[int] = field(default_factory=set)
    inventory_is_empty: bool = False
    inventory_age_s: float = 0.0

    @property
    def world(self) -> "World":
        return self.steam.world

    def items_at(self, place: "Place") -> "list[Item]":
        """An inventory as this request sees it: the true one, an old one, or none of it."""
        if self.inventory_is_empty:
            return []
        items = self.world.items
        return items.at_time(place, self.now - self.inventory_age_s) if self.inventory_age_s else items.at(place)

    def value(self, name: str, default: str = "") -> str:
        """A form field or, failing that, a query parameter; the first one when repeated."""
        found = self.form.get(name) or self.query.get(name)
        return found[0] if found else default

    def number(self, name: str, default: int = 0) -> int:
        """A whole number; what is no number counts as the default."""
        found = whole(self.value(name))
        return default if found is None else found

    def flag(self, name: str, default: bool = False) -> bool:
        """Steam reads 0/1 and true/false; steampy 1.2.0 also sends Python's `True` and `False`."""
        text = self.value(name).strip().lower()
        return default if text == "" else text in ("1", "true")

    def cookie(self, name: str) -> str:
        """The first cookie of that name, percent-decoded; empty when there is none."""
        for part in self.headers.get("cookie", "").split(";"):
            key, _, value = part.strip().partition("=")
            if key == name:
                return unquote(value.strip('"'))
        return ""


@dataclass
class Answer:
    """What goes back; `trouble` is "hang" or "cut" for an answer that never arrives, "truncate" or "cut_middle" for half
    an answer; `delay_s` is how long it is kept back.
    """

    status: int = 200
    body: bytes = b""
    content_type: str = "text/html; charset=utf-8"
    headers: dict[str, str] = field(default_factory=dict)
    cookies: list[str] = field(default_factory=list)
    trouble: str = ""
    delay_s: float = 0.0


def whole(text: str) -> int | None:
    """The whole number that a text is, of at most 20 digits; None when it is none."""
    return int(text) if WHOLE.fullmatch(text.strip()) else None


def split_url(text: str) -> SplitResult:
    """The parts of an address that somebody sent; what is no address has none."""
    try:
        parts = urlsplit(text)
        return parts if parts.hostname else urlsplit("")
    except ValueError:
        return urlsplit("")


def as_json(content: Any, status: int = 200, eresult: int | None = None) -> Answer:
    """JSON; Web API answers carry their result number in `x-eresult`."""
    headers = {} if eresult is None else {"x-eresult": str(eresult)}
    body = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
    return Answer(status, body, "application/json; charset=utf-8", headers)


def response(content: dict[str, Any], eresult: int = 1) -> Answer:
    """The Web API's envelope; failures are an empty `response` with HTTP 200."""
    return as_json({"response": content}, eresult=eresult)


def null(status: int) -> Answer:
    """The four bytes with which steamcommunity.com refuses."""
    return Answer(status, b"null", "application/json; charset=utf-8")


def html(text: str, status: int = 200) -> Answer:
    return Answer(status, text.encode())


def plain(text: str, status: int = 200) -> Answer:
    return Answer(status, text.encode(), "text/plain; charset=utf-8")


def redirect(url: str, cookies: list[str] | None = None) -> Answer:
    return Answer(302, headers={"Location": url}, cookies=cookies or [])


def str_error(refused: Refused, status: int, doing: str) -> Answer:
    """`{"strError": ...}` with the number at the end, unless Steam shows a sentence of its own."""
    why = f"<br><br>You cannot trade with {refused.partner}." if refused.partner else ""
    sentence = f"There was an error {doing}.  Please try again later.{why} ({refused.code})"
    return as_json({"strError": refused.text or sentence}, status)


def key_page(status: int = 403) -> Answer:
    """The HTML with which the Web API refuses a key or token; steampy 1.2.0 searches for its sentence."""
    title = "Unauthorized" if status == 401 else "Forbidden"
    return html(
        f"<html><head><title>{title}</title></head><body><h1>{title}</h1>Access is denied. Retrying will not help. "
        "Please verify your <pre>key=</pre> parameter.</body></html>",
        status,
    )


def set_cookie(name: str, value: str, http_only: bool = True) -> str:
    """Host-only on purpose: steampy 1.2.0 looks its cookies up by the exact host."""
    return f"{name}={value}; Path=/; Secure; SameSite=None" + ("; HttpOnly" if http_only else "")
