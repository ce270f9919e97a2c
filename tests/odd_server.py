"""A server of raw bytes for tests: answers sign-ins as Steam does, but for what a test puts in the place of an answer.

`from odd_server import OddServer, OddWires, GOOD, odd_http`. It speaks no HTTP of its own: whatever a test wants on the wire
comes out. `OddServer` listens on this machine, `OddWires` answers in memory: the same bytes, for thousands of them.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import socket
import struct
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from hypothesis import strategies as st
from odd_shapes import odd_text

STEAM_ID = "76561198000000001"
HOLDER = f"{STEAM_ID}%7C%7Chead.e30.tail"
_MODULUS = "c5" + "3b" * 126 + "c7"


@dataclass(frozen=True)
class Wire:
    """What is written in answer to one request; then the connection is closed, by a reset if it is to be."""

    data: bytes
    reset: bool = False


def answer(body: Any = b"", *, status: str = "200 OK", kind: str = "application/json", **headers: str | list[str]) -> Wire:
    """A whole answer as HTTP has it; names of headers with ``_`` for ``-``."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", f"Content-Length: {len(content)}", "Connection: close"]
    for name, value in headers.items():
        lines += [f"{name.replace('_', '-')}: {each}" for each in ([value] if isinstance(value, str) else value)]
    return Wire("\r\n".join([*lines, "", ""]).encode() + content)


def _transfers() -> dict[str, Any]:
    hosts = ("steamcommunity.com", "store.steampowered.com")
    rows = [{"url": f"https://{host}/login/settoken", "params": {"nonce": "n", "auth": "a"}} for host in hosts]
    return {"steamID": STEAM_ID, "redir": "https://steamcommunity.com/login/home/?goto=", "transfer_info": rows}


# What the bodies of the steps are to say, in the order in which a sign-in takes them.
BODIES: dict[str, Any] = {
    "page": {},
    "GetPasswordRSAPublicKey": {"response": {"publickey_mod": _MODULUS, "publickey_exp": "010001", "timestamp": "4350"}},
    "BeginAuthSessionViaCredentials": {"response": {"client_id": "17", "steamid": STEAM_ID, "request_id": "cmVx"}},
    "UpdateAuthSessionWithSteamGuardCode": {"response": {}},
    "PollAuthSessionStatus": {"response": {"refresh_token": "head.e30.tail"}},
    "finalizelogin": _transfers(),
    "settoken": {"result": 1},
    "acknowledge": {},
}
_HEADERS: dict[str, dict[str, Any]] = {
    "page": {"Set_Cookie": ["sessionid=5e55; Path=/; Secure", "steamCountry=DE%7Cab; Path=/; Secure"]},
    "finalizelogin": {"Set_Cookie": f"steamRefresh_steam={HOLDER}; Path=/; Secure"},
    "settoken": {"Set_Cookie": f"steamLoginSecure={HOLDER}; Path=/; Secure"},
}
GOOD: Mapping[str, Wire] = {step: answer(body, x_eresult="1", **_HEADERS.get(step, {})) for step, body in BODIES.items()}


def step_of(head: bytes) -> str:
    """Which step of a sign-in a request is; ``page`` for every other."""
    return next((step for step in BODIES if f"/{step}".encode() in head.split(b"\r\n", 1)[0]), "page")


