"""A checking function for `rounds.apply`: that a beacon is drand's own, or a block what it says it is.

It shows that a signature was made with the key behind the chain's hash, and that a header's hash lies under the target that it
names. Whether a block is of Bitcoin's chain, and the first one after the named moment, only a node can tell: who runs rounds on
blocks asks one as well, in a checking function of their own.
"""

import hashlib

from lottery import drand
from lottery.sources import BITCOIN, SCHEMES, BeaconTerms, Claim

EASIEST_TARGET = 0xFFFF << 208
"""That of difficulty 1."""


def check(claim: Claim) -> bool:
    """True for a beacon that is proven. Raises ValueError saying why for one that is not."""
    if claim.source == BITCOIN:
        return under_target(bytes.fromhex(claim.proof["header"]))
    chain = drand.CHAINS.get(claim.source) or _by_terms(claim.source, claim.terms)
    signature, previous = (bytes.fromhex(claim.proof.get(part, "")) for part in ("signature", "previous"))
    drand.verify(chain, claim.source_round, signature, previous)
    return drand.randomness(signature) == claim.entropy


def _by_terms(source: str, terms: BeaconTerms | None) -> drand.Chain:
    if terms is None:
        raise ValueError(f"no terms of chain {source}")
    key, group = bytes.fromhex(terms.public_key), bytes.fromhex(terms.group_hash)
    chained = SCHEMES[terms.scheme].chained
    return drand.Chain(terms.beacon_id, source, key, terms.period, terms.genesis, group, chained)


def under_target(header: bytes) -> bool:
    """Whether a block's hash lies under the target in its header, and that target is one that Bitcoin can have."""
    size, mantissa = header[75], int.from_bytes(header[72:75], "little")
    target = mantissa << 8 * (size - 3) if size >= 3 else mantissa >> 8 * (3 - size)
    if mantissa >= 1 << 23 or not 0 < target <= EASIEST_TARGET:
        return False
    digest = hashlib.sha256(hashlib.sha256(header).digest()).digest()
    return int.from_bytes(digest, "little") <= target
