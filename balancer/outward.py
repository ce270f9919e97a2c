"""Calls to addresses that somebody else chose: targets of webhooks, feeds of prices.

Such an address must not lead to what only this machine or its network can reach: the database, Redis, the cloud's metadata.
So it is https on an ordinary port, without a user part; a proxy from the environment is not used and no redirect is followed;
and it is the address of *each connection* that is checked, in the moment in which its socket is made. A name that resolves to
something else by then gains nothing. If one address of a name is not allowed, none of them is used.

`private` lifts all of this, for development: a receiver on this machine, over http.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import ClientError, ClientResponse, ClientSession, ClientTimeout, DummyCookieJar, TCPConnector
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

PORTS = (443, 8443)
URL_MAX = 2048
READ_BUFFER = 4096
KEEPALIVE_S = 15.0
CONNECT_S = 10.0

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], Awaitable[list[str]]]

# Public by number and still not the Internet: 6to4's relays, addresses for protocols, Azure's own services.
_NOT_V4 = tuple(ipaddress.ip_network(text) for text in ("192.0.0.0/24", "192.88.99.0/24", "168.63.129.16/32"))
# All of IPv6 that is given out …
_GLOBAL_V6 = ipaddress.ip_network("2000::/3")
# … without Teredo and other protocols, documentation, and 6to4. Mapped addresses and NAT64 (64:ff9b::) lie outside of 2000::/3.
_NOT_V6 = tuple(ipaddress.ip_network(text) for text in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"))
# An IPv4 address in the last half of an IPv6 one, as ISATAP writes it (RFC 5214).
_ISATAP = (0x00005EFE, 0x02005EFE)


class Refused(ValueError):
    """This address is not called; the text says why, and does not repeat it: it may hold a secret."""


class Failed(Exception):
    """There was no answer; ``reason`` is one word, the text for the log of deliveries."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. ``body`` is at most as much as was asked for; ``whole`` says whether that was all.

    ``encoding`` is its Content-Encoding: how the body is packed.
    """

    status: int
    body: bytes
    whole: bool
    encoding: str = ""


def is_public(text: str) -> bool:
    """Whether this is the address of a machine that anybody on the Internet may call."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    if address.version == 4:
        return address.is_global and not address.is_multicast and not any(address in network for network in _NOT_V4)
    if address.scope_id is not None or address not in _GLOBAL_V6 or any(address in network for network in _NOT_V6):
        return False
    return (int(address) >> 32) & 0xFFFFFFFF not in _ISATAP


def check_url(text: str, *, private: bool = False) -> URL:
    """The address, if it may be called as far as it can be told without asking for its name.

    Raises:
        Refused.
    """
    if not text.isascii() or not text.isprintable() or " " in text or "\\" in text or len(text) > URL_MAX:
        raise Refused(f"write an address of at most {URL_MAX} visible ASCII characters")
    try:
        url = URL(text)
        host, port = url.host, url.port
    except ValueError:
        raise Refused("this is no address") from None
    if not host or url.scheme not in ("https", "http") or not url.absolute:
        raise Refused("write a whole address, as in https://example.com/hooks")
    if url.user is not None or url.password is not None or "@" in text.partition("://")[2].partition("/")[0]:
        raise Refused("an address must not hold a user or a password")
    if url.raw_fragment or "#" in text:
        raise Refused("an address must not hold a fragment (#)")
    if private:
        return url
    if url.scheme != "https":
        raise Refused("the address must begin with https://")
    if port not in PORTS:
        raise Refused("the port must be 443 or 8443")
    if _is_literal(host) and not is_public(host):
        raise Refused("the address is not on the Internet")
    return url


def _is_literal(host: str) -> bool:
    return ":" in host or host.replace(".", "").isdigit()


async def resolve(host: str, port: int) -> list[str]:
    """The addresses of a name, as the system finds them.

    Raises:
        OSError.
    """
    addresses = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(row[4][0]) for row in addresses))


