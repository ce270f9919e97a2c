"""Bodies of requests: read and unpacked in steps, never more of either than is taken, and not for ever.

Nobody calls this before the sender has shown that they may send something (`balancer.web.api`). A packed body costs no more
than what we would take unpacked: the steps end with the first byte too many.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Iterator
from urllib.parse import parse_qsl

import brotli
from aiohttp import web

from balancer.web import problems
from shared.errors import InvalidRequest

STEP = 16 * 1024
FORM_MAX = 4096
FIELDS_MAX = 20

_IDENTITY = ("", "identity")
_WBITS = {"gzip": 16 + zlib.MAX_WBITS, "x-gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}


async def read(request: web.Request, most: int, within_s: float) -> bytes:
    """The body, unpacked as its Content-Encoding says. Once only.

    Raises:
        web.HTTPException: 408 it did not come in time, 413 it has more than ``most`` bytes, as sent or unpacked, 415 it is
            packed in a way that we do not know.
        InvalidRequest: it is not packed as it says.
    """
    if (request.content_length or 0) > most:
        raise web.HTTPRequestEntityTooLarge(most)
    packed = _unpacker(request.headers.get("Content-Encoding", ""))
    body = bytearray()
    sent = 0
    try:
        async with asyncio.timeout(within_s):
            while piece := await request.content.readany():
                sent += len(piece)
                for part in packed.steps(piece) if packed else (piece,):
                    body += part
                    if len(body) > most or sent > most:
                        raise web.HTTPRequestEntityTooLarge(most)
                    await asyncio.sleep(0)  # others come in between: a step takes microseconds, many take longer
    except TimeoutError:
        raise web.HTTPRequestTimeout from None
    except (zlib.error, brotli.error):
        raise InvalidRequest("The body is not compressed as its Content-Encoding says.") from None
    if packed and not packed.whole:
        raise InvalidRequest("The compressed body is not complete, or something follows it.")
    return bytes(body)


async def read_form(request: web.Request, within_s: float) -> dict[str, str]:
    """The fields of a short form, the last of each name. A form is never packed.

    Raises:
        ValueError: it cannot be read as one.
        web.HTTPException: as `read`.
    """
    if request.headers.get("Content-Encoding", "") not in _IDENTITY or (request.charset or "utf-8").lower() != "utf-8":
        raise ValueError("a form is plain UTF-8")
    text = (await read(request, FORM_MAX, within_s)).decode()
    return dict(parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=FIELDS_MAX))


class _Zlib:
    def __init__(self, wbits: int) -> None:
        self._unpacker = zlib.decompressobj(wbits)

    def steps(self, piece: bytes) -> Iterator[bytes]:
        """What this piece unpacks to, at most `STEP` bytes at a time."""
        while piece and not self._unpacker.eof:
            yield self._unpacker.decompress(piece, STEP)
            piece = self._unpacker.unconsumed_tail
        if piece:
            raise zlib.error("something follows")

    @property
    def whole(self) -> bool:
        return self._unpacker.eof and not self._unpacker.unused_data


class _Brotli:
    def __init__(self) -> None:
        self._unpacker = brotli.Decompressor()

    def steps(self, piece: bytes) -> Iterator[bytes]:
        """What this piece unpacks to, some tens of kilobytes at a time."""
        part = self._unpacker.process(piece, output_buffer_limit=STEP)
        while part or not self._unpacker.can_accept_more_data():
            yield part
            part = b"" if self._unpacker.is_finished() else self._unpacker.process(b"", output_buffer_limit=STEP)

    @property
    def whole(self) -> bool:
        return bool(self._unpacker.is_finished())


def _unpacker(encoding: str) -> _Zlib | _Brotli | None:
    name = encoding.strip().lower()
    if name in _IDENTITY:
        return None
    if name == "br":
        return _Brotli()
    if name in _WBITS:
        return _Zlib(_WBITS[name])
    raise problems.EncodingUnknown
