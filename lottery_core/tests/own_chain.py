"""A drand chain whose key we hold: real signatures for any round, so that a room can name a chain that nobody knows."""

import hashlib
from functools import cache

from lottery import bls, drand
from lottery.sources import BeaconTerms

SECRET = int.from_bytes(hashlib.sha256(b"the key of a test chain").digest(), "big") % bls.R
PERIOD, GENESIS = 3, 1_600_000_000
GROUP_HASH = hashlib.sha256(b"a group of one").digest()


def compressed(point: bls.Point, degree: int) -> bytes:
    """The one encoding of a point."""
    assert point is not None
    x, y = point
    parts = [x.a] if degree == 1 else [x.b, x.a]
    data = bytearray(b"".join(part.to_bytes(bls.COORDINATE_BYTES, "big") for part in parts))
    data[0] |= bls.COMPRESSED | (bls.GREATER if y.greater() else 0)
    return bytes(data)


@cache
def public_key() -> bytes:
    return compressed(bls.multiply(bls.decompress(bls.G2, drand.G2_GENERATOR), SECRET), 2)


def terms(**changes: object) -> BeaconTerms:
    values = {
        "scheme": "bls-unchained-g1-rfc9380",
        "public_key": public_key().hex(),
        "period": PERIOD,
        "genesis": GENESIS,
        "group_hash": GROUP_HASH.hex(),
        "beacon_id": "test",
    }
    return BeaconTerms(**{**values, **changes})  # type: ignore[arg-type]


@cache
def signature(number: int) -> bytes:
    """What this chain signs for a round."""
    message = hashlib.sha256(number.to_bytes(8, "big")).digest()
    return compressed(bls.multiply(bls.hash_to(bls.G1, message, drand.TAG_G1), SECRET), 1)
