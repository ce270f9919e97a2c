"""Check a beacon of drand off line: one 32-byte chain hash pins key, period and genesis of the network that signed it.

`verify` checks the chain hash, the one canonical encoding of the signature, and the pairing: with `pyblst` (extra `drand`, a
millisecond) where it is installed, else in plain Python (`lottery.bls`, a fifth of a second).
"""

import importlib
import importlib.util
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256

from lottery import bls

FIELD = bls.P
"""A coordinate at or above it would be a second spelling of the same point."""
G1_BYTES, G2_BYTES = 48, 96
COMPRESSED, INFINITY, FLAGS = 0x80, 0x40, 0xE0
PLAIN = "plain Python"
KEPT = 256
"""Beacons whose signature is not checked a second time: many rounds can wait for the same one, and a replay asks again."""
TAG_G1 = b"BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_NUL_"
TAG_G2 = b"BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_NUL_"
G1_GENERATOR = bytes.fromhex("97f1d3a73197d7942695638c4fa9ac0fc3688c4f9774b905a14e3a3f171bac586c55e83ff97a1aeffb3af00adb22c6bb")
G2_GENERATOR = bytes.fromhex(
    "93e02b6052719f607dacd3a088274f65596bd0d09920b61ab5da61bbdc7f5049334cf11213945d57e5ac7d055d042b7e"
    "024aa2b2f08f0a91260805272dc51051c6e47ad4fa403b02b4510b647ae3d1770bac0326a805bbefd48056c8c121bdb8"
)


class BadBeacon(ValueError):
    """This is not what the named network signed for the named round."""


@dataclass(frozen=True)
class Chain:
    """One drand network; `name` is its beacon id. `chained` networks sign the previous signature too.

    Signatures are of the other group than the key.
    """

    name: str
    hash: str
    public_key: bytes
    period_s: int
    genesis_s: int
    group_hash: bytes
    chained: bool

    @property
    def signs_on_g1(self) -> bool:
        return len(self.public_key) == G2_BYTES


QUICKNET = Chain(
    name="quicknet",
    hash="52db9ba70e0cc0f6eaf7803dd07447a1f5477735fd3f661792ba94600c84e971",
    public_key=bytes.fromhex(
        "83cf0f2896adee7eb8b5f01fcad3912212c437e0073e911fb90022d3e760183c8c4b450b6a0a6c3ac6a5776a2d106451"
        "0d1fec758c921cc22b0e17e63aaf4bcb5ed66304de9cf809bd274ca73bab4af5a6e9c76a4bc09e76eae8991ef5ece45a"
    ),
    period_s=3,
    genesis_s=1692803367,
    group_hash=bytes.fromhex("f477d5c89f21a17c863a7f937c6a6d15859414d2be09cd448d4279af331c5d3e"),
    chained=False,
)
DEFAULT = Chain(
    name="default",
    hash="8990e7a9aaed2ffed73dbd7092123d6f289930540d7651336225dc172e51b2ce",
    public_key=bytes.fromhex(
        "868f005eb8e6e4ca0a47c8a77ceaa5309a47978a7c71bc5cce96366b5d7a569937c529eeda66c7293784a9402801af31"
    ),
    period_s=30,
    genesis_s=1595431050,
    group_hash=bytes.fromhex("176f93498eac9ca337150b46d21dd58673ea4e3581185f869672e59fa4cb390a"),
    chained=True,
)
CHAINS = {chain.hash: chain for chain in (QUICKNET, DEFAULT)}


def chain_hash(chain: Chain) -> str:
    """SHA-256 over everything that makes the network what it is, in hex; the beacon id is left out for "default"."""
    beacon_id = b"" if chain.name == "default" else chain.name.encode()
    numbers = chain.period_s.to_bytes(4, "big") + chain.genesis_s.to_bytes(8, "big")
    return sha256(numbers + chain.public_key + chain.group_hash + beacon_id).hexdigest()


def round_at(chain: Chain, unix_s: int) -> int:
    """The round that is current at `unix_s`. Raises: BadBeacon before the network's genesis."""
    if unix_s < chain.genesis_s:
        raise BadBeacon(f"{unix_s} is before the genesis of {chain.name}")
    return (unix_s - chain.genesis_s) // chain.period_s + 1


def time_of(chain: Chain, round_number: int) -> int:
    """The unix second at which a round becomes public."""
    return chain.genesis_s + (round_number - 1) * chain.period_s


