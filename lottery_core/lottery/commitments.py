"""The scheme by which anybody can check a round: commitments, seed chains, the log of bets, the close, the final value, the
seal.

Each function is one line of the recipe in docs/record-format.md. Hashes and secrets are 32 bytes; they come in as values, and
the only place where randomness is born is outside this package.
"""

import hashlib
import struct
from array import array
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from lottery import encoding
from lottery.encoding import HASH_BYTES, LP, TAG, U8, U32, U64, U64_MAX, S
from lottery.errors import Refused
from lottery.sources import VOID_SOURCE, Source

DECIMALS = 96
KEPT = 64
_SCALE = 10**DECIMALS


# ---- chain, salt and commitment


class Link(NamedTuple):
    """Where a round hangs on its lane's chain: the `value` before its secret, and the `last` round that the chain has a
    secret for.

    The value is the secret of the round before, or the anchor of a new chain.
    """

    value: bytes
    last: int


def chain_step(lane: str, value: bytes) -> bytes:
    """s[n-1] from s[n]."""
    return encoding.sha256(TAG("lot2.chain"), S(lane), value)


def chain(lane: str, last: bytes, length: int) -> list[bytes]:
    """s[0] … s[length] from the random last value; s[0] is the anchor to publish, s[n] the secret of the chain's n-th round.

    A chain is for one lane only, whose rounds do not overlap: each secret exposes all earlier ones.
    """
    values = [last]
    for _ in range(length):
        values.append(chain_step(lane, values[-1]))
    values.reverse()
    return values


def salt(lane: str, number: int, value_before: bytes) -> bytes:
    """The salt of a round: public from the start, and nobody's choice, for it follows from the chain."""
    return encoding.sha256(TAG("lot2.salt"), S(lane), U64(number), value_before)


def commit(lane: str, number: int, salted: bytes, secret: bytes) -> bytes:
    """What is shown before the first bet of round `number`; every field has a fixed place, so there is one opening only.

    Raises ValueError unless salt and secret have 32 bytes each: else bytes could move between them under the same hash.
    """
    if len(salted) != HASH_BYTES or len(secret) != HASH_BYTES:
        raise ValueError(f"salt and secret have {HASH_BYTES} bytes each, not {len(salted)} and {len(secret)}")
    return encoding.sha256(TAG("lot2.commit"), S(lane), U64(number), salted, secret)


def promise(lane: str, number: int, secret: bytes) -> bytes:
    """The commitment of a round from its secret alone: salt and all else follow from it."""
    return commit(lane, number, salt(lane, number, chain_step(lane, secret)), secret)


def check_secret(lane: str, number: int, commitment: bytes, value_before: bytes, secret: bytes) -> None:
    """Raises Refused("commitment" or "chain") unless the secret opens the commitment and is next on the lane's chain."""
    if len(secret) != HASH_BYTES:
        raise Refused("commitment")
    before = chain_step(lane, secret)
    if commit(lane, number, salt(lane, number, before), secret) != commitment:
        raise Refused("commitment")
    if before != value_before:
        raise Refused("chain")


# ---- the log


class Piece(NamedTuple):
    """An item of the house: a guarantee, or one of the small items it gives as change. `price` in cents."""

    deposit_id: int
    item_id: int
    price: int


def pieces_json(pieces: Iterable[Piece]) -> list[dict[str, int]]:
    """Pieces as the record has them."""
    return [{"deposit_id": each.deposit_id, "item_id": each.item_id, "price": each.price} for each in pieces]


_PIECE = '{"deposit_id":%d,"item_id":%d,"price":%d}'


@lru_cache(KEPT)
def _pieces_text(pieces: tuple[Piece, ...]) -> bytes:
    """Pieces, whose numbers are whole, as canonical JSON; those of a round are needed at its start and at its close."""
    return f"[{','.join(map(_PIECE.__mod__, pieces))}]".encode()


def house_hash(guarantees: tuple[Piece, ...], stock: tuple[Piece, ...]) -> bytes:
    """What the house puts in: prizes and guarantees, and the small items that it has for change."""
    told = b'{"guarantees":%b,"stock":%b}' % (_pieces_text(guarantees), _pieces_text(stock))
    return encoding.sha256(TAG("lot2.house"), LP(told))


