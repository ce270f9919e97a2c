"""What follows from the items of a record alone: tickets, totals, rows by price. Each is worked out once, for all checks.

Items are columns: all prices in one list, all users in another, in the order of the log.
"""

from array import array
from collections.abc import Iterable, Sequence
from itertools import accumulate, islice
from operator import itemgetter
from typing import Any

U64_MAX, MANY = 2**64 - 1, 10_000
Row = tuple[int, ...]
"""A deposit and its price; for rows of the pot also the owner and the item."""
DEPOSIT, PRICE, OWNER, ITEM = range(4)


class Pot:
    """The items, as the room's rules count them. Nothing in here believes what the record says about tickets."""

    def __init__(self, items: dict[str, list[Any]], rules: dict[str, Any]) -> None:
        self.items = items
        self.users: Sequence[int] = items["user_id"]
        self.prices: Sequence[int] = items["price"]
        self.size = len(self.users)
        self.bank = sum(self.prices)
        self.tickets = tickets_for(self.prices, rules)
        self.all_tickets = sum(self.tickets)
        before = islice(accumulate(self.tickets, initial=0), self.size)
        self.firsts: Sequence[int] = array("Q", before) if self.size >= MANY and self.all_tickets <= U64_MAX else list(before)
        """How many tickets there were before each item."""
        self.tickets_of = totals(self.users, self.tickets)
        """Tickets by user, in the order of first bets."""
        self.value_of = self.tickets_of if self.tickets is self.prices else totals(self.users, self.prices)
        """Cents by user, in the order of first bets."""
        self.value_of_bet = totals(items["bet"], self.prices)
        """Cents by number of the bet."""
        self.price_of = dict(zip(items["deposit_id"], self.prices, strict=True))
        """Cents by deposit."""
        columns = [self.prices, self.users, items["item_id"]]
        self.dearest_first: list[Row] = sorted(zip(self.price_of, *map(each_once, columns), strict=False))
        """The rows of the pot by price, dearest first, then by the lower deposit: sorting keeps the order among equals."""
        self.dearest_first.sort(key=itemgetter(PRICE), reverse=True)


def each_once(values: Sequence[int]) -> Iterable[int]:
    """The same values, each one object only: in a large pot that is most of its memory."""
    once: dict[int, int] = {}
    return values if len(values) < MANY else map(once.setdefault, values, values)


def tickets_for(prices: list[int], rules: dict[str, Any]) -> list[int]:
    """Tickets for each item: one per cent, one per item, or as many as were paid for."""
    if rules["tickets"] == "cent":
        return prices
    if rules["tickets"] == "item":
        return [1 for _ in prices]
    return [price // rules["raffle"]["ticket_price"] for price in prices]


def totals(groups: Sequence[int], amounts: Sequence[int]) -> dict[int, int]:
    """Amounts added up by group, in the order in which groups first come."""
    found: dict[int, int] = {}
    for group, amount in zip(groups, amounts, strict=True):
        found[group] = found.get(group, 0) + amount
    return found
