"""aiohttp's server with our own answer to what is no HTTP, and with an end to every connection that keeps us waiting.

aiohttp waits for ever for the rest of a request's head, and for a reader who does not read; `balancer.web.connections` says
how long each may take here. For that its connections are made by us, which takes some of its private names. They stand in this
file only.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, TypeGuard

from aiohttp import web
from aiohttp.abc import AbstractAccessLogger

from balancer.metrics.requests import REQUESTS, UNKNOWN, Requests
from balancer.web import mode, problems, request_ids
from balancer.web.addresses import Networks
from balancer.web.connections import Connections, Limits
from shared import log
from shared.settings import Settings

# 400 ids of trades and offers fit into an address; headers hold a key and little else.
LINE_MAX = 64 * 1024
FIELD_MAX = 8 * 1024
HEADERS_MAX = 64
CHECK_S = 1.0

# aiohttp's private names that are used here, and the versions that the suite has passed with.
PRIVATE = {
    # Public by its name only: every answer, before it goes out.
    web.RequestHandler: (
        "_handle_request",
        "finish_response",
    ),  # one request of a connection, from its whole head to its answer
    web.Server: ("_kwargs", "_loop"),  # what it makes connections with
    web.AppRunner: ("_make_server",),
    web.Request: ("_match_info",),  # none, if a request was refused before its route was looked for
}
TRIED_WITH = ("3.14",)

_log = log.get(__name__)
_access = log.get("balancer.access")
_access_level = logging.getLogger("balancer.access")


class Handler(web.RequestHandler):
    """One connection."""

    __slots__ = (
        "_busy_since",
        "_connections",
        "_given",
        "_head_since",
        "_link",
        "_livemode",
        "_taken",
        "_unread_since",
        "_waits_since",
    )

    def __init__(self, connections: Connections, livemode: bool, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._connections = connections
        self._livemode = livemode
        self._link: asyncio.Transport | None = None
        self._waits_since = 0.0
        self._head_since: float | None = None
        self._busy_since: float | None = None
        self._unread_since: float | None = None
        self._given = self._taken = 0  # bytes of an answer that goes on

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._link = self.transport
        peer = transport.get_extra_info("peername")
        # The time for the first head runs from here, whether or not anything comes.
        self._waits_since = self._head_since = self._connections.now()
        if self._connections.admit(self, str(peer[0]) if peer else None):
            self._connections.waits(self)
        else:
            self.end()

    def connection_lost(self, exc: BaseException | None) -> None:
        self._connections.drop(self)
        super().connection_lost(exc)
        self._link = None

    def data_received(self, data: bytes) -> None:
        if self._busy_since is None and self._head_since is None:
            self._head_since = self._connections.now()
        super().data_received(data)

    async def _handle_request(
        self, request: web.BaseRequest, *arguments: Any, **options: Any
    ) -> tuple[web.StreamResponse, bool]:
        # aiohttp answers each request in a task of its own, so the id is bound to this one only.
        request_ids.begin(request)
        self._busy_since, self._head_since = self._connections.now(), None
        self._given = self._taken = 0
        self._connections.works(self)
        try:
            return await super()._handle_request(request, *arguments, **options)
        finally:
            self._busy_since, self._waits_since = None, self._connections.now()
            self._connections.waits(self)

    def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> Coroutine[Any, Any, tuple[web.StreamResponse, bool]]:
        """Every answer comes by here, whoever made it, before it goes out."""
        if isinstance(resp, web.StreamResponse):  # else a handler gave none, which aiohttp answers
            mode.tell(resp, self._livemode)
            request_ids.tell(resp)
        return super().finish_response(request, resp, start_time)

    def goes_on(self, given: int) -> None:
        """The answer of now is meant to last, and has ``given`` bytes by now: it is not over its time while they are read."""
        self._busy_since, self._given = self._connections.now(), given

    def check_times(self, now: float) -> None:
        """End it if it has kept us waiting for too long."""
        limits = self._connections.limits
        if self._busy_since is not None:
            late = now - self._busy_since > limits.busy_s
        elif self._head_since is not None:
            late = now - self._head_since > limits.head_s
        else:
            late = now - self._waits_since > limits.idle_s
        if late or self._unread(now) > limits.unread_s:
            self.end()

    def end(self) -> None:
        """Close it; at once if the other side does not even read what is on its way."""
        if self._link is not None and self._link.get_write_buffer_size():
            self._link.abort()
        else:
            self.force_close()

    def _unread(self, now: float) -> float:
        """How long something has been lying here that the other side does not take."""
        left = 0 if self._link is None else self._link.get_write_buffer_size()
        taken = max(0, self._given - left)
        if not left:
            self._unread_since = None
        elif self._unread_since is None or taken > self._taken:
            self._unread_since = now
        self._taken = taken
        return 0.0 if self._unread_since is None else now - self._unread_since

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        """The answer to what could not be read (below 500), or to a mistake of ours outside of any handler.

        Raises:
            ConnectionError: an answer is on its way already.
        """
        kind = type(exc).__name__
        if status >= 500:
            _log.error("request failed", action="http", method=request.method, exc_info=exc)
        else:
            _log.info("request not understood", action="http", status=status, error=kind)
        if request.writer is not None and request.writer.output_size > 0:
            raise ConnectionError("an answer was begun; another cannot follow")
        response = problems.respond_status(status)
        response.force_close()
        return response


class _Server(web.Server):
    def __init__(self, connections: Connections, livemode: bool, check_s: float, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.connections_open = connections
        self._livemode = livemode
        self._check_s = check_s
        self._checking = self._loop.call_later(check_s, self._check)

    def __call__(self) -> web.RequestHandler:
        return Handler(self.connections_open, self._livemode, self, loop=self._loop, **self._kwargs)

    def _check(self) -> None:
        self.connections_open.check_times()
        self._checking = self._loop.call_later(self._check_s, self._check)

    async def shutdown(self, timeout: float | None = None) -> None:
        self._checking.cancel()
        await super().shutdown(timeout)


class Runner(web.AppRunner):
    """Runs an application on such connections. Bodies reach handlers as they came; `balancer.web.bodies` unpacks.

    Every ``check_s`` seconds the connections that are over their time are ended.
    """

    __slots__ = ("_check_s", "_limits", "_livemode", "_trusted")

    def __init__(self, app: web.Application, settings: Settings, check_s: float = CHECK_S, **options: Any) -> None:
        self._check_s = check_s
        self._limits = Limits.of(settings)
        self._livemode = settings.balancer.livemode
        self._trusted = Networks(settings.balancer.trusted_proxies)
        super().__init__(
            app,
            access_log_class=AccessLog,
            max_line_size=LINE_MAX,
            max_field_size=FIELD_MAX,
            max_headers=HEADERS_MAX,
            keepalive_timeout=self._limits.idle_s,
            lingering_time=self._limits.linger_s,
            auto_decompress=False,
            **options,
        )

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        loop = asyncio.get_running_loop()
        return _Server(
            Connections(self._limits, self._trusted, loop.time),
            self._livemode,
            self._check_s,
            made.request_handler,
            request_factory=made.request_factory,
            handler_cancellation=made.handler_cancellation,
            loop=loop,
            **made._kwargs,
        )


class AccessLog(AbstractAccessLogger):
    """Counts every request for `/metrics`, and writes one line per refused or failed one, with the route's pattern instead of
    its path: a path may hold a token."""

    def __init__(self, logger: logging.Logger, log_format: str) -> None:
        super().__init__(logger, log_format)

    def log(self, request: web.BaseRequest, response: web.StreamResponse, time: float) -> None:
        """``time`` is in seconds."""
        status, pattern = response.status, _pattern(request)
        if (requests := _requests_of(request)) is not None:
            requests.note(request.method, pattern, status, time)
        if status < 400 and not _access_level.isEnabledFor(logging.DEBUG):
            return
        write = _access.debug if status < 400 else _access.info if status < 500 else _access.warning
        write("request", action="http", method=request.method, path=pattern, status=status, ms=round(time * 1000, 1))

    @property
    def enabled(self) -> bool:
        return True


def _matched(request: web.BaseRequest) -> TypeGuard[web.Request]:
    """Whether a route was looked for: what could not be read was never matched with one."""
    return isinstance(request, web.Request) and getattr(request, "_match_info", None) is not None


def _requests_of(request: web.BaseRequest) -> Requests | None:
    return request.app.get(REQUESTS) if _matched(request) else None


def _pattern(request: web.BaseRequest) -> str:
    if _matched(request):
        resource = request.match_info.route.resource
        if resource is not None:
            return resource.canonical
    return UNKNOWN
