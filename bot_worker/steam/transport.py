"""One requests session per bot: timeouts, headers, where Steam's addresses really lead, and what the calls cost.

The cookie jar and the server both see Steam's own host names; only the socket may lead elsewhere. So nothing above this file
knows whether it talks to Steam. Nothing here writes a URL, a header or a body into a log.

It is also the one place where the outside of an answer is read: its status, which says nothing without its body, its headers
and its size. Whatever they hold, only Steam's errors come of it.
"""

from __future__ import annotations

import json
import logging
import re
from collections import Counter, deque
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import requests
from requests.adapters import HTTPAdapter

from bot_worker.steam import answers, outgoing
from bot_worker.steam.maintenance import Maintenance, sign_of
from shared import log, strict
from shared.clock import Clock
from shared.domain.status import Direction
from shared.errors import NotSignedIn, SteamError, SteamThrottled, SteamUnavailable
from shared.sections import SteamSettings
from shared.strict import BadShape

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
# What the Web API's page says that refuses a token; its status alone is also that of an edge that turns us away.
_TOKEN_REFUSED_MARK = b"key="
PROXY_AUTHENTICATION = 407
# The largest answer, an inventory page of two thousand assets, has some six million bytes.
ANSWER_MAX_BYTES = 64 * 1024 * 1024
PIECE_BYTES = 256 * 1024
RESULT_MAX = 10_000
WAIT_MAX_S = 366 * 86_400.0
# Clocks are believed between 2015 and 2100: outside of it no Guard code can be made.
_EARLIEST_S = 1_420_070_400
_RESULT_TOLD = re.compile(rb"EResult (\d{1,4})\b")
PROXY_UNAVAILABLE = "proxy_unavailable"

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
        self.look_calls = 0  # of those, the ones for looks for the verify page, and
        self.for_verify = False  # whether the order in hand is one
        self.second_calls = 0  # the same for second readings of dear items
        self.for_second = False
        self.shares: Mapping[Direction, float] = {}  # for which kind of trade the order in hand asks, and
        self.by_direction = dict.fromkeys(Direction, 0.0)  # what was asked for each
        self.throttled = 0
        self.latency_ms: float | None = None
        self.last_status: int | None = None
        self.last_result: int | None = None
        self.last_retry_after_s: float | None = None
        self.last_signed_out = False
        self.left = False  # whether the last request has left this machine
        self.left_out: Counter[str] = Counter()  # rows of answers that could not be taken, by what they were to be
        self.steam_ahead_s = 0  # of this host's clock
        self.recent: deque[str] = deque(maxlen=RECENT_MAX)  # the calls of the order in hand, each with its answer's codes

    def begin(self, url: str) -> None:
        self.calls[call_name(url)] += 1
        self.total += 1
        self.look_calls += self.for_verify
        self.second_calls += self.for_second
        for direction, share in self.shares.items():
            self.by_direction[direction] += share
        self.recent.append(f"{call_name(url)} no answer")
        self.last_status = self.last_result = self.last_retry_after_s = None
        self.last_signed_out = self.left = False

    @property
    def counted(self) -> int:
        """The calls that trades and upkeep cost; looks for players and second readings are told apart."""
        return self.total - self.look_calls - self.second_calls

    def leaves(self) -> None:
        """The request in hand leaves this machine."""
        self.left = True

    @property
    def last_call(self) -> str:
        """What was asked for last."""
        return self.recent[-1].partition(" ")[0] if self.recent else ""

    def leave_out(self, what: str, reasons: Counter[str]) -> None:
        """Rows of an answer were not taken."""
        if count := reasons.total():
            self.left_out[what] += count
            _log.warning("rows_left_out", what=what, count=count, reasons=dict(reasons))

    def told_time(self, response: requests.Response, local_ms: int) -> None:
        """Keep how far Steam's clock is ahead, as Guard codes and confirmation keys are checked by it. For uncached answers."""
        at_s = _moment(response.headers.get("Date", ""))
        if at_s is not None and _EARLIEST_S <= at_s <= strict.TIME_MAX:
            self.steam_ahead_s = int(at_s) - local_ms // 1000

    def end(self, url: str, response: requests.Response, took_ms: float) -> None:
        status, result = response.status_code, result_of(response)
        self.recent.pop()
        self.recent.append(f"{call_name(url)} {status}" + (f" ({result})" if result is not None else ""))
        self.last_status, self.last_result = status, result
        self.last_retry_after_s = retry_after_s(response)
        self.last_signed_out = is_signed_out(url, response)
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
        self._pools = outgoing.pool_classes(observer.leaves)
        super().__init__(pool_connections=4, pool_maxsize=4)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        manager: Any = super().proxy_manager_for(proxy, **options)
        manager.pool_classes_by_scheme = self._pools
        return manager

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
        _read_whole(response)
        self._observer.end(url, response, (self._clock.monotonic() - before) * 1000)
        if request.method == "POST":
            self._observer.told_time(response, self._clock.unmoved_ms())
        # The session stores cookies and follows redirects by these.
        response.url, response.request = url, request
        return response


