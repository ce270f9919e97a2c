"""What Steam answers, without any web framework: the answer itself, and the shapes that all of its hosts share."""

import json
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import SplitResult, urlsplit

from sandbox.errors import Refused

Values = dict[str, list[str]]
WHOLE = re.compile(r"-?[0-9]{1,20}")

COMMUNITY = "steamcommunity.com"
API = "api.steampowered.com"
LOGIN = "login.steampowered.com"
STORE = "store.steampowered.com"


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
