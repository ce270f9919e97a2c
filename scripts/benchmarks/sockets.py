"""Many sockets that only listen, cheap enough not to be what is measured: frames are cut by hand.

Nothing here is for other than our own servers: frames come whole, unmasked and shorter than 64 KiB, as RFC 6455 has them.
"""

from __future__ import annotations

import asyncio
import base64
import os
import re
import struct
import time
from collections.abc import Callable
from urllib.parse import urlsplit

from scripts.benchmarks.rows import BenchError

TEXT, CLOSE, PING = 1, 8, 9
NUMBER = re.compile(rb'"seq":\s*(\d+)')
PATIENCE_S = 120.0
Heard = Callable[[int, float, bytes], object]
"""Called with the number of a message, when it came, and its text."""


class Socket(asyncio.Protocol):
    def __init__(self, address: str, first: bytes, heard: Heard) -> None:
        self._where, self._first, self._heard = urlsplit(address), first, heard
        self._left, self._open = b"", False
        self._transport: asyncio.Transport | None = None
        loop = asyncio.get_running_loop()
        self.there: asyncio.Future[None] = loop.create_future()
        self.ended: asyncio.Future[None] = loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        lines = [
            "GET /live HTTP/1.1",
            f"Host: {self._where.netloc}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Origin: {self._where.scheme}://{self._where.netloc}",
            f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Protocol: site.v1",
        ]
        transport.write(("\r\n".join(lines) + "\r\n\r\n").encode())

    def data_received(self, data: bytes) -> None:
        at, self._left = time.monotonic(), self._left + data
        if not self._open:
            head, found, rest = self._left.partition(b"\r\n\r\n")
            if not found:
                return
            if not head.startswith(b"HTTP/1.1 101"):
                self._fail(f"no socket: {head[:100]!r}")
                return
            self._open, self._left = True, rest
            self._write(TEXT, self._first)
        while (frame := self._frame()) is not None:
            self._take(*frame, at)

    def _frame(self) -> tuple[int, bytes] | None:
        if len(self._left) < 4:
            return None
        size, start = self._left[1] & 127, 2
        if size == 126:
            size, start = struct.unpack_from("!H", self._left, 2)[0], 4
        if len(self._left) < start + size:
            return None
        kind, text = self._left[0] & 15, self._left[start : start + size]
        self._left = self._left[start + size :]
        return kind, text

    def _take(self, kind: int, text: bytes, at: float) -> None:
        if kind == PING:
            self._write(10, text)
        elif kind == TEXT and b'"is"' in text[:200] and b'"kind"' not in text:
            if not self.there.done():
                self.there.set_result(None)
        elif kind == TEXT and (found := NUMBER.search(text)):
            self._heard(int(found[1]), at, text)

    def _write(self, kind: int, text: bytes) -> None:
        """Masked, as a browser's frames are; with zeros, which change nothing."""
        assert len(text) < 126 and self._transport is not None
        self._transport.write(bytes([128 | kind, 128 | len(text)]) + bytes(4) + text)

    def _fail(self, why: str) -> None:
        if not self.there.done():
            self.there.set_exception(BenchError(why))

    def connection_lost(self, error: Exception | None) -> None:
        self._fail(f"a socket was closed: {error}")
        if not self.ended.done():
            self.ended.set_result(None)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()


async def connect(address: str, first: bytes, heard: Heard) -> Socket:
    """A socket that has been told `first` and has had its answer. Raises BenchError, OSError."""
    where = urlsplit(address)
    made = Socket(address, first, heard)
    await asyncio.get_running_loop().create_connection(lambda: made, where.hostname or "", where.port or 0)
    async with asyncio.timeout(PATIENCE_S):
        await made.there
    return made
