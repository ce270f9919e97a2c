"""Dividing a pot among several winners: numbers of items (Sit-n-Go) and claims in cents (Global Pot, 5v5).

Everything is in integers; who gets the rest is part of the rule, so a division is a function of its arguments.
"""

from collections.abc import Iterable, Sequence
from heapq import heapify, heapreplace
from typing import NamedTuple

from lottery.pot import Columns, Entry


def in_proportion(amount: int, weights: Sequence[int], rest_to: int = 0) -> list[int]:
    """`amount` split by weights, each part rounded down; the rest to the one at `rest_to`.

    >>> in_proportion(100, [1, 1, 1])
    [34, 33, 33]
    """
    total = sum(weights)
    parts = [amount * weight // total for weight in weights]
    parts[rest_to] += amount - sum(parts)
    return parts


def item_shares(shares: Sequence[int], winners: int) -> list[int]:
    """How many items each winner gets; shares that nobody won are divided over the winners in proportion."""
    won = list(shares[:winners])
    unfilled = sum(shares[winners:])
    if not unfilled:
        return won
    return [share + more for share, more in zip(won, in_proportion(unfilled, won), strict=True)]


def serve_items(entries: Sequence[Entry], users: Sequence[int], counts: Sequence[int]) -> tuple[list[list[int]], list[int]]:
    """Whole rows for each winner, and the rows that are left for the house; all in log order.

    First every winner takes own rows, at most as many as due; then, winner by winner, from the rows that are left.
    """
    given: list[list[int]] = [[] for _ in users]
    place = {user_id: index for index, user_id in enumerate(users)}
    left = []
    for entry in entries:
        index = place.get(entry.user_id)
        if index is not None and len(given[index]) < counts[index]:
            given[index].append(entry.deposit_id)
        else:
            left.append(entry.deposit_id)
    for rows, count in zip(given, counts, strict=True):
        missing = count - len(rows)
        rows.extend(left[:missing])
        del left[:missing]
    return given, left


class HandedOut(NamedTuple):
    """Rows per winner in the order of handing out, what is left of each claim (credit), and the rows that fitted nobody."""

    rows: list[list[int]]
    credit: list[int]
    left: list[int]


def hand_out(pot: Columns, places: Iterable[int], users: Sequence[int], claims: Sequence[int]) -> HandedOut:
    """Items against claims: own rows first while they fit, then the dearest row to the largest claim left, if it fits.

    `places` are those of the rows to be handed out, dearest first. A row that fits nobody is left to the house, which owes its
    value as credit; so every claim is met to the cent.
    """
    rows: list[list[int]] = [[] for _ in users]
    left_of = list(claims)
    winner = {user_id: index for index, user_id in enumerate(users)}
    others = []
    for place in places:
        index, price = winner.get(pot.users[place]), pot.prices[place]
        if index is not None and price <= left_of[index]:
            rows[index].append(pot.deposits[place])
            left_of[index] -= price
        else:
            others.append(place)
    return HandedOut(rows, left_of, _hand_out_others(pot, others, rows, left_of))


def _hand_out_others(pot: Columns, places: Sequence[int], rows: list[list[int]], left_of: list[int]) -> list[int]:
    heap = [(-claim, index) for index, claim in enumerate(left_of)]
    heapify(heap)
    unfit = []
    for place in places:
        claim, index = -heap[0][0], heap[0][1]
        price = pot.prices[place]
        if price > claim:
            unfit.append(pot.deposits[place])
            continue
        rows[index].append(pot.deposits[place])
        left_of[index] = claim - price
        heapreplace(heap, (-left_of[index], index))
    return unfit