def randomness(signature: bytes) -> bytes:
    """The 32 bytes that a beacon gives: the hash of its signature."""
    return sha256(signature).digest()


def message(chain: Chain, round_number: int, previous: bytes) -> bytes:
    """What the network signs for a round. `previous` is the signature before it, empty on unchained networks.

    Round 1 of a chained network follows the group hash, so only there `previous` has 32 bytes.
    """
    if round_number < 1:
        raise BadBeacon("rounds are numbered from 1")
    expected = 0 if not chain.chained else 32 if round_number == 1 else G2_BYTES
    if len(previous) != expected:
        raise BadBeacon(f"the previous signature has {len(previous)} bytes, {expected} are due")
    return sha256(previous + round_number.to_bytes(8, "big")).digest()


def verify(chain: Chain, round_number: int, signature: bytes, previous: bytes = b"") -> str:
    """Check one beacon; the answer is what computed the pairing, "pyblst" or "plain Python".

    Raises: BadBeacon for a wrong round, point at infinity, second encoding, point outside the subgroup or wrong length.
    """
    if chain_hash(chain) != chain.hash:
        raise BadBeacon("key, period and genesis do not give the chain hash")
    signed = message(chain, round_number, previous)
    check_encoding(signature, G1_BYTES if chain.signs_on_g1 else G2_BYTES)
    package, holds = _pairing(chain, signed, signature)
    if not holds:
        raise BadBeacon(f"not the signature of {chain.name} for round {round_number}")
    return package


@lru_cache(KEPT)
def _pairing(chain: Chain, signed: bytes, signature: bytes) -> tuple[str, bool]:
    if importlib.util.find_spec("pyblst") is not None:
        return "pyblst", _holds_in_pyblst(chain, signed, signature)
    return PLAIN, _holds_in_plain_python(chain, signed, signature)


def check_encoding(point: bytes, length: int) -> None:
    """Refuse every spelling of a point but the one compressed form, and the point at infinity."""
    if len(point) != length:
        raise BadBeacon(f"the signature has {len(point)} bytes, {length} are due")
    if not point[0] & COMPRESSED:
        raise BadBeacon("the signature is not in compressed form")
    if point[0] & INFINITY:
        raise BadBeacon("the signature is the point at infinity")
    halves = [bytes([point[0] & ~FLAGS]) + point[1:G1_BYTES], point[G1_BYTES:]]
    if any(int.from_bytes(half, "big") >= FIELD for half in halves):
        raise BadBeacon("a coordinate of the signature is not canonical")


def _holds_in_pyblst(chain: Chain, signed: bytes, signature: bytes) -> bool:
    """e(signature, generator) = e(hash, key); pyblst checks the subgroup when it decompresses."""
    blst = importlib.import_module("pyblst")
    g1, g2 = blst.BlstP1Element(), blst.BlstP2Element()
    try:
        if chain.signs_on_g1:
            left = blst.miller_loop(g1.uncompress(signature), g2.uncompress(G2_GENERATOR))
            right = blst.miller_loop(g1.hash_to_group(signed, TAG_G1), g2.uncompress(chain.public_key))
        else:
            left = blst.miller_loop(g1.uncompress(G1_GENERATOR), g2.uncompress(signature))
            right = blst.miller_loop(g1.uncompress(chain.public_key), g2.hash_to_group(signed, TAG_G2))
    except ValueError as error:
        raise BadBeacon(f"signature or key is not a point of the group: {error}") from error
    return bool(blst.final_verify(left, right))


def _holds_in_plain_python(chain: Chain, signed: bytes, signature: bytes) -> bool:
    """The same equation: e(signature, generator) / e(hash, key) = 1."""
    try:
        if chain.signs_on_g1:
            at = (bls.decompress(bls.G1, signature), bls.hash_to(bls.G1, signed, TAG_G1))
            around = (bls.decompress(bls.G2, G2_GENERATOR), bls.decompress(bls.G2, chain.public_key))
        else:
            at = (bls.decompress(bls.G1, G1_GENERATOR), bls.decompress(bls.G1, chain.public_key))
            around = (bls.decompress(bls.G2, signature), bls.hash_to(bls.G2, signed, TAG_G2))
    except ValueError as error:
        raise BadBeacon(f"signature or key is not a point of the group: {error}") from error
    return bls.product_is_one([(bls.negative(at[0]), around[0]), (at[1], around[1])])
