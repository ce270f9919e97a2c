"""Bytes that every hash of the scheme is made of: fixed widths, lengths and tags, so that no two inputs share an encoding.

The names are those of the recipe (docs/record-format.md): `U8`, `U32`, `U64` are big-endian integers, `LP` is bytes behind
their length, `S` is a text behind its length, `TAG` names the purpose of a hash. Published bytes are lower-case hex.
"""

import hashlib
import hmac
import json
from functools import cache
from typing import Any

HASH_BYTES = 32
U64_MAX = 2**64 - 1
ZERO_HASH = bytes(HASH_BYTES)


def U8(value: int) -> bytes:
    """One byte. Raises OverflowError outside 0 … 255."""
    return value.to_bytes(1, "big")


def U32(value: int) -> bytes:
    """Four bytes. Raises OverflowError outside 0 … 2^32-1."""
    return value.to_bytes(4, "big")


def U64(value: int) -> bytes:
    """Eight bytes. Raises OverflowError outside 0 … 2^64-1."""
    return value.to_bytes(8, "big")


def LP(data: bytes) -> bytes:
    """Bytes behind their own length in four bytes."""
    return len(data).to_bytes(4, "big") + data


def S(text: str) -> bytes:
    """A text in UTF-8 behind its length."""
    return LP(text.encode())


@cache
def TAG(text: str) -> bytes:
    """An ASCII word behind its length in one byte. Raises UnicodeEncodeError when it is not ASCII."""
    return U8(len(text)) + text.encode("ascii")


def sha256(*parts: bytes) -> bytes:
    """SHA-256 of the parts glued together; the parts carry their own lengths."""
    return hashlib.sha256(b"".join(parts)).digest()


def hmac_sha256(key: bytes, *parts: bytes) -> bytes:
    """HMAC-SHA256 of the parts glued together."""
    return hmac.digest(key, b"".join(parts), "sha256")


_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False, check_circular=False)


def canonical_json(value: Any) -> bytes:
    """UTF-8, keys sorted, no blanks, integers only. Raises ValueError for a float, TypeError for what JSON has no word for.

    >>> canonical_json({"b": 1, "a": None})
    b'{"a":null,"b":1}'
    """
    text = _ENCODER.encode(value)
    if "." in text or "+" in text or ("-" in text and "e-" in text):
        _refuse_floats(value)
    return text.encode()


def _refuse_floats(value: Any) -> None:
    """Called only when the text could hold a number with a fraction or an exponent: a dot may also stand in a name."""
    if isinstance(value, float):
        raise ValueError(f"canonical JSON has integers only, not {value!r}")
    if isinstance(value, dict):
        for inner in value.values():
            _refuse_floats(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            _refuse_floats(inner)


def unhex(text: str, length: int | None = HASH_BYTES) -> bytes:
    """Bytes from lower-case hex, of one length only. Raises ValueError for capitals, blanks, or another length."""
    data = bytes.fromhex(text)
    if data.hex() != text:
        raise ValueError(f"not lower-case hex: {text!r}")
    if length is not None and len(data) != length:
        raise ValueError(f"expected {length} bytes of hex, got {len(data)}")
    return data
