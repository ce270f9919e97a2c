"""Counts round trips to Redis: a proxy between a program and the server that reads what both say.

A round trip begins when a client speaks after everything it asked before was answered; a pipeline is one, however many commands
it holds and in however many pieces it comes.
"""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote, unquote, urlsplit

CHUNK = 65536


class RoundTrips:
    """The proxy, in a thread of its own. Use as a context manager; ``url`` is for the program that is to be counted."""

    def __init__(self, redis_url: str, socket_path: Path) -> None:
        self.url = f"unix://{quote(str(socket_path))}?db=0"
        self.counts: Counter[str] = Counter()
        self._server = urlsplit(redis_url)
        self._path = socket_path
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait(10)
        return self

    def __exit__(self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def snapshot(self) -> Counter[str]:
        """Round trips so far, by the first command of each."""
        return Counter(self.counts)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_unix_server(self._serve, str(self._path)))
        self._ready.set()
        self._loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._server.scheme == "unix":
            return await asyncio.open_unix_connection(unquote(self._server.path))
        return await asyncio.open_connection(self._server.hostname, self._server.port or 6379)

    async def _serve(self, from_client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        from_server, to_server = await self._connect()
        talk = Talk(self.counts)
        back = asyncio.ensure_future(_copy(from_server, to_client, talk))
        try:
            while data := await from_client.read(CHUNK):
                talk.asked(data)
                to_server.write(data)
                await to_server.drain()
        except (ConnectionError, asyncio.CancelledError):
            return
        finally:
            back.cancel()
            to_server.close()
            to_client.close()


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter, talk: Talk) -> None:
    try:
        while data := await source.read(CHUNK):
            talk.answered(data)
            target.write(data)
            await target.drain()
    except ConnectionError:
        return
    finally:
        target.close()


class Talk:
    """What one connection has asked and not been answered yet."""

    def __init__(self, counts: Counter[str]) -> None:
        self._counts = counts
        self._questions = Messages()
        self._answers = Messages()
        self._open = 0
        self._in_transaction = False

    def asked(self, data: bytes) -> None:
        for question in self._questions.feed(data):
            name = command(question)
            # A client sends MULTI … EXEC without waiting, even if the server has answered its beginning already.
            if not self._open and not self._in_transaction:
                self._counts[name] += 1
            self._in_transaction = name == "MULTI" or (self._in_transaction and name != "EXEC")
            self._open += 1

    def answered(self, data: bytes) -> None:
        for answer in self._answers.feed(data):
            if not answer.startswith(b">"):  # a push, which nobody asked for
                self._open -= 1


class Messages:
    """Cuts a stream of the Redis protocol into whole messages."""

    def __init__(self) -> None:
        self._buffer = b""

    def feed(self, data: bytes) -> list[bytes]:
        """The messages that are complete by now."""
        self._buffer += data
        found, start = [], 0
        while (end := message_end(self._buffer, start)) > 0:
            found.append(self._buffer[start:end])
            start = end
        self._buffer = self._buffer[start:]
        return found


def message_end(data: bytes, start: int) -> int:
    """Where the message that begins at ``start`` ends; -1 while it is not complete."""
    line_end = data.find(b"\r\n", start)
    if line_end < 0:
        return -1
    kind, end = data[start : start + 1], line_end + 2
    if kind in b"+-:_#,(":
        return end
    count = int(data[start + 1 : line_end])
    if kind in b"$=!":
        end += max(0, count + 2) if count >= 0 else 0
        return end if end <= len(data) else -1
    for _ in range(2 * count if kind == b"%" else count):
        end = message_end(data, end)
        if end < 0:
            return -1
    return end


def command(message: bytes) -> str:
    """The name of the command in a message, in capitals."""
    parts = message.split(b"\r\n", 3)
    return parts[2].decode("ascii", "replace").upper() if len(parts) > 3 else "?"
