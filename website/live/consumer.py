"""`GET /live`: one socket of a browser, subprotocol `site.v1`. It only tells; what players do are requests of HTTP.

`website/docs/live.md` describes what is said in both directions.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections import deque
from collections.abc import Mapping, Sequence
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import urlsplit

from channels.consumer import AsyncConsumer
from channels.exceptions import StopConsumer
from django.conf import settings
from django.http.request import split_domain_port, validate_host

from website.accounts import sessions
from website.accounts.models import PlayerSession
from website.engine.clock import wall_ms
from website.live import frames
from website.live.doors import FullError, Pace
from website.live.hub import Hub, UnavailableError, hub, resync

PATH = "/live"
PROTOCOL = "site.v1"
CHANNELS_MAX = 32
WAITING_MAX = 256
STRANGE, TOO_SLOW, SIGNED_OUT, TOO_MANY_CHANNELS = 1008, 4000, 4001, 4003


class Outbox:
    """What waits to be sent on one socket. Whoever puts something in never waits; whoever is too slow gets nothing more."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[Sequence[str], int]] = deque()
        self._count = 0
        self._some = asyncio.Event()
        self.closing: int | None = None

    def offer(self, texts: Sequence[str]) -> None:
        self._put(texts, len(texts))

    def begin_again(self, text: str) -> None:
        self.offer([text])

    def catch_up(self, texts: Sequence[str]) -> None:
        """What was asked for by its number counts as one: it lies in memory for everybody, however much it is."""
        self._put(texts, 1)

    def _put(self, texts: Sequence[str], count: int) -> None:
        if self.closing is not None:
            return
        if self._count >= WAITING_MAX:
            self.close(TOO_SLOW)
            return
        self._waiting.append((texts, count))
        self._count += count
        self._some.set()

    def close(self, code: int) -> None:
        """What waits is not sent any more: the browser comes back and asks for it by its number."""
        if self.closing is None:
            self.closing = code
            self._waiting.clear()
            self._some.set()

    async def take(self) -> Sequence[str] | None:
        """The next texts, in order; None when the socket is to be closed."""
        while not self._waiting and self.closing is None:
            self._some.clear()
            await self._some.wait()
        if self.closing is not None:
            return None
        texts, count = self._waiting.popleft()
        self._count -= count
        return texts


