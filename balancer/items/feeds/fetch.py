"""A feed's bytes, from its address or file, bounded in size and time.

Addresses are called by the rules of `balancer.outward`: https, on the Internet, no redirects, no proxy. What comes packed is
unpacked in small steps, and no further than what would be taken unpacked.
"""

from __future__ import annotations

import asyncio
import stat
from pathlib import Path

from balancer import unpacking
from balancer.items.feeds.sources import Feed
from balancer.items.price_list import BadPrices
from balancer.outward import Failed, Outward

# Skinport answers 406 to who does not take br (https://docs.skinport.com).
HEADERS = {"Accept": "application/json, text/csv", "Accept-Encoding": "br, gzip", "User-Agent": "trade-fleet-prices/1"}
AUTHORIZATION_MAX = 4096
_GZIP = b"\x1f\x8b"


class NotFetched(BadPrices):
    """There are no bytes; the text says why, and holds neither the address nor what the other side said."""


async def fetch(feed: Feed, outward: Outward, bytes_max: int, timeout_s: float) -> bytes:
    """The whole body, unpacked: at most ``bytes_max``.

    Raises:
        NotFetched: no answer in time, another status than 200, too large, packed otherwise than it says, no such file.
    """
    if feed.file is not None:
        return await asyncio.to_thread(_of_file, feed.file, bytes_max)
    headers = dict(HEADERS)
    if feed.authorization_file is not None:
        headers["Authorization"] = await asyncio.to_thread(_authorization, feed.authorization_file)
    try:
        answer = await outward.ask("GET", feed.address, headers=headers, read_max=bytes_max + 1, timeout_s=timeout_s)
    except Failed as error:
        raise NotFetched(f"not fetched: {error.reason}") from None
    if answer.status != 200:
        raise NotFetched(f"not fetched: it answered {answer.status}")
    if not answer.whole or len(answer.body) > bytes_max:
        raise _too_large(bytes_max)
    return await asyncio.to_thread(_unpacked, answer.body, answer.encoding, bytes_max)


def _too_large(bytes_max: int) -> NotFetched:
    return NotFetched(f"not fetched: it has more than {bytes_max} bytes")


def _unpacked(body: bytes, encoding: str, bytes_max: int) -> bytes:
    # Files in a store of objects are often packed without saying so.
    if encoding.strip().lower() in unpacking.IDENTITY and body.startswith(_GZIP):
        encoding = "gzip"
    try:
        unpacker = unpacking.unpacker(encoding)
        if unpacker is None:
            return body
        whole = bytearray()
        for part in unpacker.steps(body):
            whole += part
            if len(whole) > bytes_max:
                raise _too_large(bytes_max)
    except unpacking.Unknown:
        raise NotFetched("not fetched: it is packed in a way that we do not know") from None
    except unpacking.BROKEN:
        raise NotFetched("not fetched: it is not packed as it says") from None
    if not unpacker.whole:
        raise NotFetched("not fetched: its end is missing, or something follows it")
    return bytes(whole)


def _of_file(path: Path, bytes_max: int) -> bytes:
    return _unpacked(_file(path, bytes_max), "", bytes_max)


def _file(path: Path, bytes_max: int) -> bytes:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise NotFetched("not read: it is no file")
        with path.open("rb") as file:
            body = file.read(bytes_max + 1)
    except OSError as error:
        raise NotFetched(f"not read: {error.strerror or type(error).__name__}") from None
    if len(body) > bytes_max:
        raise _too_large(bytes_max)
    return body


def _authorization(path: Path) -> str:
    """The header's whole value, as in ``Bearer …``."""
    text = _file(path, AUTHORIZATION_MAX).decode("ascii", "replace").strip()
    if not text or not text.isascii() or not text.isprintable():
        raise NotFetched("not fetched: its authorization_file is not one line of visible characters")
    return text
