"""Where a round's number comes from: the modes of entropy, drand chains by their hash, which beacon decides, and its proof.

A room names its source in its rules, and never falls back from one to another. Which beacon decides follows from the moment
of the close alone. What is checked here is the form of a proof; that a signature is the network's own, or a block Bitcoin's,
is for the checking function that `rounds.apply` is given (`lottery.proofs` has one).
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

from lottery import encoding
from lottery.encoding import U32, U64
from lottery.errors import Refused

NONE, DRAND, BLOCK, MANUAL_MIXED, MANUAL_DIRECT = range(5)
VOID_SOURCE = "void"
BITCOIN = "bitcoin"
HEADER_BYTES = 80
HEIGHT_DIGITS_MAX = 9
CHAIN_HASH_DIGITS = 64


class Scheme(NamedTuple):
    """How a drand network signs. Its signatures are of the other group than its key; `chained` ones sign the last one too."""

    key_bytes: int
    signature_bytes: int
    chained: bool


SCHEMES: Mapping[str, Scheme] = {
    "pedersen-bls-chained": Scheme(48, 96, True),
    "pedersen-bls-unchained": Scheme(48, 96, False),
    "bls-unchained-g1-rfc9380": Scheme(96, 48, False),
}
"""The names that drand itself gives them in /info. The deprecated `bls-unchained-on-g1` hashes with the wrong tag: left out."""


class Network(NamedTuple):
    """A drand network: its chain hash pins key, period and genesis. Times in unix seconds."""

    chain_hash: str
    genesis: int
    period: int
    signature_bytes: int
    chained: bool


NETWORKS = {
    "quicknet": Network("52db9ba70e0cc0f6eaf7803dd07447a1f5477735fd3f661792ba94600c84e971", 1692803367, 3, 48, False),
    "default": Network("8990e7a9aaed2ffed73dbd7092123d6f289930540d7651336225dc172e51b2ce", 1595431050, 30, 96, True),
}
"""The networks that a room may name by a word. Source: drand's /info pages."""


@dataclass(frozen=True, slots=True)
class BeaconTerms:
    """A drand network that a room names by its hash: everything that the hash is made of, and the scheme. Bytes are hex."""

    scheme: str
    public_key: str
    period: int
    genesis: int
    group_hash: str
    beacon_id: str

    @property
    def chain_hash(self) -> str:
        """drand's own: SHA-256 over period, genesis, key, group hash and, unless it is "default", the beacon id."""
        named = b"" if self.beacon_id == "default" else self.beacon_id.encode()
        key, group = bytes.fromhex(self.public_key), bytes.fromhex(self.group_hash)
        return hashlib.sha256(U32(self.period) + U64(self.genesis) + key + group + named).hexdigest()

    @property
    def network(self) -> Network:
        scheme = SCHEMES[self.scheme]
        return Network(self.chain_hash, self.genesis, self.period, scheme.signature_bytes, scheme.chained)

    def plain(self) -> dict[str, Any]:
        """As JSON values."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


class EntropyMode(NamedTuple):
    """How a room gets its entropy: `code` as in the close record, `chain` the word or hash of a drand network.

    It `waits` for a source after the close; in `manual` ones numbers are typed.
    """

    code: int
    chain: str | None
    waits: bool
    manual: bool


_FIXED: Mapping[str, EntropyMode] = {
    "none": EntropyMode(NONE, None, False, False),
    "block:bitcoin": EntropyMode(BLOCK, None, True, False),
    "manual:direct": EntropyMode(MANUAL_DIRECT, None, False, True),
}
_OF_A_CHAIN = {"drand:": (DRAND, False), "manual:mixed:": (MANUAL_MIXED, True)}


def entropy_mode(name: str) -> EntropyMode:
    """The mode behind a room's `entropy`. Raises KeyError for an unknown one; rooms are checked at load."""
    if name in _FIXED:
        return _FIXED[name]
    for prefix, (code, manual) in _OF_A_CHAIN.items():
        chain = name.removeprefix(prefix)
        if chain != name and (chain in NETWORKS or is_chain_hash(chain)):
            return EntropyMode(code, chain, True, manual)
    raise KeyError(name)


def is_chain_hash(text: str) -> bool:
    """Whether this is a hash of 32 bytes in lower-case hex."""
    return len(text) == CHAIN_HASH_DIGITS and not set(text) - set("0123456789abcdef")


# ---- which beacon


class Source(NamedTuple):
    """What decides: mode, name and beacon as in the close record, and when that comes at the earliest (unix ms)."""

    mode: int
    name: str
    number: int
    time_ms: int | None


def source_of(mode: EntropyMode, network: Network | None, close_ms: int, margin_s: int) -> Source:
    """Which beacon decides. Computed from the close alone, never chosen."""
    after_s = close_ms // 1000 + margin_s
    if network is not None:
        number = round_at(network, after_s) + 1
        return Source(mode.code, network.chain_hash, number, round_time_ms(network, number))
    if mode.code == BLOCK:
        return Source(mode.code, BITCOIN, after_s, after_s * 1000)
    return Source(mode.code, "", 0, None)


def round_at(network: Network, second: int) -> int:
    """The round of a drand network that is current at a unix second; its successor is later than that second."""
    return (second - network.genesis) // network.period + 1


def round_time_ms(network: Network, number: int) -> int:
    """When a round of a drand network becomes public, unix ms."""
    return (network.genesis + (number - 1) * network.period) * 1000


# ---- proofs


class Claim(NamedTuple):
    """What a checking function is asked: that this is the beacon of that source.

    `terms` where the rules name a chain by its hash.
    """

    source: str
    source_round: int
    entropy: bytes
    proof: Mapping[str, str]
    terms: BeaconTerms | None


Check = Callable[[Claim], bool]
"""True when the proof proves the claim. Whatever else it answers or raises as ValueError is a no."""


def check_form(network: Network | None, source_round: int, entropy: bytes, proof: Mapping[str, str]) -> None:
    """That the entropy follows from its proof. Raises Refused("entropy_proof", because=…) otherwise.

    For drand this shows that the entropy is the hash of a signature of the right length; for a block the hash and the time.
    """
    try:
        if network is not None:
            _check_signature(network, entropy, proof)
        else:
            _check_header(source_round, entropy, proof)
    except ValueError as error:
        raise Refused("entropy_proof", because=str(error)) from error


def _check_signature(network: Network, entropy: bytes, proof: Mapping[str, str]) -> None:
    keys = {"signature", "previous"} if network.chained else {"signature"}
    if set(proof) != keys:
        raise ValueError(f"a proof of this network has {', '.join(sorted(keys))}")
    signature = encoding.unhex(proof["signature"], network.signature_bytes)
    if network.chained:
        encoding.unhex(proof["previous"], None)
    if hashlib.sha256(signature).digest() != entropy:
        raise ValueError("the entropy is not the hash of the signature")


def _check_header(after_s: int, entropy: bytes, proof: Mapping[str, str]) -> None:
    if set(proof) != {"header", "height"}:
        raise ValueError("a proof of a block has header, height")
    header, height = encoding.unhex(proof["header"], HEADER_BYTES), proof["height"]
    if not (height.isascii() and height.isdigit() and str(int(height[:HEIGHT_DIGITS_MAX])) == height):
        raise ValueError("the height is no number")
    if hashlib.sha256(hashlib.sha256(header).digest()).digest() != entropy:
        raise ValueError("the entropy is not the hash of the header")
    if int.from_bytes(header[68:72], "little") <= after_s:
        raise ValueError(f"the block is not later than {after_s}")