@dataclass
class OddServer:
    """Listens on this machine. ``instead`` says what to write in the place of a step's good answer, if anything."""

    instead: Callable[[str], Wire | None] = lambda _step: None
    asked: list[str] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=50)
        self._connections: list[tuple[socket.socket, threading.Thread]] = []
        self._thread = threading.Thread(target=self._serve, name="odd-server", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        # A socket that is shut down wakes whoever waits for it.
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()
        for connection, thread in self._connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            # Each by itself: whoever keeps one open, of which nothing more comes, does not wait on the next.
            thread = threading.Thread(target=self._serve_one, args=(connection,), name="odd-connection", daemon=True)
            self._connections = [each for each in self._connections if each[1].is_alive()] + [(connection, thread)]
            thread.start()

    def _serve_one(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            self._answer(connection)

    def _answer(self, connection: socket.socket) -> None:
        connection.settimeout(10)
        head = _read_request(connection)
        if not head:
            return
        step = step_of(head)
        self.asked.append(step)
        wire = self.instead(step) or GOOD[step]
        connection.sendall(wire.data)
        if wire.reset:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65_536):
                pass


class OddWires:
    """As `OddServer`, without a network: every connection that is opened meanwhile, wherever to, leads here."""

    url = "http://127.0.0.1:9"

    def __init__(self) -> None:
        self.instead: Callable[[str], Wire | None] = lambda _step: None
        self.asked: list[str] = []

    def open(self, _address: object, timeout: object = None, **_: object) -> socket.socket:
        """In the place of urllib3's `create_connection`."""
        return _MemorySocket(self.answer)

    def answer(self, head: bytes) -> Wire:
        step = step_of(head)
        self.asked.append(step)
        return self.instead(step) or GOOD[step]


class _MemorySocket(socket.socket):
    """A client's end of a connection of which the other end has hung up; what is read from it was put there in memory.

    A real socket underneath is what TLS wants to have: it finds nothing there.
    """

    def __init__(self, answer: Callable[[bytes], Wire]) -> None:
        mine, other = socket.socketpair()
        super().__init__(mine.family, mine.type, mine.proto, fileno=mine.detach())
        other.close()
        self._answer_of = answer
        self._asked = b""

    def sendall(self, data: Any, *_: object) -> None:
        self._asked += bytes(data)

    def makefile(self, *_: object, **__: object) -> Any:
        return io.BufferedReader(_Answer(self._answer_of(self._asked)))


class _Answer(io.RawIOBase):
    """What a reader gets: the bytes, then the end, or a reset."""

    def __init__(self, wire: Wire) -> None:
        self._left, self._reset = io.BytesIO(wire.data), wire.reset

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._left.read(len(buffer))
        if not data and self._reset:
            raise ConnectionResetError("the other side went away")
        buffer[: len(data)] = data
        return len(data)


def _read_request(connection: socket.socket) -> bytes:
    """The head of a request; its body is read too and dropped."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65_536)
        if not piece:
            return b""
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: (\d+)", head)
    left = int(length[1]) - len(body) if length else 0
    while left > 0 and (piece := connection.recv(min(left, 65_536))):
        left -= len(piece)
    return head


# --- odd answers --------------------------------------------------------------------------------------------------

STATUS_LINES = st.sampled_from(
    [
        *(
            f"HTTP/1.1 {code} x".encode()
            for code in (200, 200, 200, 200, 201, 204, 301, 302, 304, 400, 401, 403, 404, 407, 418)
        ),
        *(f"HTTP/1.1 {code} x".encode() for code in (429, 500, 502, 503, 504, 999)),
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK",
        *(b"HTTP/1.1 200", b"HTTP/1.1 200 " + b"x" * 70_000, b"HTTP/9.9 200 OK", b"HTTP/1.1 20", b"HTTP/1.1 -1 x"),
        *(b"HTTP/1.1 abc x", b"HTTP/1.1 99999999999 x", b"http/1.1 200 ok", b"ICY 200 OK", b"200 OK", b"\xff\xfe\x00", b""),
        b"SSH-2.0-OpenSSH_9.6",
    ]
)
HEADER_LINES = st.sampled_from(
    [
        *(b"Content-Type: application/json", b"Content-Type: text/html", b"Content-Type: " + b"x" * 70_000),
        *(b"Content-Type: text/html; charset=utf-99", b"Content-Encoding: gzip", b"Content-Encoding: br, gzip, x"),
        *(b"Transfer-Encoding: chunked", b"Transfer-Encoding: gzip, chunked", b"Content-Length: 5", b"Content-Length: -5"),
        *(b"Content-Length: x", b"Content-Length: 99999999999999999999", b"Content-Length: 3, 4", b"Connection: keep-alive"),
        *(
            b"x-eresult: 1",
            b"x-eresult: 88",
            b"x-eresult: 5",
            b"x-eresult: 84",
            b"x-eresult: \xb2",
            b"x-eresult: " + b"9" * 400,
        ),
        *(b"Retry-After: 1", b"Retry-After: never", b"Date: Mon, 01 Jan 99999999999 00:00:00 GMT", b"Date: x"),
        *(b"Set-Cookie: sessionid=", b"Set-Cookie: =;;=", b"Set-Cookie: sessionid=1; Domain=.com", b"Set-Cookie: a=\xff\x00"),
        *(b"Set-Cookie: steamLoginSecure=7%7C%7Cx; Path=/", b"Set-Cookie: steamLoginSecure=; Path=/; Max-Age=-1"),
        *(b"Location: /login/", b"Location: https://steamcommunity.com/", b"Location: http://[::1", b"Location: ftp://x/"),
        *(b"Location: \xff", b"Location: //x:99999/", b"Location: https://example.org/x", b"Location:"),
        *(b"no colon here", b": no name", b" folded", b"\x00: \x00", b"X: y\nZ: 1", b"\xc3\xa4: \xc3\xa4"),
        b"\r\n".join(b"X-%d: y" % number for number in range(150)),
    ]
)


@st.composite
def odd_http(draw: st.DrawFn, good: Any) -> Wire:
    """An answer with something wrong in its first line, its headers or its body, or closed halfway."""
    body = draw(st.just(json.dumps(good).encode()) | odd_text(good) | st.sampled_from([b"", b"null", b"<html>sorry</html>"]))
    lines = [draw(STATUS_LINES), *draw(st.lists(HEADER_LINES, max_size=4))]
    if draw(st.booleans()):
        lines.append(b"Content-Length: %d" % len(body))
    ending = draw(st.sampled_from([b"\r\n", b"\r\n", b"\r\n", b"\n", b"\r"]))
    data = ending.join([*lines, b"", body])
    if draw(st.integers(0, 4)) == 0:
        data = data[: draw(st.integers(0, len(data)))]
    if draw(st.integers(0, 9)) == 0:
        data = draw(st.binary(max_size=200))
    return Wire(data, reset=draw(st.integers(0, 9)) == 0)
