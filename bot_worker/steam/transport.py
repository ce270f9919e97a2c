"""One requests session per bot: timeouts, headers, where Steam's addresses really lead, and what the calls cost.

The cookie jar and the server both see Steam's own host names; only the socket may lead elsewhere. So nothing above this file
knows whether it talks to Steam. Nothing here writes a URL, a header or a body into a log.
"""

from __future__ import annotations

import logging
from collections import Counter
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import MaxRetryError, NewConnectionError

from shared.clock import Clock
from shared.errors import NotSignedIn, SteamThrottled, SteamUnavailable
from shared.settings import SteamSettings

_NAMED = {
    "getlist",
    "ajaxop",
    "finalizelogin",
    "settoken",
    "send",
    "cancel",
    "partnerinventory",
    "acknowledge",
}
_LATENCY_WEIGHT = 0.2


def quiet_libraries() -> None:
    """Keep URLs, which hold access tokens, out of the libraries' debug logs."""
    for name in ("urllib3", "requests", "chardet", "charset_normalizer"):
        logging.getLogger(name).setLevel(logging.WARNING)


def call_name(url: str) -> str:
    """A short name of what a URL asks for, without ids: ``GetTradeOffers``, ``send``, ``inventory``."""
    parts = [part for part in urlsplit(url).path.split("/") if part]
    if len(parts) >= 2 and parts[0].startswith("I") and parts[0].endswith("Service"):
        return parts[1]
    if parts and parts[0] == "inventory":
        return "inventory"
    return next((part for part in reversed(parts) if part in _NAMED), "page")


class Observer:
    """What the calls of one session were, and what the last one said. Read by the heartbeat's thread."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.total = 0
        self.latency_ms: float | None = None
        self.last_status: int | None = None
        self.last_result: int | None = None

    def begin(self, url: str) -> None:
        self.calls[call_name(url)] += 1
        self.total += 1
        self.last_status = self.last_result = None

    def end(self, response: requests.Response, took_ms: float) -> None:
        self.last_status = response.status_code
        self.last_result = result_of(response)
        before = took_ms if self.latency_ms is None else self.latency_ms
        self.latency_ms = before + _LATENCY_WEIGHT * (took_ms - before)


class SteamAdapter(HTTPAdapter):
    """Sends to Steam, or to ``base_url`` with Steam's host in the ``Host`` header."""

    def __init__(self, settings: SteamSettings, observer: Observer, clock: Clock) -> None:
        self._base = urlsplit(settings.base_url) if settings.base_url else None
        self._timeout = (settings.connect_timeout_s, settings.read_timeout_s)
        self._observer = observer
        self._clock = clock
        super().__init__(pool_connections=4, pool_maxsize=4)

    def send(self, request: requests.PreparedRequest, *_: Any, **options: Any) -> requests.Response:
        wire, url = request.copy(), request.url or ""
        want = urlsplit(url)
        if request.method != "GET":
            # multiajaxop and others answer 403 without it (node-steamcommunity#351).
            wire.headers.setdefault("Origin", f"https://{want.netloc}")
        if options.get("timeout") is None:
            options["timeout"] = self._timeout
        if self._base:
            wire.headers["Host"] = want.netloc
            wire.url = urlunsplit((self._base.scheme, self._base.netloc, want.path or "/", want.query, ""))
            options["proxies"] = {}  # a proxy of the environment leads to Steam, not to our base_url
        self._observer.begin(url)
        before = self._clock.monotonic()
        response = super().send(wire, **options)
        self._observer.end(response, (self._clock.monotonic() - before) * 1000)
        # The session stores cookies and follows redirects by these.
        response.url, response.request = url, request
        return response


def prepare(session: requests.Session, settings: SteamSettings, observer: Observer, clock: Clock) -> None:
    """Make a session look like a browser (steamcommunity.com turns others away) and send through our adapter."""
    session.headers.update(
        {
            "User-Agent": settings.user_agent,
            "Accept-Language": "en-US,en;q=0.9",
            "Accept-Encoding": "gzip, deflate, br",
        }
    )
    adapter = SteamAdapter(settings, observer, clock)
    session.mount("https://", adapter)
    session.mount("http://", adapter)


def result_of(response: requests.Response) -> int | None:
    """The EResult in the header, if there is one."""
    text = response.headers.get("x-eresult", "")
    return int(text) if text.isdigit() else None


def never_connected(error: requests.RequestException) -> bool:
    """Whether the request cannot have reached anybody, so that nothing was done."""
    if isinstance(error, requests.ConnectTimeout):
        return True
    cause = error.args[0] if error.args else None
    return isinstance(cause, MaxRetryError) and isinstance(cause.reason, NewConnectionError)


def read_json(response: requests.Response) -> Any:
    """The JSON of an answer to a call that only reads.

    Raises:
        NotSignedIn: 401, or 403 from the Web API.
        SteamThrottled: 429.
        SteamUnavailable: any other error status, or a page where JSON was expected (edge or maintenance page).
    """
    if response.status_code == 429:
        after = response.headers.get("Retry-After", "")
        raise SteamThrottled(retry_after_s=float(after) if after.isdigit() else None)
    if response.status_code == 401:
        raise NotSignedIn()
    if response.status_code != 200:
        raise SteamUnavailable(f"Steam answered HTTP {response.status_code}", result=result_of(response))
    try:
        return response.json()
    except ValueError as error:
        raise SteamUnavailable("Steam answered a page instead of data") from error