def log_start(
    lane: str,
    number: int,
    commitment: bytes,
    rules_hash: bytes,
    prev_seal: bytes,
    link: Link,
    house: bytes,
    time_start: int | None,
) -> bytes:
    """L0: everything that is fixed before the first bet. `time_start` is None only where the game never began."""
    began = U8(0) if time_start is None else U8(1) + U64(time_start)
    bound = commitment + rules_hash + prev_seal + link.value + U64(link.last) + house
    return encoding.sha256(TAG("lot2.open"), S(lane), U64(number), bound, began)


LogItem = tuple[int, int, int, int, int, int, int]
"""What the log says of an item: bet, user, item, deposit, price, first ticket, number of tickets."""
_ITEM = struct.Struct(">10s32sIQQQQQQQBQI")
_pack = _ITEM.pack
_ITEM_TAG = TAG("lot2.item")


def log_items(log: bytes, number: int, items: Iterable[LogItem], team: int, time_ms: int, client_seed: bytes) -> list[bytes]:
    """The log value after each item of one bet; `number` is the place of the first one in the pot, from 1.

    Raises Refused("number") when one does not fit its field.
    """
    length, digest_of, logs = len(client_seed), hashlib.sha256, []
    try:
        for place, (bet, user, item, deposit, price, first, tickets) in enumerate(items, number):
            packed = _pack(_ITEM_TAG, log, place, bet, user, item, deposit, price, first, tickets, team, time_ms, length)
            log = digest_of(packed + client_seed).digest()
            logs.append(log)
    except struct.error as error:
        raise Refused("number", at_least=0, at_most=U64_MAX) from error
    return logs


def check_numbers(numbers: Iterable[int]) -> None:
    """Raises Refused("number") when one of them is a number that the record and its hashes have no place for."""
    try:
        array("Q", numbers)  # takes integers from 0 to 2^64-1 and no others
    except OverflowError as error:
        raise Refused("number", at_least=0, at_most=U64_MAX) from error


def log_manual(log: bytes, number: int, digits: str, time_ms: int, operators: tuple[int, int], evidence: str) -> bytes:
    """The log value after the typed number `number` (from 1)."""
    first, second = operators
    parts = (TAG("lot2.manual"), log, U32(number), S(digits), U64(time_ms), U64(first), U64(second), S(evidence))
    return encoding.sha256(*parts)


# ---- the close


class Rest(NamedTuple):
    """What a user still owes from an earlier round: which one, its seal, when it closed (unix ms), and cents at most."""

    room: str
    round: int
    seal: bytes
    close_ms: int
    cents: int


class Bound(NamedTuple):
    """What else the close fixes: the stock for change, who invited whom, and the rests of earlier rounds.

    Inviters (nearest first) and rests are by user, in the order of first bets; users without any are left out.
    """

    stock: tuple[Piece, ...] = ()
    inviters: tuple[tuple[int, tuple[int, ...]], ...] = ()
    rests: tuple[tuple[int, Rest], ...] = ()

    def text(self) -> bytes:
        """As canonical JSON."""
        return encoding.canonical_json(self._people())[:-1] + b',"stock":%b}' % _pieces_text(self.stock)

    def plain(self) -> dict[str, Any]:
        """As JSON values."""
        return {**self._people(), "stock": pieces_json(self.stock)}

    def _people(self) -> dict[str, Any]:
        return {
            "inviters": [{"user_id": user_id, "inviters": list(above)} for user_id, above in self.inviters],
            "rests": [{"user_id": user_id, **rest_json(rest)} for user_id, rest in self.rests],
        }


def rest_json(rest: Rest) -> dict[str, Any]:
    """A rest as JSON values."""
    return {**rest._asdict(), "seal": rest.seal.hex()}


