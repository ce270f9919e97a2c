"""An item's certificate: what Steam says of an asset in property 6, which the game's inspect link carries too. Pure.

Since 2026 ``asset_properties`` has for each CS2 asset a text of hexadecimal digits: one byte, the *key*, and behind it, each
byte xored with the key, the message ``CEconItemPreviewDataBlock`` (cstrike15_gcmessages.proto) and four bytes that check it:
``(crc & 0xffff) ^ (length * crc)``, of the CRC-32 over the key and the message. Steam publishes none of this; six texts made
by Steam, found in public repositories, all read and check so (``docs/decisions/0024-which-phase-a-copy-has.md``).

Money follows from what is read here. So it is read in one way only: what has another shape, fails the check, tells a field
twice or is another asset's says nothing.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator

# A weapon with five stickers, a charm and a name has about 300 bytes.
DIGITS_MAX = 4096
_DIGITS = re.compile(r"(?:[0-9A-F]{2}){6,}")
_CHECK_BYTES = 4
# Fields of the message.
_ITEM_ID, _PAINT_INDEX, _PAINT_SEED = 2, 4, 8
# How a field is written: as a varint, in eight bytes, with its length before it, in four bytes.
_VARINT, _EIGHT, _TEXT, _FOUR = 0, 1, 2, 5
_VARINT_BYTES = 10


class _Unknown(Exception):
    """It has another shape."""


def paint_index(text: str | None, asset_id: str, pattern: str | None) -> int | None:
    """The number of the paint of this asset; ``None`` if that is not known for certain.

    ``pattern`` is what property 1 says, if anything: the certificate must say the same.
    """
    try:
        numbers = _numbers(_message(text or ""))
    except _Unknown:
        return None
    if numbers.get(_ITEM_ID) != int(asset_id) or (pattern is not None and str(numbers.get(_PAINT_SEED)) != pattern):
        return None
    return numbers.get(_PAINT_INDEX)


def _message(text: str) -> bytes:
    """The message, checked. Raises: _Unknown."""
    if len(text) > DIGITS_MAX or not _DIGITS.fullmatch(text):
        raise _Unknown
    sealed = bytes.fromhex(text)
    key = sealed[0]
    message = bytes(byte ^ key for byte in sealed[1:-_CHECK_BYTES])
    crc = zlib.crc32(bytes([key]) + message)
    check = ((crc & 0xFFFF) ^ (len(message) * crc)) & 0xFFFFFFFF
    if bytes(byte ^ key for byte in sealed[-_CHECK_BYTES:]) != check.to_bytes(_CHECK_BYTES, "big"):
        raise _Unknown
    return message


def _numbers(message: bytes) -> dict[int, int]:
    """The fields that are numbers, by their own number; all others are passed over, if they are whole. Raises: _Unknown."""
    numbers: dict[int, int] = {}
    seen: set[int] = set()
    for field, value in _fields(message):
        if field in (_ITEM_ID, _PAINT_INDEX, _PAINT_SEED) and (field in seen or value is None):
            raise _Unknown
        seen.add(field)
        if value is not None:
            numbers[field] = value
    return numbers


def _fields(message: bytes) -> Iterator[tuple[int, int | None]]:
    """Each field with its number, ``None`` for what is no varint. Raises: _Unknown."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        field, kind = tag >> 3, tag & 7
        value: int | None = None
        if kind == _VARINT:
            value, at = _varint(message, at)
        elif kind == _TEXT:
            length, at = _varint(message, at)
            at += length
        elif kind in (_EIGHT, _FOUR):
            at += 8 if kind == _EIGHT else 4
        else:
            raise _Unknown
        if field == 0 or at > len(message):
            raise _Unknown
        yield field, value


def _varint(message: bytes, at: int) -> tuple[int, int]:
    """A number and where it ends. Raises: _Unknown."""
    number = 0
    for count in range(_VARINT_BYTES):
        if at + count >= len(message):
            break
        byte = message[at + count]
        number |= (byte & 0x7F) << 7 * count
        if byte < 0x80:
            if number >= 2**64:
                break
            return number, at + count + 1
    raise _Unknown
