"""What follows from the items of a record alone: tickets, totals, rows by price. Each is worked out once, for all checks.

Items are columns: all prices in one list, all users in another, in the order of the log.
"""

from collections.abc import Sequence
from functools import cached_property
from itertools import accumulate
from operator import itemgetter
from typing import Any

Row = tuple[int, ...]
"""A deposit and its price; for rows of the pot also the owner and the item."""
DEPOSIT, PRICE, OWNER, ITEM = range(4)


class Pot:
    """The items, as the room's rules count them. Nothing in here believes what the record says about tickets."""

    def __init__(self, items: dict[str, list[Any]], rules: dict[str, Any]) -> None:
        self.items, self.rules = items, rules
        self.users: list[int] = items["user_id"]
        self.prices: list[int] = items["price"]
        self.size = len(self.users)

    @cached_property
    def tickets(self) -> list[int]:
        """Tickets for each item: one per cent, one per item, or as many as were paid for."""
        if self.rules["tickets"] == "cent":
            return self.prices
        if self.rules["tickets"] == "item":
            return [1 for _ in self.prices]
        return [price // self.rules["raffle"]["ticket_price"] for price in self.prices]

    @cached_property
    def firsts(self) -> list[int]:
        """How many tickets there were before each item."""
        return list(accumulate(self.tickets, initial=0))[:-1]

    @cached_property
    def tickets_of(self) -> dict[int, int]:
        """Tickets by user, in the order of first bets."""
        return totals(self.users, self.tickets)

    @cached_property
    def value_of(self) -> dict[int, int]:
        """Cents by user, in the order of first bets."""
        return self.tickets_of if self.tickets is self.prices else totals(self.users, self.prices)

    @cached_property
    def value_of_bet(self) -> dict[int, int]:
        """Cents by number of the bet."""
        return totals(self.items["bet"], self.prices)

    @cached_property
    def price_of(self) -> dict[int, int]:
        """Cents by deposit."""
        return dict(zip(self.items["deposit_id"], self.prices, strict=True))

    @cached_property
    def dearest_first(self) -> list[Row]:
        """The rows of the pot by price, dearest first, then by the lower deposit."""
        rows = zip(self.items["deposit_id"], self.prices, self.users, self.items["item_id"], strict=True)
        return sorted(sorted(rows), key=itemgetter(PRICE), reverse=True)  # sorting keeps what was sorted before among equals


def totals(groups: Sequence[int], amounts: Sequence[int]) -> dict[int, int]:
    """Amounts added up by group, in the order in which groups first come."""
    found = dict.fromkeys(groups, 0)
    for group, amount in zip(groups, amounts, strict=True):
        found[group] += amount
    return found
