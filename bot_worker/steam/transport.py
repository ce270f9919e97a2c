"""One requests session per bot: timeouts, headers, where Steam's addresses really lead, and what the calls cost.

The cookie jar and the server both see Steam's own host names; only the socket may lead elsewhere. So nothing above this file
knows whether it talks to Steam. Nothing here writes a URL, a header or a body into a log.
"""

from __future__ import annotations

import logging
from collections import Counter, deque
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import MaxRetryError, NewConnectionError

from bot_worker.steam import answers
from bot_worker.steam.maintenance import Maintenance, sign_of
from shared import log
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
    "accept",
    "decline",
    "partnerinventory",
    "acknowledge",
}
_LATENCY_WEIGHT = 0.2
RECENT_MAX = 12
_THROTTLES = answers.THROTTLE_RESULTS
# Where Steam leads a session that has died, and what its pages say to one.
_SIGN_IN_PATH, _SIGNED_OUT_MARK = "/login/", b"g_steamID = false"
_MARK_WITHIN = 65_536


_log = log.get(__name__)


def quiet_libraries() -> None:
    """Keep URLs, which hold access tokens, out of the libraries' debug logs."""
    for name in ("urllib3", "requests", "chardet", "charset_normalizer"):
        logging.getLogger(name).setLevel(logging.WARNING)


def call_name(url: str) -> str:
    """A short name of what a URL asks for, without ids: ``GetTradeOffers``, ``send``, ``inventory``."""
    parts = [part for part in urlsplit(url).path.split("/") if part]
    if len(parts) >= 2 and parts[0].startswith("I") and parts[0].endswith(("Service", "User")):
        return parts[1]
    if parts and parts[0] == "inventory":
        return "inventory"
    return next((part for part in reversed(parts) if part in _NAMED), "page")


class Observer:
    """What the calls of one session were, and what the last one said. Read by the heartbeat's thread."""

    def __init__(self, maintenance: Maintenance) -> None:
        self.maintenance = maintenance
        self.calls: Counter[str] = Counter()
        self.total = 0
        self.throttled = 0
        self.latency_ms: float | None = None
        self.last_status: int | None = None
        self.last_result: int | None = None
        self.last_retry_after_s: float | None = None
        self.last_signed_out = False
        self.steam_ahead_s = 0  # of this host's clock
        self.recent: deque[str] = deque(maxlen=RECENT_MAX)  # the calls of the order in hand, each with its answer's codes

    def begin(self, url: str) -> None:
        self.calls[call_name(url)] += 1
        self.total += 1
        self.recent.append(f"{call_name(url)} no answer")
        self.last_status = self.last_result = self.last_retry_after_s = None
        self.last_signed_out = False

    def told_time(self, response: requests.Response, local_ms: int) -> None:
        """Keep how far Steam's clock is ahead, as Guard codes and confirmation keys are checked by it. For uncached answers."""
        try:
            at = _aware(parsedate_to_datetime(response.headers.get("Date", "")))
        except ValueError:
            return
        self.steam_ahead_s = int(at.timestamp()) - local_ms // 1000

    def end(self, url: str, response: requests.Response, took_ms: float) -> None:
        status, result = response.status_code, result_of(response)
        self.recent.pop()
        self.recent.append(f"{call_name(url)} {status}" + (f" ({result})" if result is not None else ""))
        self.last_status, self.last_result = status, result
        self.last_retry_after_s = retry_after_s(response)
        self.last_signed_out = is_signed_out_page(url, response)
        if status == 429 or result in _THROTTLES:
            self.throttled += 1
        self.maintenance.saw(call_name(url), sign_of(call_name(url), status, result, page=is_page(response)))
        before = took_ms if self.latency_ms is None else self.latency_ms
        self.latency_ms = before + _LATENCY_WEIGHT * (took_ms - before)
        _log.debug("steam_call", call=call_name(url), status=status, result=result, took_ms=round(took_ms, 1))