def _read_whole(response: requests.Response) -> None:
    """The whole answer, unpacked piece by piece while it is of a size that an answer of Steam has.

    Raises:
        requests.RequestException: it is larger, or cannot be unpacked.
    """
    pieces: list[bytes] = []
    size = 0
    with response:
        for piece in response.iter_content(PIECE_BYTES):
            size += len(piece)
            if size > ANSWER_MAX_BYTES:
                raise requests.exceptions.ContentDecodingError("the answer is too large")
            pieces.append(piece)
    response._content = b"".join(pieces)


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
    try:
        return strict.whole(response.headers.get("x-eresult"), "x-eresult", 0, RESULT_MAX)
    except BadShape:
        return None


def is_page(response: requests.Response) -> bool:
    """Whether the answer is a page for people."""
    return response.headers.get("Content-Type", "").lower().startswith("text/html")


def is_signed_out_page(url: str, response: requests.Response) -> bool:
    """Whether Steam answered with its sign-in page, or with a page for strangers: the session has died silently."""
    if not is_page(response):
        return False
    return urlsplit(url).path.startswith(_SIGN_IN_PATH) or _SIGNED_OUT_MARK in response.content[:_MARK_WITHIN]


def is_signed_out(url: str, response: requests.Response) -> bool:
    """Whether it says that our session or token is not good.

    401 says so by itself. 403 does only with the word of the Web API about tokens, or with the four bytes (``null``) in which
    steamcommunity.com refuses; it is also what an edge says that turns an address away, and the answer to a private inventory.
    """
    if response.status_code == 401 or is_signed_out_page(url, response):
        return True
    if response.status_code != 403:
        return False
    if is_page(response):
        return _TOKEN_REFUSED_MARK in response.content[:_MARK_WITHIN]
    return is_null(response)


def is_null(response: requests.Response) -> bool:
    """Whether the body is the four bytes with which steamcommunity.com refuses, or nothing at all."""
    return response.content[:16].strip() in (b"null", b"")


def retry_after_s(response: requests.Response) -> float | None:
    """How long Steam asks to wait, in either of the header's two forms; no more than a year."""
    text = response.headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:20]), WAIT_MAX_S)
    until, now = _moment(text), _moment(response.headers.get("Date", ""))
    return None if until is None or now is None else min(max(0.0, until - now), WAIT_MAX_S)


def _moment(text: str) -> float | None:
    """A header's time in unix seconds."""
    try:
        return _aware(parsedate_to_datetime(text)).timestamp()
    except (ValueError, TypeError, ArithmeticError, IndexError):
        return None


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def read_json(response: requests.Response) -> Any:
    """The JSON of an answer to a call that only reads.

    Raises:
        NotSignedIn: what `is_signed_out` says.
        SteamThrottled: 429.
        SteamRefused, and others: an error status with an EResult, by that (`answers.read_failure`).
        SteamUnavailable: any other error status, or a page where JSON was expected (edge or maintenance page).
    """
    status, result = response.status_code, result_of(response)
    if status == 429:
        raise SteamThrottled(retry_after_s=retry_after_s(response))
    if is_signed_out(response.url, response):
        raise NotSignedIn()
    if status == PROXY_AUTHENTICATION:
        raise SteamUnavailable("the proxy wants another password", code=PROXY_UNAVAILABLE)
    if status != 200:
        raise _refusal(response, status, result)
    try:
        return json.loads(response.content)
    except (ValueError, RecursionError) as error:
        raise SteamUnavailable("Steam answered a page instead of data") from error


def _refusal(response: requests.Response, status: int, result: int | None) -> SteamError:
    """What an error status says together with its EResult, which stands in a header or at the end of a sentence."""
    result = result if result not in (None, 1) else _told_result(response)
    if result is not None and status >= 500:
        error = answers.read_failure(result)
    else:
        error = SteamUnavailable(f"Steam answered HTTP {status}", result=result)
    error.retry_after_s = error.retry_after_s or retry_after_s(response)
    return error


def _told_result(response: requests.Response) -> int | None:
    """The EResult in ``{"success":false,"error":"EYldRefreshAppIfNecessary failed with EResult 55"}``."""
    result = _RESULT_TOLD.search(response.content[:_MARK_WITHIN]) if not is_page(response) else None
    return int(result[1]) if result else None
