"""The certificate of an item, property 6 of an asset: the game's own message about it, in hexadecimal digits.

One byte, the key; then, each byte xored with it, ``CEconItemPreviewDataBlock`` (cstrike15_gcmessages.proto) and four bytes
that check key and message. As in texts that Steam made: ianlucas/cs2-lib-inspect, VlyDev/cs2-masked-inspect-php.
"""

import struct
import zlib

from sandbox.world.items import Item

RARITIES = ("Common", "Uncommon", "Rare", "Mythical", "Legendary", "Ancient", "Immortal")
QUALITIES = {"unusual": 3, "normal": 4, "strange": 9, "tournament": 12}
ORIGIN_DROPPED = 8


def certificate(item: Item) -> str:
    """Of an item as it lies there now: with its present asset id."""
    kind = item.kind
    rarity = next((n for n, word in enumerate(RARITIES, 1) if f"_{word}" in kind.rarity_tag), 0)
    message = _number(2, item.asset_id) + _number(3, kind.def_index) + _number(4, kind.paint_index)
    message += _number(5, rarity) + _number(6, QUALITIES[kind.quality])
    if item.wear is not None and item.pattern is not None:
        message += _number(7, int.from_bytes(struct.pack(">f", float(item.wear)), "big")) + _number(8, item.pattern)
    if kind.quality == "strange":
        message += _number(9, 0) + _number(10, 0)
    if item.name_tag is not None:
        name = item.name_tag.encode()
        message += _varint(11 << 3 | 2) + _varint(len(name)) + name
    message += _number(13, 1) + _number(14, ORIGIN_DROPPED)
    key = 1 + item.asset_id % 255
    crc = zlib.crc32(bytes([key]) + message)
    check = ((crc & 0xFFFF) ^ (len(message) * crc)) & 0xFFFFFFFF
    return bytes(byte ^ key for byte in b"\0" + message + check.to_bytes(4, "big")).hex().upper()


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _varint(value: int) -> bytes:
    parts = []
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*parts, value])
