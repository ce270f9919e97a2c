"""The house's part of a pot, in whole items: as near to what is due as the items and the house's change allow, never more.

The rate falls with the winner's chance. Which items are taken is a function of the sealed record (docs/record-format.md,
`rake`), so nobody chooses after the result is known. Sets of sums are bits of one Python integer: adding an item is one shift
and one OR.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from itertools import accumulate, islice
from operator import itemgetter, neg, sub
from typing import NamedTuple, Protocol

TRIES = 7
BASE_BITS = 1 << 16
ROWS_MAX = 256
SUMS_BITS = 1 << 24
"""Bits that one set of sums may have in all its rows together."""
STOCK_MAX = 256
CARRY_PART = 4

Table = Sequence[tuple[int, int]]


class Item(NamedTuple):
    """A row that may be taken, or a piece of the house's stock. `price` in cents; `rank` 0 for items taken by preference."""

    deposit_id: int
    price: int
    rank: int = 1


class Priced(Protocol):
    """Anything with a row and a price: an `Item`, or a piece of the house as the events carry it."""

    @property
    def deposit_id(self) -> int: ...

    @property
    def price(self) -> int: ...


class Rake(NamedTuple):
    """What is taken out of the pot and handed back out of stock (deposit ids); `net` = taken − change, in cents."""

    taken: tuple[int, ...]
    change: tuple[int, ...]
    net: int


NOTHING = Rake((), (), 0)


