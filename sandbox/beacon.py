"""A drand network of one: its key, its chain hash, and what it signs for a round.

The scheme is quicknet's (`bls-unchained-g1-rfc9380`): signatures on G1, the key on G2, the message is SHA-256 of the round.
The key follows from the sandbox's seed, like all its secrets, so a restart keeps the chain, and several sandboxes of one seed
are relays of one network. Who knows the seed knows every number to come: never for items that are worth something.
"""

import hashlib
from functools import cached_property, lru_cache
from typing import Any, Final

from sandbox.settings import SandboxSettings

SCHEME: Final = "bls-unchained-g1-rfc9380"
BEACON_ID: Final = "sandbox"
TAG: Final = b"BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_NUL_"
ORDER: Final = 0x73EDA753299D7D483339D80809A1D80553BDA402FFFE5BFEFFFFFFFF00000001
G2_GENERATOR: Final = bytes.fromhex(
    "93e02b6052719f607dacd3a088274f65596bd0d09920b61ab5da61bbdc7f5049334cf11213945d57e5ac7d055d042b7e"
    "024aa2b2f08f0a91260805272dc51051c6e47ad4fa403b02b4510b647ae3d1770bac0326a805bbefd48056c8c121bdb8"
)
KEPT: Final = 1024
"""Signatures that are not made a second time."""


class Network:
    """What does not change while the sandbox runs. Nothing is computed before it is asked for: the library loads then."""

    def __init__(self, settings: SandboxSettings) -> None:
        self.period_s = settings.beacon_period_s
        self.genesis = settings.beacon_genesis_time
        self._secret = _secret(f"beacon/{settings.seed}")
        self._forger = _secret(f"beacon/{settings.seed}/forger")

    @cached_property
    def public_key(self) -> bytes:
        """The point of G2, 96 bytes compressed."""
        made: bytes = _blst().BlstP2Element().uncompress(G2_GENERATOR).scalar_mul(self._secret).compress()
        return made

    @cached_property
    def group_hash(self) -> bytes:
        """Of the group of signers, which here is one; drand gives it as the seed of the genesis."""
        return hashlib.sha256(b"a group of one" + self.public_key).digest()

    @cached_property
    def chain_hash(self) -> str:
        """As drand makes it (`common/chain/info.go`, Hash): period, genesis, key, group hash, and the id unless "default"."""
        numbers = self.period_s.to_bytes(4, "big") + self.genesis.to_bytes(8, "big")
        return hashlib.sha256(numbers + self.public_key + self.group_hash + BEACON_ID.encode()).hexdigest()

    def round_at(self, unix: float) -> int:
        """The last round that is public at a time, 0 before the genesis."""
        return max(0, int((unix - self.genesis) // self.period_s) + 1)

    def time_of(self, number: int) -> int:
        """The unix second at which a round becomes public."""
        return self.genesis + (number - 1) * self.period_s

    def signature(self, number: int) -> bytes:
        """What the network signs for a round: 48 bytes, the same at each call."""
        return _signature(self._secret, number)

    def forged(self, number: int) -> bytes:
        """A signature that is good in everything but its key."""
        return _signature(self._forger, number)


def randomness(signature: bytes) -> bytes:
    return hashlib.sha256(signature).digest()


def _secret(text: str) -> int:
    return int.from_bytes(hashlib.sha512(text.encode()).digest(), "big") % (ORDER - 1) + 1


@lru_cache(KEPT)
def _signature(secret: int, number: int) -> bytes:
    message = hashlib.sha256(number.to_bytes(8, "big")).digest()
    made: bytes = _blst().BlstP1Element().hash_to_group(message, TAG).scalar_mul(secret).compress()
    return made


def _blst() -> Any:
    """Loaded at the first use: a sandbox that nobody asks for a beacon starts without it."""
    import pyblst

    return pyblst
