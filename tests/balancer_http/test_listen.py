"""The listening sockets of balancers that share a port, and how one of them leaves (on Linux, which can steer)."""

from __future__ import annotations

import asyncio
import resource
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from aiohttp import web

from balancer.web.listen import TEND_S, Listener
from scripts.lab.parts import free_port

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


@asynccontextmanager
async def opened(
    name: str, port: int, *, share: bool = True, host: str = "127.0.0.1", tend_s: float = TEND_S
) -> AsyncIterator[Listener]:
    """A listener with a server that answers with its name."""

    async def tell(_request: web.Request) -> web.Response:
        response = web.Response(text=name)
        response.force_close()
        return response

    app = web.Application()
    app.add_routes([web.get("/", tell)])
    runner = web.AppRunner(app)
    await runner.setup()
    assert runner.server is not None
    listener = await Listener.open(host, port, share=share, tend_s=tend_s)
    listener.serve(runner.server)
    try:
        yield listener
    finally:
        listener.close()
        await runner.cleanup()


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
    writer.write(GET)
    text = (await asyncio.wait_for(reader.read(), 120)).decode()
    writer.close()
    await writer.wait_closed()
    return text.rsplit("\r\n", 1)[1]


async def ask(port: int, host: str = "127.0.0.1") -> str:
    """Who answers a new connection."""
    return await answer(*await asyncio.open_connection(host, port))


async def asked(port: int, times: int) -> Counter[str]:
    return Counter([await ask(port) for _ in range(times)])


async def test_new_connections_are_dealt_out_to_all() -> None:
    port = free_port()
    async with opened("a", port), opened("b", port):
        found = await asked(port, 60)
    assert found["a"] and found["b"] and found.total() == 60


@pytest.mark.parametrize("leaver", ["a", "b", "c"])
async def test_who_leaves_gets_nothing_new_and_the_others_everything(leaver: str) -> None:
    port = free_port()
    async with AsyncExitStack() as stack:
        listeners = {name: await stack.enter_async_context(opened(name, port)) for name in "abc"}
        leaving = asyncio.create_task(listeners[leaver].leave())
        found: Counter[str] = Counter()
        while not leaving.done():
            found[await ask(port)] += 1
        await leaving
        found.clear()
        found += await asked(port, 60)
        assert found.total() == 60 and leaver not in found
        # Whoever comes next makes the kernel deal out evenly again.
        async with opened("d", port):
            assert set(await asked(port, 120)) == {"a", "b", "c", "d"} - {leaver}


async def reached(port: int, names: set[str]) -> bool:
    """Whether new connections reach all of these and nobody else, now or soon."""
    for _ in range(600):
        if set(await asked(port, 60)) == names:
            return True
        await asyncio.sleep(0.05)
    return False


@pytest.mark.parametrize("leaver", ["a", "b", "c"])
async def test_after_one_has_left_all_who_stay_get_new_connections(leaver: str) -> None:
    """What steers them away from the one that leaves stays behind in the kernel; nobody new comes here."""
    port = free_port()
    async with AsyncExitStack() as stack:
        found = {name: await stack.enter_async_context(opened(name, port)) for name in "abc"}
        await found[leaver].leave()
        assert await reached(port, {"a", "b", "c"} - {leaver})


LEAVES_FOR_EVER = """
import asyncio, sys
from aiohttp import web
from balancer.web import listen

listen.QUIET_S = 3600

async def tell(_request):
    response = web.Response(text="child")
    response.force_close()
    return response

async def main():
    mine = await listen.Listener.open("127.0.0.1", int(sys.argv[1]), share=True)
    mine.serve(web.Server(tell))
    await mine.leave()

asyncio.run(main())
"""


async def test_killed_while_leaving() -> None:
    """As long as it lives nobody takes its steering away; when it is dead, all who stay get new connections again."""
    port = free_port()
    async with opened("a", port, tend_s=0.01), opened("b", port, tend_s=0.01):
        with subprocess.Popen([sys.executable, "-c", LEAVES_FOR_EVER, str(port)]) as child:
            try:
                async with asyncio.timeout(120):
                    while len(found := set(await asked(port, 60))) != 1:
                        assert child.poll() is None
                for _ in range(5):
                    assert set(await asked(port, 60)) == found != {"child"}
            finally:
                child.send_signal(signal.SIGKILL)
        assert await reached(port, {"a", "b"})


async def test_a_handshake_under_way_is_still_served() -> None:
    """The kernel holds the connection back until its first data (TCP_DEFER_ACCEPT), as a slow network would."""
    port = free_port()
    async with opened("old", port) as old:
        for each in old.sockets:
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 10)
        slow = [await asyncio.open_connection("127.0.0.1", port) for _ in range(20)]
        async with opened("new", port):
            leaving = asyncio.create_task(old.leave())
            # The probe of the one that leaves is no data either, so it finds itself "elsewhere" at once.
            assert [await answer(*each) for each in slow] == ["old"] * 20
            await leaving
            assert await ask(port) == "new"


@pytest.mark.parametrize("share", [True, False])
async def test_the_last_one_leaves_at_once_and_serves_who_waited(share: bool) -> None:
    """Connections that the kernel has taken and we have not: the loop did not run in between."""
    port = free_port()
    async with opened("only", port, share=share) as only:
        waiting = [socket.create_connection(("127.0.0.1", port)) for _ in range(20)]
        await only.leave()
        assert [await answer(*await asyncio.open_connection(sock=each)) for each in waiting] == ["only"] * 20
        with pytest.raises(ConnectionRefusedError):
            await ask(port)


async def test_a_port_that_is_not_shared_is_ones_own() -> None:
    port = free_port()
    async with opened("a", port, share=False):
        with pytest.raises(OSError, match="in use"):
            await Listener.open("127.0.0.1", port, share=False)


async def test_every_address_of_a_name_is_served() -> None:
    async with opened("both", free_port(), host="localhost") as listener:
        addresses = [each.getsockname()[:2] for each in listener.sockets]
        assert {await ask(port, host) for host, port in addresses} == {"both"}


async def test_file_handles_that_run_out_only_delay() -> None:
    """The first accept fails as with EMFILE: the connection waits in the kernel and is taken in a moment later."""
    port = free_port()
    async with opened("a", port):
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        client = socket.socket()
        client.setblocking(False)
        probe = socket.socket()
        resource.setrlimit(resource.RLIMIT_NOFILE, (probe.fileno() + 1, limits[1]))
        try:
            await asyncio.get_running_loop().sock_connect(client, ("127.0.0.1", port))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
            probe.close()
        assert await answer(*await asyncio.open_connection(sock=client)) == "a"
