"""A beacon of a drand chain, and who is asked for it.

Whoever drives rounds asks a `Source` for the beacon that a close names. A source gives only what was checked: a signature that
is not the chain's own is no beacon. `relays.Relays` is the source of the real program.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from lottery import drand


@dataclass(frozen=True, slots=True)
class Beacon:
    """One round of a chain. `previous` is the signature before it, and empty on chains whose rounds stand alone."""

    round_number: int
    signature: bytes
    previous: bytes = b""

    @property
    def entropy(self) -> bytes:
        """The 32 bytes that it gives."""
        return drand.randomness(self.signature)

    @property
    def proof(self) -> Mapping[str, str]:
        """As the event `Entropy` carries it."""
        proof = {"signature": self.signature.hex()}
        return proof | {"previous": self.previous.hex()} if self.previous else proof


class Source(Protocol):
    """Where beacons of one chain come from."""

    async def fetch(self, round_number: int) -> Beacon | None:
        """The checked beacon of a round; None while nobody has it, or nobody can be reached."""
        ...