class SteamAdapter(HTTPAdapter):
    """Sends to Steam, or to ``base_url`` with Steam's host in the ``Host`` header."""

    def __init__(self, settings: SteamSettings, observer: Observer, clock: Clock, proxy: str = "") -> None:
        self._base = urlsplit(settings.base_url) if settings.base_url else None
        self._timeout = (settings.connect_timeout_s, settings.read_timeout_s)
        self._observer = observer
        self._clock = clock
        self._proxies = {"http": proxy, "https": proxy} if proxy else {}
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
        if self._base or self._proxies:
            # Only the bot's own: a proxy of the environment leads to Steam, not to our base_url, and not from its address.
            options["proxies"] = self._proxies
        self._observer.begin(url)
        before = self._clock.monotonic()
        response = super().send(wire, **options)
        self._observer.end(url, response, (self._clock.monotonic() - before) * 1000)
        if request.method == "POST":
            self._observer.told_time(response, self._clock.now_ms())
        # The session stores cookies and follows redirects by these.
        response.url, response.request = url, request
        return response


def prepare(session: requests.Session, settings: SteamSettings, observer: Observer, clock: Clock, proxy: str = "") -> None:
    """Make a session look like a browser (steamcommunity.com turns others away) and send through our adapter."""
    session.headers.update(
        {
            "User-Agent": settings.user_agent,
            "Accept-Language": "en-US,en;q=0.9",
            "Accept-Encoding": "gzip, deflate, br",
        }
    )
    adapter = SteamAdapter(settings, observer, clock, proxy)
    session.mount("https://", adapter)
    session.mount("http://", adapter)


def result_of(response: requests.Response) -> int | None:
    """The EResult in the header, if there is one."""
    text = response.headers.get("x-eresult", "")
    return int(text) if text.isdigit() else None


def is_page(response: requests.Response) -> bool:
    """Whether the answer is a page for people."""
    return response.headers.get("Content-Type", "").lower().startswith("text/html")


def is_signed_out_page(url: str, response: requests.Response) -> bool:
    """Whether Steam answered with its sign-in page, or with a page for strangers: the session has died silently."""
    if not is_page(response):
        return False
    return urlsplit(url).path.startswith(_SIGN_IN_PATH) or _SIGNED_OUT_MARK in response.content[:_MARK_WITHIN]


def retry_after_s(response: requests.Response) -> float | None:
    """How long Steam asks to wait, in either of the header's two forms."""
    text = response.headers.get("Retry-After", "").strip()
    if text.isdigit():
        return float(text)
    try:
        until = parsedate_to_datetime(text)
        now = parsedate_to_datetime(response.headers.get("Date", ""))
    except ValueError:
        return None
    return max(0.0, (_aware(until) - _aware(now)).total_seconds())


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def never_connected(error: requests.RequestException) -> bool:
    """Whether the request cannot have reached anybody, so that nothing was done."""
    if isinstance(error, requests.ConnectTimeout):
        return True
    cause = error.args[0] if error.args else None
    return isinstance(cause, MaxRetryError) and isinstance(cause.reason, NewConnectionError)


def read_json(response: requests.Response) -> Any:
    """The JSON of an answer to a call that only reads.

    Raises:
        NotSignedIn: 401, 403 from the Web API, or the page that a dead session gets.
        SteamThrottled: 429.
        SteamUnavailable: any other error status, or a page where JSON was expected (edge or maintenance page).
    """
    if response.status_code == 429:
        raise SteamThrottled(retry_after_s=retry_after_s(response))
    if response.status_code == 401 or is_signed_out_page(response.url, response):
        raise NotSignedIn()
    if response.status_code != 200:
        told = f"Steam answered HTTP {response.status_code}"
        raise SteamUnavailable(told, result=result_of(response), retry_after_s=retry_after_s(response))
    try:
        return response.json()
    except ValueError as error:
        raise SteamUnavailable("Steam answered a page instead of data") from error
