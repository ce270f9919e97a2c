"""The items in the pot, in the order of the log."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import NamedTuple, overload

from lottery.commitments import LogItem


class Entry(NamedTuple):
    """One item in the pot, priced as it was when it was bet; its tickets are [first, first + tickets)."""

    bet: int
    user_id: int
    item_id: int
    deposit_id: int
    price: int
    first: int
    tickets: int


new_entry: Callable[[LogItem], Entry] = partial(tuple.__new__, Entry)
"""An entry from the tuple of its fields: in half the time that the class itself takes."""


FIELDS = len(Entry._fields)
FIRST = Entry._fields.index("first")


def plain(numbers: Iterable[int]) -> Iterator[LogItem]:
    """Entries, given by the fields of one after the other, as plain tuples: quicker, where many are looked at once."""
    each = iter(numbers)
    return zip(each, each, each, each, each, each, each, strict=True)


_USER, _ITEM, _DEPOSIT, _PRICE = map(Entry._fields.index, ("user_id", "item_id", "deposit_id", "price"))


class Entries(Sequence[Entry]):
    """What is in the pot, in the order of the log: the fields of one entry after the other in one list.

    So a pot of a million items is not a million objects, over which the garbage collector would walk again and again: an entry
    is made when one is asked for.
    """

    def __init__(self, numbers: Iterable[int] = ()) -> None:
        self.numbers: list[int] = list(numbers)

    def __len__(self) -> int:
        return len(self.numbers) // FIELDS

    @overload
    def __getitem__(self, place: int) -> Entry: ...

    @overload
    def __getitem__(self, place: slice) -> list[Entry]: ...

    def __getitem__(self, place: int | slice) -> Entry | list[Entry]:
        places = range(len(self))[place]
        if isinstance(places, range):
            return [self[each] for each in places]
        return Entry(*self.numbers[places * FIELDS : (places + 1) * FIELDS])

    def __iter__(self) -> Iterator[Entry]:
        return map(new_entry, plain(self.numbers))

    def columns(self) -> "Columns":
        """The entries by column: quicker still, and without an object for each."""
        numbers = self.numbers
        return Columns(numbers[_USER::FIELDS], numbers[_ITEM::FIELDS], numbers[_DEPOSIT::FIELDS], numbers[_PRICE::FIELDS])


class Columns(NamedTuple):
    """What is in the pot, by column, in the order of the log; a *place* is an index into them."""

    users: list[int]
    items: list[int]
    deposits: list[int]
    prices: list[int]

    def dearest_first(self) -> list[int]:
        """Places: dearer rows first, then the lower deposit; sorting keeps what was sorted before among equals."""
        places = sorted(range(len(self.deposits)), key=self.deposits.__getitem__)
        places.sort(key=self.prices.__getitem__, reverse=True)
        return places
