"""aiohttp's server with our own answer to what is no HTTP, and with an end to every connection that keeps us waiting.

aiohttp waits for ever for the rest of a request's head, and for a reader who does not read. Here each connection is always in
one of two states, *waiting* (for a request) or *busy* (with one), and has a limit of time in both (`[http]`). All of them are
looked at once a second, so a limit costs no timer of its own. When there are too many, from one address or in all, the one
that has waited longest makes room; a busy one never does.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from balancer.web import problems
from balancer.web.addresses import Networks
from shared import log
from shared.settings import Settings

# 400 ids of trades and offers fit into an address; headers hold a key and little else.
LINE_MAX = 64 * 1024
FIELD_MAX = 8 * 1024
HEADERS_MAX = 64
LOOK_S = 1.0

_log = log.get(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds and counts for connections.

    ``head_s``: from its first byte (or from the connection on) until a request's head is whole. ``idle_s``: between two
    requests. ``busy_s``: from a whole head until the answer is out. ``unread_s``: how long an answer may lie unread.
    """

    head_s: float
    idle_s: float
    busy_s: float
    unread_s: float
    linger_s: float
    in_all: int
    per_address: int

    @classmethod
    def of(cls, settings: Settings) -> Limits:
        http = settings.http
        return cls(
            head_s=http.head_s,
            idle_s=http.idle_s,
            busy_s=settings.balancer.request_max_s + http.unread_s,
            unread_s=http.unread_s,
            linger_s=http.linger_s,
            in_all=http.connections_max,
            per_address=http.connections_per_address_max,
        )


class Connections:
    """All open connections of this process, by address; those that wait for a request in the order in which they began to."""

    def __init__(self, limits: Limits, trusted: Networks, now: Callable[[], float]) -> None:
        self.limits = limits
        self._trusted = trusted
        self.now = now
        self._all: dict[Protocol, str | None] = {}
        self._counts: dict[str, int] = defaultdict(int)
        self._waiting: OrderedDict[Protocol, None] = OrderedDict()
        self._waiting_at: dict[str, OrderedDict[Protocol, None]] = {}
        self._refused = 0

    def __len__(self) -> int:
        return len(self._all)

    def admit(self, newcomer: Protocol, peer: str | None) -> bool:
        """Count this connection; if there are too many, the one that waited longest is closed for it. False: no room.

        A trusted proxy's connections are its clients', so they count in all only.
        """
        address = None if peer is None else self._trusted.counted(peer)
        if address is not None and self._counts.get(address, 0) >= self.limits.per_address:
            room = self._make_room(self._waiting_at.get(address))
        else:
            room = len(self._all) < self.limits.in_all or self._make_room(self._waiting)
        if not room:
            self._refused += 1
            return False
        self._all[newcomer] = address
        if address is not None:
            self._counts[address] += 1
        return True

    def waits(self, one: Protocol) -> None:
        """It has no request now."""
        if one in self._all:
            self._waiting[one] = None
            if (address := self._all[one]) is not None:
                self._waiting_at.setdefault(address, OrderedDict())[one] = None

    def works(self, one: Protocol) -> None:
        """It has a request."""
        self._waiting.pop(one, None)
        address = self._all.get(one)
        if address is not None and (here := self._waiting_at.get(address)) is not None:
            here.pop(one, None)
            if not here:
                del self._waiting_at[address]

    def drop(self, one: Protocol) -> None:
        """It is gone, or about to go. Harmless when called again."""
        self.works(one)
        address = self._all.pop(one, None)
        if address is not None:
            self._counts[address] -= 1
            if not self._counts[address]:
                del self._counts[address]

    def look(self) -> None:
        """End what is over its time, and say how many had to be turned away meanwhile."""
        now = self.now()
        if self._refused:
            _log.warning("connections refused", action="http", reason="too many", count=self._refused, open=len(self._all))
            self._refused = 0
        for one in list(self._all):
            one.look(now)

    def _make_room(self, waiting: OrderedDict[Protocol, None] | None) -> bool:
        if not waiting:
            return False
        longest = next(iter(waiting))
        self.drop(longest)
        longest.end()
        return True


class Protocol(RequestHandler):
    """One connection."""

    __slots__ = ("_busy_since", "_connections", "_head_since", "_link", "_unread_since", "_waits_since")

    def __init__(self, connections: Connections, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._connections = connections
        self._link: asyncio.Transport | None = None
        self._waits_since = 0.0
        self._head_since: float | None = None
        self._busy_since: float | None = None
        self._unread_since: float | None = None

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

    async def _handle_request(self, *arguments: Any, **options: Any) -> tuple[web.StreamResponse, bool]:
        self._busy_since, self._head_since = self._connections.now(), None
        self._connections.works(self)
        try:
            return await super()._handle_request(*arguments, **options)
        finally:
            self._busy_since, self._waits_since = None, self._connections.now()
            self._connections.waits(self)

    def look(self, now: float) -> None:
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
        if self._link is None or not self._link.get_write_buffer_size():
            self._unread_since = None
        elif self._unread_since is None:
            self._unread_since = now
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
    def __init__(self, connections: Connections, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._open = connections
        self._looking = self._loop.call_later(LOOK_S, self._look)

    def __call__(self) -> RequestHandler:
        return Protocol(self._open, self, loop=self._loop, **self._kwargs)

    def _look(self) -> None:
        self._open.look()
        self._looking = self._loop.call_later(LOOK_S, self._look)

    async def shutdown(self, timeout: float | None = None) -> None:
        self._looking.cancel()
        await super().shutdown(timeout)


class Runner(web.AppRunner):
    """Runs an application on such connections. Bodies reach handlers as they came; `balancer.web.bodies` unpacks."""

    __slots__ = ("_limits", "_trusted")

    def __init__(self, app: web.Application, settings: Settings, **options: Any) -> None:
        self._limits = Limits.of(settings)
        self._trusted = Networks(settings.balancer.trusted_proxies)
        super().__init__(
            app,
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
            made.request_handler,
            request_factory=made.request_factory,
            handler_cancellation=made.handler_cancellation,
            loop=loop,
            **made._kwargs,
        )