class Close(NamedTuple):
    """The close record: published before the beacon of `source_round`, it fixes everything that draw and payouts depend on."""

    items: int
    tickets: int
    close_ms: int
    mode: int
    source: str
    source_round: int
    bound: Bound
    hash: bytes

    def plain(self) -> dict[str, Any]:
        """As JSON values: what is published at the close."""
        values = {"items": self.items, "tickets": self.tickets, "close_ms": self.close_ms, "mode": self.mode}
        named = {"source": self.source, "source_round": self.source_round, "hash": self.hash.hex()}
        return {**values, **named, **self.bound.plain()}


def close_record(log: bytes, items: int, tickets: int, close_ms: int, source: Source, bound: Bound) -> Close:
    """C and what it covers."""
    counted = U32(items) + U64(tickets) + U64(close_ms) + U8(source.mode)
    named = S(source.name) + U64(source.number) + LP(bound.text())
    digest = encoding.sha256(TAG("lot2.close"), log, counted, named)
    return Close(items, tickets, close_ms, source.mode, source.name, source.number, bound, digest)


def nothing_awaited(mode: int) -> Source:
    """The source of a round that ended without a draw before it was closed."""
    return Source(mode, VOID_SOURCE, 0, None)


# ---- final and seal


def final(secret: bytes, close_hash: bytes, salted: bytes, entropy: bytes) -> bytes:
    """F: binds the secret, the whole log (through the close) and the entropy."""
    return encoding.hmac_sha256(secret, TAG("lot2.final"), close_hash, salted, LP(entropy))


def final_without_entropy(secret: bytes, lane: str, number: int, salted: bytes) -> bytes:
    """F of mode none: fixed at the commitment. If it depended on the log, whoever knows the secret could try out last bets."""
    return encoding.hmac_sha256(secret, TAG("lot2.final0"), S(lane), U64(number), salted)


def winning_number(word: int) -> str:
    """N / 2^256 as "0." and 96 digits, rounded up: so that floor(tickets · number) is the ticket for up to 10^18 tickets.

    Distinct values of tickets·N/2^256 are at least 2^-256 apart, and rounding up adds less than tickets·10^-96.
    """
    digits = -((-word * _SCALE) >> 256)
    return f"0.{digits:0{DECIMALS}d}"


def seal(
    prev_seal: bytes, close_hash: bytes, secret: bytes, salted: bytes, entropy: bytes, outcome: Mapping[str, Any]
) -> bytes:
    """The last hash of a round, the first of the next: covers the whole outcome."""
    told = LP(encoding.canonical_json(outcome))
    return encoding.sha256(TAG("lot2.seal"), prev_seal, close_hash, secret, salted, LP(entropy), told)


def failure_seal(prev_seal: bytes, close_hash: bytes, salted: bytes, entropy: bytes, outcome: Mapping[str, Any]) -> bytes:
    """The last hash of a lane whose house failed: no secret stands in it, and no round can follow."""
    told = LP(encoding.canonical_json(outcome))
    return encoding.sha256(TAG("lot2.failure"), prev_seal, close_hash, salted, LP(entropy), told)


class SeedChain:
    """A lane's secrets, in the hand of whoever runs it. `values` as `chain` gives them; the first is of round `first`.

    It refuses to promise what it has no secret for, so no bet is taken that could not be drawn.
    """

    def __init__(self, lane: str, values: Sequence[bytes], first: int = 1) -> None:
        self.lane, self.first, self._values = lane, first, tuple(values)

    @property
    def anchor(self) -> bytes:
        """To be published before the first bet on this chain."""
        return self._values[0]

    @property
    def last(self) -> int:
        """The last round that there is a secret for."""
        return self.first + len(self._values) - 2

    def secret(self, number: int) -> bytes:
        """The secret of a round. Raises Refused("chain_end") where there is none."""
        if not self.first <= number <= self.last:
            raise Refused("chain_end", first=self.first, last=self.last)
        return self._values[number - self.first + 1]

    def link(self, number: int) -> Link:
        """Where a round hangs. Raises Refused("chain_end") where there is no secret for it."""
        self.secret(number)
        return Link(self._values[number - self.first], self.last)

    def hash(self, number: int) -> bytes:
        """The commitment of a round. Raises Refused("chain_end") where there is no secret for it."""
        return promise(self.lane, number, self.secret(number))
