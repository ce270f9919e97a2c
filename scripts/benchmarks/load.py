"""The load generator, a process of its own: `python -m scripts.benchmarks.load`, a plan on standard input, figures on output.

Many keep-alive connections, one request in flight on each. It speaks just enough HTTP/1.1 to cost little beside the server that
it measures: requests are made before the clock starts, answers are cut by their Content-Length.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections import Counter, deque
from dataclasses import dataclass
from typing import Any

from scripts.benchmarks.rows import BenchError, percentile

TIMEOUT_S = 120.0


@dataclass(frozen=True, slots=True)
class Ask:
    """One request."""

    method: str
    path: str
    body: Any = None
    key: str | None = None

    def wire(self, host: str, api_key: str) -> bytes:
        lines = [f"{self.method} {self.path} HTTP/1.1", f"Host: {host}"]
        if api_key:
            lines.append(f"Authorization: Bearer {api_key}")
        if self.key:
            lines.append(f"Idempotency-Key: {self.key}")
        content = b""
        if self.body is not None:
            content = json.dumps(self.body, separators=(",", ":")).encode()
            lines += ["Content-Type: application/json", f"Content-Length: {len(content)}"]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


@dataclass(frozen=True, slots=True)
class Result:
    """What a run of requests took. ``sample`` is the body of the last answer of each status."""

    rate: float
    p50_ms: float
    p99_ms: float
    statuses: dict[str, int]
    sample: dict[str, str]

    def require(self, *wanted: int) -> Result:
        """This result, if every answer had one of these statuses.

        Raises:
            BenchError: another status came; its last body is in the message.
        """
        for status, count in self.statuses.items():
            if int(status) not in wanted:
                raise BenchError(f"{count} answers had status {status}: {self.sample[status]}")
        return self


class Connection(asyncio.Protocol):
    """Sends the next request when the answer to the last one is complete."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._buffer = b""
        self._needed = 0
        self._started = 0.0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport):
            self._transport = transport

    def next(self) -> None:
        if self._transport is None or not self._run.todo:
            return
        self._started = time.perf_counter()
        self._transport.write(self._run.todo.popleft())

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._needed:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            self._needed = end + 4 + content_length(self._buffer[:end])
        if len(self._buffer) >= self._needed:
            answer, self._buffer, self._needed = self._buffer, b"", 0
            self._run.answered(answer, time.perf_counter() - self._started)
            self.next()

    def connection_lost(self, error: Exception | None) -> None:
        self._run.lost(error)


def content_length(head: bytes) -> int:
    """Length of the body that follows this head; our servers always say it."""
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    raise BenchError("an answer without Content-Length")


class Run:
    """All requests of one plan over all connections."""

    def __init__(self, requests: list[bytes]) -> None:
        self.todo = deque(requests)
        self._left = len(requests)
        self._times: list[float] = []
        self._statuses: Counter[str] = Counter()
        self._sample: dict[str, str] = {}
        self._done = asyncio.get_running_loop().create_future()

    def answered(self, answer: bytes, took_s: float) -> None:
        self._times.append(took_s)
        status = answer[9:12].decode()
        if status not in self._statuses:
            self._sample[status] = answer.partition(b"\r\n\r\n")[2][:2000].decode("utf-8", "replace")
        self._statuses[status] += 1
        self._left -= 1
        if not self._left and not self._done.done():
            self._done.set_result(None)

    def lost(self, error: Exception | None) -> None:
        if not self._done.done():
            self._done.set_exception(BenchError(f"the server closed a connection: {error}"))

    async def go(self, host: str, port: int, connections: int) -> Result:
        loop = asyncio.get_running_loop()
        opened = [await loop.create_connection(lambda: Connection(self), host, port) for _ in range(connections)]
        started = time.perf_counter()
        for _, connection in opened:
            connection.next()
        async with asyncio.timeout(TIMEOUT_S):
            await self._done
        seconds = time.perf_counter() - started
        for transport, _ in opened:
            transport.close()
        return Result(
            rate=len(self._times) / seconds,
            p50_ms=percentile(self._times, 0.5) * 1000,
            p99_ms=percentile(self._times, 0.99) * 1000,
            statuses=dict(self._statuses),
            sample=self._sample,
        )


async def run(plan: dict[str, Any]) -> Result:
    host, port = plan["host"], plan["port"]
    asks = [Ask(**row).wire(f"{host}:{port}", plan["api_key"]) for row in plan["asks"]]
    return await Run(asks * plan["repeat"]).go(host, port, plan["connections"])


def fire(url: str, asks: list[Ask], *, connections: int = 64, repeat: int = 1, api_key: str = "") -> Result:
    """Run these requests from a process of their own.

    Raises:
        BenchError: the generator failed, or a connection broke.
    """
    host, _, port = url.removeprefix("http://").partition(":")
    rows = [{"method": ask.method, "path": ask.path, "body": ask.body, "key": ask.key} for ask in asks]
    plan = {"host": host, "port": int(port), "api_key": api_key, "connections": connections, "repeat": repeat, "asks": rows}
    done = subprocess.run(
        [sys.executable, "-P", "-m", "scripts.benchmarks.load"],
        input=json.dumps(plan),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S + 30,
        check=False,
    )
    if done.returncode:
        raise BenchError(f"the load generator failed: {done.stderr[-1500:]}")
    return Result(**json.loads(done.stdout))


def main() -> int:
    result = asyncio.run(run(json.load(sys.stdin)))
    print(json.dumps({name: getattr(result, name) for name in Result.__slots__}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