class Live(AsyncConsumer):  # type: ignore[misc]
    """One socket, from the handshake to its end."""

    outbox: Outbox
    hub: Hub
    session: PlayerSession | None = None

    def __init__(self) -> None:
        self.outbox = Outbox()
        self.watched: set[str] = set()
        self.pace = Pace()
        self.held = contextlib.ExitStack()
        self.writer: asyncio.Task[None] | None = None

    async def dispatch(self, message: dict[str, Any]) -> None:
        """Channels would look after connections of the database here; this one has none."""
        await getattr(self, message["type"].replace(".", "_"))(message)

    # ---- the handshake

    async def websocket_connect(self, _: Any) -> None:
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in self.scope["headers"]}
        if self.scope["path"] != PATH:
            await self._refuse(404, "Nothing is here.")
        elif not same_site(headers.get("origin", ""), headers.get("host", "")):
            await self._refuse(403, "Pages of other sites may not look here.")
        elif PROTOCOL not in self.scope["subprotocols"]:
            await self._refuse(400, f"This speaks {PROTOCOL} only.")
        else:
            await self._enter(headers.get("cookie", ""))

    async def _enter(self, cookies: str) -> None:
        self.hub = hub()
        try:
            self.session = await self._signed_in(cookies)
            self.held.enter_context(self.hub.doors.entered(self._address(), self._user_id()))
        except UnavailableError:
            await self._refuse(503, "The database does not answer.", retry_s=5)
            return
        except FullError as full:
            await self._refuse(429, "Too many sockets.", retry_s=full.retry_s)
            return
        ended = None if self.session is None else self.session.id
        self.held.enter_context(self.hub.told_of_end(ended, lambda: self.outbox.close(SIGNED_OUT)))
        await self.send({"type": "websocket.accept", "subprotocol": PROTOCOL})
        self.writer = asyncio.create_task(self._write(), name="live writer")

    async def _signed_in(self, cookies: str) -> PlayerSession | None:
        key = cookie(cookies, sessions.COOKIE)
        return None if not key else await self.hub.ask(sessions.find, key, wall_ms())

    def _address(self) -> str:
        client = self.scope.get("client")
        return str(client[0]) if client else ""

    def _user_id(self) -> int | None:
        return None if self.session is None else self.session.player_id

    async def _refuse(self, status: int, text: str, retry_s: int | None = None) -> None:
        """Answers the handshake with an error of HTTP."""
        headers = [(b"content-type", b"text/plain; charset=utf-8")]
        if retry_s is not None:
            headers.append((b"retry-after", str(retry_s).encode()))
        with contextlib.suppress(OSError, RuntimeError):
            await self.send({"type": "websocket.http.response.start", "status": status, "headers": headers})
            await self.send({"type": "websocket.http.response.body", "body": text.encode()})

    # ---- what comes in

    async def websocket_receive(self, message: Mapping[str, Any]) -> None:
        if self.outbox.closing is not None:
            return
        try:
            said = frames.parse(message.get("text"))
        except frames.StrangeError:
            self.outbox.close(STRANGE)
            return
        if not self.pace.allows(time.monotonic()):
            self.outbox.close(STRANGE)
            return
        match said:
            case frames.Sub():
                await self._sub(said)
            case frames.Unsub(channel):
                self.hub.leave(self.outbox, channel)
                self.watched.discard(channel)
            case frames.Ping(t):
                self._say({"is": "pong", "t": t, "server_ms": wall_ms()})
            case frames.Unknown(op):
                self._say({"is": "error", "why": "unknown_op", "op": op})

    async def _sub(self, said: frames.Sub) -> None:
        name = said.channel
        if name.startswith("user:") and name != f"user:{self._user_id()}":
            self._say({"ch": name, "is": "refused"})
            return
        if name not in self.watched and len(self.watched) >= CHANNELS_MAX:
            self.outbox.close(TOO_MANY_CHANNELS)
            return
        self.hub.leave(self.outbox, name)  # asked for again: what it watched so far ends here
        try:
            joined = await self.hub.join(self.outbox, name, said.after)
        except UnavailableError:
            self._say({"ch": name, "is": "later"})
            return
        if joined is None:
            self._say({"ch": name, "is": "unknown"})
            return
        if joined.missing is None:
            self.watched.discard(name)
            self.outbox.offer([resync(name, joined.seq)])
            return
        self.watched.add(name)
        first = json.dumps({"ch": name, "is": "sub", "seq": joined.seq, "sent": len(joined.missing)}, separators=(",", ":"))
        self.outbox.catch_up((first, *joined.missing))

    def _say(self, said: Mapping[str, Any]) -> None:
        self.outbox.offer([json.dumps(said, separators=(",", ":"))])

    # ---- what goes out

    async def _write(self) -> None:
        """The only one who sends on this socket; it alone waits for a browser that reads slowly."""
        with contextlib.suppress(OSError, RuntimeError):  # the socket is gone
            while (texts := await self.outbox.take()) is not None:
                for text in texts:
                    await self.send({"type": "websocket.send", "text": text})
            self._leave()
            await self.send({"type": "websocket.close", "code": self.outbox.closing})

    def _leave(self) -> None:
        for name in self.watched:
            self.hub.leave(self.outbox, name)
        self.watched.clear()

    async def websocket_disconnect(self, _: Any) -> None:
        self.outbox.close(STRANGE)  # nobody reads it any more
        if self.writer is not None:
            self.writer.cancel()
            self._leave()
        self.held.close()
        raise StopConsumer


def same_site(origin: str, host: str) -> bool:
    """Whether a page of this site opened the socket: browsers say from where a script comes, and send cookies everywhere."""
    if not origin or origin == "null":
        return False
    domain, _ = split_domain_port(host)
    allowed = settings.ALLOWED_HOSTS or (["localhost", "127.0.0.1", "[::1]"] if settings.DEBUG else [])
    if not domain or not validate_host(domain, allowed):
        return False
    parts = urlsplit(origin)
    return parts.scheme in ("http", "https") and parts.netloc.lower() == host.lower()


def cookie(header: str, name: str) -> str:
    """One cookie of a request; "" when there is none or the header is no list of cookies."""
    try:
        found = SimpleCookie(header).get(name)
    except CookieError:
        return ""
    return "" if found is None else found.value
