"""The balancer's listening sockets: shared with other balancers of this machine, and left without losing a connection.

With ``SO_REUSEPORT`` the kernel deals new connections out to all sockets of one address. What was dealt to a socket that is
closed then is reset: connections that wait to be accepted, and those whose handshake is under way. So a leaving balancer first
steers new connections elsewhere: a classic BPF program of one instruction names the socket, by its place in the kernel's list,
that gets all of them. No process knows its own place; but a connection of our own shows whether the named one is ours, and of
the places 0 and 1 at most one is. A place that does not exist means the usual dealing out.

The program stays when that balancer has gone, and one of those that stay would get everything. So each of them removes it every
second, unless a balancer is leaving at that moment: it has bound a name in the system's abstract namespace, which ends with the
process, also if that is killed. A second one that leaves at the same moment has no such name; if its program is taken away, it
attaches it again.

What would replace this file, and why it stays: `docs/decisions`, page 12.
"""

from __future__ import annotations

import asyncio
import ctypes
import functools
import os
import socket
import struct
import sys
from collections import deque
from collections.abc import Callable

from aiohttp import web

from shared import log

BACKLOG = 512
# Within this a handshake is over; a listener to which nobody connected for so long may be closed.
QUIET_S = 0.5
# A listener that cannot be kept quiet is closed after so many tries.
TRIES_MAX = 6
PROBE_S = 0.15
# More than come in while a probe is under way.
PEERS_MAX = 4096
ACCEPT_AGAIN_S = 1.0
# How soon the kernel deals out again after somebody has left.
TEND_S = 1.0
PROBE_CONNECT_S = 1.0

# From linux/asm-generic/socket.h; Python does not name them.
_SO_ATTACH_REUSEPORT_CBPF = 51
_SO_DETACH_REUSEPORT_BPF = 68
_RETURN = 0x06

logger = log.get(__name__)


class Listener:
    """The listening sockets of one process. Opened by `open`, served by an `aiohttp` server, left by `leave`."""

    def __init__(self, sockets: list[socket.socket], *, shared: bool, tend_s: float = TEND_S) -> None:
        self.sockets = sockets
        self.shared = shared
        self._tend_s = tend_s
        # Whose connections were taken in lately, and how many in all.
        self._peers: deque[tuple[str, int]] = deque(maxlen=PEERS_MAX)
        self._came = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._accepts: list[Callable[[], None]] = []
        self._tending: asyncio.TimerHandle | None = None
        self._leaving: socket.socket | None = None

    @classmethod
    async def open(cls, host: str, port: int, *, share: bool, tend_s: float = TEND_S) -> Listener:
        """Bind every address of ``host``. With ``share`` other balancers of this user may have the same port.

        Every ``tend_s`` seconds it undoes what a balancer that has gone left behind.

        Raises:
            OSError: the address is not ours, or taken.
        """
        addresses = await asyncio.get_running_loop().getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        # A port of the system's choice is nobody else's.
        share = share and port != 0 and hasattr(socket, "SO_REUSEPORT")
        made = cls([], shared=share, tend_s=tend_s)
        try:
            for family, kind, protocol, _, address in dict.fromkeys(addresses):
                made.sockets.append(_bound(socket.socket(family, kind, protocol), address, share=share))
        except OSError:
            made.close()
            raise
        return made

    def serve(self, server: web.Server) -> None:
        """Let this server answer every connection.

        Connections are taken in here, not by `asyncio`'s server: what that has taken in when it is closed is dropped.
        """
        for each in self.sockets:
            each.listen(BACKLOG)
            _deal_out(each)
            accept = functools.partial(self._accept, each, server)
            self._accepts.append(accept)
            asyncio.get_running_loop().add_reader(each.fileno(), accept)
        if self.shared and sys.platform == "linux":
            self._tend()

    def url(self) -> str:
        """The first address, as in ``http://127.0.0.1:8420``."""
        name = self.sockets[0].getsockname()
        return f"http://[{name[0]}]:{name[1]}" if ":" in name[0] else f"http://{name[0]}:{name[1]}"

    def close(self) -> None:
        """Close the sockets without further ado; harmless after `leave`."""
        self._tend_no_more()
        for each in self.sockets:
            if each.fileno() >= 0:
                asyncio.get_running_loop().remove_reader(each.fileno())
                each.close()
        if self._leaving is not None:
            self._leaving.close()

    async def leave(self) -> None:
        """Take no new connections; those that were dealt to us are still served. Returns when the sockets are closed."""
        self._tend_no_more()
        if self.shared:
            await asyncio.gather(*(self._quieten(each) for each in self.sockets))
        for accept in self._accepts:
            accept()
        self.close()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _accept(self, listening: socket.socket, server: web.Server) -> None:
        """Accept every connection that waits at this socket."""
        loop = asyncio.get_running_loop()
        for _ in range(BACKLOG):
            try:
                connection, address = listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                # No file handles left, for one. The socket stays readable, so it is left alone for a moment.
                logger.warning("connection not accepted", action="accept", error=repr(error))
                loop.remove_reader(listening.fileno())
                loop.call_later(ACCEPT_AGAIN_S, self._again, listening, server)
                return
            connection.setblocking(False)
            self._peers.append(address[:2])
            self._came += 1
            task: asyncio.Task[None] = loop.create_task(_serve(connection, server))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _again(self, listening: socket.socket, server: web.Server) -> None:
        if listening.fileno() >= 0:  # not closed meanwhile
            asyncio.get_running_loop().add_reader(listening.fileno(), self._accept, listening, server)

    def _tend(self) -> None:
        """Take away what somebody left behind who has gone; again and again."""
        name = _name_of_leaving(self.sockets[0])
        if name is not None:
            for each in self.sockets:
                _deal_out(each)
            name.close()
        self._tending = asyncio.get_running_loop().call_later(self._tend_s, self._tend)

    def _tend_no_more(self) -> None:
        if self._tending is not None:
            self._tending.cancel()
            self._tending = None

    async def _quieten(self, listening: socket.socket) -> None:
        """Return when new connections go elsewhere and no handshake with us can be under way, or when there is nobody else."""
        for _ in range(TRIES_MAX):
            if self._leaving is None and sys.platform == "linux":
                self._leaving = _name_of_leaving(self.sockets[0])
            if not await self._steer_away(listening):
                return
            before = self._came
            await asyncio.sleep(QUIET_S)
            if self._came == before:
                return
        logger.warning("new connections still arrive", action="leave", tries=TRIES_MAX)

    async def _steer_away(self, listening: socket.socket) -> bool:
        """Whether all new connections go to another socket of this address; not if there is none, or not on this system."""
        for place in (0, 1):
            if not _steer(listening, place):
                return False
            if not await self._comes_here(listening):
                return True
        _deal_out(listening)
        return False

    async def _comes_here(self, listening: socket.socket) -> bool:
        """Whether a connection made now comes to us."""
        loop = asyncio.get_running_loop()
        with socket.socket(listening.family, socket.SOCK_STREAM) as probe:
            probe.setblocking(False)
            try:
                async with asyncio.timeout(PROBE_CONNECT_S):
                    await loop.sock_connect(probe, _reachable(listening.getsockname()))
            except (OSError, TimeoutError):
                return False  # the process that was to accept it did not
            me = probe.getsockname()[:2]
            until = loop.time() + PROBE_S
            while me not in self._peers and loop.time() < until:
                await asyncio.sleep(0.005)
            for accept in self._accepts:
                accept()
        return me in self._peers


