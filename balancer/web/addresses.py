"""Whose request it is, by address: what tries and rates are counted against.

A proxy in front of us is the peer of everybody. What it says of the way here is believed if it is a trusted one
(`[balancer] trusted_proxies`): from the right, the first entry that is no trusted proxy itself. Everything further left was
written by that one. One customer of a provider has a whole IPv6 /64, so that counts as one address.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

from aiohttp import web

UNKNOWN = "unknown"
V6_PREFIX = 64
HOPS_MAX = 32
KNOWN_MAX = 4096

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# RFC 7239, section 4: for=192.0.2.60 or for="[2001:db8::1]:4711", among others, between semicolons; elements between commas.
_PAIR = re.compile(r"""[ \t]*([!#$%&'*+.^_`|~0-9A-Za-z-]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s;,"]*))[ \t]*([;,]|$)""")
_PORT = re.compile(r":[0-9]{1,5}")


class Networks:
    """The networks of the proxies that are believed."""

    def __init__(self, networks: Iterable[str]) -> None:
        """``networks`` were checked with the settings."""
        self._trusted = tuple(_plain(ipaddress.ip_network(each)) for each in networks)
        self.trusts = lru_cache(maxsize=KNOWN_MAX)(self._trusts)

    def _trusts(self, text: str) -> bool:
        """Whether this is the address of a trusted proxy."""
        address = parse(text)
        return address is not None and any(address in network for network in self._trusted)

    def counted(self, peer: str) -> str | None:
        """What a connection from ``peer`` counts for; ``None`` for a trusted proxy, whose connections are its clients'."""
        return None if self.trusts(peer) else group(peer)

    def of(self, request: web.BaseRequest) -> str:
        """The address that this request counts for; ``unknown`` without one (a unix socket)."""
        peer = request.remote
        if peer is None:
            return UNKNOWN
        return group(self._client(peer, request) if self.trusts(peer) else peer)

    def _client(self, peer: str, request: web.BaseRequest) -> str:
        """Whom the trusted proxy ``peer`` speaks for; itself, if it does not say or if its two headers disagree.

        A proxy writes one of the headers and passes on the other as it came, so two different answers mean that one of them
        is the client's own invention.
        """
        ways = [_x_forwarded_for(request.headers.getall("X-Forwarded-For", ()))]
        ways.append(_forwarded(request.headers.getall("Forwarded", ())))
        clients = {self._first_stranger(peer, way) for way in ways if way}
        return clients.pop() if len(clients) == 1 else peer

    def _first_stranger(self, peer: str, way: Sequence[str]) -> str:
        last = peer
        for entry in reversed(way[-HOPS_MAX:]):
            if parse(entry) is None:  # hidden or garbled: the proxy that passed it on answers for it
                return last
            if not self.trusts(entry):
                return entry
            last = entry
        return last


def parse(text: str) -> Address | None:
    """The address in ``192.0.2.1``, ``192.0.2.1:80``, ``2001:db8::1`` or ``[2001:db8::1]:80``; an IPv4 address in IPv6 form is
    the IPv4 address. ``None``: there is none."""
    text = text.strip()
    if text.startswith("["):
        text, _, port = text[1:].partition("]")
        if port and not _PORT.fullmatch(port):
            return None
    elif text.count(":") == 1:
        text, _, port = text.partition(":")
        if not _PORT.fullmatch(":" + port):
            return None
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def group(text: str) -> str:
    """What counts as one address: an IPv4 address, or the /64 of an IPv6 one."""
    address = parse(text)
    if address is None:
        return UNKNOWN
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((address, V6_PREFIX), strict=False))
    return str(address)


def _plain(network: Network) -> Network:
    """IPv4 networks in IPv6 form are IPv4 networks."""
    if isinstance(network, ipaddress.IPv4Network) or network.prefixlen < 96:
        return network
    address = network.network_address.ipv4_mapped
    return network if address is None else ipaddress.ip_network((address, network.prefixlen - 96))


def _x_forwarded_for(headers: Sequence[str]) -> list[str]:
    return [entry.strip() for entry in ",".join(headers).split(",")] if headers else []


def _forwarded(headers: Sequence[str]) -> list[str]:
    """The ``for`` of each element; an element without one is an entry that says nothing.

    The whole of it is read strictly: a client could leave a quote open, and what the proxy adds would look like the client's.
    """
    text, at = ",".join(headers), 0
    way, here = [], ""
    while at < len(text):
        pair = _PAIR.match(text, at)
        if pair is None:
            return [""]
        if pair[1].lower() == "for":
            here = pair[3] if pair[2] is None else pair[2]
        if pair[4] != ";":
            way.append(here)
            here = ""
        at = pair.end()
    return way
