"""Bodies of requests: read and unpacked in steps, never more of either than is taken, and not for ever.

Nobody calls this before the sender has shown that they may send something (`balancer.web.api`). A packed body costs no more
than what we would take unpacked: the steps end with the first byte too many.
"""

from __future__ import annotations

import asyncio
from urllib.parse import parse_qsl

from aiohttp import web

from balancer import unpacking
from balancer.web import problems
from shared.errors import InvalidRequest

FORM_MAX = 4096
FIELDS_MAX = 20


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
    except unpacking.BROKEN:
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
    return dict(await read_pairs(request, within_s, FORM_MAX, FIELDS_MAX))


async def read_pairs(request: web.Request, within_s: float, most: int, fields: int) -> list[tuple[str, str]]:
    """The fields of a form of at most ``most`` bytes and ``fields`` fields, in order; errors as of `read_form`."""
    if request.headers.get("Content-Encoding", "") not in unpacking.IDENTITY or (request.charset or "utf-8").lower() != "utf-8":
        raise ValueError("a form is plain UTF-8")
    text = (await read(request, most, within_s)).decode()
    return parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=fields)


def _unpacker(encoding: str) -> unpacking.Zlib | unpacking.Brotli | None:
    try:
        return unpacking.unpacker(encoding)
    except unpacking.Unknown:
        raise problems.EncodingUnknown from None