def percent(table: Table, tickets: int, all_tickets: int) -> int:
    """The rate for a winner with so many of all tickets: of the first row whose border is above the chance, else the last.

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


def carried(owed: int, due_cents: int, opponents_stake: int) -> int:
    """How much of earlier rests may be asked for on top.

    No more than the due itself, and due and rests together at most a quarter of what the opponents staked.
    """
    return max(0, min(owed, due_cents, opponents_stake // CARRY_PART - due_cents))


_DEPOSIT, _PRICE, _RANK = map(itemgetter, range(len(Item._fields)))


class Ordered(NamedTuple):
    """Rows of value in order of preference, as columns; those before `border` are taken by preference.

    In both parts the dearest come first, of equal ones the lower deposit.
    """

    deposits: Sequence[int]
    prices: Sequence[int]
    border: int


def in_preference(items: Iterable[Item]) -> Ordered:
    """Items in order of preference; sorting keeps the order among equals."""
    ordered = sorted([item for item in items if item.price > 0], key=_DEPOSIT)
    ordered.sort(key=_PRICE, reverse=True)
    ordered.sort(key=_RANK)
    border = bisect_left(ordered, 1, key=_RANK)
    return Ordered([item.deposit_id for item in ordered], [item.price for item in ordered], border)


def collect(target: int, others: Iterable[Item], own: Iterable[Item], stock: Sequence[Priced], change_max: int) -> Rake:
    """The rake for a target in cents: exact, exact with change, else the best below; the winner's own items only if they help.

    `others` and `own` are the rows of the pot by whose they are. Never over the target. At most 256 pieces of `stock` count.
    """
    opponents, own_items = list(others), [item for item in own if item.price > 0]

    def whole() -> Ordered | None:
        return in_preference(opponents + own_items) if own_items else None

    return choose(target, in_preference(opponents), whole, stock, change_max)


def choose(target: int, others: Ordered, whole: Callable[[], Ordered | None], stock: Sequence[Priced], change_max: int) -> Rake:
    """The same for rows that are in order already; `whole` gives all rows of the pot, None where there are no others."""
    if target <= 0:
        return NOTHING
    house, first = _House(stock, change_max), _Pool(target, others)
    found = first.reach(house)
    if found is not None:
        return found
    rows = whole()
    if rows is None:
        return first.below()
    second = _Pool(target, rows)
    found = second.reach(house)
    if found is not None:
        return found
    best, more = first.below(), second.below()
    return more if more.net > best.net else best


class _House:
    """The small items that the house gives as change, and the sums they make."""

    def __init__(self, stock: Sequence[Priced], change_max: int) -> None:
        self.change_max = change_max
        self._stock = stock

    @cached_property
    def pieces(self) -> list[Priced]:
        """In ascending deposit ids; worked out only when a pot cannot make the due by itself."""
        usable = sorted(self._stock, key=lambda piece: piece.deposit_id)[:STOCK_MAX]
        return [piece for piece in usable if 0 < piece.price <= self.change_max]

    @cached_property
    def prices(self) -> list[int]:
        return [piece.price for piece in self.pieces]

    @cached_property
    def rows(self) -> list[int]:
        return sums_of(self.prices, self.change_max)

    def handed(self, cents: int) -> tuple[int, ...]:
        """Pieces worth exactly so much, which is one of the sums."""
        return tuple([self.pieces[place].deposit_id for place in walk_back(self.rows, self.prices, cents)])


class _Pool:
    """Rows that may be taken, in order of preference, with the greedy spine: each row that fits what is left of the target.

    A try keeps the first so many of the spine and makes up the rest of the target exactly from the other rows.
    """

    def __init__(self, target: int, rows: Ordered) -> None:
        self.target = target
        self.deposits, self.prices, self.border = rows
        self.spine = _spine(target, self.prices)
        self.rests = list(accumulate([self.prices[place] for place in self.spine], sub, initial=target))
        """What is left of the target when so many of the spine are kept."""
        self.base = next((kept for kept, rest in enumerate(self.rests) if rest < BASE_BITS), len(self.spine))
        """The least part of the spine whose rest is small enough for a set of sums; all of it when no rest is."""
        self._base_found: tuple[list[int], list[int]] | None = None

    def _tries(self) -> list[int]:
        """Nearly all of the spine first, where the rest is small and the sums are quick; the base last."""
        last = len(self.spine)
        tries = list(range(last, max(last - TRIES, self.base - 1), -1))
        return tries if self.base in tries else [*tries, self.base]

    def _others(self, keep: int, price_max: int) -> list[int]:
        """Places of rows outside the kept spine that could be part of a sum; as many as a set of sums of this width takes."""
        kept, most = set(self.spine[:keep]), rows_max(price_max)
        return list(islice((place for place in self._cheap(price_max) if place not in kept), most))

    def _cheap(self, price_max: int) -> Iterator[int]:
        """Places of rows that cost at most so much: in each part the dearest come first, so others need not be looked at."""
        for start, stop in ((0, self.border), (self.border, len(self.prices))):
            yield from range(bisect_left(self.prices, -price_max, start, stop, key=neg), stop)

    def reach(self, house: _House) -> Rake | None:
        """Exactly the target, without change or with it; None when no try finds it."""
        if not self.prices:
            return None
        tries = self._tries()
        for keep in tries:
            found = self._exact(keep)
            if found is not None:
                return found
        if not house.pieces:
            return None
        for keep in tries:
            found = self._with_change(keep, house)
            if found is not None:
                return found
        return None

    def _exact(self, keep: int) -> Rake | None:
        rest = self.rests[keep]
        if not rest:
            return self._taking(keep, [], (), self.target)
        if rest >= BASE_BITS:
            return None
        places = self._others(keep, rest)
        prices = [self.prices[place] for place in places]
        rows = _sums_until(prices, rest)
        if rows[-1] >> rest & 1:
            return self._taking(keep, self._back(rows, places, prices, rest), (), self.target)
        if keep == self.base:
            self._base_found = places, rows
        return None

    def _back(self, rows: Sequence[int], places: Sequence[int], prices: Sequence[int], value: int) -> list[int]:
        return [places[index] for index in walk_back(rows, prices, value)]

    def _with_change(self, keep: int, house: _House) -> Rake | None:
        rest = self.rests[keep]
        if rest >= BASE_BITS:
            return self._one_with_change(keep, rest, house)
        places = self._others(keep, rest + house.change_max)
        prices = [self.prices[place] for place in places]
        rows = sums_of(prices, rest + house.change_max)
        both = (rows[-1] >> rest) & house.rows[-1]
        if not both:
            return None
        change = (both & -both).bit_length() - 1
        return self._taking(keep, self._back(rows, places, prices, rest + change), house.handed(change), self.target)

    def _one_with_change(self, keep: int, rest: int, house: _House) -> Rake | None:
        """A rest too large for sets of sums: no row fits it, so one that is a little dearer is all that can help."""
        sums, kept, prices = house.rows[-1], set(self.spine[:keep]), self.prices
        dearer = (place for place in self._cheap(rest + house.change_max) if place not in kept)
        fitting = [place for place in dearer if prices[place] > rest and sums >> (prices[place] - rest) & 1]
        if not fitting:
            return None
        best = min(fitting, key=prices.__getitem__)
        return self._taking(keep, [best], house.handed(prices[best] - rest), self.target)

    def below(self) -> Rake:
        """The greatest sum under the target that the base try finds, or the whole spine where that is more.

        To be asked after `reach` found nothing.
        """
        rest = self.rests[self.base]
        places, rows = self._base_found or ([], [1])
        best = rows[-1].bit_length() - 1
        if self.rests[-1] < rest - best:
            return self._taking(len(self.spine), [], (), self.target - self.rests[-1])
        prices = [self.prices[place] for place in places]
        return self._taking(self.base, self._back(rows, places, prices, best), (), self.target - rest + best)

    def _taking(self, keep: int, found: Sequence[int], change: tuple[int, ...], net: int) -> Rake:
        return Rake(tuple([self.deposits[place] for place in (*self.spine[:keep], *found)]), change, net)


def rows_max(width: int) -> int:
    """How many rows a set of sums of this width takes: so that no choice takes long, whatever the pot is made of."""
    return min(ROWS_MAX, SUMS_BITS // (width + 1))


def _spine(target: int, prices: Sequence[int]) -> list[int]:
    """Places of the rows that are kept when each one is that fits."""
    kept = []
    for place, price in enumerate(prices):
        if price <= target:
            kept.append(place)
            target -= price
            if not target:
                break
    return kept


def _sums_until(prices: Sequence[int], goal: int) -> list[int]:
    """As `sums_of` with the goal as limit, but it ends with the row where the goal appears."""
    mask, sums, rows = (2 << goal) - 1, 1, [1]
    for price in prices:
        sums |= (sums << price) & mask
        rows.append(sums)
        if sums >> goal:
            break
    return rows


def sums_of(prices: Sequence[int], limit: int) -> list[int]:
    """Row k: the sums (bits) that the first k prices can make, up to `limit`."""
    mask = (2 << limit) - 1
    sums, rows = 1, [1]
    for price in prices:
        sums |= (sums << price) & mask
        rows.append(sums)
    return rows


def walk_back(rows: Sequence[int], prices: Sequence[int], value: int) -> list[int]:
    """Which prices make `value`, given that the last row has it: a later one is left out wherever that is possible."""
    chosen = []
    for index in range(len(rows) - 2, -1, -1):
        if not value:
            break
        if not rows[index] >> value & 1:
            chosen.append(index)
            value -= prices[index]
    chosen.reverse()
    return chosen
