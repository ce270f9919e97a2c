"""The house's part of a pot, in whole items: as near to what is due as the items and the house's change allow, never more.

The rate falls with the winner's chance. Which items are taken is a function of the sealed record (docs/record-format.md,
`rake`), so nobody chooses after the result is known. Sets of sums are bits of one Python integer: adding an item is one shift
and one OR.
"""

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import NamedTuple

TRIES = 7
BASE_BITS = 1 << 16
ROWS_MAX = 256
STOCK_MAX = 256

Table = Sequence[tuple[int, int]]


class Item(NamedTuple):
    """A row that may be taken, or a piece of the house's stock. `price` in cents; `rank` 0 for items taken by preference."""

    deposit_id: int
    price: int
    rank: int = 1


class Rake(NamedTuple):
    """What is taken out of the pot and handed back out of stock (deposit ids); `net` = taken − change, in cents."""

    taken: tuple[int, ...]
    change: tuple[int, ...]
    net: int


NOTHING = Rake((), (), 0)


def percent(table: Table, tickets: int, all_tickets: int) -> int:
    """The rate for a winner with so many of all tickets: of the first row whose border lies above his chance, else the last.

    >>> percent([(50, 10), (60, 8), (100, 0)], 1, 2)
    8
    """
    for upper, rate in table:
        if 100 * tickets < upper * all_tickets:
            return rate
    return table[-1][1]


def due(base: int, rate: int) -> int:
    """Cents due of a base, rounded down in the winner's favour."""
    return base * rate // 100


def carried(balance: int, due_cents: int, opponents_stake: int) -> int:
    """How much of earlier rests may be asked for on top: due and carry together at most half of what the opponents staked."""
    return max(0, min(balance, opponents_stake // 2 - due_cents))


def preference(item: Item) -> tuple[int, int, int]:
    """Sort key: items taken by preference, then dearer, then lower id."""
    return (item.rank, -item.price, item.deposit_id)


def collect(target: int, others: Iterable[Item], own: Iterable[Item], stock: Sequence[Item], change_max: int) -> Rake:
    """The rake for a target in cents: exact, exact with change, else the best below; the winner's own items only if they help.

    `others` and `own` are the rows of the pot by whose they are. Never over the target. At most 256 pieces of `stock` count.
    """
    if target <= 0:
        return NOTHING
    opponents = sorted((item for item in others if item.price > 0), key=preference)
    house = _House(stock, change_max)
    found = _reach(target, opponents, house)
    if found is not None:
        return found
    everything = sorted([*opponents, *(item for item in own if item.price > 0)], key=preference)
    if len(everything) > len(opponents):
        found = _reach(target, everything, house)
        if found is not None:
            return found
    best = _below(target, opponents)
    if len(everything) > len(opponents):
        more = _below(target, everything)
        best = more if more.net > best.net else best
    return best


def _reach(target: int, pool: Sequence[Item], house: "_House") -> Rake | None:
    """Exactly the target out of one pool, without change or with it; None when this cannot be found."""
    if not pool:
        return None
    spine = _spine(target, pool)
    tries = _tries(target, spine)
    for keep in tries:
        found = _exact(target, spine[:keep], pool)
        if found is not None:
            return found
    if not house.items:
        return None
    for keep in tries:
        found = _with_change(target, spine[:keep], pool, house)
        if found is not None:
            return found
    return None


def _spine(target: int, pool: Iterable[Item]) -> list[Item]:
    """Greedy: each item, in order of preference, that fits what is left of the target."""
    kept = []
    for item in pool:
        if item.price <= target:
            kept.append(item)
            target -= item.price
            if not target:
                break
    return kept


def _tries(target: int, spine: Sequence[Item]) -> list[int]:
    """How much of the spine to keep, try by try: nearly all of it first, the base (the least with a small rest) last."""
    base = _base(target, spine)
    last = len(spine)
    tries = list(range(last, max(last - TRIES, base - 1), -1))
    return tries if base in tries else [*tries, base]


def _base(target: int, spine: Sequence[Item]) -> int:
    rest = target
    for kept, item in enumerate(spine):
        if rest < BASE_BITS:
            return kept
        rest -= item.price
    return len(spine)


def _candidates(pool: Sequence[Item], kept: Sequence[Item], price_max: int) -> list[Item]:
    without = {item.deposit_id for item in kept}
    fitting = [item for item in pool if item.price <= price_max and item.deposit_id not in without]
    return fitting[:ROWS_MAX]


def _exact(target: int, kept: Sequence[Item], pool: Sequence[Item]) -> Rake | None:
    rest = target - sum(item.price for item in kept)
    if not rest:
        return Rake(tuple(item.deposit_id for item in kept), (), target)
    items = _candidates(pool, kept, rest)
    rows = [1]
    goal, mask = 1 << rest, (2 << rest) - 1
    sums = 1
    for item in items:
        sums |= (sums << item.price) & mask
        rows.append(sums)
        if sums & goal:
            return _taking(kept, walk_back(rows, items, rest), (), target)
    return None


def _with_change(target: int, kept: Sequence[Item], pool: Sequence[Item], house: "_House") -> Rake | None:
    rest = target - sum(item.price for item in kept)
    items = _candidates(pool, kept, rest + house.change_max)
    rows = sums_of(items, rest + house.change_max)
    both = (rows[-1] >> rest) & house.rows[-1]
    if not both:
        return None
    change = (both & -both).bit_length() - 1
    handed = walk_back(house.rows, house.items, change)
    return _taking(kept, walk_back(rows, items, rest + change), handed, target)


def _below(target: int, pool: Sequence[Item]) -> Rake:
    """The greatest sum not above the target that the base try finds."""
    spine = _spine(target, pool)
    kept = spine[: _base(target, spine)]
    rest = target - sum(item.price for item in kept)
    items = _candidates(pool, kept, rest)
    rows = sums_of(items, rest)
    best = rows[-1].bit_length() - 1
    return _taking(kept, walk_back(rows, items, best), (), target - rest + best)


def _taking(kept: Sequence[Item], found: Sequence[Item], change: Sequence[Item], net: int) -> Rake:
    taken = (*(item.deposit_id for item in kept), *(item.deposit_id for item in found))
    return Rake(taken, tuple(item.deposit_id for item in change), net)


def sums_of(items: Sequence[Item], limit: int) -> list[int]:
    """Row k: the sums (bits) that the first k items can make, up to `limit`."""
    mask = (2 << limit) - 1
    sums, rows = 1, [1]
    for item in items:
        sums |= (sums << item.price) & mask
        rows.append(sums)
    return rows


def walk_back(rows: Sequence[int], items: Sequence[Item], value: int) -> list[Item]:
    """The items that make `value`, given that the last row has it: a later item is left out wherever that is possible."""
    chosen = []
    for index in range(len(rows) - 2, -1, -1):
        if not value:
            break
        if not rows[index] >> value & 1:
            chosen.append(items[index])
            value -= items[index].price
    chosen.reverse()
    return chosen


class _House:
    """The small items that the house gives as change, and the sums they make."""

    def __init__(self, stock: Sequence[Item], change_max: int) -> None:
        self.change_max = change_max
        usable = sorted(stock, key=lambda item: item.deposit_id)[:STOCK_MAX]
        self.items = [item for item in usable if 0 < item.price <= change_max]

    @cached_property
    def rows(self) -> list[int]:
        return sums_of(self.items, self.change_max)
