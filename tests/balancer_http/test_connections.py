"""Connections that keep us waiting: with nothing, with half a head, with a body that does not come, with an answer unread."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from balancer_http.harness import ONE_DATABASE, Service

from balancer.web.addresses import Networks
from balancer.web.connections import Connections, Limits
from shared.settings import Settings

PATIENCE_S = 120
HEAD = b"GET /healthz HTTP/1.1\r\nHost: fleet\r\n"
FORM = b"POST /verify HTTP/1.1\r\nHost: fleet\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 40\r\n\r\n"


def short(name: str) -> pytest.MarkDecorator:
    """Only this time is short, so that a slow machine misses no other."""
    return pytest.mark.parametrize("short_time", [name])


@pytest.fixture
def short_time() -> str:
    return ""


@pytest.fixture
def settings(settings: Settings, short_time: str) -> Settings:
    """Long times but one, and few connections."""
    times = {name: 0.3 if name == short_time else 300.0 for name in ("head_s", "body_s", "unread_s", "idle_s")}
    http = settings.http.model_copy(update={**times, "linger_s": 0.3, "connections_max": 400})
    return settings.model_copy(update={"http": http})


@pytest.fixture
def check_s() -> float:
    return 0.05


def open_connections(service: Service) -> int:
    runner: Any = service.client.server.runner
    return len(runner.server.connections_open)


Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Connect = Callable[..., Awaitable[Stream]]


@pytest.fixture
async def connected(service: Service) -> AsyncIterator[Connect]:
    """Opens connections, and closes them in the end."""
    url = service.client.make_url("/")
    writers = []

    async def connect(first: bytes = b"") -> Stream:
        reader, writer = await asyncio.open_connection(url.host, url.port)
        writers.append(writer)
        writer.write(first)
        return reader, writer

    yield connect
    for writer in writers:
        writer.close()
    await asyncio.gather(*(writer.wait_closed() for writer in writers), return_exceptions=True)


async def ended(reader: asyncio.StreamReader) -> bytes:
    """All that comes until the other side closes."""
    async with asyncio.timeout(PATIENCE_S):
        try:
            return await reader.read()
        except ConnectionResetError:
            return b""


@short("head_s")
@ONE_DATABASE
@pytest.mark.parametrize("first", [b"", b"G", HEAD, HEAD + b"X-Long: " + b"x" * 2000])
async def test_four_hundred_that_send_no_request_are_closed(service: Service, connected: Connect, first: bytes) -> None:
    all_ = [await connected(first) for _ in range(400)]
    assert await asyncio.gather(*(ended(reader) for reader, _ in all_)) == [b""] * 400
    assert (await service.client.get("/healthz")).status == 200


@short("head_s")
@ONE_DATABASE
async def test_half_a_head_on_a_connection_that_was_used_before(connected: Connect) -> None:
    reader, writer = await connected(HEAD + b"\r\n")
    assert b"200 OK" in await reader.readuntil(b"\r\n")
    writer.write(HEAD)
    assert b'{"status":"ok","livemode":true}' in await ended(reader)


@short("head_s")
@ONE_DATABASE
async def test_a_head_that_trickles_in_has_no_longer(connected: Connect) -> None:
    reader, writer = await connected(HEAD + b"X-Long: ")

    async def trickle() -> None:
        while True:
            writer.write(b"x")
            await asyncio.sleep(0.02)

    trickling = asyncio.create_task(trickle())
    assert await ended(reader) == b""
    trickling.cancel()


@short("body_s")
@ONE_DATABASE
@pytest.mark.parametrize("more", [b"", b"token="])
async def test_forms_without_their_bodies_are_answered_and_closed(connected: Connect, more: bytes) -> None:
    all_ = [await connected(FORM + more) for _ in range(100)]
    for text in await asyncio.gather(*(ended(reader) for reader, _ in all_)):
        assert text.startswith(b"HTTP/1.1 408 ")


@short("body_s")
@ONE_DATABASE
async def test_a_json_body_that_does_not_come(service: Service, connected: Connect) -> None:
    lines = [
        b"POST /trade HTTP/1.1",
        b"Host: fleet",
        b"Authorization: Bearer " + service.keys["site"].encode(),
        b"Content-Type: application/json",
        b"Content-Length: 100",
    ]
    reader, _ = await connected(b"\r\n".join(lines) + b'\r\n\r\n{"trade_ids":')
    assert (await ended(reader)).startswith(b"HTTP/1.1 408 ")


@short("unread_s")
@ONE_DATABASE
async def test_an_answer_that_nobody_reads_is_cut_off(service: Service) -> None:
    """The largest answers there are, and a socket with a small buffer from which nothing is taken."""
    url = service.client.make_url("/")
    before = open_connections(service)
    with socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.connect((url.host, url.port))
        slow.setblocking(False)
        await asyncio.get_running_loop().sock_sendall(slow, b"GET /openapi.json HTTP/1.1\r\nHost: fleet\r\n\r\n" * 200)
        async with asyncio.timeout(PATIENCE_S):
            while open_connections(service) <= before:  # it has to be there first
                await asyncio.sleep(0.01)
            while open_connections(service) > before:
                await asyncio.sleep(0.01)


@ONE_DATABASE
async def test_when_all_are_taken_the_one_that_waited_longest_makes_room(service: Service, connected: Connect) -> None:
    idle = [await connected(HEAD + b"\r\n") for _ in range(398)]
    for reader, _ in idle:
        assert b"200 OK" in await reader.readuntil(b"\r\n")
        await reader.readuntil(b'{"status":"ok","livemode":true}')
    newcomers = [await connected(HEAD + b"\r\n") for _ in range(5)]
    for reader, _ in newcomers:
        assert b"200 OK" in await reader.readuntil(b"\r\n")
    assert open_connections(service) <= 400
    assert await ended(idle[0][0]) == b""


def counted(per_address: int, in_all: int, trusted: tuple[str, ...] = ()) -> Connections:
    limits = Limits(head_s=1, idle_s=1, busy_s=1, unread_s=1, linger_s=1, in_all=in_all, per_address=per_address)
    return Connections(limits, Networks(trusted), lambda: 0.0)


class One:
    def __init__(self) -> None:
        self.open = True

    def end(self) -> None:
        self.open = False


def admitted(connections: Connections, peer: str, *, busy: bool = False) -> One | None:
    one: Any = One()
    if not connections.admit(one, peer):
        return None
    if not busy:
        connections.waits(one)
    return one  # type: ignore[no-any-return]


def test_one_address_cannot_take_all_connections() -> None:
    connections = counted(3, 100)
    mine = [admitted(connections, f"2001:db8::{number}") for number in range(5)]
    assert [one is not None and one.open for one in mine] == [False, False, True, True, True]
    assert admitted(connections, "2001:db8:0:1::1") is not None
    assert len(connections) == 4


def test_busy_connections_make_no_room() -> None:
    connections = counted(2, 3)
    busy = [admitted(connections, "192.0.2.1", busy=True) for _ in range(2)]
    assert admitted(connections, "192.0.2.1") is None
    waiting = admitted(connections, "192.0.2.2")
    assert waiting is not None
    assert admitted(connections, "192.0.2.3", busy=True) is not None
    assert not waiting.open
    assert admitted(connections, "192.0.2.4") is None
    assert all(one is not None and one.open for one in busy)
    for one in busy:
        connections.drop(one)  # type: ignore[arg-type]
        connections.drop(one)  # type: ignore[arg-type]
    assert len(connections) == 1
    assert admitted(connections, "192.0.2.1") is not None


def test_a_trusted_proxy_may_have_as_many_as_there_are() -> None:
    connections = counted(2, 10, ("10.0.0.0/8",))
    assert all(admitted(connections, "10.1.2.3", busy=True) for _ in range(10))
    assert admitted(connections, "::ffff:10.1.2.3", busy=True) is None
