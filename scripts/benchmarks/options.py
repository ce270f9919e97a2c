"""How much of everything a run measures."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Options:
    """``quick`` only proves that every row can be measured; its figures mean nothing."""

    quick: bool = False
    durable: bool = False

    @property
    def rounds(self) -> int:
        return 1 if self.quick else 5

    @property
    def deposits(self) -> int:
        """Deposits in one round; the balancer remembers 2 000 inventories, two of each player who was asked for."""
        return 80 if self.quick else 900

    @property
    def reads(self) -> int:
        return 200 if self.quick else 5000

    @property
    def orders(self) -> int:
        """Whole orders, one after the other."""
        return 5 if self.quick else 80

    @property
    def bots(self) -> int:
        """Bots of the group whose memory is measured."""
        return 2 if self.quick else 10

    @property
    def trades(self) -> int:
        """Trades after which a bot's memory is measured."""
        return 6 if self.quick else 200

    @property
    def live_trades(self) -> int:
        """Trades that one bot has live at once while requests to Steam are counted."""
        return 3 if self.quick else 10

    @property
    def trades_each(self) -> int:
        """Deposits of every player while requests to Steam are counted."""
        return 1 if self.quick else 3

    @property
    def repeats(self) -> int:
        """Runs of what takes well under a second."""
        return 2 if self.quick else 9
