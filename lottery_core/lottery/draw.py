"""From the final value of a round to tickets: exact, without bias, reproducible by anybody.

A draw takes `n` tickets and returns an integer 0 … n-1, each equally likely: multiply a wide word with n, keep the upper part,
and reject the few words that would favour some results (Lemire, "Fast random integer generation in an interval", 2019).
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from lottery.encoding import TAG, U32, S, hmac_sha256

WORD_BITS = 256
SAFETY_BITS = 64
_TAG = TAG("lot2.draw")

Words = Callable[[str, int, int, int], bytes]
"""w(label, i, attempt, block): 32 bytes."""


class Draw(NamedTuple):
    """`value` is the result, `word` the accepted word (of `bits` bits), `attempt` how many were rejected before it."""

    value: int
    word: int
    bits: int
    attempt: int


def words(final: bytes) -> Words:
    """The words of a round with this final value."""

    def word(label: str, index: int, attempt: int, block: int) -> bytes:
        return hmac_sha256(final, _TAG, S(label), U32(index), U32(attempt), U32(block))

    return word


def width(n: int) -> int:
    """Bits of a word for n results: at least 64 more than n has, in whole blocks, so that a rejection is rarer than 2^-64."""
    return WORD_BITS * -(-(n.bit_length() + SAFETY_BITS) // WORD_BITS)


def uniform(n: int, label: str, index: int, source: Words, bits: int | None = None) -> Draw:
    """One of 0 … n-1, each for exactly floor(2^bits / n) words. Raises ValueError when n is not positive or exceeds 2^bits.

    `bits` is the width of a word (`width(n)` if not told): narrow words make rejections frequent enough to be tested.
    """
    if bits is None:
        bits = width(n)
    if not 0 < n <= 1 << bits:
        raise ValueError(f"cannot draw one of {n} from words of {bits} bits")
    mask = (1 << bits) - 1
    least = (1 << bits) % n
    attempt = 0
    while True:
        word = _word(source, label, index, attempt, bits)
        product = word * n
        if product & mask >= least:
            return Draw(product >> bits, word, bits, attempt)
        attempt += 1


def _word(source: Words, label: str, index: int, attempt: int, bits: int) -> int:
    if bits == WORD_BITS:
        return int.from_bytes(source(label, index, attempt, 0), "big")
    blocks = -(-bits // WORD_BITS)
    data = b"".join(source(label, index, attempt, block) for block in range(blocks))
    return int.from_bytes(data, "big") >> (blocks * WORD_BITS - bits)


def owner(firsts: Sequence[int], ticket: int) -> int:
    """Index of the range that holds the ticket, of contiguous ranges given by their first tickets.

    Empty ranges share their first ticket with the next one and are never found.
    """
    return bisect_right(firsts, ticket) - 1


Range = tuple[int, int]
"""Tickets [first, end)."""


class Remaining:
    """The tickets that are left when those of some users are taken out; a draw among them maps to an original ticket."""

    def __init__(self, tickets: int) -> None:
        self.count = tickets
        self._gone: list[Range] = []

    def remove(self, ranges: Iterable[Range]) -> None:
        """Takes out ranges, each given once; empty ones are allowed."""
        fresh = [(first, end) for first, end in ranges if end > first]
        self.count -= sum(end - first for first, end in fresh)
        self._gone = sorted(self._gone + fresh)

    def original(self, index: int) -> int:
        """The original number of the index-th ticket left: steps over the ranges taken out, not over all that are left."""
        ticket = index
        for first, end in self._gone:
            if first > ticket:
                break
            ticket += end - first
        return ticket


class Winner(NamedTuple):
    """One winner: the ticket (None for a survivor of 5v5), and the draw that found it (None when it was typed)."""

    user_id: int
    ticket: int | None
    draw: Draw | None


Pick = Callable[[int, int], tuple[int, Draw | None]]
"""pick(n, i) for draw number i over n tickets: the index among them, and the draw behind it."""


def distinct_winners(
    tickets: int, count: int, find: Callable[[int], int], ranges: Callable[[int], Iterable[Range]], pick: Pick
) -> list[Winner]:
    """Up to `count` winners, no user twice: each draw is uniform over the tickets of those who have not won yet.

    The same distribution as "draw again if they already won", but bounded. `find` maps a ticket to its user, `ranges` a user to
    their tickets. Ends early when no tickets are left.
    """
    remaining = Remaining(tickets)
    winners: list[Winner] = []
    while len(winners) < count and remaining.count:
        index, draw = pick(remaining.count, len(winners))
        ticket = remaining.original(index)
        user_id = find(ticket)
        winners.append(Winner(user_id, ticket, draw))
        if len(winners) < count:
            remaining.remove(ranges(user_id))
    return winners