async def _serve(connection: socket.socket, server: web.Server) -> None:
    try:
        await asyncio.get_running_loop().connect_accepted_socket(server, connection)
    except OSError:
        connection.close()  # it went away at once


def _bound(made: socket.socket, address: tuple[object, ...], *, share: bool) -> socket.socket:
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if share:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if made.family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.setblocking(False)
        made.bind(address)
    except OSError:
        made.close()
        raise
    return made


def _reachable(name: tuple[str, int]) -> tuple[str, int]:
    """Where a socket of this name is reached from this machine."""
    host, port = name[:2]
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), port  # noqa: S104


def _steer(listening: socket.socket, place: int) -> bool:
    """Name the place that gets all new connections of this address; whether the system can do that."""
    if sys.platform != "linux":
        return False
    instruction = ctypes.create_string_buffer(struct.pack("=HBBI", _RETURN, 0, 0, place))
    program = struct.pack("@HP", 1, ctypes.addressof(instruction))
    try:
        listening.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_REUSEPORT_CBPF, program)
    except OSError as error:
        logger.warning("new connections cannot be steered", action="leave", error=repr(error))
        return False
    return True


def _name_of_leaving(listening: socket.socket) -> socket.socket | None:
    """The name that a process holds while it leaves this port; ``None`` if another one holds it."""
    try:
        held = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    except OSError:  # no file handles left: another time
        return None
    try:
        held.bind(f"\0fleet-leaves-{os.getuid()}-{listening.getsockname()[1]}")
    except OSError:
        held.close()
        return None
    return held


def _deal_out(listening: socket.socket) -> None:
    """Let the kernel deal new connections out again, whatever somebody who left had set."""
    if sys.platform != "linux":
        return
    try:
        listening.setsockopt(socket.SOL_SOCKET, _SO_DETACH_REUSEPORT_BPF, 0)
    except OSError:
        return  # nothing was set
