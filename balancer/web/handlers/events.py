"""The numbered feed: `GET /events` in pages, `GET /events/stream` as server-sent events."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from aiohttp import web

from balancer.context import Context
from balancer.journal import events
from balancer.journal.tail import Line, Tail
from balancer.trades.requests import Caller
from balancer.web import api, mode, rates, request_ids
from balancer.web.schemas import answers, requests
from balancer.web.server import Handler
from shared import log
from shared.errors import DatabaseUnavailable, FleetError, RateLimited
from shared.sections import ListeningSettings

LAST_EVENT_ID = "Last-Event-ID"
STREAM_HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",  # nginx would keep events back until a buffer is full
}
RETRY_MS = 1000
AGAIN_S = 0.5  # while the database does not answer
LOST_HEARTBEATS = 2

TAIL: web.AppKey[Tail] = web.AppKey("tail", Tail)

_log = log.get(__name__)


@api.operation(scope="read", answers={200: answers.Events})
async def find(request: web.Request, ctx: Context, query: requests.EventsQuery) -> web.Response:
    """What happened after event `after`, in order.

    A number never appears once a higher one has been given out, so reading on from `next` misses nothing. With `wait` the
    answer waits that long for a first event. With `kind` the events between are left out, and `next` passes over them: read on
    as long as it grows.
    """
    if query.limit > (most := ctx.settings.balancer.events_page):
        raise api.invalid_field("query.limit", f"Send at most {most}.", "less_than_equal")
    until = ctx.clock.monotonic() + min(query.wait, ctx.settings.balancer.wait_max_s)
    livemode = ctx.settings.balancer.livemode
    views = await ctx.db.read(events.behind, query.after, query.limit, livemode)
    if not views and ctx.clock.monotonic() < until:
        tail = request.app[TAIL]
        with tail.listening():
            await tail.read(query.after, until - ctx.clock.monotonic())
        views = await ctx.db.read(events.behind, query.after, query.limit, livemode)
    following = views[-1].number if views else query.after
    return api.answer(answers.Events([view for view in views if not query.kind or view.kind in query.kind], following))


class Streams:
    """How many streams are open, in all and by client."""

    def __init__(self) -> None:
        self._open: Counter[str] = Counter()

    @property
    def open(self) -> int:
        return self._open.total()

    @contextmanager
    def opened(self, client_id: str, limits: ListeningSettings) -> Iterator[None]:
        """One more, inside of this block.

        Raises:
            RateLimited: ``too_many_streams``.
        """
        if self._open[client_id] >= limits.streams_per_client_max or self.open >= limits.streams_max:
            raise RateLimited(
                "Too many event streams are open. Close one, or read GET /events.", code="too_many_streams", retry_after_s=5
            )
        self._open[client_id] += 1
        try:
            yield
        finally:
            self._open[client_id] -= 1
            if not self._open[client_id]:
                del self._open[client_id]


STREAMS: web.AppKey[Streams] = web.AppKey("streams", Streams)


@api.operation(
    scope="read",
    answers={200: answers.EventStream},
    errors=((RateLimited, "too_many_streams"),),
    content="text/event-stream",
    lasting=True,
)
async def stream(request: web.Request, ctx: Context, caller: Caller, query: requests.StreamQuery) -> web.StreamResponse:
    """The same events as they happen, as server-sent events: `id` is the number, `data` the event as in `GET /events`.

    It begins behind the header `Last-Event-ID`, or else behind `after`, and misses nothing. Now and then a comment comes with
    the number that has been read up to. It may end at any time (a balancer stops, an hour has passed): connect again, at any
    balancer, with the last `id`. Clients for server-sent events do so by themselves.
    """
    after = _after(request, query)
    with request.app[STREAMS].opened(caller.client_id, ctx.settings.listening), request.app[TAIL].listening():
        livemode = {mode.HEADER: mode.text(ctx.settings.balancer.livemode)}
        response = web.StreamResponse(
            headers={**STREAM_HEADERS, **livemode, **request_ids.headers(), **rates.headers(request.get(rates.STATES, ()))}
        )
        response.force_close()
        await response.prepare(request)
        listener = _Listener(request, ctx, response, after, frozenset(query.kind))
        try:
            await listener.follow()
        except ConnectionError:  # the other side is gone, or did not take what was sent
            _log.info("listener gone", action="stream", client=caller.name, number=listener.at)
    return response


def _after(request: web.Request, query: requests.StreamQuery) -> int:
    header = request.headers.get(LAST_EVENT_ID)
    if header is None:
        return query.after
    if not (header.isascii() and header.isdigit() and len(header) <= requests.NUMBER_DIGITS_MAX):
        raise api.invalid_field(f"header.{LAST_EVENT_ID}", "Send the id of the last event, in digits.", "pattern")
    return int(header)


class _Listener:
    """One open stream; ``at`` is the number up to which it was sent everything."""

    def __init__(
        self, request: web.Request, ctx: Context, response: web.StreamResponse, at: int, kinds: frozenset[str]
    ) -> None:
        self._request = request
        self._ctx = ctx
        self._response = response
        self._tail = request.app[TAIL]
        self._kinds = kinds
        self.at = at

    async def follow(self) -> None:
        """Send what comes until it is time to end.

        Raises:
            ConnectionError.
        """
        limits, loop = self._ctx.settings.listening, asyncio.get_running_loop()
        ends_at, beats_at = loop.time() + limits.stream_life_s, loop.time()
        await self._send(f"retry: {RETRY_MS}\n".encode())
        while not self._ctx.changes.ended and (now := loop.time()) < ends_at:
            if now >= beats_at:
                if not await self._beat(LOST_HEARTBEATS * limits.heartbeat_s):
                    break
                beats_at = now + limits.heartbeat_s
            try:
                page = await self._tail.read(self.at, min(beats_at, ends_at) - loop.time())
            except DatabaseUnavailable:
                await asyncio.sleep(AGAIN_S)
                continue
            if wanted := b"".join(_as_sent(page.lines, self._kinds)):
                await self._send(wanted)
                beats_at = loop.time() + limits.heartbeat_s
            self.at = page.next
        await self._send(b": end; connect again\n\n")
        await self._response.write_eof()

    async def _beat(self, silent_max_s: float) -> bool:
        """Say that there is no more up to here. False: the key is no longer good, or the feed cannot be read."""
        try:
            await api.caller_of(self._request, "read")
        except DatabaseUnavailable:
            pass
        except FleetError:
            return False
        if self._tail.age_s < silent_max_s:
            await self._send(f": {self.at}\nid: {self.at}\n\n".encode())
        return self._tail.age_s < silent_max_s

    async def _send(self, text: bytes) -> None:
        """Give it to the connection, which takes it unless much was not read yet."""
        connection = self._request.protocol
        await self._response.write(text)
        if isinstance(connection, Handler) and self._request.writer is not None:
            connection.goes_on(self._request.writer.output_size)


def _as_sent(lines: Iterable[Line], kinds: frozenset[str]) -> Iterator[bytes]:
    for line in lines:
        if not kinds or line.kind in kinds:
            yield b"id: %d\ndata: %b\n\n" % (line.number, line.body)
