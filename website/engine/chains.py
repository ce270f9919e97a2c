"""Chains of secrets: made, sealed with a key that only engines have, and opened one secret at a time.

What stands in the database is ciphertext (AES-256-GCM, bound to its lane, chain and place). Who reads the database without the
key learns no secret; who has the key and no database learns none either.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from lottery import commitments, encoding
from lottery.commitments import Link

from website import sealing
from website.engine.models import Chain, ChainPoint

POINT_EVERY = 1024


ChainKeyError = sealing.SealError
"""The key opens nothing here: it is another one, or the table was tampered with."""


class ChainKey(sealing.Key):
    """Seals values of chains. Its bytes are in no repr."""

    called = "chain key"


def _about(lane: str, first_round: int, place: int) -> str:
    return f"{lane}:{first_round}:{place}"


@dataclass
class Chains:
    """The chains of all lanes, for whoever has the key. `length` is how many rounds a new one lasts."""

    key: ChainKey
    length: int
    _parts: dict[tuple[int, int], list[bytes]] = field(default_factory=dict)

    def make(self, lane: str, first_round: int, now_ms: int) -> Chain:
        """A new chain, to be committed with the event that binds its anchor."""
        values = commitments.chain(lane, self.key.random(encoding.HASH_BYTES), self.length)
        row = Chain.objects.create(
            lane=lane,
            first_round=first_round,
            length=self.length,
            anchor=values[0],
            last_sealed=self.key.seal(values[-1], _about(lane, first_round, self.length)),
            made_ms=now_ms,
        )
        ChainPoint.objects.bulk_create(
            ChainPoint(chain=row, place=place, sealed=self.key.seal(values[place], _about(lane, first_round, place)))
            for place in range(POINT_EVERY, self.length, POINT_EVERY)
        )
        return row

    def of(self, lane: str, number: int) -> Chain:
        """The chain that has the secret of a round. Raises Chain.DoesNotExist."""
        rows = Chain.objects.filter(lane=lane, first_round__lte=number).order_by("-first_round")
        row = rows.first()
        if row is None or number > last_round(row):
            raise Chain.DoesNotExist(f"no chain of {lane} has a secret for round {number}")
        return row

    def prove(self, row: Chain) -> None:
        """That the key opens this chain. Raises ChainKeyError."""
        self.key.open(bytes(row.last_sealed), _about(row.lane, row.first_round, row.length))

    def secret(self, lane: str, number: int) -> bytes:
        row = self.of(lane, number)
        return self._value(row, number - row.first_round + 1)

    def link(self, lane: str, number: int) -> Link:
        """Where a round hangs."""
        row = self.of(lane, number)
        place = number - row.first_round
        return Link(bytes(row.anchor) if not place else self._value(row, place), last_round(row))

    def _value(self, row: Chain, place: int) -> bytes:
        """The value of a place, found by stepping back from the next sealed one; the steps are kept for the places before."""
        top = min(-(-place // POINT_EVERY) * POINT_EVERY, row.length)
        kept = self._parts.get((row.id, top))
        if kept is None:
            kept = self._parts[row.id, top] = self._part(row, top)
        return kept[top - place]

    def _part(self, row: Chain, top: int) -> list[bytes]:
        sealed = row.last_sealed if top == row.length else row.points.get(place=top).sealed
        values = [self.key.open(bytes(sealed), _about(row.lane, row.first_round, top))]
        for _ in range((top - 1) % POINT_EVERY):
            values.append(commitments.chain_step(row.lane, values[-1]))
        return values


def last_round(row: Chain) -> int:
    return row.first_round + row.length - 1