class Outward:
    """Makes such calls; used in the event loop's thread. `close` it in the end."""

    def __init__(self, *, private: bool = False, resolve: Resolve = resolve, connections_max: int = 100) -> None:
        self._private = private
        self._resolve = resolve
        self._connections_max = connections_max
        self._session: ClientSession | None = None

    async def check(self, text: str) -> None:
        """That this may be called now; each call looks again. In development the name need not lead anywhere yet.

        Raises:
            Refused.
        """
        url = check_url(text, private=self._private)
        if self._private:
            return
        try:
            await self._allowed(str(url.host), url.port or 0)
        except OSError:
            raise Refused("the name of this address cannot be resolved") from None

    async def ask(
        self, method: str, text: str, *, body: bytes | None = None, headers: Mapping[str, str], read_max: int, timeout_s: float
    ) -> Answer:
        """One request, and up to ``read_max`` bytes of its answer's body as they come (nothing is unpacked).

        Raises:
            Failed: ``refused`` by us, ``timeout``, ``connection``, ``tls`` or ``protocol``.
        """
        try:
            url = check_url(text, private=self._private)
            async with (
                asyncio.timeout(timeout_s),
                self._opened().request(method, url, data=body, headers=headers, allow_redirects=False) as response,
            ):
                return await _read(response, read_max)
        except Refused as error:
            raise Failed("refused") from error
        except TimeoutError as error:
            raise Failed("timeout") from error
        except (ClientError, OSError, ValueError) as error:
            raise Failed(_reason(error)) from error

    async def close(self) -> None:
        if self._session is not None:
            session, self._session = self._session, None
            await session.close()

    def _opened(self) -> ClientSession:
        if self._session is None:
            connector = TCPConnector(
                resolver=_Resolver(self._allowed),
                use_dns_cache=False,
                socket_factory=self._socket,
                ssl=_trust(),
                limit=self._connections_max,
                keepalive_timeout=KEEPALIVE_S,
            )
            self._session = ClientSession(
                connector=connector,
                trust_env=False,
                auto_decompress=False,
                cookie_jar=DummyCookieJar(),
                read_bufsize=READ_BUFFER,
                timeout=ClientTimeout(total=None, sock_connect=CONNECT_S),
                skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding"),
            )
        return self._session

    async def _allowed(self, host: str, port: int) -> list[str]:
        """The addresses of a name, if all of them may be called.

        Raises:
            Refused.
            OSError: there are none.
        """
        addresses = await self._resolve(host, port)
        if not addresses:
            raise OSError("no address")
        if not self._private and not all(is_public(address) for address in addresses):
            raise Refused("the name of this address leads to one that is not on the Internet")
        return addresses

    def _socket(self, info: tuple[Any, ...]) -> socket.socket:
        """The socket of one connection, to an address that is allowed: the last look, whoever resolved it."""
        family, kind, protocol, _, where = info
        if not self._private and not is_public(str(where[0])):
            raise Refused("this address is not on the Internet")
        made = socket.socket(family, kind, protocol)
        made.setblocking(False)
        return made


def _trust() -> ssl.SSLContext:
    """Certificates count as this machine trusts them, or by ``SSL_CERT_FILE``, and only for the host that is called."""
    made = ssl.create_default_context()
    made.set_alpn_protocols(["http/1.1"])
    return made


class _Resolver(AbstractResolver):
    """aiohttp's way to our own look."""

    def __init__(self, allowed: Resolve) -> None:
        self._allowed = allowed

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC) -> list[ResolveResult]:
        """Each address as its own host, so that nothing asks for the name again."""
        return [
            {
                "hostname": host,
                "host": address,
                "port": port,
                "family": socket.AF_INET6 if ":" in address else socket.AF_INET,
                "proto": 0,
                "flags": socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            }
            for address in await self._allowed(host, port)
        ]

    async def close(self) -> None:
        """Nothing is open."""


async def _read(response: ClientResponse, read_max: int) -> Answer:
    """A body that goes on is left: its connection is closed, not read to the end."""
    body = bytearray()
    while len(body) < read_max and (piece := await response.content.read(read_max - len(body))):
        body += piece
    whole = response.content.at_eof()
    if not whole:
        response.close()
    return Answer(response.status, bytes(body), whole, response.headers.get("Content-Encoding", ""))


def _reason(error: BaseException) -> str:
    """One word. What the other side or the system said in detail is not kept."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, Refused):
            return "refused"
        cause = cause.__cause__ or cause.__context__
    name = type(error).__name__
    if "SSL" in name or "Certificate" in name:
        return "tls"
    return "connection" if isinstance(error, OSError) else "protocol"
