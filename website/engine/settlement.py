"""From an outcome to the calls that carry it out: who gives which item to whom, in parts that the fleet takes. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from lottery import payouts
from lottery.state import Round

HOUSE = "house"
MOVES_MAX = LOCKS_MAX = CREDITS_MAX = 2_000
"""What the fleet takes in one call."""


class Move(NamedTuple):
    """One item by its number in the record, from its owner to another, or to the same: then it is only freed."""

    number: int
    giver: str
    taker: str


class Credit(NamedTuple):
    user_id: str
    cents: int
    kind: str


@dataclass(frozen=True)
class Part:
    """One call. `release` is "rest" in the last one: whatever is still under the named locks is freed."""

    locks: tuple[str, ...]
    moves: tuple[Move, ...]
    release: str
    credits: tuple[Credit, ...]

    def body(self, deposit_ids: Mapping[int, str]) -> dict[str, Any]:
        return {
            "locks": list(self.locks),
            "moves": [[deposit_ids[move.number], move.giver, move.taker] for move in self.moves],
            "release": self.release,
            "credits": [list(credit) for credit in self.credits],
        }


def moves(state: Round) -> list[Move]:
    """Every row of the outcome once: payouts in their order, a user's rows one after the other, then what the house keeps.

    What was bought in a raffle are no rows: its entries have numbers of their own, which are also those of others' items.
    """
    staked = () if state.rules.raffle is not None else state.entries
    givers = {entry.deposit_id: str(entry.user_id) for entry in staked}
    outcome = state.outcome or {"payouts": [], "house": []}
    found = []
    for payout in payouts.of_outcome(outcome):
        rows = (*payout.rows, *payout.guarantees, *payout.change)
        found += [Move(row, givers.get(row, HOUSE), str(payout.user_id)) for row in rows]
    return found + [Move(row, givers.get(row, HOUSE), HOUSE) for row in outcome["house"]]


def credits(state: Round) -> list[Credit]:
    """Cents that are owed: rests that no item was small enough for, and those of inviters."""
    outcome = state.outcome or {"payouts": [], "referral": []}
    rests = [Credit(str(each.user_id), each.credit, "rest") for each in payouts.of_outcome(outcome) if each.credit]
    invited = payouts.referral_credits(outcome)
    return rests + [Credit(str(user_id), cents, "referral") for user_id, cents in invited if cents]


def parts(moved: Sequence[Move], lock_of: Mapping[int, str], owed: Sequence[Credit], left: Iterable[str] = ()) -> list[Part]:
    """The calls in their order. `lock_of` says under which lock a row is, `left` are locks with rows that nobody gets.

    The union of the parts is what was given, and no row is in two (W15). A taker's rows stay in one part where they fit. Each
    part names the locks that it uses; the last one frees what is left. No calls where there is nothing to do.
    """
    packed, chunks = _packed(moved), _chunks(owed)
    free = [lock for lock in dict.fromkeys(left) if lock not in _locks(packed[-1], lock_of)]
    if len(_locks(packed[-1], lock_of)) + len(free) > LOCKS_MAX:
        packed.append([])
    packed += [[] for _ in chunks[1:]]
    if packed == [[]] and not free and not owed:
        return []
    credited: list[Sequence[Credit]] = [()] * (len(packed) - len(chunks)) + chunks
    found = []
    for number, (some, lines) in enumerate(zip(packed, credited, strict=True), 1):
        last = number == len(packed)
        locks = [*_locks(some, lock_of), *(free if last else ())]
        found.append(Part(tuple(locks), tuple(some), "rest" if last else "none", tuple(lines)))
    return found


def _locks(some: Sequence[Move], lock_of: Mapping[int, str]) -> dict[str, None]:
    return dict.fromkeys(lock_of[move.number] for move in some)


def _chunks(owed: Sequence[Credit]) -> list[Sequence[Credit]]:
    return [owed[start : start + CREDITS_MAX] for start in range(0, len(owed), CREDITS_MAX)] or [()]


def _packed(moved: Sequence[Move]) -> list[list[Move]]:
    """At least one part, also where nothing moves: locks are to be freed."""
    packed: list[list[Move]] = [[]]
    for group in _by_taker(moved):
        if len(packed[-1]) + len(group) > MOVES_MAX and packed[-1]:
            packed.append([])
        for start in range(0, len(group), MOVES_MAX):
            if start:
                packed.append([])
            packed[-1] += group[start : start + MOVES_MAX]
    return packed


def _by_taker(moved: Sequence[Move]) -> list[list[Move]]:
    groups: dict[str, list[Move]] = {}
    for move in moved:
        groups.setdefault(move.taker, []).append(move)
    return list(groups.values())
