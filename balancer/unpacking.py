"""Packed bodies unpacked in small steps, so that whoever takes them can stop with the first byte too many."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

import brotli

STEP = 16 * 1024
IDENTITY = ("", "identity")
# What an unpacker raises when the bytes are not packed as they should be.
BROKEN = (zlib.error, brotli.error)

_WBITS = {"gzip": 16 + zlib.MAX_WBITS, "x-gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}


class Unknown(ValueError):
    """It is packed in a way that we do not know."""


class Zlib:
    def __init__(self, wbits: int) -> None:
        self._unpacker = zlib.decompressobj(wbits)

    def steps(self, piece: bytes) -> Iterator[bytes]:
        """What this piece unpacks to, at most `STEP` bytes at a time. Raises: `BROKEN`."""
        while piece and not self._unpacker.eof:
            yield self._unpacker.decompress(piece, STEP)
            piece = self._unpacker.unconsumed_tail
        if piece:
            raise zlib.error("something follows")

    @property
    def whole(self) -> bool:
        return self._unpacker.eof and not self._unpacker.unused_data


class Brotli:
    def __init__(self) -> None:
        self._unpacker = brotli.Decompressor()

    def steps(self, piece: bytes) -> Iterator[bytes]:
        """What this piece unpacks to, some tens of kilobytes at a time. Raises: `BROKEN`."""
        part = self._unpacker.process(piece, output_buffer_limit=STEP)
        while part or not self._unpacker.can_accept_more_data():
            yield part
            part = b"" if self._unpacker.is_finished() else self._unpacker.process(b"", output_buffer_limit=STEP)

    @property
    def whole(self) -> bool:
        return bool(self._unpacker.is_finished())


def unpacker(encoding: str) -> Zlib | Brotli | None:
    """By a Content-Encoding; ``None`` for a body that is not packed. Each is used for one body.

    Raises:
        Unknown.
    """
    name = encoding.strip().lower()
    if name in IDENTITY:
        return None
    if name == "br":
        return Brotli()
    if name in _WBITS:
        return Zlib(_WBITS[name])
    raise Unknown
